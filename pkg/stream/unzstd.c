/* SPDX-License-Identifier: Apache-2.0 */
/*
 * zstd by libzstd: frames one after another, skippable ones anywhere, then nothing. A frame's
 * header is read here first (zstd_header.c) and given to libzstd in a piece of its own: what may be
 * then does not depend on whether a frame lies in memory as a whole.
 */
#include <errno.h>
#include <stdlib.h>

#include <zstd.h>
#include <zstd_errors.h>

#include "pkg/base/alloc.h"
#include "pkg/stream/stream_internal.h"

enum { UNZSTD_PIECE_BYTES = 256 * 1024 };

struct unzstd_stream {
	struct stream stream;
	struct stream *inner;
	enum {
		UNZSTD_HEADER, /* in a frame's header, or between frames     */
		UNZSTD_SKIP,   /* in what a skippable frame carries          */
		UNZSTD_BODY,   /* in a frame's blocks, or in its checksum    */
		UNZSTD_END,
	} state;
	struct zstd_header header;
	uint32_t skip_left;
	uint64_t frame_bytes; /* that came out of this frame */
	bool is_first;	      /* no frame is complete yet */
	ZSTD_DCtx *zstd;
	uint8_t *buffer;
	uint64_t consumed; /* compressed bytes, for errors */
	uint64_t limit, produced;
};

static int invalid(const struct unzstd_stream *u, const char *what, struct error *err)
{
	return error_set(err, ERR_INVALID, "zstd: %s at byte %llu", what,
			 (unsigned long long)u->consumed);
}

static void take(struct unzstd_stream *u, size_t n)
{
	stream_advance(u->inner, n);
	u->consumed += n;
}

static void start_frame(struct unzstd_stream *u)
{
	zstd_header_start(&u->header);
	u->frame_bytes = 0;
	u->state = UNZSTD_HEADER;
}

static void end_frame(struct unzstd_stream *u)
{
	u->is_first = false;
	start_frame(u);
}

/* libzstd does not say where in a piece it met the error. */
static int zstd_error(const struct unzstd_stream *u, size_t code, struct error *err)
{
	const char *what = ZSTD_getErrorName(code);

	switch (ZSTD_getErrorCode(code)) {
	case ZSTD_error_checksum_wrong:
		what = "wrong checksum of a frame";
		break;
	case ZSTD_error_corruption_detected:
		what = "invalid data";
		break;
	case ZSTD_error_memory_allocation:
		errno = ENOMEM;
		return error_sys(err, "zstd: make room for a window");
	default:
		break;
	}
	return error_set(err, ERR_INVALID, "zstd: %s behind byte %llu", what,
			 (unsigned long long)u->consumed);
}

/* One step of libzstd; *ret_n bytes came out, 0 is possible. */
static int decode(struct unzstd_stream *u, ZSTD_inBuffer *in, uint8_t *out, size_t room,
		  size_t *ret_n, struct error *err)
{
	ZSTD_outBuffer to = {out, room, 0};
	size_t hint = ZSTD_decompressStream(u->zstd, &to, in);

	if (ZSTD_isError(hint))
		return zstd_error(u, hint, err);
	*ret_n = to.pos;
	u->frame_bytes += to.pos;
	if (hint > 0)
		return 0;
	/* libzstd 1.5.4 does not look when the last block is empty. */
	if (u->header.content_bytes != STREAM_SIZE_UNKNOWN
	    && u->header.content_bytes != u->frame_bytes)
		return invalid(u, "another size than the header says in a frame that ends", err);
	end_frame(u);
	return 0;
}

static int start_body(struct unzstd_stream *u, struct error *err)
{
	ZSTD_inBuffer in = {u->header.bytes, u->header.got, 0};
	uint8_t nowhere;
	size_t n;

	ZSTD_DCtx_reset(u->zstd, ZSTD_reset_session_only);
	u->state = UNZSTD_BODY;
	if (decode(u, &in, &nowhere, 0, &n, err) < 0)
		return -1;
	if (in.pos != in.size || u->state != UNZSTD_BODY)
		return invalid(u, "invalid header", err); /* never seen */
	return 0;
}

/* Also ends a frame that carries nothing. */
static void skip(struct unzstd_stream *u, size_t len)
{
	size_t n = len < u->skip_left ? len : u->skip_left;

	take(u, n);
	u->skip_left -= (uint32_t)n;
	if (u->skip_left == 0)
		end_frame(u);
}

static int read_header(struct unzstd_stream *u, const uint8_t *data, size_t len, struct error *err)
{
	size_t taken;
	int rc = zstd_header_take(&u->header, data, len, &taken, err);

	if (rc < 0 && u->header.got == UNZSTD_MAGIC_BYTES && !u->is_first)
		return invalid(u, "garbage after the last frame", err);
	if (rc < 0)
		return error_wrap(err, "zstd: frame at byte %llu", (unsigned long long)u->consumed);
	take(u, taken);
	if (rc == 0)
		return 0;
	if (!u->header.is_skippable)
		return start_body(u, err);
	u->state = UNZSTD_SKIP;
	u->skip_left = u->header.skip_bytes;
	skip(u, 0);
	return 0;
}

static int read_body(struct unzstd_stream *u, const uint8_t *data, size_t len, uint8_t *out,
		     size_t room, size_t *ret_n, struct error *err)
{
	ZSTD_inBuffer in = {data, len, 0};

	if (decode(u, &in, out, room, ret_n, err) < 0)
		return -1;
	if (in.pos == 0 && *ret_n == 0)
		return invalid(u, "data without an end", err); /* never seen; no hang */
	take(u, in.pos);
	return 0;
}

/* libzstd keeps back a byte of a frame until all that came of it is out: nothing is left here. */
static int at_input_end(struct unzstd_stream *u, struct error *err)
{
	if (u->state != UNZSTD_HEADER || u->header.got > 0 || u->is_first)
		return invalid(u, "truncated", err);
	u->state = UNZSTD_END;
	return 0;
}

/* One step forward; *ret_n bytes came out, 0 is possible. */
static int step(struct unzstd_stream *u, uint8_t *out, size_t room, size_t *ret_n,
		struct error *err)
{
	const uint8_t *data;
	size_t len;
	int rc = stream_peek(u->inner, &data, &len, err);

	*ret_n = 0;
	if (rc < 0)
		return -1;
	if (rc == 1)
		return at_input_end(u, err);
	switch (u->state) {
	case UNZSTD_HEADER:
		return read_header(u, data, len, err);
	case UNZSTD_SKIP:
		skip(u, len);
		return 0;
	case UNZSTD_BODY:
		return read_body(u, data, len, out, room, ret_n, err);
	case UNZSTD_END:
		break;
	}
	return 0;
}

static int unzstd_fill_into(struct stream *s, uint8_t *buf, size_t room, size_t *ret_n,
			    struct error *err)
{
	struct unzstd_stream *u = (struct unzstd_stream *)s;
	size_t done = 0;

	while (done < room && u->state != UNZSTD_END) {
		size_t n;

		if (step(u, buf + done, room - done, &n, err) < 0)
			return -1;
		done += n;
		u->produced += n;
		if (u->produced > u->limit)
			return stream_over_limit(u->limit, err);
	}
	*ret_n = done;
	return done == 0;
}

static int unzstd_fill(struct stream *s, const uint8_t **ret, size_t *ret_len, struct error *err)
{
	struct unzstd_stream *u = (struct unzstd_stream *)s;

	if (!u->buffer)
		u->buffer = xmalloc(UNZSTD_PIECE_BYTES);
	*ret = u->buffer;
	return unzstd_fill_into(s, u->buffer, UNZSTD_PIECE_BYTES, ret_len, err);
}

static int unzstd_finish(struct stream *s, struct error *err)
{
	return stream_finish(((struct unzstd_stream *)s)->inner, err);
}

static void unzstd_release(struct stream *s)
{
	struct unzstd_stream *u = (struct unzstd_stream *)s;

	stream_close(u->inner);
	ZSTD_freeDCtx(u->zstd);
	free(u->buffer);
}

struct stream *stream_unzstd(struct stream **s, uint64_t limit)
{
	static const struct stream_ops ops = {
		.fill = unzstd_fill,
		.fill_into = unzstd_fill_into,
		.finish = unzstd_finish,
		.release = unzstd_release,
	};
	struct unzstd_stream *u = xcalloc(1, sizeof(*u));

	u->stream.ops = &ops;
	u->inner = steal(s);
	u->limit = limit;
	u->is_first = true;
	u->zstd = ZSTD_createDCtx();
	if (!u->zstd)
		abort(); /* out of memory */
	ZSTD_DCtx_setParameter(u->zstd, ZSTD_d_windowLogMax, UNZSTD_WINDOW_LOG_MAX);
	start_frame(u);
	return &u->stream;
}
