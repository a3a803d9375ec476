/* SPDX-License-Identifier: Apache-2.0 */
/* Error responses. Their text is foreign: cut, made one line, never trusted to be JSON. */
#include "registry/errors.h"

#include <stdio.h>
#include <string.h>

#include "pkg/base/alloc.h"
#include "pkg/base/buffer.h"
#include "pkg/json/jdoc.h"
#include "registry/challenge.h"

enum { ERROR_BODY_MAX_BYTES = 1 << 20, CODE_MAX = 40, MESSAGE_MAX = 110, DETAIL_MAX = 60 };

bool registry_may_retry(int status)
{
	return status == 408 || status == 429
	       || (status >= 500 && status != 501 && status != 505 && status < 600);
}

/* Runs of white space and control characters become one space; at most max bytes. */
static void add_clean(struct buffer *to, const char *text, size_t max)
{
	size_t end = to->len + max;

	for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
		bool blank = *p <= 0x20 || *p == 0x7f;

		if (to->len >= end) {
			buffer_add(to, "...", 3);
			return;
		}
		if (!blank)
			buffer_add(to, p, 1);
		else if (to->len > 0 && to->data[to->len - 1] != ' ')
			buffer_add(to, " ", 1);
	}
}

/*
 * {"errors":[{"code":"..","message":"..","detail":".."}]}: the first one; nothing if it is anything
 * else. A detail is shown when it is a text; mostly it is what was asked for, once more.
 * Returns whether it says that there is no such repository.
 */
static bool find_message(const struct buffer *body, struct buffer *ret)
{
	cleanup(jdoc_free_ptr) struct jdoc *doc = NULL;
	const char *code = NULL, *message = NULL, *detail = NULL;
	struct error ignored = {0};
	struct jval errors, first;

	if (jdoc_parse(body->data, body->len, "body", &doc, &ignored) < 0
	    || jdoc_array(jdoc_root(doc), "errors", JDOC_OPTIONAL, &errors, &ignored) < 0
	    || jdoc_length(errors) == 0)
		return false;
	first = jdoc_at(errors, 0);
	if (jdoc_string(first, "code", JDOC_OPTIONAL, &code, &ignored) < 0
	    || jdoc_string(first, "message", JDOC_OPTIONAL, &message, &ignored) < 0)
		return false;
	if (code)
		add_clean(ret, code, CODE_MAX);
	if (code && message && *message)
		buffer_add(ret, ": ", 2);
	if (message)
		add_clean(ret, message, MESSAGE_MAX);
	if (jdoc_string(first, "detail", JDOC_OPTIONAL, &detail, &ignored) == 0 && detail
	    && *detail) {
		buffer_add(ret, ": ", ret->len ? 2 : 0);
		add_clean(ret, detail, DETAIL_MAX);
	}
	return code && strcmp(code, "NAME_UNKNOWN") == 0;
}

static bool read_message(struct http_response *r, struct buffer *ret)
{
	cleanup_buffer struct buffer body = {0};
	struct error ignored = {0};

	return stream_read_all(r->body, ERROR_BODY_MAX_BYTES, &body, &ignored) == 0 && body.len > 0
	       && find_message(&body, ret);
}

static int unauthorized(const struct http_response *r, const char *message, struct error *err)
{
	struct challenge challenge = {0};
	struct error ignored = {0};
	const char *scheme = "a malformed challenge";

	if (challenge_parse(r->authenticate, &challenge, &ignored) == 0)
		scheme = challenge_name(challenge.scheme);
	challenge_release(&challenge);
	return error_set(err, ERR_UNAUTHORIZED, "401 authentication required (%s)%s%s", scheme,
			 *message ? ": " : "", message);
}

/* What a status means; what is not known is unexpected. */
static const struct meaning {
	int status;
	enum error_kind kind;
	enum error_detail detail;
	const char *text;
} meanings[] = {
	{403, ERR_UNAUTHORIZED, ERR_DETAIL_NONE, "access denied"},
	{404, ERR_NOT_FOUND, ERR_DETAIL_NONE, "not found"},
	{408, ERR_NETWORK, ERR_DETAIL_SERVER, "request timed out"},
	{429, ERR_NETWORK, ERR_DETAIL_TOO_MANY, "too many requests"},
	{500, ERR_NETWORK, ERR_DETAIL_SERVER, "the server failed"},
	{502, ERR_NETWORK, ERR_DETAIL_SERVER, "what is behind the server cannot be reached"},
	{503, ERR_NETWORK, ERR_DETAIL_SERVER, "the server is not available"},
	{504, ERR_NETWORK, ERR_DETAIL_SERVER, "what is behind the server timed out"},
};

static const struct meaning *meaning_of(int status)
{
	static const struct meaning server = {0, ERR_NETWORK, ERR_DETAIL_SERVER,
					      "unexpected answer"};
	static const struct meaning other = {0, ERR_INVALID, ERR_DETAIL_NONE, "unexpected answer"};

	for (size_t i = 0; i < ARRAY_SIZE(meanings); i++)
		if (meanings[i].status == status)
			return &meanings[i];
	return status >= 500 ? &server : &other;
}

int registry_refused(struct http_response *r, struct error *err)
{
	const struct meaning *m = meaning_of(r->status);
	cleanup_buffer struct buffer message = {0};
	bool no_name = read_message(r, &message);
	const char *text = message.len ? (const char *)message.data : "";
	char wait[48] = "";

	if (r->status == 401)
		return unauthorized(r, text, err);
	if (r->retry_after_s > 0 && registry_may_retry(r->status))
		snprintf(wait, sizeof(wait), ", it asks to wait for %u s", r->retry_after_s);
	error_set(err, m->kind, "%d %s%s%s%s", r->status, m->text, wait, *text ? ": " : "", text);
	return error_set_detail(err, r->status == 404 && no_name ? ERR_DETAIL_NO_NAME : m->detail);
}
