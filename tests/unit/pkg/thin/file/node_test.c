/* SPDX-License-Identifier: Apache-2.0 */
/* Entries moved about inside nodes and between two: keys and values together, nothing behind them. */
#include "pkg/thin/file/node.h"

#include "pkg/base/alloc.h"
#include "tests/support/cmocka.h"

static const uint32_t value_sizes[] = {4, 8, 16, 24};

/* A leaf with n entries: key 10 * i + first, value all bytes of the key's lowest one. */
static void make(uint8_t *node, uint32_t value_size, uint32_t n, uint64_t first)
{
	tf_node_init(node, TF_NODE_LEAF, value_size);
	tf_node_set_entries(node, n);
	for (uint32_t i = 0; i < n; i++) {
		tf_node_set_key(node, i, first + 10 * i);
		memset(tf_node_value(node, i), (uint8_t)(first + 10 * i), value_size);
	}
}

static void assert_entry(const uint8_t *node, uint32_t i, uint64_t key)
{
	const uint8_t *value = tf_node_value_const(node, i);

	assert_int_equal(tf_node_key(node, i), key);
	for (uint32_t k = 0; k < tf_node_value_size(node); k++)
		assert_int_equal(value[k], (uint8_t)key);
}

static void assert_entries(const uint8_t *node, uint32_t n, uint64_t first)
{
	assert_int_equal(tf_node_entries(node), n);
	for (uint32_t i = 0; i < n; i++)
		assert_entry(node, i, first + 10 * i);
}

static void the_last_key_not_above_is_found(void **state)
{
	uint8_t node[TF_BLOCK_BYTES];

	(void)state;
	for (uint32_t n = 0; n < 20; n++) {
		make(node, 8, n, 100);
		assert_int_equal(tf_node_find(node, 99), -1);
		assert_int_equal(tf_node_find(node, 0), -1);
		for (uint32_t i = 0; i < n; i++) {
			assert_int_equal(tf_node_find(node, 100 + 10 * i), i);
			assert_int_equal(tf_node_find(node, 109 + 10 * i), i);
		}
		assert_int_equal(tf_node_find(node, UINT64_MAX), (int)n - 1);
	}
}

static void opening_and_closing_keep_all_others(void **state)
{
	(void)state;
	for (size_t v = 0; v < ARRAY_SIZE(value_sizes); v++)
		for (uint32_t at = 0; at <= 20; at++)
			for (uint32_t n = 0; n <= 3; n++) {
				uint8_t node[TF_BLOCK_BYTES];

				make(node, value_sizes[v], 20, 5);
				tf_node_open(node, at, n);
				assert_int_equal(tf_node_entries(node), 20 + n);
				for (uint32_t i = 0; i < 20; i++)
					assert_entry(node, i < at ? i : i + n, 5 + 10 * i);
				tf_node_close(node, at, n);
				assert_entries(node, 20, 5);
			}
}

static void a_node_may_be_filled_to_its_last_place(void **state)
{
	(void)state;
	for (size_t v = 0; v < ARRAY_SIZE(value_sizes); v++) {
		uint32_t max = tf_node_max_entries(value_sizes[v]);
		uint8_t node[TF_BLOCK_BYTES + 16];

		memset(node + TF_BLOCK_BYTES, 0xee, 16);
		make(node, value_sizes[v], max - 1, 0);
		tf_node_open(node, 0, 1);
		assert_int_equal(tf_node_entries(node), max);
		assert_entry(node, max - 1, 10 * (max - 2));
		for (int i = 0; i < 16; i++)
			assert_int_equal(node[TF_BLOCK_BYTES + i], 0xee);
	}
}

static void entries_move_between_two_nodes(void **state)
{
	(void)state;
	for (size_t v = 0; v < ARRAY_SIZE(value_sizes); v++)
		for (uint32_t n = 0; n <= 30; n++) {
			uint8_t left[TF_BLOCK_BYTES], right[TF_BLOCK_BYTES];

			make(left, value_sizes[v], 40, 0);
			make(right, value_sizes[v], 30, 400);
			tf_node_move_left(left, right, n);
			assert_entries(left, 40 + n, 0);
			assert_entries(right, 30 - n, 400 + 10 * n);
			tf_node_move_right(left, right, 2 * n);
			assert_entries(left, 40 - n, 0);
			assert_entries(right, 30 + n, 400 - 10 * n);
		}
}

static void copying_does_not_count(void **state)
{
	uint8_t to[TF_BLOCK_BYTES], from[TF_BLOCK_BYTES];

	(void)state;
	make(to, 16, 5, 0);
	make(from, 16, 9, 1000);
	tf_node_copy(to, 2, from, 7, 2);
	assert_int_equal(tf_node_entries(to), 5);
	assert_entry(to, 1, 10);
	assert_entry(to, 2, 1070);
	assert_entry(to, 3, 1080);
	assert_entry(to, 4, 40);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_key_not_above_is_found),
		cmocka_unit_test(opening_and_closing_keep_all_others),
		cmocka_unit_test(a_node_may_be_filled_to_its_last_place),
		cmocka_unit_test(entries_move_between_two_nodes),
		cmocka_unit_test(copying_does_not_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
