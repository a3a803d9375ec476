/* SPDX-License-Identifier: Apache-2.0 */
/* Headers, records, padding. */
#include "tests/support/tar_maker.h"

#include <stdio.h>
#include <string.h>

enum { BLOCK = 512 };

void tar_make_octal(char *field, size_t size, uint64_t value)
{
	field[size - 1] = 0;
	for (size_t i = size - 1; i-- > 0; value >>= 3)
		field[i] = (char)('0' + (value & 7));
}

/* Like strncpy(): fills the field, terminated only if there is room. */
static void put(uint8_t *block, size_t at, size_t size, const char *text, const char *otherwise)
{
	const char *from = text ? text : otherwise;
	size_t len = strnlen(from, size);

	memcpy(block + at, from, len);
}

void tar_make_seal(struct buffer *tar, size_t header)
{
	uint8_t *block = tar->data + header;
	unsigned int sum = 0;
	char text[8];

	memset(block + 148, ' ', 8);
	for (size_t i = 0; i < BLOCK; i++)
		sum += block[i];
	snprintf(text, sizeof(text), "%06o", sum);
	memcpy(block + 148, text, 7);
}

size_t tar_make(struct buffer *tar, const struct tar_maker *m)
{
	size_t header = tar->len;
	uint8_t block[BLOCK] = {0};
	char size[12];

	tar_make_octal(size, sizeof(size), m->data_len);
	put(block, 0, 100, m->name, "");
	put(block, 100, 8, m->mode, "0000644");
	put(block, 108, 8, m->uid, "0000000");
	put(block, 116, 8, m->gid, "0000000");
	put(block, 124, 12, m->size, size);
	put(block, 136, 12, m->mtime, "00000000000");
	block[156] = (uint8_t)(m->type == TAR_MAKER_NUL ? 0 : m->type ? m->type : '0');
	put(block, 157, 100, m->link, "");
	memcpy(block + 257, m->magic ? m->magic : "ustar\00000", 8);
	put(block, 329, 8, m->devmajor, "");
	put(block, 337, 8, m->devminor, "");
	put(block, 345, 155, m->prefix, "");
	buffer_add(tar, block, sizeof(block));
	tar_make_seal(tar, header);
	buffer_add(tar, m->data, m->data_len);
	tar_make_pad(tar);
	return header;
}

void tar_make_file(struct buffer *tar, const char *name, const char *text)
{
	tar_make(tar, &(struct tar_maker){.name = name, .data = text, .data_len = strlen(text)});
}

void tar_make_record(struct buffer *records, const char *key, const void *value, size_t len)
{
	size_t rest = 1 + strlen(key) + 1 + len + 1, total = rest;
	char digits[24];

	while (rest + (size_t)snprintf(digits, sizeof(digits), "%zu", total) != total)
		total = rest + strlen(digits);
	buffer_printf(records, "%zu %s=", total, key);
	buffer_add(records, value, len);
	buffer_add(records, "\n", 1);
}

void tar_make_text_record(struct buffer *records, const char *key, const char *value)
{
	tar_make_record(records, key, value, strlen(value));
}

void tar_make_pax(struct buffer *tar, char type, const struct buffer *records)
{
	tar_make(tar, &(struct tar_maker){.name = "PaxHeaders/x",
					  .type = type,
					  .data = records->data,
					  .data_len = records->len});
}

void tar_make_pax1(struct buffer *tar, const char *key, const char *value)
{
	cleanup_buffer struct buffer records = {0};

	tar_make_text_record(&records, key, value);
	tar_make_pax(tar, 'x', &records);
}

void tar_make_long(struct buffer *tar, char type, const char *text)
{
	tar_make(tar, &(struct tar_maker){.name = "././@LongLink",
					  .type = type,
					  .magic = "ustar  ",
					  .data = text,
					  .data_len = strlen(text) + 1});
}

void tar_make_zeros(struct buffer *tar, size_t n)
{
	memset(buffer_reserve(tar, n), 0, n);
	buffer_grew(tar, n);
}

void tar_make_pad(struct buffer *tar)
{
	tar_make_zeros(tar, -tar->len % BLOCK);
}

void tar_make_end(struct buffer *tar)
{
	tar_make_zeros(tar, 2 * (size_t)BLOCK);
}
