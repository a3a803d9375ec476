/* SPDX-License-Identifier: Apache-2.0 */
/* Blobs of a registry. Spec: distribution-spec v1.1 "Pulling blobs". */
#pragma once

#include "oci/descriptor.h"
#include "oci/source.h"
#include "registry/session.h"

/*
 * The unverified bytes of a config or layer.
 * Errors: those of session_get(); ERR_VERIFICATION when another size is announced than the
 * descriptor has; on reading ERR_NETWORK when the body is cut.
 */
MUST_CHECK int blob_fetch(struct session *s, const struct oci_descriptor *d, struct stream **ret,
			  struct error *err);

/*
 * A part of it (rule C10): what answers the range is taken only if it is that range, and nothing
 * else; if not, the whole blob is asked for.
 * @range: not empty, not all; all of the blob afterwards when that is what comes.
 */
MUST_CHECK int blob_fetch_range(struct session *s, const struct oci_descriptor *d,
				struct byte_range *range, struct stream **ret, struct error *err);
