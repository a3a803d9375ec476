/* SPDX-License-Identifier: Apache-2.0 */
/* An image index (docker: manifest list). Spec: image-spec v1.1 image-index.md. */
#pragma once

#include <stddef.h>

#include "oci/descriptor.h"

struct oci_index {
	struct oci_descriptor *entries; /* in order; all kinds */
	char **ref_names;		/* org.opencontainers.image.ref.name of each, or NULL */
	char **image_names;		/* io.containerd.image.name of each, or NULL */
	size_t n;
};

/* Errors: ERR_INVALID (also for a manifest that calls itself an index, CVE-2021-41190),
 * ERR_UNSUPPORTED. */
MUST_CHECK int oci_index_parse(const void *json, size_t len, const char *what,
			       struct oci_index *ret, struct error *err);
void oci_index_release(struct oci_index *index);

/*
 * The entry for a platform: best match first, entries without a platform last, attestations never.
 * Errors: ERR_NOT_FOUND, listing the platforms there are; ERR_UNSUPPORTED (its digest).
 */
MUST_CHECK int oci_index_select(const struct oci_index *index, const struct oci_platform *want,
				const struct oci_descriptor **ret, struct error *err);

/* ERR_NOT_FOUND, with what there is instead. @where: "index", "layout". */
int oci_index_no_image(const struct oci_index *index, const char *where, struct error *err);

/*
 * Whether an entry can be an image at all: a manifest or index, no attestation (rule B13).
 */
bool oci_index_is_image(const struct oci_descriptor *d);
