/* SPDX-License-Identifier: Apache-2.0 */
/* Manifests and indexes of a registry. Spec: distribution-spec v1.1 "Pulling manifests". */
#pragma once

#include "oci/descriptor.h"
#include "pkg/base/buffer.h"
#include "registry/session.h"

/*
 * What the reference stands for, with its bytes: asked by digest if it has one, else by tag. The
 * digest is computed over the bytes and compared with what the reference and the registry say.
 * Errors: those of session_get(); ERR_VERIFICATION; ERR_INVALID (also more than
 * OCI_DOCUMENT_MAX_BYTES, or a type that the bytes contradict).
 */
MUST_CHECK int manifest_resolve(struct session *s, const struct reference *ref,
				struct oci_descriptor *ret, struct buffer *ret_bytes,
				struct error *err);

/* The unverified bytes of a manifest or index that something names. */
MUST_CHECK int manifest_fetch(struct session *s, const struct oci_descriptor *d,
			      struct stream **ret, struct error *err);
