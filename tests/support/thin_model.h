/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pool of thin devices as plain bytes: what a real one must read like after any operation,
 * commit, abort or cut. Knows one thing of dm-thin beyond bytes: a block that is not shared is
 * overwritten in place, so such a write outlives an abort, and after a cut any of its sectors may
 * be as it was before or after.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pkg/thin/pool.h"

struct model_block {
	unsigned refs;
	uint8_t *bytes;
	/* What it held before each write in place since the last commit. */
	uint8_t **versions;
	size_t n_versions, versions_room;
	struct model_block *twin; /* while a model is copied */
};

struct model_thin {
	bool exists;
	uint64_t mapped;
	struct model_block **blocks; /* NULL = not mapped */
	bool *shared;		     /* the next write copies */
};

struct model_state {
	struct model_thin *thins; /* nr_thins */
	uint64_t transaction_id;
};

struct thin_model {
	uint32_t nr_thins;		/* ids are below */
	uint64_t size_bytes, nr_blocks; /* of each device */
	uint32_t block_bytes;
	uint32_t kept_bytes; /* of each block: all, or for big pools only the first ones */
	struct model_state now, committed;
};

/* @m: has nr_thins, size_bytes, block_bytes and kept_bytes. */
void thin_model_init(struct thin_model *m);
void thin_model_release(struct thin_model *m);
/* Another model of what was committed, with all that may be there instead. */
void thin_model_copy(struct thin_model *to, const struct thin_model *from);

/* The operations, when the pool did them. With kept_bytes less than a block
 * each write must be within the kept bytes of one block. */
void thin_model_create(struct thin_model *m, uint32_t id);
void thin_model_snap(struct thin_model *m, uint32_t id, uint32_t origin);
void thin_model_delete(struct thin_model *m, uint32_t id);
void thin_model_write(struct thin_model *m, uint32_t id, const void *buf, size_t len,
		      uint64_t offset);
/* Blocks wholly in the range; the last one of the device when the range goes to its end. */
void thin_model_discard(struct thin_model *m, uint32_t id, uint64_t offset, uint64_t len);
void thin_model_commit(struct thin_model *m, uint64_t transaction_id);
void thin_model_abort(struct thin_model *m);

/* Instead of thin_model_write() when the pool failed; an abort must follow, then
 * thin_model_settle() on the pool as it is then. */
void thin_model_write_failed(struct thin_model *m, uint32_t id, const void *buf, size_t len,
			     uint64_t offset);

/*
 * After an abort or a cut: look which content each block that was written in place has now, sector
 * by sector, and go on with that. It can go back again until the next commit. False, and said on stderr: one that it never had.
 */
bool thin_model_settle(struct thin_model *m, struct thin_pool *pool);

/*
 * Compare the pool with `now`: ids, mapped blocks, transaction id, mapped ranges, and the bytes of
 * every @stride-th block (from @from on; 1 = all). Says on stderr what differs.
 */
bool thin_model_equals(struct thin_model *m, struct thin_pool *pool, uint64_t from,
		       uint64_t stride);
