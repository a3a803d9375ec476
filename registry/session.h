/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests to one repository of one registry: which scheme, who asks, how often. What is above it
 * speaks of manifests and blobs, what is below of URLs.
 */
#pragma once

#include "registry/credential.h"
#include "registry/endpoint.h"
#include "registry/http.h"
#include "registry/reference.h"

struct session; /* may be used by several threads at once */

struct session_options {
	const struct http_options *http;     /* NULL: the usual */
	unsigned tries;			     /* of one request; 0: 5 */
	unsigned backoff_ms;		     /* before the second; doubles; 0: 500 */
	const char *authfile;		     /* where credentials are; NULL: see auth_places.h */
	const struct credential *credential; /* who asks, nothing is looked for; or NULL */
	const char *credential_host;	     /* only there, with port; NULL: anywhere */
};

/*
 * With the registry of a reference itself, whatever configuration says; or with one endpoint.
 * @ref, @e, @options: copied; options may be NULL.
 */
struct session *session_new_at(const struct endpoint *e, const struct session_options *options);
struct session *session_new(const struct reference *ref, const struct session_options *options);
void session_free(struct session *s);
DEFINE_CLEANUP(struct session *, session_free);

/*
 * Whether a registry takes a credential: GET /v2/ as that one.
 * @host: with port.   @ret_asked: false when it lets anybody in and never asked.
 * Errors: as session_get(); ERR_UNAUTHORIZED: it does not; ERR_INVALID: there is no registry.
 */
MUST_CHECK int session_check_login(const char *host, const struct credential *c,
				   const struct session_options *options, bool *ret_asked,
				   struct error *err);

/* The host that answers, for messages. */
const char *session_host(const struct session *s);
unsigned session_tries(const struct session *s);

/*
 * GET <endpoint>/<path>/<kind>/<name>; succeeds only with status 200. Tries again, waiting in between, as
 * long as nothing of a body was handed out: broken connections, 408, 429, 5xx (see patience.h).
 * @kind: "manifests" or "blobs". @name: a tag or a digest. @accept: or NULL.
 * Errors: ERR_NETWORK, ERR_UNAUTHORIZED, ERR_NOT_FOUND, ERR_INVALID, ERR_INTERRUPTED; each names
 * the registry, what was asked, and the URL without its query.
 */
MUST_CHECK int session_get(struct session *s, const char *kind, const char *name,
			   const char *accept, struct http_response *ret, struct error *err);

/*
 * The same for a part of it: GET with a Range, "bytes=5-" or "bytes=5-99".
 * Status 200 (a server need not know of ranges), 206 or 416; the rest is for the caller to judge.
 */
MUST_CHECK int session_get_range(struct session *s, const char *kind, const char *name,
				 const char *range, struct http_response *ret, struct error *err);
