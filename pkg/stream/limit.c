/* SPDX-License-Identifier: Apache-2.0 */
/* Passes bytes on and counts them, so that what is not compressed is bounded, too. */
#include "pkg/base/alloc.h"
#include "pkg/stream/stream_internal.h"

struct limit_stream {
	struct stream stream;
	struct stream *inner;
	size_t lent; /* of the inner stream's piece, to be taken */
	uint64_t limit, left;
};

int stream_over_limit(uint64_t limit, struct error *err)
{
	return error_set(err, ERR_INVALID, "unpacks to more than the allowed %llu bytes",
			 (unsigned long long)limit);
}

static int limit_fill(struct stream *s, const uint8_t **ret, size_t *ret_len, struct error *err)
{
	struct limit_stream *l = (struct limit_stream *)s;
	int rc;

	stream_advance(l->inner, l->lent);
	l->lent = 0;
	rc = stream_peek(l->inner, ret, ret_len, err);
	if (rc != 0)
		return rc;
	if (*ret_len > l->left)
		return stream_over_limit(l->limit, err);
	l->lent = *ret_len;
	l->left -= *ret_len;
	return 0;
}

static int limit_finish(struct stream *s, struct error *err)
{
	return stream_finish(((struct limit_stream *)s)->inner, err);
}

static void limit_release(struct stream *s)
{
	stream_close(((struct limit_stream *)s)->inner);
}

struct stream *stream_limit(struct stream **s, uint64_t limit)
{
	static const struct stream_ops ops = {
		.fill = limit_fill,
		.finish = limit_finish,
		.release = limit_release,
	};
	struct limit_stream *l = xcalloc(1, sizeof(*l));

	l->stream.ops = &ops;
	l->inner = steal(s);
	l->limit = l->left = limit;
	return &l->stream;
}
