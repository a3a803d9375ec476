/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers with units, added up. Digits are bounded, so that nothing overflows. */
#include "registry/duration.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "pkg/base/alloc.h"

#define NS_OF_S UINT64_C(1000000000)
#define MAX_NS	(86400 * NS_OF_S)

static const struct unit {
	const char *name;
	uint64_t ns;
} units[] = {
	/* a unit before those that it starts with */
	{"ns", 1},	     {"us", 1000},   {"\xc2\xb5s", 1000}, /* micro sign */
	{"\xce\xbcs", 1000},					  /* Greek mu */
	{"ms", 1000000},     {"s", NS_OF_S}, {"m", 60 * NS_OF_S}, {"h", 3600 * NS_OF_S},
};

static const struct unit *take_unit(const char **text)
{
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		size_t len = strlen(units[i].name);

		if (!strncmp(*text, units[i].name, len)) {
			*text += len;
			return &units[i];
		}
	}
	return NULL;
}

/* At most 9 digits count; false if there are none, or more that are not zeros in front. */
static bool take_digits(const char **text, size_t max, uint64_t *ret, uint64_t *ret_scale)
{
	size_t n = strspn(*text, "0123456789");

	*ret = 0;
	*ret_scale = 1;
	for (size_t i = 0; i < n && i < max; i++) {
		*ret = *ret * 10 + (uint64_t)((*text)[i] - '0');
		*ret_scale *= 10;
	}
	*text += n;
	return n > 0;
}

/* One number with its unit. */
static bool take_part(const char **text, uint64_t *total_ns)
{
	enum { DIGITS_MAX = 9 };
	uint64_t whole, part = 0, scale = 1, ignored;
	const struct unit *unit;
	bool has_digits;

	if (strspn(*text, "0123456789") > DIGITS_MAX)
		return false;
	has_digits = take_digits(text, DIGITS_MAX, &whole, &ignored);
	if (**text == '.') {
		++*text;
		has_digits |= take_digits(text, DIGITS_MAX, &part, &scale);
	}
	unit = has_digits ? take_unit(text) : NULL;
	if (!unit || whole > MAX_NS / unit->ns)
		return false;
	*total_ns += whole * unit->ns + (uint64_t)((double)part / (double)scale * (double)unit->ns);
	return *total_ns <= MAX_NS;
}

int duration_parse(const char *text, long *ret_ms, struct error *err)
{
	const char *p = text + (*text == '+');
	uint64_t ns = 0;
	bool fine = *p != '\0';

	if (!strcmp(p, "0")) {
		*ret_ms = 0;
		return 0;
	}
	while (*p && fine)
		fine = take_part(&p, &ns);
	if (!fine)
		return error_set(err, ERR_INVALID,
				 "'%.40s' is no time up to a day, as \"1s\" or \"500ms\"", text);
	*ret_ms = (long)(ns > 0 && ns < 1000000 ? 1 : ns / 1000000);
	return 0;
}
