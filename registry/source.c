/* SPDX-License-Identifier: Apache-2.0 */
/* Joins reference, route, manifests and blobs into a struct source. */
#include "registry/source.h"

#include <pthread.h>
#include <stdlib.h>

#include "pkg/base/alloc.h"
#include "pkg/base/log.h"
#include "registry/blob.h"
#include "registry/endpoints.h"
#include "registry/manifest.h"
#include "registry/route.h"

struct registry_source {
	struct source source;
	struct reference ref;
	struct session_options options;
	struct http_options http;
	pthread_mutex_t lock; /* of route */
	struct route *route;  /* NULL until something is asked for */
};

/* --- the way ---------------------------------------------------------------------------------- */

static int find_route(const struct registry_source *r, struct route **ret, struct error *err)
{
	cleanup(endpoints_release) struct endpoints list = {0};

	if (endpoints_find(&r->ref, &list, err) < 0)
		return -1;
	for (size_t i = 0; i < list.n; i++)
		log_debug("registry: %s is asked for at %s", r->source.name, list.items[i].url);
	*ret = route_new(&list, &r->options);
	return 0;
}

/* Configuration is read when something is asked for, not to name an image that is here. */
static int ask(struct registry_source *r, enum route_use use, route_ask_fn *fn, void *arg,
	       struct error *err)
{
	int rc = 0;

	pthread_mutex_lock(&r->lock);
	if (!r->route)
		rc = find_route(r, &r->route, err);
	pthread_mutex_unlock(&r->lock);
	return rc < 0 ? -1 : route_ask(r->route, use, fn, arg, err);
}

/* --- resolving -------------------------------------------------------------------------------- */

struct resolution {
	const struct reference *ref;
	struct oci_descriptor *ret;
	struct buffer *bytes;
};

static int resolve_at(void *arg, struct session *s, struct error *err)
{
	const struct resolution *r = arg;

	return manifest_resolve(s, r->ref, r->ret, r->bytes, err);
}

static int resolve(struct source *s, struct oci_descriptor *ret, struct buffer *ret_bytes,
		   struct error *err)
{
	struct registry_source *r = (struct registry_source *)s;
	struct resolution what = {&r->ref, ret, ret_bytes};
	bool by_digest = r->ref.digest.algorithm != DIGEST_NONE;

	return ask(r, by_digest ? ROUTE_PULL : ROUTE_RESOLVE, resolve_at, &what, err);
}

/* --- fetching --------------------------------------------------------------------------------- */

struct fetching {
	struct registry_source *source;
	const struct oci_descriptor *descriptor;
	struct byte_range *range;
	struct stream **ret;
};

static int fetch_any(const struct fetching *f, struct session *s, struct error *err)
{
	const struct oci_descriptor *d = f->descriptor;

	if (d->media_type != MEDIA_MANIFEST && d->media_type != MEDIA_INDEX)
		return f->range->bytes < d->size_bytes
			       ? blob_fetch_range(s, d, f->range, f->ret, err)
			       : blob_fetch(s, d, f->ret, err);
	*f->range = (struct byte_range){0, d->size_bytes};
	return manifest_fetch(s, d, f->ret, err);
}

/* Each place is asked for the same range, whatever another one answered to that. */
static int fetch_at(void *arg, struct session *s, struct error *err)
{
	const struct fetching *f = arg;
	struct byte_range wanted = *f->range;

	if (fetch_any(f, s, err) < 0) {
		*f->range = wanted;
		return -1;
	}
	route_watch(f->source->route, s, f->ret);
	return 0;
}

static int fetch_range(struct source *s, const struct oci_descriptor *d, struct byte_range *range,
		       struct stream **ret, struct error *err)
{
	struct registry_source *r = (struct registry_source *)s;
	struct fetching what = {r, d, range, ret};

	return ask(r, ROUTE_PULL, fetch_at, &what, err);
}

static int fetch(struct source *s, const struct oci_descriptor *d, struct stream **ret,
		 struct error *err)
{
	struct byte_range all = {0, d->size_bytes};

	return fetch_range(s, d, &all, ret, err);
}

/* --- life ------------------------------------------------------------------------------------- */

static void close_source(struct source *s)
{
	struct registry_source *r = (struct registry_source *)s;

	if (r->route)
		route_free(r->route);
	pthread_mutex_destroy(&r->lock);
	reference_release(&r->ref);
	free(r->source.name);
	free(r);
}

int registry_source_open_with(const char *reference, const struct session_options *options,
			      struct source **ret, struct error *err)
{
	static const struct source_ops ops = {resolve, fetch, close_source, fetch_range};
	struct registry_source *r;
	struct reference ref;

	if (reference_parse(reference, &ref, err) < 0)
		return -1;
	r = xcalloc(1, sizeof(*r));
	r->source.ops = &ops;
	r->source.name = reference_name(&ref);
	r->ref = ref;
	pthread_mutex_init(&r->lock, NULL);
	if (options)
		r->options = *options;
	/* What the user says of who they are is for the registry, and no mirror of it. */
	r->options.credential_host = reference_api_host(&r->ref);
	if (r->options.http) {
		r->http = *r->options.http;
		r->options.http = &r->http;
	}
	*ret = &r->source;
	return 0;
}

int registry_source_open(const char *reference, struct source **ret, struct error *err)
{
	return registry_source_open_with(reference, NULL, ret, err);
}
