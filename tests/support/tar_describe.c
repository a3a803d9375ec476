/* SPDX-License-Identifier: Apache-2.0 */
/* What the tar reader sees, as text. */
#include "tests/support/tar_describe.h"

#include <stdlib.h>
#include <string.h>

#include "pkg/base/alloc.h"
#include "pkg/tar/reader.h"
#include "tests/support/cmocka.h"
#include "tests/support/pieces.h"

enum { SHOWN_BYTES = 64 };

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
