/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers as archives write them. Strict where readers disagree: digits behind a leading NUL (Go
 * reads them, GNU tar says 0), junk behind a space (the other way round), base-256 marks other
 * than 0x80 and 0xff (only Go and libarchive know them).
 */
#include <string.h>

#include "pkg/tar/tar_internal.h"

enum { NSEC_DIGITS = 9, NSEC_PER_SEC = 1000000000 };

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static int base256(const uint8_t *field, size_t len, int64_t *ret)
{
	uint8_t inverse = field[0] == 0xff ? 0xff : 0;
	uint64_t v = 0;

	/* -x is ~(x - 1): for a negative number the inverted bytes are what is summed up. */
	for (size_t i = 1; i < len; i++) {
		if (v >> 55)
			return -1;
		v = v << 8 | (uint8_t)(field[i] ^ inverse);
	}
	*ret = inverse ? -(int64_t)v - 1 : (int64_t)v;
	return 0;
}

static bool is_blank(const uint8_t *field, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (field[i] != 0 && field[i] != ' ')
			return false;
	return true;
}

int tar_field_number(const uint8_t *field, size_t len, int64_t *ret)
{
	int64_t v = 0;
	size_t i = 0;

	if (field[0] == 0x80 || field[0] == 0xff)
		return base256(field, len, ret);
	if (is_blank(field, len)) {
		*ret = 0;
		return 0;
	}
	while (field[i] == ' ')
		i++;
	if (field[i] < '0' || field[i] > '7')
		return -1;
	/* Twelve octal digits are 36 bits: no overflow. */
	for (; i < len && field[i] >= '0' && field[i] <= '7'; i++)
		v = v * 8 + (field[i] - '0');
	if (!is_blank(field + i, len - i))
		return -1;
	*ret = v;
	return 0;
}

int tar_decimal(const char *text, size_t len, uint64_t max, uint64_t *ret)
{
	uint64_t v = 0;

	if (len == 0)
		return -1;
	for (size_t i = 0; i < len; i++) {
		uint64_t digit = (uint64_t)(text[i] - '0');

		if (!is_digit(text[i]) || __builtin_mul_overflow(v, 10, &v)
		    || __builtin_add_overflow(v, digit, &v) || v > max)
			return -1;
	}
	*ret = v;
	return 0;
}

static int fraction(const char *text, size_t len, uint32_t *ret_nsec)
{
	uint32_t nsec = 0;

	for (size_t i = 0; i < len; i++)
		if (!is_digit(text[i]))
			return -1;
	for (size_t i = 0; i < NSEC_DIGITS; i++)
		nsec = nsec * 10 + (i < len ? (uint32_t)(text[i] - '0') : 0);
	*ret_nsec = nsec;
	return 0;
}

int tar_decimal_time(const char *text, size_t len, struct tar_time *ret)
{
	bool negative = len > 0 && text[0] == '-';
	const char *start = text + negative;
	size_t left = len - negative;
	const char *dot = memchr(start, '.', left);
	size_t digits = dot ? (size_t)(dot - start) : left;
	uint32_t nsec = 0;
	uint64_t sec;

	if (tar_decimal(start, digits, INT64_MAX, &sec) < 0)
		return -1;
	if (dot && fraction(dot + 1, left - digits - 1, &nsec) < 0)
		return -1;
	ret->sec = negative ? -(int64_t)sec : (int64_t)sec;
	ret->nsec = nsec;
	/* -1.5 is 0.5 after -2. */
	if (negative && nsec > 0) {
		ret->sec--;
		ret->nsec = NSEC_PER_SEC - nsec;
	}
	return 0;
}
