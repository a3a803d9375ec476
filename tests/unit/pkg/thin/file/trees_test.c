/* SPDX-License-Identifier: Apache-2.0 */
/* What the values of each kind of tree hold, and that references to it are kept right. */
#include "pkg/thin/file/btree.h"

#include "pkg/base/alloc.h"
#include "pkg/base/bytes.h"
#include "tests/support/cmocka.h"
#include "tests/support/thin_tx.h"

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
	uint32_t count;

	assert_ok(tf_spacemap_count(sm, block, &count, &err), &err);
	return count;
}

static void a_mapping_holds_its_data_block_without_the_time(void **state)
{
	uint8_t early[8], late[8], other[8];

	(void)state;
	put_le64(early, tf_mapping(77, 1));
	put_le64(late, tf_mapping(77, 900));
	put_le64(other, tf_mapping(78, 1));
	assert_true(tf_tree_mappings.equal(early, late));
	assert_false(tf_tree_mappings.equal(early, other));
	assert_ok(tf_tree_mappings.inc(&t.tx, late, &err), &err);
	assert_ok(tf_tree_mappings.inc(&t.tx, early, &err), &err);
	assert_int_equal(count_of(&t.tx.data, 77), 2);
	assert_ok(tf_tree_mappings.dec(&t.tx, early, &err), &err);
	assert_int_equal(count_of(&t.tx.data, 77), 1);
	assert_int_equal(count_of(&t.tx.data, 78), 0);
	put_le64(other, tf_mapping(30000, 1)); /* the map ends before */
	assert_int_equal(tf_tree_mappings.inc(&t.tx, other, &err), -1);
	assert_int_equal(err.kind, ERR_INCONSISTENT);
}

/* A device's value is a whole tree: with its last reference everything below goes. */
static void a_device_holds_the_root_of_its_mappings(void **state)
{
	uint64_t root, used = t.tx.metadata.nr_allocated;
	uint8_t value[8];

	(void)state;
	assert_ok(tf_btree_empty(&t.tx, &tf_tree_mappings, &root, &err), &err);
	for (uint64_t i = 0; i < 1000; i++) {
		put_le64(value, tf_mapping(i, 0));
		assert_ok(tf_tree_mappings.inc(&t.tx, value, &err), &err);
		assert_ok(tf_btree_insert(&t.tx, &tf_tree_mappings, &root, i, value, NULL, &err),
			  &err);
	}
	put_le64(value, root);
	assert_ok(tf_tree_devices.inc(&t.tx, value, &err), &err);
	assert_int_equal(count_of(&t.tx.metadata, root), 2);
	assert_ok(tf_tree_devices.dec(&t.tx, value, &err), &err);
	assert_int_equal(count_of(&t.tx.data, 999), 1);
	assert_ok(tf_tree_devices.dec(&t.tx, value, &err), &err);
	for (uint64_t i = 0; i < 1000; i += 111)
		assert_int_equal(count_of(&t.tx.data, i), 0);
	assert_int_equal(t.tx.metadata.nr_allocated, used);
	assert_true(tf_tree_devices.equal(value, value));
	put_le64(value + 0, root + 1);
	assert_false(tf_tree_devices.equal(value, (uint8_t[8]){0}));
}

static void the_others_hold_nothing_and_have_their_sizes(void **state)
{
	static const struct tf_tree *const trees[] = {&tf_tree_details, &tf_tree_index,
						      &tf_tree_overflow};
	static const uint32_t sizes[] = {24, 16, 4};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(trees); i++) {
		assert_int_equal(trees[i]->value_size, sizes[i]);
		assert_true(!trees[i]->inc && !trees[i]->dec && !trees[i]->equal);
	}
	assert_int_equal(tf_tree_devices.value_size, 8);
	assert_int_equal(tf_tree_mappings.value_size, 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_mapping_holds_its_data_block_without_the_time,
						begin, end),
		cmocka_unit_test_setup_teardown(a_device_holds_the_root_of_its_mappings, begin,
						end),
		cmocka_unit_test_setup_teardown(the_others_hold_nothing_and_have_their_sizes, begin,
						end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
