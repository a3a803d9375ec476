/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A realm is a URL that the registry chose and this machine will ask: it must not become a way to
 * reach what only this machine can reach (CVE-2026-48978 and its like).
 */
#include "registry/realm.h"

#include <stdbool.h>
#include <string.h>
#include <stdlib.h>
#include <strings.h>

#include "pkg/base/alloc.h"
#include "pkg/base/buffer.h"
#include "pkg/base/cleanup.h"
#include "registry/http_url.h"

enum { REALM_MAX_BYTES = 4096, SERVICE_MAX_BYTES = 1024, SCOPE_MAX_BYTES = 4096, SCOPES_MAX = 16 };

/* --- may it be asked? ----------------------------------------------------------------------------
 */

static int check_characters(const char *url, struct error *err)
{
	for (const char *p = url; *p; p++)
		if ((unsigned char)*p <= 0x20 || (unsigned char)*p >= 0x7f)
			return error_set(err, ERR_INVALID,
					 "the realm has characters that no URL has");
	return 0;
}

/* Plain http only beside a registry that is plain itself: on its host, or on this machine. */
static int check_scheme(const struct http_url *registry, const struct http_url *realm,
			struct error *err)
{
	if (!strcmp(realm->scheme, "https"))
		return 0;
	if (strcmp(registry->scheme, "https") != 0
	    && (http_host_is_loopback(realm->host) || !strcasecmp(registry->host, realm->host)))
		return 0;
	return error_set(err, ERR_INVALID, "the token server %.100s is not https, not asked",
			 realm->host);
}

/* All names of this machine are one host. */
static int check_host(const struct http_url *registry, const struct http_url *realm,
		      struct error *err)
{
	if (!http_host_is_private(realm->host) || !strcasecmp(registry->host, realm->host))
		return 0;
	if (http_host_is_loopback(registry->host) && http_host_is_loopback(realm->host))
		return 0;
	return error_set(err, ERR_INVALID,
			 "the token server %.100s is an address of a private network, not asked",
			 realm->host);
}

static int check_realm(const char *registry_url, const char *text, struct error *err)
{
	cleanup(http_url_release) struct http_url registry = {0}, realm = {0};

	if (check_characters(text, err) < 0 || http_url_parse(text, &realm, err) < 0
	    || http_url_parse(registry_url, &registry, err) < 0)
		return -1;
	if (check_scheme(&registry, &realm, err) < 0)
		return -1;
	return check_host(&registry, &realm, err);
}

/* --- what it is asked for ------------------------------------------------------------------------
 */

struct scopes {
	char *items[SCOPES_MAX + 1];
	size_t n;
};

static void scopes_release(struct scopes *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->items[i]);
}

static bool scopes_have(const struct scopes *s, const char *scope)
{
	for (size_t i = 0; i < s->n; i++)
		if (!strcmp(s->items[i], scope))
			return true;
	return false;
}

/* To pull the repository, and then each of a list with spaces. */
static int scopes_read(const char *path, const char *list, struct scopes *ret, struct error *err)
{
	static const char space[] = " \t";

	if (path)
		ret->items[ret->n++] = xasprintf("repository:%s:pull", path);
	for (const char *p = list + strspn(list, space); *p; p += strspn(p, space)) {
		size_t len = strcspn(p, space);
		cleanup_free char *scope = xstrndup(p, len);

		p += len;
		if (scopes_have(ret, scope))
			continue;
		if (ret->n == ARRAY_SIZE(ret->items))
			return error_set(err, ERR_INVALID, "more than %d scopes", SCOPES_MAX);
		ret->items[ret->n++] = steal(&scope);
	}
	return 0;
}

static int check_length(const char *text, size_t max, const char *what, struct error *err)
{
	if (text && strlen(text) > max)
		return error_set(err, ERR_INVALID, "the %s has more than %zu bytes", what, max);
	return 0;
}

static int check_challenge(const char *registry_url, const struct challenge *c, struct error *err)
{
	if (!c->realm || !*c->realm)
		return error_set(err, ERR_INVALID, "the registry names no token server (realm)");
	if (check_length(c->realm, REALM_MAX_BYTES, "realm", err) < 0
	    || check_length(c->service, SERVICE_MAX_BYTES, "service", err) < 0
	    || check_length(c->scope, SCOPE_MAX_BYTES, "scope", err) < 0)
		return -1;
	return check_realm(registry_url, c->realm, err);
}

/* --- its URL -------------------------------------------------------------------------------------
 */

static int add(char **url, const char *name, const char *value, struct error *err)
{
	char *next;

	if (http_url_add_query(*url, name, value, &next, err) < 0)
		return -1;
	free(*url);
	*url = next;
	return 0;
}

int realm_url(const char *registry_url, const struct challenge *c, const char *path, char **ret,
	      struct error *err)
{
	cleanup(scopes_release) struct scopes scopes = {0};
	cleanup_free char *url = NULL;

	if (check_challenge(registry_url, c, err) < 0
	    || scopes_read(path, c->scope ? c->scope : "", &scopes, err) < 0)
		return -1;
	url = xstrdup(c->realm);
	if (c->service && *c->service && add(&url, "service", c->service, err) < 0)
		return -1;
	for (size_t i = 0; i < scopes.n; i++)
		if (add(&url, "scope", scopes.items[i], err) < 0)
			return -1;
	/* Once more as it will be asked: its host may have been written with percent signs. */
	if (check_realm(registry_url, url, err) < 0)
		return -1;
	*ret = steal(&url);
	return 0;
}

/* --- its form ------------------------------------------------------------------------------------
 */

static void add_scopes(struct buffer *form, const struct scopes *scopes)
{
	cleanup_buffer struct buffer list = {0};

	for (size_t i = 0; i < scopes->n; i++)
		buffer_printf(&list, "%s%s", i ? " " : "", scopes->items[i]);
	if (list.len)
		http_form_add(form, "scope", (const char *)list.data);
}

/* The realm is written anew by the parser, so that what was checked is what is asked. */
static int normal_url(const char *registry_url, const char *realm, char **ret, struct error *err)
{
	cleanup_free char *url = NULL;

	if (http_url_join(realm, realm, &url, err) < 0 || check_realm(registry_url, url, err) < 0)
		return -1;
	*ret = steal(&url);
	return 0;
}

int realm_form(const char *registry_url, const struct challenge *c, const char *path,
	       char **ret_url, struct buffer *ret_form, struct error *err)
{
	cleanup(scopes_release) struct scopes scopes = {0};

	if (check_challenge(registry_url, c, err) < 0
	    || scopes_read(path, c->scope ? c->scope : "", &scopes, err) < 0
	    || normal_url(registry_url, c->realm, ret_url, err) < 0)
		return -1;
	if (c->service && *c->service)
		http_form_add(ret_form, "service", c->service);
	add_scopes(ret_form, &scopes);
	return 0;
}
