/* SPDX-License-Identifier: Apache-2.0 */
/* Space maps from and to the disk: many counts, wrong hints, missing and damaged parts. */
#include "pkg/thin/file/spacemap.h"

#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/bytes.h"
#include "pkg/thin/file/btree.h"
#include "tests/support/cmocka.h"
#include "tests/support/thin_tx.h"

enum { DATA_BLOCKS = 20000, METADATA_BLOCKS = 20000 }; /* two bitmaps each, the second not full */

static struct thin_tx t;
static struct error err;

static int begin(void **state)
{
	(void)state;
	error_clear(&err);
	thin_tx_init(&t, 20000, 20000);
	return 0;
}

static int end(void **state)
{
	(void)state;
	thin_tx_release(&t);
	return 0;
}

static uint32_t count_of(struct tf_spacemap *sm, uint64_t block)
{
	uint32_t count = UINT32_MAX;

	error_clear(&err);
	if (tf_spacemap_count(sm, block, &count, &err) < 0)
		return UINT32_MAX;
	return count;
}

static void set_count(uint64_t block, uint32_t count)
{
	while (count_of(&t.tx.data, block) < count)
		assert_ok(tf_spacemap_inc(&t.tx.data, block, &err), &err);
	while (count_of(&t.tx.data, block) > count)
		assert_ok(tf_spacemap_dec(&t.tx.data, block, NULL, &err), &err);
}

/* Two bits hold 0 to 2; the rest is in a tree, which loses what gets smaller. */
static void counts_of_three_and_more_come_back(void **state)
{
	static const uint32_t counts[] = {0, 1, 2, 3, 4, 100, 3, 2, 5, 0, 1};

	(void)state;
	for (size_t round = 0; round < ARRAY_SIZE(counts); round++) {
		for (uint64_t block = 0; block < DATA_BLOCKS; block += 1999)
			set_count(block, counts[(round + block) % ARRAY_SIZE(counts)]);
		thin_tx_commit(&t);
		thin_tx_reload(&t);
		for (uint64_t block = 0; block < DATA_BLOCKS; block += 1999)
			assert_int_equal(count_of(&t.tx.data, block),
					 counts[(round + block) % ARRAY_SIZE(counts)]);
		assert_int_equal(count_of(&t.tx.data, 1), 0);
	}
}

static void blocks_past_the_end_are_not_there(void **state)
{
	(void)state;
	assert_int_equal(count_of(&t.tx.data, DATA_BLOCKS), UINT32_MAX);
	assert_int_equal(err.kind, ERR_INCONSISTENT);
	assert_int_equal(tf_spacemap_inc(&t.tx.data, UINT64_MAX, &err), -1);
	assert_int_equal(tf_spacemap_inc(&t.tx.metadata, METADATA_BLOCKS, &err), -1);
}

/* The bitmap of group g of the data map, to be changed on disk and read anew. */
static void change_bitmap(size_t g, uint32_t entry, unsigned count)
{
	struct tf_index_entry index;
	uint8_t block[TF_BLOCK_BYTES];

	thin_tx_reload(&t);
	assert_ok(tf_spacemap_entry(&t.tx.data, g, &index, &err), &err);
	assert_int_equal(pread(t.fd, block, sizeof(block), (off_t)(index.bitmap * TF_BLOCK_BYTES)),
			 sizeof(block));
	tf_bitmap_set(block, entry, count);
	tf_block_seal(block, TF_BITMAP, index.bitmap);
	assert_int_equal(pwrite(t.fd, block, sizeof(block), (off_t)(index.bitmap * TF_BLOCK_BYTES)),
			 sizeof(block));
	thin_tx_reload(&t);
}

static void a_bitmap_that_promises_more_than_the_tree_has_is_damage(void **state)
{
	(void)state;
	set_count(5, 3);
	thin_tx_commit(&t);
	change_bitmap(0, 6, TF_COUNT_OVERFLOW);
	assert_int_equal(count_of(&t.tx.data, 5), UINT32_MAX);
	assert_error(&err, ERR_INCONSISTENT,
		     "data bitmap 0: 2 counts of 3 or more, 1 in the overflow tree");
}

/* The other way round the bitmap decides, as for the kernel. */
static void an_entry_of_the_tree_without_a_bit_is_passed_over(void **state)
{
	(void)state;
	set_count(5, 3);
	set_count(6, 4);
	thin_tx_commit(&t);
	change_bitmap(0, 6, 1);
	assert_int_equal(count_of(&t.tx.data, 6), 1);
	assert_int_equal(count_of(&t.tx.data, 5), 3);
}

static void a_damaged_bitmap_is_told_with_its_number(void **state)
{
	struct tf_index_entry index;
	uint8_t byte = 0x55;

	(void)state;
	set_count(17000, 1);
	thin_tx_commit(&t);
	assert_ok(tf_spacemap_entry(&t.tx.data, 1, &index, &err), &err);
	assert_int_equal(pwrite(t.fd, &byte, 1, (off_t)(index.bitmap * TF_BLOCK_BYTES + 3000)), 1);
	thin_tx_reload(&t);
	assert_int_equal(count_of(&t.tx.data, 17000), UINT32_MAX);
	assert_error(&err, ERR_INCONSISTENT, "data bitmap 1");
	assert_int_equal(count_of(&t.tx.data, 5), 0); /* the other one is read */
}

static void a_bitmap_without_an_index_entry_is_damage(void **state)
{
	struct tf_tree tree = tf_tree_index;

	(void)state;
	set_count(17000, 1);
	thin_tx_commit(&t);
	assert_ok(tf_btree_remove(&t.tx, &tree, &t.data.bitmap_root, 1, &err), &err);
	t.tx.data.root.bitmap_root = t.data.bitmap_root;
	tf_spacemap_unload(&t.tx.data, &t.tx.data.groups[1]);
	assert_int_equal(count_of(&t.tx.data, 17000), UINT32_MAX);
	assert_error(&err, ERR_INCONSISTENT, "data bitmap 1 is missing");
}

/* thin_restore counts the last bitmap as if it ended where the pool does, and nr_allocated wrong. */
static void settling_puts_the_number_of_blocks_in_use_right(void **state)
{
	uint64_t right;

	(void)state;
	for (uint64_t block = 0; block < 300; block++)
		set_count(block * 60, 1);
	thin_tx_commit(&t);
	right = t.data.nr_allocated;
	assert_int_equal(right, 300);
	t.data.nr_allocated = 7;
	t.metadata.nr_allocated += 100;
	thin_tx_reload(&t);
	assert_ok(tf_spacemap_settle(&t.tx.data, &err), &err);
	assert_ok(tf_spacemap_settle(&t.tx.metadata, &err), &err);
	assert_int_equal(t.tx.data.nr_allocated, right);
	thin_tx_commit(&t); /* there is something to write, although nobody changed a count */
	assert_int_equal(t.data.nr_allocated, right);
	thin_tx_reload(&t);
	assert_ok(tf_spacemap_settle(&t.tx.data, &err), &err);
	assert_int_equal(t.tx.data.n_dirty, 0);
}

/* In the index block on disk, as thin_restore 0.9 does it. */
static void change_metadata_hint(uint32_t bitmap, uint32_t used_more, uint32_t none_free_before)
{
	off_t at = (off_t)(t.metadata.bitmap_root * TF_BLOCK_BYTES);
	struct tf_index_entry entry;
	uint8_t block[TF_BLOCK_BYTES];

	assert_int_equal(pread(t.fd, block, sizeof(block), at), sizeof(block));
	tf_index_entry_unpack(block + tf_index_entry_offset(bitmap), &entry);
	entry.nr_free -= used_more;
	entry.none_free_before = none_free_before;
	tf_index_entry_pack(&entry, block + tf_index_entry_offset(bitmap));
	tf_block_seal(block, TF_INDEX, t.metadata.bitmap_root);
	assert_int_equal(pwrite(t.fd, block, sizeof(block), at), sizeof(block));
}

/* The sum is as wrong as a hint, so they agree with each other. */
static void settling_puts_metadata_hints_right_that_add_up(void **state)
{
	struct tf_index_entry entry;
	uint64_t right;

	(void)state;
	right = t.metadata.nr_allocated;
	change_metadata_hint(0, 1, 5000);
	t.metadata.nr_allocated++;
	thin_tx_reload(&t);
	assert_ok(tf_spacemap_settle(&t.tx.metadata, &err), &err);
	assert_int_equal(t.tx.metadata.nr_allocated, right);
	thin_tx_commit(&t);
	thin_tx_reload(&t);
	assert_ok(tf_spacemap_entry(&t.tx.metadata, 0, &entry, &err), &err);
	assert_int_equal(entry.nr_free, TF_BITMAP_ENTRIES - t.metadata.nr_allocated);
	assert_true(entry.none_free_before <= t.metadata.nr_allocated);
	assert_ok(tf_spacemap_settle(&t.tx.metadata, &err), &err);
	assert_int_equal(t.tx.metadata.n_dirty, 0);
	/* The last bitmap, which has fewer blocks than bits. */
	change_metadata_hint(1, 3000, 0);
	thin_tx_reload(&t);
	assert_ok(tf_spacemap_settle(&t.tx.metadata, &err), &err);
	assert_int_equal(t.tx.metadata.n_dirty, 1);
	thin_tx_commit(&t);
	assert_ok(tf_spacemap_entry(&t.tx.metadata, 1, &entry, &err), &err);
	assert_int_equal(entry.nr_free, TF_BITMAP_ENTRIES);
}

static void a_map_of_nothing_is_settled(void **state)
{
	struct tf_spacemap sm;

	(void)state;
	tf_spacemap_init(&sm, "empty", &t.tx, NULL);
	assert_ok(tf_spacemap_settle(&sm, &err), &err);
	tf_spacemap_release(&sm);
}

/* Writing the metadata map changes it; in the end it describes itself. */
static void the_metadata_map_counts_its_own_blocks(void **state)
{
	(void)state;
	for (int round = 0; round < 20; round++) {
		uint64_t used = 0, first, n;

		assert_ok(tf_spacemap_alloc(&t.tx.metadata, 500, &first, &n, &err), &err);
		set_count((uint64_t)round * 900, 3);
		thin_tx_commit(&t);
		thin_tx_reload(&t);
		for (uint64_t block = 0; block < METADATA_BLOCKS; block++)
			used += count_of(&t.tx.metadata, block) > 0;
		assert_int_equal(used, t.metadata.nr_allocated);
		assert_true(count_of(&t.tx.metadata, t.metadata.bitmap_root) == 1);
		assert_true(count_of(&t.tx.metadata, t.data.bitmap_root) == 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(counts_of_three_and_more_come_back, begin, end),
		cmocka_unit_test_setup_teardown(blocks_past_the_end_are_not_there, begin, end),
		cmocka_unit_test_setup_teardown(
			a_bitmap_that_promises_more_than_the_tree_has_is_damage, begin, end),
		cmocka_unit_test_setup_teardown(an_entry_of_the_tree_without_a_bit_is_passed_over,
						begin, end),
		cmocka_unit_test_setup_teardown(a_damaged_bitmap_is_told_with_its_number, begin,
						end),
		cmocka_unit_test_setup_teardown(a_bitmap_without_an_index_entry_is_damage, begin,
						end),
		cmocka_unit_test_setup_teardown(settling_puts_the_number_of_blocks_in_use_right,
						begin, end),
		cmocka_unit_test_setup_teardown(settling_puts_metadata_hints_right_that_add_up,
						begin, end),
		cmocka_unit_test_setup_teardown(a_map_of_nothing_is_settled, begin, end),
		cmocka_unit_test_setup_teardown(the_metadata_map_counts_its_own_blocks, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
