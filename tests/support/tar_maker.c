/* SPDX-License-Identifier: Apache-2.0 */
/* Makes tars and describes them. */
#include "tests/support/tar_maker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pkg/base/alloc.h"
#include "tests/support/cmocka.h"
#include "tests/support/pieces.h"

enum { BLOCK = 512, SHOWN_BYTES = 64 };

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

/* --- describing ------------------------------------------------------------------------------ */

static void show(struct buffer *to, const void *data, size_t len)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < len; i++) {
		if (p[i] >= 0x20 && p[i] < 0x7f)
			buffer_add(to, p + i, 1);
		else
			buffer_printf(to, "\\x%02x", p[i]);
	}
}

static void show_attributes(struct buffer *to, const struct tar_entry *e)
{
	if (e->mode != 0644)
		buffer_printf(to, " mode=%o", e->mode);
	if (e->uid || e->gid)
		buffer_printf(to, " owner=%u:%u", e->uid, e->gid);
	if (e->mtime.sec || e->mtime.nsec)
		buffer_printf(to, " mtime=%lld.%u", (long long)e->mtime.sec, e->mtime.nsec);
	if (e->atime.sec != e->mtime.sec || e->atime.nsec != e->mtime.nsec)
		buffer_printf(to, " atime=%lld.%u", (long long)e->atime.sec, e->atime.nsec);
	if (e->rdev_major || e->rdev_minor)
		buffer_printf(to, " rdev=%u:%u", e->rdev_major, e->rdev_minor);
	if (e->size_bytes)
		buffer_printf(to, " size=%llu", (unsigned long long)e->size_bytes);
	for (size_t i = 0; i < e->n_xattrs; i++) {
		buffer_printf(to, " xattr %s=", e->xattrs[i].name);
		show(to, e->xattrs[i].value, e->xattrs[i].value_len);
	}
}

static int show_data(struct tar_reader *r, struct buffer *to, struct error *err)
{
	uint64_t offset, next = UINT64_MAX, start = 0;
	const uint8_t *piece;
	size_t n;
	int rc;

	while ((rc = tar_reader_data(r, &piece, &n, &offset, err)) == 0) {
		if (offset != next) {
			buffer_printf(to, " %llu:", (unsigned long long)offset);
			start = offset;
		}
		next = offset + n;
		if (offset - start < SHOWN_BYTES)
			show(to, piece,
			     n < start + SHOWN_BYTES - offset ? n : start + SHOWN_BYTES - offset);
	}
	return rc < 0 ? -1 : 0;
}

static int describe_member(struct tar_reader *r, const struct tar_entry *e, struct buffer *to,
			   struct error *err)
{
	static const char *const types[] = {
		[TAR_REGULAR] = "file",	 [TAR_DIRECTORY] = "dir", [TAR_SYMLINK] = "symlink",
		[TAR_HARDLINK] = "link", [TAR_CHAR] = "char",	  [TAR_BLOCK] = "block",
		[TAR_FIFO] = "fifo",
	};

	assert_int_equal(strlen(e->path), e->path_len);
	buffer_printf(to, "%s ", types[e->type]);
	show(to, e->path, e->path_len);
	if (e->link) {
		assert_int_equal(strlen(e->link), e->link_len);
		buffer_printf(to, " -> ");
		show(to, e->link, e->link_len);
	}
	show_attributes(to, e);
	if (show_data(r, to, err) < 0)
		return -1;
	buffer_printf(to, "\n");
	return 0;
}

int tar_describe(const struct buffer *tar, size_t piece, struct buffer *ret, struct error *err)
{
	struct stream *in =
		pieces_stream(&(struct pieces){.data = tar->data, .len = tar->len, .piece = piece});
	cleanup(tar_reader_close_ptr) struct tar_reader *r = NULL;
	const struct tar_entry *e;
	int rc;

	buffer_clear(ret);
	buffer_add(ret, "", 0);
	assert_ok(tar_reader_open(&in, &r, err), err);
	while ((rc = tar_reader_next(r, &e, err)) == 0)
		if (describe_member(r, e, ret, err) < 0)
			return -1;
	if (rc < 0)
		return -1;
	return tar_reader_finish(r, err);
}

/* Skipping all data must come to the same end. */
static int only_skip(const struct buffer *tar, size_t piece, struct error *err)
{
	struct stream *in =
		pieces_stream(&(struct pieces){.data = tar->data, .len = tar->len, .piece = piece});
	cleanup(tar_reader_close_ptr) struct tar_reader *r = NULL;

	assert_ok(tar_reader_open(&in, &r, err), err);
	return tar_reader_finish(r, err);
}

static const size_t piece_sizes[] = {1, 3, 511, 512, 513, 10000, SIZE_MAX};

void assert_tar_reads(const struct buffer *tar, const char *expected)
{
	cleanup_buffer struct buffer got = {0};
	struct error err = {0};

	for (size_t i = 0; i < ARRAY_SIZE(piece_sizes); i++) {
		assert_ok(tar_describe(tar, piece_sizes[i], &got, &err), &err);
		assert_string_equal((const char *)got.data, expected);
		assert_ok(only_skip(tar, piece_sizes[i], &err), &err);
	}
}

void assert_tar_refused(const struct buffer *tar, const char *before, const char *why)
{
	cleanup_buffer struct buffer got = {0};

	for (size_t i = 0; i < ARRAY_SIZE(piece_sizes); i++) {
		struct error err = {0};

		assert_int_equal(tar_describe(tar, piece_sizes[i], &got, &err), -1);
		assert_error(&err, ERR_INVALID, why);
		assert_string_equal((const char *)got.data, before);
		error_clear(&err);
		assert_int_equal(only_skip(tar, piece_sizes[i], &err), -1);
		assert_error(&err, ERR_INVALID, why);
	}
}
