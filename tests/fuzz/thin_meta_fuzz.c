/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as thin metadata: the strict check, repair and dump must end, within their bounds,
 * whatever they are, and so must what a pool open for reading is asked. What repair repairs must be clean afterwards and map what it did before; what it
 * refuses must be as it was.
 *
 *   first byte    1 = give every block its number and checksum, which a fuzzer cannot guess; the
 *                     type is in the two low bits of the block's checksum field
 *                 2 = what follows are not blocks but pieces of them: the number of blocks, then
 *                     records of block, offset (16 bits), length, bytes (metadata is mostly zeros)
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/buffer.h"
#include "pkg/base/cleanup.h"
#include "pkg/thin/file/format.h"
#include "pkg/thin/file/dump.h"
#include "pkg/thin/file/fsck.h"
#include "pkg/thin/file/repair_internal.h"
#include "pkg/thin/volume.h"

enum { SUM_BLOCKS = 1, IN_PIECES = 2 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void sum_blocks(uint8_t *image, size_t size)
{
	for (size_t nr = 0; (nr + 1) * TF_BLOCK_BYTES <= size; nr++) {
		uint8_t *block = image + nr * TF_BLOCK_BYTES;

		tf_block_seal(block, (enum tf_block_type)(block[0] & 3), nr);
	}
}

/* The image of the pieces; its size is set. */
static uint8_t *put_together(const uint8_t *p, size_t left, size_t *ret_size)
{
	size_t blocks = left ? *p : 0;
	uint8_t *image = xcalloc(blocks + 1, TF_BLOCK_BYTES);

	*ret_size = blocks * TF_BLOCK_BYTES;
	for (p += left > 0, left -= left > 0; left >= 4; p += 4, left -= 4) {
		size_t block = p[0], offset = p[1] | (size_t)p[2] << 8, len = p[3];

		if (len > left - 4)
			len = left - 4;
		if (block < blocks && offset + len <= TF_BLOCK_BYTES)
			memcpy(image + block * TF_BLOCK_BYTES + offset, p + 4, len);
		p += len;
		left -= len;
	}
	return image;
}

/* ---- the pool of these bytes ---- */

static struct tf_pool *make_pool(const uint8_t *image, size_t size, bool writable)
{
	struct tf_pool *p = tf_pool_new("fuzz", writable);
	struct tf_superblock sb;
	uint64_t bytes;

	p->meta_fd = memfd_create("thin-meta", MFD_CLOEXEC);
	p->data_fd = memfd_create("thin-data", MFD_CLOEXEC);
	if (p->meta_fd < 0 || p->data_fd < 0 || write(p->meta_fd, image, size) != (ssize_t)size)
		abort();
	if (size < TF_BLOCK_BYTES)
		return p;
	tf_superblock_unpack(image, &sb);
	bytes = sb.data_sm.nr_blocks * sb.data_block_sectors * TF_SECTOR_BYTES;
	if (ftruncate(p->data_fd, (off_t)(bytes & INT64_MAX)) < 0)
		return p; /* too short, then */
	return p;
}

static bool same_bytes(const struct tf_pool *p, const uint8_t *image, size_t size)
{
	cleanup_free uint8_t *now = xmalloc(size + 1);

	return pread(p->meta_fd, now, size + 1, 0) == (ssize_t)size && !memcmp(now, image, size);
}

static void check(struct tf_pool *p, struct thin_findings *ret)
{
	struct error err = {0};
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", p->meta_fd);
	if (thin_file_fsck(path, (uint64_t)lseek(p->data_fd, 0, SEEK_END), ret, &err) < 0)
		abort();
	if (ret->n > THIN_FINDINGS_MAX || ret->n > ret->total || ret->unrepairable > ret->total)
		abort();
}

/* ---- dump ---- */

enum { TEXT_MAX = 1 << 20 }; /* thins that share all can make much of little */

struct text {
	struct buffer lines; /* those that repair must not change */
	size_t total;
};

static int begin(void *context, struct error *err)
{
	(void)context;
	(void)err;
	return 0;
}

static int add_text(void *context, const char *text, size_t len, struct error *err)
{
	struct text *t = context;

	t->total += len;
	if (t->total > TEXT_MAX)
		return error_set(err, ERR_NO_SPACE, "enough");
	while (len) {
		const char *end = memchr(text, '\n', len);
		size_t n = end ? (size_t)(end - text) + 1 : len;

		if (n > 4 && text[3] == ' ') /* a mapping, and no device or superblock */
			buffer_add(&t->lines, text, n);
		text += n;
		len -= n;
	}
	return 0;
}

/* False: there was an error. */
static bool dump(struct tf_pool *p, struct text *ret)
{
	const struct thin_dump_sink sink = {begin, add_text, ret};
	struct error err = {0};
	bool held;

	if (tf_pool_load(p, &err) < 0)
		return false;
	held = p->sb.held_root != 0;
	return thin_file_dump(&p->base, false, &sink, &err) == 0
	       && (!held || thin_file_dump(&p->base, true, &sink, &err) == 0);
}

static bool same_lines(const struct text *a, const struct text *b)
{
	size_t n = a->lines.len;

	return n == b->lines.len && (!n || !memcmp(a->lines.data, b->lines.data, n));
}

/* ---- repair ---- */

static void repair(struct tf_pool *p, const uint8_t *image, size_t size, const struct text *before)
{
	cleanup(thin_findings_release) struct thin_findings found = {0}, left = {0};
	enum thin_repair_outcome outcome;
	struct text after = {0};
	struct error err = {0};

	if (tf_repair_files(p, &outcome, &found, &err) < 0) {
		if (err.kind != ERR_NO_SPACE)
			abort();
		return;
	}
	if (outcome != THIN_REPAIR_DONE) {
		if (!same_bytes(p, image, size))
			abort();
		return;
	}
	check(p, &left);
	if (left.total || (!dump(p, &after) && after.total <= TEXT_MAX))
		abort();
	if (before && after.total <= TEXT_MAX && !same_lines(before, &after))
		abort();
	buffer_release(&after.lines);
}

static void try_all(const uint8_t *image, size_t size)
{
	cleanup(tf_pool_free_ptr) struct tf_pool *p = make_pool(image, size, true);
	cleanup(thin_findings_release) struct thin_findings found = {0};
	struct text before = {0};
	bool dumped;

	check(p, &found);
	dumped = dump(p, &before);
	if (!same_bytes(p, image, size))
		abort();
	repair(p, image, size, dumped ? &before : NULL);
	buffer_release(&before.lines);
}

/* ---- reading ---- */

enum { DEVICES_READ = 4, RANGES_READ = 1000 };

static const uint64_t VOLUME_BYTES = UINT64_C(1) << 40, COUNTED_BLOCKS = 1 << 20;

/* The mapped ranges ascend and lie inside. */
static void walk_volume(struct thin_pool *pool, uint32_t id)
{
	cleanup(thin_volume_close_ptr) struct thin_volume *v = NULL;
	uint64_t at = 0, len = 0, from = 0;
	struct error err = {0};
	uint8_t byte;

	if (thin_pool_open_volume(pool, id, VOLUME_BYTES, false, &v, &err) < 0)
		return;
	for (int i = 0; i < RANGES_READ; i++) {
		if (thin_volume_next_mapped(v, from, &at, &len, &err) != 0)
			return;
		if (at < from || !len || len > VOLUME_BYTES - at)
			abort();
		if (thin_volume_read(v, &byte, 1, at + len - 1, &err) < 0)
			return;
		from = at + len;
	}
}

/* The ranges of a difference ascend, and none could be joined to the one before. */
static void look_at_diff(struct thin_pool *pool, uint32_t a, uint32_t b)
{
	cleanup_free struct thin_diff_range *ranges = NULL;
	struct error err = {0};
	size_t n;

	if (thin_pool_diff(pool, a, b, &ranges, &n, &err) < 0)
		return;
	for (size_t i = 1; i < n; i++) {
		uint64_t end = ranges[i - 1].first_block + ranges[i - 1].nr_blocks;

		if (ranges[i].first_block < end
		    || (ranges[i].first_block == end && ranges[i].kind == ranges[i - 1].kind))
			abort();
	}
}

static void read_pool(const uint8_t *image, size_t size)
{
	cleanup(tf_pool_free_ptr) struct tf_pool *p = make_pool(image, size, false);
	cleanup_free struct thin_device *devices = NULL;
	struct error err = {0};
	uint64_t blocks;
	size_t n = 0;

	if (tf_pool_load(p, &err) < 0 || thin_pool_devices(&p->base, &devices, &n, &err) < 0)
		return;
	for (size_t i = 0; i < n && i < DEVICES_READ; i++) {
		walk_volume(&p->base, devices[i].id);
		for (size_t k = 0; k < n && k < DEVICES_READ; k++)
			look_at_diff(&p->base, devices[i].id, devices[k].id);
		if (p->tx.data.nr_blocks <= COUNTED_BLOCKS
		    && thin_pool_exclusive(&p->base, &devices[i].id, 1, &blocks, &err) == 0
		    && blocks > p->tx.data.nr_blocks)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_free uint8_t *image = NULL;
	size_t image_size = size - 1;

	if (size < 1)
		return 0;
	if (data[0] & IN_PIECES)
		image = put_together(data + 1, size - 1, &image_size);
	else
		image = xmemdup(data + 1, image_size);
	if (data[0] & SUM_BLOCKS)
		sum_blocks(image, image_size);
	try_all(image, image_size);
	read_pool(image, image_size);
	return 0;
}
