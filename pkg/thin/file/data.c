/* SPDX-License-Identifier: Apache-2.0 */
/* Reads, writes, holes and early writeback of the data file. */
#include "pkg/thin/file/data.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/base/fdio.h"

enum {
	PAGE = 4096,
	CHUNK = 256 * 1024,
	WRITEBACK_BYTES = 8 * 1024 * 1024, /* start writing to disk after so much in a row */
};

void tf_runs_add(struct tf_runs *runs, uint64_t first, uint64_t n)
{
	struct tf_run_item *last = runs->n ? &runs->items[runs->n - 1] : NULL;

	if (last && last->first + last->n == first) {
		last->n += n;
		return;
	}
	ALLOC_GROW(runs->items, runs->n + 1, runs->room);
	runs->items[runs->n++] = (struct tf_run_item){first, n};
}

void tf_runs_release(struct tf_runs *runs)
{
	free(runs->items);
	*runs = (struct tf_runs){0};
}

static int ask_hook(const struct tf_data *d, enum tf_io io, uint64_t at, struct error *err)
{
	int sys = d->hook.before ? d->hook.before(d->hook.context, io, at) : 0;

	if (!sys)
		return 0;
	errno = sys;
	return error_sys(err, "write %s", d->name);
}

int tf_data_read(struct tf_data *d, void *buf, size_t len, uint64_t offset, struct error *err)
{
	return fdio_pread(d->fd, buf, len, offset, d->name, err);
}

/* Long sequential writes go to disk while more is being made, so that the commit waits less. */
static void start_writeback(struct tf_data *d, uint64_t offset, uint64_t len)
{
	if (offset != d->run_end)
		d->run_at = offset;
	d->run_end = offset + len;
	if (d->run_end - d->run_at < WRITEBACK_BYTES)
		return;
	sync_file_range(d->fd, (off_t)d->run_at, (off_t)(d->run_end - d->run_at),
			SYNC_FILE_RANGE_WRITE);
	d->run_at = d->run_end;
}

int tf_data_write(struct tf_data *d, const void *buf, size_t len, uint64_t offset,
		  struct error *err)
{
	if (!len)
		return 0;
	if (ask_hook(d, TF_IO_DATA_WRITE, offset, err) < 0)
		return -1;
	d->dirty = true;
	if (fdio_pwrite(d->fd, buf, len, offset, d->name, err) < 0)
		return -1;
	start_writeback(d, offset, len);
	return 0;
}

static int punch(struct tf_data *d, uint64_t offset, uint64_t len)
{
	struct error ignored;

	if (d->cannot_punch || ask_hook(d, TF_IO_DATA_PUNCH, offset, &ignored) < 0)
		return -1;
	if (fallocate(d->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)len)
	    == 0)
		return 0;
	if (errno == EOPNOTSUPP || errno == ENOSYS)
		d->cannot_punch = true;
	return -1;
}

int tf_data_zero(struct tf_data *d, uint64_t offset, uint64_t len, struct error *err)
{
	static const uint8_t zeros[CHUNK];

	if (!len)
		return 0;
	d->dirty = true;
	if (punch(d, offset, len) == 0)
		return 0;
	while (len) {
		size_t n = len < CHUNK ? (size_t)len : CHUNK;

		if (tf_data_write(d, zeros, n, offset, err) < 0)
			return -1;
		offset += n;
		len -= n;
	}
	return 0;
}

static bool all_zero(const uint8_t *p, size_t len)
{
	return !len || (!p[0] && !memcmp(p, p + 1, len - 1));
}

/* Write what is not zero into a range that reads as zeros. */
static int write_sparse(struct tf_data *d, const uint8_t *buf, size_t len, uint64_t offset,
			struct error *err)
{
	size_t at = 0;

	while (at < len) {
		size_t from = at;

		while (at < len && !all_zero(buf + at, len - at < PAGE ? len - at : PAGE))
			at += PAGE;
		if (at > len)
			at = len;
		if (tf_data_write(d, buf + from, at - from, offset + from, err) < 0)
			return -1;
		at += PAGE;
	}
	return 0;
}

int tf_data_copy(struct tf_data *d, uint64_t from, uint64_t to, uint64_t len, struct error *err)
{
	cleanup_free uint8_t *buf = NULL;

	if (!len)
		return 0;
	if (tf_data_zero(d, to, len, err) < 0)
		return -1;
	buf = xmalloc(CHUNK);
	while (len) {
		size_t n = len < CHUNK ? (size_t)len : CHUNK;

		if (tf_data_read(d, buf, n, from, err) < 0 || write_sparse(d, buf, n, to, err) < 0)
			return -1;
		from += n;
		to += n;
		len -= n;
	}
	return 0;
}

int tf_data_sync(struct tf_data *d, struct error *err)
{
	if (!d->dirty)
		return 0;
	if (ask_hook(d, TF_IO_DATA_SYNC, 0, err) < 0)
		return -1;
	if (fdatasync(d->fd) < 0)
		return error_sys(err, "sync %s", d->name);
	d->dirty = false;
	return 0;
}

void tf_data_punch(struct tf_data *d, uint64_t first_block, uint64_t n)
{
	(void)punch(d, first_block * d->block_bytes, n * d->block_bytes);
}

void tf_data_punch_runs(struct tf_data *d, const struct tf_runs *runs)
{
	for (size_t i = 0; i < runs->n; i++)
		tf_data_punch(d, runs->items[i].first, runs->items[i].n);
}

void tf_data_punch_if_free(struct tf_data *d, struct tf_spacemap *sm, uint64_t block)
{
	struct error ignored = {0};
	uint32_t count;

	if (tf_spacemap_count(sm, block, &count, &ignored) == 0 && !count)
		tf_data_punch(d, block, 1);
}

static int punch_free_blocks(struct tf_data *d, struct tf_spacemap *sm, uint64_t first,
			     uint64_t end, struct error *err)
{
	uint64_t n = 0;
	uint32_t count;

	for (uint64_t block = first; block < end; block++) {
		if (tf_spacemap_count(sm, block, &count, err) < 0)
			return -1;
		if (!count) {
			n++;
			continue;
		}
		if (n)
			tf_data_punch(d, block - n, n);
		n = 0;
	}
	if (n)
		tf_data_punch(d, end - n, n);
	return 0;
}

int tf_data_punch_free(struct tf_data *d, struct tf_spacemap *sm, struct error *err)
{
	uint64_t size = sm->nr_blocks * d->block_bytes, at = 0;

	while (at < size) {
		off_t from = lseek(d->fd, (off_t)at, SEEK_DATA);
		off_t to = from < 0 ? -1 : lseek(d->fd, from, SEEK_HOLE);
		uint64_t first, end;

		if (from < 0 || to < 0)
			return 0; /* no data behind this, or no way to tell */
		first = (uint64_t)from / d->block_bytes;
		end = ((uint64_t)to + d->block_bytes - 1) / d->block_bytes;
		if (end > sm->nr_blocks)
			end = sm->nr_blocks;
		if (punch_free_blocks(d, sm, first, end, err) < 0)
			return -1;
		at = end * d->block_bytes;
		tf_spacemap_trim(sm);
	}
	return 0;
}
