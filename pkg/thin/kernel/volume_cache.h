/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is known of a device, in units of one pool block, and what of it waits to be written. A unit
 * knows which of its pages (4 KiB) hold what the device holds or is to hold:
 *
 *   unit   [ page ][ page ][       ][ page ] ...      missing ones are read when somebody wants them,
 *            dirty   dirty   missing  read            or before the unit is written
 *
 * A unit goes out as a whole, so a block that is new or shared is never zeroed nor copied by the
 * kernel; one of nothing but zeros does not where the device reads as zeros. Once a write has failed
 * all later ones do, with the same error. Memory is bounded.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pkg/base/cleanup.h"
#include "pkg/base/error.h"
#include "pkg/thin/kernel/volume_node.h"

struct kernel_cache;

/*
 * @node: borrowed.   @size_bytes: of the volume, whole sectors.
 * @unit_bytes: multiple of NODE_ALIGN.   @most_bytes: of memory; four units at least.
 */
struct kernel_cache *kernel_cache_new(struct kernel_node *node, uint64_t size_bytes,
				      uint32_t unit_bytes, uint64_t most_bytes);

/* What was not written out is forgotten. */
void kernel_cache_free(struct kernel_cache *c);
DEFINE_CLEANUP(struct kernel_cache *, kernel_cache_free);

/* Any range inside the volume. */
MUST_CHECK int kernel_cache_read(struct kernel_cache *c, void *buf, size_t len, uint64_t offset,
				 struct error *err);
MUST_CHECK int kernel_cache_write(struct kernel_cache *c, const void *buf, size_t len,
				  uint64_t offset, struct error *err);

/* Zeros, which are not written where the device has them. */
MUST_CHECK int kernel_cache_zero(struct kernel_cache *c, uint64_t offset, uint64_t len,
				 struct error *err);

MUST_CHECK int kernel_cache_write_out(struct kernel_cache *c, struct error *err);

/* A range is about to change on the device itself: what waits beside it in the same units is
 * written, and all is read anew. */
MUST_CHECK int kernel_cache_forget(struct kernel_cache *c, uint64_t offset, uint64_t len,
				   struct error *err);

/* The first error of a write; kind ERR_NONE = all is well. */
const struct error *kernel_cache_failed(const struct kernel_cache *c);
/* From now on it has failed. Returns -1. */
int kernel_cache_fail(struct kernel_cache *c, const struct error *err);
