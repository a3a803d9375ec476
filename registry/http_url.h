/* SPDX-License-Identifier: Apache-2.0 */
/* URLs: parts, joining, showing, and which hosts are this machine's own. */
#pragma once

#include <stdbool.h>

#include "pkg/base/buffer.h"
#include "pkg/base/error.h"

struct http_url {
	char *scheme; /* "http" or "https" */
	char *host;   /* without brackets, numbers in normal form */
	unsigned port;
};

/* Errors: ERR_INVALID: no URL, another scheme than http and https, a user name in it. */
MUST_CHECK int http_url_parse(const char *text, struct http_url *ret, struct error *err);
void http_url_release(struct http_url *url);

/* @location: absolute or relative to base. @ret: owned. Errors: as above. */
MUST_CHECK int http_url_join(const char *base, const char *location, char **ret, struct error *err);

/*
 * Add "name=value" to the query, percent-encoded, and drop the fragment.
 * @ret: owned. Errors: as above.
 */
MUST_CHECK int http_url_add_query(const char *url, const char *name, const char *value, char **ret,
				  struct error *err);

/*
 * Add "name=value" to an urlencoded form, behind an "&" unless it is the first.
 * A secret: reserve room for three times its length first.
 */
void http_form_add(struct buffer *form, const char *name, const char *value);

/* Without query and fragment, which carry signatures, and without a password. Owned. */
char *http_url_shown(const char *text);

bool http_url_same_origin(const struct http_url *a, const struct http_url *b);

/* localhost and its subdomains, 127/8, ::1, also written as mapped addresses. */
bool http_host_is_loopback(const char *host);
/* Those, and what only ever means "near this machine": 0/8, 169.254/16, ::, fe80::/10. */
bool http_host_is_local(const char *host);
/* Those, and addresses of private networks: 10/8, 100.64/10, 172.16/12, 192.168/16, fc00::/7. */
bool http_host_is_private(const char *host);
