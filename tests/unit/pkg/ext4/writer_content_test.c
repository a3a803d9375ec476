/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks of an inode: in long runs, mapped, cut short, given back to the last one. */
#include "pkg/ext4/writer_internal.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "pkg/base/alloc.h"
#include "tests/support/cmocka.h"
#include "tests/support/e2fsprogs.h"
#include "tests/support/ext4_edit.h"

enum { BLOCK = EXT4_BLOCK_BYTES };

static struct edit *f;

/* A new file without content; its inode. */
static uint32_t make_file(const char *name)
{
	struct ext4_meta meta = {.mode = S_IFREG | 0644};
	struct ext4_node *node;

	assert_ok(ext4_writer_make(f->w, edit_find(f->w, ""), name, strlen(name), &meta, &node,
				   &f->err),
		  &f->err);
	return node->inode;
}

static uint64_t free_blocks(void)
{
	return ext2fs_free_blocks_count(f->w->fs->super);
}

static int begin(void **state)
{
	int rc = edit_set_up(state);

	f = *state;
	return rc;
}

static void extents_that_follow_each_other_are_one(void **state)
{
	struct extent_list list = {0};

	(void)state;
	extent_list_add(&list, 0, 100, 3);
	extent_list_add(&list, 3, 103, 2);
	extent_list_add(&list, 5, 200, 1); /* elsewhere */
	extent_list_add(&list, 7, 201, 1); /* a hole before it */
	assert_int_equal(list.n, 3);
	assert_int_equal(list.items[0].len, 5);
	assert_int_equal(ext4_extents_count(list.items, list.n), 7);
	extent_list_release(&list);
	assert_int_equal(list.n, 0);
}

static void bytes_are_put_padded_and_counted(void **state)
{
	static const size_t sizes[] = {0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 100000};
	uint64_t used = free_blocks();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		char name[] = {(char)('a' + i), '\0'};
		uint32_t inode = make_file(name);
		cleanup_free uint8_t *data = xmalloc(sizes[i] + 1);
		cleanup(content_map_release) struct content_map map = {0};
		struct ext4_raw_inode *raw;
		size_t blocks = (sizes[i] + BLOCK - 1) / BLOCK;

		edit_fill(data, sizes[i], 7);
		used -= blocks;
		assert_ok(ext4_content_put(f->w, inode, data, sizes[i], &f->err), &f->err);
		assert_int_equal(free_blocks(), used);
		assert_ok(ext4_writer_inode(f->w, inode, &raw, &f->err), &f->err);
		assert_int_equal(ext4_raw_size(raw), sizes[i]);
		assert_int_equal(raw->i.i_blocks, blocks * 8);
		assert_ok(ext4_content_load(f->w, inode, &map, &f->err), &f->err);
		assert_int_equal(ext4_extents_count(map.extents, map.n), blocks);
	}
	edit_next_layer(f); /* e2fsck finds nothing */
}

/* Every second block is taken away, so that the next file gets a tree of its own. */
static uint32_t make_scattered(size_t blocks)
{
	uint32_t inode = make_file("scattered");
	struct extent_list list = {0};
	uint8_t data[BLOCK];

	for (size_t i = 0; i < blocks; i++) {
		uint64_t spare, n;

		edit_fill(data, BLOCK, (uint32_t)i + 1);
		assert_ok(ext4_content_append(f->w, &list, (uint32_t)i, 1, data, &f->err), &f->err);
		assert_ok(ext4_groups_take_blocks(&f->w->groups, 1, &spare, &n, &f->err), &f->err);
		assert_ok(ext4_groups_free_blocks(&f->w->groups, spare, n, &f->err), &f->err);
	}
	assert_int_equal(list.n, blocks);
	assert_ok(ext4_content_attach(f->w, inode, &list, &f->err), &f->err);
	extent_list_release(&list);
	return inode;
}

static void the_tree_is_counted_and_given_back_too(void **state)
{
	uint64_t before = free_blocks();
	uint32_t inode = make_scattered(1000);
	struct ext4_raw_inode *raw;

	(void)state;
	assert_true(free_blocks() < before - 1000);
	assert_ok(ext4_writer_inode(f->w, inode, &raw, &f->err), &f->err);
	assert_int_equal(raw->i.i_blocks, (before - free_blocks()) * 8);
	assert_ok(ext4_content_drop(f->w, inode, &f->err), &f->err);
	assert_int_equal(free_blocks(), before);
	assert_ok(ext4_writer_inode(f->w, inode, &raw, &f->err), &f->err);
	assert_int_equal(raw->i.i_blocks, 0);
	edit_next_layer(f); /* e2fsck finds nothing */
}

static void shortening_keeps_the_first_blocks(void **state)
{
	static const uint64_t lengths[] = {1000, 999, 340, 339, 5, 4, 1};
	uint64_t before = free_blocks();
	uint32_t inode = make_scattered(1000);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		cleanup(content_map_release) struct content_map map = {0}, now = {0};
		struct ext4_raw_inode *raw;

		assert_ok(ext4_content_load(f->w, inode, &map, &f->err), &f->err);
		assert_ok(ext4_content_shorten(f->w, inode, &map, lengths[i], &f->err), &f->err);
		assert_ok(ext4_content_load(f->w, inode, &now, &f->err), &f->err);
		assert_int_equal(ext4_extents_count(now.extents, now.n), lengths[i]);
		assert_int_equal(map.n, now.n);
		assert_int_equal(free_blocks(), before - lengths[i] - now.tree_n);
		assert_ok(ext4_writer_inode(f->w, inode, &raw, &f->err), &f->err);
		assert_int_equal(raw->i.i_blocks, (lengths[i] + now.tree_n) * 8);
		ext4_raw_set_size(raw, lengths[i] * BLOCK);
		ext4_inode_table_changed(&f->w->table, inode);
	}
	edit_next_layer(f);
}

/* The cut goes through the middle of an extent. */
static void an_extent_can_be_cut(void **state)
{
	uint64_t before = free_blocks();
	uint32_t inode = make_file("f");
	cleanup(content_map_release) struct content_map map = {0};
	cleanup_free uint8_t *data = xcalloc(10, BLOCK);
	struct ext4_raw_inode *raw;

	(void)state;
	memset(data, 'x', 10 * BLOCK);
	assert_ok(ext4_content_put(f->w, inode, data, 10 * BLOCK, &f->err), &f->err);
	assert_ok(ext4_content_load(f->w, inode, &map, &f->err), &f->err);
	assert_int_equal(map.n, 1);
	assert_ok(ext4_content_shorten(f->w, inode, &map, 3, &f->err), &f->err);
	assert_int_equal(map.extents[0].len, 3);
	assert_int_equal(free_blocks(), before - 3);
	assert_ok(ext4_writer_inode(f->w, inode, &raw, &f->err), &f->err);
	ext4_raw_set_size(raw, 3 * BLOCK);
	edit_next_layer(f);
}

static void what_has_no_extents_has_no_content(void **state)
{
	struct content_map map = {0};
	struct ext4_node *link = edit_symlink(f->w, "link", "target");

	(void)state;
	assert_int_equal(ext4_content_load(f->w, link->inode, &map, &f->err), -1);
	assert_error(&f->err, ERR_UNSUPPORTED, "has no extents");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(extents_that_follow_each_other_are_one, begin,
						edit_tear_down),
		cmocka_unit_test_setup_teardown(bytes_are_put_padded_and_counted, begin,
						edit_tear_down),
		cmocka_unit_test_setup_teardown(the_tree_is_counted_and_given_back_too, begin,
						edit_tear_down),
		cmocka_unit_test_setup_teardown(shortening_keeps_the_first_blocks, begin,
						edit_tear_down),
		cmocka_unit_test_setup_teardown(an_extent_can_be_cut, begin, edit_tear_down),
		cmocka_unit_test_setup_teardown(what_has_no_extents_has_no_content, begin,
						edit_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
