/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An image as one tar that skopeo, podman and docker load: an OCI image layout, and docker's
 * manifest.json beside it, as docker has written it since version 25.
 *
 *   oci-layout  index.json  manifest.json
 *   blobs/sha256/<manifest>  blobs/sha256/<config>  blobs/sha256/<layer>...
 *
 * What names other parts stands before them, and layers stand lowest first, so that a reader can
 * take it as it comes. The same image gives the same bytes: nothing of the time or the process is
 * in it. Spec: image-spec v1.1 image-layout.md; rules B22 to B24.
 */
#pragma once

#include "oci/descriptor.h"
#include "pkg/base/buffer.h"
#include "pkg/tar/archive.h"

/* All borrowed. */
struct image_tar {
	const struct oci_descriptor *manifest, *config; /* their digests are sha256 */
	const struct buffer *manifest_bytes, *config_bytes;
	const struct oci_descriptor *layers; /* lowest first */
	const struct digest *diff_ids;
	size_t n_layers;
	const char *name; /* as recorded; NULL, or not of a registry: it has none in the tar */
};

/* The bytes of layer i, from its beginning. */
typedef int image_tar_layer_fn(size_t i, tar_archive_write_fn *write, void *write_arg, void *arg,
			       struct error *err);

/*
 * @layer, @layer_arg: asked once for each layer, in order; what comes must be what the descriptor
 *                     says.   @write, @arg: take the tar as it comes.
 * Errors: those of both; ERR_VERIFICATION (a layer is not what it was), ERR_UNSUPPORTED (another
 * algorithm than sha256).
 */
MUST_CHECK int image_tar_write(const struct image_tar *image, image_tar_layer_fn *layer,
			       void *layer_arg, tar_archive_write_fn *write, void *arg,
			       struct error *err);
