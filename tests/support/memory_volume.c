/* SPDX-License-Identifier: Apache-2.0 */
/* Reference-counted blocks in an array that the system fills in lazily, so 1 TiB costs little. */
#include "tests/support/memory_volume.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pkg/base/alloc.h"

enum { DEFAULT_BLOCK_BYTES = 64 * 1024 };

struct memory_block {
	unsigned refs;
	uint8_t data[];
};

static struct memory_volume *self(struct thin_volume *v)
{
	return (struct memory_volume *)v;
}

static void die(const char *what, const char *path)
{
	fprintf(stderr, "%s %s: %s\n", what, path, strerror(errno));
	abort();
}

/* Count down to the call that fails; that one and, unless told otherwise, all later ones do. */
static int fault(struct memory_volume *v, uint64_t *countdown, const char *what, struct error *err)
{
	if (*countdown == 0)
		return 0;
	if (*countdown > 1) {
		(*countdown)--;
		return 0;
	}
	*countdown = v->fail_once ? 0 : 1;
	v->faults++;
	error_set(err, v->fail_kind ? v->fail_kind : ERR_SYSTEM, "injected fault: %s", what);
	if (err->kind == ERR_SYSTEM)
		err->sys = EIO;
	return -1;
}

static int volume_read(struct thin_volume *volume, void *buf, size_t len, uint64_t offset,
		       struct error *err)
{
	struct memory_volume *v = self(volume);
	uint32_t size = volume->block_bytes;
	uint8_t *out = buf;

	if (fault(v, &v->fail_read, "read", err) < 0)
		return -1;
	v->counts.reads++;
	v->counts.bytes_read += len;
	while (len > 0) {
		const struct memory_block *block = v->blocks[offset / size];
		size_t skip = offset % size, n = len < size - skip ? len : size - skip;

		if (block)
			memcpy(out, block->data + skip, n);
		else
			memset(out, 0, n);
		out += n;
		offset += n;
		len -= n;
	}
	return 0;
}

/* The block at index, alone in our hands. */
static struct memory_block *own_block(struct memory_volume *v, uint64_t index)
{
	uint32_t size = v->volume.block_bytes;
	struct memory_block *old = v->blocks[index], *new = old;

	if (!old || old->refs > 1) {
		new = xcalloc(1, sizeof(*new) + size);
		new->refs = 1;
		v->blocks[index] = new;
	}
	if (!old) {
		v->counts.mapped_blocks++;
	} else if (old != new) {
		memcpy(new->data, old->data, size);
		old->refs--;
		v->counts.copied_blocks++;
	}
	if (!v->dirty[index]) {
		v->dirty[index] = 1;
		v->counts.dirty_blocks++;
	}
	return new;
}

static void store(struct memory_volume *v, const uint8_t *in, size_t len, uint64_t offset)
{
	uint32_t size = v->volume.block_bytes;

	while (len > 0) {
		size_t skip = offset % size, n = len < size - skip ? len : size - skip;

		memcpy(own_block(v, offset / size)->data + skip, in, n);
		in += n;
		offset += n;
		len -= n;
	}
}

static int volume_write(struct thin_volume *volume, const void *buf, size_t len, uint64_t offset,
			struct error *err)
{
	struct memory_volume *v = self(volume);

	if (fault(v, &v->fail_write, "write", err) < 0)
		return -1;
	v->counts.writes++;
	v->counts.bytes_written += len;
	store(v, buf, len, offset);
	return 0;
}

static int volume_discard(struct thin_volume *volume, uint64_t offset, uint64_t len,
			  struct error *err)
{
	struct memory_volume *v = self(volume);
	uint32_t size = volume->block_bytes;

	(void)err;
	assert(offset % size == 0 && (len % size == 0 || offset + len == volume->size_bytes));
	for (uint64_t i = offset / size; i * size < offset + len; i++) {
		if (v->blocks[i] && --v->blocks[i]->refs == 0)
			free(v->blocks[i]);
		v->blocks[i] = NULL;
	}
	return 0;
}

static int volume_next_mapped(struct thin_volume *volume, uint64_t offset, uint64_t *ret_offset,
			      uint64_t *ret_len, struct error *err)
{
	struct memory_volume *v = self(volume);
	uint64_t size = volume->block_bytes, first = offset / size, last, start, end;

	if (fault(v, &v->fail_read, "look for what is mapped", err) < 0)
		return -1;
	while (first < v->n_blocks && !v->blocks[first])
		first++;
	if (first == v->n_blocks)
		return 1;
	for (last = first; last + 1 < v->n_blocks && v->blocks[last + 1];)
		last++;
	start = first * size > offset ? first * size : offset;
	end = (last + 1) * size < volume->size_bytes ? (last + 1) * size : volume->size_bytes;
	*ret_offset = start;
	*ret_len = end - start;
	return 0;
}

static void volume_close(struct thin_volume *volume)
{
	memory_volume_free(self(volume));
}

static const struct thin_volume_ops memory_ops = {
	.read = volume_read,
	.write = volume_write,
	.discard = volume_discard,
	.next_mapped = volume_next_mapped,
	.close = volume_close,
};

struct memory_volume *memory_volume_new(uint64_t size_bytes, uint32_t block_bytes)
{
	struct memory_volume *v = xcalloc(1, sizeof(*v));

	v->volume.ops = &memory_ops;
	v->volume.size_bytes = size_bytes;
	v->volume.block_bytes = block_bytes ? block_bytes : DEFAULT_BLOCK_BYTES;
	v->volume.writable = true;
	v->n_blocks = (size_bytes + v->volume.block_bytes - 1) / v->volume.block_bytes;
	v->blocks = xcalloc(v->n_blocks + 1, sizeof(v->blocks[0]));
	v->dirty = xcalloc(v->n_blocks + 1, 1);
	return v;
}

struct memory_volume *memory_volume_snapshot(struct memory_volume *origin)
{
	struct memory_volume *v =
		memory_volume_new(origin->volume.size_bytes, origin->volume.block_bytes);
	uint64_t i;

	for (i = 0; i < v->n_blocks; i++) {
		if (!origin->blocks[i])
			continue;
		v->blocks[i] = origin->blocks[i];
		v->blocks[i]->refs++;
	}
	v->counts.mapped_blocks = origin->counts.mapped_blocks;
	return v;
}

void memory_volume_free(struct memory_volume *v)
{
	uint64_t i;

	if (!v)
		return;
	for (i = 0; i < v->n_blocks; i++)
		if (v->blocks[i] && --v->blocks[i]->refs == 0)
			free(v->blocks[i]);
	free(v->blocks);
	free(v->dirty);
	free(v);
}

void memory_volume_reset_counts(struct memory_volume *v)
{
	v->counts = (struct memory_volume_counts){.mapped_blocks = v->counts.mapped_blocks};
	memset(v->dirty, 0, v->n_blocks);
}

void memory_volume_dump(const struct memory_volume *v, const char *path)
{
	cleanup_fd int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	uint64_t i, size = v->volume.block_bytes;

	if (fd < 0 || ftruncate(fd, (off_t)v->volume.size_bytes) < 0)
		die("make", path);
	for (i = 0; i < v->n_blocks; i++) {
		uint64_t left = v->volume.size_bytes - i * size, n = left < size ? left : size;

		if (v->blocks[i]
		    && pwrite(fd, v->blocks[i]->data, n, (off_t)(i * size)) != (ssize_t)n)
			die("write", path);
	}
}

struct memory_volume *memory_volume_load(const char *path, uint32_t block_bytes)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	cleanup_free uint8_t *buf = NULL;
	struct memory_volume *v;
	struct stat st;
	off_t at = 0, end;

	if (fd < 0 || fstat(fd, &st) < 0)
		die("open", path);
	v = memory_volume_new((uint64_t)st.st_size, block_bytes);
	buf = xmalloc(DEFAULT_BLOCK_BYTES);
	while ((at = lseek(fd, at, SEEK_DATA)) >= 0) {
		for (end = lseek(fd, at, SEEK_HOLE); at < end;) {
			size_t want = end - at < DEFAULT_BLOCK_BYTES ? (size_t)(end - at)
								     : DEFAULT_BLOCK_BYTES;
			ssize_t n = pread(fd, buf, want, at);

			if (n <= 0)
				die("read", path);
			store(v, buf, (size_t)n, (uint64_t)at);
			at += n;
		}
	}
	memory_volume_reset_counts(v);
	return v;
}

uint64_t memory_volume_differ(struct memory_volume *a, struct memory_volume *b)
{
	uint64_t size = a->volume.size_bytes, at;
	cleanup_free uint8_t *x = xmalloc(DEFAULT_BLOCK_BYTES), *y = xmalloc(DEFAULT_BLOCK_BYTES);

	if (size != b->volume.size_bytes)
		return 1 + (size < b->volume.size_bytes ? size : b->volume.size_bytes);
	for (at = 0; at < size; at += DEFAULT_BLOCK_BYTES) {
		size_t i, n = size - at < DEFAULT_BLOCK_BYTES ? (size_t)(size - at)
							      : DEFAULT_BLOCK_BYTES;
		struct error err;

		if (!a->blocks[at / a->volume.block_bytes]
		    && !b->blocks[at / b->volume.block_bytes])
			continue;
		if (thin_volume_read(&a->volume, x, n, at, &err) < 0
		    || thin_volume_read(&b->volume, y, n, at, &err) < 0)
			abort();
		for (i = 0; i < n; i++)
			if (x[i] != y[i])
				return 1 + at + i;
	}
	return 0;
}
