/* SPDX-License-Identifier: Apache-2.0 */
/* The grammar of references (rule C1). What gets past here is safe in a URL. */
#include "registry/reference.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "pkg/base/alloc.h"
#include "pkg/base/buffer.h"

enum { NAME_MAX_BYTES = 255, TAG_MAX_BYTES = 128, TEXT_MAX_BYTES = 1024 };

/* --- characters ----------------------------------------------------------------------------------
 */

static bool is_lower_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_alnum(char c)
{
	return is_lower_alnum(c) || (c >= 'A' && c <= 'Z');
}

static bool is_word(char c)
{
	return is_alnum(c) || c == '_';
}

static bool has_upper(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (s[i] >= 'A' && s[i] <= 'Z')
			return true;
	return false;
}

/* --- parts ---------------------------------------------------------------------------------------
 */

/* Letters, digits and inner dashes between dots. */
static bool is_host_name(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		bool first = i == 0 || s[i - 1] == '.';
		bool last = i + 1 == len || s[i + 1] == '.';

		if (s[i] == '.' ? first : !(is_alnum(s[i]) || (s[i] == '-' && !first && !last)))
			return false;
	}
	return len > 0 && s[len - 1] != '.';
}

/* "[::1]"; a zone ("%eth0") has no meaning to anyone else. */
static bool is_ipv6(const char *s, size_t len)
{
	if (len < 4 || s[0] != '[' || s[len - 1] != ']')
		return false;
	for (size_t i = 1; i < len - 1; i++)
		if (!isxdigit((unsigned char)s[i]) && s[i] != ':')
			return false;
	return true;
}

static bool is_port(const char *s)
{
	size_t digits = strspn(s, "0123456789");
	long port;

	if (digits == 0 || digits > 5 || s[digits])
		return false;
	port = strtol(s, NULL, 10);
	return port > 0 && port <= 65535;
}

static int check_domain(const char *domain, struct error *err)
{
	const char *bracket = strrchr(domain, ']');
	const char *colon = strrchr(bracket ? bracket : domain, ':');
	size_t len = colon ? (size_t)(colon - domain) : strlen(domain);

	if (colon && !is_port(colon + 1))
		return error_set(err, ERR_USAGE, "'%.80s' has no valid port", domain);
	if (!is_host_name(domain, len) && !is_ipv6(domain, len))
		return error_set(err, ERR_USAGE, "'%.80s' is not a registry host", domain);
	return 0;
}

/* What may stand between letters and digits of a path: '.', '_', '__', or dashes. 0 = nothing. */
static size_t separator_length(const char *s, size_t len)
{
	size_t dashes = 0;

	if (len >= 2 && s[0] == '_' && s[1] == '_')
		return 2;
	if (len >= 1 && (s[0] == '_' || s[0] == '.'))
		return 1;
	while (dashes < len && s[dashes] == '-')
		dashes++;
	return dashes;
}

static bool is_path_component(const char *s, size_t len)
{
	size_t i = 0;

	for (;;) {
		size_t start = i, gap;

		while (i < len && is_lower_alnum(s[i]))
			i++;
		if (i == start)
			return false;
		if (i == len)
			return true;
		gap = separator_length(s + i, len - i);
		if (gap == 0)
			return false;
		i += gap;
	}
}

static bool is_hex_id(const char *s)
{
	return strlen(s) == 64 && strspn(s, "0123456789abcdef") == 64;
}

static int refuse_upper(const char *path, struct error *err)
{
	cleanup_free char *lower = xstrdup(path);

	for (char *p = lower; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	return error_set(err, ERR_USAGE,
			 "'%.80s': the name of an image must be in lower case: '%.80s'", path,
			 lower);
}

static int check_path(const char *path, struct error *err)
{
	const char *p = path;

	if (has_upper(path, strlen(path)))
		return refuse_upper(path, err);
	for (;;) {
		size_t len = strcspn(p, "/");

		if (!is_path_component(p, len))
			return error_set(err, ERR_USAGE,
					 "'%.100s' is not a valid image name: a to z and digits, "
					 "with '.', '_', '__' or '-' in between, and '/'",
					 path);
		if (!p[len])
			return 0;
		p += len + 1;
	}
}

static int check_tag(const char *tag, struct error *err)
{
	size_t len = strlen(tag);
	bool fine = len > 0 && len <= TAG_MAX_BYTES && is_word(tag[0]);

	for (size_t i = 0; i < len && fine; i++)
		fine = is_word(tag[i]) || tag[i] == '.' || tag[i] == '-';
	if (!fine)
		return error_set(err, ERR_USAGE,
				 "'%.140s' is not a valid tag: letters, digits, '_', '.' and '-', "
				 "at most %d",
				 tag, TAG_MAX_BYTES);
	return 0;
}

/* --- the whole -----------------------------------------------------------------------------------
 */

static int check_text(const char *text, struct error *err)
{
	if (!*text)
		return error_set(err, ERR_USAGE, "an image reference is expected");
	if (*text == '-')
		return error_set(err, ERR_USAGE, "a reference does not start with '-'");
	if (strlen(text) > TEXT_MAX_BYTES)
		return error_set(err, ERR_USAGE, "a reference of more than %d characters",
				 TEXT_MAX_BYTES);
	for (const char *p = text; *p; p++)
		if (isspace((unsigned char)*p) || iscntrl((unsigned char)*p))
			return error_set(err, ERR_USAGE,
					 "a reference has no spaces or control characters");
	return 0;
}

static int take_digest(char *text, struct reference *r, struct error *err)
{
	char *at = strchr(text, '@');

	if (!at)
		return 0;
	if (digest_parse(at + 1, &r->digest, err) < 0) {
		err->kind = ERR_USAGE;
		return -1;
	}
	*at = '\0';
	return 0;
}

static int take_tag(char *text, struct reference *r, struct error *err)
{
	char *slash = strrchr(text, '/');
	char *colon = strchr(slash ? slash : text, ':');

	if (!colon)
		return 0;
	if (check_tag(colon + 1, err) < 0)
		return -1;
	r->tag = xstrdup(colon + 1);
	*colon = '\0';
	return 0;
}

/* The first component is a host iff it cannot be part of a docker hub name. */
static bool starts_with_domain(const char *text, size_t *ret_len)
{
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : 0;

	*ret_len = len;
	if (!slash)
		return false;
	return memchr(text, '.', len) || memchr(text, ':', len) || has_upper(text, len)
	       || (len == 9 && !memcmp(text, "localhost", 9));
}

static void split_name(const char *text, struct reference *r)
{
	size_t len;

	if (starts_with_domain(text, &len)) {
		r->domain = xstrndup(text, len);
		r->path = xstrdup(text + len + 1);
	} else {
		r->domain = xstrdup("docker.io");
		r->path = xstrdup(text);
	}
}

/* The hub has two names, and "library" is what has no owner. */
static void normalise_hub(struct reference *r)
{
	char *path;

	if (strcasecmp(r->domain, "index.docker.io") != 0
	    && strcasecmp(r->domain, "docker.io") != 0)
		return;
	free(r->domain);
	r->domain = xstrdup("docker.io");
	if (strchr(r->path, '/'))
		return;
	path = xasprintf("library/%s", r->path);
	free(r->path);
	r->path = path;
}

/* Brackets are for addresses only. */
static int check_address(const char *text, struct error *err)
{
	if (text[0] == '[' && !strchr(text, '/'))
		return error_set(err, ERR_USAGE,
				 "'%.80s' is a registry without the name of an image", text);
	return 0;
}

/* "me:password@host/name", as in URLs. It is not shown. */
static int check_no_user(const char *text, struct error *err)
{
	const char *at = memchr(text, '@', strcspn(text, "/"));

	if (at && strchr(at, '/') && strncmp(at + 1, "sha", 3) != 0)
		return error_set(err, ERR_USAGE,
				 "a reference has no user name in it: --creds and 'thinpull login' "
				 "say who asks");
	return 0;
}

static int parse(char *text, struct reference *r, struct error *err)
{
	if (check_no_user(text, err) < 0 || take_digest(text, r, err) < 0
	    || check_address(text, err) < 0 || take_tag(text, r, err) < 0)
		return -1;
	if (is_hex_id(text))
		return error_set(err, ERR_USAGE,
				 "64 hex digits are no image name; a digest is NAME@sha256:...");
	split_name(text, r);
	if (check_domain(r->domain, err) < 0 || check_path(r->path, err) < 0)
		return -1;
	normalise_hub(r);
	if (strlen(r->domain) + 1 + strlen(r->path) > NAME_MAX_BYTES)
		return error_set(err, ERR_USAGE, "the name has more than %d characters",
				 NAME_MAX_BYTES);
	if (!r->tag && r->digest.algorithm == DIGEST_NONE)
		r->tag = xstrdup("latest");
	return 0;
}

static int refuse_url(const char *text, struct error *err)
{
	const char *rest = strstr(text, "://") + 3;

	if (strncasecmp(text, "http", 4) == 0)
		return error_set(err, ERR_USAGE, "'%.90s' is a URL, the reference is '%.90s'", text,
				 rest);
	return error_set(err, ERR_USAGE,
			 "'%.120s' is a URL; a reference has no scheme but docker://", text);
}

int reference_parse(const char *text, struct reference *ret, struct error *err)
{
	static const char scheme[] = "docker://";
	cleanup_free char *copy = NULL;
	struct reference r = {0};

	if (check_text(text, err) < 0)
		return -1;
	if (!strncmp(text, scheme, sizeof(scheme) - 1))
		text += sizeof(scheme) - 1;
	else if (strstr(text, "://"))
		return refuse_url(text, err);
	copy = xstrdup(text);
	if (parse(copy, &r, err) < 0) {
		reference_release(&r);
		return -1;
	}
	*ret = r;
	return 0;
}

void reference_release(struct reference *r)
{
	free(r->domain);
	free(r->path);
	free(r->tag);
	*r = (struct reference){0};
}

char *reference_name(const struct reference *r)
{
	struct buffer name = {0};
	char digest[DIGEST_TEXT_BYTES];

	buffer_printf(&name, "%s/%s", r->domain, r->path);
	if (r->tag)
		buffer_printf(&name, ":%s", r->tag);
	if (r->digest.algorithm != DIGEST_NONE)
		buffer_printf(&name, "@%s", digest_format(&r->digest, digest));
	return buffer_detach(&name);
}

const char *reference_api_host(const struct reference *r)
{
	return reference_host_of(r->domain);
}

static const char hub[] = "docker.io", hub_host[] = "registry-1.docker.io";

const char *reference_host_of(const char *domain)
{
	return strcmp(domain, hub) == 0 ? hub_host : domain;
}

const char *reference_domain_of(const char *host)
{
	return strcmp(host, hub_host) == 0 ? hub : host;
}
