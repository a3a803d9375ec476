/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An image layout folder that is added to, by several processes at once if need be: a blob has its
 * name only when it is whole and verified, and index.json names an image only when all of it is
 * there. Killed at any instant, the folder is a layout as before; what was fetched is found again.
 *
 *   oci-layout, index.json, blobs/<algorithm>/<hex>   as the specification has them
 *   blobs/<algorithm>/.<hex>.part                     one that is being written, locked by who does
 *   blobs/.spool/                                     those that are being fetched, see part.h
 *
 * Spec: image-spec v1.1 image-layout.md.
 */
#pragma once

#include <stdbool.h>

#include "oci/descriptor.h"
#include "pkg/base/buffer.h"
#include "pkg/base/cleanup.h"
#include "pkg/stream/stream.h"

struct layout_writer;

/*
 * @dir: made when it is missing; else empty, or a layout.
 * Errors: ERR_USAGE (something else is there), ERR_INVALID (a layout of another version), ERR_SYSTEM.
 */
MUST_CHECK int layout_writer_open(const char *dir, struct layout_writer **ret, struct error *err);
/*
 * For blobs alone, in a layout that its owner keeps by other rules (oci/content.h): nothing in it
 * but blobs is touched, and layout_writer_name() is not for it.
 */
struct layout_writer *layout_writer_for_blobs(const char *dir);
void layout_writer_close(struct layout_writer *w);
DEFINE_CLEANUP(struct layout_writer *, layout_writer_close);

/*
 * Begin a blob; waits while another process writes the same one.
 * @ret_fd: an empty file to write it to, for layout_writer_commit() or layout_writer_abort(). -1: it
 *          is there already, and intact, which has been verified.
 * Errors: ERR_INTERRUPTED, ERR_SYSTEM.
 */
MUST_CHECK int layout_writer_begin(struct layout_writer *w, const struct oci_descriptor *d,
				   int *ret_fd, struct error *err);
/* The file has what the descriptor says: it becomes durable, and a blob. @fd: taken, -1 after. */
MUST_CHECK int layout_writer_commit(struct layout_writer *w, const struct oci_descriptor *d,
				    int *fd, struct error *err);
void layout_writer_abort(struct layout_writer *w, const struct oci_descriptor *d, int *fd);

/* Whether it is there, and intact, which is verified. */
bool layout_writer_has(const struct layout_writer *w, const struct oci_descriptor *d);
/*
 * A file that has what the descriptor says becomes durable, and the blob: it loses its name.
 * @fd: of it.   @path: its name, if nobody took that away who had the file locked (flock).
 * Returns 0; 1 = it cannot: the name is not that of the file, or on another file system; -1.
 */
MUST_CHECK int layout_writer_adopt(struct layout_writer *w, const struct oci_descriptor *d, int fd,
				   const char *path, struct error *err);
/* From a stream, verified on the way. @in: taken. */
MUST_CHECK int layout_writer_copy(struct layout_writer *w, const struct oci_descriptor *d,
				  struct stream **in, struct error *err);

/* A small one at once; it must have been verified. */
MUST_CHECK int layout_writer_put(struct layout_writer *w, const struct oci_descriptor *d,
				 const void *data, size_t len, struct error *err);

/*
 * An index.json with one more image in it, see layout_writer_name().
 * @ret: appended to. Errors: ERR_INVALID.
 */
MUST_CHECK int layout_index_add(const void *json, size_t len, const struct oci_descriptor *d,
				const char *name, struct buffer *ret, struct error *err);

/* Where blobs are on their way to it, in the folder itself: blobs/.spool. Owned. */
char *layout_writer_spool_dir(const struct layout_writer *w);

/* Remove what killed writers left in a folder of blobs; what is being written stays. */
void layout_writer_mend(const char *dir);

/*
 * List an image in index.json under a name, all else there stays as it is; another image loses the
 * name. Errors: ERR_INVALID (the index there).
 */
MUST_CHECK int layout_writer_name(struct layout_writer *w, const struct oci_descriptor *d,
				  const char *name, struct error *err);
