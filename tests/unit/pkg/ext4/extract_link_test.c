/* SPDX-License-Identifier: Apache-2.0 */
/* Hard links of an extraction: one inode for all names, of every type, wherever they are. */
#include "pkg/ext4/extract.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/cmocka.h"
#include "tests/support/extraction.h"
#include "tests/support/scratch.h"

static void assert_same(const char *a, const char *b, unsigned links)
{
	struct stat st, other;

	assert_int_equal(lstat(a, &st), 0);
	assert_int_equal(lstat(b, &other), 0);
	assert_int_equal(st.st_ino, other.st_ino);
	assert_int_equal(st.st_nlink, links);
}

static void names_of_one_inode_stay_one(void **state)
{
	struct extraction *x = *state;

	edit_dir(x->edit->w, "a");
	edit_dir(x->edit->w, "a/b");
	edit_dir(x->edit->w, "z");
	edit_file(x->edit->w, "a/b/f", "text");
	edit_link(x->edit->w, "a/b/g", "a/b/f");
	edit_link(x->edit->w, "z/f", "a/b/f");
	edit_link(x->edit->w, "f", "a/b/f");
	assert_ok(extraction_run(x), &x->err);
	assert_same("out/a/b/f", "out/a/b/g", 4);
	assert_same("out/a/b/f", "out/z/f", 4);
	assert_same("out/a/b/f", "out/f", 4);
}

/* A link to a symlink is not one to where it leads. */
static void all_types_have_links(void **state)
{
	struct extraction *x = *state;

	scratch_write("victim", "outside");
	edit_symlink(x->edit->w, "sym", "../victim");
	extraction_make(x, "chr", S_IFCHR | 0666);
	extraction_make(x, "pipe", S_IFIFO | 0644);
	edit_link(x->edit->w, "sym2", "sym");
	edit_link(x->edit->w, "chr2", "chr");
	edit_link(x->edit->w, "pipe2", "pipe");
	assert_ok(extraction_run(x), &x->err);
	assert_same("out/sym", "out/sym2", 2);
	assert_same("out/chr", "out/chr2", 2);
	assert_same("out/pipe", "out/pipe2", 2);
	assert_int_equal(scratch_mode("out/sym2") & S_IFMT, S_IFLNK);
	assert_same("victim", "victim", 1);
	assert_int_equal(x->lost.of[EXT4_LOST_DEVICE].n, 1);
}

static void the_first_name_may_be_in_a_folder_that_is_shut(void **state)
{
	struct extraction *x = *state;

	extraction_make(x, "a", S_IFDIR | 0700);
	extraction_make(x, "a/shut", S_IFDIR);
	extraction_make(x, "a/search", S_IFDIR | 0100);
	edit_file(x->edit->w, "a/shut/f", "text");
	edit_file(x->edit->w, "a/search/f", "text");
	edit_link(x->edit->w, "f1", "a/shut/f");
	edit_link(x->edit->w, "f2", "a/search/f");
	scratch_drop_root(x->scratch);
	assert_ok(extraction_run(x), &x->err);
	assert_int_equal(scratch_mode("out/a/shut"), S_IFDIR);
	assert_int_equal(scratch_mode("out/a/search"), S_IFDIR | 0100);
	assert_int_equal(chmod("out/a/shut", 0700), 0);
	assert_int_equal(chmod("out/a/search", 0700), 0);
	assert_same("out/f1", "out/a/shut/f", 2);
	assert_same("out/f2", "out/a/search/f", 2);
}

static void many_inodes_have_several_names(void **state)
{
	enum { N = 700 };
	struct extraction *x = *state;
	char a[32], b[32];

	edit_dir(x->edit->w, "a");
	edit_dir(x->edit->w, "b");
	for (unsigned i = 0; i < N; i++) {
		snprintf(a, sizeof(a), "a/%u", i);
		snprintf(b, sizeof(b), "b/%u", i * 7919 % N);
		edit_file(x->edit->w, a, "text");
		edit_link(x->edit->w, b, a);
	}
	assert_ok(extraction_run(x), &x->err);
	for (unsigned i = 0; i < N; i++) {
		snprintf(a, sizeof(a), "out/a/%u", i);
		snprintf(b, sizeof(b), "out/b/%u", i * 7919 % N);
		assert_same(a, b, 2);
	}
}

/* The rest may be in a part of the tree that is gone: not this program's loss. */
static void fewer_names_than_counted_are_fine(void **state)
{
	struct extraction *x = *state;

	edit_file(x->edit->w, "a", "text");
	extraction_debugfs(x, "set_inode_field /a links_count 9");
	assert_ok(extraction_run(x), &x->err);
	assert_same("out/a", "out/a", 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define WITH_TREE(f) cmocka_unit_test_setup_teardown(f, extraction_set_up, extraction_tear_down)
		WITH_TREE(names_of_one_inode_stay_one),
		WITH_TREE(all_types_have_links),
		WITH_TREE(the_first_name_may_be_in_a_folder_that_is_shut),
		WITH_TREE(many_inodes_have_several_names),
		WITH_TREE(fewer_names_than_counted_are_fine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
