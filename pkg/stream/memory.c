/* SPDX-License-Identifier: Apache-2.0 */
/* A stream over bytes that are in memory already; lends them as they lie. */
#include "pkg/base/alloc.h"
#include "pkg/stream/stage.h"

struct memory_stream {
	struct stream stream;
	const uint8_t *bytes;
	size_t left;
};

static int memory_fill(struct stream *s, const uint8_t **ret, size_t *ret_len, struct error *err)
{
	struct memory_stream *m = (struct memory_stream *)s;

	(void)err;
	if (m->left == 0)
		return 1;
	*ret = m->bytes;
	*ret_len = m->left;
	m->left = 0;
	return 0;
}

static void memory_release(struct stream *s)
{
	(void)s;
}

struct stream *stream_from_memory(const void *data, size_t len)
{
	static const struct stream_ops ops = {.fill = memory_fill, .release = memory_release};
	struct memory_stream *m = xcalloc(1, sizeof(*m));

	m->stream.ops = &ops;
	m->bytes = data;
	m->left = len;
	return &m->stream;
}
