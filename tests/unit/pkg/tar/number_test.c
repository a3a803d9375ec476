/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers in fields and records: each value both ways, and where readers disagree a refusal. */
#include "tests/support/cmocka.h"

#include <stdio.h>

#include "pkg/base/alloc.h"
#include "pkg/tar/tar_internal.h"

static void octal_digits_are_a_number_to_the_end_of_the_field(void **state)
{
	static const struct {
		const char *field;
		size_t len;
		int64_t value;
	} cases[] = {
		{"0000644\0", 8, 0644},
		{"   644 \0", 8, 0644},
		{"644\0\0\0\0\0", 8, 0644},
		{"77777777", 8, 077777777},
		{"777777777777", 12, 0777777777777},
		{"0\0\0\0\0\0\0\0", 8, 0},
		{"\0\0\0\0\0\0\0\0", 8, 0},
		{"        ", 8, 0},
		{"  \0     ", 8, 0},
		{"7       ", 8, 7},
		{"7 \0 \0 \0 ", 8, 7},
		{"       7", 8, 7},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int64_t v = -7;

		if (tar_field_number((const uint8_t *)cases[i].field, cases[i].len, &v) != 0)
			fail_msg("'%s' is refused", cases[i].field);
		assert_int_equal(v, cases[i].value);
	}
}

static void anything_else_in_a_field_is_no_number(void **state)
{
	static const char *const fields[] = {"00006448",
					     "6a4\0\0\0\0\0",
					     "-1\0\0\0\0\0\0",
					     "+1\0\0\0\0\0\0",
					     "1 1\0\0\0\0\0",
					     "1\0"
					     "1\0\0\0\0\0",
					     "\0"
					     "0000644",
					     " \0"
					     "000644",
					     "0x1\0\0\0\0\0",
					     "1\t\0\0\0\0\0\0",
					     "\x81\0\0\0\0\0\0\1",
					     "\xfe\xff\xff\xff\xff\xff\xff\xff",
					     "8\0\0\0\0\0\0\0",
					     "1,0\0\0\0\0\0"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		int64_t v = -7;

		if (tar_field_number((const uint8_t *)fields[i], 8, &v) == 0)
			fail_msg("case %zu is %lld", i, (long long)v);
		assert_int_equal(v, -7);
	}
}

/* Two's complement of 96 bits, the mark in the first byte. */
static void put_base256(uint8_t *field, int64_t value)
{
	for (size_t i = 12; i-- > 1; value >>= 8)
		field[i] = (uint8_t)value;
	field[0] = value < 0 ? 0xff : 0x80;
}

static void base_256_holds_any_64_bits(void **state)
{
	static const int64_t values[] = {
		0,  1,	255,  256,  INT64_C(1) << 33,	 INT64_MAX, INT64_MAX - 1,
		-1, -2, -256, -257, -(INT64_C(1) << 33), INT64_MIN, INT64_MIN + 1};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		uint8_t field[12];
		int64_t v = 7;

		put_base256(field, values[i]);
		assert_int_equal(tar_field_number(field, 12, &v), 0);
		assert_true(v == values[i]);
		/* One bit more than there is room for. */
		field[3] ^= 1;
		assert_int_equal(tar_field_number(field, 12, &v), -1);
	}
}

static void decimals_have_digits_only_and_a_maximum(void **state)
{
	static const struct {
		const char *text;
		uint64_t max;
		int rc;
		uint64_t value;
	} cases[] = {
		{"0", 0, 0, 0},
		{"007", 7, 0, 7},
		{"8", 7, -1, 0},
		{"18446744073709551615", UINT64_MAX, 0, UINT64_MAX},
		{"18446744073709551616", UINT64_MAX, -1, 0},
		{"99999999999999999999", UINT64_MAX, -1, 0},
		{"184467440737095516150", UINT64_MAX, -1, 0},
		{"4294967295", UINT32_MAX, 0, UINT32_MAX},
		{"4294967296", UINT32_MAX, -1, 0},
		{"", 9, -1, 0},
		{"-1", 9, -1, 0},
		{"+1", 9, -1, 0},
		{" 1", 9, -1, 0},
		{"1 ", 9, -1, 0},
		{"1a", 99, -1, 0},
		{"0x1", 99, -1, 0},
		{"1.0", 99, -1, 0},
		{":", 99, -1, 0},
		{"/", 99, -1, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t v = 12345;

		if (tar_decimal(cases[i].text, strlen(cases[i].text), cases[i].max, &v)
		    != cases[i].rc)
			fail_msg("'%s'", cases[i].text);
		assert_int_equal(v, cases[i].rc ? 12345 : cases[i].value);
	}
	/* What stands behind is not looked at. */
	assert_int_equal(tar_decimal("12x", 2, 99, &(uint64_t){0}), 0);
}

static void times_are_floors_with_what_is_left(void **state)
{
	static const struct {
		const char *text;
		int rc;
		int64_t sec;
		uint32_t nsec;
	} cases[] = {
		{"0", 0, 0, 0},
		{"1", 0, 1, 0},
		{"-1", 0, -1, 0},
		{"1.5", 0, 1, 500000000},
		{"-1.5", 0, -2, 500000000},
		{"-0.5", 0, -1, 500000000},
		{"-0", 0, 0, 0},
		{"-0.0", 0, 0, 0},
		{"1.", 0, 1, 0},
		{"1.000000001", 0, 1, 1},
		{"1.0000000019", 0, 1, 1},
		{"-1.0000000001", 0, -1, 0},
		{"-1.000000001", 0, -2, 999999999},
		{"9223372036854775807.999999999", 0, INT64_MAX, 999999999},
		{"-9223372036854775807.5", 0, INT64_MIN, 500000000},
		{"9223372036854775808", -1, 0, 0},
		{"-9223372036854775808", -1, 0, 0},
		{"", -1, 0, 0},
		{"-", -1, 0, 0},
		{".5", -1, 0, 0},
		{"-.5", -1, 0, 0},
		{"1.5.5", -1, 0, 0},
		{"1.-5", -1, 0, 0},
		{"--1", -1, 0, 0},
		{"+1", -1, 0, 0},
		{"1e3", -1, 0, 0},
		{"1,5", -1, 0, 0},
		{"1.5 ", -1, 0, 0},
		{"1.1234567890x", -1, 0, 0},
		{"nan", -1, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct tar_time t = {.sec = 77, .nsec = 88};

		if (tar_decimal_time(cases[i].text, strlen(cases[i].text), &t) != cases[i].rc)
			fail_msg("'%s'", cases[i].text);
		if (cases[i].rc == 0 && (t.sec != cases[i].sec || t.nsec != cases[i].nsec))
			fail_msg("'%s' is %lld.%09u", cases[i].text, (long long)t.sec, t.nsec);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(octal_digits_are_a_number_to_the_end_of_the_field),
		cmocka_unit_test(anything_else_in_a_field_is_no_number),
		cmocka_unit_test(base_256_holds_any_64_bits),
		cmocka_unit_test(decimals_have_digits_only_and_a_maximum),
		cmocka_unit_test(times_are_floors_with_what_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
