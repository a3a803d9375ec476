/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A descriptor: type, digest and size of a piece of content that lies elsewhere.
 * Spec: image-spec v1.1 descriptor.md.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "oci/mediatype.h"
#include "oci/platform.h"
#include "oci/runconfig.h"
#include "pkg/base/error.h"
#include "pkg/digest/digest.h"
#include "pkg/json/jdoc.h"

struct oci_descriptor {
	enum oci_media_type media_type;
	char media_type_text[96]; /* as given, for errors and for asking a registry */
	struct digest digest;
	uint64_t size_bytes;
	bool has_platform;
	struct oci_platform platform; /* index entries only */
	bool is_artifact;	      /* says what artifact it is, and no platform */
	bool is_attestation;	      /* unknown/unknown, or annotated as a buildkit attestation */
	/* Of a layer: where else it may be; NULL: nowhere. Borrowed from its manifest. */
	const struct oci_strings *urls;
};

/*
 * Read one from JSON, strictly (rule B7: sizes are integers >= 0, digests well formed). The
 * digest is DIGEST_NONE when its grammar holds but its algorithm is not known: such content can be
 * listed, but never fetched. Errors: ERR_INVALID, ERR_VERIFICATION (the `data` member).
 */
MUST_CHECK int oci_descriptor_parse(struct jval value, struct oci_descriptor *ret,
				    struct error *err);

/* ERR_UNSUPPORTED, naming the algorithm, if the digest of what was just parsed from value is
 * DIGEST_NONE. */
MUST_CHECK int oci_descriptor_check_digest(struct jval value, const struct oci_descriptor *d,
					   struct error *err);
