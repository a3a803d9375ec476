/* SPDX-License-Identifier: Apache-2.0 */
/* Parses challenges: schemes and parameters share the comma, quotes may hold anything. */
#include "registry/challenge.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "pkg/base/alloc.h"
#include "pkg/base/buffer.h"
#include "pkg/base/cleanup.h"

const char *challenge_name(enum challenge_scheme scheme)
{
	static const char *const names[] = {
		[CHALLENGE_NONE] = "none",
		[CHALLENGE_BASIC] = "Basic",
		[CHALLENGE_BEARER] = "Bearer",
		[CHALLENGE_OTHER] = "unknown",
	};

	return names[scheme];
}

void challenge_release(struct challenge *c)
{
	free(c->realm);
	free(c->service);
	free(c->scope);
	*c = (struct challenge){0};
}

static const char *skip_space(const char *p)
{
	return p + strspn(p, " \t");
}

/* Length of an RFC 9110 token; those of parameter values may also hold '/', ':' and '='. */
static size_t token_length(const char *p, const char *extra)
{
	size_t n = 0;

	while (p[n]
	       && ((p[n] >= 'a' && p[n] <= 'z') || (p[n] >= 'A' && p[n] <= 'Z')
		   || (p[n] >= '0' && p[n] <= '9') || strchr("!#$%&'*+-.^_`|~", p[n])
		   || strchr(extra, p[n])))
		n++;
	return n;
}

/* Returns what follows, NULL if the quotes do not end. */
static const char *take_quoted(const char *p, struct buffer *ret)
{
	for (p++; *p && *p != '"'; p++) {
		if (*p == '\\' && p[1])
			p++;
		buffer_add(ret, p, 1);
	}
	return *p ? p + 1 : NULL;
}

static char **field_of(struct challenge *c, const char *name, size_t len)
{
	if (len == 5 && !strncasecmp(name, "realm", len))
		return &c->realm;
	if (len == 7 && !strncasecmp(name, "service", len))
		return &c->service;
	if (len == 5 && !strncasecmp(name, "scope", len))
		return &c->scope;
	return NULL;
}

/* NAME = VALUE, p at NAME. Returns what follows, NULL if malformed. */
static const char *take_parameter(const char *p, size_t name_len, struct challenge *c)
{
	cleanup_buffer struct buffer value = {0};
	char **field = field_of(c, p, name_len);

	p = skip_space(skip_space(p + name_len) + 1); /* '=' */
	if (*p == '"') {
		p = take_quoted(p, &value);
	} else {
		size_t len = token_length(p, "/:=?@");

		buffer_add(&value, p, len);
		p += len;
	}
	if (p && field && !*field)
		*field = buffer_detach(&value);
	return p;
}

static enum challenge_scheme scheme_of(const char *name, size_t len)
{
	if (len == 6 && !strncasecmp(name, "bearer", len))
		return CHALLENGE_BEARER;
	if (len == 5 && !strncasecmp(name, "basic", len))
		return CHALLENGE_BASIC;
	return CHALLENGE_OTHER;
}

static bool is_better(const struct challenge *a, const struct challenge *b)
{
	static const int order[] = {
		[CHALLENGE_NONE] = 0,
		[CHALLENGE_OTHER] = 1,
		[CHALLENGE_BASIC] = 2,
		[CHALLENGE_BEARER] = 3,
	};

	return order[a->scheme] > order[b->scheme];
}

static void keep_better(struct challenge *best, struct challenge *c)
{
	if (is_better(c, best)) {
		challenge_release(best);
		*best = *c;
		*c = (struct challenge){0};
	}
	challenge_release(c);
}

/* A parameter is a name with '=' after it; a scheme is one without, or with a value of its own. */
static bool is_parameter(const char *p, size_t len)
{
	p = skip_space(p + len);
	return *p == '=';
}

static const char *parse_all(const char *p, struct challenge *best)
{
	struct challenge c = {0};

	for (p += strspn(p, " \t,"); p && *p; p = p ? p + strspn(p, " \t,") : NULL) {
		size_t len = token_length(p, "");

		if (len == 0) {
			p = NULL;
			break;
		}
		if (is_parameter(p, len)) {
			p = c.scheme == CHALLENGE_NONE ? NULL : take_parameter(p, len, &c);
			continue;
		}
		keep_better(best, &c);
		c.scheme = scheme_of(p, len);
		p = skip_space(p + len);
		/* The token68 form ("Negotiate YWJj=="): one value without a name. */
		len = token_length(p, "/=");
		if (len > 0 && p[strcspn(p, ",= \t")] != '=' && strchr(",", p[len]))
			p += len;
	}
	keep_better(best, &c);
	return p;
}

int challenge_parse(const char *header, struct challenge *ret, struct error *err)
{
	struct challenge best = {0};

	if (header && !parse_all(header, &best)) {
		challenge_release(&best);
		return error_set(err, ERR_INVALID, "malformed WWW-Authenticate header");
	}
	*ret = best;
	return 0;
}
