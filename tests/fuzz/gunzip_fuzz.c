/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as gzip: the same result in pieces of any size, filled into our own buffer or into a
 * large one. With an odd first byte the rest is packed first, and its bytes are put into header
 * fields, so that what lies behind the checksums is reached, too.
 */
#include <stdint.h>
#include <string.h>

#include "tests/support/decompress_fuzz.h"
#include "tests/support/gzip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void pack(const uint8_t *data, size_t size, uint8_t how, struct buffer *to)
{
	size_t half = size / 2;

	(void)how;
	gzip_put_member(to, data, half);
	gzip_put_header(to, 0x08); /* the rest of the data is also the name */
	buffer_add(to, data + half, strnlen((const char *)data + half, size - half));
	buffer_add(to, "", 1);
	gzip_put_deflate(to, data + half, size - half);
	gzip_put_trailer(to, data + half, size - half);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_decompress(STREAM_GZIP, data, size, pack);
	return 0;
}
