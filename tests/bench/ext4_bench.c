/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Speed of the ext4 writer: a made-up image of N files (most are small, a few are large), then a
 * layer of one file on top of it; N empty files in one directory, then layers that change it.
 *
 *   ext4_bench [FILES [IMAGE]]     50,000 files, a sparse file under /tmp
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

#include "pkg/base/alloc.h"
#include "pkg/base/fdio.h"
#include "pkg/ext4/base.h"
#include "pkg/ext4/writer.h"
#include "pkg/thin/engine.h"

enum { FILES_IN_DIR = 13, FILES_IN_TOP = 50 * FILES_IN_DIR, PIECE = 64 * 1024 };

static const uint64_t VOLUME_BYTES = UINT64_C(64) << 30;

/* A volume in a plain file that counts what goes through. */
struct file_volume {
	struct thin_volume volume;
	int fd;
	int direct; /* the same without page cache, -1 where that cannot be */
	uint64_t read, written;
};

static int file_read(struct thin_volume *v, void *buf, size_t len, uint64_t offset,
		     struct error *err)
{
	struct file_volume *f = (struct file_volume *)v;

	f->read += len;
	return fdio_pread(f->fd, buf, len, offset, "image", err);
}

static int file_write(struct thin_volume *v, const void *buf, size_t len, uint64_t offset,
		      struct error *err)
{
	struct file_volume *f = (struct file_volume *)v;

	bool aligned = ((uintptr_t)buf | len | offset) % 4096 == 0;

	f->written += len;
	return fdio_pwrite(aligned && f->direct >= 0 ? f->direct : f->fd, buf, len, offset, "image",
			   err);
}

static int file_next_mapped(struct thin_volume *v, uint64_t offset, uint64_t *ret_offset,
			    uint64_t *ret_len, struct error *err)
{
	struct file_volume *f = (struct file_volume *)v;
	off_t data = lseek(f->fd, (off_t)offset, SEEK_DATA);

	if (data < 0)
		return errno == ENXIO ? 1 : error_sys(err, "seek");
	*ret_offset = (uint64_t)data;
	*ret_len = (uint64_t)(lseek(f->fd, data, SEEK_HOLE) - data);
	return 0;
}

static void file_close(struct thin_volume *v)
{
	(void)v;
}

static const struct thin_volume_ops file_ops = {
	.read = file_read,
	.write = file_write,
	.next_mapped = file_next_mapped,
	.close = file_close,
};

static void die(const struct error *err)
{
	char text[1024];

	error_text(err, text, sizeof(text));
	fprintf(stderr, "ext4_bench: %s\n", text);
	exit(1);
}

static double seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static double wall_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* 65 % below 4 KiB, 32 % below 32 KiB, the rest up to 1 MiB. */
static size_t size_of(unsigned i)
{
	unsigned h = i * 2654435761u;

	if (h % 100 < 65)
		return h / 100 % 4096;
	if (h % 100 < 97)
		return h / 100 % 32768;
	return h / 100 % (1 << 20);
}

struct fill {
	struct ext4_writer *w;
	struct ext4_node *top, *dir;
	const uint8_t *data;
	uint64_t bytes;
};

static int add_dir(struct fill *f, struct ext4_node *above, unsigned i, struct ext4_node **ret,
		   struct error *err)
{
	static const struct ext4_meta meta = {.mode = S_IFDIR | 0755, .mtime = {1700000000, 0}};
	char name[64];
	size_t n = (size_t)snprintf(name, sizeof(name), "directory-%u", i);

	return ext4_writer_make(f->w, above, name, n, &meta, ret, err);
}

static int add_file(struct fill *f, unsigned i, struct error *err)
{
	static const struct ext4_meta meta = {.mode = S_IFREG | 0644, .mtime = {1700000000, 0}};
	size_t size = size_of(i), n;
	struct ext4_node *node;
	char name[64];

	n = (size_t)snprintf(name, sizeof(name), "name-of-file-%u", i);
	if (ext4_writer_make(f->w, f->dir, name, n, &meta, &node, err) < 0)
		return -1;
	for (size_t at = 0; at < size; at += PIECE)
		if (ext4_writer_data(f->w, node, f->data, size - at < PIECE ? size - at : PIECE, at,
				     err)
		    < 0)
			return -1;
	f->bytes += size;
	return ext4_writer_data_end(f->w, node, size, err);
}

static int add_files(struct fill *f, unsigned first, unsigned n, struct error *err)
{
	for (unsigned i = first; i < first + n; i++) {
		if ((i == first || i % FILES_IN_TOP == 0)
		    && add_dir(f, ext4_writer_root(f->w), i, &f->top, err) < 0)
			return -1;
		if ((i == first || i % FILES_IN_DIR == 0)
		    && add_dir(f, f->top, i, &f->dir, err) < 0)
			return -1;
		if (add_file(f, i, err) < 0)
			return -1;
	}
	return 0;
}

/* Empty files in one directory, which is there already for a layer. */
static int add_flat(struct fill *f, unsigned first, unsigned n, struct error *err)
{
	static const struct ext4_meta dir = {.mode = S_IFDIR | 0755};
	static const struct ext4_meta file = {.mode = S_IFREG | 0644};
	struct ext4_node *at, *node, *root = ext4_writer_root(f->w);

	if (ext4_writer_lookup(f->w, root, "flat", 4, &at, err) < 0
	    || (!at && ext4_writer_make(f->w, root, "flat", 4, &dir, &at, err) < 0))
		return -1;
	for (unsigned i = first; i < first + n; i++) {
		char name[64];
		size_t len = (size_t)snprintf(name, sizeof(name), "name-of-one-of-many-%u", i);

		if (ext4_writer_make(f->w, at, name, len, &file, &node, err) < 0)
			return -1;
	}
	return 0;
}

typedef int add_fn(struct fill *f, unsigned first, unsigned n, struct error *err);

static int layer(struct file_volume *v, struct ext4_tree *tree, add_fn *add, unsigned first,
		 unsigned n, uint64_t *ret_bytes, struct error *err)
{
	static const uint8_t uuid[16] = {1};
	cleanup(ext4_writer_abort_ptr) struct ext4_writer *w = NULL;
	cleanup_free uint8_t *data = xmalloc(PIECE);
	struct fill f = {.data = data};

	memset(data, 'x', PIECE);
	if (ext4_writer_open(&v->volume, tree, uuid, &w, err) < 0)
		return -1;
	f.w = w;
	if (add(&f, first, n, err) < 0)
		return -1;
	*ret_bytes = f.bytes;
	return ext4_writer_finish(&w, err);
}

static void print_value(const char *what, unsigned n, const char *name, double value)
{
	printf("%s_%u_%s %.9f\n", what, n, name, value);
}

static void measure(const char *what, struct file_volume *v, struct ext4_tree *tree, add_fn *add,
		    unsigned first, unsigned n)
{
	double wall = wall_seconds(), cpu;
	struct rusage before, after;
	struct error err = {0};
	uint64_t bytes = 0;

	getrusage(RUSAGE_SELF, &before);
	v->read = v->written = 0;
	if (layer(v, tree, add, first, n, &bytes, &err) < 0)
		die(&err);
	wall = wall_seconds() - wall;
	getrusage(RUSAGE_SELF, &after);
	cpu = seconds(after.ru_utime) + seconds(after.ru_stime) - seconds(before.ru_utime)
	      - seconds(before.ru_stime);
	print_value(what, n, "wall", wall);
	print_value(what, n, "cpu", cpu);
	print_value(what, n, "mb", (double)bytes / 1e6);
	print_value(what, n, "read_kib", (double)v->read / 1024);
	print_value(what, n, "written_kib", (double)v->written / 1024);
	print_value(what, n, "peak_mib", (double)after.ru_maxrss / 1024);
}

int main(int argc, char **argv)
{
	unsigned files = argc == 3 ? (unsigned)strtoul(argv[1], NULL, 10) : 0;
	struct file_volume v = {.volume = {.ops = &file_ops,
					   .size_bytes = VOLUME_BYTES,
					   .block_bytes = 64 * 1024,
					   .writable = true}};
	struct ext4_base_params params = {0};
	struct ext4_tree *tree = ext4_tree_new(), *fresh = ext4_tree_new();
	struct error err = {0};

	if (!files) {
		fprintf(stderr, "usage: ext4_bench FILES IMAGE\n");
		return 2;
	}
	v.fd = open(argv[2], O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (v.fd < 0 || ftruncate(v.fd, (off_t)VOLUME_BYTES) < 0) {
		perror(argv[2]);
		return 1;
	}
	v.direct = open(argv[2], O_RDWR | O_DIRECT | O_CLOEXEC);
	if (ext4_base_create(&v.volume, &params, &err) < 0)
		die(&err);
	measure("fill", &v, tree, add_files, 0, files);
	measure("one", &v, tree, add_files, files, 1);
	measure("cold", &v, fresh, add_files, files + 1, 1);
	measure("dir", &v, tree, add_flat, 0, files);
	for (unsigned n = 1, at = files; n <= files / 10; at += 2 * n, n *= 10) {
		measure("add", &v, tree, add_flat, at, n);
		ext4_tree_free(fresh);
		fresh = ext4_tree_new();
		measure("add_cold", &v, fresh, add_flat, at + n, n);
		ext4_tree_free(tree);
		tree = steal(&fresh);
	}
	ext4_tree_free(tree);
	ext4_tree_free(fresh);
	close(v.fd);
	if (v.direct >= 0)
		close(v.direct);
	return 0;
}
