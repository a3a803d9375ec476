/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one metadata transaction works on: the block cache and both space maps. Every change
 * copies: a block of the committed state is never written, its copy is ("shadowed").
 */
#pragma once

#include <stdint.h>

#include "pkg/base/error.h"
#include "pkg/thin/file/cache.h"
#include "pkg/thin/file/spacemap.h"

struct tf_tx {
	struct tf_cache cache;
	struct tf_spacemap metadata, data;
};

void tf_tx_init(struct tf_tx *tx, int fd, const char *name, const struct tf_superblock *sb);
void tf_tx_release(struct tf_tx *tx);

/* A fresh metadata block of zeros with count 1. */
MUST_CHECK int tf_tx_new_block(struct tf_tx *tx, enum tf_block_type type, uint64_t *ret_nr,
			       uint8_t **ret_block, struct error *err);

/* One reference less; a fresh block that nobody holds any more is forgotten. */
MUST_CHECK int tf_tx_put_block(struct tf_tx *tx, uint64_t nr, struct error *err);

enum tf_reserve {
	TF_RESERVE_NORMAL, /* leave the reserve that the kernel keeps for commits as well */
	TF_RESERVE_DELETE, /* freeing may use it */
};

/*
 * Refuse an operation that takes up to `blocks` metadata blocks unless those, and the commit
 * after it, surely fit: one that stops half-way would cost the whole transaction.
 * Errors: ERR_NO_SPACE.
 */
MUST_CHECK int tf_tx_reserve(struct tf_tx *tx, uint64_t blocks, enum tf_reserve reserve,
			     struct error *err);

/* Write out both space maps and all fresh blocks; durable on return, but not yet visible. */
MUST_CHECK int tf_tx_flush(struct tf_tx *tx, struct tf_sm_root *ret_data,
			   struct tf_sm_root *ret_metadata, struct error *err);

/* The superblock is down. */
void tf_tx_committed(struct tf_tx *tx);

/* At the start of an operation, when nobody holds pointers into the cache. */
void tf_tx_trim(struct tf_tx *tx);
