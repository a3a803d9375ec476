/* SPDX-License-Identifier: Apache-2.0 */
/* Base64, strict, so that two readers can never see different bytes in one text. */
#include "pkg/base/base64.h"

#include <stdint.h>
#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int value_of(char c)
{
	const char *at = c ? strchr(alphabet, c) : NULL;

	return at ? (int)(at - alphabet) : -1;
}

/* Four characters, the last `padding` of them '='. Returns the 24 bits, or -1. */
static int32_t decode_group(const char *group, size_t padding)
{
	int32_t bits = 0;

	for (size_t i = 0; i < 4; i++) {
		int v = i < 4 - padding ? value_of(group[i]) : 0;

		if (v < 0)
			return -1;
		bits = bits << 6 | v;
	}
	/* What the padding cuts off must be zero. */
	if (bits & ((1 << 8 * padding) - 1))
		return -1;
	return bits;
}

bool base64_decode(const char *text, size_t len, struct buffer *ret)
{
	size_t start = ret->len;

	if (len % 4)
		return false;
	for (size_t i = 0; i < len; i += 4) {
		size_t padding = 0;
		int32_t bits;

		if (i + 4 == len)
			padding = text[i + 3] != '=' ? 0 : text[i + 2] != '=' ? 1 : 2;
		bits = decode_group(text + i, padding);
		if (bits < 0) {
			ret->len = start;
			return false;
		}
		buffer_add(ret,
			   (uint8_t[]){(uint8_t)(bits >> 16), (uint8_t)(bits >> 8), (uint8_t)bits},
			   3 - padding);
	}
	return true;
}

void base64_encode(const void *data, size_t len, struct buffer *ret)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < len; i += 3) {
		size_t have = len - i < 3 ? len - i : 3;
		uint32_t bits = (uint32_t)p[i] << 16 | (have > 1 ? (uint32_t)p[i + 1] << 8 : 0)
				| (have > 2 ? (uint32_t)p[i + 2] : 0);

		for (size_t k = 0; k < 4; k++)
			buffer_add(ret, k <= have ? &alphabet[bits >> (18 - 6 * k) & 63] : "=", 1);
	}
}
