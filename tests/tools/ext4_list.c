/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints the tree of a raw ext4 image through our own reader, in the form that
 * tests/support/tree.py describes, so that it can be held against other readings of the same tree.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/bytes.h"
#include "pkg/base/fdio.h"
#include "pkg/digest/digest.h"
#include "pkg/ext4/read.h"
#include "pkg/thin/engine.h"

enum { HASH_BLOCK = 4096, READ_BYTES = 1 << 20 };

/* Files above this size are hashed by their blocks that are not zeros. */
static const uint64_t HUGE_BYTES = 1ULL << 30;

/* A raw file as a thin volume that can only be read. */
struct raw_volume {
	struct thin_volume base;
	int fd;
};

struct entry {
	char *path;
	struct ext4_stat st;
	const char *group; /* first path with the same inode */
};

struct list {
	struct entry *items;
	size_t n, room;
};

static int raw_read(struct thin_volume *v, void *buf, size_t len, uint64_t offset,
		    struct error *err)
{
	struct raw_volume *raw = (struct raw_volume *)v;

	return fdio_pread(raw->fd, buf, len, offset, "image", err);
}

static int raw_write(struct thin_volume *v, const void *buf, size_t len, uint64_t offset,
		     struct error *err)
{
	(void)v, (void)buf, (void)len, (void)offset;
	return error_set(err, ERR_UNSUPPORTED, "an image is only read here");
}

static int raw_next_mapped(struct thin_volume *v, uint64_t offset, uint64_t *ret_offset,
			   uint64_t *ret_len, struct error *err)
{
	struct raw_volume *raw = (struct raw_volume *)v;
	off_t data = lseek(raw->fd, (off_t)offset, SEEK_DATA);

	(void)err;
	if (data < 0)
		return 1;
	*ret_offset = (uint64_t)data;
	*ret_len = (uint64_t)(lseek(raw->fd, data, SEEK_HOLE) - data);
	return 0;
}

static void raw_close(struct thin_volume *v)
{
	(void)v;
}

static const struct thin_volume_ops raw_ops = {
	.read = raw_read,
	.write = raw_write,
	.next_mapped = raw_next_mapped,
	.close = raw_close,
};

static char type_letter(uint32_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return 'f';
	case S_IFDIR:
		return 'd';
	case S_IFLNK:
		return 'l';
	case S_IFCHR:
		return 'c';
	case S_IFBLK:
		return 'b';
	case S_IFIFO:
		return 'p';
	case S_IFSOCK:
		return 's';
	default:
		return '?';
	}
}

/* Bytes outside 0x20..0x7e and '%' as %XX, and what JSON wants escaped. */
static void print_text(const void *text, size_t len)
{
	const uint8_t *p = text;

	putchar('"');
	for (size_t i = 0; i < len; i++) {
		if (p[i] < 0x20 || p[i] > 0x7e || p[i] == '%')
			printf("%%%02X", p[i]);
		else if (p[i] == '"' || p[i] == '\\')
			printf("\\%c", p[i]);
		else
			putchar(p[i]);
	}
	putchar('"');
}

static void print_hex(const void *data, size_t len)
{
	const uint8_t *p = data;

	putchar('"');
	for (size_t i = 0; i < len; i++)
		printf("%02x", p[i]);
	putchar('"');
}

static bool all_zero(const uint8_t *p, size_t len)
{
	return len == 0 || (p[0] == 0 && memcmp(p, p + 1, len - 1) == 0);
}

static void hash_block(struct hash *h, const uint8_t *data, size_t len, uint64_t offset)
{
	uint8_t where[8];

	if (all_zero(data, len))
		return;
	put_le64(where, offset);
	hash_update(h, where, sizeof(where));
	hash_update(h, data, len);
}

/* One run of a huge file, from a block boundary on. Returns the end of what was hashed. */
static int hash_run(struct ext4_reader *r, const struct ext4_stat *st, struct hash *h,
		    uint64_t *offset, uint64_t end, struct error *err)
{
	uint8_t block[HASH_BLOCK];
	size_t n;

	while (*offset < end) {
		if (ext4_reader_read(r, st->inode, block, sizeof(block), *offset, &n, err) < 0)
			return -1;
		hash_block(h, block, n, *offset);
		*offset += HASH_BLOCK;
	}
	return 0;
}

static int hash_blocks(struct ext4_reader *r, const struct ext4_stat *st, struct hash *h,
		       struct error *err)
{
	uint64_t at = 0, data, len;
	int rc;

	while ((rc = ext4_reader_next_data(r, st->inode, at, &data, &len, err)) == 0) {
		uint64_t start = data / HASH_BLOCK * HASH_BLOCK;

		if (start > at)
			at = start;
		if (hash_run(r, st, h, &at, data + len, err) < 0)
			return -1;
	}
	return rc < 0 ? -1 : 0;
}

static int hash_whole(struct ext4_reader *r, const struct ext4_stat *st, struct hash *h,
		      struct error *err)
{
	cleanup_free uint8_t *buf = xmalloc(READ_BYTES);
	uint64_t offset = 0;
	size_t n;

	do {
		if (ext4_reader_read(r, st->inode, buf, READ_BYTES, offset, &n, err) < 0)
			return -1;
		hash_update(h, buf, n);
		offset += n;
	} while (n > 0);
	if (offset != st->size_bytes)
		return error_set(err, ERR_INCONSISTENT, "read %" PRIu64 " of %" PRIu64 " bytes",
				 offset, st->size_bytes);
	return 0;
}

static int print_content(struct ext4_reader *r, const struct ext4_stat *st, struct error *err)
{
	cleanup(hash_free_ptr) struct hash *h = hash_new(DIGEST_SHA256);
	bool huge = st->size_bytes > HUGE_BYTES;
	struct digest d;

	if ((huge ? hash_blocks : hash_whole)(r, st, h, err) < 0)
		return -1;
	hash_final(h, &d);
	printf(", \"size\": %" PRIu64 ", \"%s\": ", st->size_bytes,
	       huge ? "blocks_sha256" : "sha256");
	print_hex(d.bytes, digest_len(&d));
	return 0;
}

static int print_xattr(const struct ext4_xattr *xattr, void *arg, struct error *err)
{
	size_t *n = arg;

	(void)err;
	printf("%s", (*n)++ == 0 ? ", \"xattrs\": {" : ", ");
	print_text(xattr->name, strlen(xattr->name));
	printf(": ");
	print_hex(xattr->value, xattr->value_len);
	return 0;
}

static int print_target(struct ext4_reader *r, uint32_t inode, struct error *err)
{
	cleanup_buffer struct buffer target = {0};

	if (ext4_reader_readlink(r, inode, &target, err) < 0)
		return -1;
	printf(", \"target\": ");
	print_text(target.data, target.len);
	return 0;
}

static int print_entry(struct ext4_reader *r, const struct entry *e, struct error *err)
{
	const struct ext4_meta *m = &e->st.meta;
	char type = type_letter(m->mode);
	size_t xattrs = 0;

	printf("{\"path\": ");
	print_text(e->path, strlen(e->path));
	printf(", \"type\": \"%c\", \"uid\": %u, \"gid\": %u", type, m->uid, m->gid);
	printf(", \"mtime\": [%" PRId64 ", %u], \"nlink\": %u", m->mtime.sec, m->mtime.nsec,
	       e->st.links);
	if (type != 'l')
		printf(", \"mode\": \"%04o\"", m->mode & 07777);
	if (type != 'd') {
		printf(", \"ino_group\": ");
		print_text(e->group, strlen(e->group));
	}
	if (type == 'c' || type == 'b')
		printf(", \"rdev\": \"%u:%u\"", m->rdev_major, m->rdev_minor);
	if (type == 'l' && print_target(r, e->st.inode, err) < 0)
		return -1;
	if (type == 'f' && print_content(r, &e->st, err) < 0)
		return -1;
	if (ext4_reader_xattrs(r, e->st.inode, print_xattr, &xattrs, err) < 0)
		return -1;
	printf("%s}\n", xattrs ? "}" : "");
	return 0;
}

static int collect(const char *path, const struct ext4_stat *st, void *arg, struct error *err)
{
	struct list *list = arg;

	(void)err;
	ALLOC_GROW(list->items, list->n + 1, list->room);
	list->items[list->n++] = (struct entry){.path = xstrdup(path), .st = *st};
	return 0;
}

static int by_path(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return strcmp(x->path, y->path);
}

static int by_inode(const void *a, const void *b)
{
	const struct entry *const *x = a, *const *y = b;

	if ((*x)->st.inode != (*y)->st.inode)
		return (*x)->st.inode < (*y)->st.inode ? -1 : 1;
	return strcmp((*x)->path, (*y)->path);
}

static void find_groups(struct list *list)
{
	cleanup_free struct entry **sorted = xcalloc(list->n, sizeof(struct entry *));

	for (size_t i = 0; i < list->n; i++)
		sorted[i] = &list->items[i];
	qsort(sorted, list->n, sizeof(struct entry *), by_inode);
	for (size_t i = 0; i < list->n; i++) {
		bool same = i > 0 && sorted[i]->st.inode == sorted[i - 1]->st.inode;

		sorted[i]->group = same ? sorted[i - 1]->group : sorted[i]->path;
	}
}

static int print_tree(struct ext4_reader *r, struct list *list, struct error *err)
{
	if (ext4_reader_walk(r, collect, list, err) < 0)
		return -1;
	qsort(list->items, list->n, sizeof(*list->items), by_path);
	find_groups(list);
	for (size_t i = 0; i < list->n; i++) {
		if (print_entry(r, &list->items[i], err) < 0)
			return error_wrap(err, "%s", list->items[i].path);
	}
	return 0;
}

static int list_image(const char *path, struct error *err)
{
	cleanup(ext4_reader_close_ptr) struct ext4_reader *r = NULL;
	struct raw_volume raw = {.base = {.ops = &raw_ops, .block_bytes = 65536}};
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct list list = {0};
	struct stat st;
	int rc;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_sys(err, "open %s", path);
	raw.fd = fd;
	raw.base.size_bytes = (uint64_t)st.st_size;
	if (ext4_reader_open(&raw.base, &r, err) < 0)
		return -1;
	rc = print_tree(r, &list, err);
	for (size_t i = 0; i < list.n; i++)
		free(list.items[i].path);
	free(list.items);
	return rc;
}

int main(int argc, char **argv)
{
	struct error err = {0};
	char text[1024];

	if (argc != 2) {
		fprintf(stderr, "usage: ext4_list IMAGE\n");
		return 3;
	}
	if (list_image(argv[1], &err) < 0) {
		error_text(&err, text, sizeof(text));
		fprintf(stderr, "ext4_list: %s\n", text);
		return 1;
	}
	return 0;
}
