/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a reference to one image: what it stands for, through the indexes on the way, to manifest
 * and config, each verified and checked. No layer is touched.
 */
#pragma once

#include "oci/config.h"
#include "oci/content.h"
#include "oci/manifest.h"
#include "oci/source.h"

struct oci_document {
	struct digest digest;
	struct buffer bytes; /* verified */
};

enum { OCI_INDEX_DEPTH_MAX = 4 };

struct oci_image {
	struct oci_descriptor target;	  /* what the reference stands for: index or manifest */
	struct oci_descriptor descriptor; /* of the manifest */
	struct oci_manifest manifest;
	struct oci_config config; /* as many diff_ids as the manifest has layers */
	/* All that was read on the way, in that order: indexes, manifest, config. */
	struct oci_document documents[OCI_INDEX_DEPTH_MAX + 2];
	size_t n_documents;
	struct content *kept; /* borrowed while resolving */
};

/*
 * @kept: documents found here are not fetched again, or NULL; borrowed.
 * Errors: those of the source, ERR_VERIFICATION, ERR_INVALID (also indexes nested more than
 * OCI_INDEX_DEPTH_MAX deep, rule B17), ERR_NOT_FOUND (platform), ERR_UNSUPPORTED.
 */
MUST_CHECK int oci_image_resolve(struct source *s, const struct oci_platform *want,
				 struct content *kept, struct oci_image *ret, struct error *err);
void oci_image_release(struct oci_image *image);

/*
 * The document that a reference stands for, as it is: a manifest or an index, of an image or of
 * anything else; or, of an index, the manifest for a platform. Only size and digest are verified.
 *
 * @want: NULL: no index is followed.   @kept: as above.   @ret_bytes: appended to.
 * Errors: as above.
 */
MUST_CHECK int oci_image_read_raw(struct source *s, const struct oci_platform *want,
				  struct content *kept, struct oci_descriptor *ret,
				  struct buffer *ret_bytes, struct error *err);
