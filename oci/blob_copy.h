/* SPDX-License-Identifier: Apache-2.0 */
/* Blobs from a source into a layout folder, by way of a spool: several at once, gone on with. */
#pragma once

#include "oci/layout_writer.h"
#include "oci/source.h"

enum blob_copy_step {
	BLOB_COPY_HERE,	 /* it was there already, and intact */
	BLOB_COPY_COMES, /* so many bytes so far */
	BLOB_COPY_DONE,
};
typedef void blob_copy_progress_fn(size_t i, enum blob_copy_step step, uint64_t bytes, void *arg);

struct blob_copy {
	struct source *source;
	struct layout_writer *to;
	const char *spool_dir;		 /* on the same file system, best; made if it is missing */
	unsigned at_once;		 /* see spool_open() */
	const char *what;		 /* what they are, for errors: "layer" */
	blob_copy_progress_fn *progress; /* from any thread; may be NULL */
	void *arg;
};

struct blob_copied {
	size_t n;		/* that were not there */
	uint64_t fetched_bytes; /* see spool_take() */
};

/*
 * Each verified before it has its name.
 * @blobs: no two of them the same.
 * Errors: those of the source and the writer, ERR_VERIFICATION, each with which blob it was. Those
 * before it are there; of it and others what has come is in the spool, for another try.
 */
MUST_CHECK int blob_copy(const struct blob_copy *c, const struct oci_descriptor *const *blobs,
			 size_t n, struct blob_copied *ret, struct error *err);
