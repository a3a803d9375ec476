/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request with all that may go wrong before its body: choice of scheme (rule C19),
 * who asks (C3, C13), retries (C11), refusals (C12).
 */
#include "registry/session.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "pkg/base/alloc.h"
#include "pkg/base/log.h"
#include "pkg/base/secret.h"
#include "registry/authorization.h"
#include "registry/endpoints.h"
#include "registry/errors.h"
#include "registry/http_url.h"
#include "registry/patience.h"
#include "registry/redirect.h"

enum { TRIES = 5, BACKOFF_MS = 500 };

struct session {
	struct http_client *http;
	struct authorization *who;
	char *host; /* with port */
	char *base; /* "host/v2": what stands between scheme and path */
	char *path; /* NULL: no repository, only the registry */
	char *ns;   /* or NULL */
	unsigned tries;
	struct patience patience;
	pthread_mutex_t lock; /* of what is below */
	bool is_plain;	      /* http instead of https */
	bool may_be_plain;    /* on this machine, and https has not worked yet */
	bool has_knocked;
	bool has_warned;
};

/* --- scheme --------------------------------------------------------------------------------------
 */

static void choose_scheme(struct session *s, const struct endpoint *e)
{
	s->is_plain = !strncmp(e->url, "http:", 5);
	s->may_be_plain = !s->is_plain && e->may_be_plain;
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

/* What is known of the endpoint, over limits that hold for any. */
static struct http_options http_options_for(const struct endpoint *e,
					    const struct http_options *usual)
{
	struct http_options o = usual ? *usual : (struct http_options){0};

	o.home_url = e->url;
	o.ca_files = e->tls.ca_files;
	o.n_ca_files = e->tls.n_ca_files;
	o.client_cert = e->tls.client_cert;
	o.client_key = e->tls.client_key;
	o.skip_verify = e->tls.skip_verify;
	o.headers = e->headers;
	o.n_headers = e->n_headers;
	o.proxy = e->proxy;
	if (e->dial_timeout_ms)
		o.connect_ms = e->dial_timeout_ms;
	return o;
}

struct session *session_new_at(const struct endpoint *e, const struct session_options *options)
{
	static const struct session_options usual = {0};
	struct session *s = xcalloc(1, sizeof(*s));
	struct authorization_options who = {.host = e->host, .path = e->path};
	struct http_options http;

	if (!options)
		options = &usual;
	who.authfile = options->authfile;
	if (!options->credential_host || !strcasecmp(options->credential_host, e->host))
		who.credential = options->credential;
	http = http_options_for(e, options->http);
	s->http = http_client_new(&http);
	s->who = authorization_new(s->http, &who);
	s->host = xstrdup(e->host);
	s->base = xstrdup(strstr(e->url, "://") + 3);
	s->path = e->path ? xstrdup(e->path) : NULL;
	s->ns = e->ns ? xstrdup(e->ns) : NULL;
	s->tries = options->tries ? options->tries : TRIES;
	patience_init(&s->patience, s->host,
		      options->backoff_ms ? options->backoff_ms : BACKOFF_MS);
	pthread_mutex_init(&s->lock, NULL);
	choose_scheme(s, e);
	return s;
}

struct session *session_new(const struct reference *ref, const struct session_options *options)
{
	cleanup(endpoint_release) struct endpoint e = {0};

	endpoints_of_registry(ref->domain, ref->path, false, &e);
	return session_new_at(&e, options);
}

void session_free(struct session *s)
{
	authorization_free(s->who);
	http_client_free(s->http);
	pthread_mutex_destroy(&s->lock);
	patience_release(&s->patience);
	free(s->host);
	free(s->base);
	free(s->path);
	free(s->ns);
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
	const char *kind, *name, *accept; /* without a kind: the registry itself, /v2/ */
	const char *range;		  /* or NULL */
};

/* What a response is worth. */
struct verdict {
	bool left;	/* it is not from the registry: no challenge to answer */
	bool was_shown; /* who asks, by what was asked last */
	enum http_problem problem;
	bool may_pass; /* a failure that is worth another try */
	unsigned retry_after_s;
};

/* A mirror is told which registry is meant. */
static int url_of(struct session *s, const struct wish *w, char **ret, struct error *err)
{
	cleanup_free char *url = w->kind ? xasprintf("%s://%s/%s/%s/%s", scheme_of(s), s->base,
						     s->path, w->kind, w->name)
					 : xasprintf("%s://%s/", scheme_of(s), s->base);

	if (s->ns)
		return http_url_add_query(url, "ns", s->ns, ret, err);
	*ret = steal(&url);
	return 0;
}

static int ask_once(struct session *s, const struct wish *w, const char *authorization,
		    struct http_response *ret, struct verdict *v, struct error *err)
{
	cleanup_free char *url = NULL;
	struct http_request request = {
		.accept = w->accept,
		.authorization = authorization,
		.range = w->range,
	};

	v->problem = HTTP_PROBLEM_OTHER;
	if (url_of(s, w, &url, err) < 0)
		return -1;
	request.url = url;
	return redirect_get(s->http, &request, ret, &v->left, &v->problem, err);
}

/* What a registry wants its users to know (RFC 7234, 299 - "text"), once. */
static void tell_warning(struct session *s, const struct http_response *r)
{
	enum { SHOWN_MAX = 200 };
	const char *text = r->warning ? strchr(r->warning, '"') : NULL;
	bool again;
	size_t len;

	if (!text)
		return;
	pthread_mutex_lock(&s->lock);
	again = s->has_warned;
	s->has_warned = true;
	pthread_mutex_unlock(&s->lock);
	len = strcspn(++text, "\"");
	if (!again)
		log_warning("%s says: %.*s", s->host, (int)(len < SHOWN_MAX ? len : SHOWN_MAX),
			    text);
}

static int ask(struct session *s, const struct wish *w, const char *authorization,
	       struct http_response *ret, struct verdict *v, struct error *err)
{
	int rc = ask_once(s, w, authorization, ret, v, err);

	if (rc < 0 && v->problem == HTTP_PROBLEM_NO_TLS && fall_back_to_plain(s)) {
		log_debug("%s speaks no TLS: using plain http", s->host);
		rc = ask_once(s, w, authorization, ret, v, err);
	}
	if (rc == 0)
		stay_with_scheme(s);
	if (rc == 0 && !v->left)
		tell_warning(s, ret);
	v->may_pass = rc < 0 && http_problem_may_pass(v->problem);
	return rc;
}

/* --- who asks ------------------------------------------------------------------------------------
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

/* 0: a header to ask with, in the place of *authorization; -1. */
static int answer(struct session *s, const struct challenge *c, const struct http_response *r,
		  char **authorization, bool *ret_fresh, struct verdict *v, struct error *err)
{
	struct authorization_answer answer;
	int rc = authorization_answer(s->who, r->url, c, *authorization, &answer, err);

	v->may_pass = rc > 0;
	v->retry_after_s = answer.retry_after_s;
	if (rc != 0)
		return authorization_explain(s->who, true, err);
	secret_free(*authorization);
	*authorization = answer.header;
	*ret_fresh = answer.fresh;
	return 0;
}

/* Is it a challenge that can be answered? 0, 1 = no, -1. */
static int wants_to_know(struct session *s, const struct http_response *r, const char *refused,
			 const struct verdict *v, struct challenge *ret, struct error *err)
{
	struct error ignored = {0};

	if (r->status != 401 || v->left || challenge_parse(r->authenticate, ret, &ignored) < 0)
		return 1;
	return authorization_fits(s->who, ret, refused, err);
}

/*
 * Ask with the header that did last, if any. A 401 of the registry itself is answered by another;
 * when one that was made for this request is refused as well, that is the registry's last word.
 */
static int ask_as_somebody(struct session *s, const struct wish *w, struct http_response *ret,
			   struct verdict *v, struct error *err)
{
	enum { ANSWERS_MAX = 3 }; /* other threads may have renewed it, too late for us */
	cleanup_secret char *authorization = authorization_last(s->who);
	bool is_fresh = false;

	for (int i = 0;; i++) {
		cleanup(challenge_release) struct challenge c = {0};
		int rc;

		v->was_shown = authorization != NULL;
		if (ask(s, w, authorization, ret, v, err) < 0)
			return -1;
		if (is_fresh || i == ANSWERS_MAX)
			return 0;
		rc = wants_to_know(s, ret, authorization, v, &c, err);
		if (rc > 0)
			return 0;
		if (rc == 0) {
			drain(ret);
			rc = answer(s, &c, ret, &authorization, &is_fresh, v, err);
		}
		http_response_release(ret);
		if (rc < 0)
			return -1;
	}
}

/* Some hide what is not for anybody behind a 404, and ask who it is only at their door. */
static bool may_be_hidden(const struct session *s, const struct http_response *r,
			  const struct verdict *v)
{
	return (r->status == 403 || r->status == 404) && !v->was_shown && !v->left && s->path;
}

/* Once for a session: ask there. 0 = what was hidden may be seen now, 1 = no, -1. */
static int knock(struct session *s, struct verdict *v, struct error *err)
{
	struct http_response r = {0};
	bool again;
	int rc;

	pthread_mutex_lock(&s->lock);
	again = s->has_knocked;
	s->has_knocked = true;
	pthread_mutex_unlock(&s->lock);
	if (again)
		return 1;
	rc = authorization_find(s->who, err);
	if (rc != 0)
		return rc;
	log_debug("%s shows nothing to anybody: saying who asks", s->host);
	if (ask_as_somebody(s, &(struct wish){0}, &r, v, err) < 0)
		return -1;
	http_response_release(&r);
	return v->was_shown ? 0 : 1;
}

/* --- trying again --------------------------------------------------------------------------------
 */

/* A response that is no success, as an error. */
static int refuse(struct session *s, struct http_response *r, struct verdict *v, struct error *err)
{
	v->may_pass = registry_may_retry(r->status);
	v->retry_after_s = r->retry_after_s;
	registry_refused(r, err);
	if (!v->left)
		authorization_explain(s->who, v->was_shown, err);
	error_wrap(err, "%s", r->url);
	http_response_release(r);
	return -1;
}

/* One try: 0 and a response of status 200, or one to a range; or -1. */
static int try_once(struct session *s, const struct wish *w, struct http_response *ret,
		    struct verdict *v, struct error *err)
{
	struct http_response r = {0};

	*v = (struct verdict){0};
	if (ask_as_somebody(s, w, &r, v, err) < 0)
		return -1;
	if (may_be_hidden(s, &r, v)) {
		struct verdict at_door = {0};
		int rc = knock(s, &at_door, err);

		if (rc <= 0)
			http_response_release(&r);
		if (rc < 0 || (rc == 0 && ask_as_somebody(s, w, &r, v, err) < 0))
			return -1;
	}
	if (r.status != 200 && !(w->range && (r.status == 206 || r.status == 416)))
		return refuse(s, &r, v, err);
	*ret = r;
	return 0;
}

static int try_often(struct session *s, const struct wish *w, struct http_response *ret,
		     struct verdict *v, struct error *err)
{
	for (unsigned attempt = 0;; attempt++) {
		int rc;

		if (patience_rest(&s->patience, err) < 0)
			return -1;
		rc = try_once(s, w, ret, v, err);
		if (rc == 0 || !v->may_pass || attempt + 1 >= s->tries)
			return rc;
		log_debug("%s: trying again: %s", s->host, err->cause);
		if (patience_wait(&s->patience, attempt, v->retry_after_s, err) < 0)
			return -1;
	}
}

static int get(struct session *s, const struct wish *w, struct http_response *ret,
	       struct error *err)
{
	struct verdict v;

	if (try_often(s, w, ret, &v, err) == 0)
		return 0;
	if (err->kind == ERR_NOT_FOUND && err->detail == ERR_DETAIL_NONE)
		error_set_detail(err, strcmp(w->kind, "blobs") == 0 ? ERR_DETAIL_NO_BLOB
								    : ERR_DETAIL_NO_MANIFEST);
	return error_wrap(err, "%.*s from %s", (int)strlen(w->kind) - 1, w->kind, s->host);
}

int session_get(struct session *s, const char *kind, const char *name, const char *accept,
		struct http_response *ret, struct error *err)
{
	return get(s, &(struct wish){kind, name, accept, NULL}, ret, err);
}

int session_get_range(struct session *s, const char *kind, const char *name, const char *range,
		      struct http_response *ret, struct error *err)
{
	return get(s, &(struct wish){kind, name, NULL, range}, ret, err);
}

int session_check_login(const char *host, const struct credential *c,
			const struct session_options *options, bool *ret_asked, struct error *err)
{
	struct session_options as_who = options ? *options : (struct session_options){0};
	cleanup(endpoint_release) struct endpoint e = {0};
	cleanup(session_free_ptr) struct session *s = NULL;
	cleanup(http_response_release) struct http_response r = {0};
	struct verdict v;

	as_who.credential = c;
	if (endpoints_of_host(host, &e, err) < 0)
		return -1;
	s = session_new_at(&e, &as_who);
	if (try_often(s, &(struct wish){0}, &r, &v, err) < 0) {
		if (err->kind == ERR_NOT_FOUND) {
			err->kind = ERR_INVALID; /* no image is missing */
			error_set_detail(err, ERR_DETAIL_NONE);
			error_wrap(err, "no registry");
		}
		return error_wrap(err, "%s", host);
	}
	*ret_asked = v.was_shown;
	return 0;
}
