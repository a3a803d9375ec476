/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Removing keys, ranges of them and whole trees. Removal is one pass from the root down: a child at the least
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

/* One step down: to the child that key belongs to, private and able to lose an entry; or to the
 * same node, when that is a root which takes over its only child. */
static int step_down(struct tf_tx *tx, const struct tf_tree *tree, uint8_t **node, uint64_t key,
		     struct error *err)
{
	int i;

	if (strengthen_child(tx, tree, *node, key, err) < 0)
		return -1;
	if (tf_node_entries(*node) == 1)
		return absorb_child(tx, tree, *node, err);
	i = tf_node_find(*node, key);
	return tf_btree_shadow_child(tx, tree, *node, i < 0 ? 0 : (uint32_t)i, node, err);
}

/* Where a key is that a search has found: elsewhere only in a damaged tree. */
static int find_again(const struct tf_tree *tree, const uint8_t *leaf, uint64_t key, uint32_t *ret,
		      struct error *err)
{
	int i = tf_node_find(leaf, key);

	if (i < 0 || tf_node_key(leaf, (uint32_t)i) != key)
		return error_set(err, ERR_INCONSISTENT, "keys of the %s tree do not ascend",
				 tree->name);
	*ret = (uint32_t)i;
	return 0;
}

static int remove_from_leaf(struct tf_tx *tx, const struct tf_tree *tree, uint8_t *leaf,
			    uint64_t key, struct error *err)
{
	uint8_t value[32];
	uint32_t i = 0;

	if (find_again(tree, leaf, key, &i, err) < 0)
		return -1;
	assert(tree->value_size <= sizeof(value));
	memcpy(value, tf_node_value(leaf, i), tree->value_size);
	tf_node_close(leaf, i, 1);
	return tree->dec ? tree->dec(tx, value, err) : 0;
}

int tf_btree_remove(struct tf_tx *tx, const struct tf_tree *tree, uint64_t *root, uint64_t key,
		    struct error *err)
{
	uint8_t value[32];
	uint8_t *node;
	int found = tf_btree_lookup(tx, tree, *root, key, value, err);

	if (found)
		return found;
	if (tf_btree_shadow(tx, tree, root, &node, err) < 0)
		return -1;
	while (!tf_node_is_leaf(node))
		if (step_down(tx, tree, &node, key, err) < 0)
			return -1;
	return remove_from_leaf(tx, tree, node, key, err);
}

/* ---- ranges ---- */

struct range {
	uint64_t first, end; /* without end */
	uint64_t removed;
};

/* The child that key belongs to goes as a whole, if it is a leaf with nothing but the range in it.
 * 0, 1 = it is not, -1. */
static int remove_leaf(struct tf_tx *tx, const struct tf_tree *tree, uint8_t *node, uint64_t key,
		       struct range *range, struct error *err)
{
	int at = tf_node_find(node, key);
	uint32_t n, i = at < 0 ? 0 : (uint32_t)at;
	uint64_t nr = tf_node_value64(node, i);
	const uint8_t *leaf = tf_btree_node(tx, tree, nr, err);

	if (!leaf)
		return -1;
	n = tf_node_entries(leaf);
	if (!tf_node_is_leaf(leaf) || !n || tf_node_key(leaf, 0) < range->first
	    || tf_node_key(leaf, n - 1) >= range->end)
		return 1;
	tf_node_close(node, i, 1);
	range->removed = n;
	return tf_btree_drop(tx, tree, nr, err);
}

/* As many as the leaf can spare: a root all, others keep a third. */
static int remove_entries(struct tf_tx *tx, const struct tf_tree *tree, uint8_t *leaf, bool is_root,
			  uint64_t key, struct range *range, struct error *err)
{
	uint32_t entries = tf_node_entries(leaf), least = is_root ? 0 : tf_node_max(leaf) / 3;
	uint32_t spare = entries > least ? entries - least : 1, n = 0, i = 0;

	if (find_again(tree, leaf, key, &i, err) < 0)
		return -1;
	for (; n < spare && i + n < entries && tf_node_key(leaf, i + n) < range->end; n++)
		if (tree->dec && tree->dec(tx, tf_node_value(leaf, i + n), err) < 0)
			return -1;
	tf_node_close(leaf, i, n);
	range->removed = n;
	return 0;
}

/* One pass down a private root, towards a key that is there. */
static int remove_near(struct tf_tx *tx, const struct tf_tree *tree, uint8_t *root, uint64_t key,
		       struct range *range, struct error *err)
{
	uint8_t *node = root;
	int rc;

	while (!tf_node_is_leaf(node)) {
		/* A node other than the root can lose an entry, the root if another is left. */
		if (tf_node_entries(node) > 1) {
			rc = remove_leaf(tx, tree, node, key, range, err);
			if (rc <= 0)
				return rc;
		}
		if (step_down(tx, tree, &node, key, err) < 0)
			return -1;
	}
	return remove_entries(tx, tree, node, node == root, key, range, err);
}

int tf_btree_remove_some(struct tf_tx *tx, const struct tf_tree *tree, uint64_t *root,
			 uint64_t first, uint64_t end, uint64_t *ret_n, struct error *err)
{
	struct range range = {first, end, 0};
	struct tf_leaf leaf;
	uint8_t *node;
	uint64_t key;
	int rc = tf_btree_seek(tx, tree, *root, first, &leaf, err);

	if (rc)
		return rc;
	key = tf_node_key(leaf.node, leaf.i);
	if (key >= end)
		return 1;
	if (tf_btree_shadow(tx, tree, root, &node, err) < 0
	    || remove_near(tx, tree, node, key, &range, err) < 0)
		return -1;
	*ret_n = range.removed;
	if (!tf_node_is_leaf(node) && tf_node_entries(node) == 1)
		return absorb_child(tx, tree, node, err);
	return 0;
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
	for (uint32_t i = 0; i < tf_node_entries(copy); i++) {
		if (drop_node(tx, tree, tf_node_value64(copy, i), depth + 1, err) < 0)
			return -1;
		tf_cache_trim(&tx->cache); /* callers hold fresh nodes only, which stay */
	}
	return tf_tx_put_block(tx, nr, err);
}

int tf_btree_drop(struct tf_tx *tx, const struct tf_tree *tree, uint64_t root, struct error *err)
{
	return drop_node(tx, tree, root, 0, err);
}
