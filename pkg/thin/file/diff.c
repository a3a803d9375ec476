/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What two thin devices map differently. Both mapping trees are walked in step, from the smallest
 * key on; where both come to the same node, all below it is the same and nobody reads it. So the
 * cost is that of the difference, whatever the trees' sizes, heights and ways of splitting.
 */
#include <stdlib.h>
#include <string.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/thin/file/btree_internal.h"
#include "pkg/thin/file/pool_internal.h"

/* A node, or a mapping, and the keys that can be there: [first, last]. */
struct item {
	unsigned level; /* 0: a mapping, 1: a leaf, above: internal nodes */
	uint64_t first, last;
	uint64_t value; /* metadata block of the node, or the mapping */
};

/* The part of a tree that is still to be walked: the head, and what is right of it on its path. */
struct side {
	struct tf_tx *tx;
	bool done;
	struct item head;
	unsigned depth; /* nodes on the path */
	struct step {
		unsigned level;
		uint32_t i;
		uint64_t last;
		uint8_t node[TF_BLOCK_BYTES]; /* the cache's own is gone when it is trimmed */
	} * path;
};

struct range_list {
	struct thin_diff_range *items;
	size_t n, room;
};

/* ---- one side ---- */

/* The root's level: all leaves are at one depth, so any way down tells. */
static int find_level(struct tf_tx *tx, uint64_t root, unsigned *ret, struct error *err)
{
	uint64_t nr = root;

	for (*ret = 1; *ret <= TF_DEPTH_MAX; ++*ret) {
		const uint8_t *node = tf_btree_node(tx, &tf_tree_mappings, nr, err);

		if (!node)
			return -1;
		if (tf_node_is_leaf(node))
			return 0;
		nr = tf_node_value64(node, 0);
	}
	return tf_btree_too_deep(&tf_tree_mappings, err);
}

static int side_init(struct side *s, struct tf_tx *tx, uint64_t root, struct error *err)
{
	*s = (struct side){.tx = tx, .head = {.last = UINT64_MAX, .value = root}};
	if (find_level(tx, root, &s->head.level, err) < 0)
		return -1;
	s->path = xcalloc(s->head.level, sizeof(*s->path));
	return 0;
}

static void side_release(struct side *s)
{
	free(s->path);
}

/* Without this a damaged tree could send the walk in circles or back. */
static int check_node(const uint8_t *node, const struct item *it, struct error *err)
{
	uint32_t n = tf_node_entries(node);
	bool fine = tf_node_is_leaf(node) == (it->level == 1);

	for (uint32_t i = 0; fine && i < n; i++)
		fine = tf_node_key(node, i) >= it->first && tf_node_key(node, i) <= it->last
		       && (!i || tf_node_key(node, i) > tf_node_key(node, i - 1));
	if (fine)
		return 0;
	return error_set(err, ERR_INCONSISTENT,
			 "metadata block %llu has keys or a depth that do not fit its place",
			 (unsigned long long)it->value);
}

/* The head is the next entry on the path, if any is left. */
static void find_head(struct side *s)
{
	while (s->depth) {
		const struct step *at = &s->path[s->depth - 1];
		uint32_t n = tf_node_entries(at->node), i = at->i;

		if (i == n) {
			s->depth--;
			continue;
		}
		s->head.level = at->level - 1;
		s->head.first = s->head.last = tf_node_key(at->node, i);
		s->head.value = tf_node_value64(at->node, i);
		if (s->head.level)
			s->head.last = i + 1 < n ? tf_node_key(at->node, i + 1) - 1 : at->last;
		s->path[s->depth - 1].i++;
		return;
	}
	s->done = true;
}

/* The head is a node: look at what is below it. */
static int enter(struct side *s, struct error *err)
{
	const uint8_t *node = tf_btree_node(s->tx, &tf_tree_mappings, s->head.value, err);
	struct step *at = &s->path[s->depth];

	if (!node || check_node(node, &s->head, err) < 0)
		return -1;
	at->level = s->head.level;
	at->last = s->head.last;
	at->i = 0;
	memcpy(at->node, node, sizeof(at->node));
	tf_tx_trim(s->tx);
	s->depth++;
	find_head(s);
	return 0;
}

/* ---- both in step ---- */

static void add_block(struct range_list *list, uint64_t block, enum thin_diff_kind kind)
{
	struct thin_diff_range *last = list->n ? &list->items[list->n - 1] : NULL;

	if (last && last->kind == kind && last->first_block + last->nr_blocks == block) {
		last->nr_blocks++;
		return;
	}
	ALLOC_GROW(list->items, list->n + 1, list->room);
	list->items[list->n++] = (struct thin_diff_range){block, 1, kind};
}

/* The head has nothing beside it on the other side. */
static int take_alone(struct side *s, enum thin_diff_kind kind, struct range_list *list,
		      struct error *err)
{
	if (s->head.level)
		return enter(s, err);
	add_block(list, s->head.first, kind);
	find_head(s);
	return 0;
}

/* Both heads have keys in common. */
static int take_both(struct side *a, struct side *b, struct range_list *list, struct error *err)
{
	bool is_mapping = !a->head.level && !b->head.level;

	if (a->head.level > b->head.level)
		return enter(a, err);
	if (b->head.level > a->head.level)
		return enter(b, err);
	if (!is_mapping && a->head.value != b->head.value)
		return enter(a, err) < 0 ? -1 : enter(b, err);
	if (is_mapping && tf_mapping_block(a->head.value) != tf_mapping_block(b->head.value))
		add_block(list, a->head.first, THIN_DIFF_BOTH);
	find_head(a);
	find_head(b);
	return 0;
}

static int walk(struct side *a, struct side *b, struct range_list *list, struct error *err)
{
	int rc = 0;

	while (rc == 0 && !(a->done && b->done)) {
		if (b->done || (!a->done && a->head.last < b->head.first))
			rc = take_alone(a, THIN_DIFF_ONLY_A, list, err);
		else if (a->done || b->head.last < a->head.first)
			rc = take_alone(b, THIN_DIFF_ONLY_B, list, err);
		else
			rc = take_both(a, b, list, err);
	}
	return rc;
}

static int find_root(struct tf_pool *p, uint32_t id, uint64_t *ret, struct error *err)
{
	struct tf_device device;
	int rc = tf_device_find(p, id, &device, ret, err);

	if (rc == 1)
		return error_set(err, ERR_NOT_FOUND, "thin %u does not exist", id);
	return rc;
}

static int diff_once(struct tf_pool *p, uint32_t id_a, uint32_t id_b, struct range_list *list,
		     struct error *err)
{
	cleanup(side_release) struct side a = {0}, b = {0};
	uint64_t root_a, root_b;

	list->n = 0;
	if (find_root(p, id_a, &root_a, err) < 0 || find_root(p, id_b, &root_b, err) < 0)
		return -1;
	if (root_a == root_b)
		return 0;
	if (side_init(&a, &p->tx, root_a, err) < 0 || side_init(&b, &p->tx, root_b, err) < 0
	    || walk(&a, &b, list, err) < 0)
		return error_wrap(err, "thin %u beside thin %u", id_a, id_b);
	return 0;
}

int tf_diff_ranges(struct thin_pool *pool, uint32_t id_a, uint32_t id_b,
		   struct thin_diff_range **ret, size_t *ret_n, struct error *err)
{
	struct tf_pool *p = tf_pool_of(pool);
	struct range_list list = {0};
	unsigned tries = 0;
	int rc;

	if (tf_pool_ready(p, err) < 0)
		return -1;
	do {
		rc = diff_once(p, id_a, id_b, &list, err);
	} while (tf_pool_read_again(p, &tries, &rc, err));
	if (rc < 0) {
		free(list.items);
		return -1;
	}
	*ret = list.items;
	*ret_n = list.n;
	return 0;
}
