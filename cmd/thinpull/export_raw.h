/* SPDX-License-Identifier: Apache-2.0 */
/* The file system of a volume as it is, holes left out. */
#pragma once

#include "cmd/thinpull/outfile.h"
#include "pkg/thin/volume.h"

/* @ret_size: of the content, for outfile_commit(). Errors: those of the volume and the outfile. */
MUST_CHECK int export_raw(struct thin_volume *volume, struct outfile *out, uint64_t *ret_size,
			  struct error *err);
