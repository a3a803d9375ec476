/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Authorization headers for one registry: what answers its challenges, made of the user's
 * credentials for its host, or of none. Credentials are looked for when it first asks for them.
 */
#pragma once

#include <stdbool.h>

#include "pkg/base/cleanup.h"
#include "registry/challenge.h"
#include "registry/credential.h"
#include "registry/http.h"

struct authorization; /* may be used by several threads at once */

struct authorization_options {
	const char *host;		     /* that is asked, with port */
	const char *path;		     /* of the repository; NULL: none in particular */
	const char *authfile;		     /* see credentials_find(); or NULL */
	const struct credential *credential; /* who it is, nothing is looked for; or NULL */
};

/* @http: borrowed, must outlive it.   @options: copied. */
struct authorization *authorization_new(struct http_client *http,
					const struct authorization_options *options);
void authorization_free(struct authorization *a);
DEFINE_CLEANUP(struct authorization *, authorization_free);

/* What to ask with before anything was said: the header that did last; or NULL. Owned, secret. */
char *authorization_last(struct authorization *a);

/*
 * Whether there are credentials for the host. 0, 1 = there are none, -1: as credentials_find().
 */
MUST_CHECK int authorization_find(struct authorization *a, struct error *err);

/*
 * Whether there is anything to answer a challenge with: a registry token, and for Basic a password,
 * unless that was refused already; else for Bearer there always is, by a token server.
 * @refused: the header that did not do, or NULL.
 * Returns 0, 1 = there is nothing, -1.
 */
MUST_CHECK int authorization_fits(struct authorization *a, const struct challenge *c,
				  const char *refused, struct error *err);

struct authorization_answer {
	char *header;		/* owned, secret; on success only */
	bool fresh;		/* there is no better one */
	unsigned retry_after_s; /* on failure */
};

/*
 * Answer a challenge that fits. @registry_url: that made it.
 * Returns 0; 1 = failed, but may work later; -1. Errors: as token_store_get().
 */
MUST_CHECK int authorization_answer(struct authorization *a, const char *registry_url,
				    const struct challenge *c, const char *refused,
				    struct authorization_answer *ret, struct error *err);

/*
 * Say in an ERR_UNAUTHORIZED who was not let in, by its context and its detail.
 * @was_shown: an answer was given, so that it was not for want of one. Returns -1.
 */
int authorization_explain(struct authorization *a, bool was_shown, struct error *err);
