/* SPDX-License-Identifier: Apache-2.0 */
/* What manifests and indexes have in common: the head that tells one from the other. */
#pragma once

#include "oci/mediatype.h"
#include "pkg/base/error.h"
#include "pkg/json/jdoc.h"

/*
 * Check schemaVersion, and that the document is of the given kind and of no other: its mediaType,
 * if it has one, and its members must not speak of another kind (rules B4, CVE-2021-41190).
 * @kind: MEDIA_INDEX or MEDIA_MANIFEST.
 * Errors: ERR_INVALID; ERR_UNSUPPORTED for schema 1.
 */
MUST_CHECK int oci_document_check(struct jval root, enum oci_media_type kind, struct error *err);

/* What to say of docker's schema 1 (rule B5): ERR_UNSUPPORTED. */
int oci_document_refuse_schema1(struct error *err);

/*
 * Which kind the bytes are, by their mediaType or else by their members: MEDIA_INDEX,
 * MEDIA_MANIFEST or MEDIA_SCHEMA1, or MEDIA_UNKNOWN. The text of mediaType, cut if longer, "" if there is none.
 * For bytes that come without a descriptor. Errors: ERR_INVALID (JSON).
 */
MUST_CHECK int oci_document_sniff(const void *json, size_t len, const char *what,
				  enum oci_media_type *ret, char *ret_text, size_t text_size,
				  struct error *err);

/* The media type to write where a document does not name its own. */
const char *oci_document_default_type(enum oci_media_type kind);
