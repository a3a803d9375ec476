/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A source around another one. The urls were chosen by whoever made the image: nothing of the user
 * goes there (CVE-2020-15157), and they are no way to what only this machine can reach.
 */
#include "registry/foreign.h"

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

enum { FOREIGN_TRIES = 3, FOREIGN_WAIT_MS = 500 };

struct foreign_source {
	struct source source;
	struct source *inner;
	struct http_options options;
	pthread_mutex_t lock;	    /* of client */
	struct http_client *client; /* NULL until a place is asked */
};

/* --- one place -------------------------------------------------------------------------------- */

/* Written anew by the parser, so that what is checked is what is asked. */
static int check_url(const char *text, char **ret, struct error *err)
{
	cleanup(http_url_release) struct http_url url = {0};
	cleanup_free char *normal = NULL;

	if (http_url_join(text, text, &normal, err) < 0 || http_url_parse(normal, &url, err) < 0)
		return -1;
	if (strcmp(url.scheme, "https") != 0)
		return error_set(err, ERR_INVALID, "not https, not asked");
	if (http_host_is_private(url.host))
		return error_set(err, ERR_INVALID,
				 "an address of this machine or of a private network, not asked");
	*ret = steal(&normal);
	return 0;
}

/* 0, or -1; *ret_may_pass: another try may help. */
static int ask(struct http_client *client, const char *url, const struct oci_descriptor *d,
	       struct stream **ret, bool *ret_may_pass, struct error *err)
{
	cleanup(http_response_release) struct http_response r = {0};
	struct http_request request = {.url = url};
	enum http_problem problem = HTTP_PROBLEM_NONE;
	bool left = false;

	if (redirect_get(client, &request, &r, &left, &problem, err) < 0) {
		*ret_may_pass = http_problem_may_pass(problem);
		return -1;
	}
	*ret_may_pass = registry_may_retry(r.status);
	if (r.status != 200)
		return registry_refused(&r, err);
	if (r.content_length != HTTP_LENGTH_UNKNOWN && r.content_length != d->size_bytes)
		return error_set(err, ERR_VERIFICATION,
				 "%llu bytes are offered, the descriptor says %llu",
				 (unsigned long long)r.content_length,
				 (unsigned long long)d->size_bytes);
	*ret = steal(&r.body);
	return 0;
}

static int rest(struct error *err)
{
	struct timespec t = {.tv_nsec = FOREIGN_WAIT_MS * 1000000L};

	if (interrupt_check(err) < 0)
		return -1;
	nanosleep(&t, NULL);
	return 0;
}

static int fetch_url(struct http_client *client, const char *text, const struct oci_descriptor *d,
		     struct stream **ret, struct error *err)
{
	cleanup_free char *url = NULL;
	bool may_pass = false;

	if (check_url(text, &url, err) < 0)
		return -1;
	for (int tries = 1;; tries++) {
		if (ask(client, url, d, ret, &may_pass, err) == 0)
			return 0;
		if (!may_pass || tries == FOREIGN_TRIES)
			return -1;
		if (rest(err) < 0)
			return -1;
	}
}

/* --- the source ------------------------------------------------------------------------------- */

static struct http_client *client_of(struct foreign_source *f)
{
	pthread_mutex_lock(&f->lock);
	if (!f->client)
		f->client = http_client_new(&f->options);
	pthread_mutex_unlock(&f->lock);
	return f->client;
}

static int foreign_resolve(struct source *s, struct oci_descriptor *ret, struct buffer *ret_bytes,
			   struct error *err)
{
	return source_resolve(((struct foreign_source *)s)->inner, ret, ret_bytes, err);
}

static int ask_inner(struct foreign_source *f, const struct oci_descriptor *d,
		     struct byte_range *range, struct stream **ret, struct error *err)
{
	const struct source_ops *ops = f->inner->ops;

	if (range->bytes < d->size_bytes && ops->fetch_range)
		return ops->fetch_range(f->inner, d, range, ret, err);
	*range = (struct byte_range){0, d->size_bytes};
	return ops->fetch(f->inner, d, ret, err);
}

/* At urls all of a layer is asked for. */
static int foreign_fetch_range(struct source *s, const struct oci_descriptor *d,
			       struct byte_range *range, struct stream **ret, struct error *err)
{
	struct foreign_source *f = (struct foreign_source *)s;
	const struct oci_strings *urls = d->urls;

	if (ask_inner(f, d, range, ret, err) == 0)
		return 0;
	*range = (struct byte_range){0, d->size_bytes};
	if (err->kind != ERR_NOT_FOUND || !urls || !urls->n)
		return -1;
	for (size_t i = 0; i < urls->n; i++) {
		cleanup_free char *shown = http_url_shown(urls->items[i]);

		if (fetch_url(client_of(f), urls->items[i], d, ret, err) == 0) {
			log_debug("a foreign layer comes from %s", shown);
			return 0;
		}
		error_wrap(err, "a foreign layer, from %.200s", shown);
		if (err->kind == ERR_INTERRUPTED)
			return -1;
	}
	return -1;
}

static int foreign_fetch(struct source *s, const struct oci_descriptor *d, struct stream **ret,
			 struct error *err)
{
	struct byte_range all = {0, d->size_bytes};

	return foreign_fetch_range(s, d, &all, ret, err);
}

static void foreign_close(struct source *s)
{
	struct foreign_source *f = (struct foreign_source *)s;

	source_close(f->inner);
	if (f->client)
		http_client_free(f->client);
	pthread_mutex_destroy(&f->lock);
	free(f->source.name);
	free(f);
}

void foreign_source_wrap(struct source **s, const struct http_options *options)
{
	static const struct source_ops ops = {
		foreign_resolve,
		foreign_fetch,
		foreign_close,
		foreign_fetch_range,
	};
	struct foreign_source *f = xcalloc(1, sizeof(*f));

	f->source.ops = &ops;
	f->source.name = xstrdup((*s)->name);
	/* Not all of it is at hand then. */
	f->source.local = false;
	f->source.asks_urls = true;
	if (options)
		f->options = *options;
	f->inner = steal(s);
	pthread_mutex_init(&f->lock, NULL);
	*s = &f->source;
}
