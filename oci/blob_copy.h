/* SPDX-License-Identifier: Apache-2.0 */
/* One blob from a source into a layout folder. */
#pragma once

#include "oci/layout_writer.h"
#include "oci/source.h"

/* Bytes so far. */
typedef void blob_copy_progress_fn(uint64_t bytes, void *arg);

/*
 * Verified on the way; tried again, up to three times in all, when the network cuts it.
 * @progress: may be NULL.   @ret_copied: false: it was there already, and intact.
 * Errors: those of the source and the writer, ERR_VERIFICATION. After an error it is not there.
 */
MUST_CHECK int blob_copy(struct source *source, const struct oci_descriptor *blob,
			 struct layout_writer *to, blob_copy_progress_fn *progress, void *arg,
			 bool *ret_copied, struct error *err);
