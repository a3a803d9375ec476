/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Removing keys and whole trees. Removal is one pass from the root down: a child at the least
 * allowed fill is joined with or filled up from a neighbour before it is entered.
 */
#include <assert.h>
#include <string.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/thin/file/btree_internal.h"
#include "pkg/thin/file/node.h"

/* A root with one child takes over the child's entries: the tree gets one level lower. */
static int absorb_child(struct tf_tx *tx, const struct tf_tree *tree, uint8_t *root,
			struct error *err)
{
	uint64_t nr;
	uint8_t *child;

	if (tf_btree_shadow_child(tx, tree, root, 0, &child, err) < 0)
		return -1;
	nr = tf_node_value64(root, 0);
	tf_node_init(root, tf_node_flags(child), tf_node_value_size(child));
	tf_node_copy(root, 0, child, 0, tf_node_entries(child));
	tf_node_set_entries(root, tf_node_entries(child));
	return tf_tx_put_block(tx, nr, err);
}

/* Join children i and i+1 of a private node into one, or share their entries out evenly. */
static int join_or_even_out(struct tf_tx *tx, const struct tf_tree *tree, uint8_t *parent,
			    uint32_t i, struct error *err)
{
	uint8_t *left, *right;
	uint32_t n_left, n_right, total;
	uint64_t right_nr;

	if (tf_btree_shadow_child(tx, tree, parent, i, &left, err) < 0
	    || tf_btree_shadow_child(tx, tree, parent, i + 1, &right, err) < 0)
		return -1;
	if (tf_node_flags(left) != tf_node_flags(right))
		return error_set(err, ERR_INCONSISTENT, "leaves of the %s tree differ in depth",
				 tree->name);
	n_left = tf_node_entries(left);
	n_right = tf_node_entries(right);
	total = n_left + n_right;
	if (total < 2 * (tf_node_max(left) / 3 + 1)) {
		right_nr = tf_node_value64(parent, i + 1);
		tf_node_move_left(left, right, n_right);
		tf_node_close(parent, i + 1, 1);
		return tf_tx_put_block(tx, right_nr, err);
	}
	if (n_left < total / 2)
		tf_node_move_left(left, right, total / 2 - n_left);
	else
		tf_node_move_right(left, right, n_left - total / 2);
	tf_node_set_key(parent, i + 1, tf_node_key(right, 0));
	return 0;
}

/* See to it that the child that key belongs to can lose an entry. */
static int strengthen_child(struct tf_tx *tx, const struct tf_tree *tree, uint8_t *node,
			    uint64_t key, struct error *err)
{
	int i = tf_node_find(node, key);
	uint32_t at = i < 0 ? 0 : (uint32_t)i;
	const uint8_t *child = tf_btree_node(tx, tree, tf_node_value64(node, at), err);

	if (!child)
		return -1;
	if (tf_node_entries(child) > tf_node_max(child) / 3 || tf_node_entries(node) < 2)
		return 0;
	return join_or_even_out(tx, tree, node, at ? at - 1 : 0, err);
}

static int remove_from_leaf(struct tf_tx *tx, const struct tf_tree *tree, uint8_t *leaf,
			    uint64_t key, struct error *err)
{
	int i = tf_node_find(leaf, key);
	uint8_t value[32];

	assert(i >= 0 && tf_node_key(leaf, (uint32_t)i) == key);
	assert(tree->value_size <= sizeof(value));
	memcpy(value, tf_node_value(leaf, (uint32_t)i), tree->value_size);
	tf_node_close(leaf, (uint32_t)i, 1);
	return tree->dec ? tree->dec(tx, value, err) : 0;
}

int tf_btree_remove(struct tf_tx *tx, const struct tf_tree *tree, uint64_t *root, uint64_t key,
		    struct error *err)
{
	uint8_t value[32];
	uint8_t *node;
	int i, found = tf_btree_lookup(tx, tree, *root, key, value, err);

	if (found)
		return found;
	if (tf_btree_shadow(tx, tree, root, &node, err) < 0)
		return -1;
	while (!tf_node_is_leaf(node)) {
		if (strengthen_child(tx, tree, node, key, err) < 0)
			return -1;
		if (tf_node_entries(node) == 1) {
			if (absorb_child(tx, tree, node, err) < 0)
				return -1;
			continue;
		}
		i = tf_node_find(node, key);
		assert(i >= 0); /* the key is there, so some child holds it */
		if (tf_btree_shadow_child(tx, tree, node, (uint32_t)i, &node, err) < 0)
			return -1;
	}
	return remove_from_leaf(tx, tree, node, key, err);
}

/* ---- whole trees ---- */

static int drop_values(struct tf_tx *tx, const struct tf_tree *tree, const uint8_t *leaf,
		       struct error *err)
{
	uint32_t n = tf_node_entries(leaf);

	for (uint32_t i = 0; tree->dec && i < n; i++)
		if (tree->dec(tx, tf_node_value_const(leaf, i), err) < 0)
			return -1;
	return 0;
}

/* Recursion goes as deep as the tree, which TF_DEPTH_MAX bounds. */
static int drop_node(struct tf_tx *tx, const struct tf_tree *tree, uint64_t nr, unsigned depth,
		     struct error *err)
{
	cleanup_free uint8_t *copy = NULL;
	const uint8_t *node;
	uint32_t count;

	if (depth == TF_DEPTH_MAX)
		return tf_btree_too_deep(tree, err);
	if (tf_spacemap_count(&tx->metadata, nr, &count, err) < 0)
		return -1;
	if (count > 1)
		return tf_tx_put_block(tx, nr, err);
	node = tf_btree_node(tx, tree, nr, err);
	if (!node)
		return -1;
	if (tf_node_is_leaf(node)) {
		if (drop_values(tx, tree, node, err) < 0)
			return -1;
		return tf_tx_put_block(tx, nr, err);
	}
	copy = xmemdup(node, TF_BLOCK_BYTES);
	for (uint32_t i = 0; i < tf_node_entries(copy); i++)
		if (drop_node(tx, tree, tf_node_value64(copy, i), depth + 1, err) < 0)
			return -1;
	return tf_tx_put_block(tx, nr, err);
}

int tf_btree_drop(struct tf_tx *tx, const struct tf_tree *tree, uint64_t root, struct error *err)
{
	return drop_node(tx, tree, root, 0, err);
}
