/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blobs on their way: fetched ahead, verified, and kept in files without a name until they are
 * applied, so that the pool's lock is never held while waiting for the network and nothing is left
 * behind by a kill.
 */
#pragma once

#include "oci/descriptor.h"
#include "oci/source.h"
#include "pkg/base/cleanup.h"

struct spool;

/* Bytes of blob number i so far; comes from the fetching thread. */
typedef void spool_progress_fn(size_t i, uint64_t bytes, void *arg);

/*
 * Start fetching blobs in order, in a thread of its own; at most SPOOL_AHEAD wait to be taken. A
 * blob whose transfer breaks in the middle (ERR_NETWORK) is fetched anew, up to three times in all.
 * @source: borrowed, used by nobody else until spool_close().  @blobs: borrowed.  @dir: copied.
 */
enum { SPOOL_AHEAD = 2 };
struct spool *spool_open(const char *dir, struct source *source, const struct oci_descriptor *blobs,
			 size_t n, spool_progress_fn *progress, void *arg);

/*
 * Wait for the next blob, in order; size and digest have been verified.
 * Errors: those of the source, ERR_VERIFICATION, ERR_NO_SPACE.
 */
MUST_CHECK int spool_take(struct spool *s, struct stream **ret, struct error *err);

/* Stop fetching; what was not taken is gone. */
void spool_close(struct spool *s);
DEFINE_CLEANUP(struct spool *, spool_close);
