/* SPDX-License-Identifier: Apache-2.0 */
/* Blobs of a registry. Spec: distribution-spec v1.1 "Pulling blobs". */
#pragma once

#include "oci/descriptor.h"
#include "registry/session.h"

/*
 * The unverified bytes of a config or layer.
 * Errors: those of session_get(); ERR_VERIFICATION when another size is announced than the
 * descriptor has; on reading ERR_NETWORK when the body is cut.
 */
MUST_CHECK int blob_fetch(struct session *s, const struct oci_descriptor *d, struct stream **ret,
			  struct error *err);

/*
 * The same without its first bytes (rule C10): what answers the range is taken only if it is all
 * that is missing, and nothing else; if not, the whole blob is asked for.
 * @offset: how many are here, not 0 and not all; 0 afterwards: the body is the whole blob.
 */
MUST_CHECK int blob_fetch_from(struct session *s, const struct oci_descriptor *d, uint64_t *offset,
			       struct stream **ret, struct error *err);
