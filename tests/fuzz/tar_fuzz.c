/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a tar: the reader must end within its bounds, keep its promises about entries, and
 * see the same whatever the size of the pieces it is fed. A fuzzer cannot guess checksums: with an
 * odd first byte each block that says "ustar" is given the right one. The second byte is the size
 * of the pieces.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/tar/reader.h"
#include "tests/support/pieces.h"
#include "tests/support/tar_maker.h"

enum { BLOCK = 512, MAGIC_AT = 257 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void seal_headers(struct buffer *tar)
{
	for (size_t at = 0; at + BLOCK <= tar->len; at += BLOCK)
		if (!memcmp(tar->data + at + MAGIC_AT, "ustar", 5))
			tar_make_seal(tar, at);
}

static void hash_entry(struct hash *h, const struct tar_entry *e)
{
	must(strlen(e->path) == e->path_len);
	must((e->link != NULL) == (e->type == TAR_SYMLINK || e->type == TAR_HARDLINK));
	must(!e->link || (e->link_len > 0 && strlen(e->link) == e->link_len));
	must(e->mtime.nsec < 1000000000 && e->atime.nsec < 1000000000);
	must(e->type == TAR_REGULAR || e->size_bytes == 0);
	must(e->uid != UINT32_MAX && e->gid != UINT32_MAX && e->mode <= 07777);
	hash_update(h, e->path, e->path_len + 1);
	hash_update(h, e->link ? e->link : "", e->link_len);
	hash_update(h, &e->size_bytes, sizeof(e->size_bytes));
	hash_update(h, &e->mtime.sec, sizeof(e->mtime.sec));
	hash_update(h, &e->mode, sizeof(e->mode));
	for (size_t i = 0; i < e->n_xattrs; i++) {
		hash_update(h, e->xattrs[i].name, strlen(e->xattrs[i].name) + 1);
		hash_update(h, e->xattrs[i].value, e->xattrs[i].value_len);
	}
}

static int hash_data(struct tar_reader *r, const struct tar_entry *e, struct hash *h,
		     struct error *err)
{
	uint64_t offset, end = 0;
	const uint8_t *piece;
	size_t n;
	int rc;

	while ((rc = tar_reader_data(r, &piece, &n, &offset, err)) == 0) {
		must(n > 0 && offset >= end && offset <= e->size_bytes
		     && n <= e->size_bytes - offset);
		hash_update(h, &offset, offset == end ? 0 : sizeof(offset));
		hash_update(h, piece, n);
		end = offset + n;
	}
	return rc;
}

/* Returns whether it is an archive; the digest is of all that was seen until then. */
static bool read_archive(const struct buffer *tar, size_t piece, bool with_data, struct digest *ret)
{
	struct stream *in =
		pieces_stream(&(struct pieces){.data = tar->data, .len = tar->len, .piece = piece});
	cleanup(tar_reader_close_ptr) struct tar_reader *r = NULL;
	cleanup(hash_free_ptr) struct hash *h = hash_new(DIGEST_SHA256);
	const struct tar_entry *e;
	struct error err = {0};
	int rc;

	must(tar_reader_open(&in, &r, &err) == 0);
	while ((rc = tar_reader_next(r, &e, &err)) == 0) {
		hash_entry(h, e);
		if (with_data && hash_data(r, e, h, &err) < 0)
			break;
	}
	rc = tar_reader_finish(r, &err);
	must(rc == 0 || (err.kind == ERR_INVALID && err.cause[0] && err.context[0]));
	hash_final(h, ret);
	return rc == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_buffer struct buffer tar = {0};
	struct digest small, whole, skipped;
	bool valid;

	if (size < 2)
		return 0;
	buffer_add(&tar, data + 2, size - 2);
	if (data[0] & 1)
		seal_headers(&tar);
	valid = read_archive(&tar, 1 + data[1] * 3, true, &small);
	must(read_archive(&tar, SIZE_MAX, true, &whole) == valid);
	must(!valid || digest_equal(&small, &whole));
	must(read_archive(&tar, 4096, false, &skipped) == valid);
	return 0;
}
