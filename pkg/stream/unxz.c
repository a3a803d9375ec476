/* SPDX-License-Identifier: Apache-2.0 */
/* xz by liblzma: streams one after another, with zero padding between and behind them. */
#include <stdlib.h>

#include <lzma.h>

#include "pkg/base/alloc.h"
#include "pkg/stream/stream_internal.h"

enum { UNXZ_PIECE_BYTES = 256 * 1024, UNXZ_MEMORY_BYTES = 320 << 20 };

struct unxz_stream {
	struct stream stream;
	struct stream *inner;
	lzma_stream xz;
	bool at_end;
	uint8_t *buffer;
	uint64_t limit;
};

static int xz_error(const struct unxz_stream *u, lzma_ret code, struct error *err)
{
	const char *what = code == LZMA_FORMAT_ERROR	    ? "no header of a stream"
			   : code == LZMA_BUF_ERROR	    ? "truncated"
			   : code == LZMA_MEMLIMIT_ERROR    ? "a dictionary of more than 256 MiB"
			   : code == LZMA_UNSUPPORTED_CHECK ? "a checksum of unknown kind"
			   : code == LZMA_OPTIONS_ERROR	    ? "filters that are not known"
							    : "invalid data, or a wrong checksum";

	if (code == LZMA_MEM_ERROR)
		abort(); /* out of memory */
	return error_set(err, ERR_INVALID, "xz: %s before byte %llu", what,
			 (unsigned long long)u->xz.total_in);
}

/* One step of liblzma. */
static int step(struct unxz_stream *u, struct error *err)
{
	size_t len = 0, taken;
	lzma_ret code;
	int rc = stream_peek(u->inner, &u->xz.next_in, &len, err);

	if (rc < 0)
		return -1;
	u->xz.avail_in = rc == 1 ? 0 : len;
	taken = u->xz.avail_in;
	code = lzma_code(&u->xz, rc == 1 ? LZMA_FINISH : LZMA_RUN);
	taken -= u->xz.avail_in;
	if (rc == 0)
		stream_advance(u->inner, taken);
	if (code != LZMA_OK && code != LZMA_STREAM_END)
		return xz_error(u, code, err);
	u->at_end = code == LZMA_STREAM_END;
	return 0;
}

static int unxz_fill_into(struct stream *s, uint8_t *buf, size_t room, size_t *ret_n,
			  struct error *err)
{
	struct unxz_stream *u = (struct unxz_stream *)s;

	u->xz.next_out = buf;
	u->xz.avail_out = room;
	while (u->xz.avail_out == room && !u->at_end)
		if (step(u, err) < 0)
			return -1;
	if (u->xz.total_out > u->limit)
		return stream_over_limit(u->limit, err);
	*ret_n = room - u->xz.avail_out;
	return *ret_n == 0;
}

static int unxz_fill(struct stream *s, const uint8_t **ret, size_t *ret_len, struct error *err)
{
	struct unxz_stream *u = (struct unxz_stream *)s;

	if (!u->buffer)
		u->buffer = xmalloc(UNXZ_PIECE_BYTES);
	*ret = u->buffer;
	return unxz_fill_into(s, u->buffer, UNXZ_PIECE_BYTES, ret_len, err);
}

static int unxz_finish(struct stream *s, struct error *err)
{
	return stream_finish(((struct unxz_stream *)s)->inner, err);
}

static void unxz_release(struct stream *s)
{
	struct unxz_stream *u = (struct unxz_stream *)s;

	stream_close(u->inner);
	lzma_end(&u->xz);
	free(u->buffer);
}

struct stream *stream_unxz(struct stream **s, uint64_t limit)
{
	static const struct stream_ops ops = {
		.fill = unxz_fill,
		.fill_into = unxz_fill_into,
		.finish = unxz_finish,
		.release = unxz_release,
	};
	struct unxz_stream *u = xcalloc(1, sizeof(*u));

	u->stream.ops = &ops;
	u->inner = steal(s);
	u->limit = limit;
	u->xz = (lzma_stream)LZMA_STREAM_INIT;
	if (lzma_stream_decoder(&u->xz, UNXZ_MEMORY_BYTES,
				LZMA_CONCATENATED | LZMA_TELL_UNSUPPORTED_CHECK)
	    != LZMA_OK)
		abort(); /* out of memory */
	return &u->stream;
}
