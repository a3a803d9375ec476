/* SPDX-License-Identifier: Apache-2.0 */
/* Between http.c, http_error.c and http_identity.c. */
#pragma once

#include <curl/curl.h>

#include "registry/http.h"

/* @why: curl's words. */
enum http_problem http_problem_of(CURL *easy, CURLcode code, const char *why);

/* The error of a request that got no answer, without its URL. @why: curl's words. Returns -1. */
int http_fail_at_step(CURL *easy, CURLcode code, const char *why, struct error *err);

/* --- what is trusted where, and who we are there (http_identity.c) ---------------------------- */

struct http_identity; /* of a client; may be used by several threads at once */

struct http_identity *http_identity_new(const struct http_options *options);
void http_identity_free(struct http_identity *id);

/*
 * Prepare a request: certificates, proxy, and the headers that it does not have itself.
 * @headers: added to. Errors: ERR_SYSTEM, ERR_INVALID: a file of certificates.
 */
MUST_CHECK int http_identity_apply(struct http_identity *id, const struct http_request *request,
				   CURL *easy, struct curl_slist **headers, struct error *err);
