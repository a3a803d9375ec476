/* SPDX-License-Identifier: Apache-2.0 */
/* What a stream implements; only for those who make one (pkg/stream, registry/blob, tests). */
#pragma once

#include "pkg/stream/stream.h"

struct stream_ops {
	/*
	 * Lend the next piece, at least one byte: 0, 1 = end, -1. Called only when all that was
	 * lent before was taken. Never called again after 1 or -1.
	 */
	int (*fill)(struct stream *s, const uint8_t **ret, size_t *ret_len, struct error *err);
	/*
	 * May be NULL. Like fill(), but puts the bytes, at least one, into buf: spares a copy where
	 * they are produced in memory of the caller's choice just as well. Same rules as fill().
	 */
	int (*fill_into)(struct stream *s, uint8_t *buf, size_t room, size_t *ret_n,
			 struct error *err);
	/* Called once by stream_finish() after fill() said "end"; may be NULL. Finishes the inner
	 * stream, too. */
	int (*finish)(struct stream *s, struct error *err);
	/* Release all but *s itself, which is free()d by stream_close(). */
	void (*release)(struct stream *s);
};

/* As many first bytes as a codec is known by. */
enum { STREAM_HEAD_BYTES = 16 };

/* First member of each implementation; everything but ops starts as zero. */
struct stream {
	const struct stream_ops *ops;
	const uint8_t *data; /* lent, not yet taken */
	size_t len;
	enum { STREAM_OPEN, STREAM_ENDED, STREAM_FINISHED, STREAM_FAILED } state;
	struct error failure; /* repeated once state is STREAM_FAILED */
	/* stream_sniff() gathers small pieces: head[] is lent first, then the rest of the last. */
	uint8_t head[STREAM_HEAD_BYTES];
	const uint8_t *rest;
	size_t rest_len;
};

/* Copy at least one byte and at most room, without waiting for more: 0, 1 = end, -1. */
MUST_CHECK int stream_read_some(struct stream *s, uint8_t *buf, size_t room, size_t *ret_n,
				struct error *err);
