/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container, or an image, as a tar of an image (oci/image_tar.h). An image whose blobs are kept is
 * in it as it was pulled. Of all else the tars that layers came from are gone, only their content
 * is there: it becomes one layer with the whole tree, under the config of the image (oci/squash.h),
 * and has a digest of its own. Exported again from where it was imported it is the same, byte by
 * byte.
 */
#pragma once

#include <stdbool.h>

#include "oci/store.h"
#include "pkg/tar/archive.h"

/*
 * @name: of a container, or a reference as recorded, whose name it will have.
 * Errors: those of store_open_volume(), tree_tar_write() and image_tar_write(); ERR_NOT_FOUND,
 * ERR_VERIFICATION (a blob that is kept is damaged).
 */
MUST_CHECK int image_export(struct store *s, const char *name, bool is_container,
			    tar_archive_write_fn *write, void *arg, struct error *err);
