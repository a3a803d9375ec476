/* SPDX-License-Identifier: Apache-2.0 */
/*
 * manifest.json of an archive of "docker save" and those who write the same (rule B24):
 *
 *   [{"Config": "ab12...json", "RepoTags": ["alpine:3.20"], "Layers": ["cd34.../layer.tar"]}]
 *
 * Nothing in it is a digest: paths are all there is.
 */
#pragma once

#include <stddef.h>

#include "oci/runconfig.h"
#include "pkg/base/cleanup.h"
#include "pkg/base/error.h"

enum {
	DOCKER_MANIFEST_MAX_BYTES = 20 << 20,
	DOCKER_IMAGES_MAX = 1000,
	DOCKER_TAGS_MAX = 1000, /* of one image */
};

struct docker_image {
	char *config;		   /* paths inside the archive */
	struct oci_strings layers; /* lowest first */
	struct oci_strings tags;
};

struct docker_manifest {
	struct docker_image *images;
	size_t n;
};

/* Errors: ERR_INVALID. */
MUST_CHECK int docker_manifest_parse(const void *json, size_t len, struct docker_manifest *ret,
				     struct error *err);
void docker_manifest_release(struct docker_manifest *m);
