/* SPDX-License-Identifier: Apache-2.0 */
/* The header of a zstd frame alone, in pieces of any size. */
#include "tests/support/cmocka.h"

#include <string.h>

#include "pkg/stream/stream_internal.h"

/* Feed it in pieces; how many bytes were taken, 0 when it wants more, or -1. */
static long take(struct zstd_header *h, const uint8_t *data, size_t len, size_t piece,
		 struct error *err)
{
	size_t at = 0;

	zstd_header_start(h);
	while (at < len) {
		size_t n = piece < len - at ? piece : len - at, taken = 99999;
		int rc = zstd_header_take(h, data + at, n, &taken, err);

		if (rc < 0)
			return -1;
		at += taken;
		if (rc == 1)
			return (long)at;
		assert_int_equal(taken, n);
	}
	return 0;
}

/* A header with this descriptor, zeros behind it, and its length by the tables of RFC 8878. */
static size_t make(uint8_t descriptor, uint8_t *to, unsigned *ret_size_at, unsigned *ret_size_n)
{
	static const uint8_t start[4] = {0x28, 0xb5, 0x2f, 0xfd};
	static const unsigned ids[] = {0, 1, 2, 4}, sizes[] = {0, 2, 4, 8};
	unsigned len = 5;

	memset(to, 0, 32);
	memcpy(to, start, 4);
	to[4] = descriptor;
	len += descriptor & 0x20 ? 0 : 1;
	len += ids[descriptor & 3];
	*ret_size_at = len;
	*ret_size_n = descriptor >> 6 == 0 && (descriptor & 0x20) ? 1 : sizes[descriptor >> 6];
	return len + *ret_size_n;
}

static void each_descriptor_has_its_length_and_size(void **state)
{
	(void)state;
	for (unsigned descriptor = 0; descriptor < 256; descriptor++) {
		unsigned at, n;
		uint8_t bytes[32];
		size_t len = make((uint8_t)descriptor, bytes, &at, &n);
		uint64_t expected = n == 0 ? STREAM_SIZE_UNKNOWN : n == 2 ? 256 + 5 : 5;
		struct error err = {0};
		struct zstd_header h;

		bytes[at] = n ? 5 : 0;
		for (size_t piece = 1; piece <= 32; piece++) {
			long got = take(&h, bytes, sizeof(bytes), piece, &err);

			if (descriptor & 0x08) {
				assert_int_equal(got, -1);
				assert_error(&err, ERR_INVALID, "reserved bit");
				continue;
			}
			assert_int_equal(got, len);
			assert_false(h.is_skippable);
			assert_int_equal(h.content_bytes, expected);
		}
		if (!(descriptor & 0x08))
			assert_int_equal(take(&h, bytes, len - 1, 4, &err), 0);
	}
}

static void a_size_is_read_in_full(void **state)
{
	unsigned at, n;
	uint8_t bytes[32];
	struct error err = {0};
	struct zstd_header h;

	(void)state;
	make(0xc0, bytes, &at, &n);
	memcpy(bytes + at, "\x88\x77\x66\x55\x44\x33\x22\x11", 8);
	assert_true(take(&h, bytes, sizeof(bytes), 1, &err) > 0);
	assert_int_equal(h.content_bytes, 0x1122334455667788);
	make(0x40, bytes, &at, &n);
	memcpy(bytes + at, "\xff\xff", 2);
	assert_true(take(&h, bytes, sizeof(bytes), 1, &err) > 0);
	assert_int_equal(h.content_bytes, 65535 + 256);
}

static void a_dictionary_is_refused_whatever_the_width(void **state)
{
	(void)state;
	for (uint8_t descriptor = 1; descriptor <= 3; descriptor++) {
		unsigned at, n;
		uint8_t bytes[32];
		struct error err = {0};
		struct zstd_header h;

		make(descriptor, bytes, &at, &n);
		bytes[at - 1] = 1; /* the highest byte of the id */
		assert_int_equal(take(&h, bytes, sizeof(bytes), 3, &err), -1);
		assert_error(&err, ERR_INVALID, "dictionary");
	}
}

static void a_window_of_128_mib_is_the_largest(void **state)
{
	unsigned at, n;
	uint8_t bytes[32];
	struct error err = {0};
	struct zstd_header h;

	(void)state;
	make(0, bytes, &at, &n);
	bytes[5] = (27 - 10) << 3;
	assert_int_equal(take(&h, bytes, sizeof(bytes), 1, &err), 6);
	bytes[5]++;
	assert_int_equal(take(&h, bytes, sizeof(bytes), 1, &err), -1);
	assert_error(&err, ERR_INVALID, "a window of 144 MiB");
	bytes[5] = 0xff;
	assert_int_equal(take(&h, bytes, sizeof(bytes), 1, &err), -1);
	/* In a single segment the content is the window. */
	make(0xa0, bytes, &at, &n);
	bytes[at + 3] = 8;
	assert_int_equal(take(&h, bytes, sizeof(bytes), 1, &err), 9);
	bytes[at] = 1;
	assert_int_equal(take(&h, bytes, sizeof(bytes), 1, &err), -1);
}

static void skippable_frames_have_sixteen_magics(void **state)
{
	struct error err = {0};
	struct zstd_header h;

	(void)state;
	for (unsigned low = 0; low < 256; low++) {
		uint8_t bytes[8] = {(uint8_t)low, 0x2a, 0x4d, 0x18, 4, 3, 2, 1};
		long got = take(&h, bytes, sizeof(bytes), 3, &err);

		if (low >> 4 != 5) {
			assert_int_equal(got, -1);
			assert_error(&err, ERR_INVALID, "bad magic");
			assert_int_equal(h.got, UNZSTD_MAGIC_BYTES);
			continue;
		}
		assert_int_equal(got, 8);
		assert_true(h.is_skippable);
		assert_int_equal(h.skip_bytes, 0x01020304);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_descriptor_has_its_length_and_size),
		cmocka_unit_test(a_size_is_read_in_full),
		cmocka_unit_test(a_dictionary_is_refused_whatever_the_width),
		cmocka_unit_test(a_window_of_128_mib_is_the_largest),
		cmocka_unit_test(skippable_frames_have_sixteen_magics),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
