/* SPDX-License-Identifier: Apache-2.0 */
/* The stages behind stream_decompress(), and the headers that they read by themselves. */
#pragma once

#include <stdbool.h>

#include "pkg/stream/stage.h"

/* Pass everything on, but at most limit bytes. */
struct stream *stream_limit(struct stream **s, uint64_t limit);
struct stream *stream_gunzip(struct stream **s, uint64_t limit);
struct stream *stream_unzstd(struct stream **s, uint64_t limit);
struct stream *stream_unxz(struct stream **s, uint64_t limit);
struct stream *stream_bunzip2(struct stream **s, uint64_t limit);

/* What every stage says when more comes out than it may. */
int stream_over_limit(uint64_t limit, struct error *err);

/*
 * A member's header, read in pieces of any size (RFC 1952 2.3):
 *
 *   1f 8b 08 FLG MTIME(4) XFL OS [XLEN(2) bytes] [name NUL] [comment NUL] [CRC16(2)]
 *                                 FLG 0x04        FLG 0x08   FLG 0x10      FLG 0x02
 */
struct gzip_header {
	enum {
		GZIP_FIXED,
		GZIP_EXTRA_LEN,
		GZIP_EXTRA,
		GZIP_NAME,
		GZIP_COMMENT,
		GZIP_CRC,
		GZIP_COMPLETE,
	} field;
	uint32_t got;  /* bytes of the present field */
	uint32_t need; /* its length, where it has one */
	uint8_t flags;
	uint32_t value; /* of XLEN or CRC16, little-endian */
	uint32_t crc;	/* of all before CRC16 */
};

/* Before the first byte of each header. */
void gzip_header_start(struct gzip_header *h);
/* Take the bytes that belong to the header: 1 = complete, 0 = all taken and more needed, -1. */
MUST_CHECK int gzip_header_take(struct gzip_header *h, const uint8_t *data, size_t len,
				size_t *ret_taken, struct error *err);

/*
 * A frame's header, read in pieces of any size (RFC 8878 3.1):
 *
 *   28 b5 2f fd DESCRIPTOR [WINDOW(1)] [DICTIONARY(1, 2, 4)] [CONTENT SIZE(1, 2, 4, 8)]
 *   5? 2a 4d 18 LENGTH(4)     a skippable frame
 */
enum {
	UNZSTD_MAGIC_BYTES = 4,
	UNZSTD_HEADER_MAX_BYTES = 18,
	UNZSTD_WINDOW_LOG_MAX = 27, /* 128 MiB, what decoders are expected to take at most */
};

struct zstd_header {
	uint8_t bytes[UNZSTD_HEADER_MAX_BYTES];
	unsigned got, need;
	bool is_skippable;
	uint32_t skip_bytes;	/* of a skippable frame, behind the header */
	uint64_t content_bytes; /* of a frame, or STREAM_SIZE_UNKNOWN */
};

/* Before the first byte of each header. */
void zstd_header_start(struct zstd_header *h);
/*
 * Take the bytes that belong to the header: 1 = complete, 0 = all taken and more needed, -1: bad
 * magic (got is then UNZSTD_MAGIC_BYTES), a dictionary, a window that is too large.
 */
MUST_CHECK int zstd_header_take(struct zstd_header *h, const uint8_t *data, size_t len,
				size_t *ret_taken, struct error *err);
