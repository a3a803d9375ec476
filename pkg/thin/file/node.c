/* SPDX-License-Identifier: Apache-2.0 */
/* Keys and values of a node are two arrays; whatever moves one moves the other. */
#include "pkg/thin/file/node.h"

#include <assert.h>
#include <string.h>

int tf_node_find(const uint8_t *node, uint64_t key)
{
	uint32_t lo = 0, hi = tf_node_entries(node);

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (tf_node_key(node, mid) <= key)
			lo = mid + 1;
		else
			hi = mid;
	}
	return (int)lo - 1;
}

void tf_node_copy(uint8_t *to, uint32_t to_at, const uint8_t *from, uint32_t from_at, uint32_t n)
{
	uint32_t value_size = tf_node_value_size(to);

	assert(value_size == tf_node_value_size(from));
	assert(to_at + n <= tf_node_max(to) && from_at + n <= tf_node_max(from));
	memmove(to + tf_node_key_offset(to_at), from + tf_node_key_offset(from_at), (size_t)n * 8);
	memmove(tf_node_value(to, to_at), tf_node_value_const(from, from_at),
		(size_t)n * value_size);
}

void tf_node_open(uint8_t *node, uint32_t at, uint32_t n)
{
	uint32_t entries = tf_node_entries(node);

	tf_node_copy(node, at + n, node, at, entries - at);
	tf_node_set_entries(node, entries + n);
}

void tf_node_close(uint8_t *node, uint32_t at, uint32_t n)
{
	uint32_t entries = tf_node_entries(node);

	tf_node_copy(node, at, node, at + n, entries - at - n);
	tf_node_set_entries(node, entries - n);
}

void tf_node_move_left(uint8_t *left, uint8_t *right, uint32_t n)
{
	uint32_t entries = tf_node_entries(left);

	tf_node_copy(left, entries, right, 0, n);
	tf_node_set_entries(left, entries + n);
	tf_node_close(right, 0, n);
}

void tf_node_move_right(uint8_t *left, uint8_t *right, uint32_t n)
{
	uint32_t entries = tf_node_entries(left);

	tf_node_open(right, 0, n);
	tf_node_copy(right, 0, left, entries - n, n);
	tf_node_set_entries(left, entries - n);
}
