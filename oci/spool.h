/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blobs on their way: fetched ahead, verified, and kept in files (see part.h) until they are
 * applied, so that the pool's lock is never held while waiting for the network.
 */
#pragma once

#include "oci/descriptor.h"
#include "oci/source.h"
#include "pkg/base/cleanup.h"

struct spool;

/* Bytes of blob number i so far; comes from the thread that fetches it. */
typedef void spool_progress_fn(size_t i, uint64_t bytes, void *arg);

/*
 * Start fetching blobs in order, several at once, each in a thread of its own; no more than these
 * wait to be taken. When there are fewer than may be, a large one is fetched as several ranges. A transfer that breaks in the middle (ERR_NETWORK) is gone on with, see
 * part_fetch(). Files that others left long ago are removed.
 * @source: borrowed, used by nobody else until spool_close().  @blobs: borrowed.  @dir: copied.
 * @at_once: transfers, of blobs and of parts of them; 0: SPOOL_AT_ONCE.
 */
enum { SPOOL_AT_ONCE = 3 };
struct spool *spool_open(const char *dir, struct source *source, const struct oci_descriptor *blobs,
			 size_t n, unsigned at_once, spool_progress_fn *progress, void *arg);

/*
 * Wait for the next blob, in order; size and digest have been verified.
 * @ret_fetched: how many bytes came for it, less than it has when a part was there; or NULL.
 * Errors: those of the source, ERR_VERIFICATION, ERR_NO_SPACE.
 */
MUST_CHECK int spool_take(struct spool *s, struct stream **ret, uint64_t *ret_fetched,
			  struct error *err);

/* The same as a file, to be closed. */
MUST_CHECK int spool_take_file(struct spool *s, int *ret_fd, uint64_t *ret_fetched,
			       struct error *err);
/* The name of that file, unless somebody else dropped it meanwhile. Owned. */
char *spool_path(const struct spool *s);

/* The blob taken last is needed no more; until then its file stays, for another try. */
void spool_drop(struct spool *s);

/* Stop fetching. What was not dropped stays in its file, whole or not. */
void spool_close(struct spool *s);
DEFINE_CLEANUP(struct spool *, spool_close);
