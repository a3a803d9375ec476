/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all streams have in common: lending, taking, sticky errors, draining. Knows nothing of
 * where bytes come from.
 */
#include "pkg/stream/stream.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "pkg/base/interrupt.h"
#include "pkg/stream/stage.h"

enum { DIRECT_ROOM_BYTES = 64 * 1024 };

static int fail(struct stream *s, const struct error *err)
{
	s->state = STREAM_FAILED;
	s->failure = *err;
	s->len = s->rest_len = 0;
	return -1;
}

/* Note what an implementation said. */
static int took(struct stream *s, int rc, const struct error *err)
{
	if (rc < 0)
		return fail(s, err);
	if (rc == 1)
		s->state = STREAM_ENDED;
	return rc;
}

/* Each piece goes through here or fill_into(), so this is where a signal ends a long pull. */
static int fill(struct stream *s, struct error *err)
{
	int rc;

	if (interrupt_check(err) < 0)
		return fail(s, err);
	rc = took(s, s->ops->fill(s, &s->data, &s->len, err), err);
	assert(rc != 0 || s->len > 0);
	return rc;
}

static int fill_into(struct stream *s, uint8_t *buf, size_t room, size_t *ret_n, struct error *err)
{
	int rc;

	if (interrupt_check(err) < 0)
		return fail(s, err);
	rc = took(s, s->ops->fill_into(s, buf, room, ret_n, err), err);
	assert(rc != 0 || (*ret_n > 0 && *ret_n <= room));
	return rc;
}

int stream_peek(struct stream *s, const uint8_t **ret, size_t *ret_len, struct error *err)
{
	if (s->state == STREAM_FAILED) {
		*err = s->failure;
		return -1;
	}
	if (s->len == 0 && s->rest_len > 0) {
		s->data = s->rest;
		s->len = s->rest_len;
		s->rest_len = 0;
	}
	if (s->len == 0) {
		int rc = s->state == STREAM_OPEN ? fill(s, err) : 1;

		if (rc != 0)
			return rc;
	}
	*ret = s->data;
	*ret_len = s->len;
	return 0;
}

void stream_advance(struct stream *s, size_t n)
{
	assert(n <= s->len);
	if (n == 0)
		return; /* before the first piece data is NULL */
	s->data += n;
	s->len -= n;
}

int stream_read_some(struct stream *s, uint8_t *buf, size_t room, size_t *ret_n, struct error *err)
{
	const uint8_t *piece;
	size_t n;
	int rc;

	/* Into a small room the stream's own buffer is filled: fewer and larger steps. */
	if (s->ops->fill_into && s->state == STREAM_OPEN && s->len == 0 && s->rest_len == 0
	    && room >= DIRECT_ROOM_BYTES)
		return fill_into(s, buf, room, ret_n, err);
	rc = stream_peek(s, &piece, &n, err);
	if (rc != 0)
		return rc;
	if (n > room)
		n = room;
	memcpy(buf, piece, n);
	stream_advance(s, n);
	*ret_n = n;
	return 0;
}

int stream_read(struct stream *s, void *buf, size_t len, size_t *ret_n, struct error *err)
{
	size_t done = 0, n;
	int rc = 0;

	while (done < len
	       && (rc = stream_read_some(s, (uint8_t *)buf + done, len - done, &n, err)) == 0)
		done += n;
	if (rc < 0)
		return -1;
	*ret_n = done;
	return 0;
}

int stream_read_all(struct stream *s, size_t max, struct buffer *ret, struct error *err)
{
	const uint8_t *piece;
	size_t total = 0, n;
	int rc;

	while ((rc = stream_peek(s, &piece, &n, err)) == 0) {
		if (n > max - total)
			return error_set(err, ERR_INVALID, "more than %zu bytes", max);
		buffer_add(ret, piece, n);
		stream_advance(s, n);
		total += n;
	}
	return rc < 0 ? -1 : 0;
}

int stream_finish(struct stream *s, struct error *err)
{
	const uint8_t *piece;
	size_t n;
	int rc;

	while ((rc = stream_peek(s, &piece, &n, err)) == 0)
		stream_advance(s, n);
	if (rc < 0)
		return -1;
	if (s->state == STREAM_ENDED && s->ops->finish && s->ops->finish(s, err) < 0)
		return fail(s, err);
	s->state = STREAM_FINISHED;
	return 0;
}

void stream_close(struct stream *s)
{
	s->ops->release(s);
	free(s);
}
