/* SPDX-License-Identifier: Apache-2.0 */
/* Extent trees of all sizes: round trip, e2fsck's opinion, and trees made to do harm. */
#include "pkg/ext4/extents.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "pkg/base/alloc.h"
#include "pkg/base/bytes.h"
#include "pkg/ext4/base.h"
#include "pkg/ext4/checksum.h"
#include "pkg/ext4/io.h"
#include "tests/support/e2fsprogs.h"
#include "tests/support/memory_volume.h"

enum { SEED = 0x1234abcd, FIRST_TREE_BLOCK = 1000 };

/* Tree blocks in memory, numbered from FIRST_TREE_BLOCK. */
struct tree {
	uint8_t iblock[EXT4_IBLOCK_BYTES];
	uint8_t *blocks;
	uint64_t *numbers;
	size_t n;
	size_t reads;
};

static int read_tree(void *arg, uint64_t block, uint8_t *buf, struct error *err)
{
	struct tree *t = arg;

	t->reads++;
	if (block < FIRST_TREE_BLOCK || block >= FIRST_TREE_BLOCK + t->n)
		return error_set(err, ERR_INCONSISTENT, "no such block");
	memcpy(buf, t->blocks + (block - FIRST_TREE_BLOCK) * EXT4_BLOCK_BYTES, EXT4_BLOCK_BYTES);
	return 0;
}

static struct ext4_extents_source source_of(struct tree *t)
{
	return (struct ext4_extents_source){
		.read = read_tree,
		.arg = t,
		.block_bytes = EXT4_BLOCK_BYTES,
		.first_block = 1,
		.last_block = (1ULL << 48) - 1,
		.seed = SEED,
		.checksums = true,
	};
}

static struct tree encode(const struct ext4_extent *extents, size_t n)
{
	struct tree t = {.n = ext4_extents_tree_blocks(extents, n)};

	t.blocks = xmalloc(t.n * EXT4_BLOCK_BYTES + 1);
	t.numbers = xcalloc(t.n + 1, sizeof(t.numbers[0]));
	for (size_t i = 0; i < t.n; i++)
		t.numbers[i] = FIRST_TREE_BLOCK + i;
	ext4_extents_encode(extents, n, SEED, t.numbers, t.iblock, t.blocks);
	return t;
}

static void tree_free(struct tree *t)
{
	free(t->blocks);
	free(t->numbers);
}

static struct ext4_extent *random_extents(size_t n, uint32_t len_max, uint32_t hole_max)
{
	struct ext4_extent *e = xcalloc(n + 1, sizeof(*e));
	uint64_t logical = 0;

	for (size_t i = 0; i < n; i++) {
		logical += (uint64_t)rand() % (hole_max + 1);
		e[i].logical = (uint32_t)logical;
		e[i].len = 1 + (uint32_t)rand() % len_max;
		e[i].physical = 1 + ((uint64_t)rand() << 16) % (1ULL << 47);
		logical += e[i].len;
		assert_true(logical <= 1ULL << 32);
	}
	return e;
}

/* What comes back is the list with extents over 32,768 blocks cut into pieces. */
static void assert_round_trip(const struct ext4_extent *extents, size_t n)
{
	struct tree t = encode(extents, n);
	struct ext4_extents_source source = source_of(&t);
	struct ext4_extent *got = NULL;
	uint64_t *numbers = NULL;
	size_t got_n = 0, numbers_n = 0, i, at = 0;
	uint32_t done = 0;
	struct error err = {0};

	assert_int_equal(ext4_extents_load(&source, t.iblock, &got, &got_n, &numbers, &numbers_n,
					   &err),
			 0);
	for (i = 0; i < got_n; i++) {
		assert_true(at < n);
		assert_int_equal(got[i].logical, extents[at].logical + done);
		assert_int_equal(got[i].physical, extents[at].physical + done);
		assert_false(got[i].unwritten);
		done += got[i].len;
		if (done == extents[at].len) {
			at++;
			done = 0;
		}
	}
	assert_int_equal(at, n);
	assert_int_equal(numbers_n, t.n);
	assert_int_equal(t.reads, t.n);
	free(got);
	free(numbers);
	tree_free(&t);
}

static void trees_of_all_depths_come_back_as_they_were(void **state)
{
	static const size_t sizes[] = {0,   1,	  2,	3,    4,    5,	  6,	  339,	  340,
				       341, 1359, 1360, 1361, 1701, 5000, 115600, 462400, 462401};
	size_t i;

	(void)state;
	srand(1);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct ext4_extent *e = random_extents(sizes[i], 20, 3);

		assert_round_trip(e, sizes[i]);
		free(e);
	}
}

static void long_extents_are_cut(void **state)
{
	struct ext4_extent whole = {.logical = 0, .physical = 5, .len = UINT32_MAX};
	struct ext4_extent exact = {.logical = 7, .physical = 9, .len = EXT4_EXTENT_BLOCKS_MAX};
	struct ext4_extent *e;

	(void)state;
	assert_int_equal(ext4_extents_tree_blocks(&exact, 1), 0);
	assert_round_trip(&exact, 1);
	assert_round_trip(&whole, 1);
	srand(2);
	e = random_extents(900, 200000, 50000);
	assert_round_trip(e, 900);
	free(e);
}

static void a_walk_can_start_anywhere(void **state)
{
	size_t n = 6000, i;
	struct ext4_extent *e;
	struct tree t;
	struct ext4_extents_source source;

	(void)state;
	srand(3);
	e = random_extents(n, 9, 4);
	t = encode(e, n);
	source = source_of(&t);
	for (i = 0; i < 500; i++) {
		uint32_t end = e[n - 1].logical + e[n - 1].len, from = (uint32_t)rand() % (end + 2);
		struct ext4_extents_walk *w;
		struct ext4_extent got;
		struct error err = {0};
		size_t want = 0;
		int rc;

		while (want < n && e[want].logical + e[want].len <= from)
			want++;
		t.reads = 0;
		assert_int_equal(ext4_extents_open(&source, t.iblock, from, &w, &err), 0);
		rc = ext4_extents_next(w, &got, &err);
		assert_int_equal(rc, want == n);
		if (rc == 0)
			assert_int_equal(got.logical, e[want].logical);
		assert_true(t.reads <= 3); /* not the whole tree */
		ext4_extents_close(w);
	}
	free(e);
	tree_free(&t);
}

/* --- e2fsck ----------------------------------------------------------------------------------- */

/* A file in a real file system whose blocks are taken one here, one there. */
static void add_file(ext2_filsys fs, ext2_ino_t ino, const char *name, size_t n)
{
	struct ext4_extent *e = xcalloc(n, sizeof(*e));
	struct ext2_inode_large inode = {0};
	uint64_t *numbers, block = 40000;
	uint8_t *blocks;
	size_t i, tree_n;
	struct error err = {0};

	for (i = 0; i < n; i++) {
		e[i] = (struct ext4_extent){.logical = (uint32_t)(2 * i),
					    .physical = block + 2 * i,
					    .len = 1};
		ext2fs_block_alloc_stats2(fs, e[i].physical, +1);
	}
	tree_n = ext4_extents_tree_blocks(e, n);
	numbers = xcalloc(tree_n + 1, sizeof(numbers[0]));
	blocks = xmalloc(tree_n * EXT4_BLOCK_BYTES + 1);
	for (i = 0; i < tree_n; i++) {
		numbers[i] = block + 1 + 2 * i; /* in between */
		ext2fs_block_alloc_stats2(fs, numbers[i], +1);
	}
	inode.i_mode = LINUX_S_IFREG | 0644;
	inode.i_links_count = 1;
	inode.i_flags = EXT4_EXTENTS_FL;
	inode.i_generation = 77;
	inode.i_extra_isize = 32;
	inode.i_size = (uint32_t)((2 * n - 1) * EXT4_BLOCK_BYTES);
	inode.i_blocks = (uint32_t)((n + tree_n) * 8);
	ext4_extents_encode(e, n, ext4_inode_seed(fs->csum_seed, ino, 77), numbers,
			    (uint8_t *)inode.i_block, blocks);
	for (i = 0; i < tree_n; i++)
		assert_int_equal(ext4_io_write_blocks(fs, numbers[i], 1,
						      blocks + i * EXT4_BLOCK_BYTES, &err),
				 0);
	assert_int_equal(ext2fs_write_inode_full(fs, ino, (struct ext2_inode *)&inode,
						 sizeof(inode)),
			 0);
	ext2fs_inode_alloc_stats2(fs, ino, +1, 0);
	assert_int_equal(ext2fs_link(fs, EXT2_ROOT_INO, name, ino, EXT2_FT_REG_FILE), 0);
	free(e);
	free(numbers);
	free(blocks);
}

static void e2fsck_agrees_with_the_trees(void **state)
{
	static const size_t sizes[] = {4, 5, 340, 341, 1360, 1361, 3000};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct memory_volume *v = memory_volume_new(256 << 20, 0);
		struct ext4_base_params params = {0};
		struct error err = {0};
		ext2_filsys fs;

		assert_int_equal(ext4_base_create(&v->volume, &params, &err), 0);
		assert_int_equal(ext4_io_open(&v->volume, EXT4_IO_WRITE, &fs, &err), 0);
		assert_int_equal(ext2fs_read_bitmaps(fs), 0);
		add_file(fs, 12, "file", sizes[i]);
		assert_int_equal(ext2fs_flush(fs), 0);
		ext4_io_close(fs);
		assert_true(e2fsck_is_clean(v));
		memory_volume_free(v);
	}
}

/* --- hostile trees ---------------------------------------------------------------------------- */

/* Everything a tree yields; -1 and the number of extents so far when it is damaged. */
static int walk_all(struct tree *t, bool checksums, struct error *err)
{
	struct ext4_extents_source source = source_of(t);
	struct ext4_extents_walk *w;
	struct ext4_extent e;
	uint64_t end = 0;
	int rc;

	source.checksums = checksums;
	if (ext4_extents_open(&source, t->iblock, 0, &w, err) < 0)
		return -1;
	while ((rc = ext4_extents_next(w, &e, err)) == 0) {
		assert_true(e.logical >= end);
		assert_true(e.len > 0);
		end = (uint64_t)e.logical + e.len;
		assert_true(end <= 1ULL << 32);
	}
	ext4_extents_close(w);
	return rc;
}

static void each_flipped_byte_of_a_tree_block_is_noticed(void **state)
{
	struct ext4_extent *e;
	struct tree t;
	size_t i;

	(void)state;
	srand(4);
	e = random_extents(2000, 9, 4);
	t = encode(e, 2000);
	for (i = 0; i < t.n * EXT4_BLOCK_BYTES; i += 7) {
		struct error err = {0};

		t.blocks[i] ^= 0x40;
		assert_int_equal(walk_all(&t, true, &err), -1);
		assert_int_equal(err.kind, ERR_INCONSISTENT);
		t.blocks[i] ^= 0x40;
	}
	free(e);
	tree_free(&t);
}

/* The guest can make checksums hold: then the tree itself has to be bounded. */
static void random_damage_behind_good_checksums_ends(void **state)
{
	struct ext4_extent *e;
	struct tree t;
	size_t i, good = 0;

	(void)state;
	srand(5);
	e = random_extents(4000, 9, 4);
	t = encode(e, 4000);
	for (i = 0; i < 3000; i++) {
		struct error err = {0};
		size_t at = (size_t)rand() % (t.n * EXT4_BLOCK_BYTES);
		uint8_t old = t.blocks[at];

		t.blocks[at] = (uint8_t)rand();
		t.reads = 0;
		good += walk_all(&t, false, &err) == 1;
		assert_true(t.reads <= t.n);
		t.blocks[at] = old;
		at = (size_t)rand() % sizeof(t.iblock);
		old = t.iblock[at];
		t.iblock[at] = (uint8_t)rand();
		good += walk_all(&t, false, &err) == 1;
		t.iblock[at] = old;
	}
	assert_true(good > 0 && good < 6000);
	free(e);
	tree_free(&t);
}

static void a_tree_block_that_points_to_itself_is_damage(void **state)
{
	struct ext4_extent *e;
	struct tree t;
	struct error err = {0};
	size_t i;

	(void)state;
	srand(6);
	e = random_extents(500000, 3, 1);
	t = encode(e, 500000);
	for (i = 0; i < 340; i++) /* every pointer of the first node leads back to it */
		put_le32(t.blocks + 12 + i * 12 + 4, FIRST_TREE_BLOCK);
	assert_int_equal(walk_all(&t, false, &err), -1);
	assert_int_equal(err.kind, ERR_INCONSISTENT);
	assert_true(t.reads < 10);
	free(e);
	tree_free(&t);
}

static void extents_out_of_the_file_system_are_damage(void **state)
{
	struct ext4_extent e = {.logical = 0, .physical = 100, .len = 10};
	struct tree t = encode(&e, 1);
	struct ext4_extents_source source = source_of(&t);
	struct ext4_extents_walk *w;
	struct ext4_extent got;
	struct error err = {0};

	(void)state;
	source.last_block = 108;
	assert_int_equal(ext4_extents_open(&source, t.iblock, 0, &w, &err), 0);
	assert_int_equal(ext4_extents_next(w, &got, &err), -1);
	assert_int_equal(err.kind, ERR_INCONSISTENT);
	ext4_extents_close(w);
	tree_free(&t);
}

static void unwritten_extents_are_told_apart(void **state)
{
	struct ext4_extent e = {.logical = 3, .physical = 100, .len = 10};
	struct tree t = encode(&e, 1);
	struct ext4_extents_source source = source_of(&t);
	struct ext4_extents_walk *w;
	struct ext4_extent got;
	struct error err = {0};

	(void)state;
	t.iblock[12 + 5] |= 0x80; /* the top bit of its length */
	assert_int_equal(ext4_extents_open(&source, t.iblock, 0, &w, &err), 0);
	assert_int_equal(ext4_extents_next(w, &got, &err), 0);
	assert_true(got.unwritten);
	assert_int_equal(got.len, 10);
	ext4_extents_close(w);
	tree_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(trees_of_all_depths_come_back_as_they_were),
		cmocka_unit_test(long_extents_are_cut),
		cmocka_unit_test(a_walk_can_start_anywhere),
		cmocka_unit_test(e2fsck_agrees_with_the_trees),
		cmocka_unit_test(each_flipped_byte_of_a_tree_block_is_noticed),
		cmocka_unit_test(random_damage_behind_good_checksums_ends),
		cmocka_unit_test(a_tree_block_that_points_to_itself_is_damage),
		cmocka_unit_test(extents_out_of_the_file_system_are_damage),
		cmocka_unit_test(unwritten_extents_are_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
