/* SPDX-License-Identifier: Apache-2.0 */
/* Makes tars block by block with every field under control. */
#pragma once

#include "pkg/base/buffer.h"

/* A header; what is NULL or 0 gets a harmless value. Texts go into their fields as they are. */
struct tar_maker {
	const char *name;
	char type; /* 0 is '0'; for NUL use TAR_MAKER_NUL */
	const char *link;
	const char *magic; /* 8 bytes, "ustar\00000" */
	const char *prefix;
	const char *mode, *uid, *gid, *mtime, *devmajor, *devminor;
	const char *size; /* instead of data_len */
	const void *data; /* follows the header, padded */
	size_t data_len;
};

enum { TAR_MAKER_NUL = -1 };

/* Header and data; returns where the header is, so that a test can change it and seal it anew. */
size_t tar_make(struct buffer *tar, const struct tar_maker *m);
/* A file with text in it. */
void tar_make_file(struct buffer *tar, const char *name, const char *text);
/* Put the right checksum into a header. */
void tar_make_seal(struct buffer *tar, size_t header);
/* Numbers in a field: octal digits and a NUL. */
void tar_make_octal(char *field, size_t size, uint64_t value);

/* One record "length key=value\n". */
void tar_make_record(struct buffer *records, const char *key, const void *value, size_t len);
void tar_make_text_record(struct buffer *records, const char *key, const char *value);
/* A member of type x or g with these records. */
void tar_make_pax(struct buffer *tar, char type, const struct buffer *records);
/* An x member with one record. */
void tar_make_pax1(struct buffer *tar, const char *key, const char *value);
/* A member of type L or K. */
void tar_make_long(struct buffer *tar, char type, const char *text);
/* Zeros up to the next block. */
void tar_make_pad(struct buffer *tar);
void tar_make_zeros(struct buffer *tar, size_t n);
/* Two zero blocks. */
void tar_make_end(struct buffer *tar);
