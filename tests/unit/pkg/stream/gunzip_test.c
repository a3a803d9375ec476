/* SPDX-License-Identifier: Apache-2.0 */
/* gunzip: what is accepted, what is refused, in pieces of any size. */
#include "tests/support/cmocka.h"

#include <stdlib.h>

#include <isa-l/crc.h>

#include "pkg/base/alloc.h"
#include "pkg/base/bytes.h"
#include "tests/support/gzip.h"
#include "tests/support/pieces.h"

static const char text[] = "the quick brown fox jumps over the lazy dog, the dog sleeps on";
enum { TEXT_BYTES = sizeof(text) - 1, NO_LIMIT = 1 << 30 };

/* Unpack in pieces of this size. */
static int gunzip(const struct buffer *in, size_t piece, uint64_t limit, struct buffer *out,
		  struct error *err)
{
	cleanup(stream_close_ptr) struct stream *s =
		pieces_stream(&(struct pieces){.data = in->data, .len = in->len, .piece = piece});

	buffer_clear(out);
	if (stream_decompress(&s, STREAM_GZIP, limit, err) < 0
	    || stream_read_all(s, SIZE_MAX, out, err) < 0)
		return -1;
	return stream_finish(s, err);
}

/* In every piece size. */
static void assert_unpacks(const struct buffer *in, const void *data, size_t len)
{
	cleanup_buffer struct buffer out = {0};
	struct error err = {0};

	for (size_t piece = 1; piece <= in->len; piece++) {
		assert_ok(gunzip(in, piece, NO_LIMIT, &out, &err), &err);
		assert_int_equal(out.len, len);
		if (len > 0)
			assert_memory_equal(out.data, data, len);
	}
}

static void assert_refused(const struct buffer *in, const char *why)
{
	cleanup_buffer struct buffer out = {0};
	struct error err = {0};

	for (size_t piece = 1; piece <= in->len + 1; piece++) {
		assert_int_equal(gunzip(in, piece, NO_LIMIT, &out, &err), -1);
		assert_error(&err, ERR_INVALID, why);
	}
}

static void put_text_member(struct buffer *b)
{
	gzip_put_member(b, text, TEXT_BYTES);
}

static void a_member_is_unpacked_in_pieces_of_every_size(void **state)
{
	cleanup_buffer struct buffer in = {0};

	(void)state;
	put_text_member(&in);
	assert_unpacks(&in, text, TEXT_BYTES);
}

static void members_follow_one_another_and_may_be_empty(void **state)
{
	cleanup_buffer struct buffer in = {0}, expected = {0};

	(void)state;
	gzip_put_member(&in, "", 0);
	for (int i = 0; i < 3; i++) {
		put_text_member(&in);
		gzip_put_member(&in, "", 0);
		buffer_add(&expected, text, TEXT_BYTES);
	}
	assert_unpacks(&in, expected.data, expected.len);
}

/* All of FEXTRA, FNAME, FCOMMENT, FHCRC that the flags ask for; @crc_off: added to the CRC16. */
static void put_header_with_fields(struct buffer *b, uint8_t flags, unsigned int crc_off)
{
	gzip_put_header(b, flags);
	if (flags & 4)
		buffer_add(b, "\5\0extra", 7);
	if (flags & 8)
		buffer_add(b, "layer.tar", 10);
	if (flags & 16)
		buffer_add(b, "a comment", 10);
	if (flags & 2) {
		unsigned int crc = crc32_gzip_refl(0, b->data, b->len) + crc_off;
		uint8_t bytes[2] = {(uint8_t)crc, (uint8_t)(crc >> 8)};

		buffer_add(b, bytes, 2);
	}
}

static void header_fields_are_skipped_in_every_combination(void **state)
{
	(void)state;
	for (uint8_t flags = 0; flags < 32; flags++) {
		cleanup_buffer struct buffer in = {0};

		put_header_with_fields(&in, flags, 0);
		gzip_put_deflate(&in, text, TEXT_BYTES);
		gzip_put_trailer(&in, text, TEXT_BYTES);
		assert_unpacks(&in, text, TEXT_BYTES);
	}
}

static void an_extra_field_may_be_empty_or_long(void **state)
{
	cleanup_buffer struct buffer in = {0}, out = {0};
	uint8_t *extra = xcalloc(1, 65535);
	struct error err = {0};

	(void)state;
	gzip_put_header(&in, 4);
	buffer_add(&in, "\0\0", 2);
	gzip_put_deflate(&in, text, TEXT_BYTES);
	gzip_put_trailer(&in, text, TEXT_BYTES);
	gzip_put_header(&in, 4);
	buffer_add(&in, "\xff\xff", 2);
	buffer_add(&in, extra, 65535);
	gzip_put_deflate(&in, text, TEXT_BYTES);
	gzip_put_trailer(&in, text, TEXT_BYTES);
	free(extra);
	for (size_t piece = 1; piece < 100000; piece = piece * 3 + 1) {
		assert_ok(gunzip(&in, piece, NO_LIMIT, &out, &err), &err);
		assert_int_equal(out.len, 2 * TEXT_BYTES);
	}
}

static void a_wrong_header_checksum_is_refused(void **state)
{
	cleanup_buffer struct buffer in = {0};

	(void)state;
	put_header_with_fields(&in, 2 | 4 | 8, 1);
	gzip_put_deflate(&in, text, TEXT_BYTES);
	gzip_put_trailer(&in, text, TEXT_BYTES);
	assert_refused(&in, "gzip header has a wrong checksum");
}

static void reserved_flags_are_refused(void **state)
{
	(void)state;
	for (unsigned int flag = 0x20; flag <= 0x80; flag <<= 1) {
		cleanup_buffer struct buffer in = {0};

		put_text_member(&in);
		in.data[3] = (uint8_t)flag;
		assert_refused(&in, "reserved flags");
	}
}

static void another_method_or_magic_is_refused(void **state)
{
	cleanup_buffer struct buffer in = {0};

	(void)state;
	put_text_member(&in);
	in.data[2] = 7;
	assert_refused(&in, "method 7 is not deflate");
	in.data[1] = 0x8c;
	assert_refused(&in, "bad magic");
}

static void a_wrong_crc_or_length_is_refused(void **state)
{
	cleanup_buffer struct buffer in = {0};

	(void)state;
	put_text_member(&in);
	for (size_t i = 1; i <= 8; i++) {
		in.data[in.len - i] ^= 1;
		assert_refused(&in, "wrong checksum or length");
		in.data[in.len - i] ^= 1;
	}
	assert_unpacks(&in, text, TEXT_BYTES);
}

static void truncation_at_every_byte_is_refused(void **state)
{
	cleanup_buffer struct buffer in = {0}, out = {0};
	struct error err = {0};
	size_t first;

	(void)state;
	put_header_with_fields(&in, 2 | 4 | 8 | 16, 0);
	gzip_put_deflate(&in, text, TEXT_BYTES);
	gzip_put_trailer(&in, text, TEXT_BYTES);
	first = in.len;
	put_text_member(&in);
	for (size_t len = 0; len < in.len; len++) {
		struct buffer cut = {.data = in.data, .len = len};

		for (size_t piece = 1; piece < 80; piece += 13) {
			int rc = gunzip(&cut, piece, NO_LIMIT, &out, &err);

			assert_int_equal(rc, len == first ? 0 : -1);
			if (rc < 0)
				assert_error(&err, ERR_INVALID, "gzip: truncated at byte");
		}
	}
}

static void zeros_after_the_last_member_are_padding(void **state)
{
	cleanup_buffer struct buffer in = {0};

	(void)state;
	put_text_member(&in);
	memset(buffer_reserve(&in, 700), 0, 700);
	buffer_grew(&in, 700);
	assert_unpacks(&in, text, TEXT_BYTES);
	in.data[in.len - 1] = 'x';
	assert_refused(&in, "garbage after the last member");
}

static void garbage_after_a_member_is_refused(void **state)
{
	static const char *const garbage[] = {"x", "garbage", "BZh9"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(garbage); i++) {
		cleanup_buffer struct buffer in = {0};

		put_text_member(&in);
		buffer_add(&in, garbage[i], strlen(garbage[i]));
		assert_refused(&in, "garbage after the last member");
	}
}

static void a_member_behind_padding_is_refused(void **state)
{
	cleanup_buffer struct buffer in = {0};

	(void)state;
	put_text_member(&in);
	buffer_add(&in, "\0", 1);
	put_text_member(&in);
	assert_refused(&in, "garbage after the last member");
}

static void nothing_at_all_is_not_gzip(void **state)
{
	struct buffer in = {0};

	(void)state;
	assert_refused(&in, "truncated at byte 0");
}

static void gzip_in_gzip_is_unpacked_once(void **state)
{
	cleanup_buffer struct buffer inner = {0}, outer = {0};

	(void)state;
	put_text_member(&inner);
	gzip_put_member(&outer, inner.data, inner.len);
	assert_unpacks(&outer, inner.data, inner.len);
}

static void damage_anywhere_in_the_deflate_data_is_found(void **state)
{
	cleanup_buffer struct buffer in = {0}, out = {0};
	struct error err = {0};
	int harmless = 0;

	(void)state;
	put_text_member(&in);
	for (size_t i = 10; i < in.len; i++) {
		for (int bit = 0; bit < 8; bit++) {
			in.data[i] ^= (uint8_t)(1 << bit);
			/* Some bits mean nothing: padding of stored blocks and of the end. */
			if (gunzip(&in, 7, NO_LIMIT, &out, &err) == 0) {
				assert_int_equal(out.len, TEXT_BYTES);
				assert_memory_equal(out.data, text, TEXT_BYTES);
				harmless++;
			}
			in.data[i] ^= (uint8_t)(1 << bit);
		}
	}
	assert_true(harmless <= 7);
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
	gzip_put_member(&in, data.data, data.len);
	gzip_put_member(&in, data.data, data.len / 2);
	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
		assert_ok(gunzip(&in, pieces[i], NO_LIMIT, &out, &err), &err);
		assert_int_equal(out.len, data.len + data.len / 2);
		assert_memory_equal(out.data, data.data, data.len);
		assert_memory_equal(out.data + data.len, data.data, data.len / 2);
	}
}

static void what_comes_out_is_bounded_by_the_limit(void **state)
{
	cleanup_buffer struct buffer in = {0}, out = {0};
	uint8_t *zeros = xcalloc(1, 10 * 1000 * 1000);
	struct error err = {0};

	(void)state;
	gzip_put_member(&in, zeros, 10 * 1000 * 1000);
	assert_ok(gunzip(&in, 4096, 10 * 1000 * 1000, &out, &err), &err);
	assert_int_equal(gunzip(&in, 4096, 10 * 1000 * 1000 - 1, &out, &err), -1);
	assert_error(&err, ERR_INVALID, "more than the allowed 9999999 bytes");
	free(zeros);
}

static void an_error_below_comes_through_and_stays(void **state)
{
	cleanup_buffer struct buffer in = {0}, out = {0};
	cleanup(stream_close_ptr) struct stream *s = NULL;
	struct error err = {0};

	(void)state;
	put_text_member(&in);
	s = pieces_stream(
		&(struct pieces){.data = in.data, .len = in.len - 3, .piece = 5, .fails = true});
	assert_ok(stream_decompress(&s, STREAM_GZIP, NO_LIMIT, &err), &err);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(stream_read_all(s, SIZE_MAX, &out, &err), -1);
		assert_error(&err, ERR_NETWORK, "connection lost");
	}
	assert_int_equal(stream_finish(s, &err), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_member_is_unpacked_in_pieces_of_every_size),
		cmocka_unit_test(members_follow_one_another_and_may_be_empty),
		cmocka_unit_test(header_fields_are_skipped_in_every_combination),
		cmocka_unit_test(an_extra_field_may_be_empty_or_long),
		cmocka_unit_test(a_wrong_header_checksum_is_refused),
		cmocka_unit_test(reserved_flags_are_refused),
		cmocka_unit_test(another_method_or_magic_is_refused),
		cmocka_unit_test(a_wrong_crc_or_length_is_refused),
		cmocka_unit_test(truncation_at_every_byte_is_refused),
		cmocka_unit_test(zeros_after_the_last_member_are_padding),
		cmocka_unit_test(garbage_after_a_member_is_refused),
		cmocka_unit_test(a_member_behind_padding_is_refused),
		cmocka_unit_test(nothing_at_all_is_not_gzip),
		cmocka_unit_test(gzip_in_gzip_is_unpacked_once),
		cmocka_unit_test(damage_anywhere_in_the_deflate_data_is_found),
		cmocka_unit_test(large_data_comes_out_equal_in_all_piece_sizes),
		cmocka_unit_test(what_comes_out_is_bounded_by_the_limit),
		cmocka_unit_test(an_error_below_comes_through_and_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
