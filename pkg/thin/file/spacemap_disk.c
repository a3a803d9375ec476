/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Space maps from and to metadata blocks. Writing the metadata map changes the metadata map: each
 * dirty bitmap moves to a new block once, which may make others dirty, until none is left; only
 * then are the contents filled in. Counts of 3 and more never come from this, so the overflow
 * trees are settled first.
 */
#include "pkg/thin/file/spacemap.h"

#include <string.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/thin/file/btree.h"
#include "pkg/thin/file/transaction.h"

/* How far past the blocks in use the index block may wander, see place_index(). */
enum { INDEX_WINDOW = 256 };

static bool is_metadata(const struct tf_spacemap *sm)
{
	return sm == &sm->tx->metadata;
}

static uint64_t group_base(size_t g)
{
	return (uint64_t)g * TF_BITMAP_ENTRIES;
}

/* ---- reading ---- */

int tf_spacemap_entry(struct tf_spacemap *sm, size_t g, struct tf_index_entry *ret,
		      struct error *err)
{
	uint8_t bytes[TF_INDEX_ENTRY_BYTES];
	const uint8_t *index;
	int rc;

	if (is_metadata(sm)) {
		index = tf_cache_read(&sm->tx->cache, sm->root.bitmap_root, TF_INDEX, err);
		if (!index)
			return -1;
		tf_index_entry_unpack(index + tf_index_entry_offset((uint32_t)g), ret);
		return 0;
	}
	rc = tf_btree_lookup(sm->tx, &tf_tree_index, sm->root.bitmap_root, g, bytes, err);
	if (rc == 1)
		return error_set(err, ERR_INCONSISTENT, "%s bitmap %zu is missing", sm->name, g);
	if (rc == 0)
		tf_index_entry_unpack(bytes, ret);
	return rc;
}

struct overflow_list {
	struct overflow {
		uint32_t i, count;
	} * items;
	size_t n, room;
};

static void overflow_list_release(struct overflow_list *list)
{
	free(list->items);
}

/* The overflow entries of a group at the last commit, ascending. */
static int read_overflow(struct tf_spacemap *sm, size_t g, struct overflow_list *list,
			 struct error *err)
{
	uint64_t key = group_base(g), end = key + tf_spacemap_group_blocks(sm, g);

	while (sm->root.overflow_root && key < end) {
		struct tf_leaf leaf;
		int rc = tf_btree_seek(sm->tx, &tf_tree_overflow, sm->root.overflow_root, key,
				       &leaf, err);

		if (rc)
			return rc < 0 ? -1 : 0;
		for (; leaf.i < leaf.n; leaf.i++) {
			struct overflow *o;

			key = tf_node_key(leaf.node, leaf.i);
			if (key >= end)
				return 0;
			ALLOC_GROW(list->items, list->n + 1, list->room);
			o = &list->items[list->n++];
			o->i = (uint32_t)(key - group_base(g));
			o->count = get_le32(tf_node_value_const(leaf.node, leaf.i));
		}
		key++;
	}
	return 0;
}

static void decode_bitmap(struct tf_sm_group *g, const uint8_t *bitmap, uint32_t n)
{
	g->counts = xcalloc(TF_BITMAP_ENTRIES, 1);
	g->busy = xcalloc(TF_BITMAP_ENTRIES / 64, sizeof(uint64_t));
	for (uint32_t i = 0; i < n; i++) {
		unsigned count;

		/* Most bytes of a young pool are zero: four free blocks. */
		if (i % 4 == 0 && !bitmap[TF_BITMAP_HEADER + i / 4]) {
			i += 3;
			continue;
		}
		count = tf_bitmap_get(bitmap, i);
		if (!count)
			continue;
		g->counts[i] = (uint8_t)count;
		g->busy[i / 64] |= UINT64_C(1) << i % 64;
		g->used++;
		g->over += count == TF_COUNT_OVERFLOW;
	}
	g->available = n - g->used;
}

static int apply_overflow(struct tf_spacemap *sm, size_t n, struct error *err)
{
	cleanup(overflow_list_release) struct overflow_list list = {0};
	struct tf_sm_group *g = &sm->groups[n];
	uint32_t matched = 0;

	if (!g->over)
		return 0;
	if (read_overflow(sm, n, &list, err) < 0)
		return -1;
	for (size_t k = 0; k < list.n; k++) {
		struct overflow *o = &list.items[k];

		if (tf_group_count(g, o->i) != TF_COUNT_OVERFLOW || o->count < TF_COUNT_OVERFLOW)
			continue; /* the bitmap decides */
		matched++;
		tf_group_store(g, o->i, o->count);
	}
	if (matched == g->over)
		return 0;
	return error_set(err, ERR_INCONSISTENT,
			 "%s bitmap %zu: %u counts of 3 or more, %u in the overflow tree", sm->name,
			 n, g->over, matched);
}

static uint32_t first_free(const struct tf_sm_group *g)
{
	uint32_t i = 0;

	while (i < TF_BITMAP_ENTRIES && tf_group_count(g, i))
		i++;
	return i;
}

/* Blocks in use by the index alone. */
static uint32_t hinted_used(const struct tf_index_entry *e)
{
	return e->nr_free <= TF_BITMAP_ENTRIES ? TF_BITMAP_ENTRIES - e->nr_free : 0;
}

int tf_spacemap_load(struct tf_spacemap *sm, size_t n, struct error *err)
{
	struct tf_sm_group *g = &sm->groups[n];
	struct tf_index_entry entry;
	const uint8_t *bitmap;

	if (tf_spacemap_entry(sm, n, &entry, err) < 0)
		return -1;
	bitmap = tf_cache_read(&sm->tx->cache, entry.bitmap, TF_BITMAP, err);
	if (!bitmap)
		return error_wrap(err, "%s bitmap %zu", sm->name, n);
	decode_bitmap(g, bitmap, tf_spacemap_group_blocks(sm, n));
	sm->n_loaded++;
	g->location = entry.bitmap;
	if (apply_overflow(sm, n, err) < 0) {
		tf_spacemap_unload(sm, g);
		return -1;
	}
	/* Both fields are hints, but wrong ones hide free blocks from the kernel. */
	if (entry.nr_free != TF_BITMAP_ENTRIES - g->used || entry.none_free_before > first_free(g))
		tf_spacemap_touch(sm, g);
	if (sm->settled)
		sm->nr_allocated += (uint64_t)g->used - hinted_used(&entry);
	return 0;
}

/* Blocks in use by the index, but by the bitmap where that is loaded. */
static int count_used(struct tf_spacemap *sm, uint64_t *ret, struct error *err)
{
	struct tf_index_entry entry;

	*ret = 0;
	for (size_t i = 0; i < sm->n_groups; i++) {
		if (sm->groups[i].busy) {
			*ret += sm->groups[i].used;
			continue;
		}
		if (tf_spacemap_entry(sm, i, &entry, err) < 0)
			return -1;
		*ret += hinted_used(&entry);
	}
	return 0;
}

static int load_from(struct tf_spacemap *sm, size_t first, struct error *err)
{
	for (size_t i = first; i < sm->n_groups; i++)
		if (!sm->groups[i].busy && tf_spacemap_load(sm, i, err) < 0)
			return -1;
	return 0;
}

int tf_spacemap_settle(struct tf_spacemap *sm, struct error *err)
{
	uint64_t used;

	if (!sm->n_groups)
		return 0;
	/* There are few bitmaps of metadata, and what thin_restore gets wrong in them adds up. */
	if (load_from(sm, is_metadata(sm) ? 0 : sm->n_groups - 1, err) < 0
	    || count_used(sm, &used, err) < 0)
		return -1;
	sm->settled = used == sm->nr_allocated;
	if (sm->settled)
		return 0;
	if (load_from(sm, 0, err) < 0 || count_used(sm, &used, err) < 0)
		return -1;
	if (used != sm->nr_allocated)
		tf_spacemap_touch(sm, &sm->groups[0]); /* so that there is something to commit */
	sm->nr_allocated = used;
	sm->settled = true;
	return 0;
}

/* ---- writing ---- */

static int set_overflow(struct tf_spacemap *sm, uint64_t block, uint32_t count, struct error *err)
{
	uint8_t value[TF_OVERFLOW_BYTES];
	int rc;

	if (count >= TF_COUNT_OVERFLOW) {
		put_le32(value, count);
		return tf_btree_insert(sm->tx, &tf_tree_overflow, &sm->overflow_root, block, value,
				       NULL, err);
	}
	rc = tf_btree_remove(sm->tx, &tf_tree_overflow, &sm->overflow_root, block, err);
	return rc < 0 ? -1 : 0;
}

/* Bring the overflow tree up to what a dirty group says: merge the old entries with the counts. */
static int write_overflow(struct tf_spacemap *sm, size_t n, struct error *err)
{
	cleanup(overflow_list_release) struct overflow_list old = {0};
	struct tf_sm_group *g = &sm->groups[n];
	size_t k = 0;

	if (!g->over && !g->over_committed)
		return 0;
	if (read_overflow(sm, n, &old, err) < 0)
		return -1;
	for (uint32_t i = 0; i < tf_spacemap_group_blocks(sm, n); i++) {
		uint32_t now = tf_group_count(g, i), before = 0;

		if (k < old.n && old.items[k].i == i)
			before = old.items[k++].count;
		if (now < TF_COUNT_OVERFLOW)
			now = 0;
		if (now != before && set_overflow(sm, group_base(n) + i, now, err) < 0)
			return -1;
	}
	return 0;
}

static int write_overflows(struct tf_spacemap *sm, struct error *err)
{
	if (!sm->overflow_root
	    && tf_btree_empty(sm->tx, &tf_tree_overflow, &sm->overflow_root, err) < 0)
		return -1;
	for (size_t i = 0; i < sm->n_groups; i++)
		if (sm->groups[i].dirty && write_overflow(sm, i, err) < 0)
			return -1;
	return 0;
}

/* A new place for a group's bitmap. The content comes last, see fill_bitmap(). */
static int move_bitmap(struct tf_spacemap *sm, struct tf_sm_group *g, struct error *err)
{
	uint64_t old = g->location;
	uint8_t *bitmap;

	if (tf_tx_new_block(sm->tx, TF_BITMAP, &g->location, &bitmap, err) < 0)
		return -1;
	g->moved = true;
	return old ? tf_tx_put_block(sm->tx, old, err) : 0;
}

static void fill_bitmap(struct tf_spacemap *sm, const struct tf_sm_group *g,
			struct tf_index_entry *ret)
{
	uint8_t *bitmap = tf_cache_edit(&sm->tx->cache, g->location);

	for (uint32_t i = 0; i < TF_BITMAP_ENTRIES; i++) {
		uint32_t count = tf_group_count(g, i);

		if (count)
			tf_bitmap_set(bitmap, i,
				      count < TF_COUNT_OVERFLOW ? count : TF_COUNT_OVERFLOW);
	}
	ret->bitmap = g->location;
	ret->nr_free = TF_BITMAP_ENTRIES - g->used;
	ret->none_free_before = first_free(g);
}

static void fill_root(const struct tf_spacemap *sm, struct tf_sm_root *ret)
{
	ret->nr_blocks = sm->nr_blocks;
	ret->nr_allocated = sm->nr_allocated;
	ret->bitmap_root = sm->bitmap_root;
	ret->overflow_root = sm->overflow_root;
}

int tf_spacemap_write_data(struct tf_spacemap *sm, struct tf_sm_root *ret, struct error *err)
{
	uint8_t bytes[TF_INDEX_ENTRY_BYTES];
	struct tf_index_entry entry;

	if (!sm->bitmap_root && tf_btree_empty(sm->tx, &tf_tree_index, &sm->bitmap_root, err) < 0)
		return -1;
	if (write_overflows(sm, err) < 0)
		return -1;
	for (size_t i = 0; i < sm->n_groups; i++) {
		if (!sm->groups[i].dirty)
			continue;
		if (move_bitmap(sm, &sm->groups[i], err) < 0)
			return -1;
		fill_bitmap(sm, &sm->groups[i], &entry);
		tf_index_entry_pack(&entry, bytes);
		if (tf_btree_insert(sm->tx, &tf_tree_index, &sm->bitmap_root, i, bytes, NULL, err)
		    < 0)
			return -1;
	}
	fill_root(sm, ret);
	return 0;
}

/*
 * The index block walks through the free blocks, commit by commit, instead of going to and fro
 * between two places: so no superblock for hundreds of commits is byte for byte like an earlier
 * one, and a reader that compares superblocks cannot miss that there were two commits.
 */
static int place_index(struct tf_spacemap *sm, uint8_t **ret_block, struct error *err)
{
	uint64_t cursor = sm->cursor, old = sm->bitmap_root;

	sm->cursor = old + 1;
	if (sm->cursor >= sm->nr_blocks || sm->cursor > sm->nr_allocated + INDEX_WINDOW)
		sm->cursor = 0;
	if (tf_tx_new_block(sm->tx, TF_INDEX, &sm->bitmap_root, ret_block, err) < 0)
		return -1;
	sm->cursor = cursor;
	return old ? tf_tx_put_block(sm->tx, old, err) : 0;
}

static int move_bitmaps(struct tf_spacemap *sm, struct error *err)
{
	bool again;

	do {
		again = false;
		for (size_t i = 0; i < sm->n_groups; i++) {
			if (!sm->groups[i].dirty || sm->groups[i].moved)
				continue;
			if (move_bitmap(sm, &sm->groups[i], err) < 0)
				return -1;
			again = true;
		}
	} while (again);
	return 0;
}

int tf_spacemap_write_metadata(struct tf_spacemap *sm, struct tf_sm_root *ret, struct error *err)
{
	const uint8_t *old = NULL;
	struct tf_index_entry entry;
	uint8_t *index;

	if (!sm->n_dirty) {
		fill_root(sm, ret);
		return 0;
	}
	if (write_overflows(sm, err) < 0 || place_index(sm, &index, err) < 0
	    || move_bitmaps(sm, err) < 0)
		return -1;
	if (sm->root.bitmap_root) {
		old = tf_cache_read(&sm->tx->cache, sm->root.bitmap_root, TF_INDEX, err);
		if (!old)
			return -1;
	}
	for (uint32_t i = 0; i < sm->n_groups; i++) {
		uint8_t *at = index + tf_index_entry_offset(i);

		if (sm->groups[i].moved) {
			fill_bitmap(sm, &sm->groups[i], &entry);
			tf_index_entry_pack(&entry, at);
		} else if (old) {
			memcpy(at, old + tf_index_entry_offset(i), TF_INDEX_ENTRY_BYTES);
		}
	}
	fill_root(sm, ret);
	return 0;
}
