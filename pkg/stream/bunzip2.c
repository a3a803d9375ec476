/* SPDX-License-Identifier: Apache-2.0 */
/* bzip2 by libbz2: streams one after another, then nothing. */
#include <limits.h>
#include <stdlib.h>

#include <bzlib.h>

#include "pkg/base/alloc.h"
#include "pkg/stream/stream_internal.h"

enum { BUNZIP2_PIECE_BYTES = 256 * 1024 };

struct bunzip2_stream {
	struct stream stream;
	struct stream *inner;
	bz_stream bz;
	bool is_open; /* in a stream, not between two */
	bool is_first;
	bool at_end;
	uint8_t *buffer;
	uint64_t consumed, produced, limit;
};

static int bz_error(const struct bunzip2_stream *b, int code, struct error *err)
{
	const char *what = code == BZ_DATA_ERROR_MAGIC && !b->is_first
				   ? "garbage after the last stream"
			   : code == BZ_DATA_ERROR_MAGIC ? "no header of a stream"
							 : "invalid data, or a wrong checksum";

	if (code == BZ_MEM_ERROR)
		abort(); /* out of memory */
	return error_set(err, ERR_INVALID, "bzip2: %s before byte %llu", what,
			 (unsigned long long)b->consumed);
}

static void open_stream(struct bunzip2_stream *b)
{
	b->bz.bzalloc = NULL;
	b->bz.bzfree = NULL;
	b->bz.opaque = NULL;
	if (BZ2_bzDecompressInit(&b->bz, 0, 0) != BZ_OK)
		abort(); /* out of memory */
	b->is_open = true;
}

static void close_stream(struct bunzip2_stream *b)
{
	BZ2_bzDecompressEnd(&b->bz);
	b->is_open = false;
	b->is_first = false;
}

static int at_input_end(struct bunzip2_stream *b, struct error *err)
{
	if (b->is_open || b->is_first)
		return error_set(err, ERR_INVALID, "bzip2: truncated at byte %llu",
				 (unsigned long long)b->consumed);
	b->at_end = true;
	return 0;
}

/* One step of libbz2. */
static int step(struct bunzip2_stream *b, struct error *err)
{
	const uint8_t *data;
	size_t len;
	int code, rc = stream_peek(b->inner, &data, &len, err);

	if (rc != 0)
		return rc < 0 ? -1 : at_input_end(b, err);
	if (len > INT_MAX)
		len = INT_MAX;
	if (!b->is_open)
		open_stream(b);
	b->bz.next_in = (char *)data; /* is not written to */
	b->bz.avail_in = (unsigned)len;
	code = BZ2_bzDecompress(&b->bz);
	stream_advance(b->inner, len - b->bz.avail_in);
	b->consumed += len - b->bz.avail_in;
	if (code != BZ_OK && code != BZ_STREAM_END)
		return bz_error(b, code, err);
	if (code == BZ_STREAM_END)
		close_stream(b);
	return 0;
}

static int bunzip2_fill_into(struct stream *s, uint8_t *buf, size_t room, size_t *ret_n,
			     struct error *err)
{
	struct bunzip2_stream *b = (struct bunzip2_stream *)s;
	unsigned size = room > INT_MAX ? INT_MAX : (unsigned)room;

	b->bz.next_out = (char *)buf;
	b->bz.avail_out = size;
	while (b->bz.avail_out == size && !b->at_end)
		if (step(b, err) < 0)
			return -1;
	*ret_n = size - b->bz.avail_out;
	b->produced += *ret_n;
	if (b->produced > b->limit)
		return stream_over_limit(b->limit, err);
	return *ret_n == 0;
}

static int bunzip2_fill(struct stream *s, const uint8_t **ret, size_t *ret_len, struct error *err)
{
	struct bunzip2_stream *b = (struct bunzip2_stream *)s;

	if (!b->buffer)
		b->buffer = xmalloc(BUNZIP2_PIECE_BYTES);
	*ret = b->buffer;
	return bunzip2_fill_into(s, b->buffer, BUNZIP2_PIECE_BYTES, ret_len, err);
}

static int bunzip2_finish(struct stream *s, struct error *err)
{
	return stream_finish(((struct bunzip2_stream *)s)->inner, err);
}

static void bunzip2_release(struct stream *s)
{
	struct bunzip2_stream *b = (struct bunzip2_stream *)s;

	stream_close(b->inner);
	if (b->is_open)
		close_stream(b);
	free(b->buffer);
}

struct stream *stream_bunzip2(struct stream **s, uint64_t limit)
{
	static const struct stream_ops ops = {
		.fill = bunzip2_fill,
		.fill_into = bunzip2_fill_into,
		.finish = bunzip2_finish,
		.release = bunzip2_release,
	};
	struct bunzip2_stream *b = xcalloc(1, sizeof(*b));

	b->stream.ops = &ops;
	b->inner = steal(s);
	b->limit = limit;
	b->is_first = true;
	return &b->stream;
}
