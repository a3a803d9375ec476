/* SPDX-License-Identifier: Apache-2.0 */
/* Frames as RFC 8878 3.1 draws them. */
#include "tests/support/zstd_frame.h"

#include <stdlib.h>

#include <zstd.h>

#include "pkg/base/bytes.h"

static size_t must(size_t code)
{
	if (ZSTD_isError(code))
		abort();
	return code;
}

void zstd_frame_put(struct buffer *to, const void *data, size_t len, int flags, int window_log)
{
	ZSTD_CCtx *c = ZSTD_createCCtx();
	size_t room = ZSTD_compressBound(len);

	must(ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, !!(flags & ZFRAME_CHECKSUM)));
	must(ZSTD_CCtx_setParameter(c, ZSTD_c_contentSizeFlag, !(flags & ZFRAME_NO_SIZE)));
	must(ZSTD_CCtx_setParameter(c, ZSTD_c_windowLog, window_log));
	buffer_grew(to, must(ZSTD_compress2(c, buffer_reserve(to, room), room, data, len)));
	ZSTD_freeCCtx(c);
}

void zstd_frame_put_header(struct buffer *to, uint8_t descriptor, const void *rest, size_t len)
{
	buffer_add(to, "\x28\xb5\x2f\xfd", 4);
	buffer_add(to, &descriptor, 1);
	buffer_add(to, rest, len);
}

static void put_block_header(struct buffer *to, unsigned type, size_t len, int is_last)
{
	uint8_t bytes[4];

	put_le32(bytes, (uint32_t)(len << 3 | type << 1 | !!is_last));
	buffer_add(to, bytes, 3);
}

void zstd_frame_put_raw(struct buffer *to, const void *data, size_t len, int is_last)
{
	put_block_header(to, 0, len, is_last);
	buffer_add(to, data, len);
}

void zstd_frame_put_rle(struct buffer *to, uint8_t byte, size_t len, int is_last)
{
	put_block_header(to, 1, len, is_last);
	buffer_add(to, &byte, 1);
}

void zstd_frame_put_skippable(struct buffer *to, uint8_t nibble, const void *data, size_t len)
{
	uint8_t head[8];

	put_le32(head, 0x184d2a50U | nibble);
	put_le32(head + 4, (uint32_t)len);
	buffer_add(to, head, sizeof(head));
	buffer_add(to, data, len);
}
