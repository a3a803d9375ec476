/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The space maps against the trees: every two-bit count, the overflow trees, and the numbers
 * derived from them (nr_allocated, nr_free, none_free_before).
 */
#include "pkg/thin/file/fsck_internal.h"

#include <inttypes.h>
#include <stdlib.h>

#include "pkg/base/alloc.h"

/* ---- finding the bitmaps ---- */

static void space_init(struct fsck *f, struct fsck_space *space, uint64_t nr_max,
		       uint64_t bitmaps_max)
{
	uint64_t nr = space->root.nr_blocks < nr_max ? space->root.nr_blocks : nr_max;

	space->nr_bitmaps = tf_bitmaps_for(nr);
	if (space->root.nr_blocks > nr_max || space->nr_bitmaps > bitmaps_max)
		fsck_report(f, FSCK_SPACE_MAP_SIZE, fsck_at("%s space map", space->name),
			    "%" PRIu64 " blocks need %" PRIu64
			    " bitmaps, there is room for %" PRIu64,
			    space->root.nr_blocks, space->nr_bitmaps, bitmaps_max);
	if (space->nr_bitmaps > bitmaps_max)
		space->nr_bitmaps = bitmaps_max;
	space->bitmaps = xcalloc(space->nr_bitmaps + 1, sizeof(*space->bitmaps));
}

static bool all_zero(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i])
			return false;
	return true;
}

static void read_index_entry(struct fsck *f, uint32_t i, const uint8_t *p, uint64_t from)
{
	struct fsck_bitmap *bitmap = &f->metadata.bitmaps[i];
	uint32_t node;

	tf_index_entry_unpack(p, &bitmap->index);
	if (!bitmap->index.bitmap)
		return;
	bitmap->present = true;
	node = fsck_visit(f, USE_BITMAP, bitmap->index.bitmap, from);
	bitmap->usable = node && f->nodes[node].sound;
}

static void read_index(struct fsck *f)
{
	uint64_t root = f->metadata.root.bitmap_root;
	uint8_t b[TF_BLOCK_BYTES];

	if (!fsck_visit(f, USE_INDEX, root, 0))
		return;
	if (!fsck_read(f, TF_INDEX, root, b)) {
		f->metadata.lost = true;
		return;
	}
	if (get_le32(b + 4))
		fsck_report(f, FSCK_RESERVED, fsck_at_block(root),
			    "index block: padding %" PRIu32 " instead of 0", get_le32(b + 4));
	for (uint32_t i = 0; i < TF_INDEX_ENTRIES; i++) {
		const uint8_t *p = b + tf_index_entry_offset(i);

		if (i < f->metadata.nr_bitmaps)
			read_index_entry(f, i, p, root);
		else if (!all_zero(p, TF_INDEX_ENTRY_BYTES))
			fsck_report(f, FSCK_UNUSED_INDEX, fsck_at_block(root),
				    "index entry %" PRIu32 " of %" PRIu64 " names block %" PRIu64,
				    i, f->metadata.nr_bitmaps, get_le64(p));
	}
}

void fsck_space_init(struct fsck *f)
{
	f->metadata = (struct fsck_space){.name = "metadata",
					  .refcount = FSCK_METADATA_REFCOUNT,
					  .overflow = USE_METADATA_OVERFLOW,
					  .root = f->sb.metadata_sm};
	f->data = (struct fsck_space){.name = "data",
				      .refcount = FSCK_DATA_REFCOUNT,
				      .overflow = USE_DATA_OVERFLOW,
				      .root = f->sb.data_sm};
	space_init(f, &f->metadata, TF_METADATA_BLOCKS_MAX, TF_INDEX_ENTRIES);
	space_init(f, &f->data, TF_DATA_BLOCKS_MAX, f->nr_blocks);
}

void fsck_space_visit(struct fsck *f)
{
	read_index(f);
	fsck_visit(f, USE_DATA_INDEX, f->data.root.bitmap_root, 0);
	fsck_visit(f, USE_METADATA_OVERFLOW, f->metadata.root.overflow_root, 0);
	fsck_visit(f, USE_DATA_OVERFLOW, f->data.root.overflow_root, 0);
}

uint32_t *fsck_data_count(struct fsck *f, uint64_t block)
{
	uint64_t i = block / TF_BITMAP_ENTRIES;
	uint32_t **counts;

	if (block >= f->data.root.nr_blocks || i >= f->data.nr_bitmaps)
		return NULL;
	counts = &f->data.bitmaps[i].counts;
	if (!*counts)
		*counts = xcalloc(TF_BITMAP_ENTRIES, sizeof(**counts));
	return &(*counts)[block % TF_BITMAP_ENTRIES];
}

/* ---- overflow tree ---- */

struct overflow {
	uint64_t block;
	uint32_t count;
};

struct overflow_list {
	struct overflow *items;
	size_t n, room;
	size_t at; /* next one in the walk over the bitmaps */
};

static void add_overflow(struct fsck *f, uint64_t key, const uint8_t *value, void *arg)
{
	struct overflow_list *list = arg;

	(void)f;
	ALLOC_GROW(list->items, list->n + 1, list->room);
	list->items[list->n++] = (struct overflow){key, get_le32(value)};
}

static int by_block(const void *a, const void *b)
{
	uint64_t x = ((const struct overflow *)a)->block, y = ((const struct overflow *)b)->block;

	return (x > y) - (x < y);
}

static void read_overflow(struct fsck *f, struct fsck_space *space, struct overflow_list *list)
{
	fsck_each(f, space->overflow, space->root.overflow_root, FSCK_WALK_LIVE, add_overflow,
		  list);
	if (list->n)
		qsort(list->items, list->n, sizeof(*list->items), by_block);
	for (size_t i = 0; i < list->n; i++) {
		const struct overflow *o = &list->items[i];

		if (o->block >= space->root.nr_blocks)
			fsck_report(f, FSCK_OVERFLOW,
				    fsck_at("%s block %" PRIu64, space->name, o->block),
				    "in the overflow tree, there are %" PRIu64 " blocks",
				    space->root.nr_blocks);
		if (o->count < TF_COUNT_OVERFLOW)
			fsck_report(f, FSCK_OVERFLOW,
				    fsck_at("%s block %" PRIu64, space->name, o->block),
				    "count %" PRIu32 " in the overflow tree, it is for %d and more",
				    o->count, TF_COUNT_OVERFLOW);
	}
}

/* The overflow entry of a block, NULL if there is none; asked for in ascending order. */
static const struct overflow *overflow_of(struct overflow_list *list, uint64_t block)
{
	while (list->at < list->n && list->items[list->at].block < block)
		list->at++;
	if (list->at < list->n && list->items[list->at].block == block)
		return &list->items[list->at];
	return NULL;
}

/* ---- counts ---- */

static uint32_t expected(const struct fsck *f, const struct fsck_space *space, uint64_t block)
{
	const uint32_t *counts = space->bitmaps[block / TF_BITMAP_ENTRIES].counts;

	if (space == &f->metadata)
		return block < f->nr_blocks ? f->blocks[block].refs : 0;
	return counts ? counts[block % TF_BITMAP_ENTRIES] & FSCK_COUNT_MASK : 0;
}

static void check_count(struct fsck *f, struct fsck_space *space, struct overflow_list *list,
			uint64_t block, unsigned stored)
{
	const struct overflow *o = overflow_of(list, block);
	uint32_t want = expected(f, space, block);
	uint32_t have = stored == TF_COUNT_OVERFLOW && o ? o->count : stored;

	if ((stored == TF_COUNT_OVERFLOW) != (o != NULL))
		fsck_report(f, FSCK_OVERFLOW, fsck_at("%s block %" PRIu64, space->name, block),
			    "%u in the bitmap, %s the overflow tree with %" PRIu32, stored,
			    o ? "in" : "not in", o ? o->count : 0);
	if (have == want || (space->lost && have > want))
		return;
	fsck_report(f, space->refcount, fsck_at("%s block %" PRIu64, space->name, block),
		    "count %" PRIu32 " in the space map, %" PRIu32 " references", have, want);
}

struct tally {
	uint64_t allocated;
	bool complete;
};

static void check_hints(struct fsck *f, struct fsck_place here, const struct tf_index_entry *e,
			uint32_t used, uint32_t first_free, uint32_t valid)
{
	uint32_t want = TF_BITMAP_ENTRIES - used;

	if (e->nr_free != want)
		fsck_report(f, FSCK_NR_FREE, here, "nr_free %" PRIu32 " instead of %" PRIu32 "%s",
			    e->nr_free, want,
			    e->nr_free == valid - used ? ": counts the valid entries only" : "");
	if (e->none_free_before > first_free)
		fsck_report(f, FSCK_NONE_FREE_BEFORE, here,
			    "none_free_before %" PRIu32 ", entry %" PRIu32 " is free",
			    e->none_free_before, first_free);
}

static void check_past_end(struct fsck *f, struct fsck_place here, const uint8_t *b, uint32_t valid)
{
	uint32_t wrong = 0;

	for (uint32_t e = valid; e < TF_BITMAP_ENTRIES; e++)
		wrong += tf_bitmap_get(b, e) != 0;
	if (wrong)
		fsck_report(f, FSCK_BITS_PAST_END, here,
			    "%" PRIu32 " entries in use past the last one, %" PRIu32, wrong, valid);
}

static void check_bitmap(struct fsck *f, struct fsck_space *space, uint64_t i,
			 struct overflow_list *list, struct tally *tally)
{
	struct fsck_bitmap *bitmap = &space->bitmaps[i];
	struct fsck_place here = fsck_at("%s bitmap %" PRIu64, space->name, i);
	uint64_t first = i * TF_BITMAP_ENTRIES, left = space->root.nr_blocks - first;
	uint32_t valid = left < TF_BITMAP_ENTRIES ? (uint32_t)left : TF_BITMAP_ENTRIES;
	uint32_t used = 0, first_free = TF_BITMAP_ENTRIES;
	uint8_t b[TF_BLOCK_BYTES];

	if (!bitmap->present)
		fsck_report(f, FSCK_BITMAP_MISSING, here,
			    "no index entry, the map has %" PRIu64 " bitmaps", space->nr_bitmaps);
	if (!bitmap->usable || !fsck_read(f, TF_BITMAP, bitmap->index.bitmap, b)) {
		tally->complete = false;
		return;
	}
	if (space == &f->metadata)
		bitmap->stored = xmemdup(b, sizeof(b));
	for (uint32_t e = 0; e < valid; e++) {
		unsigned stored = tf_bitmap_get(b, e);

		used += stored != 0;
		if (!stored && first_free == TF_BITMAP_ENTRIES)
			first_free = e;
		check_count(f, space, list, first + e, stored);
	}
	tally->allocated += used;
	check_past_end(f, here, b, valid);
	check_hints(f, here, &bitmap->index, used, first_free, valid);
}

void fsck_space_check(struct fsck *f, struct fsck_space *space)
{
	struct overflow_list list = {0};
	struct tally tally = {.complete = true};

	read_overflow(f, space, &list);
	for (uint64_t i = 0; i < space->nr_bitmaps && !f->failed; i++)
		check_bitmap(f, space, i, &list, &tally);
	if (tally.complete && tally.allocated != space->root.nr_allocated)
		fsck_report(f, FSCK_NR_ALLOCATED, fsck_at("%s space map", space->name),
			    "nr_allocated %" PRIu64 ", blocks in use %" PRIu64,
			    space->root.nr_allocated, tally.allocated);
	free(list.items);
}
