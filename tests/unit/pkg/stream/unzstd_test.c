/* SPDX-License-Identifier: Apache-2.0 */
/* unzstd (rule A69): what is accepted, what is refused, in pieces of any size. */
#include "tests/support/cmocka.h"

#include <stdlib.h>

#include "pkg/base/alloc.h"
#include "pkg/base/bytes.h"
#include "tests/support/pieces.h"
#include "tests/support/zstd_frame.h"

static const char text[] = "the quick brown fox jumps over the lazy dog, the dog sleeps on";
enum { TEXT_BYTES = sizeof(text) - 1, NO_LIMIT = 1 << 30, LARGE_ROOM = 4 << 20 };

/* Unpack in pieces of this size. */
static int unzstd(const struct buffer *in, size_t piece, uint64_t limit, struct buffer *out,
		  struct error *err)
{
	cleanup(stream_close_ptr) struct stream *s =
		pieces_stream(&(struct pieces){.data = in->data, .len = in->len, .piece = piece});

	buffer_clear(out);
	if (stream_decompress(&s, STREAM_ZSTD, limit, err) < 0
	    || stream_read_all(s, SIZE_MAX, out, err) < 0)
		return -1;
	return stream_finish(s, err);
}

/* The same straight into a large buffer, where libzstd could see frame and room as a whole. */
static int unzstd_into(const struct buffer *in, struct buffer *out, struct error *err)
{
	cleanup(stream_close_ptr) struct stream *s = stream_from_memory(in->data, in->len);
	size_t n = 0;

	buffer_clear(out);
	if (stream_decompress(&s, STREAM_ZSTD, NO_LIMIT, err) < 0
	    || stream_read(s, buffer_reserve(out, LARGE_ROOM), LARGE_ROOM, &n, err) < 0)
		return -1;
	buffer_grew(out, n);
	return stream_finish(s, err);
}

static void assert_bytes(const struct buffer *out, const void *data, size_t len)
{
	assert_int_equal(out->len, len);
	if (len > 0)
		assert_memory_equal(out->data, data, len);
}

/* In every piece size. */
static void assert_unpacks(const struct buffer *in, const void *data, size_t len)
{
	cleanup_buffer struct buffer out = {0};
	struct error err = {0};

	for (size_t piece = 1; piece <= in->len; piece++) {
		assert_ok(unzstd(in, piece, NO_LIMIT, &out, &err), &err);
		assert_bytes(&out, data, len);
	}
	assert_ok(unzstd_into(in, &out, &err), &err);
	assert_bytes(&out, data, len);
}

static void assert_refused(const struct buffer *in, const char *why)
{
	cleanup_buffer struct buffer out = {0};
	struct error err = {0};

	for (size_t piece = 1; piece <= in->len + 1; piece++) {
		assert_int_equal(unzstd(in, piece, NO_LIMIT, &out, &err), -1);
		assert_error(&err, ERR_INVALID, why);
	}
	assert_int_equal(unzstd_into(in, &out, &err), -1);
	assert_error(&err, ERR_INVALID, why);
}

static void put_text_frame(struct buffer *b)
{
	zstd_frame_put(b, text, TEXT_BYTES, ZFRAME_CHECKSUM, 0);
}

static void a_frame_is_unpacked_with_or_without_size_and_checksum(void **state)
{
	(void)state;
	for (int flags = 0; flags <= (ZFRAME_CHECKSUM | ZFRAME_NO_SIZE); flags++) {
		cleanup_buffer struct buffer in = {0};

		zstd_frame_put(&in, text, TEXT_BYTES, flags, 0);
		assert_unpacks(&in, text, TEXT_BYTES);
	}
}

static void frames_follow_one_another_and_may_be_empty(void **state)
{
	cleanup_buffer struct buffer in = {0}, expected = {0};

	(void)state;
	zstd_frame_put(&in, "", 0, 0, 0);
	for (int i = 0; i < 3; i++) {
		put_text_frame(&in);
		zstd_frame_put(&in, "", 0, ZFRAME_CHECKSUM | ZFRAME_NO_SIZE, 0);
		buffer_add(&expected, text, TEXT_BYTES);
	}
	assert_unpacks(&in, expected.data, expected.len);
}

static void skippable_frames_may_stand_anywhere(void **state)
{
	cleanup_buffer struct buffer in = {0}, expected = {0};

	(void)state;
	zstd_frame_put_skippable(&in, 0, "first", 5);
	put_text_frame(&in);
	for (uint8_t nibble = 0; nibble < 16; nibble++)
		zstd_frame_put_skippable(&in, nibble, text, nibble);
	put_text_frame(&in);
	zstd_frame_put_skippable(&in, 15, "", 0);
	for (int i = 0; i < 2; i++)
		buffer_add(&expected, text, TEXT_BYTES);
	assert_unpacks(&in, expected.data, expected.len);
}

static void nothing_but_skippable_frames_is_nothing(void **state)
{
	cleanup_buffer struct buffer in = {0};

	(void)state;
	zstd_frame_put_skippable(&in, 3, "", 0);
	assert_unpacks(&in, "", 0);
	zstd_frame_put_skippable(&in, 4, text, TEXT_BYTES);
	assert_unpacks(&in, "", 0);
}

static void blocks_of_every_kind_make_a_frame(void **state)
{
	cleanup_buffer struct buffer in = {0};

	(void)state;
	zstd_frame_put_header(&in, 0, "\0", 1); /* a window of 1 KiB */
	zstd_frame_put_raw(&in, "", 0, 0);
	zstd_frame_put_raw(&in, "raw", 3, 0);
	zstd_frame_put_rle(&in, 'x', 4, 0);
	zstd_frame_put_raw(&in, "", 0, 1);
	assert_unpacks(&in, "rawxxxx", 7);
}

static void a_header_may_say_dictionary_zero(void **state)
{
	cleanup_buffer struct buffer in = {0};

	(void)state;
	for (uint8_t flag = 1; flag <= 3; flag++) {
		zstd_frame_put_header(&in, flag, "\0\0\0\0", 1 + (1U << (flag - 1)));
		zstd_frame_put_raw(&in, "", 0, 1);
	}
	assert_unpacks(&in, "", 0);
}

static void a_dictionary_is_refused_by_its_number(void **state)
{
	(void)state;
	for (uint8_t flag = 1; flag <= 3; flag++) {
		cleanup_buffer struct buffer in = {0};

		/* not the same bytes before and after: of window and size, too */
		zstd_frame_put_header(&in, flag, "\x08\x2a\0\0\0", 1 + (1U << (flag - 1)));
		zstd_frame_put_raw(&in, "raw", 3, 1);
		assert_refused(&in, "dictionary 42 is needed, layers have none");
	}
}

static void a_window_of_more_than_128_mib_is_refused(void **state)
{
	static const uint8_t sizes[] = {0, 0, 0, 8, 0, 0, 0, 0}; /* 128 MiB */
	cleanup_buffer struct buffer in = {0};

	(void)state;
	zstd_frame_put_header(&in, 0, "\x88", 1); /* 2^27 */
	zstd_frame_put_raw(&in, text, TEXT_BYTES, 1);
	assert_unpacks(&in, text, TEXT_BYTES);
	in.data[5] = 0x89; /* and an eighth more */
	assert_refused(&in, "a window of 144 MiB, at most 128 MiB are allowed");
	in.data[5] = 0xa8; /* what --long=31 makes */
	assert_refused(&in, "a window of 2048 MiB, at most 128 MiB are allowed");

	/* Without a window of its own, the content is the window: four and eight bytes of size. */
	for (unsigned n = 4; n <= 8; n += 4) {
		buffer_clear(&in);
		zstd_frame_put_header(&in, (uint8_t)((n == 8 ? 0xc0 : 0x80) | 0x20), sizes, n);
		zstd_frame_put_raw(&in, text, TEXT_BYTES, 1);
		assert_refused(&in, "zstd: invalid data");
		in.data[5 + 3] = 16;
		assert_refused(&in, "a window of 256 MiB, at most 128 MiB are allowed");
	}
}

static void a_small_frame_with_a_large_window_is_refused_like_a_large_one(void **state)
{
	cleanup_buffer struct buffer in = {0};

	(void)state;
	/* Two bytes of size, which libzstd would take as a reason not to look at the window. */
	zstd_frame_put_header(&in, 0x40, "\xa8\0\0", 3);
	for (int i = 0; i < 4; i++)
		zstd_frame_put_rle(&in, 'x', 64, i == 3);
	assert_refused(&in, "a window of 2048 MiB");
	in.data[5] = 0x08;
	assert_unpacks(&in,
		       "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
		       "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
		       "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
		       "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
		       256);
}

static void the_reserved_bit_is_refused(void **state)
{
	cleanup_buffer struct buffer in = {0};

	(void)state;
	zstd_frame_put_header(&in, 0x08, "\0", 1);
	zstd_frame_put_raw(&in, "raw", 3, 1);
	assert_refused(&in, "zstd: frame at byte");
}

static void formats_before_the_first_release_are_refused(void **state)
{
	cleanup_buffer struct buffer in = {0};

	(void)state;
	put_text_frame(&in);
	in.data[0] = 0x27; /* version 0.7, which libzstd may still read */
	assert_refused(&in, "bad magic");
}

static void a_wrong_checksum_is_refused(void **state)
{
	cleanup_buffer struct buffer in = {0};

	(void)state;
	put_text_frame(&in);
	for (size_t i = 1; i <= 4; i++) {
		in.data[in.len - i] ^= 1;
		assert_refused(&in, "zstd: wrong checksum of a frame behind byte");
		in.data[in.len - i] ^= 1;
	}
	assert_unpacks(&in, text, TEXT_BYTES);
}

static void another_size_than_the_header_says_is_refused(void **state)
{
	cleanup_buffer struct buffer in = {0};

	(void)state;
	for (char said = 2; said <= 4; said++) {
		buffer_clear(&in);
		zstd_frame_put_header(&in, 0x20, &said, 1);
		zstd_frame_put_raw(&in, "raw", 3, 1);
		if (said == 3)
			assert_unpacks(&in, "raw", 3);
		else
			assert_refused(&in, "zstd: invalid data behind byte");
		/* the same with an empty block at the end */
		buffer_clear(&in);
		zstd_frame_put_header(&in, 0x20, &said, 1);
		zstd_frame_put_raw(&in, "raw", 3, 0);
		zstd_frame_put_raw(&in, "", 0, 1);
		if (said == 3)
			assert_unpacks(&in, "raw", 3);
		else
			assert_refused(&in, "zstd: ");
	}
	buffer_clear(&in);
	zstd_frame_put_header(&in, 0x60, "\1\0", 2); /* 257 */
	zstd_frame_put_rle(&in, 'x', 256, 0);
	zstd_frame_put_raw(&in, "", 0, 1);
	assert_refused(&in, "another size than the header says");
}

static void truncation_at_every_byte_is_refused(void **state)
{
	cleanup_buffer struct buffer in = {0}, out = {0};
	struct error err = {0};
	size_t ends[3];

	(void)state;
	put_text_frame(&in);
	ends[0] = in.len;
	zstd_frame_put_skippable(&in, 7, text, TEXT_BYTES);
	ends[1] = in.len;
	zstd_frame_put(&in, text, TEXT_BYTES, ZFRAME_NO_SIZE, 0);
	ends[2] = in.len;
	for (size_t len = 0; len < in.len; len++) {
		struct buffer cut = {.data = in.data, .len = len};
		bool whole = len == ends[0] || len == ends[1] || len == ends[2];

		for (size_t piece = 1; piece < 80; piece += 13) {
			assert_int_equal(unzstd(&cut, piece, NO_LIMIT, &out, &err), whole ? 0 : -1);
			if (!whole)
				assert_error(&err, ERR_INVALID, "zstd: truncated at byte");
		}
	}
}

static void anything_after_the_last_frame_is_refused(void **state)
{
	static const char *const garbage[] = {"garbage", "BZh91AY&SY", "\x1f\x8b\x08\x01"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(garbage); i++) {
		cleanup_buffer struct buffer in = {0};

		put_text_frame(&in);
		buffer_add(&in, garbage[i], strlen(garbage[i]));
		assert_refused(&in, "zstd: garbage after the last frame at byte");
	}
}

static void zeros_after_the_last_frame_are_no_padding(void **state)
{
	cleanup_buffer struct buffer in = {0};

	(void)state;
	put_text_frame(&in);
	memset(buffer_reserve(&in, 100), 0, 100);
	buffer_grew(&in, 2); /* fewer than a magic has */
	assert_refused(&in, "truncated");
	buffer_grew(&in, 98);
	assert_refused(&in, "garbage after the last frame");
}

static void nothing_at_all_is_not_zstd(void **state)
{
	struct buffer in = {0};

	(void)state;
	assert_refused(&in, "zstd: truncated at byte 0");
}

static void zstd_in_zstd_is_unpacked_once(void **state)
{
	cleanup_buffer struct buffer inner = {0}, outer = {0};

	(void)state;
	put_text_frame(&inner);
	zstd_frame_put(&outer, inner.data, inner.len, ZFRAME_CHECKSUM, 0);
	assert_unpacks(&outer, inner.data, inner.len);
}

/* Any bit, with a checksum: never other bytes than the right ones. */
static void damage_anywhere_is_found(void **state)
{
	cleanup_buffer struct buffer in = {0}, out = {0};
	struct error err = {0};
	int harmless = 0;

	(void)state;
	put_text_frame(&in);
	for (size_t i = 0; i < in.len; i++) {
		for (int bit = 0; bit < 8; bit++) {
			in.data[i] ^= (uint8_t)(1 << bit);
			if (unzstd(&in, 7, NO_LIMIT, &out, &err) == 0) {
				assert_bytes(&out, text, TEXT_BYTES);
				harmless++;
			}
			in.data[i] ^= (uint8_t)(1 << bit);
		}
	}
	assert_true(harmless <= 7); /* the unused bit of the descriptor, and the like */
}

/* 3 MB that compress a little, 3 MB of zeros. */
static void put_large(struct buffer *b)
{
	uint32_t random = 1;
	size_t len = 3 * 1000 * 1000;
	uint8_t *to = buffer_reserve(b, 2 * len);

	for (size_t i = 0; i < len; i++) {
		random = random * 1103515245 + 12345;
		to[i] = (uint8_t)(random >> 28);
	}
	memset(to + len, 0, len);
	buffer_grew(b, 2 * len);
}

static void large_data_comes_out_equal_in_all_piece_sizes(void **state)
{
	static const size_t pieces[] = {100, 4096, 65536, 1 << 24};
	cleanup_buffer struct buffer data = {0}, in = {0}, out = {0};
	struct error err = {0};

	(void)state;
	put_large(&data);
	zstd_frame_put(&in, data.data, data.len, ZFRAME_CHECKSUM, 27);
	zstd_frame_put(&in, data.data, data.len / 2, ZFRAME_NO_SIZE, 10);
	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
		assert_ok(unzstd(&in, pieces[i], NO_LIMIT, &out, &err), &err);
		assert_int_equal(out.len, data.len + data.len / 2);
		assert_memory_equal(out.data, data.data, data.len);
		assert_memory_equal(out.data + data.len, data.data, data.len / 2);
	}
}

/* F41: as much as fits into a frame of 4 bytes for each 128 KiB. */
static void what_comes_out_is_bounded_by_the_limit(void **state)
{
	enum { BLOCKS = 100, BLOCK_BYTES = 128 << 10, TOTAL = BLOCKS * BLOCK_BYTES };
	cleanup_buffer struct buffer in = {0}, out = {0};
	struct error err = {0};

	(void)state;
	zstd_frame_put_header(&in, 0, "\x40", 1);
	for (int i = 1; i <= BLOCKS; i++)
		zstd_frame_put_rle(&in, 0, BLOCK_BYTES, i == BLOCKS);
	assert_ok(unzstd(&in, 4096, TOTAL, &out, &err), &err);
	assert_int_equal(out.len, TOTAL);
	assert_int_equal(unzstd(&in, 4096, TOTAL - 1, &out, &err), -1);
	assert_error(&err, ERR_INVALID, "more than the allowed 13107199 bytes");
}

static void an_error_below_comes_through_and_stays(void **state)
{
	cleanup_buffer struct buffer in = {0}, out = {0};
	cleanup(stream_close_ptr) struct stream *s = NULL;
	struct error err = {0};

	(void)state;
	put_text_frame(&in);
	s = pieces_stream(
		&(struct pieces){.data = in.data, .len = in.len - 3, .piece = 5, .fails = true});
	assert_ok(stream_decompress(&s, STREAM_ZSTD, NO_LIMIT, &err), &err);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(stream_read_all(s, SIZE_MAX, &out, &err), -1);
		assert_error(&err, ERR_NETWORK, "connection lost");
	}
	assert_int_equal(stream_finish(s, &err), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_frame_is_unpacked_with_or_without_size_and_checksum),
		cmocka_unit_test(frames_follow_one_another_and_may_be_empty),
		cmocka_unit_test(skippable_frames_may_stand_anywhere),
		cmocka_unit_test(nothing_but_skippable_frames_is_nothing),
		cmocka_unit_test(blocks_of_every_kind_make_a_frame),
		cmocka_unit_test(a_header_may_say_dictionary_zero),
		cmocka_unit_test(a_dictionary_is_refused_by_its_number),
		cmocka_unit_test(a_window_of_more_than_128_mib_is_refused),
		cmocka_unit_test(a_small_frame_with_a_large_window_is_refused_like_a_large_one),
		cmocka_unit_test(the_reserved_bit_is_refused),
		cmocka_unit_test(formats_before_the_first_release_are_refused),
		cmocka_unit_test(a_wrong_checksum_is_refused),
		cmocka_unit_test(another_size_than_the_header_says_is_refused),
		cmocka_unit_test(truncation_at_every_byte_is_refused),
		cmocka_unit_test(anything_after_the_last_frame_is_refused),
		cmocka_unit_test(zeros_after_the_last_frame_are_no_padding),
		cmocka_unit_test(nothing_at_all_is_not_zstd),
		cmocka_unit_test(zstd_in_zstd_is_unpacked_once),
		cmocka_unit_test(damage_anywhere_is_found),
		cmocka_unit_test(large_data_comes_out_equal_in_all_piece_sizes),
		cmocka_unit_test(what_comes_out_is_bounded_by_the_limit),
		cmocka_unit_test(an_error_below_comes_through_and_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
