/* SPDX-License-Identifier: Apache-2.0 */
/* Which images there are in a layout or an archive, each once, with all of its names. */
#pragma once

#include "oci/archive.h"
#include "oci/docker_manifest.h"
#include "oci/index.h"

struct oci_archive_images {
	struct oci_archive_image *items;
	size_t n;
};

/*
 * Of index.json: entries of one digest are one image. The name for other tools
 * (io.containerd.image.name) goes before the one inside the layout.
 */
void oci_archive_images_of_index(const struct oci_index *index, struct oci_archive_images *ret);
void oci_archive_images_of_docker(const struct docker_manifest *m, struct oci_archive_images *ret);
void oci_archive_images_release(struct oci_archive_images *images);
