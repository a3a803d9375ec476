/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/part_pieces.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pkg/base/alloc.h"

static uint64_t start_of(const struct pieces *p, const struct piece *piece)
{
	return piece == p->items ? 0 : piece[-1].end;
}

void pieces_init(struct pieces *p, uint64_t size_bytes, uint64_t piece_bytes)
{
	uint64_t start = 0;

	if (piece_bytes == 0 || piece_bytes > size_bytes / 2)
		piece_bytes = size_bytes;
	p->n = size_bytes ? (size_t)((size_bytes - 1) / piece_bytes) + 1 : 0;
	p->items = xcalloc(p->n + 1, sizeof(*p->items));
	for (size_t i = 0; i < p->n; i++) {
		uint64_t rest = size_bytes - start;

		p->items[i].at = start;
		start += rest < piece_bytes ? rest : piece_bytes;
		p->items[i].end = start;
	}
}

void pieces_release(struct pieces *p)
{
	free(p->items);
	*p = (struct pieces){0};
}

/* The end of what is there from @at on; a hole begins with a block, the file's end may not. */
static int data_end(int fd, uint64_t at, uint64_t size, uint64_t *ret)
{
	off_t data = at < size ? lseek(fd, (off_t)at, SEEK_DATA) : -1, hole;

	*ret = at;
	if (at >= size || (data < 0 && errno == ENXIO))
		return 0;
	if (data < 0)
		return -1;
	if ((uint64_t)data != at)
		return 0;
	hole = lseek(fd, data, SEEK_HOLE);
	if (hole < 0)
		return -1;
	*ret = (uint64_t)hole < size ? (uint64_t)hole : size;
	return 0;
}

int pieces_find(struct pieces *p, int fd, const char *path, struct error *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return error_sys(err, "stat %s", path);
	for (size_t i = 0; i < p->n; i++) {
		struct piece *piece = &p->items[i];
		uint64_t end;

		if (data_end(fd, start_of(p, piece), (uint64_t)st.st_size, &end) < 0)
			return error_sys(err, "look for holes in %s", path);
		piece->at = end < piece->end ? end : piece->end;
	}
	return 0;
}

struct piece *pieces_next(struct pieces *p)
{
	for (size_t i = 0; i < p->n; i++)
		if (!p->items[i].is_taken && p->items[i].at < p->items[i].end)
			return &p->items[i];
	return NULL;
}

uint64_t pieces_bytes(const struct pieces *p)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < p->n; i++)
		bytes += p->items[i].at - start_of(p, &p->items[i]);
	return bytes;
}

uint64_t pieces_prefix(const struct pieces *p)
{
	uint64_t end = 0;

	for (size_t i = 0; i < p->n; i++) {
		end = p->items[i].at;
		if (end < p->items[i].end)
			break;
	}
	return end;
}
