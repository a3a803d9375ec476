/* SPDX-License-Identifier: Apache-2.0 */
/* The header of a gzip member alone: where it ends, in pieces of any size, and what is refused. */
#include "tests/support/cmocka.h"

#include <string.h>

#include "pkg/stream/stream_internal.h"

/* CRC32 bit by bit, its lower half: what FHCRC holds. */
static uint32_t crc16(const uint8_t *data, size_t len)
{
	uint32_t crc = 0xffffffff;

	for (size_t i = 0; i < len; i++) {
		crc ^= data[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return ~crc & 0xffff;
}

/* A header with these flags and fields of some length; returns its length. */
static size_t make(uint8_t flags, size_t extra, const char *name, uint8_t *to)
{
	static const uint8_t fixed[10] = {0x1f, 0x8b, 8, 0, 1, 2, 3, 4, 2, 3};
	size_t len = sizeof(fixed);
	uint32_t crc;

	memcpy(to, fixed, sizeof(fixed));
	to[3] = flags;
	if (flags & 0x04) {
		to[len++] = (uint8_t)extra;
		to[len++] = (uint8_t)(extra >> 8);
		memset(to + len, 0xaa, extra);
		len += extra;
	}
	for (int field = 0x08; field <= 0x10; field <<= 1)
		if (flags & field) {
			memcpy(to + len, name, strlen(name) + 1);
			len += strlen(name) + 1;
		}
	if (flags & 0x02) {
		crc = crc16(to, len);
		to[len++] = (uint8_t)crc;
		to[len++] = (uint8_t)(crc >> 8);
	}
	return len;
}

/* Feed it in pieces; how many bytes were taken, or -1. */
static long take(const uint8_t *data, size_t len, size_t piece, struct error *err)
{
	struct gzip_header h;
	size_t at = 0;

	gzip_header_start(&h);
	while (at < len) {
		size_t n = piece < len - at ? piece : len - at, taken = 99999;
		int rc = gzip_header_take(&h, data + at, n, &taken, err);

		if (rc < 0)
			return -1;
		at += taken;
		if (rc == 1)
			return (long)at;
		assert_int_equal(taken, n); /* it wants more only when it took all */
	}
	return 0;
}

static void it_ends_where_its_fields_end(void **state)
{
	static const size_t extras[] = {0, 1, 2, 300};
	static const char *const names[] = {"", "n", "a longer name"};
	uint8_t bytes[700];

	(void)state;
	memset(bytes, 0x5a, sizeof(bytes));
	for (unsigned flags = 0; flags < 0x20; flags++)
		for (size_t e = 0; e < 4; e++)
			for (size_t n = 0; n < 3; n++) {
				size_t len = make((uint8_t)flags, extras[e], names[n], bytes);
				struct error err = {0};

				for (size_t piece = 1; piece < 400; piece = piece * 3 + 1)
					assert_int_equal(take(bytes, len + 20, piece, &err), len);
				/* Every byte of it is needed. */
				assert_int_equal(take(bytes, len - 1, 7, &err), 0);
			}
}

static void a_checksum_covers_all_before_it(void **state)
{
	uint8_t bytes[100];
	size_t len = make(0x1e, 5, "name", bytes);
	struct error err = {0};

	(void)state;
	for (size_t i = 4; i < len; i++) {
		/* Not what says where the fields end. */
		if (i == 10 || i == 11 || bytes[i] == 0)
			continue;
		bytes[i] ^= 1;
		if (bytes[i] == 0)
			bytes[i] = 2;
		if (take(bytes, len, 3, &err) != -1)
			fail_msg("byte %zu is not covered", i);
		assert_error(&err, ERR_INVALID, "wrong checksum");
		make(0x1e, 5, "name", bytes);
	}
}

static void what_is_no_header_is_refused_at_its_byte(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
		const char *why;
	} cases[] = {
		{0, 0x1e, "bad magic"},	   {1, 0x8a, "bad magic"},    {2, 0, "method 0 is"},
		{2, 9, "method 9 is"},	   {3, 0x20, "flags (0x20)"}, {3, 0x40, "flags (0x40)"},
		{3, 0x80, "flags (0x80)"}, {3, 0xff, "flags (0xff)"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		uint8_t bytes[32];
		struct error err = {0};

		make(0, 0, "", bytes);
		bytes[cases[i].at] = cases[i].value;
		assert_int_equal(take(bytes, cases[i].at, 1, &err), 0);
		assert_int_equal(take(bytes, cases[i].at + 1, 1, &err), -1);
		assert_error(&err, ERR_INVALID, cases[i].why);
	}
}

/* The next member starts with nothing of the last one. */
static void starting_again_forgets(void **state)
{
	uint8_t bytes[100];
	struct gzip_header h;
	struct error err = {0};
	size_t taken;

	(void)state;
	gzip_header_start(&h);
	for (int round = 0; round < 3; round++) {
		size_t len = make(round == 1 ? 0 : 0x1e, 3, "n", bytes);

		assert_int_equal(gzip_header_take(&h, bytes, len, &taken, &err), 1);
		assert_int_equal(taken, len);
		assert_int_equal(gzip_header_take(&h, bytes, len, &taken, &err), 1);
		assert_int_equal(taken, 0); /* complete takes nothing */
		gzip_header_start(&h);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_ends_where_its_fields_end),
		cmocka_unit_test(a_checksum_covers_all_before_it),
		cmocka_unit_test(what_is_no_header_is_refused_at_its_byte),
		cmocka_unit_test(starting_again_forgets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
