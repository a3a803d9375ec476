/* SPDX-License-Identifier: Apache-2.0 */
/* An image manifest. Spec: image-spec v1.1 manifest.md; docker manifest-v2-2. */
#pragma once

#include <stddef.h>

#include "oci/descriptor.h"

struct oci_manifest {
	struct oci_descriptor config;
	struct oci_descriptor *layers; /* lowest first */
	size_t n_layers;
	struct oci_strings *urls; /* of each layer; mostly none */
};

enum { OCI_DOCUMENT_MAX_BYTES = 4 << 20, OCI_LAYERS_MAX = 1000, OCI_URLS_MAX = 16 };

/*
 * @what: "manifest sha256:..", in front of the JSON path in errors.
 * Errors: ERR_INVALID; ERR_UNSUPPORTED for artifacts, schema 1, encrypted and unknown layers, by
 * name.
 */
MUST_CHECK int oci_manifest_parse(const void *json, size_t len, const char *what,
				  struct oci_manifest *ret, struct error *err);
/*
 * The same for one of anything that is kept as an image is: types of config and layers are not
 * looked at. Errors: ERR_INVALID; ERR_UNSUPPORTED for schema 1.
 */
MUST_CHECK int oci_manifest_parse_any(const void *json, size_t len, const char *what,
				      struct oci_manifest *ret, struct error *err);
void oci_manifest_release(struct oci_manifest *m);
