/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One thin device as a run of bytes. Unmapped parts read as zeros; a first write to a pool block
 * maps it, with zeros around what was written; a write to a shared block copies it first.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pkg/base/cleanup.h"
#include "pkg/base/error.h"

struct thin_volume;

/* Any offset and length inside the volume, else ERR_INVALID. */
MUST_CHECK int thin_volume_read(struct thin_volume *v, void *buf, size_t len, uint64_t offset,
				struct error *err);

/* As above. Errors: ERR_NO_SPACE (pool data or metadata, or the host below it). Runs of whole pool
 * blocks are the fast path. */
MUST_CHECK int thin_volume_write(struct thin_volume *v, const void *buf, size_t len,
				 uint64_t offset, struct error *err);

/*
 * The range reads as zeros afterwards; what is not mapped stays so. For what mostly is not: asking
 * costs less than writing. Errors as above.
 */
MUST_CHECK int thin_volume_zero(struct thin_volume *v, uint64_t offset, uint64_t len,
				struct error *err);

/*
 * Unmap all pool blocks that lie wholly in a range; they read as zeros then. Parts of blocks at its
 * ends stay as they are; the volume's last block is whole for a range that goes to the end. Blocks
 * that nobody else holds become free with the pool's commit.
 * Errors: ERR_NO_SPACE: the blocks before some point are unmapped; commit that or abort.
 */
MUST_CHECK int thin_volume_discard(struct thin_volume *v, uint64_t offset, uint64_t len,
				   struct error *err);

/*
 * The next range at or after offset that has data of its own or shared data (mapped blocks).
 * @ret_offset, @ret_len: the range, cut at the volume's end; neighbouring blocks are merged, so the
 * cost is that of the range.
 * Returns 0, 1 = none left, or -1.
 */
MUST_CHECK int thin_volume_next_mapped(struct thin_volume *v, uint64_t offset, uint64_t *ret_offset,
				       uint64_t *ret_len, struct error *err);

/*
 * Copy a range that next_mapped() named to the same place of a file. Where the file system can, the
 * blocks are shared with the pool's data file (ioctl_ficlonerange(2)); else they are copied and
 * 4 KiB pieces of zeros left out. The file reads as zeros there before. Nobody may write to the
 * device meanwhile, nor discard in it; the rest of the pool may change.
 * @fd: open for writing.   @name: of the file, for errors.   @ret_shared: bytes that were shared.
 */
MUST_CHECK int thin_volume_copy_to(struct thin_volume *v, uint64_t offset, uint64_t len, int fd,
				   const char *name, uint64_t *ret_shared, struct error *err);

uint64_t thin_volume_size(const struct thin_volume *v);

/* Bytes per pool block, the unit of sharing. */
uint32_t thin_volume_block_bytes(const struct thin_volume *v);

/* Small writes wait for their neighbours in the volume: no need to collect them before. */
bool thin_volume_gathers(const struct thin_volume *v);

void thin_volume_close(struct thin_volume *v);
DEFINE_CLEANUP(struct thin_volume *, thin_volume_close);
