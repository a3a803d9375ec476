/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fetches tokens and remembers them. Nothing of a token is ever shown, and nothing that a token
 * server says gets into a header but visible characters.
 */
#include "registry/token.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pkg/base/alloc.h"
#include "pkg/base/buffer.h"
#include "pkg/base/log.h"
#include "pkg/base/secret.h"
#include "pkg/json/jdoc.h"
#include "registry/errors.h"
#include "registry/http_url.h"
#include "registry/realm.h"

enum {
	BODY_MAX_BYTES = 1 << 20,
	TOKEN_MAX_BYTES = 64 << 10, /* servers take less in a header */
	EXPIRES_MIN_S = 60,	    /* also when nothing is said */
	EXPIRES_MAX_S = 86400,
	TOTAL_MS = 30000,
	KEPT_MAX = 8,
};

struct kept {
	char *url; /* realm, service and scopes: what the token is for */
	char *authorization;
	int64_t expires_s;
};

struct token_store {
	struct http_client *http;
	pthread_mutex_t lock;	    /* also held while a token is fetched: once is enough */
	struct kept kept[KEPT_MAX]; /* the last that was good first */
	size_t n;
};

/* --- the answer ----------------------------------------------------------------------------------
 */

void token_release(struct token *t)
{
	secret_free(t->text);
	*t = (struct token){0};
}

static int check_text(const char *text, struct error *err)
{
	size_t len = strlen(text);

	if (len > TOKEN_MAX_BYTES)
		return error_set(err, ERR_INVALID, "the token has more than %d bytes",
				 TOKEN_MAX_BYTES);
	for (size_t i = 0; i < len; i++)
		if (text[i] <= 0x20 || text[i] >= 0x7f)
			return error_set(err, ERR_INVALID,
					 "the token has characters that no header may have");
	return 0;
}

/* What is no number of seconds counts as not given; too short or long counts as the limit. */
static unsigned find_expiry(struct jval root)
{
	struct error ignored = {0};
	uint64_t s;

	if (jdoc_uint(root, "expires_in", JDOC_OPTIONAL, &s, &ignored) < 0 || s < EXPIRES_MIN_S)
		return EXPIRES_MIN_S;
	return s < EXPIRES_MAX_S ? (unsigned)s : EXPIRES_MAX_S;
}

/* "token", or what OAuth calls it. */
static int find_text(struct jval root, const char **ret, struct error *err)
{
	static const char *const names[] = {"token", "access_token"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (jdoc_string(root, names[i], JDOC_OPTIONAL, ret, err) < 0)
			return -1;
		if (*ret && **ret)
			return 0;
	}
	return error_set(err, ERR_INVALID, "the answer has no token");
}

int token_parse(const void *json, size_t len, struct token *ret, struct error *err)
{
	cleanup(jdoc_free_ptr) struct jdoc *doc = NULL;
	const char *text;

	if (jdoc_parse_secret(json, len, "answer", &doc, err) < 0
	    || !jdoc_is_object(jdoc_root(doc)))
		return error_set(err, ERR_INVALID, "the answer is no JSON object");
	if (find_text(jdoc_root(doc), &text, err) < 0 || check_text(text, err) < 0)
		return -1;
	ret->text = xstrdup(text);
	ret->expires_s = find_expiry(jdoc_root(doc));
	return 0;
}

/* --- fetching ------------------------------------------------------------------------------------
 */

/* Room for all of it at once: a buffer that grows leaves copies behind. */
static int read_token(struct http_response *r, struct token *ret, struct error *err)
{
	cleanup_secret_buffer struct buffer body = {0};

	buffer_reserve(&body, r->content_length < BODY_MAX_BYTES ? (size_t)r->content_length
								 : BODY_MAX_BYTES);
	if (stream_read_all(r->body, BODY_MAX_BYTES, &body, err) < 0
	    || stream_finish(r->body, err) < 0)
		return err->kind == ERR_NETWORK ? 1 : -1;
	return token_parse(body.len ? (const char *)body.data : "", body.len, ret, err);
}

/* What servers answer that do not know a way of asking, or do not like who asks. */
static bool is_no(const struct http_response *r)
{
	return r->status == 400 || r->status == 401 || r->status == 404 || r->status == 405;
}

/* 0, 1 = may work later, -1. A redirect would have to pass all checks again: nobody needs one. */
static int read_answer(struct http_response *r, struct token *ret, struct error *err)
{
	if (r->status >= 300 && r->status < 400)
		return error_set(err, ERR_INVALID, "%d redirected, not followed for a token",
				 r->status);
	if (r->status == 200)
		return read_token(r, ret, err);
	registry_refused(r, err);
	if (is_no(r)) { /* a 404 would mean images to callers */
		err->kind = ERR_UNAUTHORIZED;
		err->detail = ERR_DETAIL_NONE;
	}
	return registry_may_retry(r->status) ? 1 : -1;
}

/* 0, 1 = may work later, 2 = POST is not known there, -1. */
static int fetch(struct http_client *http, const struct http_request *request, struct token *ret,
		 unsigned *ret_retry_after_s, struct error *err)
{
	cleanup(http_response_release) struct http_response r = {0};
	enum http_problem problem;
	int rc;

	*ret_retry_after_s = 0;
	if (http_get(http, request, &r, &problem, err) < 0)
		return http_problem_may_pass(problem) ? 1 : -1;
	log_debug("http: token from %s: %d", r.url, r.status);
	if (request->form && is_no(&r))
		return 2;
	*ret_retry_after_s = r.retry_after_s;
	rc = read_answer(&r, ret, err);
	if (rc != 0)
		error_wrap(err, "%s", r.url);
	return rc;
}

/* As the token server's owner documents it: the credential itself is a token (OAuth2, RFC 6749). */
static int fetch_by_post(struct http_client *http, const struct token_request *wanted,
			 struct token *ret, unsigned *ret_retry_after_s, struct error *err)
{
	enum { FIELDS_BYTES = 64 << 10 };
	const char *identity = wanted->credential->identity_token;
	cleanup_secret_buffer struct buffer form = {0};
	cleanup_free char *url = NULL;
	struct http_request request = {.accept = "application/json", .total_ms = TOTAL_MS};

	buffer_reserve(&form, FIELDS_BYTES + 3 * strlen(identity));
	if (realm_form(wanted->registry_url, wanted->challenge, wanted->path, &url, &form, err) < 0)
		return -1;
	http_form_add(&form, "client_id", "thinpull");
	http_form_add(&form, "grant_type", "refresh_token");
	http_form_add(&form, "refresh_token", identity);
	request.url = url;
	request.form = (const char *)form.data;
	return fetch(http, &request, ret, ret_retry_after_s, err);
}

/* An identity token does as a password where it is not known as what it is. */
static char *basic_of(const struct credential *c)
{
	struct credential other;

	if (!c)
		return NULL;
	if (c->password && *c->password)
		return credential_basic(c);
	other = (struct credential){.user = c->user, .password = c->identity_token};
	return credential_basic(&other);
}

static int fetch_by_get(struct http_client *http, const char *url, const struct credential *c,
			struct token *ret, unsigned *ret_retry_after_s, struct error *err)
{
	cleanup_secret char *basic = basic_of(c);
	struct http_request request = {.url = url,
				       .accept = "application/json",
				       .authorization = basic,
				       .total_ms = TOTAL_MS};

	return fetch(http, &request, ret, ret_retry_after_s, err);
}

static int fetch_for(struct http_client *http, const char *url, const struct token_request *wanted,
		     struct token *ret, unsigned *ret_retry_after_s, struct error *err)
{
	const struct credential *c = wanted->credential;
	int rc;

	if (c && c->identity_token) {
		rc = fetch_by_post(http, wanted, ret, ret_retry_after_s, err);
		if (rc != 2)
			return rc;
	}
	return fetch_by_get(http, url, c, ret, ret_retry_after_s, err);
}

/* --- keeping -------------------------------------------------------------------------------------
 */

static int64_t now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

static void release_kept(struct kept *k)
{
	free(k->url);
	secret_free(k->authorization);
}

struct token_store *token_store_new(struct http_client *http)
{
	struct token_store *s = xcalloc(1, sizeof(*s));

	s->http = http;
	pthread_mutex_init(&s->lock, NULL);
	return s;
}

void token_store_free(struct token_store *s)
{
	for (size_t i = 0; i < s->n; i++)
		release_kept(&s->kept[i]);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

static struct kept *to_front(struct token_store *s, size_t i)
{
	struct kept k = s->kept[i];

	memmove(&s->kept[1], &s->kept[0], i * sizeof(k));
	s->kept[0] = k;
	return &s->kept[0];
}

static struct kept *find(struct token_store *s, const char *url)
{
	for (size_t i = 0; i < s->n; i++)
		if (!strcmp(s->kept[i].url, url))
			return to_front(s, i);
	return NULL;
}

/* In the place of an older one for the same, or of the one that was not used for longest. */
static void keep(struct token_store *s, const char *url, const struct token *token, int64_t asked_s)
{
	struct kept *k = find(s, url);

	if (!k) {
		if (s->n == KEPT_MAX)
			release_kept(&s->kept[--s->n]);
		k = to_front(s, s->n++);
	} else {
		release_kept(k);
	}
	k->url = xstrdup(url);
	k->authorization = secret_join("Bearer ", token->text);
	k->expires_s = asked_s + token->expires_s;
}

char *token_store_last(struct token_store *s)
{
	char *authorization = NULL;

	pthread_mutex_lock(&s->lock);
	if (s->n > 0 && s->kept[0].expires_s > now_s())
		authorization = xstrdup(s->kept[0].authorization);
	pthread_mutex_unlock(&s->lock);
	return authorization;
}

static int get_locked(struct token_store *s, const char *url, const struct token_request *wanted,
		      struct token_answer *ret, struct error *err)
{
	struct kept *k = find(s, url);
	struct token token = {0};
	int64_t asked_s = now_s();
	int rc;

	if (k && wanted->refused && !strcmp(wanted->refused, k->authorization))
		k->expires_s = 0;
	ret->fresh = !k || k->expires_s <= asked_s;
	if (ret->fresh) {
		rc = fetch_for(s->http, url, wanted, &token, &ret->retry_after_s, err);
		if (rc != 0)
			return rc;
		keep(s, url, &token, asked_s);
		token_release(&token);
	}
	ret->authorization = xstrdup(s->kept[0].authorization);
	return 0;
}

int token_store_get(struct token_store *s, const struct token_request *request,
		    struct token_answer *ret, struct error *err)
{
	cleanup_free char *url = NULL;
	int rc;

	*ret = (struct token_answer){0};
	if (realm_url(request->registry_url, request->challenge, request->path, &url, err) < 0)
		return -1;
	pthread_mutex_lock(&s->lock);
	rc = get_locked(s, url, request, ret, err);
	pthread_mutex_unlock(&s->lock);
	return rc;
}
