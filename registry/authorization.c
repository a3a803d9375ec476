/* SPDX-License-Identifier: Apache-2.0 */
/* Joins credentials and tokens. While there are credentials, the process leaves no core dump. */
#include "registry/authorization.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "pkg/base/alloc.h"
#include "pkg/base/secret.h"
#include "registry/credentials.h"
#include "registry/token.h"

struct authorization {
	struct token_store *tokens;
	char *host, *path, *authfile;
	pthread_mutex_t lock;		     /* of what follows */
	bool was_looked_for, has_credential; /* in this order; the credential never changes then */
	struct credential credential;
	char *fixed; /* the header that no token server made, once it was asked for */
};

/* --- life -------------------------------------------------------------------------------------- */

static char *copy(const char *text)
{
	return text ? xstrdup(text) : NULL;
}

struct authorization *authorization_new(struct http_client *http,
					const struct authorization_options *options)
{
	struct authorization *a = xcalloc(1, sizeof(*a));

	a->tokens = token_store_new(http);
	a->host = xstrdup(options->host);
	a->path = copy(options->path);
	a->authfile = copy(options->authfile);
	pthread_mutex_init(&a->lock, NULL);
	if (options->credential) {
		secret_hold();
		credential_copy(options->credential, &a->credential);
		a->was_looked_for = a->has_credential = true;
	}
	return a;
}

void authorization_free(struct authorization *a)
{
	token_store_free(a->tokens);
	secret_free(a->fixed);
	credential_release(&a->credential);
	if (a->has_credential)
		secret_let_go();
	pthread_mutex_destroy(&a->lock);
	free(a->host);
	free(a->path);
	free(a->authfile);
	free(a);
}

/* --- who it is --------------------------------------------------------------------------------- */

static int find_locked(struct authorization *a, struct error *err)
{
	int rc = 0;

	if (!a->was_looked_for) {
		rc = credentials_find(a->host, a->path, a->authfile, &a->credential, err);
		if (rc < 0)
			return -1;
		if (rc == 0)
			secret_hold();
		a->has_credential = rc == 0;
		a->was_looked_for = true;
	}
	return a->has_credential ? 0 : 1;
}

int authorization_find(struct authorization *a, struct error *err)
{
	int rc;

	pthread_mutex_lock(&a->lock);
	rc = find_locked(a, err);
	pthread_mutex_unlock(&a->lock);
	return rc;
}

/* NULL: anybody, or not looked for yet. What it points to never changes. */
static const struct credential *who_of(struct authorization *a)
{
	const struct credential *who;

	pthread_mutex_lock(&a->lock);
	who = a->has_credential ? &a->credential : NULL;
	pthread_mutex_unlock(&a->lock);
	return who;
}

/* --- what it is shown -------------------------------------------------------------------------- */

char *authorization_last(struct authorization *a)
{
	char *header = NULL;

	pthread_mutex_lock(&a->lock);
	if (a->fixed)
		header = xstrdup(a->fixed);
	pthread_mutex_unlock(&a->lock);
	return header ? header : token_store_last(a->tokens);
}

/* The header that answers it without a token server; NULL: there is none. */
static char *fixed_header(struct authorization *a, const struct challenge *c)
{
	const struct credential *who = who_of(a);

	if (!who)
		return NULL;
	if (c->scheme == CHALLENGE_BASIC)
		return credential_basic(who);
	return who->registry_token ? secret_join("Bearer ", who->registry_token) : NULL;
}

int authorization_fits(struct authorization *a, const struct challenge *c, const char *refused,
		       struct error *err)
{
	cleanup_secret char *fixed = NULL;

	if (c->scheme == CHALLENGE_NONE || c->scheme == CHALLENGE_OTHER)
		return 1;
	if (authorization_find(a, err) < 0)
		return -1;
	fixed = fixed_header(a, c);
	if (!fixed)
		return c->scheme == CHALLENGE_BEARER ? 0 : 1;
	return refused && strcmp(refused, fixed) == 0 ? 1 : 0;
}

static void answer_fixed(struct authorization *a, char *header, struct authorization_answer *ret)
{
	pthread_mutex_lock(&a->lock);
	secret_free(a->fixed);
	a->fixed = xstrdup(header);
	pthread_mutex_unlock(&a->lock);
	ret->header = header;
	ret->fresh = true;
}

int authorization_answer(struct authorization *a, const char *registry_url,
			 const struct challenge *c, const char *refused,
			 struct authorization_answer *ret, struct error *err)
{
	struct token_request request = {.registry_url = registry_url,
					.path = a->path,
					.challenge = c,
					.refused = refused,
					.credential = who_of(a)};
	char *fixed = fixed_header(a, c);
	struct token_answer token;
	int rc;

	*ret = (struct authorization_answer){0};
	if (fixed) {
		answer_fixed(a, fixed, ret);
		return 0;
	}
	rc = token_store_get(a->tokens, &request, &token, err);
	ret->retry_after_s = token.retry_after_s;
	if (rc != 0) {
		error_wrap(err, "asking for a token");
		return rc;
	}
	ret->header = token.authorization;
	ret->fresh = token.fresh;
	return 0;
}

/* --- when it is not let in --------------------------------------------------------------------- */

int authorization_explain(struct authorization *a, bool was_shown, struct error *err)
{
	const struct credential *who = who_of(a);

	if (err->kind != ERR_UNAUTHORIZED)
		return -1;
	if (who) {
		if (was_shown)
			error_wrap(err, "with the credentials of %s", who->where);
		return error_set_detail(err, ERR_DETAIL_CREDENTIALS);
	}
	if (was_shown)
		error_wrap(err, "with an anonymous token");
	return error_set_detail(err, ERR_DETAIL_LOGIN);
}
