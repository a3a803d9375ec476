/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as gzip: the same result in pieces of any size, filled into our own buffer or into a
 * large one. With an odd first byte the rest is packed first, and its bytes are put into header
 * fields, so that what lies behind the checksums is reached, too.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pkg/base/alloc.h"
#include "tests/support/gzip.h"
#include "tests/support/pieces.h"

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

	must(stream_decompress(&s, STREAM_GZIP, LIMIT, &err) == 0);
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

static void pack(const uint8_t *data, size_t size, struct buffer *to)
{
	size_t half = size / 2;

	gzip_put_member(to, data, half);
	gzip_put_header(to, 0x08); /* the rest of the data is also the name */
	buffer_add(to, data + half, strnlen((const char *)data + half, size - half));
	buffer_add(to, "", 1);
	gzip_put_deflate(to, data + half, size - half);
	gzip_put_trailer(to, data + half, size - half);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_buffer struct buffer in = {0}, small = {0}, whole = {0}, direct = {0};
	bool valid, packed;

	if (size < 2)
		return 0;
	packed = data[0] & 1;
	if (packed)
		pack(data + 2, size - 2, &in);
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
