/* SPDX-License-Identifier: Apache-2.0 */
/* An image in a registry as a source. */
#pragma once

#include "oci/source.h"
#include "registry/session.h"

/*
 * @reference: see registry/reference.h. Nothing is asked of the registry, and no configuration
 * is read, before source_resolve() or source_fetch(). Mirrors and all else that configuration says
 * of the image are theirs to follow, see registry/endpoints.h.
 * The recorded name is the normal form: "docker.io/library/alpine:3.20".
 * source_fetch() may be called by several threads at once; all streams must be closed before the
 * source.
 * Errors: ERR_USAGE.
 */
MUST_CHECK int registry_source_open(const char *reference, struct source **ret, struct error *err);

/*
 * The same with other limits and retries than usual. @options: copied, but not the texts and lists
 * that it points to, which must outlive the source.
 */
MUST_CHECK int registry_source_open_with(const char *reference,
					 const struct session_options *options, struct source **ret,
					 struct error *err);
