/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints what the reader sees in a tar, for comparison with other readers: one JSON object in a
 * line for each member, names and values in hex. `tar_list FILE`; exit status 1 and one line on
 * stderr when it is refused.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pkg/tar/reader.h"

static const char *const type_names[] = {
	[TAR_REGULAR] = "file",	 [TAR_DIRECTORY] = "dir", [TAR_SYMLINK] = "symlink",
	[TAR_HARDLINK] = "link", [TAR_CHAR] = "char",	  [TAR_BLOCK] = "block",
	[TAR_FIFO] = "fifo",
};

static void print_bytes(const void *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		printf("%02x", ((const unsigned char *)data)[i]);
}

static void print_hex(const char *key, const void *data, size_t len)
{
	printf("\"%s\": \"", key);
	print_bytes(data, len);
	printf("\"");
}

static void hash_zeros(struct hash *h, uint64_t n)
{
	static const uint8_t zeros[65536];

	while (n > 0) {
		size_t step = n < sizeof(zeros) ? (size_t)n : sizeof(zeros);

		hash_update(h, zeros, step);
		n -= step;
	}
}

/* Of the file as it will be, holes included. */
static int content_digest(struct tar_reader *r, uint64_t size, char *text, struct error *err)
{
	cleanup(hash_free_ptr) struct hash *h = hash_new(DIGEST_SHA256);
	uint64_t at = 0, offset;
	const uint8_t *piece;
	struct digest d;
	size_t n;
	int rc;

	while ((rc = tar_reader_data(r, &piece, &n, &offset, err)) == 0) {
		hash_zeros(h, offset - at);
		hash_update(h, piece, n);
		at = offset + n;
	}
	if (rc < 0)
		return -1;
	hash_zeros(h, size - at);
	hash_final(h, &d);
	digest_hex(&d, text);
	return 0;
}

static int print_entry(struct tar_reader *r, const struct tar_entry *e, struct error *err)
{
	char text[DIGEST_TEXT_BYTES];

	printf("{\"type\": \"%s\", ", type_names[e->type]);
	print_hex("path", e->path, e->path_len);
	printf(", ");
	print_hex("link", e->link, e->link ? e->link_len : 0);
	printf(", \"mode\": %" PRIu32 ", \"uid\": %" PRIu32 ", \"gid\": %" PRIu32, e->mode, e->uid,
	       e->gid);
	printf(", \"mtime\": [%" PRId64 ", %" PRIu32 "], \"size\": %" PRIu64, e->mtime.sec,
	       e->mtime.nsec, e->size_bytes);
	printf(", \"rdev\": [%" PRIu32 ", %" PRIu32 "], \"xattrs\": {", e->rdev_major,
	       e->rdev_minor);
	for (size_t i = 0; i < e->n_xattrs; i++) {
		printf("%s", i ? ", \"" : "\"");
		print_bytes(e->xattrs[i].name, strlen(e->xattrs[i].name));
		printf("\": \"");
		print_bytes(e->xattrs[i].value, e->xattrs[i].value_len);
		printf("\"");
	}
	printf("}");
	if (e->type == TAR_REGULAR) {
		if (content_digest(r, e->size_bytes, text, err) < 0)
			return -1;
		printf(", \"sha256\": \"%s\"", text);
	}
	printf("}\n");
	return 0;
}

static int list(const char *path, struct error *err)
{
	cleanup(tar_reader_close_ptr) struct tar_reader *r = NULL;
	cleanup(stream_close_ptr) struct stream *in = NULL;
	const struct tar_entry *e;
	int rc;

	if (stream_open_file(path, &in, err) < 0 || tar_reader_open(&in, &r, err) < 0)
		return -1;
	while ((rc = tar_reader_next(r, &e, err)) == 0)
		if (print_entry(r, e, err) < 0)
			return -1;
	return rc < 0 ? -1 : tar_reader_finish(r, err);
}

int main(int argc, char **argv)
{
	struct error err = {0};
	char text[1024];

	if (argc != 2)
		return 2;
	if (list(argv[1], &err) < 0) {
		error_text(&err, text, sizeof(text));
		fprintf(stderr, "%s\n", text);
		return 1;
	}
	return 0;
}
