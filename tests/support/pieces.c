/* SPDX-License-Identifier: Apache-2.0 */
/* The stream of small pieces. */
#include "tests/support/pieces.h"

#include <stdlib.h>

#include "pkg/base/alloc.h"

struct pieces_stream {
	struct stream stream;
	struct pieces options;
	size_t offset;
	uint8_t *lent;
};

static int pieces_fill(struct stream *s, const uint8_t **ret, size_t *ret_len, struct error *err)
{
	struct pieces_stream *p = (struct pieces_stream *)s;
	size_t n = p->options.len - p->offset;

	free(p->lent);
	p->lent = NULL;
	if (n == 0 && p->options.fails)
		return error_set(err, ERR_NETWORK, "connection lost");
	if (n == 0)
		return 1;
	if (n > p->options.piece)
		n = p->options.piece;
	p->lent = xmemdup((const uint8_t *)p->options.data + p->offset, n);
	p->offset += n;
	*ret = p->lent;
	*ret_len = n;
	return 0;
}

static int pieces_finish(struct stream *s, struct error *err)
{
	struct pieces_stream *p = (struct pieces_stream *)s;

	if (p->options.finished)
		++*p->options.finished;
	if (p->options.finish_rc < 0)
		return error_set(err, ERR_NETWORK, "finish failed");
	return 0;
}

static void pieces_release(struct stream *s)
{
	struct pieces_stream *p = (struct pieces_stream *)s;

	free(p->lent);
	if (p->options.released)
		++*p->options.released;
}

struct stream *pieces_stream(const struct pieces *options)
{
	static const struct stream_ops ops = {
		.fill = pieces_fill,
		.finish = pieces_finish,
		.release = pieces_release,
	};
	struct pieces_stream *p = xcalloc(1, sizeof(*p));

	p->stream.ops = &ops;
	p->options = *options;
	return &p->stream;
}
