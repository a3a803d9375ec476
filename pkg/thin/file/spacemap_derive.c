/* SPDX-License-Identifier: Apache-2.0 */
/* Counts from outside into the groups of a map, as if each had been loaded and changed. */
#include "pkg/thin/file/spacemap_derive.h"

#include <stdlib.h>

#include "pkg/base/alloc.h"

enum { GROUP_WORDS = TF_BITMAP_ENTRIES / 64 };

static void mark_busy(struct tf_sm_group *g, uint32_t i)
{
	g->busy[i / 64] |= UINT64_C(1) << i % 64;
	g->available--;
}

/* What has no count but may not be used is like a block that this transaction freed. */
static void enter(struct tf_spacemap *sm, struct tf_sm_group *g, uint32_t i, uint32_t count,
		  bool may_use)
{
	if (count || !may_use)
		mark_busy(g, i);
	if (!count) {
		sm->nr_held += !may_use;
		return;
	}
	tf_group_store(g, i, count);
	g->used++;
	sm->nr_allocated++;
	g->over += count >= TF_COUNT_OVERFLOW;
}

static void fill_group(struct tf_spacemap *sm, size_t n, const struct tf_sm_counts *from)
{
	struct tf_sm_group *g = &sm->groups[n];
	uint64_t base = (uint64_t)n * TF_BITMAP_ENTRIES;
	uint32_t end = tf_spacemap_group_blocks(sm, n);

	g->counts = xcalloc(TF_BITMAP_ENTRIES, 1);
	g->busy = xcalloc(GROUP_WORDS, sizeof(*g->busy));
	g->available = end;
	sm->n_loaded++;
	for (uint32_t i = 0; i < end; i++) {
		uint32_t count = from->count(from->context, base + i);

		enter(sm, g, i, count, !from->may_use || from->may_use(from->context, base + i));
	}
	tf_spacemap_touch(sm, g);
	g->over_committed = 0; /* no overflow entries are there that would have to go */
}

void tf_spacemap_derive(struct tf_spacemap *sm, uint64_t nr_blocks, const struct tf_sm_counts *from)
{
	struct tf_spacemap old = *sm;

	tf_spacemap_release(&old);
	*sm = (struct tf_spacemap){.name = old.name,
				   .tx = old.tx,
				   .nr_blocks = nr_blocks,
				   .n_groups = (size_t)tf_bitmaps_for(nr_blocks),
				   .on_dropped = old.on_dropped,
				   .on_freed = old.on_freed,
				   .context = old.context};
	sm->groups = xcalloc(sm->n_groups ? sm->n_groups : 1, sizeof(*sm->groups));
	for (size_t i = 0; i < sm->n_groups; i++)
		fill_group(sm, i, from);
}
