/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as zstd: the same result in pieces of any size, filled into our own buffer or into a
 * large one. With an odd first byte the rest is packed first, in several frames with skippable ones
 * of the same bytes between them, and must come out again.
 */
#include <stdint.h>

#include "tests/support/decompress_fuzz.h"
#include "tests/support/zstd_frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* @how: flags of the frames, and which skippable ones. */
static void pack(const uint8_t *data, size_t size, uint8_t how, struct buffer *to)
{
	size_t part = size / 3;

	zstd_frame_put_skippable(to, how >> 4, data, part);
	zstd_frame_put(to, data, part, how & 3, 0);
	zstd_frame_put(to, data + part, part, how >> 2 & 3, 10 + (how & 15));
	zstd_frame_put_skippable(to, how & 15, data, 0);
	zstd_frame_put(to, data + 2 * part, size - 2 * part, ZFRAME_CHECKSUM, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_decompress(STREAM_ZSTD, data, size, pack);
	return 0;
}
