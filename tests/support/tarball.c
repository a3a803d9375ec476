/* SPDX-License-Identifier: Apache-2.0 */
/* A minimal writer of ustar headers. */
#include "tests/support/tarball.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum { BLOCK = 512 };

static void put_octal(char *field, size_t size, unsigned long value)
{
	snprintf(field, size, "%0*lo", (int)size - 1, value);
}

static void put_checksum(char *header)
{
	unsigned sum = 0;

	memset(header + 148, ' ', 8);
	for (int i = 0; i < BLOCK; i++)
		sum += (unsigned char)header[i];
	snprintf(header + 148, 8, "%06o", sum);
}

void tarball_add(struct buffer *tar, char type, const char *path, unsigned mode, const char *text)
{
	static const char zeros[BLOCK];
	size_t size = type == '0' && text ? strlen(text) : 0;
	char header[BLOCK] = {0};

	assert(strlen(path) <= 100);
	memcpy(header, path, strlen(path));
	put_octal(header + 100, 8, mode);
	put_octal(header + 108, 8, 1000);
	put_octal(header + 116, 8, 100);
	put_octal(header + 124, 12, size);
	put_octal(header + 136, 12, 1700000000);
	header[156] = type;
	if (type == '1' || type == '2')
		snprintf(header + 157, 100, "%s", text);
	memcpy(header + 257,
	       "ustar\0"
	       "00",
	       8);
	put_octal(header + 329, 8, type == '3' ? 1 : 0);
	put_octal(header + 337, 8, type == '3' ? 3 : 0);
	put_checksum(header);
	buffer_add(tar, header, sizeof(header));
	buffer_add(tar, text, size);
	buffer_add(tar, zeros, (BLOCK - size % BLOCK) % BLOCK);
}

void tarball_end(struct buffer *tar)
{
	static const char zeros[2 * BLOCK];

	buffer_add(tar, zeros, sizeof(zeros));
}
