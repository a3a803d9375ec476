/* SPDX-License-Identifier: Apache-2.0 */
/* Counts and allocation against plain arrays, across commits and reloads from disk. */
#include "pkg/thin/file/spacemap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "pkg/base/alloc.h"
#include "pkg/thin/file/transaction.h"

enum { METADATA_BLOCKS = 20000, DATA_BLOCKS = 40000 }; /* both end within a bitmap */

struct fixture {
	struct tf_tx tx;
	int fd;
	uint64_t random;
	struct tf_sm_root data, metadata;
	uint32_t counts[DATA_BLOCKS];
	bool committed[DATA_BLOCKS];
};

static uint32_t next_random(struct fixture *f)
{
	f->random = f->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(f->random >> 33);
}

static void commit(struct fixture *f)
{
	struct error err = {0};

	assert_int_equal(tf_tx_flush(&f->tx, &f->data, &f->metadata, &err), 0);
	tf_tx_committed(&f->tx);
	for (size_t i = 0; i < DATA_BLOCKS; i++)
		f->committed[i] = f->counts[i] > 0;
}

/* As a new process would see it. */
static void reload(struct fixture *f)
{
	struct tf_superblock sb = {.data_sm = f->data, .metadata_sm = f->metadata};

	tf_tx_release(&f->tx);
	tf_tx_init(&f->tx, f->fd, "test", &sb);
}

static int set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	struct error err = {0};

	f->fd = memfd_create("metadata", MFD_CLOEXEC);
	assert_int_equal(ftruncate(f->fd, (off_t)METADATA_BLOCKS * TF_BLOCK_BYTES), 0);
	tf_tx_init(&f->tx, f->fd, "test", NULL);
	f->tx.cache.nr_blocks = METADATA_BLOCKS;
	assert_int_equal(tf_spacemap_grow(&f->tx.metadata, METADATA_BLOCKS, &err), 0);
	assert_int_equal(tf_spacemap_grow(&f->tx.data, DATA_BLOCKS, &err), 0);
	assert_int_equal(tf_spacemap_inc(&f->tx.metadata, 0, &err), 0);
	commit(f);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	tf_tx_release(&f->tx);
	close(f->fd);
	free(f);
	return 0;
}

static void take(struct fixture *f, uint64_t want)
{
	uint64_t first, n;
	struct error err = {0};

	assert_int_equal(tf_spacemap_alloc(&f->tx.data, want, &first, &n, &err), 0);
	assert_true(n >= 1 && n <= want);
	for (uint64_t b = first; b < first + n; b++) {
		assert_int_equal(f->counts[b], 0);
		assert_false(f->committed[b]); /* never what the last commit still holds */
		f->counts[b] = 1;
	}
}

static void more(struct fixture *f, uint64_t block)
{
	struct error err = {0};

	assert_int_equal(tf_spacemap_inc(&f->tx.data, block, &err), 0);
	f->counts[block]++;
}

static void less(struct fixture *f, uint64_t block)
{
	struct error err = {0};
	uint32_t left;

	assert_int_equal(tf_spacemap_dec(&f->tx.data, block, &left, &err), 0);
	assert_int_equal(left, --f->counts[block]);
}

static void compare(struct fixture *f)
{
	struct error err = {0};
	uint64_t used = 0, available = 0;

	for (uint64_t b = 0; b < DATA_BLOCKS; b++) {
		uint32_t count;

		assert_int_equal(tf_spacemap_count(&f->tx.data, b, &count, &err), 0);
		assert_int_equal(count, f->counts[b]);
		used += count > 0;
		available += !count && !f->committed[b];
	}
	assert_int_equal(f->tx.data.nr_allocated, used);
	assert_int_equal(tf_spacemap_available(&f->tx.data), available);
}

static void counts_of_all_sizes_survive_commits_and_reloads(void **state)
{
	struct fixture *f = *state;

	for (unsigned round = 0; round < 12; round++) {
		for (unsigned k = 0; k < 100; k++) {
			uint32_t block = next_random(f) % DATA_BLOCKS;

			take(f, 1 + next_random(f) % 50);
			/* Some go over 3, into the overflow tree, and some past a byte. */
			for (unsigned i = 0; f->counts[block] && i < next_random(f) % 8; i++)
				more(f, block);
			if (k == 7)
				for (unsigned i = 0; f->counts[block] && i < 300; i++)
					more(f, block);
			block = next_random(f) % DATA_BLOCKS;
			for (unsigned i = next_random(f) % 5; i-- && f->counts[block];)
				less(f, block);
		}
		if (round == 5) /* many overflow entries in a row, then gone again */
			for (uint64_t b = 16000; b < 17000; b++)
				for (unsigned i = 0; f->counts[b] && i < 3; i++)
					more(f, b);
		if (round == 8)
			for (uint64_t b = 16000; b < 17000; b++)
				while (f->counts[b])
					less(f, b);
		compare(f);
		commit(f);
		if (round % 3 == 2)
			reload(f);
		compare(f);
	}
}

static void freed_blocks_come_back_only_after_the_commit(void **state)
{
	struct fixture *f = *state;
	struct error err = {0};
	uint64_t first, n, taken = 0;

	while (tf_spacemap_alloc(&f->tx.data, 1000, &first, &n, &err) == 0)
		for (uint64_t b = first; b < first + n; b++, taken++)
			f->counts[b] = 1;
	assert_int_equal(err.kind, ERR_NO_SPACE);
	assert_int_equal(taken, DATA_BLOCKS);
	commit(f);
	less(f, 20000);
	assert_int_equal(tf_spacemap_alloc(&f->tx.data, 1, &first, &n, &err), -1);
	assert_int_equal(err.kind, ERR_NO_SPACE);
	commit(f);
	assert_int_equal(tf_spacemap_alloc(&f->tx.data, 5, &first, &n, &err), 0);
	assert_int_equal(first, 20000);
	assert_int_equal(n, 1);
	/* Taken and freed in one transaction: free at once. */
	assert_int_equal(tf_spacemap_dec(&f->tx.data, 20000, NULL, &err), 0);
	assert_int_equal(tf_spacemap_alloc(&f->tx.data, 1, &first, &n, &err), 0);
	assert_int_equal(first, 20000);
}

static void a_full_map_that_claims_space_is_searched_to_the_end(void **state)
{
	struct fixture *f = *state;
	struct error err = {0};
	uint64_t first, n;

	assert_int_equal(tf_spacemap_alloc(&f->tx.data, DATA_BLOCKS, &first, &n, &err), 0);
	assert_int_equal(n, DATA_BLOCKS);
	commit(f);
	f->data.nr_allocated = 5; /* a lie in the superblock */
	reload(f);
	assert_int_equal(tf_spacemap_alloc(&f->tx.data, 1, &first, &n, &err), -1);
	assert_int_equal(err.kind, ERR_NO_SPACE);
}

/* Entry of the metadata map's index, straight from disk. */
static void read_entry(struct fixture *f, uint32_t i, struct tf_index_entry *ret)
{
	uint8_t block[TF_BLOCK_BYTES];

	assert_int_equal(pread(f->fd, block, sizeof(block),
			       (off_t)(f->metadata.bitmap_root * TF_BLOCK_BYTES)),
			 sizeof(block));
	tf_index_entry_unpack(block + tf_index_entry_offset(i), ret);
}

static void hints_count_the_whole_bitmap_even_at_the_end(void **state)
{
	struct fixture *f = *state;
	struct tf_index_entry entry;
	uint8_t block[TF_BLOCK_BYTES];

	read_entry(f, 1, &entry);
	assert_int_equal(entry.nr_free, TF_BITMAP_ENTRIES);
	assert_int_equal(entry.none_free_before, 0);
	read_entry(f, 0, &entry);
	assert_int_equal(entry.nr_free, TF_BITMAP_ENTRIES - f->metadata.nr_allocated);
	read_entry(f, 2, &entry);
	assert_int_equal(entry.bitmap, 0);

	/* Now wrong ones, as thin_restore 0.9 writes them: too few free, too late. */
	assert_int_equal(pread(f->fd, block, sizeof(block),
			       (off_t)(f->metadata.bitmap_root * TF_BLOCK_BYTES)),
			 sizeof(block));
	read_entry(f, 1, &entry);
	entry.nr_free = METADATA_BLOCKS - TF_BITMAP_ENTRIES;
	entry.none_free_before = 9;
	tf_index_entry_pack(&entry, block + tf_index_entry_offset(1));
	tf_block_seal(block, TF_INDEX, f->metadata.bitmap_root);
	assert_int_equal(pwrite(f->fd, block, sizeof(block),
				(off_t)(f->metadata.bitmap_root * TF_BLOCK_BYTES)),
			 sizeof(block));
	reload(f);
	assert_int_equal(tf_spacemap_load(&f->tx.metadata, 1, &(struct error){0}), 0);
	take(f, 1);
	commit(f);
	read_entry(f, 1, &entry);
	assert_int_equal(entry.nr_free, TF_BITMAP_ENTRIES);
	assert_int_equal(entry.none_free_before, 0);
}

static void growing_adds_free_blocks_and_keeps_counts(void **state)
{
	struct fixture *f = *state;
	struct error err = {0};
	uint64_t first, n;
	uint32_t count;

	take(f, DATA_BLOCKS);
	commit(f);
	assert_int_equal(tf_spacemap_grow(&f->tx.data, DATA_BLOCKS + 50000, &err), 0);
	assert_int_equal(tf_spacemap_available(&f->tx.data), 50000);
	assert_int_equal(tf_spacemap_alloc(&f->tx.data, 60000, &first, &n, &err), 0);
	assert_int_equal(first, DATA_BLOCKS);
	assert_int_equal(n, 50000);
	commit(f);
	reload(f);
	assert_int_equal(tf_spacemap_count(&f->tx.data, DATA_BLOCKS + 49999, &count, &err), 0);
	assert_int_equal(count, 1);
	assert_int_equal(tf_spacemap_count(&f->tx.data, DATA_BLOCKS + 50000, &count, &err), -1);
	assert_int_equal(tf_spacemap_count(&f->tx.data, 5, &count, &err), 0);
	assert_int_equal(count, 1);
}

static void impossible_counts_are_reported(void **state)
{
	struct fixture *f = *state;
	struct error err = {0};

	assert_int_equal(tf_spacemap_dec(&f->tx.data, 5, NULL, &err), -1);
	assert_int_equal(err.kind, ERR_INCONSISTENT);
	assert_int_equal(tf_spacemap_inc(&f->tx.data, DATA_BLOCKS, &err), -1);
	assert_int_equal(err.kind, ERR_INCONSISTENT);
}

static void superblock_roots_differ_from_commit_to_commit(void **state)
{
	struct fixture *f = *state;
	uint64_t seen[100];

	/* The index block wanders, so that readers cannot mistake one commit for another. */
	for (unsigned i = 0; i < 100; i++) {
		take(f, 1);
		commit(f);
		seen[i] = f->metadata.bitmap_root;
		for (unsigned k = 0; k < i; k++)
			assert_true(seen[k] != seen[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(counts_of_all_sizes_survive_commits_and_reloads,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(freed_blocks_come_back_only_after_the_commit,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_full_map_that_claims_space_is_searched_to_the_end,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(hints_count_the_whole_bitmap_even_at_the_end,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(growing_adds_free_blocks_and_keeps_counts, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(impossible_counts_are_reported, set_up, tear_down),
		cmocka_unit_test_setup_teardown(superblock_roots_differ_from_commit_to_commit,
						set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
