/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks of a volume, written in long runs. */
#include "pkg/ext4/block_store.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "pkg/base/alloc.h"

void block_store_init(struct block_store *s, struct thin_volume *volume)
{
	*s = (struct block_store){.volume = volume};
	if (!thin_volume_gathers(volume))
		s->run = xaligned(EXT4_BLOCK_BYTES, (size_t)STORE_RUN_BLOCKS * EXT4_BLOCK_BYTES);
}

void block_store_release(struct block_store *s)
{
	free(s->run);
	*s = (struct block_store){0};
}

/*
 * The part of blocks [block, block + n) that is held back: *ret_skip blocks come before it.
 * Returns its length, 0 if there is none.
 */
static size_t overlap(const struct block_store *s, uint64_t block, size_t n, size_t *ret_skip)
{
	uint64_t end = s->run_start + s->run_blocks;
	uint64_t from = block > s->run_start ? block : s->run_start;
	uint64_t to = block + n < end ? block + n : end;

	if (from >= to)
		return 0;
	*ret_skip = (size_t)(from - block);
	return (size_t)(to - from);
}

static uint8_t *run_at(const struct block_store *s, uint64_t block)
{
	return s->run + (block - s->run_start) * EXT4_BLOCK_BYTES;
}

static int failed(const char *what, uint64_t block, size_t n, struct error *err)
{
	if (n == 1)
		return error_wrap(err, "%s block %" PRIu64, what, block);
	return error_wrap(err, "%s blocks %" PRIu64 " to %" PRIu64, what, block, block + n - 1);
}

int block_store_read(struct block_store *s, uint64_t block, size_t n, void *ret, struct error *err)
{
	uint8_t *to = ret;
	size_t skip = 0;
	size_t held = overlap(s, block, n, &skip);

	if (held < n
	    && thin_volume_read(s->volume, ret, n * EXT4_BLOCK_BYTES, block * EXT4_BLOCK_BYTES, err)
		       < 0)
		return failed("read", block, n, err);
	if (held)
		memcpy(to + skip * EXT4_BLOCK_BYTES, run_at(s, block + skip),
		       held * EXT4_BLOCK_BYTES);
	return 0;
}

static int write_blocks(struct block_store *s, uint64_t block, size_t n, const void *data,
			struct error *err)
{
	if (thin_volume_write(s->volume, data, n * EXT4_BLOCK_BYTES, block * EXT4_BLOCK_BYTES, err)
	    < 0)
		return failed("write", block, n, err);
	return 0;
}

int block_store_flush(struct block_store *s, struct error *err)
{
	size_t n = s->run_blocks;

	s->run_blocks = 0;
	return n ? write_blocks(s, s->run_start, n, s->run, err) : 0;
}

/* Room for at least one of n blocks at the end of the run; returns how many, or 0 on error. */
static size_t make_room(struct block_store *s, uint64_t block, size_t n, struct error *err)
{
	size_t room;

	if (s->run_blocks
	    && (block != s->run_start + s->run_blocks || block % STORE_RUN_BLOCKS == 0)
	    && block_store_flush(s, err) < 0)
		return 0;
	if (s->run_blocks == 0)
		s->run_start = block;
	room = STORE_RUN_BLOCKS - (size_t)(block % STORE_RUN_BLOCKS);
	return n < room ? n : room;
}

int block_store_append(struct block_store *s, uint64_t block, size_t n, const void *data,
		       struct error *err)
{
	const uint8_t *from = data;

	if (!s->run)
		return write_blocks(s, block, n, data, err);
	while (n) {
		size_t now = make_room(s, block, n, err);

		if (now == 0)
			return -1;
		memcpy(run_at(s, block), from, now * EXT4_BLOCK_BYTES);
		s->run_blocks += (uint32_t)now;
		from += now * EXT4_BLOCK_BYTES;
		block += now;
		n -= now;
	}
	return 0;
}

int block_store_overwrite(struct block_store *s, uint64_t block, size_t n, const void *data,
			  struct error *err)
{
	const uint8_t *from = data;
	size_t skip = 0;
	size_t held = overlap(s, block, n, &skip);

	if (held)
		memcpy(run_at(s, block + skip), from + skip * EXT4_BLOCK_BYTES,
		       held * EXT4_BLOCK_BYTES);
	return held == n ? 0 : write_blocks(s, block, n, data, err);
}
