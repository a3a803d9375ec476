/* SPDX-License-Identifier: Apache-2.0 */
/* Paths in the tree being written: links stay inside, and so does "..". */
#include "oci/resolve.h"

#include <stdio.h>

#include "pkg/base/alloc.h"
#include "tests/support/cmocka.h"
#include "tests/support/e2fsprogs.h"
#include "tests/support/ext4_edit.h"

static struct edit *f;

static int begin(void **state)
{
	int rc = edit_set_up(state);

	f = *state;
	return rc;
}

/* The folder at "a/b/c", as the parts of a name in a tar. */
static int resolve(const char *path, enum resolve_mode mode, struct ext4_node **ret)
{
	struct tarpath_part parts[64];
	size_t n = 0;

	for (const char *p = path; *p; p += *p == '/') {
		parts[n].name = p;
		parts[n].len = strcspn(p, "/");
		p += parts[n++].len;
	}
	error_clear(&f->err);
	return resolve_folder(f->w, parts, n, mode, ret, &f->err);
}

static void assert_is(const char *path, const char *expected)
{
	struct ext4_node *node;

	assert_ok(resolve(path, RESOLVE_EXISTING, &node), &f->err);
	if (!expected) {
		assert_null(node);
		return;
	}
	if (!node || node != edit_find(f->w, expected))
		fail_msg("%s is not %s", path, expected);
}

static void parts_are_walked_from_the_root(void **state)
{
	(void)state;
	edit_dir(f->w, "a");
	edit_dir(f->w, "a/b");
	edit_file(f->w, "a/file", "x");
	assert_is("", "");
	assert_is("a", "a");
	assert_is("a/b", "a/b");
	assert_is("a/none", NULL);
	assert_is("a/none/b", NULL);
	assert_is("a/file", NULL);
	assert_is("a/file/b", NULL);
}

static void a23_links_resolve_inside(void **state)
{
	static const struct {
		const char *target, *expected;
	} cases[] = {
		{"a", "a"},
		{"/a", "a"},
		{"a/b", "a/b"},
		{"//a///b/", "a/b"},
		{"./a/./b/.", "a/b"},
		{"/", ""},
		{"..", ""},
		{"../../..", ""},
		{"/../../a", "a"},
		{"a/../a/b/..", "a"},
		{"../../../../etc", NULL},
		{"missing", NULL},
		{"a/file", NULL},
		{"a/file/x", NULL},
	};

	(void)state;
	edit_dir(f->w, "a");
	edit_dir(f->w, "a/b");
	edit_file(f->w, "a/file", "x");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char name[16];

		snprintf(name, sizeof(name), "link%zu", i);
		edit_symlink(f->w, name, cases[i].target);
		assert_is(name, cases[i].expected);
	}
}

/* ".." is of the folder that the link led to, not of the one it stands in. */
static void a37_dotdot_after_a_link_is_the_targets_parent(void **state)
{
	(void)state;
	edit_dir(f->w, "a");
	edit_dir(f->w, "a/b");
	edit_dir(f->w, "c");
	edit_symlink(f->w, "c/up", "../a/b");
	edit_symlink(f->w, "c/over", "up/../b");
	assert_is("c/up", "a/b");
	assert_is("c/over", "a/b");
	assert_is("c/up/none", NULL);
}

static void a38_links_that_never_end_are_refused(void **state)
{
	struct ext4_node *node;
	char name[16] = "", target[16];

	(void)state;
	edit_symlink(f->w, "self", "self");
	edit_symlink(f->w, "one", "two");
	edit_symlink(f->w, "two", "one/x");
	assert_int_equal(resolve("self", RESOLVE_EXISTING, &node), -1);
	assert_error(&f->err, ERR_INVALID, "more than 40 symlinks on the way");
	assert_int_equal(resolve("one", RESOLVE_CREATE, &node), -1);
	assert_error(&f->err, ERR_INVALID, "more than 40 symlinks");
	/* Forty in a row are fine, and one more is not. */
	edit_dir(f->w, "l0");
	for (int i = 1; i <= RESOLVE_LINKS_MAX + 1; i++) {
		snprintf(name, sizeof(name), "l%d", i);
		snprintf(target, sizeof(target), "l%d", i - 1);
		edit_symlink(f->w, name, target);
	}
	assert_is("l40", "l0");
	assert_int_equal(resolve("l41", RESOLVE_EXISTING, &node), -1);
	assert_error(&f->err, ERR_INVALID, "more than 40 symlinks");
}

static void a40_missing_folders_are_made_with_plain_attributes(void **state)
{
	struct ext4_node *node;
	uint32_t mode;

	(void)state;
	assert_ok(resolve("x/y/z", RESOLVE_CREATE, &node), &f->err);
	assert_ptr_equal(node, edit_find(f->w, "x/y/z"));
	assert_ok(ext4_writer_mode(f->w, edit_find(f->w, "x"), &mode, &f->err), &f->err);
	assert_int_equal(mode, 040755);
	assert_int_equal(resolve_implicit_meta.uid | resolve_implicit_meta.gid, 0);
	assert_int_equal(resolve_implicit_meta.mtime.sec, 0);
	/* The target of a dangling link is made inside. */
	edit_symlink(f->w, "dangling", "../../new/folder");
	assert_ok(resolve("dangling/below", RESOLVE_CREATE, &node), &f->err);
	assert_ptr_equal(node, edit_find(f->w, "new/folder/below"));
	/* Asked only for what exists, nothing is made. */
	assert_is("other/thing", NULL);
	assert_null(edit_find(f->w, "other"));
}

static void a_file_as_a_parent_is_refused_when_something_is_to_be_made(void **state)
{
	struct ext4_node *node;

	(void)state;
	edit_file(f->w, "file", "x");
	edit_symlink(f->w, "link", "file");
	assert_int_equal(resolve("file/x", RESOLVE_CREATE, &node), -1);
	assert_error(&f->err, ERR_INVALID, "its parent \"file\" is not a folder");
	assert_int_equal(resolve("link", RESOLVE_CREATE, &node), -1);
	assert_error(&f->err, ERR_INVALID, "is not a folder");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(parts_are_walked_from_the_root, begin,
						edit_tear_down),
		cmocka_unit_test_setup_teardown(a23_links_resolve_inside, begin, edit_tear_down),
		cmocka_unit_test_setup_teardown(a37_dotdot_after_a_link_is_the_targets_parent,
						begin, edit_tear_down),
		cmocka_unit_test_setup_teardown(a38_links_that_never_end_are_refused, begin,
						edit_tear_down),
		cmocka_unit_test_setup_teardown(a40_missing_folders_are_made_with_plain_attributes,
						begin, edit_tear_down),
		cmocka_unit_test_setup_teardown(
			a_file_as_a_parent_is_refused_when_something_is_to_be_made, begin,
			edit_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
