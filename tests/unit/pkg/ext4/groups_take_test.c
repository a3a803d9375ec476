/* SPDX-License-Identifier: Apache-2.0 */
/* Taking and giving back: every count follows, and what is wrong is told before anything changes. */
#include "pkg/ext4/groups.h"

#include "pkg/base/alloc.h"
#include "pkg/ext4/io.h"
#include "tests/support/cmocka.h"
#include "tests/support/e2fsprogs.h"
#include "tests/support/ext4_edit.h"

static struct memory_volume *v;
static ext2_filsys fs;
static struct block_store store;
static struct ext4_groups g;
static struct error err;

static void open_groups(void)
{
	assert_ok(ext4_io_open(&v->volume, EXT4_IO_WRITE, &fs, &err), &err);
	block_store_init(&store, &v->volume);
	assert_ok(ext4_groups_init(&g, fs, &store, &err), &err);
}

static void close_groups(void)
{
	ext4_groups_release(&g);
	block_store_release(&store);
	ext4_io_close(fs);
}

static int begin(void **state)
{
	(void)state;
	error_clear(&err);
	v = edit_base(UINT64_C(300) << 20, 0); /* three groups, the last one shorter */
	open_groups();
	return 0;
}

static int end(void **state)
{
	(void)state;
	close_groups();
	memory_volume_free(v);
	return 0;
}

struct counts {
	uint64_t blocks;
	uint32_t inodes, dirs[3];
};

static struct counts count(void)
{
	struct counts c = {.blocks = ext2fs_free_blocks_count(fs->super),
			   .inodes = fs->super->s_free_inodes_count};

	for (uint32_t i = 0; i < 3; i++)
		c.dirs[i] = ext2fs_bg_used_dirs_count(fs, i);
	return c;
}

static void counts_go_down_and_up_again(void **state)
{
	struct counts before = count(), after;
	uint64_t start, n;
	uint32_t file, dir;

	(void)state;
	assert_ok(ext4_groups_take_blocks(&g, 100, &start, &n, &err), &err);
	assert_ok(ext4_groups_take_inode(&g, false, &file, &err), &err);
	assert_ok(ext4_groups_take_inode(&g, true, &dir, &err), &err);
	after = count();
	assert_int_equal(after.blocks, before.blocks - n);
	assert_int_equal(after.inodes, before.inodes - 2);
	assert_int_equal(after.dirs[0], before.dirs[0] + 1);
	assert_ok(ext4_groups_free_blocks(&g, start, n, &err), &err);
	assert_ok(ext4_groups_free_inode(&g, file, false, &err), &err);
	assert_ok(ext4_groups_free_inode(&g, dir, true, &err), &err);
	after = count();
	assert_memory_equal(&before, &after, sizeof(before));
}

/* What was not written by us is judged by e2fsck: bitmaps, counts, checksums. */
static void the_last_blocks_of_all_groups_can_be_taken_and_freed(void **state)
{
	uint64_t free_blocks = ext2fs_free_blocks_count(fs->super), start, n;

	(void)state;
	while (ext2fs_free_blocks_count(fs->super) > 0)
		assert_ok(ext4_groups_take_blocks(&g, 100000, &start, &n, &err), &err);
	assert_int_equal(ext4_groups_take_blocks(&g, 1, &start, &n, &err), -1);
	assert_error(&err, ERR_NO_SPACE, "the file system is full: all 76800 blocks are in use");
	/* The last one taken ends where the file system does. */
	start = ext2fs_blocks_count(fs->super) - 1;
	assert_ok(ext4_groups_free_blocks(&g, start, 1, &err), &err);
	assert_int_equal(ext4_groups_free_blocks(&g, start, 2, &err), -1);
	assert_error(&err, ERR_INCONSISTENT, "blocks 76799+2 are not in use");
	assert_ok(ext4_groups_take_blocks(&g, 9, &start, &n, &err), &err);
	assert_int_equal(n, 1);
	assert_int_equal(start, 76799);
	assert_true(free_blocks > 70000);
}

static void a_run_across_groups_is_freed_in_one_call(void **state)
{
	uint64_t per_group = fs->super->s_blocks_per_group, start = 0, n = 0;
	struct counts before;

	(void)state;
	/* Group 1 has a backup of the superblock at its start, group 2 has none. */
	while (start < per_group || start + n <= 2 * per_group + 100)
		assert_ok(ext4_groups_take_blocks(&g, 5000, &start, &n, &err), &err);
	before = count();
	assert_ok(ext4_groups_free_blocks(&g, start, n, &err), &err);
	assert_int_equal(count().blocks, before.blocks + n);
	/* A part of it a second time: nothing of that group is touched. */
	assert_int_equal(ext4_groups_free_blocks(&g, start + 1, 2, &err), -1);
	assert_int_equal(count().blocks, before.blocks + n);
}

static void ranges_outside_of_the_file_system_are_not_in_use(void **state)
{
	static const uint64_t ranges[][2] = {{76800, 1},      {76799, 2},
					     {0, 76801},      {UINT64_MAX, 1},
					     {1, UINT64_MAX}, {UINT64_MAX, UINT64_MAX}};
	struct counts before = count();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++) {
		assert_int_equal(ext4_groups_free_blocks(&g, ranges[i][0], ranges[i][1], &err), -1);
		assert_error(&err, ERR_INCONSISTENT, "are not in use");
	}
	assert_int_equal(count().blocks, before.blocks);
}

static void inodes_that_nobody_has_cannot_be_freed(void **state)
{
	uint32_t inode;

	(void)state;
	for (uint32_t reserved = 1; reserved < 11; reserved++) {
		assert_int_equal(ext4_groups_free_inode(&g, reserved, false, &err), -1);
		assert_error(&err, ERR_INCONSISTENT, "is not in use");
	}
	assert_ok(ext4_groups_take_inode(&g, false, &inode, &err), &err);
	assert_ok(ext4_groups_free_inode(&g, inode, false, &err), &err);
	assert_int_equal(ext4_groups_free_inode(&g, inode, false, &err), -1);
	assert_error(&err, ERR_INCONSISTENT, "is not in use");
	/* In a group without directories no directory goes. */
	inode = fs->super->s_inodes_per_group * 2 + 1;
	assert_int_equal(ext4_groups_free_inode(&g, inode, true, &err), -1);
	assert_int_equal(err.kind, ERR_INCONSISTENT);
}

static void a_group_that_counts_no_directory_loses_none(void **state)
{
	uint32_t inode;

	(void)state;
	assert_ok(ext4_groups_take_inode(&g, false, &inode, &err), &err);
	ext2fs_bg_used_dirs_count_set(fs, 0, 0);
	assert_int_equal(ext4_groups_free_inode(&g, inode, true, &err), -1);
	assert_error(&err, ERR_INCONSISTENT, "group 0 says it has no directory");
	assert_ok(ext4_groups_free_inode(&g, inode, false, &err), &err);
}

/* Whoever takes next is told of the volume's own error, each time. */
static void a_bitmap_that_cannot_be_read_is_an_error(void **state)
{
	uint64_t start, n;
	uint32_t inode;

	(void)state;
	v->fail_read = 1;
	v->fail_kind = ERR_NETWORK;
	assert_int_equal(ext4_groups_take_blocks(&g, 1, &start, &n, &err), -1);
	assert_int_equal(err.kind, ERR_NETWORK);
	assert_int_equal(ext4_groups_take_inode(&g, false, &inode, &err), -1);
	assert_int_equal(err.kind, ERR_NETWORK);
	assert_int_equal(ext4_groups_free_blocks(&g, 5000, 1, &err), -1);
	assert_int_equal(err.kind, ERR_NETWORK);
	assert_int_equal(ext4_groups_free_inode(&g, 12, false, &err), -1);
	assert_int_equal(err.kind, ERR_NETWORK);
	v->fail_read = 0;
	assert_ok(ext4_groups_take_blocks(&g, 1, &start, &n, &err), &err);
}

static void an_unused_table_shrinks_as_inodes_are_taken(void **state)
{
	uint32_t all = fs->super->s_inodes_per_group, inode;

	(void)state;
	do
		assert_ok(ext4_groups_take_inode(&g, false, &inode, &err), &err);
	while (inode <= all);
	/* The first of group 1: its table was never used. */
	assert_false(ext2fs_bg_flags_test(fs, 1, EXT2_BG_INODE_UNINIT));
	assert_int_equal(ext2fs_bg_itable_unused(fs, 1), all - (inode - all));
	assert_true(ext2fs_bg_flags_test(fs, 2, EXT2_BG_INODE_UNINIT));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(counts_go_down_and_up_again, begin, end),
		cmocka_unit_test_setup_teardown(
			the_last_blocks_of_all_groups_can_be_taken_and_freed, begin, end),
		cmocka_unit_test_setup_teardown(a_run_across_groups_is_freed_in_one_call, begin,
						end),
		cmocka_unit_test_setup_teardown(ranges_outside_of_the_file_system_are_not_in_use,
						begin, end),
		cmocka_unit_test_setup_teardown(inodes_that_nobody_has_cannot_be_freed, begin, end),
		cmocka_unit_test_setup_teardown(a_group_that_counts_no_directory_loses_none, begin,
						end),
		cmocka_unit_test_setup_teardown(a_bitmap_that_cannot_be_read_is_an_error, begin,
						end),
		cmocka_unit_test_setup_teardown(an_unused_table_shrinks_as_inodes_are_taken, begin,
						end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
