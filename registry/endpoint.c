/* SPDX-License-Identifier: Apache-2.0 */
/* Endpoints as values: lists of them, and what their URLs must be like. */
#include "registry/endpoint.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/base/secret.h"
#include "registry/http_url.h"

/* --- URLs ------------------------------------------------------------------------------------- */

/* Of a path: no empty component, nor "." or "..", which mean something else to servers. */
static bool is_plain_path(const char *path)
{
	while (*path == '/') {
		size_t len = strcspn(++path, "/");

		if (len == 0 || (len == 1 && *path == '.') || (len == 2 && !strncmp(path, "..", 2)))
			return false;
		path += len;
	}
	return !*path;
}

static bool ends_with_v2(const char *path)
{
	size_t len = strlen(path);

	return len >= 3 && !strcmp(path + len - 3, "/v2");
}

static int refuse(const char *url, const char *reason, struct error *err)
{
	cleanup_free char *shown = http_url_shown(url);

	return error_set(err, ERR_INVALID, "'%.160s' %s", shown, reason);
}

static int check_url(const char *url, const char *path, struct error *err)
{
	struct http_url parts;

	if (strpbrk(url, "?#"))
		return refuse(url, "has more than host and path", err);
	if (http_url_parse(url, &parts, err) < 0)
		return -1;
	http_url_release(&parts);
	if (path[-1] == ':')
		return refuse(url, "has no port behind its colon", err);
	if (!is_plain_path(path))
		return refuse(url, "has no plain path", err);
	return 0;
}

/* Behind the scheme; without one it is https. curl would take "https:/host" for one as well. */
static const char *skip_scheme(const char *url, const char **ret_scheme)
{
	static const char *const schemes[] = {"http://", "https://"};

	for (size_t i = 0; i < ARRAY_SIZE(schemes); i++) {
		size_t len = strlen(schemes[i]);

		*ret_scheme = schemes[i];
		if (!strncasecmp(url, schemes[i], len))
			return url + len;
	}
	return url;
}

int endpoint_set_url(struct endpoint *e, const char *url, bool override_path, struct error *err)
{
	const char *scheme, *rest = skip_scheme(url, &scheme);
	cleanup_free char *text = xasprintf("%s%s", scheme, rest);
	char *host = text + strlen(scheme), *path;

	if (strstr(rest, "://"))
		return refuse(url, "is neither http nor https", err);
	for (size_t len = strlen(host); len > 0 && host[len - 1] == '/'; len--)
		host[len - 1] = '\0';
	path = host + strcspn(host, "/");
	if (path == host) /* curl would look for one behind the slashes */
		return refuse(url, "has no host", err);
	if (check_url(text, path, err) < 0)
		return -1;
	free(e->url);
	free(e->host);
	e->url = xasprintf("%s%s", text, override_path || ends_with_v2(path) ? "" : "/v2");
	e->host = xstrndup(host, (size_t)(path - host));
	return 0;
}

/* --- lists ------------------------------------------------------------------------------------ */

struct endpoint *endpoints_add(struct endpoints *list)
{
	ALLOC_GROW(list->items, list->n + 1, list->room);
	list->items[list->n] = (struct endpoint){0};
	return &list->items[list->n++];
}

void endpoints_join(struct endpoints *list, struct endpoints *more)
{
	for (size_t i = 0; i < more->n; i++)
		*endpoints_add(list) = more->items[i];
	free(more->items);
	*more = (struct endpoints){0};
}

void endpoints_release(struct endpoints *list)
{
	for (size_t i = 0; i < list->n; i++)
		endpoint_release(&list->items[i]);
	free(list->items);
	*list = (struct endpoints){0};
}

/* --- one -------------------------------------------------------------------------------------- */

static void add_text(char ***texts, size_t *n, char *text)
{
	*texts = xrealloc(*texts, *n + 1, sizeof(**texts));
	(*texts)[(*n)++] = text;
}

static void free_texts(char **texts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		secret_free(texts[i]); /* headers may be */
	free(texts);
}

static char *copy_text(const char *text)
{
	return text ? xstrdup(text) : NULL;
}

void endpoint_tls_add_ca(struct endpoint_tls *tls, const char *path)
{
	add_text(&tls->ca_files, &tls->n_ca_files, xstrdup(path));
}

bool endpoint_tls_is_set(const struct endpoint_tls *tls)
{
	return tls->n_ca_files > 0 || tls->client_cert || tls->skip_verify;
}

void endpoint_tls_release(struct endpoint_tls *tls)
{
	free_texts(tls->ca_files, tls->n_ca_files);
	free(tls->client_cert);
	free(tls->client_key);
	*tls = (struct endpoint_tls){0};
}

void endpoint_add_header(struct endpoint *e, const char *name, const char *value)
{
	add_text(&e->headers, &e->n_headers, xasprintf("%s: %s", name, value));
}

void endpoint_copy(struct endpoint *to, const struct endpoint *from)
{
	*to = *from;
	to->url = copy_text(from->url);
	to->host = copy_text(from->host);
	to->path = copy_text(from->path);
	to->ns = copy_text(from->ns);
	to->proxy = copy_text(from->proxy);
	to->tls = (struct endpoint_tls){.client_cert = copy_text(from->tls.client_cert),
					.client_key = copy_text(from->tls.client_key),
					.skip_verify = from->tls.skip_verify};
	for (size_t i = 0; i < from->tls.n_ca_files; i++)
		endpoint_tls_add_ca(&to->tls, from->tls.ca_files[i]);
	to->headers = NULL;
	to->n_headers = 0;
	for (size_t i = 0; i < from->n_headers; i++)
		add_text(&to->headers, &to->n_headers, xstrdup(from->headers[i]));
}

void endpoint_release(struct endpoint *e)
{
	free(e->url);
	free(e->host);
	free(e->path);
	free(e->ns);
	secret_free(e->proxy);
	endpoint_tls_release(&e->tls);
	free_texts(e->headers, e->n_headers);
	*e = (struct endpoint){0};
}
