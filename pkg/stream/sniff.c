/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tells compressions apart by their first bytes, those that nobody may use for layers, too: "it is
 * xz" helps more than "bad header". Where a magic is short enough to be the start of a tar's first
 * name, what must follow it counts as well.
 */
#include "pkg/stream/stream.h"

#include <assert.h>
#include <string.h>

#include "pkg/base/alloc.h"
#include "pkg/stream/stage.h"

static bool starts(const uint8_t *p, size_t n, const void *magic, size_t len)
{
	return n >= len && memcmp(p, magic, len) == 0;
}

static bool is_gzip(const uint8_t *p, size_t n)
{
	return starts(p, n, "\x1f\x8b", 2);
}

/* A frame, or a skippable one: 0x184d2a50 to 0x184d2a5f (RFC 8878 3.1.2). */
static bool is_zstd(const uint8_t *p, size_t n)
{
	return starts(p, n, "\x28\xb5\x2f\xfd", 4)
	       || (n >= 4 && (p[0] & 0xf0) == 0x50 && starts(p + 1, n - 1, "\x2a\x4d\x18", 3));
}

/* "BZh", the level, then the magic of a block or of the end. */
static bool is_bzip2(const uint8_t *p, size_t n)
{
	return starts(p, n, "BZh", 3) && n >= 4 && p[3] >= '1' && p[3] <= '9'
	       && (starts(p + 4, n - 4, "\x31\x41\x59\x26\x53\x59", 6)
		   || starts(p + 4, n - 4, "\x17\x72\x45\x38\x50\x90", 6));
}

static bool is_xz(const uint8_t *p, size_t n)
{
	return starts(p, n, "\xfd\x37\x7a\x58\x5a\0", 6);
}

/* A frame, or the older format of the Linux kernel. */
static bool is_lz4(const uint8_t *p, size_t n)
{
	return starts(p, n, "\x04\x22\x4d\x18", 4) || starts(p, n, "\x02\x21\x4c\x18", 4);
}

/* No magic: the usual properties, a dictionary size, then the size of the data or "unknown". */
static bool is_lzma(const uint8_t *p, size_t n)
{
	return n >= 13 && starts(p, n, "\x5d\0\0", 3) && (p[3] || p[4])
	       && (starts(p + 5, n - 5, "\xff\xff\xff\xff\xff\xff\xff\xff", 8)
		   || starts(p + 10, n - 10, "\0\0\0", 3));
}

static const struct {
	const char *name;
	bool (*is)(const uint8_t *p, size_t n);
} codecs[] = {
	[STREAM_PLAIN] = {"plain", NULL},  [STREAM_GZIP] = {"gzip", is_gzip},
	[STREAM_ZSTD] = {"zstd", is_zstd}, [STREAM_BZIP2] = {"bzip2", is_bzip2},
	[STREAM_XZ] = {"xz", is_xz},	   [STREAM_LZ4] = {"lz4", is_lz4},
	[STREAM_LZMA] = {"lzma", is_lzma},
};

const char *stream_codec_name(enum stream_codec codec)
{
	return codecs[codec].name;
}

/* Gather the first bytes in head[], however small the pieces are. 0 also when there are fewer. */
static int gather_head(struct stream *s, struct error *err)
{
	uint8_t head[STREAM_HEAD_BYTES];
	const uint8_t *piece;
	size_t have = 0, n;
	int rc;

	while (have < sizeof(head) && (rc = stream_peek(s, &piece, &n, err)) != 1) {
		if (rc < 0)
			return -1;
		if (n > sizeof(head) - have)
			n = sizeof(head) - have;
		memcpy(head + have, piece, n);
		stream_advance(s, n);
		have += n;
	}
	assert(s->rest_len == 0);
	s->rest = s->data;
	s->rest_len = s->len;
	memcpy(s->head, head, have);
	s->data = s->head;
	s->len = have;
	return 0;
}

int stream_sniff(struct stream *s, enum stream_codec *ret, struct error *err)
{
	const uint8_t *p;
	size_t n;
	int rc = stream_peek(s, &p, &n, err);

	if (rc == 0 && n < STREAM_HEAD_BYTES) {
		if (gather_head(s, err) < 0)
			return -1;
		rc = stream_peek(s, &p, &n, err);
	}
	if (rc < 0)
		return -1;
	*ret = STREAM_PLAIN;
	for (size_t i = 0; rc == 0 && i < ARRAY_SIZE(codecs); i++)
		if (codecs[i].is && codecs[i].is(p, n))
			*ret = (enum stream_codec)i;
	return 0;
}
