/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/decompress_fuzz.h"

#include <stdlib.h>
#include <string.h>

enum { LIMIT = 1 << 22 };

void fuzz_must(bool holds)
{
	if (!holds)
		abort();
}

static bool unpack(enum stream_codec codec, const struct buffer *in, size_t piece, bool direct,
		   struct buffer *out)
{
	struct stream *s =
		pieces_stream(&(struct pieces){.data = in->data, .len = in->len, .piece = piece});
	struct error err = {0};
	int rc;

	fuzz_must(stream_decompress(&s, codec, LIMIT, &err) == 0);
	if (direct) {
		size_t n = 0;

		rc = stream_read(s, buffer_reserve(out, LIMIT), LIMIT, &n, &err);
		buffer_grew(out, n);
	} else {
		rc = stream_read_all(s, SIZE_MAX, out, &err);
	}
	if (rc == 0)
		rc = stream_finish(s, &err);
	fuzz_must(rc == 0 || err.kind == ERR_INVALID);
	stream_close(s);
	return rc == 0;
}

static void must_equal(const struct buffer *a, const void *data, size_t len)
{
	fuzz_must(a->len == len && (len == 0 || !memcmp(a->data, data, len)));
}

void fuzz_decompress(enum stream_codec codec, const uint8_t *data, size_t size,
		     void (*pack)(const uint8_t *data, size_t size, uint8_t how, struct buffer *to))
{
	cleanup_buffer struct buffer in = {0}, small = {0}, whole = {0}, direct = {0};
	bool valid, packed;

	if (size < 2)
		return;
	packed = data[0] & 1;
	if (packed)
		pack(data + 2, size - 2, data[0] >> 1, &in);
	else
		buffer_add(&in, data + 2, size - 2);
	valid = unpack(codec, &in, 1 + data[1], false, &small);
	fuzz_must(unpack(codec, &in, SIZE_MAX, false, &whole) == valid);
	fuzz_must(unpack(codec, &in, 1 + data[1], true, &direct) == valid);
	if (valid) {
		must_equal(&small, whole.data, whole.len);
		must_equal(&small, direct.data, direct.len);
	}
	if (packed) {
		fuzz_must(valid);
		must_equal(&small, data + 2, size - 2);
	}
}
