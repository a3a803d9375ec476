/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/codec_cases.h"

#include <string.h>

#include "tests/support/pieces.h"

static const char text[] = "the same words, the same words, the same words again";

enum { TEXT_BYTES = sizeof(text) - 1, PACKED_BYTES = 400 };

static size_t pack(const struct codec_case *c, uint8_t *out)
{
	return c->pack(text, TEXT_BYTES, out, PACKED_BYTES);
}

static int unpack(const struct codec_case *c, const uint8_t *data, size_t len, size_t piece,
		  uint64_t limit, struct buffer *out, struct error *err)
{
	struct stream *inner =
		pieces_stream(&(struct pieces){.data = data, .len = len, .piece = piece});
	cleanup(stream_close_ptr) struct stream *s = c->open(&inner, limit);

	return stream_read_all(s, 1000, out, err) < 0 ? -1 : stream_finish(s, err);
}

static void assert_refused(const struct codec_case *c, const uint8_t *data, size_t len)
{
	cleanup_buffer struct buffer out = {0};
	struct error err = {0};

	assert_int_equal(unpack(c, data, len, 7, UINT64_MAX, &out, &err), -1);
	assert_error(&err, ERR_INVALID, c->name);
}

void codec_pieces_of_every_size_and_several_streams(void **state)
{
	const struct codec_case *c = *state;
	uint8_t packed[2 * PACKED_BYTES];
	size_t n = pack(c, packed), two = n + pack(c, packed + n);

	for (size_t piece = 1; piece <= two; piece++) {
		cleanup_buffer struct buffer out = {0};
		struct error err = {0};

		assert_ok(unpack(c, packed, two, piece, UINT64_MAX, &out, &err), &err);
		assert_int_equal(out.len, 2 * TEXT_BYTES);
		assert_memory_equal(out.data, text, TEXT_BYTES);
		assert_memory_equal(out.data + TEXT_BYTES, text, TEXT_BYTES);
	}
}

/* Refused, or no damage at all. */
static void assert_harmless(const struct codec_case *c, const uint8_t *data, size_t len)
{
	cleanup_buffer struct buffer out = {0};
	struct error err = {0};

	if (unpack(c, data, len, 7, UINT64_MAX, &out, &err) < 0) {
		assert_error(&err, ERR_INVALID, c->name);
		return;
	}
	assert_int_equal(out.len, TEXT_BYTES);
	assert_memory_equal(out.data, text, TEXT_BYTES);
}

void codec_truncation_damage_and_garbage_are_refused(void **state)
{
	const struct codec_case *c = *state;
	uint8_t packed[PACKED_BYTES + 4];
	size_t n = pack(c, packed);

	for (size_t i = 0; i < n; i++) {
		assert_refused(c, packed, i);
		packed[i] ^= 0x40;
		(c->has_spare_bits ? assert_harmless : assert_refused)(c, packed, n);
		packed[i] ^= 0x40;
	}
	memcpy(packed + n, "junk", 4);
	assert_refused(c, packed, n + 4);
}

void codec_more_than_allowed_is_refused(void **state)
{
	const struct codec_case *c = *state;
	cleanup_buffer struct buffer out = {0};
	uint8_t packed[PACKED_BYTES];
	size_t n = pack(c, packed);
	struct error err = {0};

	assert_int_equal(unpack(c, packed, n, n, TEXT_BYTES - 1, &out, &err), -1);
	assert_error(&err, ERR_INVALID, "more than the allowed");
}
