/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The node of a block device, read and written past the page cache. Memory, offsets and lengths are
 * aligned by the caller. A regular file does as well.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "pkg/base/error.h"
#include "pkg/thin/kernel/volume.h"

enum {
	NODE_ALIGN = 4096,	   /* of memory, and of all but the end of the device */
	NODE_MOST_BYTES = 1 << 20, /* of one call: more of them is not faster */
	NODE_MOST_PIECES = 64,
};

struct kernel_node {
	int fd;
	char *path; /* for errors */
	bool direct;
	bool borrowed; /* the descriptor is another one's to close */
	struct kernel_volume_counts counts;
};

/*
 * O_DIRECT where the kernel lets us, else through the page cache.
 * @writable: O_EXCL as well.   @least_bytes: it has so many.
 * Errors: ERR_BUSY, ERR_NOT_FOUND, ERR_INCONSISTENT (it is smaller).
 */
MUST_CHECK int kernel_node_open(struct kernel_node *n, const char *path, bool writable,
				uint64_t least_bytes, struct error *err);
/* The same once more, for as long as the first is open. */
void kernel_node_borrow(const struct kernel_node *n, struct kernel_node *ret);
void kernel_node_close(struct kernel_node *n);

/* All of it or an error. @pieces: changed on the way. */
MUST_CHECK int kernel_node_read(struct kernel_node *n, struct iovec *pieces, int n_pieces,
				uint64_t offset, struct error *err);
MUST_CHECK int kernel_node_write(struct kernel_node *n, struct iovec *pieces, int n_pieces,
				 uint64_t offset, struct error *err);

/* 0, 1 = this device does not know how, -1. */
MUST_CHECK int kernel_node_discard(struct kernel_node *n, uint64_t offset, uint64_t len,
				   struct error *err);

MUST_CHECK int kernel_node_flush(struct kernel_node *n, struct error *err);
