/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Applies one changeset: the members of a layer's tar, in order, to a file system that holds the
 * layers below. Whiteouts remove what lower layers put there and never what this layer brings,
 * wherever in the tar they stand. Rules and where we differ from others: oci/README.md.
 * Spec: image-spec v1.1 layer.md "Applying Changesets".
 */
#pragma once

#include <stdint.h>

#include "pkg/base/error.h"
#include "pkg/ext4/writer.h"
#include "pkg/tar/reader.h"

struct layer_totals {
	uint64_t entries;
	uint64_t content_bytes; /* sum of the sizes of regular files */
};

/*
 * Read all members and apply them. The caller then finishes reader and writer.
 * Errors: those of both, wrapped with the entry's name.
 */
MUST_CHECK int layer_apply(struct tar_reader *tar, struct ext4_writer *fs, struct layer_totals *ret,
			   struct error *err);
