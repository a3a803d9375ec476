/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gzip by ISA-L: members one after another, then nothing or zeros. What other readers let pass
 * (truncation, trailing garbage, reserved flags) is an error, or two tools would see two files.
 */
#include <stdlib.h>

#include <isa-l/igzip_lib.h>

#include "pkg/base/alloc.h"
#include "pkg/stream/stream_internal.h"

enum {
	GUNZIP_PIECE_BYTES = 256 * 1024,
	/* isal_inflate() counts in 32 bits. */
	GUNZIP_STEP_BYTES = 1 << 30,
};

struct gunzip_stream {
	struct stream stream;
	struct stream *inner;
	enum {
		GUNZIP_HEADER,	/* in a member's header                     */
		GUNZIP_BODY,	/* in its deflate data or trailer           */
		GUNZIP_BETWEEN, /* a member is complete: what comes now?    */
		GUNZIP_PADDING, /* in zeros, which must go on to the end    */
		GUNZIP_END,
	} state;
	struct gzip_header header;
	struct inflate_state inflate;
	uint8_t *buffer;
	uint64_t consumed; /* compressed bytes, for errors */
	uint64_t limit, produced;
};

static int invalid(const struct gunzip_stream *g, const char *what, struct error *err)
{
	return error_set(err, ERR_INVALID, "gzip: %s at byte %llu", what,
			 (unsigned long long)g->consumed);
}

static void take(struct gunzip_stream *g, size_t n)
{
	stream_advance(g->inner, n);
	g->consumed += n;
}

static void start_member(struct gunzip_stream *g)
{
	gzip_header_start(&g->header);
	g->state = GUNZIP_HEADER;
}

static int read_header(struct gunzip_stream *g, const uint8_t *data, size_t len, struct error *err)
{
	size_t taken;
	int rc = gzip_header_take(&g->header, data, len, &taken, err);

	if (rc < 0)
		return -1;
	take(g, taken);
	if (rc == 1) {
		isal_inflate_reset(&g->inflate);
		/* The header is ours, CRC32 and ISIZE are ISA-L's. */
		g->inflate.crc_flag = ISAL_GZIP_NO_HDR_VER;
		g->state = GUNZIP_BODY;
	}
	return 0;
}

static int inflate_error(const struct gunzip_stream *g, int code, struct error *err)
{
	switch (code) {
	case ISAL_INCORRECT_CHECKSUM:
		return invalid(g, "wrong checksum or length of a member that ends", err);
	case ISAL_INVALID_BLOCK:
		return invalid(g, "invalid deflate block", err);
	case ISAL_INVALID_SYMBOL:
		return invalid(g, "invalid deflate symbol", err);
	case ISAL_INVALID_LOOKBACK:
		return invalid(g, "deflate distance reaches before the start", err);
	default:
		return invalid(g, "invalid deflate data", err);
	}
}

/*
 * One step of inflation; *ret_n bytes came out, 0 is possible. Without input (len 0) it only
 * brings out what ISA-L still holds.
 */
static int inflate_step(struct gunzip_stream *g, const uint8_t *data, size_t len, uint8_t *out,
			size_t room, size_t *ret_n, struct error *err)
{
	struct inflate_state *i = &g->inflate;
	uint32_t given_in = (uint32_t)(len < GUNZIP_STEP_BYTES ? len : GUNZIP_STEP_BYTES);
	uint32_t given_out = (uint32_t)(room < GUNZIP_STEP_BYTES ? room : GUNZIP_STEP_BYTES);
	int code;

	i->next_in = (uint8_t *)data; /* not written to */
	i->avail_in = given_in;
	i->next_out = out;
	i->avail_out = given_out;
	code = isal_inflate(i);
	if (code != ISAL_DECOMP_OK)
		return inflate_error(g, code, err);
	/* After an error ISA-L 2.30 gives back bytes of earlier pieces; never seen otherwise. */
	if (i->avail_in > given_in)
		return invalid(g, "invalid deflate data", err);
	take(g, given_in - i->avail_in);
	*ret_n = given_out - i->avail_out;
	if (i->block_state == ISAL_BLOCK_FINISH)
		g->state = GUNZIP_BETWEEN;
	else if (*ret_n == 0 && i->avail_in == given_in && given_in > 0)
		return invalid(g, "deflate data without an end", err); /* never seen; no hang */
	return 0;
}

static int check_padding(struct gunzip_stream *g, const uint8_t *data, size_t len,
			 struct error *err)
{
	for (size_t i = 0; i < len; i++) {
		if (data[i] == 0)
			continue;
		take(g, i);
		return invalid(g, "garbage after the last member", err);
	}
	take(g, len);
	return 0;
}

static int at_input_end(struct gunzip_stream *g, uint8_t *out, size_t room, size_t *ret_n,
			struct error *err)
{
	*ret_n = 0;
	if (g->state == GUNZIP_BETWEEN || g->state == GUNZIP_PADDING) {
		g->state = GUNZIP_END;
		return 0;
	}
	/* ISA-L calls truncated data a success: only ISAL_BLOCK_FINISH means complete. */
	if (g->state == GUNZIP_BODY && inflate_step(g, NULL, 0, out, room, ret_n, err) < 0)
		return -1;
	if (*ret_n == 0 && g->state != GUNZIP_BETWEEN)
		return invalid(g, "truncated", err);
	return 0;
}

/* One step forward; *ret_n bytes came out, 0 is possible. */
static int step(struct gunzip_stream *g, uint8_t *out, size_t room, size_t *ret_n,
		struct error *err)
{
	const uint8_t *data;
	size_t len;
	int rc = stream_peek(g->inner, &data, &len, err);

	*ret_n = 0;
	if (rc < 0)
		return -1;
	if (rc == 1)
		return at_input_end(g, out, room, ret_n, err);
	switch (g->state) {
	case GUNZIP_HEADER:
		return read_header(g, data, len, err);
	case GUNZIP_BODY:
		return inflate_step(g, data, len, out, room, ret_n, err);
	case GUNZIP_BETWEEN:
		if (data[0] == 0x1f)
			start_member(g);
		else
			g->state = GUNZIP_PADDING;
		return 0;
	case GUNZIP_PADDING:
		return check_padding(g, data, len, err);
	case GUNZIP_END:
		break;
	}
	return 0;
}

static int gunzip_fill_into(struct stream *s, uint8_t *buf, size_t room, size_t *ret_n,
			    struct error *err)
{
	struct gunzip_stream *g = (struct gunzip_stream *)s;
	size_t done = 0;

	while (done < room && g->state != GUNZIP_END) {
		size_t n;

		if (step(g, buf + done, room - done, &n, err) < 0)
			return -1;
		done += n;
		g->produced += n;
		if (g->produced > g->limit)
			return stream_over_limit(g->limit, err);
	}
	*ret_n = done;
	return done == 0;
}

static int gunzip_fill(struct stream *s, const uint8_t **ret, size_t *ret_len, struct error *err)
{
	struct gunzip_stream *g = (struct gunzip_stream *)s;

	if (!g->buffer)
		g->buffer = xmalloc(GUNZIP_PIECE_BYTES);
	*ret = g->buffer;
	return gunzip_fill_into(s, g->buffer, GUNZIP_PIECE_BYTES, ret_len, err);
}

static int gunzip_finish(struct stream *s, struct error *err)
{
	return stream_finish(((struct gunzip_stream *)s)->inner, err);
}

static void gunzip_release(struct stream *s)
{
	struct gunzip_stream *g = (struct gunzip_stream *)s;

	stream_close(g->inner);
	free(g->buffer);
}

struct stream *stream_gunzip(struct stream **s, uint64_t limit)
{
	static const struct stream_ops ops = {
		.fill = gunzip_fill,
		.fill_into = gunzip_fill_into,
		.finish = gunzip_finish,
		.release = gunzip_release,
	};
	struct gunzip_stream *g = xcalloc(1, sizeof(*g));

	g->stream.ops = &ops;
	g->inner = steal(s);
	g->limit = limit;
	isal_inflate_init(&g->inflate);
	start_member(g);
	return &g->stream;
}
