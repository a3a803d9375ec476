/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bearer tokens: what a registry's token server gives to anybody, or to who has credentials for the
 * registry. Keeps them as long as they last.
 */
#pragma once

#include <stddef.h>

#include "pkg/base/cleanup.h"
#include "pkg/base/error.h"
#include "registry/challenge.h"
#include "registry/credential.h"
#include "registry/http.h"

struct token {
	char *text;	    /* visible ASCII only: safe in a header */
	unsigned expires_s; /* after it was asked for, 60 at least */
};

/* The answer of a token server. Errors: ERR_INVALID; they never show any of it. */
MUST_CHECK int token_parse(const void *json, size_t len, struct token *ret, struct error *err);
void token_release(struct token *t);

struct token_store; /* may be used by several threads at once */

/* @http: borrowed, must outlive it. */
struct token_store *token_store_new(struct http_client *http);
void token_store_free(struct token_store *s);

/* The Authorization header that was good last, unless its time is over; or NULL. Owned, secret. */
char *token_store_last(struct token_store *s);

struct token_request {
	const char *registry_url; /* that made the challenge */
	const char *path;	  /* of the repository; NULL: a token for none */
	const struct challenge *challenge;
	const char *refused; /* the header that did not do, or NULL: not given again from memory */
	/*
	 * Who wants it, NULL for anybody; the same for all requests of one store. With a password
	 * it is asked for by GET with Basic, with an identity token by POST, and when the server
	 * does not know that by GET after all.
	 */
	const struct credential *credential;
};

struct token_answer {
	char *authorization;	/* owned, secret; on success only */
	bool fresh;		/* fetched just now: there is no better one */
	unsigned retry_after_s; /* on failure */
};

/*
 * Answer a Bearer challenge: one that is known for the same realm, service and scopes, or one
 * request to the token server. Threads that want a token at the same time wait for one another.
 * Returns 0; 1 = failed, but may work later; -1.
 * Errors: ERR_INVALID (realm, answer), ERR_UNAUTHORIZED, ERR_NETWORK, ERR_INTERRUPTED...; each
 * names the URL without its query.
 */
MUST_CHECK int token_store_get(struct token_store *s, const struct token_request *request,
			       struct token_answer *ret, struct error *err);
