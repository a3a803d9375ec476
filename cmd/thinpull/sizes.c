/* SPDX-License-Identifier: Apache-2.0 */
/* Reads and writes sizes by hand: strtoull takes signs and spaces, strtod depends on the locale. */
#include "cmd/thinpull/sizes.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char size_letters[] = "kmgtpe";

/* The factor a unit stands for; false when it is none. */
static bool unit_factor(const char *unit, uint64_t *ret)
{
	const char *letter;
	uint64_t base = 1024, factor = 1;

	*ret = 1;
	if (!*unit || strcasecmp(unit, "b") == 0)
		return true;
	letter = strchr(size_letters, tolower((unsigned char)*unit));
	if (!letter)
		return false;
	if (strcasecmp(unit + 1, "b") == 0)
		base = 1000;
	else if (unit[1] && strcasecmp(unit + 1, "ib") != 0)
		return false;
	for (const char *p = size_letters; p <= letter; p++)
		factor *= base;
	*ret = factor;
	return true;
}

/* Digits of a whole number; false when there are none or it does not fit. */
static bool read_digits(const char **p, uint64_t *ret)
{
	const char *start = *p;
	uint64_t value = 0;

	for (; isdigit((unsigned char)**p); (*p)++) {
		if (__builtin_mul_overflow(value, 10, &value)
		    || __builtin_add_overflow(value, (uint64_t)(**p - '0'), &value))
			return false;
	}
	*ret = value;
	return *p > start;
}

static int bad_size(const char *text, const char *what, struct error *err)
{
	return error_set(err, ERR_USAGE, "%s: '%.40s' is not a size such as 64k, 10G or 512MiB",
			 what, text);
}

/* The digits after the point, as a part of `factor`. */
static uint64_t read_fraction(const char **p, uint64_t factor)
{
	unsigned __int128 part = 0;
	unsigned __int128 scale = 1;

	for (; isdigit((unsigned char)**p); (*p)++) {
		if (scale >= 1000000000000000ULL)
			continue; /* further digits are less than a byte */
		part = part * 10 + (unsigned)(**p - '0');
		scale *= 10;
	}
	return (uint64_t)(part * factor / scale);
}

int size_parse(const char *text, const char *what, uint64_t *ret, struct error *err)
{
	const char *p = text, *fraction = NULL;
	uint64_t whole, factor, bytes;

	if (!read_digits(&p, &whole))
		return bad_size(text, what, err);
	if (*p == '.') {
		fraction = ++p;
		if (!isdigit((unsigned char)*p))
			return bad_size(text, what, err);
		while (isdigit((unsigned char)*p))
			p++;
	}
	if (!unit_factor(p, &factor) || __builtin_mul_overflow(whole, factor, &bytes)
	    || (fraction
		&& __builtin_add_overflow(bytes, read_fraction(&fraction, factor), &bytes)))
		return bad_size(text, what, err);
	*ret = bytes;
	return 0;
}

int percent_parse(const char *text, const char *what, unsigned *ret, struct error *err)
{
	const char *p = text;
	uint64_t value;

	if (!read_digits(&p, &value) || (*p && strcmp(p, "%") != 0) || value > 100)
		return error_set(err, ERR_USAGE, "%s: '%.40s' is not a percentage from 0 to 100",
				 what, text);
	*ret = (unsigned)value;
	return 0;
}

int number_parse(const char *text, const char *what, uint64_t max, uint64_t *ret, struct error *err)
{
	const char *p = text;
	uint64_t value;

	if (!read_digits(&p, &value) || *p || value > max)
		return error_set(err, ERR_USAGE, "%s: '%.40s' is not a number from 0 to %llu", what,
				 text, (unsigned long long)max);
	*ret = value;
	return 0;
}

const char *size_format(uint64_t bytes, char *buf)
{
	uint64_t unit = 1024;
	const char *letter = size_letters;

	if (bytes < unit) {
		snprintf(buf, SIZE_TEXT_BYTES, "%u B", (unsigned)bytes);
		return buf;
	}
	while (bytes / unit >= 1024 && letter[1]) {
		unit *= 1024;
		letter++;
	}
	if (bytes % unit == 0)
		snprintf(buf, SIZE_TEXT_BYTES, "%u %ciB", (unsigned)(bytes / unit),
			 toupper((unsigned char)*letter));
	else
		snprintf(buf, SIZE_TEXT_BYTES, "%u.%u %ciB", (unsigned)(bytes / unit),
			 (unsigned)(bytes % unit / (unit / 1024) * 10 / 1024),
			 toupper((unsigned char)*letter));
	return buf;
}
