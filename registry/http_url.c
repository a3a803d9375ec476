/* SPDX-License-Identifier: Apache-2.0 */
/* URLs by libcurl's parser, so that what is checked here is what will be connected to. */
#include "registry/http_url.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"

static void release_handle(CURLU **handle)
{
	curl_url_cleanup(*handle);
}

static int refuse(const char *text, const char *reason, struct error *err)
{
	cleanup_free char *shown = http_url_shown(text);

	return error_set(err, ERR_INVALID, "'%.160s': %s", shown, reason);
}

static CURLU *new_handle(void)
{
	CURLU *handle = curl_url();

	if (!handle)
		abort(); /* out of memory */
	return handle;
}

/* A part as our own string, NULL if it is not there. */
static char *get_part(CURLU *handle, CURLUPart part, unsigned flags)
{
	char *text = NULL, *copy;

	if (curl_url_get(handle, part, &text, flags) != CURLUE_OK || !text)
		return NULL;
	copy = xstrdup(text);
	curl_free(text);
	return copy;
}

static int check(CURLU *handle, const char *text, struct error *err)
{
	cleanup_free char *scheme = get_part(handle, CURLUPART_SCHEME, 0);
	cleanup_free char *host = get_part(handle, CURLUPART_HOST, 0);
	cleanup_free char *user = get_part(handle, CURLUPART_USER, 0);
	cleanup_free char *password = get_part(handle, CURLUPART_PASSWORD, 0);

	if (!scheme || (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0))
		return refuse(text, "neither http nor https", err);
	if (!host || !*host)
		return refuse(text, "no host", err);
	if (user || password)
		return refuse(text, "a user name or password in a URL is not allowed", err);
	return 0;
}

static int set(CURLU *handle, const char *text, struct error *err)
{
	CURLUcode code = curl_url_set(handle, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME);

	if (code != CURLUE_OK)
		return refuse(text, curl_url_strerror(code), err);
	return 0;
}

int http_url_parse(const char *text, struct http_url *ret, struct error *err)
{
	cleanup(release_handle) CURLU *handle = new_handle();
	cleanup_free char *port = NULL;
	size_t len;

	if (set(handle, text, err) < 0 || check(handle, text, err) < 0)
		return -1;
	port = get_part(handle, CURLUPART_PORT, CURLU_DEFAULT_PORT);
	ret->scheme = get_part(handle, CURLUPART_SCHEME, 0);
	ret->host = get_part(handle, CURLUPART_HOST, 0);
	ret->port = (unsigned)strtoul(port ? port : "0", NULL, 10);
	len = strlen(ret->host);
	if (len > 2 && ret->host[0] == '[') {
		memmove(ret->host, ret->host + 1, len - 2);
		ret->host[len - 2] = '\0';
	}
	return 0;
}

void http_url_release(struct http_url *url)
{
	free(url->scheme);
	free(url->host);
	*url = (struct http_url){0};
}

int http_url_join(const char *base, const char *location, char **ret, struct error *err)
{
	cleanup(release_handle) CURLU *handle = new_handle();

	for (const char *p = location; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return refuse(location, "control characters in a URL", err);
	if (set(handle, base, err) < 0 || set(handle, location, err) < 0
	    || check(handle, location, err) < 0)
		return -1;
	*ret = get_part(handle, CURLUPART_URL, 0);
	return *ret ? 0 : refuse(location, "not a URL", err);
}

int http_url_add_query(const char *url, const char *name, const char *value, char **ret,
		       struct error *err)
{
	cleanup(release_handle) CURLU *handle = new_handle();
	cleanup_free char *pair = xasprintf("%s=%s", name, value);

	if (set(handle, url, err) < 0)
		return -1;
	/* Only the first '=' stays as it is, so names must be without. */
	if (curl_url_set(handle, CURLUPART_QUERY, pair, CURLU_APPENDQUERY | CURLU_URLENCODE)
		    != CURLUE_OK
	    || curl_url_set(handle, CURLUPART_FRAGMENT, NULL, 0) != CURLUE_OK)
		return refuse(url, "its query cannot be extended", err);
	*ret = get_part(handle, CURLUPART_URL, 0);
	return *ret ? 0 : refuse(url, "not a URL", err);
}

void http_form_add(struct buffer *form, const char *name, const char *value)
{
	static const char digits[] = "0123456789ABCDEF";
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789-._~";

	if (form->len)
		buffer_add(form, "&", 1);
	buffer_add(form, name, strlen(name));
	buffer_add(form, "=", 1);
	for (const unsigned char *p = (const unsigned char *)value; *p; p++)
		if (strchr(plain, *p))
			buffer_add(form, p, 1);
		else
			buffer_add(form, (char[]){'%', digits[*p >> 4], digits[*p & 15]}, 3);
}

char *http_url_shown(const char *text)
{
	int len = (int)strcspn(text, "?#");
	const char *scheme = strstr(text, "://");
	const char *host = scheme && scheme < text + len ? scheme + 3 : text;
	const char *at = memrchr(host, '@', strcspn(host, "/?#"));

	if (!at)
		return xasprintf("%.*s", len, text);
	return xasprintf("%.*s%.*s", (int)(host - text), text, len - (int)(at + 1 - text), at + 1);
}

bool http_url_same_origin(const struct http_url *a, const struct http_url *b)
{
	return !strcmp(a->scheme, b->scheme) && !strcasecmp(a->host, b->host) && a->port == b->port;
}

/* --- hosts ---------------------------------------------------------------------------------------
 */

static bool is_localhost_name(const char *host)
{
	static const char name[] = "localhost";
	size_t len = strlen(host), n = sizeof(name) - 1;

	if (len > 0 && host[len - 1] == '.')
		len--;
	if (len < n || strncasecmp(host + len - n, name, n) != 0)
		return false;
	return len == n || host[len - n - 1] == '.';
}

/* The address that the text is, as IPv4 if it can be. */
static bool parse_address(const char *host, uint32_t *ret_v4, struct in6_addr *ret_v6, bool *is_v4)
{
	char text[INET6_ADDRSTRLEN];
	size_t len = strlen(host);
	struct in_addr v4;

	*is_v4 = false;
	if (len > 0 && host[len - 1] == '.') /* some resolvers take that for the same */
		len--;
	if (len >= sizeof(text))
		return false;
	memcpy(text, host, len);
	text[len] = '\0';
	*is_v4 = inet_pton(AF_INET, text, &v4) == 1;
	if (*is_v4) {
		*ret_v4 = ntohl(v4.s_addr);
		return true;
	}
	if (inet_pton(AF_INET6, text, ret_v6) != 1)
		return false;
	if (IN6_IS_ADDR_V4MAPPED(ret_v6)) {
		memcpy(&v4, &ret_v6->s6_addr[12], sizeof(v4));
		*ret_v4 = ntohl(v4.s_addr);
		*is_v4 = true;
	}
	return true;
}

bool http_host_is_loopback(const char *host)
{
	struct in6_addr v6;
	uint32_t v4;
	bool is_v4;

	if (!parse_address(host, &v4, &v6, &is_v4))
		return is_localhost_name(host);
	return is_v4 ? v4 >> 24 == 127 : IN6_IS_ADDR_LOOPBACK(&v6);
}

bool http_host_is_local(const char *host)
{
	struct in6_addr v6;
	uint32_t v4;
	bool is_v4;

	if (http_host_is_loopback(host))
		return true;
	if (!parse_address(host, &v4, &v6, &is_v4))
		return false;
	if (is_v4)
		return v4 >> 24 == 0 || v4 >> 16 == 0xa9fe;
	return IN6_IS_ADDR_UNSPECIFIED(&v6) || IN6_IS_ADDR_LINKLOCAL(&v6);
}

bool http_host_is_private(const char *host)
{
	struct in6_addr v6;
	uint32_t v4;
	bool is_v4;

	if (http_host_is_local(host))
		return true;
	if (!parse_address(host, &v4, &v6, &is_v4))
		return false;
	if (is_v4)
		return v4 >> 24 == 10 || v4 >> 22 == 0x6440U >> 6 || v4 >> 20 == 0xac1
		       || v4 >> 16 == 0xc0a8;
	return (v6.s6_addr[0] & 0xfe) == 0xfc;
}
