/* SPDX-License-Identifier: Apache-2.0 */
/* Keys and trees that go: in any order, to the last one, and not what others still hold. */
#include "pkg/thin/file/btree_internal.h"

#include "pkg/base/alloc.h"
#include "pkg/base/bytes.h"
#include "tests/support/cmocka.h"
#include "tests/support/thin_tx.h"

enum { KEYS = 9000 };

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

/* A tree of details: values that hold nothing. */
static uint64_t make(const struct tf_tree *tree, uint64_t n)
{
	uint8_t value[24] = {0};
	uint64_t root;

	assert_ok(tf_btree_empty(&t.tx, tree, &root, &err), &err);
	for (uint64_t i = 0; i < n; i++) {
		put_le64(value, tree == &tf_tree_mappings ? tf_mapping(i, 0) : i);
		if (tree->inc)
			assert_ok(tree->inc(&t.tx, value, &err), &err);
		assert_ok(tf_btree_insert(&t.tx, tree, &root, i, value, NULL, &err), &err);
	}
	return root;
}

static void assert_there(uint64_t root, uint64_t key, bool there)
{
	uint8_t value[24];

	assert_int_equal(tf_btree_lookup(&t.tx, &tf_tree_details, root, key, value, &err), !there);
	if (there)
		assert_int_equal(get_le64(value), key);
}

/* How many entries there are; every node but the root is a third full. */
static uint64_t count_entries(uint64_t nr, bool is_root)
{
	const uint8_t *read = tf_btree_node(&t.tx, &tf_tree_details, nr, &err);
	uint8_t node[TF_BLOCK_BYTES];
	uint64_t n = 0;

	assert_non_null(read);
	memcpy(node, read, sizeof(node));
	assert_true(is_root || tf_node_entries(node) >= tf_node_max(node) / 3);
	if (tf_node_is_leaf(node))
		return tf_node_entries(node);
	for (uint32_t i = 0; i < tf_node_entries(node); i++)
		n += count_entries(tf_node_value64(node, i), false);
	return n;
}

static void a_key_that_is_not_there_changes_nothing(void **state)
{
	uint64_t root = make(&tf_tree_details, 500), before;

	(void)state;
	thin_tx_commit(&t);
	before = root;
	assert_int_equal(tf_btree_remove(&t.tx, &tf_tree_details, &root, 500, &err), 1);
	assert_int_equal(tf_btree_remove(&t.tx, &tf_tree_details, &root, UINT64_MAX, &err), 1);
	assert_int_equal(root, before);
	assert_int_equal(t.tx.cache.n_fresh, 0);
}

/* Front to back, back to front, and scattered: neighbours are joined on either side. */
static void all_keys_go_in_any_order(void **state)
{
	(void)state;
	for (int order = 0; order < 3; order++) {
		uint64_t root = make(&tf_tree_details, KEYS);

		for (uint64_t i = 0; i < KEYS; i++) {
			uint64_t key = order == 0 ? i : order == 1 ? KEYS - 1 - i : i * 7919 % KEYS;

			assert_there(root, key, true);
			assert_ok(tf_btree_remove(&t.tx, &tf_tree_details, &root, key, &err), &err);
			assert_there(root, key, false);
			if (i % 500 == 0 || i > KEYS - 5) {
				assert_int_equal(count_entries(root, true), KEYS - 1 - i);
				if (i % 1000 == 0)
					thin_tx_commit(&t);
			}
		}
		/* The last leaf is the root again. */
		assert_true(tf_node_is_leaf(tf_btree_node(&t.tx, &tf_tree_details, root, &err)));
		assert_ok(tf_btree_drop(&t.tx, &tf_tree_details, root, &err), &err);
	}
}

static void what_another_tree_shares_stays(void **state)
{
	uint64_t root = make(&tf_tree_details, KEYS), copy = root;

	(void)state;
	thin_tx_commit(&t);
	assert_ok(tf_spacemap_inc(&t.tx.metadata, root, &err), &err);
	for (uint64_t key = 0; key < KEYS; key += 2)
		assert_ok(tf_btree_remove(&t.tx, &tf_tree_details, &copy, key, &err), &err);
	assert_int_equal(count_entries(root, true), KEYS);
	assert_int_equal(count_entries(copy, true), KEYS / 2);
	assert_ok(tf_btree_drop(&t.tx, &tf_tree_details, copy, &err), &err);
	for (uint64_t key = 0; key < KEYS; key += 97)
		assert_there(root, key, true);
	assert_int_equal(count_entries(root, true), KEYS);
}

static void removing_gives_the_value_back(void **state)
{
	uint64_t root = make(&tf_tree_mappings, 600);
	uint32_t count;

	(void)state;
	assert_int_equal(t.tx.data.nr_allocated, 600);
	for (uint64_t key = 0; key < 300; key++)
		assert_ok(tf_btree_remove(&t.tx, &tf_tree_mappings, &root, key, &err), &err);
	assert_ok(tf_spacemap_count(&t.tx.data, 299, &count, &err), &err);
	assert_int_equal(count, 0);
	assert_ok(tf_spacemap_count(&t.tx.data, 300, &count, &err), &err);
	assert_int_equal(count, 1);
	assert_ok(tf_btree_drop(&t.tx, &tf_tree_mappings, root, &err), &err);
	assert_ok(tf_spacemap_count(&t.tx.data, 599, &count, &err), &err);
	assert_int_equal(count, 0);
}

static bool in_range(uint64_t key, uint64_t first, uint64_t end)
{
	return key >= first && key < end;
}

/* Passes until nothing is left in the range; how many keys went. */
static uint64_t remove_range(uint64_t *root, uint64_t first, uint64_t end)
{
	uint64_t all = 0, n = 0;
	int rc;

	while ((rc = tf_btree_remove_some(&t.tx, &tf_tree_details, root, first, end, &n, &err))
	       == 0) {
		assert_true(n > 0);
		all += n;
	}
	assert_int_equal(rc, 1);
	return all;
}

/* Ranges that start and end anywhere, in a tree of three levels that another one shares. */
static void exactly_the_keys_of_a_range_go(void **state)
{
	static const uint64_t ranges[][2] = {
		{0, 1},	     {0, 63},	   {1, 126},	    {100, 101},	  {5000, 8000},
		{1, 8999},   {0, 8999},	   {1, 9000},	    {0, 9000},	  {8900, UINT64_MAX},
		{300, 5400}, {0, 5000},	   {4000, 9000},    {8999, 9000}, {9000, 10000},
		{500, 500},  {2000, 2100}, {0, UINT64_MAX},
	};
	uint64_t root = make(&tf_tree_details, KEYS);

	(void)state;
	thin_tx_commit(&t);
	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++) {
		uint64_t first = ranges[i][0], end = ranges[i][1], copy = root, n = 0;

		for (uint64_t key = 0; key < KEYS; key++)
			n += in_range(key, first, end);
		assert_ok(tf_spacemap_inc(&t.tx.metadata, root, &err), &err);
		assert_int_equal(remove_range(&copy, first, end), n);
		assert_int_equal(count_entries(copy, true), KEYS - n);
		for (uint64_t key = 0; key < KEYS; key++)
			assert_there(copy, key, !in_range(key, first, end));
		assert_int_equal(count_entries(root, true), KEYS);
		assert_ok(tf_btree_drop(&t.tx, &tf_tree_details, copy, &err), &err);
		thin_tx_commit(&t);
	}
	/* With nothing else in between: the tree is one empty leaf again. */
	assert_int_equal(remove_range(&root, 0, UINT64_MAX), KEYS);
	assert_true(tf_node_is_leaf(tf_btree_node(&t.tx, &tf_tree_details, root, &err)));
	assert_ok(tf_btree_drop(&t.tx, &tf_tree_details, root, &err), &err);
}

/* One range after the other from one tree, and keys put back in between. */
static void ranges_and_insertions_take_turns(void **state)
{
	static bool there[KEYS];
	uint64_t root = make(&tf_tree_details, KEYS), seed = 1, n = KEYS;
	uint8_t value[24] = {0};

	(void)state;
	memset(there, true, sizeof(there));
	for (int i = 0; i < 120; i++) {
		uint64_t first, end;

		seed = seed * 6364136223846793005u + 1442695040888963407u;
		first = (seed >> 33) % KEYS;
		end = first + (seed >> 45) % (i % 10 == 0 ? 4000 : 300);
		for (uint64_t key = first; key < end && key < KEYS; key++) {
			n += i % 3 == 2 ? !there[key] : -(uint64_t)there[key];
			there[key] = i % 3 == 2;
			put_le64(value, key);
			if (i % 3 == 2)
				assert_ok(tf_btree_insert(&t.tx, &tf_tree_details, &root, key,
							  value, NULL, &err),
					  &err);
		}
		if (i % 3 != 2)
			(void)remove_range(&root, first, end);
		assert_int_equal(count_entries(root, true), n);
		if (i % 20 == 0)
			thin_tx_commit(&t);
	}
	for (uint64_t key = 0; key < KEYS; key++)
		assert_there(root, key, there[key]);
}

/* Evening out moves the key that was found to where nobody looks for it. */
static void keys_that_do_not_ascend_are_damage(void **state)
{
	uint8_t *node, *leaf;
	int rc;

	(void)state;
	for (int range = 0; range < 2; range++) {
		uint64_t root = make(&tf_tree_details, 130), key, n = 0;

		assert_ok(tf_btree_shadow(&t.tx, &tf_tree_details, &root, &node, &err), &err);
		assert_ok(tf_btree_shadow_child(&t.tx, &tf_tree_details, node, 0, &leaf, &err),
			  &err);
		key = tf_node_key(node, 1) + 2;
		for (uint32_t i = 20; i < tf_node_entries(leaf); i++)
			tf_node_set_key(leaf, i, 1000);
		assert_ok(tf_btree_shadow_child(&t.tx, &tf_tree_details, node, 1, &leaf, &err),
			  &err);
		tf_node_set_entries(leaf, 42);
		rc = range ? tf_btree_remove_some(&t.tx, &tf_tree_details, &root, key, key + 3, &n,
						  &err)
			   : tf_btree_remove(&t.tx, &tf_tree_details, &root, key, &err);
		assert_int_equal(rc, -1);
		assert_error(&err, ERR_INCONSISTENT, "keys of the details tree do not ascend");
	}
}

/* A child that is a leaf beside one that is not: no pool of ours, and never joined. */
static void leaves_of_different_depth_are_damage(void **state)
{
	uint64_t root = make(&tf_tree_details, 130), leaf_nr, inner_nr;
	uint8_t *node, *inner, *leaf;

	(void)state;
	/* two leaves of 63 and 67 below a root */
	assert_ok(tf_btree_shadow(&t.tx, &tf_tree_details, &root, &node, &err), &err);
	assert_false(tf_node_is_leaf(node));
	leaf_nr = tf_node_value64(node, 1);
	assert_ok(tf_tx_new_block(&t.tx, TF_NODE, &inner_nr, &inner, &err), &err);
	tf_node_init(inner, TF_NODE_INTERNAL, 8);
	tf_node_set_entries(inner, 84);
	for (uint32_t i = 0; i < 84; i++) {
		tf_node_set_key(inner, i, tf_node_key(node, 1) + i);
		tf_node_set_value64(inner, i, leaf_nr);
	}
	tf_node_set_value64(node, 1, inner_nr);
	assert_ok(tf_btree_shadow_child(&t.tx, &tf_tree_details, node, 0, &leaf, &err), &err);
	tf_node_set_entries(leaf, 42); /* so that it wants to be joined */
	assert_int_equal(tf_btree_remove(&t.tx, &tf_tree_details, &root, 0, &err), -1);
	assert_error(&err, ERR_INCONSISTENT, "leaves of the details tree differ in depth");
}

static void a_tree_without_end_is_not_dropped(void **state)
{
	uint64_t nr;
	uint8_t *node;

	(void)state;
	assert_ok(tf_tx_new_block(&t.tx, TF_NODE, &nr, &node, &err), &err);
	tf_node_init(node, TF_NODE_INTERNAL, 8);
	tf_node_set_entries(node, 1);
	tf_node_set_value64(node, 0, nr);
	assert_int_equal(tf_btree_drop(&t.tx, &tf_tree_details, nr, &err), -1);
	assert_int_equal(err.kind, ERR_INCONSISTENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_key_that_is_not_there_changes_nothing, begin,
						end),
		cmocka_unit_test_setup_teardown(all_keys_go_in_any_order, begin, end),
		cmocka_unit_test_setup_teardown(what_another_tree_shares_stays, begin, end),
		cmocka_unit_test_setup_teardown(removing_gives_the_value_back, begin, end),
		cmocka_unit_test_setup_teardown(exactly_the_keys_of_a_range_go, begin, end),
		cmocka_unit_test_setup_teardown(ranges_and_insertions_take_turns, begin, end),
		cmocka_unit_test_setup_teardown(keys_that_do_not_ascend_are_damage, begin, end),
		cmocka_unit_test_setup_teardown(leaves_of_different_depth_are_damage, begin, end),
		cmocka_unit_test_setup_teardown(a_tree_without_end_is_not_dropped, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
