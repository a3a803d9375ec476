/* SPDX-License-Identifier: Apache-2.0 */
/* A container or an image as the tar of an image (oci/image_export.h). */
#pragma once

#include "cmd/thinpull/outfile.h"
#include "oci/store.h"

/*
 * @name: of a container, or a reference as recorded.   @ret_size: of the content, for
 * outfile_commit(). Errors: those of the outfile and of image_export().
 */
MUST_CHECK int export_image(struct store *store, const char *name, bool is_container,
			    struct outfile *out, uint64_t *ret_size, struct error *err);
