/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request with all that may go wrong before its body: choice of scheme (rule C19),
 * tokens (C3), retries (C11), refusals (C12).
 */
#include "registry/session.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pkg/base/alloc.h"
#include "pkg/base/interrupt.h"
#include "pkg/base/log.h"
#include "registry/errors.h"
#include "registry/http_url.h"
#include "registry/redirect.h"
#include "registry/token.h"

enum { TRIES = 4, BACKOFF_MS = 500, WAIT_MAX_MS = 60000 };

struct session {
	struct http_client *http;
	struct token_store *tokens;
	char *host; /* with port */
	char *path;
	unsigned tries, backoff_ms;
	pthread_mutex_t lock; /* of the two below */
	bool is_plain;	      /* http instead of https */
	bool may_be_plain;    /* on this machine, and https has not worked yet */
};

/* --- scheme --------------------------------------------------------------------------------------
 */

/*
 * Plain http is only for this machine: at once on port 80, elsewhere when TLS finds no TLS there;
 * never on the ports that are https by name.
 */
static void choose_scheme(struct session *s)
{
	cleanup(http_url_release) struct http_url url = {0};
	cleanup_free char *text = xasprintf("https://%s/", s->host);
	struct error ignored = {0};

	if (http_url_parse(text, &url, &ignored) < 0 || !http_host_is_loopback(url.host))
		return;
	s->is_plain = url.port == 80;
	s->may_be_plain = url.port != 80 && url.port != 443;
}

static const char *scheme_of(struct session *s)
{
	const char *scheme;

	pthread_mutex_lock(&s->lock);
	scheme = s->is_plain ? "http" : "https";
	pthread_mutex_unlock(&s->lock);
	return scheme;
}

/* After a handshake that found no TLS: whether to ask again in plain. */
static bool fall_back_to_plain(struct session *s)
{
	bool yes;

	pthread_mutex_lock(&s->lock);
	yes = s->may_be_plain || s->is_plain; /* another thread may have found out */
	s->is_plain = yes;
	s->may_be_plain = false;
	pthread_mutex_unlock(&s->lock);
	return yes;
}

/* TLS was spoken: from now on nothing else will do. */
static void stay_with_scheme(struct session *s)
{
	pthread_mutex_lock(&s->lock);
	s->may_be_plain = false;
	pthread_mutex_unlock(&s->lock);
}

/* --- life ----------------------------------------------------------------------------------------
 */

struct session *session_new(const struct reference *ref, const struct session_options *options)
{
	static const struct session_options usual = {0};
	struct session *s = xcalloc(1, sizeof(*s));

	if (!options)
		options = &usual;
	s->http = http_client_new(options->http);
	s->tokens = token_store_new(s->http);
	s->host = xstrdup(reference_api_host(ref));
	s->path = xstrdup(ref->path);
	s->tries = options->tries ? options->tries : TRIES;
	s->backoff_ms = options->backoff_ms ? options->backoff_ms : BACKOFF_MS;
	pthread_mutex_init(&s->lock, NULL);
	choose_scheme(s);
	return s;
}

void session_free(struct session *s)
{
	token_store_free(s->tokens);
	http_client_free(s->http);
	pthread_mutex_destroy(&s->lock);
	free(s->host);
	free(s->path);
	free(s);
}

const char *session_host(const struct session *s)
{
	return s->host;
}

unsigned session_tries(const struct session *s)
{
	return s->tries;
}

/* --- one request ---------------------------------------------------------------------------------
 */

struct wish {
	const char *kind, *name, *accept;
};

/* What a response is worth. */
struct verdict {
	bool left;	 /* it is not from the registry: no challenge to answer */
	bool with_token; /* what was asked last */
	enum http_problem problem;
	bool may_pass; /* a failure that is worth another try */
	unsigned retry_after_s;
};

static int ask_once(struct session *s, const struct wish *w, const char *authorization,
		    struct http_response *ret, struct verdict *v, struct error *err)
{
	cleanup_free char *url =
		xasprintf("%s://%s/v2/%s/%s/%s", scheme_of(s), s->host, s->path, w->kind, w->name);
	struct http_request request = {.url = url,
				       .accept = w->accept,
				       .authorization = authorization};

	return redirect_get(s->http, &request, ret, &v->left, &v->problem, err);
}

static int ask(struct session *s, const struct wish *w, const char *authorization,
	       struct http_response *ret, struct verdict *v, struct error *err)
{
	int rc = ask_once(s, w, authorization, ret, v, err);

	if (rc < 0 && v->problem == HTTP_PROBLEM_NO_TLS && fall_back_to_plain(s)) {
		log_debug("%s speaks no TLS: using plain http on this machine", s->host);
		rc = ask_once(s, w, authorization, ret, v, err);
	}
	if (rc == 0)
		stay_with_scheme(s);
	v->may_pass = rc < 0 && http_problem_may_pass(v->problem);
	return rc;
}

/* --- tokens --------------------------------------------------------------------------------------
 */

/* A short body that is read leaves its connection for the next request. */
static void drain(struct http_response *r)
{
	enum { SHORT_BYTES = 16 << 10 };
	cleanup_buffer struct buffer body = {0};
	struct error ignored = {0};

	if (r->content_length <= SHORT_BYTES
	    && stream_read_all(r->body, SHORT_BYTES, &body, &ignored) < 0)
		log_debug("http: %s: the body of a 401: %s", r->url, ignored.cause);
}

/* 0: a token to ask with, in the place of *authorization; -1. */
static int answer(struct session *s, const struct challenge *c, const struct http_response *r,
		  char **authorization, bool *ret_fresh, struct verdict *v, struct error *err)
{
	struct token_request request = {.registry_url = r->url,
					.path = s->path,
					.challenge = c,
					.refused = *authorization};
	struct token_answer token;
	int rc = token_store_get(s->tokens, &request, &token, err);

	v->may_pass = rc > 0;
	v->retry_after_s = token.retry_after_s;
	if (rc != 0)
		return error_wrap(err, "asking for a token");
	free(*authorization);
	*authorization = token.authorization;
	*ret_fresh = token.fresh;
	return 0;
}

static bool wants_token(const struct http_response *r, struct challenge *ret)
{
	struct error ignored = {0};

	if (r->status != 401 || challenge_parse(r->authenticate, ret, &ignored) < 0)
		return false;
	return ret->scheme == CHALLENGE_BEARER;
}

/*
 * Ask with the token that did last, if any. A 401 of the registry itself is answered by another;
 * when one that was made for this request is refused as well, that is the registry's last word.
 */
static int ask_with_token(struct session *s, const struct wish *w, struct http_response *ret,
			  struct verdict *v, struct error *err)
{
	enum { ANSWERS_MAX = 3 }; /* other threads may have renewed it, too late for us */
	cleanup_free char *authorization = token_store_last(s->tokens);
	bool is_fresh = false;

	for (int i = 0;; i++) {
		cleanup(challenge_release) struct challenge c = {0};
		int rc;

		v->with_token = authorization != NULL;
		if (ask(s, w, authorization, ret, v, err) < 0)
			return -1;
		if (is_fresh || i == ANSWERS_MAX || v->left || !wants_token(ret, &c))
			return 0;
		drain(ret);
		rc = answer(s, &c, ret, &authorization, &is_fresh, v, err);
		http_response_release(ret);
		if (rc < 0)
			return -1;
	}
}

/* --- trying again --------------------------------------------------------------------------------
 */

static int wait_ms(unsigned ms, struct error *err)
{
	enum { SLICE_MS = 200 };

	while (ms > 0) {
		unsigned slice = ms < SLICE_MS ? ms : SLICE_MS;
		struct timespec t = {.tv_nsec = (long)slice * 1000000};

		if (interrupt_check(err) < 0)
			return -1;
		nanosleep(&t, NULL);
		ms -= slice;
	}
	return 0;
}

/* A long rest is told, or it looks like a hang. */
static int wait_told(const struct session *s, unsigned ms, struct error *err)
{
	enum { LONG_MS = 3000 };

	if (ms >= LONG_MS)
		log_warning("%s asks for a rest of %u s (%s)", s->host, ms / 1000, err->cause);
	return wait_ms(ms, err);
}

static unsigned backoff(const struct session *s, unsigned attempt, unsigned retry_after_s)
{
	uint64_t ms = (uint64_t)s->backoff_ms << (attempt < 16 ? attempt : 16);

	if ((uint64_t)retry_after_s * 1000 > ms)
		ms = (uint64_t)retry_after_s * 1000;
	return ms < WAIT_MAX_MS ? (unsigned)ms : WAIT_MAX_MS;
}

/* A response that is no success, as an error. */
static int refuse(struct http_response *r, struct verdict *v, struct error *err)
{
	v->may_pass = registry_may_retry(r->status);
	v->retry_after_s = r->retry_after_s;
	registry_refused(r, err);
	if (err->kind == ERR_UNAUTHORIZED && v->with_token && !v->left)
		error_wrap(err, "with an anonymous token");
	error_wrap(err, "%s", r->url);
	http_response_release(r);
	return -1;
}

/* One try: 0 and a response of status 200, or -1. */
static int try_once(struct session *s, const struct wish *w, struct http_response *ret,
		    struct verdict *v, struct error *err)
{
	struct http_response r = {0};

	*v = (struct verdict){0};
	if (ask_with_token(s, w, &r, v, err) < 0)
		return -1;
	if (r.status != 200)
		return refuse(&r, v, err);
	*ret = r;
	return 0;
}

int session_get(struct session *s, const char *kind, const char *name, const char *accept,
		struct http_response *ret, struct error *err)
{
	struct wish w = {kind, name, accept};
	struct verdict v;
	int rc;

	for (unsigned attempt = 0;; attempt++) {
		rc = try_once(s, &w, ret, &v, err);
		if (rc == 0 || !v.may_pass || attempt + 1 >= s->tries)
			break;
		log_debug("%s: trying again: %s", s->host, err->cause);
		rc = wait_told(s, backoff(s, attempt, v.retry_after_s), err);
		if (rc < 0)
			break;
	}
	if (rc == 0)
		return 0;
	if (err->kind == ERR_NOT_FOUND && err->detail == ERR_DETAIL_NONE)
		error_set_detail(err, strcmp(kind, "blobs") == 0 ? ERR_DETAIL_NO_BLOB
								 : ERR_DETAIL_NO_MANIFEST);
	return error_wrap(err, "%.*s from %s", (int)strlen(kind) - 1, kind, s->host);
}
