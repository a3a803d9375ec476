/* SPDX-License-Identifier: Apache-2.0 */
/* Goes from endpoint to endpoint, and remembers which ones are of no use. */
#include "registry/route.h"

#include <pthread.h>
#include <stdlib.h>

#include "pkg/base/alloc.h"
#include "pkg/base/log.h"
#include "pkg/stream/stage.h"

struct stop {
	struct session *session;
	bool resolves, pulls;
	bool is_out; /* failed in a way that will not pass soon */
};

struct route {
	struct stop *stops;
	size_t n;
	pthread_mutex_t lock; /* of is_out */
};

/* --- life ------------------------------------------------------------------------------------- */

/* Credentials that were given for the registry are not for anybody else. */
static struct session_options options_for(const struct endpoint *e,
					  const struct session_options *options)
{
	struct session_options o = options ? *options : (struct session_options){0};

	if (!e->is_origin)
		o.credential = NULL;
	return o;
}

/*
 * With somebody else to ask there is no use in patience: two tries, and ten seconds for a
 * connection unless the endpoint says otherwise.
 */
static struct session *new_hasty(const struct endpoint *e, const struct session_options *options)
{
	enum { TRIES = 2, CONNECT_MS = 10000 };
	struct session_options o = options_for(e, options);
	struct http_options http = o.http ? *o.http : (struct http_options){0};

	if (o.tries == 0 || o.tries > TRIES)
		o.tries = TRIES;
	if (http.connect_ms == 0 || http.connect_ms > CONNECT_MS)
		http.connect_ms = CONNECT_MS;
	o.http = &http;
	return session_new_at(e, &o);
}

static struct session *new_last(const struct endpoint *e, const struct session_options *options)
{
	struct session_options o = options_for(e, options);

	return session_new_at(e, &o);
}

struct route *route_new(const struct endpoints *list, const struct session_options *options)
{
	struct route *r = xcalloc(1, sizeof(*r));

	r->stops = xcalloc(list->n, sizeof(*r->stops));
	r->n = list->n;
	for (size_t i = 0; i < r->n; i++) {
		const struct endpoint *e = &list->items[i];
		struct stop *stop = &r->stops[i];

		stop->session = i + 1 < r->n ? new_hasty(e, options) : new_last(e, options);
		stop->resolves = e->resolves;
		stop->pulls = e->pulls;
	}
	pthread_mutex_init(&r->lock, NULL);
	return r;
}

void route_free(struct route *r)
{
	for (size_t i = 0; i < r->n; i++)
		session_free(r->stops[i].session);
	pthread_mutex_destroy(&r->lock);
	free(r->stops);
	free(r);
}

/* --- who is of use ---------------------------------------------------------------------------- */

static bool is_for(const struct stop *stop, enum route_use use)
{
	return use == ROUTE_RESOLVE ? stop->resolves : stop->pulls;
}

static bool is_out(struct route *r, const struct stop *stop)
{
	bool out;

	pthread_mutex_lock(&r->lock);
	out = stop->is_out;
	pthread_mutex_unlock(&r->lock);
	return out;
}

/* Returns what it was before. */
static bool set_out(struct route *r, struct stop *stop, bool out)
{
	bool was_out;

	pthread_mutex_lock(&r->lock);
	was_out = stop->is_out;
	stop->is_out = out;
	pthread_mutex_unlock(&r->lock);
	return was_out;
}

/* It may have other things, or this one later. */
static bool is_of_use_still(const struct error *err)
{
	return err->kind == ERR_NOT_FOUND || err->detail == ERR_DETAIL_SERVER
	       || err->detail == ERR_DETAIL_TOO_MANY;
}

/* Another thread may have found out as well; it is told once. */
static void judge(struct route *r, struct stop *stop, const struct error *err)
{
	char text[1024];

	error_text(err, text, sizeof(text));
	if (is_of_use_still(err))
		log_debug("mirror: %s", text);
	else if (!set_out(r, stop, true))
		log_warning("%s; another place is asked instead", text);
}

/* --- asking ----------------------------------------------------------------------------------- */

struct question {
	enum route_use use;
	route_ask_fn *ask;
	void *arg;
	bool *asked; /* of each stop */
};

static int ask_stop(struct route *r, size_t i, const struct question *q, struct error *err)
{
	struct stop *stop = &r->stops[i];

	q->asked[i] = true;
	error_clear(err);
	if (q->ask(q->arg, stop->session, err) < 0)
		return -1;
	set_out(r, stop, false);
	return 0;
}

/* In their order, without those that are out; *err is of the last. */
static int ask_in_order(struct route *r, size_t last, const struct question *q, struct error *err)
{
	for (size_t i = 0; i < last; i++) {
		struct stop *stop = &r->stops[i];

		if (!is_for(stop, q->use) || is_out(r, stop))
			continue;
		if (ask_stop(r, i, q, err) == 0)
			return 0;
		if (err->kind == ERR_INTERRUPTED)
			return -1;
		judge(r, stop, err);
	}
	return ask_stop(r, last, q, err);
}

/*
 * Those that are out, once more, before all is lost: where only a mirror can be reached, a
 * connection that broke must not be the end of it.
 */
static int ask_the_rest(struct route *r, const struct question *q, struct error *err)
{
	for (size_t i = 0; i < r->n; i++) {
		struct error again = {0};

		if (!is_for(&r->stops[i], q->use) || q->asked[i])
			continue;
		if (ask_stop(r, i, q, &again) == 0)
			return 0;
		if (again.kind == ERR_INTERRUPTED) {
			*err = again;
			return -1;
		}
	}
	return -1;
}

static int refuse_use(enum route_use use, struct error *err)
{
	error_set(err, ERR_NOT_FOUND, "hosts.toml names no place that may be asked %s",
		  use == ROUTE_RESOLVE ? "what a tag stands for" : "for what an image is made of");
	return error_set_detail(err, ERR_DETAIL_CONFIG);
}

int route_ask(struct route *r, enum route_use use, route_ask_fn *ask, void *arg, struct error *err)
{
	cleanup_free bool *asked = xcalloc(r->n, sizeof(*asked));
	struct question q = {use, ask, arg, asked};
	size_t last = r->n;

	while (last > 0 && !is_for(&r->stops[last - 1], use))
		last--;
	if (last == 0)
		return refuse_use(use, err);
	if (ask_in_order(r, last - 1, &q, err) == 0)
		return 0;
	if (err->kind == ERR_INTERRUPTED)
		return -1;
	return ask_the_rest(r, &q, err);
}

/* --- bodies ----------------------------------------------------------------------------------- */

struct watch {
	struct stream stream;
	struct stream *inner;
	size_t lent; /* of the inner stream's piece, to be taken */
	struct route *route;
	struct stop *stop;
};

static int watch_fill(struct stream *s, const uint8_t **ret, size_t *ret_len, struct error *err)
{
	struct watch *w = (struct watch *)s;
	int rc;

	stream_advance(w->inner, w->lent);
	w->lent = 0;
	rc = stream_peek(w->inner, ret, ret_len, err);
	if (rc == 0)
		w->lent = *ret_len;
	if (rc < 0 && err->kind == ERR_NETWORK)
		judge(w->route, w->stop, err);
	return rc;
}

static int watch_finish(struct stream *s, struct error *err)
{
	return stream_finish(((struct watch *)s)->inner, err);
}

static void watch_release(struct stream *s)
{
	stream_close(((struct watch *)s)->inner);
}

void route_watch(struct route *r, const struct session *from, struct stream **body)
{
	static const struct stream_ops ops = {
		.fill = watch_fill,
		.finish = watch_finish,
		.release = watch_release,
	};
	struct watch *w;
	size_t i = 0;

	while (r->stops[i].session != from)
		i++;
	if (i + 1 == r->n) /* nobody else to ask */
		return;
	w = xcalloc(1, sizeof(*w));
	w->stream.ops = &ops;
	w->inner = *body;
	w->route = r;
	w->stop = &r->stops[i];
	*body = &w->stream;
}
