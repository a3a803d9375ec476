/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Searching, shadowing and inserting. Insertion is one pass from the root down: each full node on
 * the way is given room before it is entered, so that no split ever goes back up.
 */
#include "pkg/thin/file/btree.h"

#include <string.h>

#include "pkg/thin/file/btree_internal.h"
#include "pkg/thin/file/node.h"

/* A full node gives entries to a neighbour with at least this many free places. */
enum { WORTH_MOVING = 8 };

int tf_btree_too_deep(const struct tf_tree *tree, struct error *err)
{
	return error_set(err, ERR_INCONSISTENT, "the %s tree has a cycle", tree->name);
}

const uint8_t *tf_btree_node(struct tf_tx *tx, const struct tf_tree *tree, uint64_t nr,
			     struct error *err)
{
	const uint8_t *node = tf_cache_read(&tx->cache, nr, TF_NODE, err);
	uint32_t size;

	if (!node) {
		error_wrap(err, "%s tree", tree->name);
		return NULL;
	}
	size = tf_node_is_leaf(node) ? tree->value_size : TF_MAPPING_BYTES;
	if (tf_node_value_size(node) == size && tf_node_max(node) == tf_node_max_entries(size)
	    && (tf_node_is_leaf(node) || tf_node_entries(node)))
		return node;
	error_set(err, ERR_INCONSISTENT,
		  "metadata block %llu is no node of the %s tree (values of %u bytes, "
		  "%u entries of %u)",
		  (unsigned long long)nr, tree->name, tf_node_value_size(node),
		  tf_node_entries(node), tf_node_max(node));
	return NULL;
}

/* A shared node was copied: what it points at has one more parent now. */
static int inc_children(struct tf_tx *tx, const struct tf_tree *tree, const uint8_t *node,
			struct error *err)
{
	uint32_t n = tf_node_entries(node);

	for (uint32_t i = 0; i < n; i++) {
		if (!tf_node_is_leaf(node)) {
			if (tf_spacemap_inc(&tx->metadata, tf_node_value64(node, i), err) < 0)
				return -1;
		} else if (tree->inc) {
			if (tree->inc(tx, tf_node_value_const(node, i), err) < 0)
				return -1;
		}
	}
	return 0;
}

int tf_btree_shadow(struct tf_tx *tx, const struct tf_tree *tree, uint64_t *nr, uint8_t **ret_node,
		    struct error *err)
{
	const uint8_t *old = tf_btree_node(tx, tree, *nr, err);
	uint64_t copy_nr;
	uint8_t *copy;
	uint32_t count;

	if (!old || tf_spacemap_count(&tx->metadata, *nr, &count, err) < 0)
		return -1;
	if (count == 1 && tf_cache_is_fresh(&tx->cache, *nr)) {
		*ret_node = tf_cache_edit(&tx->cache, *nr);
		return 0;
	}
	if (tf_tx_new_block(tx, TF_NODE, &copy_nr, &copy, err) < 0)
		return -1;
	memcpy(copy, old, TF_BLOCK_BYTES);
	/* With one parent the references move along with the copy. */
	if (count > 1 && inc_children(tx, tree, copy, err) < 0)
		return -1;
	if (tf_tx_put_block(tx, *nr, err) < 0)
		return -1;
	*nr = copy_nr;
	*ret_node = copy;
	return 0;
}

int tf_btree_shadow_child(struct tf_tx *tx, const struct tf_tree *tree, uint8_t *parent, uint32_t i,
			  uint8_t **ret_child, struct error *err)
{
	uint64_t nr = tf_node_value64(parent, i);

	if (tf_btree_shadow(tx, tree, &nr, ret_child, err) < 0)
		return -1;
	tf_node_set_value64(parent, i, nr);
	return 0;
}

int tf_btree_empty(struct tf_tx *tx, const struct tf_tree *tree, uint64_t *ret_root,
		   struct error *err)
{
	uint8_t *node;

	if (tf_tx_new_block(tx, TF_NODE, ret_root, &node, err) < 0)
		return -1;
	tf_node_init(node, TF_NODE_LEAF, tree->value_size);
	return 0;
}

/* ---- searching ---- */

static int descend(struct tf_tx *tx, const struct tf_tree *tree, uint64_t root, uint64_t key,
		   struct tf_leaf *leaf, struct error *err)
{
	uint64_t nr = root;

	leaf->more = false;
	for (unsigned depth = 0; depth < TF_DEPTH_MAX; depth++) {
		const uint8_t *node = tf_btree_node(tx, tree, nr, err);
		uint32_t at;
		int i;

		if (!node)
			return -1;
		leaf->node = node;
		leaf->n = tf_node_entries(node);
		i = tf_node_find(node, key);
		at = i < 0 ? 0 : (uint32_t)i;
		if (tf_node_is_leaf(node)) {
			leaf->i = i >= 0 && tf_node_key(node, at) == key ? at : (uint32_t)(i + 1);
			return 0;
		}
		if (at + 1 < leaf->n) {
			leaf->more = true;
			leaf->next_key = tf_node_key(node, at + 1);
		}
		nr = tf_node_value64(node, at);
	}
	return tf_btree_too_deep(tree, err);
}

int tf_btree_lookup(struct tf_tx *tx, const struct tf_tree *tree, uint64_t root, uint64_t key,
		    void *ret, struct error *err)
{
	struct tf_leaf leaf;

	if (descend(tx, tree, root, key, &leaf, err) < 0)
		return -1;
	if (leaf.i == leaf.n || tf_node_key(leaf.node, leaf.i) != key)
		return 1;
	memcpy(ret, tf_node_value_const(leaf.node, leaf.i), tree->value_size);
	return 0;
}

int tf_btree_seek(struct tf_tx *tx, const struct tf_tree *tree, uint64_t root, uint64_t key,
		  struct tf_leaf *ret, struct error *err)
{
	for (;;) {
		if (descend(tx, tree, root, key, ret, err) < 0)
			return -1;
		if (ret->i < ret->n)
			return 0;
		if (!ret->more)
			return 1;
		if (ret->next_key <= key)
			return error_set(err, ERR_INCONSISTENT, "keys of the %s tree do not ascend",
					 tree->name);
		key = ret->next_key;
	}
}

/* ---- making room ---- */

/*
 * How many entries go to the right half of a split. Keys mostly come in ascending order: the
 * right one then starts at the least it may have, so that the left is not left half empty.
 */
static uint32_t split_share(const uint8_t *node, uint64_t key)
{
	uint32_t n = tf_node_entries(node);

	return key > tf_node_key(node, n - 1) ? tf_node_max(node) / 3 : n / 2;
}

/* A full root keeps its block and gets two children in the place of its entries. */
static int split_root(struct tf_tx *tx, uint8_t *root, uint64_t key, struct error *err)
{
	uint32_t flags = tf_node_flags(root), size = tf_node_value_size(root);
	uint32_t share = split_share(root, key);
	uint64_t left_nr, right_nr;
	uint8_t *left, *right;

	if (tf_tx_new_block(tx, TF_NODE, &left_nr, &left, err) < 0
	    || tf_tx_new_block(tx, TF_NODE, &right_nr, &right, err) < 0)
		return -1;
	tf_node_init(left, flags, size);
	tf_node_init(right, flags, size);
	tf_node_copy(left, 0, root, 0, tf_node_entries(root));
	tf_node_set_entries(left, tf_node_entries(root));
	tf_node_move_right(left, right, share);
	tf_node_init(root, TF_NODE_INTERNAL, TF_MAPPING_BYTES);
	tf_node_set_entries(root, 2);
	tf_node_set_key(root, 0, tf_node_key(left, 0));
	tf_node_set_value64(root, 0, left_nr);
	tf_node_set_key(root, 1, tf_node_key(right, 0));
	tf_node_set_value64(root, 1, right_nr);
	return 0;
}

static int split_child(struct tf_tx *tx, uint8_t *parent, uint32_t i, uint8_t *child, uint64_t key,
		       struct error *err)
{
	uint64_t right_nr;
	uint8_t *right;

	if (tf_tx_new_block(tx, TF_NODE, &right_nr, &right, err) < 0)
		return -1;
	tf_node_init(right, tf_node_flags(child), tf_node_value_size(child));
	tf_node_move_right(child, right, split_share(child, key));
	tf_node_open(parent, i + 1, 1);
	tf_node_set_key(parent, i + 1, tf_node_key(right, 0));
	tf_node_set_value64(parent, i + 1, right_nr);
	return 0;
}

/* Places free in neighbour i of a full node; 0 when moving entries there is not worth it, or
 * would unshare it. */
static int places_in(struct tf_tx *tx, const struct tf_tree *tree, const uint8_t *parent,
		     uint32_t i, uint32_t *ret, struct error *err)
{
	const uint8_t *node;
	uint32_t count, places;

	*ret = 0;
	if (i >= tf_node_entries(parent))
		return 0;
	node = tf_btree_node(tx, tree, tf_node_value64(parent, i), err);
	if (!node || tf_spacemap_count(&tx->metadata, tf_node_value64(parent, i), &count, err) < 0)
		return -1;
	places = tf_node_max(node) - tf_node_entries(node);
	if (count == 1 && places >= WORTH_MOVING)
		*ret = places;
	return 0;
}

/* Ascending keys go on filling the right node, so the left one is filled up for good. */
static uint32_t shift_share(const uint8_t *child, uint32_t places, uint64_t key)
{
	uint32_t spare = tf_node_entries(child) - tf_node_max(child) / 3;

	if (key > tf_node_key(child, tf_node_entries(child) - 1))
		return places < spare ? places : spare;
	return places / 2;
}

/* Make room in the full child i of a private parent that has room itself. */
static int make_room(struct tf_tx *tx, const struct tf_tree *tree, uint8_t *parent, uint32_t i,
		     uint8_t *child, uint64_t key, struct error *err)
{
	uint8_t *other;
	uint32_t places;

	if (i > 0) {
		if (places_in(tx, tree, parent, i - 1, &places, err) < 0)
			return -1;
		if (places) {
			if (tf_btree_shadow_child(tx, tree, parent, i - 1, &other, err) < 0)
				return -1;
			tf_node_move_left(other, child, shift_share(child, places, key));
			tf_node_set_key(parent, i, tf_node_key(child, 0));
			return 0;
		}
	}
	if (places_in(tx, tree, parent, i + 1, &places, err) < 0)
		return -1;
	if (places) {
		if (tf_btree_shadow_child(tx, tree, parent, i + 1, &other, err) < 0)
			return -1;
		tf_node_move_right(child, other, places / 2);
		tf_node_set_key(parent, i + 1, tf_node_key(other, 0));
		return 0;
	}
	return split_child(tx, parent, i, child, key, err);
}

/* ---- inserting ---- */

/* A leaf that has the key takes the new value without room. */
static bool needs_room(const uint8_t *node, uint64_t key)
{
	int i;

	if (tf_node_entries(node) < tf_node_max(node))
		return false;
	if (!tf_node_is_leaf(node))
		return true;
	i = tf_node_find(node, key);
	return i < 0 || tf_node_key(node, (uint32_t)i) != key;
}

/* Enter the child that the key belongs to, private and with room. */
static int enter_child(struct tf_tx *tx, const struct tf_tree *tree, uint8_t *node, uint64_t key,
		       uint8_t **ret, struct error *err)
{
	int i = tf_node_find(node, key);

	if (i < 0) {
		i = 0;
		tf_node_set_key(node, 0, key);
	}
	if (tf_btree_shadow_child(tx, tree, node, (uint32_t)i, ret, err) < 0)
		return -1;
	if (!needs_room(*ret, key))
		return 0;
	if (make_room(tx, tree, node, (uint32_t)i, *ret, key, err) < 0)
		return -1;
	i = tf_node_find(node, key);
	return tf_btree_shadow_child(tx, tree, node, (uint32_t)i, ret, err);
}

static int put_in_leaf(struct tf_tx *tx, const struct tf_tree *tree, uint8_t *leaf, uint64_t key,
		       const void *value, bool *ret_new, struct error *err)
{
	int i = tf_node_find(leaf, key);
	uint32_t at = (uint32_t)(i + 1);

	if (i >= 0 && tf_node_key(leaf, (uint32_t)i) == key) {
		uint8_t *old = tf_node_value(leaf, (uint32_t)i);

		if (tree->dec && !tree->equal(old, value) && tree->dec(tx, old, err) < 0)
			return -1;
		memcpy(old, value, tree->value_size);
		*ret_new = false;
		return 0;
	}
	tf_node_open(leaf, at, 1);
	tf_node_set_key(leaf, at, key);
	memcpy(tf_node_value(leaf, at), value, tree->value_size);
	*ret_new = true;
	return 0;
}

int tf_btree_insert(struct tf_tx *tx, const struct tf_tree *tree, uint64_t *root, uint64_t key,
		    const void *value, bool *ret_new, struct error *err)
{
	bool is_new;
	uint8_t *node;

	if (tf_btree_shadow(tx, tree, root, &node, err) < 0)
		return -1;
	if (needs_room(node, key) && split_root(tx, node, key, err) < 0)
		return -1;
	for (unsigned depth = 0; !tf_node_is_leaf(node); depth++) {
		if (depth == TF_DEPTH_MAX)
			return tf_btree_too_deep(tree, err);
		if (enter_child(tx, tree, node, key, &node, err) < 0)
			return -1;
	}
	return put_in_leaf(tx, tree, node, key, value, ret_new ? ret_new : &is_new, err);
}

int tf_btree_shadow_value(struct tf_tx *tx, const struct tf_tree *tree, uint64_t *root,
			  uint64_t key, uint8_t **ret_value, struct error *err)
{
	uint8_t *node;
	int i;

	if (tf_btree_shadow(tx, tree, root, &node, err) < 0)
		return -1;
	for (unsigned depth = 0; !tf_node_is_leaf(node); depth++) {
		if (depth == TF_DEPTH_MAX)
			return tf_btree_too_deep(tree, err);
		i = tf_node_find(node, key);
		if (i < 0)
			return 1;
		if (tf_btree_shadow_child(tx, tree, node, (uint32_t)i, &node, err) < 0)
			return -1;
	}
	i = tf_node_find(node, key);
	if (i < 0 || tf_node_key(node, (uint32_t)i) != key)
		return 1;
	*ret_value = tf_node_value(node, (uint32_t)i);
	return 0;
}
