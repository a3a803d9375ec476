/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A thin device as a volume, through its node and past the page cache. What is written waits in
 * memory until whole pool blocks can go out, so that the kernel has neither to zero nor to copy
 * around it:
 *
 *   write ─▶ volume_cache ─▶ volume_out ─▶ node (O_DIRECT)
 *   read  ◀─ volume_cache ◀─ a run of blocks at a time
 *
 * Knows no pool: what has to be asked of one is asked through struct kernel_volume_pool.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pkg/base/error.h"
#include "pkg/thin/volume.h"

/* Larger pool blocks are written in parts: only a pool that zeroes new ones may have them. */
enum { KERNEL_VOLUME_WHOLE_BYTES = 16 << 20 };

struct kernel_range {
	uint64_t first_block, nr_blocks; /* of the pool's block size */
};

/* What a volume wants of its pool; each may be NULL. */
struct kernel_volume_pool {
	/*
	 * An I/O error came from the device. The pool's status may tell why: then *err says that,
	 * with the same context.
	 */
	void (*explain)(void *arg, struct error *err);
	/* What the device maps now: ascending, neighbours merged. @ret: owned by the caller. */
	int (*mapped)(void *arg, struct kernel_range **ret, size_t *ret_n, struct error *err);
	/*
	 * The node is closed, the volume about to be freed.
	 * @failed: kind ERR_NONE, or what was written did not all reach the device: no commit may
	 * follow.   @unflushed: something did since the last kernel_volume_flush(); a flush of any
	 * thin device of the pool covers it.
	 */
	void (*closed)(void *arg, struct thin_volume *v, const struct error *failed,
		       bool unflushed);
	void *arg;
	/* A few bytes here and there, as of the record and of a container's identity: read and written page by page, and what of a
	 * new block is not written is the kernel's to zero. */
	bool by_page;
};

/*
 * Open a node.
 *
 * @path: a block device, kept for errors; tests also give files.   @size_bytes: as its table says.
 * @writable: the node is then ours alone (O_EXCL).   @pool: copied; its arg must outlive the volume.
 * @ret: owned, ended with thin_volume_close(), which writes out what waits.
 * Errors: ERR_BUSY (somebody else has it), ERR_NOT_FOUND, ERR_INCONSISTENT (it is smaller).
 */
MUST_CHECK int kernel_volume_open(const char *path, uint64_t size_bytes, uint32_t block_bytes,
				  bool writable, const struct kernel_volume_pool *pool,
				  struct thin_volume **ret, struct error *err);

/* The same of a node that is open, which is the volume's now. */
struct kernel_node;
struct thin_volume *kernel_volume_new(const struct kernel_node *node, uint64_t size_bytes,
				      uint32_t block_bytes, bool writable,
				      const struct kernel_volume_pool *pool);

/*
 * Everything written so far is on stable storage when this has succeeded. An error of earlier
 * write-back is repeated here, each time. For volumes of kernel_volume_open() only.
 */
MUST_CHECK int kernel_volume_flush(struct thin_volume *v, struct error *err);

/* The same without the flush: another device of the pool will be flushed. */
MUST_CHECK int kernel_volume_write_out(struct thin_volume *v, struct error *err);

/* What a volume has asked of its node. */
struct kernel_volume_counts {
	uint64_t reads, writes, discards, flushes; /* calls */
	uint64_t bytes_read, bytes_written;
};
void kernel_volume_counts(const struct thin_volume *v, struct kernel_volume_counts *ret);
