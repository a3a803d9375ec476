/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metadata blocks in memory. Blocks are either clean (as on disk, verified when read) or fresh
 * (new in this transaction, not on disk yet). Nothing on disk is ever changed in place, so there
 * is no third kind; only the superblock, which is not cached here, is overwritten.
 *
 * Pointers to blocks stay good until tf_cache_trim(), tf_cache_clear() or, for that block alone,
 * tf_cache_new() and tf_cache_forget().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pkg/base/error.h"
#include "pkg/thin/file/fault_internal.h"
#include "pkg/thin/file/format.h"

struct tf_cache_block;

struct tf_cache {
	int fd;		    /* borrowed */
	const char *name;   /* borrowed, for errors */
	uint64_t nr_blocks; /* blocks at or past it do not exist */
	struct tf_fault_hook hook;
	struct tf_cache_block **buckets;
	size_t n_buckets, n_blocks, n_fresh;
	uint64_t n_reads; /* blocks that came from the file */
};

void tf_cache_init(struct tf_cache *c, int fd, const char *name, uint64_t nr_blocks);
void tf_cache_release(struct tf_cache *c);

/* A block's content, verified as `type`; NULL after an error. */
const uint8_t *tf_cache_read(struct tf_cache *c, uint64_t nr, enum tf_block_type type,
			     struct error *err);

/* A fresh block of zeros, whatever was there. */
uint8_t *tf_cache_new(struct tf_cache *c, uint64_t nr, enum tf_block_type type);

bool tf_cache_is_fresh(const struct tf_cache *c, uint64_t nr);

/* A block that is fresh, to be changed. */
uint8_t *tf_cache_edit(struct tf_cache *c, uint64_t nr);

/* The block is free again: when it is fresh it will not be written. */
void tf_cache_forget(struct tf_cache *c, uint64_t nr);

/* Write all fresh blocks in ascending order and wait until they are durable. */
MUST_CHECK int tf_cache_flush(struct tf_cache *c, struct error *err);

/* Overwrite block 0 with these bytes (sealed by the caller), durable when this returns. */
MUST_CHECK int tf_cache_write_superblock(struct tf_cache *c, const uint8_t *block,
					 struct error *err);

/* The superblock is down: fresh blocks are clean now. */
void tf_cache_committed(struct tf_cache *c);

/* Keep memory bounded by dropping clean blocks that were not used lately. */
void tf_cache_trim(struct tf_cache *c);

/* Forget everything, fresh blocks too. */
void tf_cache_clear(struct tf_cache *c);
