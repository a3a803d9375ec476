/* SPDX-License-Identifier: Apache-2.0 */
/* Where new things go: whole free chunks from below, then whatever is left. */
#include "pkg/ext4/groups.h"

#include <stdlib.h>

#include "pkg/base/alloc.h"
#include "pkg/ext4/io.h"
#include "tests/support/cmocka.h"
#include "tests/support/e2fsprogs.h"
#include "tests/support/ext4_edit.h"

struct fixture {
	struct memory_volume *v;
	ext2_filsys fs;
	struct block_store store;
	struct ext4_groups g;
	struct error err;
};

static void open_groups(struct fixture *f)
{
	assert_ok(ext4_io_open(&f->v->volume, EXT4_IO_WRITE, &f->fs, &f->err), &f->err);
	block_store_init(&f->store, &f->v->volume);
	assert_ok(ext4_groups_init(&f->g, f->fs, &f->store, &f->err), &f->err);
}

static void close_groups(struct fixture *f)
{
	ext4_groups_release(&f->g);
	block_store_release(&f->store);
	ext4_io_close(f->fs);
}

static void reopen(struct fixture *f)
{
	assert_ok(ext4_groups_flush(&f->g, &f->err), &f->err);
	assert_ok(block_store_flush(&f->store, &f->err), &f->err);
	close_groups(f);
	open_groups(f);
}

static struct fixture *start(uint64_t size_bytes, uint64_t inodes)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	f->v = edit_base(size_bytes, inodes);
	open_groups(f);
	return f;
}

static void stop(struct fixture *f)
{
	close_groups(f);
	memory_volume_free(f->v);
	free(f);
}

static uint64_t take(struct fixture *f, uint64_t want, uint64_t *ret_n)
{
	uint64_t start_block;

	assert_ok(ext4_groups_take_blocks(&f->g, want, &start_block, ret_n, &f->err), &f->err);
	return start_block;
}

static uint32_t take_inode(struct fixture *f)
{
	uint32_t inode;

	assert_ok(ext4_groups_take_inode(&f->g, false, &inode, &f->err), &f->err);
	return inode;
}

static void bits_are_set_and_searched_in_any_range(void **state)
{
	uint8_t map[8] = {0};

	(void)state;
	for (uint32_t from = 0; from < 64; from++)
		for (uint32_t n = 1; from + n <= 64; n++) {
			map_set(map, from, n, true);
			for (uint32_t i = 0; i < 64; i++)
				assert_int_equal(map_test(map, i), i >= from && i < from + n);
			assert_true(map_is(map, from, n, true));
			assert_true(map_is(map, 0, from, false));
			assert_false(from + n < 64 && map_is(map, from, n + 1, true));
			assert_int_equal(map_find_clear(map, from, 64), from + n);
			map_set(map, from, n, false);
			assert_true(map_is(map, 0, 64, false));
		}
}

static void blocks_come_from_aligned_free_chunks_in_order(void **state)
{
	struct fixture *f = start(64 << 20, 0);
	uint64_t n, first = take(f, 1, &n), again;

	(void)state;
	assert_int_equal(first % CHUNK_BLOCKS, 0);
	assert_int_equal(take(f, 14, &n), first + 1);
	assert_int_equal(n, 14);
	/* What was freed in this session is not looked at. */
	assert_ok(ext4_groups_free_blocks(&f->g, first, 15, &f->err), &f->err);
	assert_int_equal(take(f, 1, &n), first + 15);
	assert_ok(ext4_groups_free_blocks(&f->g, first + 15, 1, &f->err), &f->err);
	/* Beyond the metadata a run is as long as one asks. */
	do
		again = take(f, 50, &n);
	while (n < 50);
	reopen(f);
	assert_int_equal(take(f, 16, &n), first);
	/* A chunk with blocks in use is left alone: 50 are 3 chunks and 2 blocks. */
	do
		n = take(f, 1, &n);
	while (n < again);
	assert_int_equal(n, again + 64);
	stop(f);
}

static void runs_go_on_across_groups_but_not_over_metadata(void **state)
{
	struct fixture *f = start(1024 << 20, 0);
	uint64_t per_group = f->fs->super->s_blocks_per_group, want = 200000, n = 0, at;

	(void)state;
	while (want) {
		at = take(f, want, &n);
		/* Backups of the superblock are at the start of groups 1, 3, 5 and 7. */
		assert_true(at / per_group == 0 || (at / per_group) % 2 == 1 || at % per_group == 0
			    || at / per_group == 2);
		want -= n;
	}
	stop(f);
}

static void when_no_chunk_is_left_single_blocks_are(void **state)
{
	struct fixture *f = start(16 << 20, 0);
	uint64_t left = ext2fs_free_blocks_count(f->fs->super), n, first, at;

	(void)state;
	for (first = take(f, 1, &n); ext2fs_free_blocks_count(f->fs->super) > 0; left -= n)
		(void)take(f, left, &n);
	assert_int_equal(ext4_groups_take_blocks(&f->g, 1, &at, &n, &f->err), -1);
	assert_error(&f->err, ERR_NO_SPACE, "blocks");
	assert_ok(ext4_groups_free_blocks(&f->g, first, 1, &f->err), &f->err);
	assert_int_equal(ext4_groups_free_blocks(&f->g, first, 1, &f->err), -1);
	assert_error(&f->err, ERR_INCONSISTENT, "not in use");
	assert_int_equal(take(f, 5, &n), first);
	assert_int_equal(n, 1);
	assert_int_equal(ext4_groups_free_blocks(&f->g, ext2fs_blocks_count(f->fs->super), 1,
						 &f->err),
			 -1);
	assert_int_equal(ext4_groups_free_blocks(&f->g, 5, UINT64_MAX, &f->err), -1);
	stop(f);
}

static void inodes_come_from_free_chunks_of_the_table(void **state)
{
	struct fixture *f = start(64 << 20, 0);
	uint32_t first = take_inode(f);
	uint64_t block = ext2fs_inode_table_loc(f->fs, 0) + (first - 1) / 16;

	(void)state;
	assert_int_equal(block % CHUNK_BLOCKS, 0);
	assert_int_equal((first - 1) % 16, 0);
	assert_true(first > 12);
	assert_int_equal(take_inode(f), first + 1);
	assert_ok(ext4_groups_free_inode(&f->g, first, false, &f->err), &f->err);
	assert_int_equal(take_inode(f), first + 2);
	reopen(f);
	assert_int_equal(take_inode(f), first + 256);
	stop(f);
}

static void when_no_chunk_is_left_single_inodes_are(void **state)
{
	struct fixture *f = start(16 << 20, 1000);
	uint32_t all = f->fs->super->s_inodes_count, inode, seen = 0;

	(void)state;
	while (f->fs->super->s_free_inodes_count) {
		inode = take_inode(f);
		assert_in_range(inode, 11, all);
		seen++;
		/* 11 is left alone, it counts as free. */
		if (f->fs->super->s_free_inodes_count == 1)
			break;
	}
	assert_int_equal(ext4_groups_take_inode(&f->g, false, &inode, &f->err), -1);
	assert_error(&f->err, ERR_NO_SPACE, "inode");
	assert_int_equal(seen, all - 11);
	assert_ok(ext4_groups_free_inode(&f->g, 500, false, &f->err), &f->err);
	assert_int_equal(take_inode(f), 500);
	stop(f);
}

static void nothing_is_read_before_it_is_needed(void **state)
{
	struct fixture *f = start(4096ULL << 20, 0);
	uint64_t n;

	(void)state;
	memory_volume_reset_counts(f->v);
	reopen(f);
	assert_int_equal(f->v->counts.writes, 0);
	memory_volume_reset_counts(f->v);
	(void)take(f, 1, &n);
	(void)take_inode(f);
	assert_int_equal(f->v->counts.reads, 2);
	stop(f);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(bits_are_set_and_searched_in_any_range),
		cmocka_unit_test(blocks_come_from_aligned_free_chunks_in_order),
		cmocka_unit_test(runs_go_on_across_groups_but_not_over_metadata),
		cmocka_unit_test(when_no_chunk_is_left_single_blocks_are),
		cmocka_unit_test(inodes_come_from_free_chunks_of_the_table),
		cmocka_unit_test(when_no_chunk_is_left_single_inodes_are),
		cmocka_unit_test(nothing_is_read_before_it_is_needed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
