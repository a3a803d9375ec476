/* SPDX-License-Identifier: Apache-2.0 */
/* Error responses. Their text is foreign: cut, made one line, never trusted to be JSON. */
#include "registry/errors.h"

#include <stdio.h>
#include <string.h>

#include "pkg/base/alloc.h"
#include "pkg/base/buffer.h"
#include "pkg/json/jdoc.h"
#include "registry/challenge.h"

enum { ERROR_BODY_MAX_BYTES = 1 << 20, CODE_MAX = 40, MESSAGE_MAX = 110 };

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

/* {"errors":[{"code":"..","message":".."}]}: the first one; nothing if it is anything else. */
static void find_message(const struct buffer *body, struct buffer *ret)
{
	cleanup(jdoc_free_ptr) struct jdoc *doc = NULL;
	const char *code = NULL, *message = NULL;
	struct error ignored = {0};
	struct jval errors, first;

	if (jdoc_parse(body->data, body->len, "body", &doc, &ignored) < 0
	    || jdoc_array(jdoc_root(doc), "errors", JDOC_OPTIONAL, &errors, &ignored) < 0
	    || jdoc_length(errors) == 0)
		return;
	first = jdoc_at(errors, 0);
	if (jdoc_string(first, "code", JDOC_OPTIONAL, &code, &ignored) < 0
	    || jdoc_string(first, "message", JDOC_OPTIONAL, &message, &ignored) < 0)
		return;
	if (code)
		add_clean(ret, code, CODE_MAX);
	if (code && message && *message)
		buffer_add(ret, ": ", 2);
	if (message)
		add_clean(ret, message, MESSAGE_MAX);
}

static void read_message(struct http_response *r, struct buffer *ret)
{
	cleanup_buffer struct buffer body = {0};
	struct error ignored = {0};

	if (stream_read_all(r->body, ERROR_BODY_MAX_BYTES, &body, &ignored) == 0 && body.len > 0)
		find_message(&body, ret);
}

static int unauthorized(const struct http_response *r, const char *message, struct error *err)
{
	struct challenge challenge = {0};
	struct error ignored = {0};
	const char *scheme = "a malformed challenge";

	if (challenge_parse(r->authenticate, &challenge, &ignored) == 0)
		scheme = challenge.scheme == CHALLENGE_BASIC
				 ? "Basic: user name and password, not supported yet"
				 : challenge_name(challenge.scheme);
	challenge_release(&challenge);
	return error_set(err, ERR_UNAUTHORIZED, "401 authentication required (%s)%s%s", scheme,
			 *message ? ": " : "", message);
}

int registry_refused(struct http_response *r, struct error *err)
{
	static const struct {
		int status;
		enum error_kind kind;
		const char *meaning;
	} known[] = {
		{403, ERR_UNAUTHORIZED, "access denied"},
		{404, ERR_NOT_FOUND, "not found"},
		{408, ERR_NETWORK, "request timed out"},
		{429, ERR_NETWORK, "too many requests, try again later"},
		{500, ERR_NETWORK, "the registry failed, try again later"},
		{502, ERR_NETWORK, "the registry cannot be reached, try again later"},
		{503, ERR_NETWORK, "the registry is not available, try again later"},
		{504, ERR_NETWORK, "the registry timed out, try again later"},
	};
	cleanup_buffer struct buffer message = {0};
	enum error_kind kind = r->status >= 500 ? ERR_NETWORK : ERR_INVALID;
	const char *meaning = "unexpected answer", *text;

	read_message(r, &message);
	text = message.len ? (const char *)message.data : "";
	if (r->status == 401)
		return unauthorized(r, text, err);
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (known[i].status == r->status) {
			kind = known[i].kind;
			meaning = known[i].meaning;
		}
	return error_set(err, kind, "%d %s%s%s", r->status, meaning, *text ? ": " : "", text);
}
