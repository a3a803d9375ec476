/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way to one image: its endpoints in their order, each with a session of its own. When one
 * fails the next is asked; what the last one says holds.
 */
#pragma once

#include "registry/endpoint.h"
#include "registry/session.h"

struct route; /* may be used by several threads at once */

enum route_use {
	ROUTE_RESOLVE, /* what a tag stands for */
	ROUTE_PULL,    /* what has a digest */
};

/* @list, @options: copied; options may be NULL. */
struct route *route_new(const struct endpoints *list, const struct session_options *options);
void route_free(struct route *r);
DEFINE_CLEANUP(struct route *, route_free);

/* One try at one endpoint: 0, -1. It leaves nothing behind when it fails. */
typedef int route_ask_fn(void *arg, struct session *s, struct error *err);

/*
 * Ask the endpoints that are for this use, in their order, until one succeeds. One that cannot be
 * reached, lies, or does not let us in is told by a warning and not asked again, unless it is the
 * last or that one fails, too; one that has not got it, or is overloaded, is.
 * Errors: those of the last; ERR_INTERRUPTED of any; ERR_NOT_FOUND: none is for this use.
 */
MUST_CHECK int route_ask(struct route *r, enum route_use use, route_ask_fn *ask, void *arg,
			 struct error *err);

/*
 * A body that one of them gave: when the network cuts it, that one is not asked again either.
 * @from: the session.   @body: replaced; must be closed before the route.
 */
void route_watch(struct route *r, const struct session *from, struct stream **body);
