/* SPDX-License-Identifier: Apache-2.0 */
/* The table of well-formed byte sequences, Unicode standard table 3-7. */
#include "pkg/base/utf8.h"

#include <stdint.h>

#include "pkg/base/alloc.h"

/* Ranges of the first byte, and of the second, which alone depends on the first. */
static const struct form {
	uint8_t first, last, second_first, second_last;
	size_t len;
} forms[] = {
	{0x00, 0x7f, 0, 0, 1},	     {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
	{0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
	{0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
};

static size_t match(const struct form *f, const uint8_t *p, size_t len)
{
	if (len < f->len || p[0] < f->first || p[0] > f->last)
		return 0;
	if (f->len > 1 && (p[1] < f->second_first || p[1] > f->second_last))
		return 0;
	for (size_t i = 2; i < f->len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return f->len;
}

size_t utf8_char(const char *text, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(forms) && n == 0; i++)
		n = match(&forms[i], (const uint8_t *)text, len);
	return n;
}

bool utf8_is_valid(const char *text, size_t len)
{
	while (len) {
		size_t n = utf8_char(text, len);

		if (n == 0)
			return false;
		text += n;
		len -= n;
	}
	return true;
}
