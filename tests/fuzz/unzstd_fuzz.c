/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as zstd: the same result in pieces of any size, filled into our own buffer or into a
 * large one. With an odd first byte the rest is packed first, in several frames with skippable ones
 * of the same bytes between them, and must come out again.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pkg/base/alloc.h"
#include "tests/support/pieces.h"
#include "tests/support/zstd_frame.h"

enum { LIMIT = 1 << 22 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static bool unpack(const struct buffer *in, size_t piece, bool direct, struct buffer *out)
{
	struct stream *s =
		pieces_stream(&(struct pieces){.data = in->data, .len = in->len, .piece = piece});
	struct error err = {0};
	int rc;

	must(stream_decompress(&s, STREAM_ZSTD, LIMIT, &err) == 0);
	if (direct) {
		size_t n = 0;

		rc = stream_read(s, buffer_reserve(out, LIMIT), LIMIT, &n, &err);
		buffer_grew(out, n);
	} else {
		rc = stream_read_all(s, SIZE_MAX, out, &err);
	}
	if (rc == 0)
		rc = stream_finish(s, &err);
	must(rc == 0 || err.kind == ERR_INVALID);
	stream_close(s);
	return rc == 0;
}

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
	cleanup_buffer struct buffer in = {0}, small = {0}, whole = {0}, direct = {0};
	bool valid, packed;

	if (size < 2)
		return 0;
	packed = data[0] & 1;
	if (packed)
		pack(data + 2, size - 2, data[0] >> 1, &in);
	else
		buffer_add(&in, data + 2, size - 2);
	valid = unpack(&in, 1 + data[1], false, &small);
	must(unpack(&in, SIZE_MAX, false, &whole) == valid);
	must(unpack(&in, 1 + data[1], true, &direct) == valid);
	if (valid) {
		must(small.len == whole.len && small.len == direct.len);
		must(small.len == 0 || !memcmp(small.data, whole.data, small.len));
		must(small.len == 0 || !memcmp(small.data, direct.data, small.len));
	}
	if (packed) {
		must(valid && small.len == size - 2);
		must(small.len == 0 || !memcmp(small.data, data + 2, small.len));
	}
	return 0;
}
