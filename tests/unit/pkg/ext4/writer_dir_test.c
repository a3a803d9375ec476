/* SPDX-License-Identifier: Apache-2.0 */
/* Directories of any size and depth, growing and shrinking from layer to layer. */
#include "pkg/ext4/nodes.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "pkg/base/alloc.h"
#include "pkg/ext4/base.h"
#include "pkg/ext4/read.h"
#include "tests/support/cmocka.h"
#include "tests/support/e2fsprogs.h"
#include "tests/support/ext4_edit.h"

static const uint64_t MIB = 1 << 20;

static void the_65001st_link_is_refused(void **state)
{
	struct edit *f = *state;
	struct ext4_node *root = ext4_writer_root(f->w), *node, *file = edit_file(f->w, "f", "x");
	struct ext4_node *dir = edit_dir(f->w, "d");
	uint32_t inode = ext4_node_inode(file);
	char name[16];

	for (int i = 1; i < 65000; i++) {
		int n = snprintf(name, sizeof(name), "%d", i);

		assert_ok(ext4_writer_link(f->w, dir, name, (size_t)n, file, &node, &f->err),
			  &f->err);
	}
	assert_int_equal(ext4_writer_link(f->w, root, "g", 1, file, &node, &f->err), -1);
	assert_error(&f->err, ERR_NO_SPACE, "link");
	edit_next_layer(f);
	assert_int_equal(edit_stat(f->v, inode).links, 65000);
	edit_remove(f->w, "d");
	edit_next_layer(f);
	assert_int_equal(edit_stat(f->v, inode).links, 1);
}

static void subdirectories_beyond_65000_are_not_counted(void **state)
{
	struct edit *f = *state;
	struct ext4_meta meta = {.mode = S_IFDIR | 0755};
	struct ext4_node *node, *root;
	char name[16];

	ext4_writer_abort(steal(&f->w));
	ext4_tree_free(f->tree);
	memory_volume_free(f->v);
	f->v = edit_base(512 * MIB, 70000);
	f->tree = ext4_tree_new();
	f->w = edit_open(f->v, f->tree);
	root = ext4_writer_root(f->w);
	for (int i = 1; i <= 64998; i++) {
		int n = snprintf(name, sizeof(name), "%d", i);

		assert_ok(ext4_writer_make(f->w, root, name, (size_t)n, &meta, &node, &f->err),
			  &f->err);
	}
	edit_next_session(f);
	assert_int_equal(edit_stat(f->v, EXT4_ROOT_INODE).links, 65000);
	edit_dir(f->w, "more");
	edit_next_layer(f);
	assert_int_equal(edit_stat(f->v, EXT4_ROOT_INODE).links, 1);
	edit_remove(f->w, "5");
	edit_remove(f->w, "6");
	edit_next_session(f);
	assert_int_equal(edit_stat(f->v, EXT4_ROOT_INODE).links, 64999);
}

/* The iterative removal, and paths of any depth. */
static void a_very_deep_tree_can_be_made_and_removed(void **state)
{
	enum { DEPTH = 3000 };
	struct edit *f = *state;
	struct ext4_meta meta = {.mode = S_IFDIR | 0755};
	struct ext4_node *at = ext4_writer_root(f->w);
	uint32_t inodes_before, inodes;

	(void)edit_free_blocks(f->v, &inodes_before);
	for (int i = 0; i < DEPTH; i++)
		assert_ok(ext4_writer_make(f->w, at, "d", 1, &meta, &at, &f->err), &f->err);
	edit_next_layer(f);
	(void)edit_free_blocks(f->v, &inodes);
	assert_int_equal(inodes_before - inodes, DEPTH);
	edit_remove(f->w, "d");
	edit_next_layer(f);
	(void)edit_free_blocks(f->v, &inodes);
	assert_int_equal(inodes, inodes_before);
}

static void a_directory_grows_into_an_index_and_shrinks_again(void **state)
{
	enum { NAMES = 20000, KEPT = 17 };
	struct edit *f = *state;
	struct ext4_meta meta = {.mode = S_IFREG | 0644};
	struct ext4_node *dir = edit_dir(f->w, "d"), *node;
	uint32_t inodes_before, inodes;
	uint64_t before;
	char name[64];

	edit_next_layer(f);
	before = edit_free_blocks(f->v, &inodes_before);
	dir = edit_find(f->w, "d");
	for (int i = 0; i < 3000; i++) {
		int n = snprintf(name, sizeof(name), "a name of some length %d", i);

		assert_ok(ext4_writer_make(f->w, dir, name, (size_t)n, &meta, &node, &f->err),
			  &f->err);
		if (i == KEPT) {
			edit_next_layer(f);
			assert_int_equal(
				edit_stat(f->v, ext4_node_inode(edit_find(f->w, "d"))).size_bytes,
				4096);
			dir = edit_find(f->w, "d");
		}
	}
	edit_next_layer(f);
	assert_true(edit_stat(f->v, ext4_node_inode(edit_find(f->w, "d"))).size_bytes > 20 * 4096);
	for (int i = KEPT; i < 3000; i++) {
		snprintf(name, sizeof(name), "d/a name of some length %d", i);
		edit_remove(f->w, name);
	}
	edit_next_layer(f);
	assert_int_equal(edit_stat(f->v, ext4_node_inode(edit_find(f->w, "d"))).size_bytes, 4096);
	assert_non_null(edit_find(f->w, "d/a name of some length 0"));
	assert_null(edit_find(f->w, "d/a name of some length 17"));
	assert_int_equal(edit_free_blocks(f->v, &inodes), before);
	assert_int_equal(inodes_before - inodes, KEPT);
}

static void twenty_thousand_names_of_any_length(void **state)
{
	enum { NAMES = 20000 };
	struct memory_volume *v = edit_base(256 * MIB, 30000);
	struct ext4_tree *tree = ext4_tree_new(), *fresh = ext4_tree_new();
	struct ext4_writer *w = edit_open(v, tree);
	struct ext4_meta meta = {.mode = S_IFREG | 0644};
	struct ext4_node *dir = edit_dir(w, "d"), *node, **list;
	struct error err = {0};
	char name[256];
	size_t n;

	(void)state;
	memset(name, '-', sizeof(name));
	for (int i = 0; i < NAMES; i++) {
		snprintf(name, sizeof(name), "%d", i);
		name[strlen(name)] = '+';
		assert_ok(ext4_writer_make(w, dir, name, (size_t)(i % 250 + 6), &meta, &node, &err),
			  &err);
	}
	edit_finish(w);
	assert_true(e2fsck_is_clean(v));
	w = edit_open(v, fresh);
	assert_ok(ext4_writer_list(w, edit_find(w, "d"), &list, &n, &err), &err);
	assert_int_equal(n, NAMES);
	free(list);
	edit_remove(w, "d");
	edit_finish(w);
	assert_true(e2fsck_is_clean(v));
	ext4_tree_free(tree);
	ext4_tree_free(fresh);
	memory_volume_free(v);
}

static void a_replaced_file_changes_one_block_of_a_large_directory(void **state)
{
	struct edit *f = *state;
	char name[64];

	edit_dir(f->w, "d");
	for (int i = 0; i < 3000; i++) {
		snprintf(name, sizeof(name), "d/a name of some length %d", i);
		edit_file(f->w, name, "");
	}
	edit_next_layer(f);
	memory_volume_reset_counts(f->v);
	edit_remove(f->w, "d/a name of some length 1234");
	edit_file(f->w, "d/a name of some length 1234", "");
	edit_finish(steal(&f->w));
	/* superblock and descriptors, inode bitmap, two blocks of inodes, one of names */
	assert_in_range(f->v->counts.bytes_written, 4 * 4096, 6 * 4096);
	assert_true(e2fsck_is_clean(f->v));
}

/* 3,000 names and a fresh tree: each session looks into one large directory. */
static struct ext4_node *large_directory(struct edit *f)
{
	struct ext4_node *dir;
	char name[64];

	edit_dir(f->w, "d");
	for (int i = 0; i < 3000; i++) {
		snprintf(name, sizeof(name), "d/a name of some length %d", i);
		if (i % 10)
			edit_file(f->w, name, "");
		else
			edit_dir(f->w, name);
	}
	edit_next_layer(f);
	dir = edit_find(f->w, "d");
	memory_volume_reset_counts(f->v);
	return dir;
}

static void looking_a_name_up_reads_root_and_leaf(void **state)
{
	struct edit *f = *state;
	struct ext4_node *dir = large_directory(f);
	uint64_t reads;

	assert_non_null(edit_find(f->w, "d/a name of some length 1234"));
	reads = f->v->counts.reads;
	assert_true(f->v->counts.bytes_read <= 3 * 4096); /* and the inode */
	/* the same leaf again, and a name that is not there: nothing, or one leaf */
	assert_non_null(edit_find(f->w, "d/a name of some length 1234"));
	assert_int_equal(f->v->counts.reads, reads);
	assert_null(edit_find(f->w, "d/no name"));
	assert_in_range(f->v->counts.reads - reads, 0, 1);
	assert_in_range(dir->dir->entries, 60, 200);
	assert_false(dir->dir->loaded);
}

static void all_names_are_listed_after_some_were_changed(void **state)
{
	struct edit *f = *state;
	struct ext4_node *dir = large_directory(f), **list;
	char name[64];
	size_t n;

	for (int i = 1; i <= 21; i++) { /* two are folders */
		snprintf(name, sizeof(name), "d/a name of some length %d", i);
		edit_remove(f->w, name);
	}
	edit_file(f->w, "d/a name of some length 5", "");
	edit_file(f->w, "d/new", "");
	assert_ok(ext4_writer_list(f->w, dir, &list, &n, &f->err), &f->err);
	free(list);
	assert_int_equal(n, 3000 - 21 + 2);
	assert_null(edit_find(f->w, "d/a name of some length 6"));
	assert_int_equal(dir->dir->subdirs, 300 - 2);
	edit_next_session(f);
	assert_int_equal(edit_stat(f->v, ext4_node_inode(dir)).links, 2 + 300 - 2);
	assert_int_equal(dir->dir->entries, 3000 - 21 + 2);
	edit_next_layer(f);
}

/* One session leaves what it knows to the next, which reads what that one does not know. */
static void what_is_known_outlives_the_session_that_parts_leaves(void **state)
{
	struct edit *f = *state;
	struct ext4_node *dir = large_directory(f), **list;
	char name[300];
	size_t n;

	for (int i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "d/%0*d", 20 + i, i);
		edit_file(f->w, name, "");
		if (i % 10 == 0)
			edit_next_session(f);
	}
	assert_false(dir->dir->loaded);
	for (int i = 0; i < 3000; i += 7) {
		snprintf(name, sizeof(name), "d/a name of some length %d", i);
		assert_non_null(edit_find(f->w, name));
	}
	assert_ok(ext4_writer_list(f->w, dir, &list, &n, &f->err), &f->err);
	free(list);
	assert_int_equal(n, 3200);
	edit_next_layer(f);
}

static void a_large_directory_can_be_removed_after_a_change(void **state)
{
	struct edit *f = *state;
	uint32_t before, after;

	(void)edit_free_blocks(f->v, &before);
	(void)large_directory(f);
	edit_remove(f->w, "d/a name of some length 5");
	edit_file(f->w, "d/a name of some length 5", "");
	edit_remove(f->w, "d");
	edit_dir(f->w, "d");
	assert_null(edit_find(f->w, "d/a name of some length 6"));
	edit_next_layer(f);
	(void)edit_free_blocks(f->v, &after);
	assert_int_equal(before - after, 1);
}

static void a_large_directory_with_a_wrong_count_of_links_is_damaged(void **state)
{
	struct edit *f = *state;
	uint32_t inode = ext4_node_inode(large_directory(f));
	cleanup_free char *request = xasprintf("sif <%u> links_count 2", inode);
	char *dir = scratch_new();
	cleanup_free char *image = xasprintf("%s/image", dir);

	ext4_writer_abort(steal(&f->w));
	memory_volume_dump(f->v, image);
	assert_int_equal(command_run(NULL, "debugfs -w -R '%s' '%s'", request, image), 0);
	memory_volume_free(f->v);
	f->v = memory_volume_load(image, 0);
	ext4_tree_free(f->tree);
	f->tree = ext4_tree_new();
	f->w = edit_open(f->v, f->tree);
	edit_remove(f->w, "d/a name of some length 10");
	assert_int_equal(ext4_writer_finish(&f->w, &f->err), -1);
	assert_error(&f->err, ERR_INCONSISTENT, "folder /d: it has 2 links");
	scratch_free(dir);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, edit_set_up, edit_tear_down)
	static const struct CMUnitTest tests[] = {
		TEST(the_65001st_link_is_refused),
		TEST(subdirectories_beyond_65000_are_not_counted),
		TEST(a_very_deep_tree_can_be_made_and_removed),
		TEST(a_directory_grows_into_an_index_and_shrinks_again),
		TEST(a_replaced_file_changes_one_block_of_a_large_directory),
		TEST(looking_a_name_up_reads_root_and_leaf),
		TEST(all_names_are_listed_after_some_were_changed),
		TEST(what_is_known_outlives_the_session_that_parts_leaves),
		TEST(a_large_directory_can_be_removed_after_a_change),
		TEST(a_large_directory_with_a_wrong_count_of_links_is_damaged),
		cmocka_unit_test(twenty_thousand_names_of_any_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
