/* SPDX-License-Identifier: Apache-2.0 */
/* Values of TOML without quotes or brackets: true, numbers, dates and times. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/toml/toml_internal.h"

enum { WORD_MAX_BYTES = 128 };

/* --- digits ----------------------------------------------------------------------------------- */

static bool is_digit(char c, int base)
{
	if (base == 16 && ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')))
		return true;
	return c >= '0' && c < '0' + (base < 10 ? base : 10);
}

/* Digits with single underscores between them; how many bytes, 0 if none stands at the start. */
static size_t digits_length(const char *s, int base)
{
	size_t n = 0;

	while (is_digit(s[n], base)
	       || (n > 0 && s[n] == '_' && is_digit(s[n + 1], base) && is_digit(s[n - 1], base)))
		n++;
	return n;
}

/* Exactly n decimal digits as a number from low to high; -1 if not. */
static int number_between(const char *s, size_t n, int low, int high)
{
	int value = 0;

	for (size_t i = 0; i < n; i++) {
		if (!is_digit(s[i], 10))
			return -1;
		value = value * 10 + (s[i] - '0');
	}
	return value >= low && value <= high ? value : -1;
}

/* --- dates and times -------------------------------------------------------------------------- */

static int days_in(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap);
}

/* "1979-05-27", 10 bytes; 0 if it is none. */
static size_t date_length(const char *s)
{
	int year = number_between(s, 4, 0, 9999), month;

	if (year < 0 || s[4] != '-')
		return 0;
	month = number_between(s + 5, 2, 1, 12);
	if (month < 0 || s[7] != '-' || number_between(s + 8, 2, 1, days_in(year, month)) < 0)
		return 0;
	return 10;
}

/* "07:32:00.999" */
static size_t time_length(const char *s)
{
	size_t n = 8;

	if (number_between(s, 2, 0, 23) < 0 || s[2] != ':' || number_between(s + 3, 2, 0, 59) < 0
	    || s[5] != ':' || number_between(s + 6, 2, 0, 59) < 0)
		return 0;
	if (s[n] == '.' && is_digit(s[n + 1], 10))
		for (n++; is_digit(s[n], 10);)
			n++;
	return n;
}

/* "Z", "-07:00" */
static size_t zone_length(const char *s)
{
	if (*s == 'Z' || *s == 'z')
		return 1;
	if ((*s != '+' && *s != '-') || number_between(s + 1, 2, 0, 23) < 0 || s[3] != ':'
	    || number_between(s + 4, 2, 0, 59) < 0)
		return 0;
	return 6;
}

static bool is_time(const char *s)
{
	size_t date = date_length(s), time;

	if (date == 0) {
		time = time_length(s);
		return time > 0 && !s[time];
	}
	s += date;
	if (!*s)
		return true;
	if (*s != 'T' && *s != 't' && *s != ' ')
		return false;
	time = time_length(++s);
	return time > 0 && !s[time + zone_length(s + time)];
}

/* --- numbers ---------------------------------------------------------------------------------- */

static size_t sign_length(const char *s)
{
	return *s == '+' || *s == '-';
}

/* "0" or digits that start with another one. */
static size_t decimal_length(const char *s)
{
	size_t n = digits_length(s, 10);

	return n > 1 && *s == '0' ? 0 : n;
}

static bool is_decimal(const char *s)
{
	size_t n;

	s += sign_length(s);
	n = decimal_length(s);
	return n > 0 && !s[n];
}

/* 0 if it is no number with 0x, 0o or 0b. */
static int prefixed_base(const char *s)
{
	int base = s[0] != '0' ? 0 : s[1] == 'x' ? 16 : s[1] == 'o' ? 8 : s[1] == 'b' ? 2 : 0;
	size_t n = base ? digits_length(s + 2, base) : 0;

	return n > 0 && !s[2 + n] ? base : 0;
}

static bool is_float(const char *s)
{
	size_t whole, part;

	s += sign_length(s);
	if (!strcmp(s, "inf") || !strcmp(s, "nan"))
		return true;
	whole = decimal_length(s);
	if (whole == 0)
		return false;
	s += whole;
	if (*s == '.') {
		part = digits_length(++s, 10);
		if (part == 0)
			return false;
		s += part;
	}
	if (*s == 'e' || *s == 'E') {
		s++;
		s += sign_length(s);
		part = digits_length(s, 10);
		if (part == 0)
			return false;
		s += part;
	}
	return !*s;
}

static int parse_integer(const char *word, int base, const struct toml_input *in, int64_t *ret,
			 struct error *err)
{
	char plain[WORD_MAX_BYTES + 1];
	size_t n = 0;

	for (const char *p = base == 10 ? word : word + 2; *p; p++)
		if (*p != '_')
			plain[n++] = *p;
	plain[n] = '\0';
	errno = 0;
	*ret = strtoll(plain, NULL, base);
	if (errno == ERANGE)
		return toml_fail(in, err, "%s has more than 64 bits", word);
	return 0;
}

/* --- the whole -------------------------------------------------------------------------------- */

static size_t run_length(const char *s, const char *end)
{
	const char *p = s;

	while (p < end && *p
	       && (is_digit(*p, 10) || (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z')
		   || strchr("+-._:", *p)))
		p++;
	return (size_t)(p - s);
}

/* All that may belong to the value: one space may stand between a date and a time. */
static int take_word(struct toml_input *in, char word[WORD_MAX_BYTES + 1], struct error *err)
{
	size_t n = run_length(in->at, in->end);

	if (n == 10 && in->end - in->at > 11 && in->at[4] == '-' && in->at[10] == ' '
	    && is_digit(in->at[11], 10))
		n += 1 + run_length(in->at + 11, in->end);
	if (n == 0)
		return toml_fail(in, err, "a value is expected");
	if (n > WORD_MAX_BYTES)
		return toml_fail(in, err, "a number of more than %d characters", WORD_MAX_BYTES);
	memcpy(word, in->at, n);
	word[n] = '\0';
	in->at += n;
	return 0;
}

static struct toml_node *new_word(enum toml_kind kind, const char *text, int64_t number)
{
	struct toml_node *node = toml_node_new(kind);

	node->text = text ? xstrdup(text) : NULL;
	node->number = number;
	return node;
}

int toml_read_word(struct toml_input *in, struct toml_node **ret, struct error *err)
{
	char word[WORD_MAX_BYTES + 1];
	int64_t number = 0;
	int base;

	if (take_word(in, word, err) < 0)
		return -1;
	base = is_decimal(word) ? 10 : prefixed_base(word);
	if (!strcmp(word, "true") || !strcmp(word, "false")) {
		*ret = new_word(TOML_BOOLEAN, NULL, *word == 't');
	} else if (base != 0) {
		if (parse_integer(word, base, in, &number, err) < 0)
			return -1;
		*ret = new_word(TOML_INTEGER, NULL, number);
	} else if (is_float(word)) {
		*ret = new_word(TOML_FLOAT, word, 0);
	} else if (is_time(word)) {
		*ret = new_word(TOML_TIME, word, 0);
	} else {
		return toml_fail(in, err, "%s is no value; a string stands in quotes", word);
	}
	return 0;
}
