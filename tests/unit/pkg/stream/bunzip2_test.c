/* SPDX-License-Identifier: Apache-2.0 */
/* bzip2 in pieces of every size, damaged at every byte. */
#include <bzlib.h>

#include "tests/support/cmocka.h"

#include "pkg/stream/stream_internal.h"
#include "tests/support/pieces.h"

static const char text[] = "the same words, the same words, the same words again";
enum { TEXT_BYTES = sizeof(text) - 1 };

static size_t pack(uint8_t *out, size_t room)
{
	unsigned n = (unsigned)room;

	assert_int_equal(BZ2_bzBuffToBuffCompress((char *)out, &n, (char *)text, TEXT_BYTES, 1, 0,
						  0),
			 BZ_OK);
	return n;
}

static int unpack(const uint8_t *data, size_t len, size_t piece, uint64_t limit, struct buffer *out,
		  struct error *err)
{
	struct stream *inner =
		pieces_stream(&(struct pieces){.data = data, .len = len, .piece = piece});
	cleanup(stream_close_ptr) struct stream *s = stream_bunzip2(&inner, limit);

	return stream_read_all(s, 1000, out, err) < 0 ? -1 : stream_finish(s, err);
}

static void it_comes_out_of_pieces_of_every_size_and_of_several_streams(void **state)
{
	uint8_t packed[1000];
	size_t n = pack(packed, 400), two = n + pack(packed + n, 400);

	(void)state;
	for (size_t piece = 1; piece <= two; piece++) {
		cleanup_buffer struct buffer out = {0};
		struct error err = {0};

		assert_ok(unpack(packed, two, piece, UINT64_MAX, &out, &err), &err);
		assert_int_equal(out.len, 2 * TEXT_BYTES);
		assert_memory_equal(out.data, text, TEXT_BYTES);
		assert_memory_equal(out.data + TEXT_BYTES, text, TEXT_BYTES);
	}
}

static void truncation_damage_and_garbage_are_refused(void **state)
{
	uint8_t packed[1000];
	size_t n = pack(packed, 400);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		cleanup_buffer struct buffer out = {0}, none = {0};
		struct error err = {0};

		assert_int_equal(unpack(packed, i, 7, UINT64_MAX, &none, &err), -1);
		assert_error(&err, ERR_INVALID, "bzip2: ");
		packed[i] ^= 0x40;
		error_clear(&err);
		/* Some bits are padding. */
		if (unpack(packed, n, 7, UINT64_MAX, &out, &err) == 0)
			assert_string_equal((char *)out.data, text);
		else
			assert_error(&err, ERR_INVALID, "bzip2: ");
		packed[i] ^= 0x40;
	}
	cleanup_buffer struct buffer out = {0};
	struct error err = {0};

	memcpy(packed + n, "junk", 4);
	assert_int_equal(unpack(packed, n + 4, 7, UINT64_MAX, &out, &err), -1);
	assert_error(&err, ERR_INVALID, "bzip2: ");
}

static void more_than_allowed_is_refused(void **state)
{
	cleanup_buffer struct buffer out = {0};
	uint8_t packed[400];
	size_t n = pack(packed, sizeof(packed));
	struct error err = {0};

	(void)state;
	assert_int_equal(unpack(packed, n, n, TEXT_BYTES - 1, &out, &err), -1);
	assert_error(&err, ERR_INVALID, "more than the allowed");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_comes_out_of_pieces_of_every_size_and_of_several_streams),
		cmocka_unit_test(truncation_damage_and_garbage_are_refused),
		cmocka_unit_test(more_than_allowed_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
