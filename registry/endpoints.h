/* SPDX-License-Identifier: Apache-2.0 */
/* Where an image is asked for: what the configuration of other tools makes of its reference. */
#pragma once

#include "registry/endpoint.h"
#include "registry/reference.h"

/*
 * The first of these that speaks of the image decides, alone: the table of registries.conf with the
 * longest prefix, if it rewrites or has mirrors; hosts.toml for its host, or for all; nothing, and
 * the registry itself is asked. Certificates come from certs.d where hosts.toml names none.
 * @ret: at least one; each with URL and path, mirrors first. Owned by the caller.
 * Errors: ERR_UNAUTHORIZED (blocked), ERR_INVALID (a file with errors), ERR_UNSUPPORTED,
 * ERR_SYSTEM; each names the file and has ERR_DETAIL_CONFIG.
 */
MUST_CHECK int endpoints_find(const struct reference *ref, struct endpoints *ret,
			      struct error *err);

/*
 * The same for a registry by itself, without an image.
 * @host: with its port, that answers for it. @ret: no path. Errors: as above.
 */
MUST_CHECK int endpoints_of_host(const char *host, struct endpoint *ret, struct error *err);

/*
 * The registry of a domain itself, without a look at any file: https, but for this machine (rule
 * C19), or when @insecure: then http is fine where no TLS is spoken, and certificates are not
 * checked.
 * @domain: as references have it.   @path: of the repository, or NULL.   @ret: its TLS is kept.
 */
void endpoints_of_registry(const char *domain, const char *path, bool insecure,
			   struct endpoint *ret);
