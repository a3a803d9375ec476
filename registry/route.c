/* SPDX-License-Identifier: Apache-2.0 */
/* Goes from endpoint to endpoint, and remembers which ones are of no use. */
#include "registry/route.h"

#include <pthread.h>
#include <stdlib.h>

#include "pkg/base/alloc.h"
#include "pkg/base/log.h"

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

/*
 * With somebody else to ask there is no use in patience: two tries, and ten seconds for a
 * connection unless the endpoint says otherwise.
 */
static struct session *new_mirror(const struct endpoint *e, const struct session_options *options)
{
	enum { TRIES = 2, CONNECT_MS = 10000 };
	struct session_options o = options ? *options : (struct session_options){0};
	struct http_options http = o.http ? *o.http : (struct http_options){0};

	if (o.tries == 0 || o.tries > TRIES)
		o.tries = TRIES;
	if (http.connect_ms == 0 || http.connect_ms > CONNECT_MS)
		http.connect_ms = CONNECT_MS;
	o.http = &http;
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

		stop->session = i + 1 < r->n ? new_mirror(e, options) : session_new_at(e, options);
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

/* --- the way ---------------------------------------------------------------------------------- */

static bool is_for(const struct stop *stop, enum route_use use)
{
	return use == ROUTE_RESOLVE ? stop->resolves : stop->pulls;
}

/* The next that is for this use, from `i` on; r->n: there is none. */
static size_t find_next(const struct route *r, enum route_use use, size_t i)
{
	while (i < r->n && !is_for(&r->stops[i], use))
		i++;
	return i;
}

static bool is_out(struct route *r, const struct stop *stop)
{
	bool out;

	pthread_mutex_lock(&r->lock);
	out = stop->is_out;
	pthread_mutex_unlock(&r->lock);
	return out;
}

/* It may have other things, or this one later. */
static bool is_of_use_still(const struct error *err)
{
	return err->kind == ERR_NOT_FOUND || err->detail == ERR_DETAIL_SERVER
	       || err->detail == ERR_DETAIL_TOO_MANY;
}

/* Another thread may have found out as well; it is told once. */
static void put_out(struct route *r, struct stop *stop, const struct error *err)
{
	char text[1024];
	bool was_out;

	error_text(err, text, sizeof(text));
	if (is_of_use_still(err)) {
		log_debug("mirror: %s", text);
		return;
	}
	pthread_mutex_lock(&r->lock);
	was_out = stop->is_out;
	stop->is_out = true;
	pthread_mutex_unlock(&r->lock);
	if (!was_out)
		log_warning("%s; another place is asked instead", text);
}

static int refuse_use(enum route_use use, struct error *err)
{
	error_set(err, ERR_NOT_FOUND, "hosts.toml names no place that may be asked %s",
		  use == ROUTE_RESOLVE ? "what a tag stands for" : "for what an image is made of");
	return error_set_detail(err, ERR_DETAIL_CONFIG);
}

int route_ask(struct route *r, enum route_use use, route_ask_fn *ask, void *arg, struct error *err)
{
	size_t next = find_next(r, use, 0);

	if (next == r->n)
		return refuse_use(use, err);
	while (next < r->n) {
		struct stop *stop = &r->stops[next];

		next = find_next(r, use, next + 1);
		if (next < r->n && is_out(r, stop))
			continue;
		error_clear(err);
		if (ask(arg, stop->session, err) == 0)
			return 0;
		if (next == r->n || err->kind == ERR_INTERRUPTED)
			return -1;
		put_out(r, stop, err);
	}
	return -1;
}
