/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request with all that may go wrong before its body: choice of scheme (image-rules C19),
 * retries (C11), refusals (C12). Authentication has its place in ask(): a 401 from the registry
 * itself, never from where it redirected to, is to be answered there.
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

enum { TRIES = 4, BACKOFF_MS = 500, WAIT_MAX_MS = 60000 };

struct session {
	struct http_client *http;
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

static int ask_once(struct session *s, const char *kind, const char *name, const char *accept,
		    struct http_response *ret, enum http_problem *problem, struct error *err)
{
	cleanup_free char *url =
		xasprintf("%s://%s/v2/%s/%s/%s", scheme_of(s), s->host, s->path, kind, name);
	struct http_request request = {.url = url, .accept = accept};
	bool left;

	return redirect_get(s->http, &request, ret, &left, problem, err);
}

static int ask(struct session *s, const char *kind, const char *name, const char *accept,
	       struct http_response *ret, enum http_problem *problem, struct error *err)
{
	int rc = ask_once(s, kind, name, accept, ret, problem, err);

	if (rc < 0 && *problem == HTTP_PROBLEM_NO_TLS && fall_back_to_plain(s)) {
		log_debug("%s speaks no TLS: using plain http on this machine", s->host);
		rc = ask_once(s, kind, name, accept, ret, problem, err);
	}
	if (rc == 0)
		stay_with_scheme(s);
	return rc;
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

static unsigned backoff(const struct session *s, unsigned attempt, unsigned retry_after_s)
{
	uint64_t ms = (uint64_t)s->backoff_ms << (attempt < 16 ? attempt : 16);

	if ((uint64_t)retry_after_s * 1000 > ms)
		ms = (uint64_t)retry_after_s * 1000;
	return ms < WAIT_MAX_MS ? (unsigned)ms : WAIT_MAX_MS;
}

static bool is_worth_retrying(enum http_problem problem)
{
	return problem == HTTP_PROBLEM_CONNECT || problem == HTTP_PROBLEM_BROKEN
	       || problem == HTTP_PROBLEM_NO_TLS;
}

/* One try: 0 and a response of status 200, 1 = failed but may work later, -1. */
static int try_once(struct session *s, const char *kind, const char *name, const char *accept,
		    struct http_response *ret, unsigned *retry_after_s, struct error *err)
{
	struct http_response r = {0};
	enum http_problem problem;
	int status;

	*retry_after_s = 0;
	if (ask(s, kind, name, accept, &r, &problem, err) < 0)
		return is_worth_retrying(problem) ? 1 : -1;
	if (r.status == 200) {
		*ret = r;
		return 0;
	}
	status = r.status;
	*retry_after_s = r.retry_after_s;
	registry_refused(&r, err);
	error_wrap(err, "%s", r.url);
	http_response_release(&r);
	return registry_may_retry(status) ? 1 : -1;
}

int session_get(struct session *s, const char *kind, const char *name, const char *accept,
		struct http_response *ret, struct error *err)
{
	unsigned retry_after_s;
	int rc;

	for (unsigned attempt = 0;; attempt++) {
		rc = try_once(s, kind, name, accept, ret, &retry_after_s, err);
		if (rc <= 0)
			break;
		if (attempt + 1 >= s->tries) {
			rc = -1;
			break;
		}
		log_debug("%s: trying again: %s", s->host, err->cause);
		if (wait_ms(backoff(s, attempt, retry_after_s), err) < 0) {
			rc = -1;
			break;
		}
	}
	return rc < 0 ? error_wrap(err, "%.*s from %s", (int)strlen(kind) - 1, kind, s->host) : 0;
}
