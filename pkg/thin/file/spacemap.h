/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reference counts of the blocks of one device (metadata or data), and allocation.
 *
 * Counts live in groups of 16320 blocks, one bitmap block on disk each, loaded when first needed.
 * A group that changes keeps a snapshot of which blocks were in use at the last commit: a block
 * is handed out only when it is free now and was free then, so that the committed state stays
 * whole until the next superblock is down.
 *
 *   root ── index ──┬ bitmap of group 0     2 bits a block: 0, 1, 2, "3 or more"
 *                   ├ bitmap of group 1
 *        ── overflow tree                   block -> count, for counts of 3 and more
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pkg/base/error.h"
#include "pkg/thin/file/fault_internal.h"
#include "pkg/thin/file/format.h"

struct tf_tx;

struct tf_sm_group {
	uint8_t *counts;     /* NULL while not loaded or when a count went above 255 ... */
	uint32_t *wide;	     /* ... and they are here */
	uint64_t *busy;	     /* bit set: may not be handed out */
	uint64_t *committed; /* bit set: in use at the last commit; only while dirty */
	uint64_t location;   /* bitmap block of the last commit, 0 = none yet */
	uint32_t used;	     /* counts above 0 */
	uint32_t available;  /* bits clear in busy */
	uint32_t over;	     /* counts of 3 and more */
	uint32_t over_committed;
	bool dirty, moved; /* moved: has its new bitmap block in the commit under way */
};

struct tf_spacemap {
	const char *name;	/* "data" or "metadata" */
	struct tf_tx *tx;	/* where bitmaps and trees are */
	struct tf_sm_root root; /* as of the last commit; all zero before the first */
	uint64_t nr_blocks, nr_allocated;
	uint64_t nr_held; /* freed in this transaction, to be handed out after the commit */
	uint64_t bitmap_root, overflow_root; /* as edited by the commit under way */
	struct tf_sm_group *groups;
	size_t n_groups, n_loaded, n_dirty;
	bool settled;	     /* see tf_spacemap_settle() */
	uint64_t over_dirty; /* overflow entries of dirty groups, before and after */
	uint64_t cursor;     /* the search starts here; 0 after each commit, so that allocation
				depends on nothing but the disk and the calls since */

	struct tf_full_hook hook;

	/* Freed and taken in one transaction: written, but neither committed nor in use. */
	void (*on_dropped)(void *context, uint64_t block);
	/* Runs that the last commit freed for good. */
	void (*on_freed)(void *context, uint64_t first, uint64_t n);
	void *context;
};

/* @root: from the superblock, or NULL for a new, empty map that is filled by tf_spacemap_grow(). */
void tf_spacemap_init(struct tf_spacemap *sm, const char *name, struct tf_tx *tx,
		      const struct tf_sm_root *root);
void tf_spacemap_release(struct tf_spacemap *sm);

MUST_CHECK int tf_spacemap_count(struct tf_spacemap *sm, uint64_t block, uint32_t *ret,
				 struct error *err);
MUST_CHECK int tf_spacemap_inc(struct tf_spacemap *sm, uint64_t block, struct error *err);
/* @ret_now: the count that is left; may be NULL. */
MUST_CHECK int tf_spacemap_dec(struct tf_spacemap *sm, uint64_t block, uint32_t *ret_now,
			       struct error *err);

/*
 * Hand out up to `want` adjacent blocks with count 1: the first free place from the cursor on,
 * wrapping once. @ret_n: at least 1. Errors: ERR_NO_SPACE.
 */
MUST_CHECK int tf_spacemap_alloc(struct tf_spacemap *sm, uint64_t want, uint64_t *ret_first,
				 uint64_t *ret_n, struct error *err);

/* Blocks that can be handed out before the next commit. */
uint64_t tf_spacemap_available(const struct tf_spacemap *sm);

/* At most this many metadata blocks go into writing the map out as it stands. */
uint64_t tf_spacemap_commit_need(const struct tf_spacemap *sm);

/* More blocks, all free. */
MUST_CHECK int tf_spacemap_grow(struct tf_spacemap *sm, uint64_t nr_blocks, struct error *err);

/* The transaction is durable: what it freed can be handed out. */
void tf_spacemap_committed(struct tf_spacemap *sm);

/* Runs of blocks that are in use now and were free at the last commit. */
void tf_spacemap_each_new(const struct tf_spacemap *sm,
			  void (*each)(void *context, uint64_t first, uint64_t n), void *context);

/* Keep memory bounded by unloading clean groups. */
void tf_spacemap_trim(struct tf_spacemap *sm);

/* How many blocks group g has: 16320 but for the last. */
uint32_t tf_spacemap_group_blocks(const struct tf_spacemap *sm, size_t g);

/* A loaded group: the count of entry i, setting it with nothing else changed, forgetting all, and
 * marking for the next write-out. */
uint32_t tf_group_count(const struct tf_sm_group *g, uint32_t i);
void tf_group_store(struct tf_sm_group *g, uint32_t i, uint32_t count);
void tf_spacemap_unload(struct tf_spacemap *sm, struct tf_sm_group *g);
void tf_spacemap_touch(struct tf_spacemap *sm, struct tf_sm_group *g);

/* ---- spacemap_disk.c ---- */

/* Make sure that group g is loaded. Damaged hints mark it dirty, so that they get repaired. */
MUST_CHECK int tf_spacemap_load(struct tf_spacemap *sm, size_t g, struct error *err);

/* The bitmap's place and hints, from the index. */
MUST_CHECK int tf_spacemap_entry(struct tf_spacemap *sm, size_t g, struct tf_index_entry *ret,
				 struct error *err);

/*
 * When a pool is opened for writing: put right what other tools are known to write wrong and the
 * kernel believes, the hints and the number of blocks in use. Looks at all bitmaps of metadata, of
 * data at the last one, and at the others where the index does not add up; a bitmap that is looked
 * at later corrects the number by as much as its own hint was wrong. The next commit writes it.
 */
MUST_CHECK int tf_spacemap_settle(struct tf_spacemap *sm, struct error *err);

/*
 * Write the dirty groups of the data map, then of the metadata map, into fresh metadata blocks.
 * Nothing may be allocated afterwards. @ret: for the superblock.
 */
MUST_CHECK int tf_spacemap_write_data(struct tf_spacemap *sm, struct tf_sm_root *ret,
				      struct error *err);
MUST_CHECK int tf_spacemap_write_metadata(struct tf_spacemap *sm, struct tf_sm_root *ret,
					  struct error *err);
