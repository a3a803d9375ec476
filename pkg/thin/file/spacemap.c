/* SPDX-License-Identifier: Apache-2.0 */
/* The counts in memory. Knows nothing of how bitmaps and trees look on disk. */
#include "pkg/thin/file/spacemap.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "pkg/base/alloc.h"
#include "pkg/thin/file/transaction.h"

enum {
	GROUP_WORDS = TF_BITMAP_ENTRIES / 64, /* 255, no bits left over */
	GROUPS_KEPT = 512,		      /* loaded, when clean: 10 MiB */
};

_Static_assert(TF_BITMAP_ENTRIES % 64 == 0, "a group is whole words");

void tf_spacemap_init(struct tf_spacemap *sm, const char *name, struct tf_tx *tx,
		      const struct tf_sm_root *root)
{
	*sm = (struct tf_spacemap){.name = name, .tx = tx};
	if (!root)
		return;
	sm->root = *root;
	sm->nr_blocks = root->nr_blocks;
	sm->nr_allocated = root->nr_allocated;
	sm->bitmap_root = root->bitmap_root;
	sm->overflow_root = root->overflow_root;
	sm->n_groups = (size_t)tf_bitmaps_for(root->nr_blocks);
	if (sm->n_groups)
		sm->groups = xcalloc(sm->n_groups, sizeof(*sm->groups));
}

void tf_spacemap_unload(struct tf_spacemap *sm, struct tf_sm_group *g)
{
	sm->n_loaded -= g->busy != NULL;
	free(g->counts);
	free(g->wide);
	free(g->busy);
	free(g->committed);
	*g = (struct tf_sm_group){0};
}

void tf_spacemap_release(struct tf_spacemap *sm)
{
	for (size_t i = 0; i < sm->n_groups; i++)
		tf_spacemap_unload(sm, &sm->groups[i]);
	free(sm->groups);
	sm->groups = NULL;
	sm->n_groups = 0;
}

uint32_t tf_spacemap_group_blocks(const struct tf_spacemap *sm, size_t g)
{
	uint64_t left = sm->nr_blocks - (uint64_t)g * TF_BITMAP_ENTRIES;

	return left < TF_BITMAP_ENTRIES ? (uint32_t)left : TF_BITMAP_ENTRIES;
}

static bool bit_get(const uint64_t *bits, uint32_t i)
{
	return bits[i / 64] >> i % 64 & 1;
}

static void bit_set(uint64_t *bits, uint32_t i)
{
	bits[i / 64] |= UINT64_C(1) << i % 64;
}

static void bit_clear(uint64_t *bits, uint32_t i)
{
	bits[i / 64] &= ~(UINT64_C(1) << i % 64);
}

uint32_t tf_group_count(const struct tf_sm_group *g, uint32_t i)
{
	return g->wide ? g->wide[i] : g->counts[i];
}

static void widen(struct tf_sm_group *g)
{
	g->wide = xcalloc(TF_BITMAP_ENTRIES, sizeof(*g->wide));
	for (uint32_t i = 0; i < TF_BITMAP_ENTRIES; i++)
		g->wide[i] = g->counts[i];
	free(g->counts);
	g->counts = NULL;
}

void tf_group_store(struct tf_sm_group *g, uint32_t i, uint32_t count)
{
	if (!g->wide && count > UINT8_MAX)
		widen(g);
	if (g->wide)
		g->wide[i] = count;
	else
		g->counts[i] = (uint8_t)count;
}

void tf_spacemap_touch(struct tf_spacemap *sm, struct tf_sm_group *g)
{
	if (g->dirty)
		return;
	/* While a group is clean, busy is exactly what is in use. */
	g->committed = xmemdup(g->busy, GROUP_WORDS * sizeof(uint64_t));
	g->dirty = true;
	g->over_committed = g->over;
	sm->over_dirty += 2 * (uint64_t)g->over;
	sm->n_dirty++;
}

static void taken(struct tf_spacemap *sm, struct tf_sm_group *g, uint32_t i)
{
	g->used++;
	sm->nr_allocated++;
	if (bit_get(g->busy, i)) { /* freed in this transaction, and wanted again */
		sm->nr_held--;
		return;
	}
	g->available--;
	bit_set(g->busy, i);
}

static void freed(struct tf_spacemap *sm, struct tf_sm_group *g, uint32_t i)
{
	g->used--;
	sm->nr_allocated--;
	if (bit_get(g->committed, i)) {
		sm->nr_held++;
		return;
	}
	g->available++;
	bit_clear(g->busy, i);
	if (sm->on_dropped)
		sm->on_dropped(sm->context, (uint64_t)(g - sm->groups) * TF_BITMAP_ENTRIES + i);
}

static void change(struct tf_spacemap *sm, struct tf_sm_group *g, uint32_t i, uint32_t count)
{
	uint32_t old = tf_group_count(g, i);

	tf_spacemap_touch(sm, g);
	tf_group_store(g, i, count);
	if (!old && count)
		taken(sm, g, i);
	if (old && !count)
		freed(sm, g, i);
	if (old < TF_COUNT_OVERFLOW && count >= TF_COUNT_OVERFLOW) {
		g->over++;
		sm->over_dirty++;
	}
	if (old >= TF_COUNT_OVERFLOW && count < TF_COUNT_OVERFLOW) {
		g->over--;
		sm->over_dirty--;
	}
}

/* The loaded group that a block is in; NULL after an error. */
static struct tf_sm_group *group_of(struct tf_spacemap *sm, uint64_t block, struct error *err)
{
	size_t g = (size_t)(block / TF_BITMAP_ENTRIES);

	if (block >= sm->nr_blocks) {
		error_set(err, ERR_INCONSISTENT, "%s block %llu is past the end (%llu)", sm->name,
			  (unsigned long long)block, (unsigned long long)sm->nr_blocks);
		return NULL;
	}
	if (!sm->groups[g].busy && tf_spacemap_load(sm, g, err) < 0)
		return NULL;
	return &sm->groups[g];
}

static uint32_t in_group(uint64_t block)
{
	return (uint32_t)(block % TF_BITMAP_ENTRIES);
}

int tf_spacemap_count(struct tf_spacemap *sm, uint64_t block, uint32_t *ret, struct error *err)
{
	struct tf_sm_group *g = group_of(sm, block, err);

	if (!g)
		return -1;
	*ret = tf_group_count(g, in_group(block));
	return 0;
}

int tf_spacemap_inc(struct tf_spacemap *sm, uint64_t block, struct error *err)
{
	struct tf_sm_group *g = group_of(sm, block, err);
	uint32_t count;

	if (!g)
		return -1;
	count = tf_group_count(g, in_group(block));
	if (count == UINT32_MAX)
		return error_set(err, ERR_INCONSISTENT, "%s block %llu: count is at its limit",
				 sm->name, (unsigned long long)block);
	change(sm, g, in_group(block), count + 1);
	return 0;
}

int tf_spacemap_dec(struct tf_spacemap *sm, uint64_t block, uint32_t *ret_now, struct error *err)
{
	struct tf_sm_group *g = group_of(sm, block, err);
	uint32_t count;

	if (!g)
		return -1;
	count = tf_group_count(g, in_group(block));
	if (!count)
		return error_set(err, ERR_INCONSISTENT,
				 "%s block %llu is in use but counted as free", sm->name,
				 (unsigned long long)block);
	change(sm, g, in_group(block), count - 1);
	if (ret_now)
		*ret_now = count - 1;
	return 0;
}

/* ---- allocation ---- */

/* The first bit clear at or after `from` and before `end`; end if there is none. */
static uint32_t next_clear(const uint64_t *bits, uint32_t from, uint32_t end)
{
	while (from < end) {
		uint64_t clear = ~bits[from / 64] >> from % 64;

		if (clear) {
			from += (uint32_t)__builtin_ctzll(clear);
			return from < end ? from : end;
		}
		from = (from / 64 + 1) * 64;
	}
	return end;
}

/* 0 found, 1 nothing there, -1. Groups whose index entry says "full" are not even loaded at the
 * first attempt; entries written by others may be wrong, so there is a second. */
static int find_free(struct tf_spacemap *sm, uint64_t from, uint64_t end, bool trust_hints,
		     uint64_t *ret, struct error *err)
{
	while (from < end) {
		size_t n = (size_t)(from / TF_BITMAP_ENTRIES);
		struct tf_sm_group *g = &sm->groups[n];
		uint64_t base = (uint64_t)n * TF_BITMAP_ENTRIES;
		uint64_t stop = base + tf_spacemap_group_blocks(sm, n);
		struct tf_index_entry entry = {.nr_free = 1};
		uint32_t i;

		if (stop > end)
			stop = end;
		if (!g->busy && trust_hints && tf_spacemap_entry(sm, n, &entry, err) < 0)
			return -1;
		if (entry.nr_free && !g->busy && tf_spacemap_load(sm, n, err) < 0)
			return -1;
		if (g->busy && g->available) {
			i = next_clear(g->busy, (uint32_t)(from - base), (uint32_t)(stop - base));
			if (base + i < stop) {
				*ret = base + i;
				return 0;
			}
		}
		from = stop;
	}
	return 1;
}

static int find_wrapping(struct tf_spacemap *sm, uint64_t *ret, struct error *err)
{
	bool full = sm->hook.full && sm->hook.full(sm->hook.context, sm->name);

	for (int trust_hints = 1; !full && trust_hints >= 0; trust_hints--) {
		int rc = find_free(sm, sm->cursor, sm->nr_blocks, trust_hints, ret, err);

		if (rc == 1)
			rc = find_free(sm, 0, sm->cursor, trust_hints, ret, err);
		if (rc <= 0)
			return rc;
	}
	error_set(err, ERR_NO_SPACE, "pool %s is full (%llu of %llu blocks in use)", sm->name,
		  (unsigned long long)sm->nr_allocated, (unsigned long long)sm->nr_blocks);
	return error_set_detail(err, ERR_DETAIL_POOL_FULL);
}

int tf_spacemap_alloc(struct tf_spacemap *sm, uint64_t want, uint64_t *ret_first, uint64_t *ret_n,
		      struct error *err)
{
	uint64_t first, n = 0;

	assert(want);
	if (find_wrapping(sm, &first, err) < 0)
		return -1;
	while (n < want && first + n < sm->nr_blocks) {
		struct tf_sm_group *g = group_of(sm, first + n, err);

		if (!g)
			return -1;
		if (bit_get(g->busy, in_group(first + n)))
			break;
		change(sm, g, in_group(first + n), 1);
		n++;
	}
	sm->cursor = first + n == sm->nr_blocks ? 0 : first + n;
	*ret_first = first;
	*ret_n = n;
	return 0;
}

uint64_t tf_spacemap_available(const struct tf_spacemap *sm)
{
	uint64_t taken_blocks = sm->nr_allocated + sm->nr_held;

	return taken_blocks < sm->nr_blocks ? sm->nr_blocks - taken_blocks : 0;
}

/*
 * Each dirty group: a bitmap and a leaf of the index. The overflow entries of these groups, as
 * they were and as they are, lie in so many leaves of at least a third of 336, two more at the
 * ends of each group, and the nodes above.
 */
uint64_t tf_spacemap_commit_need(const struct tf_spacemap *sm)
{
	uint64_t least = tf_node_max_entries(TF_OVERFLOW_BYTES) / 3;
	uint64_t overflow = sm->over_dirty / least + (sm->over_dirty ? 2 * sm->n_dirty + 8 : 0);

	return 2 * sm->n_dirty + overflow + 8;
}

/* ---- size and the end of a transaction ---- */

int tf_spacemap_grow(struct tf_spacemap *sm, uint64_t nr_blocks, struct error *err)
{
	size_t old = sm->n_groups, now = (size_t)tf_bitmaps_for(nr_blocks);
	uint32_t before;

	assert(nr_blocks >= sm->nr_blocks);
	/* The last bitmap gets more blocks; its hints are set right on this occasion. */
	if (old && nr_blocks > sm->nr_blocks) {
		if (!sm->groups[old - 1].busy && tf_spacemap_load(sm, old - 1, err) < 0)
			return -1;
		tf_spacemap_touch(sm, &sm->groups[old - 1]);
		before = tf_spacemap_group_blocks(sm, old - 1);
		sm->nr_blocks = nr_blocks;
		sm->groups[old - 1].available += tf_spacemap_group_blocks(sm, old - 1) - before;
	}
	sm->nr_blocks = nr_blocks;
	sm->groups = xrealloc(sm->groups, now ? now : 1, sizeof(*sm->groups));
	sm->n_groups = now;
	for (size_t i = old; i < now; i++) {
		struct tf_sm_group *g = &sm->groups[i];

		*g = (struct tf_sm_group){.available = tf_spacemap_group_blocks(sm, i)};
		g->counts = xcalloc(TF_BITMAP_ENTRIES, 1);
		g->busy = xcalloc(GROUP_WORDS, sizeof(uint64_t));
		sm->n_loaded++;
		tf_spacemap_touch(sm, g);
	}
	return 0;
}

/* Runs of a dirty group that were in use at the last commit or not, and are the opposite now. */
static void each_changed(const struct tf_spacemap *sm, size_t n, bool was_used,
			 void (*each)(void *context, uint64_t first, uint64_t n), void *context)
{
	const struct tf_sm_group *g = &sm->groups[n];
	uint64_t base = (uint64_t)n * TF_BITMAP_ENTRIES;
	uint32_t end = tf_spacemap_group_blocks(sm, n);

	for (uint32_t i = 0, from; i < end; i++) {
		from = i;
		while (i < end && bit_get(g->committed, i) == was_used
		       && !tf_group_count(g, i) == was_used)
			i++;
		if (i > from)
			each(context, base + from, i - from);
	}
}

void tf_spacemap_each_new(const struct tf_spacemap *sm,
			  void (*each)(void *context, uint64_t first, uint64_t n), void *context)
{
	for (size_t i = 0; i < sm->n_groups; i++)
		if (sm->groups[i].dirty)
			each_changed(sm, i, false, each, context);
}

static void group_committed(struct tf_spacemap *sm, size_t n)
{
	struct tf_sm_group *g = &sm->groups[n];

	if (sm->on_freed)
		each_changed(sm, n, true, sm->on_freed, sm->context);
	for (uint32_t i = 0; i < TF_BITMAP_ENTRIES; i++)
		if (bit_get(g->committed, i) && !tf_group_count(g, i))
			bit_clear(g->busy, i);
	free(g->committed);
	g->committed = NULL;
	g->available = tf_spacemap_group_blocks(sm, n) - g->used;
	g->dirty = g->moved = false;
}

void tf_spacemap_committed(struct tf_spacemap *sm)
{
	for (size_t i = 0; i < sm->n_groups; i++)
		if (sm->groups[i].dirty)
			group_committed(sm, i);
	sm->n_dirty = 0;
	sm->over_dirty = 0;
	sm->nr_held = 0;
	sm->cursor = 0;
	sm->root = (struct tf_sm_root){sm->nr_blocks, sm->nr_allocated, sm->bitmap_root,
				       sm->overflow_root};
}

void tf_spacemap_trim(struct tf_spacemap *sm)
{
	if (sm->n_loaded - sm->n_dirty <= GROUPS_KEPT)
		return;
	for (size_t i = 0; i < sm->n_groups; i++)
		if (!sm->groups[i].dirty)
			tf_spacemap_unload(sm, &sm->groups[i]);
}
