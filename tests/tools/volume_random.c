/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random reads, writes, zeros and discards on the node of a thin device through the kernel engine's
 * volume, beside a sparse file that says what must be read:
 *
 *   volume_random random NODE MODEL BLOCK_BYTES SEED OPERATIONS
 *   volume_random fill NODE SIZE BLOCK_BYTES OFFSET BYTES     in pieces of 4 KiB
 *   volume_random same NODE MODEL BLOCK_BYTES            all bytes, read as export reads them
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/thin/kernel/volume.h"

enum { MOST_BYTES = 2 << 20, PIECE_BYTES = 4096, ALIGN = 4096 };

static uint64_t state;

static uint32_t any(uint64_t below)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((state >> 33) % below);
}

static void check(int status, const struct error *err)
{
	char text[1024];

	if (status == 0)
		return;
	error_text(err, text, sizeof(text));
	fprintf(stderr, "volume_random: %s\n", text);
	exit(1);
}

static uint64_t number(const char *text)
{
	return strtoull(text, NULL, 10);
}

/* A close that loses something must not go unnoticed. */
static void closed(void *arg, struct thin_volume *v, const struct error *failed, bool unflushed)
{
	(void)arg;
	(void)v;
	(void)unflushed;
	check(failed->kind == ERR_NONE ? 0 : -1, failed);
}

static struct thin_volume *open_node(const char *path, uint64_t bytes, const char *block,
				     bool writable)
{
	struct kernel_volume_pool pool = {.closed = closed};
	struct thin_volume *v;
	struct error err = {0};

	check(kernel_volume_open(path, bytes, (uint32_t)number(block), writable, &pool, &v, &err),
	      &err);
	return v;
}

static uint8_t *open_model(const char *path, uint64_t *ret_bytes)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	struct stat st;
	uint8_t *model;

	if (fd < 0 || fstat(fd, &st) < 0)
		perror(path), exit(1);
	model = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (model == MAP_FAILED)
		perror(path), exit(1);
	close(fd);
	*ret_bytes = (uint64_t)st.st_size;
	return model;
}

/* ---- random ---- */

struct run {
	struct thin_volume *v;
	uint8_t *model, *buf;
	uint64_t bytes, block;
};

static void any_range(const struct run *r, uint64_t *offset, size_t *len)
{
	const uint64_t grains[] = {1, 512, 4096, r->block};
	uint64_t grain = grains[any(4)];

	*offset = any(r->bytes / grain) * grain;
	*len = (size_t)((any(any(3) ? 4 : 24) + 1) * grain);
	if (any(8) == 0)
		*len += any(3 * r->block);
	if (*len > MOST_BYTES)
		*len = MOST_BYTES;
	if (*len > r->bytes - *offset)
		*len = (size_t)(r->bytes - *offset);
}

static void do_write(struct run *r, uint64_t offset, size_t len)
{
	struct error err = {0};
	uint8_t *from = r->buf + any(2);
	uint32_t value = any(5) ? any(UINT32_MAX) : 0;

	for (size_t i = 0; i < len; i++)
		from[i] = (uint8_t)(value >> i / 512 % 4 * 8);
	memcpy(r->model + offset, from, len);
	check(thin_volume_write(r->v, from, len, offset, &err), &err);
}

static void do_read(struct run *r, uint64_t offset, size_t len)
{
	struct error err = {0};

	check(thin_volume_read(r->v, r->buf, len, offset, &err), &err);
	if (memcmp(r->buf, r->model + offset, len) == 0)
		return;
	fprintf(stderr, "volume_random: bytes %" PRIu64 "+%zu differ\n", offset, len);
	exit(1);
}

static void do_discard(struct run *r, uint64_t offset, size_t len)
{
	struct error err = {0};
	uint64_t from = (offset + r->block - 1) / r->block * r->block, to = offset + len;

	if (to < r->bytes)
		to -= to % r->block;
	check(thin_volume_discard(r->v, offset, len, &err), &err);
	if (from < to)
		memset(r->model + from, 0, to - from);
}

static void do_something(struct run *r)
{
	struct error err = {0};
	uint64_t offset;
	size_t len;

	any_range(r, &offset, &len);
	switch (any(16)) {
	case 0:
		do_discard(r, offset, len);
		return;
	case 1:
		memset(r->model + offset, 0, len);
		check(thin_volume_zero(r->v, offset, len, &err), &err);
		return;
	case 2:
		check(kernel_volume_flush(r->v, &err), &err);
		return;
	case 3:
	case 4:
	case 5:
	case 6:
		do_read(r, offset, len);
		return;
	default:
		do_write(r, offset, len);
		return;
	}
}

static int run_random(char **args)
{
	struct run r = {.block = number(args[2]), .buf = xaligned(ALIGN, MOST_BYTES + 1)};

	state = number(args[3]);
	r.model = open_model(args[1], &r.bytes);
	r.v = open_node(args[0], r.bytes, args[2], true);
	for (uint64_t n = number(args[4]); n; n--) {
		do_something(&r);
		if (any(60) == 0) {
			thin_volume_close(r.v);
			r.v = open_node(args[0], r.bytes, args[2], true);
		}
	}
	thin_volume_close(r.v);
	free(r.buf);
	return 0;
}

/* ---- the others ---- */

static int run_fill(char **args)
{
	uint64_t offset = number(args[3]), bytes = number(args[4]);
	struct thin_volume *v = open_node(args[0], number(args[1]), args[2], true);
	struct kernel_volume_counts counts;
	uint8_t piece[PIECE_BYTES];
	struct error err = {0};

	for (uint64_t at = offset; at < offset + bytes; at += PIECE_BYTES) {
		memset(piece, (int)(at / PIECE_BYTES % 255 + 1), PIECE_BYTES);
		check(thin_volume_write(v, piece, PIECE_BYTES, at, &err), &err);
	}
	check(kernel_volume_flush(v, &err), &err);
	kernel_volume_counts(v, &counts);
	printf("%" PRIu64 " reads, %" PRIu64 " writes, %" PRIu64 " flushes\n", counts.reads,
	       counts.writes, counts.flushes);
	thin_volume_close(v);
	return 0;
}

static int run_same(char **args)
{
	struct run r = {.buf = xaligned(ALIGN, MOST_BYTES)};

	r.model = open_model(args[1], &r.bytes);
	r.v = open_node(args[0], r.bytes, args[2], false);
	for (uint64_t at = 0; at < r.bytes; at += MOST_BYTES / 2)
		do_read(&r, at,
			r.bytes - at < MOST_BYTES / 2 ? (size_t)(r.bytes - at) : MOST_BYTES / 2);
	thin_volume_close(r.v);
	free(r.buf);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int args;
		int (*run)(char **args);
	} verbs[] = {{"random", 5, run_random}, {"fill", 5, run_fill}, {"same", 3, run_same}};

	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (argc == verbs[i].args + 2 && strcmp(argv[1], verbs[i].name) == 0)
			return verbs[i].run(argv + 2);
	fprintf(stderr, "usage: volume_random random|fill|same ..., see its source\n");
	return 2;
}
