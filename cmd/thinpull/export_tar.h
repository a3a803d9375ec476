/* SPDX-License-Identifier: Apache-2.0 */
/* The tree of a volume as a tar (oci/tree_tar.h). */
#pragma once

#include "cmd/thinpull/outfile.h"
#include "pkg/thin/volume.h"

/*
 * @ret_size: of the content, for outfile_commit().
 * Errors: those of the outfile, ext4_reader_open() and tree_tar_write().
 */
MUST_CHECK int export_tar(struct thin_volume *volume, struct outfile *out, uint64_t *ret_size,
			  struct error *err);
