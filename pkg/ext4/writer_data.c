/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Content of regular files as it streams in: blocks are taken as they are filled, so they follow
 * each other; blocks that hold only zeros are left out.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "pkg/base/alloc.h"
#include "pkg/ext4/writer_internal.h"

/* Logical blocks are numbered with 32 bits, and the last number is not used. */
static const uint64_t FILE_BYTES_MAX = (uint64_t)UINT32_MAX * EXT4_BLOCK_BYTES;

void file_stream_release(struct file_stream *f)
{
	extent_list_release(&f->extents);
	free(f->block);
	*f = (struct file_stream){0};
}

static bool is_zero_block(const uint8_t *block)
{
	uint64_t first;

	memcpy(&first, block, sizeof(first));
	return first == 0 && memcmp(block, block + 8, EXT4_BLOCK_BYTES - 8) == 0;
}

/* How many of n blocks from the first on are alike: all holes, or none a hole. */
static size_t same_kind(const uint8_t *data, size_t n, bool *ret_hole)
{
	size_t len = 1;

	*ret_hole = is_zero_block(data);
	while (len < n && is_zero_block(data + len * EXT4_BLOCK_BYTES) == *ret_hole)
		len++;
	return len;
}

static int put_blocks(struct ext4_writer *w, uint64_t logical, size_t n, const uint8_t *data,
		      struct error *err)
{
	while (n) {
		bool hole;
		size_t now = same_kind(data, n, &hole);

		if (!hole
		    && ext4_content_append(w, &w->file.extents, (uint32_t)logical, now, data, err)
			       < 0)
			return -1;
		logical += now;
		data += now * EXT4_BLOCK_BYTES;
		n -= now;
	}
	return 0;
}

/* Write the block that is being put together, the rest of it zeros. */
static int put_partial(struct ext4_writer *w, struct error *err)
{
	struct file_stream *f = &w->file;

	if (f->filled == 0)
		return 0;
	memset(f->block + f->filled, 0, EXT4_BLOCK_BYTES - f->filled);
	f->filled = 0;
	return put_blocks(w, f->partial, 1, f->block, err);
}

/* Add bytes to the partial block; they stay inside it. */
static int fill_partial(struct ext4_writer *w, const uint8_t *data, size_t len, uint64_t offset,
			struct error *err)
{
	struct file_stream *f = &w->file;
	uint32_t at = (uint32_t)(offset % EXT4_BLOCK_BYTES);

	f->partial = offset / EXT4_BLOCK_BYTES;
	memset(f->block + f->filled, 0, at - f->filled);
	memcpy(f->block + at, data, len);
	f->filled = at + (uint32_t)len;
	return f->filled == EXT4_BLOCK_BYTES ? put_partial(w, err) : 0;
}

static int start_stream(struct ext4_writer *w, uint32_t inode, struct error *err)
{
	struct file_stream *f = &w->file;
	struct ext4_raw_inode *raw;

	if (f->inode == inode)
		return 0;
	assert(f->inode == 0); /* one file at a time */
	if (ext4_writer_inode(w, inode, &raw, err) < 0)
		return -1;
	if (!S_ISREG(ext4_raw_mode(raw)) || ext4_raw_size(raw) != 0)
		return error_set(err, ERR_INVALID, "inode %u is not an empty regular file", inode);
	if (!f->block)
		f->block = xmalloc(EXT4_BLOCK_BYTES);
	f->inode = inode;
	f->end = 0;
	f->extents.n = 0;
	f->filled = 0;
	return 0;
}

static int check_size(uint64_t size_bytes, struct error *err)
{
	if (size_bytes <= FILE_BYTES_MAX)
		return 0;
	return error_set(err, ERR_NO_SPACE, "a file of %llu bytes is larger than ext4 can hold",
			 (unsigned long long)size_bytes);
}

int ext4_writer_data(struct ext4_writer *w, struct ext4_node *file, const void *data, size_t len,
		     uint64_t offset, struct error *err)
{
	struct file_stream *f = &w->file;
	const uint8_t *from = data;
	uint64_t end = offset + len;

	if (start_stream(w, file->inode, err) < 0)
		return -1;
	if (offset < f->end || end < offset)
		return error_set(err, ERR_INVALID, "data at %llu comes after data up to %llu",
				 (unsigned long long)offset, (unsigned long long)f->end);
	if (len == 0)
		return 0;
	if (check_size(end, err) < 0)
		return -1;
	if (f->partial != offset / EXT4_BLOCK_BYTES && put_partial(w, err) < 0)
		return -1;
	f->end = end;
	while (len) {
		uint32_t at = (uint32_t)(offset % EXT4_BLOCK_BYTES);
		size_t whole = len / EXT4_BLOCK_BYTES;
		size_t now = whole * EXT4_BLOCK_BYTES;

		if (at || !whole) {
			now = len < EXT4_BLOCK_BYTES - at ? len : EXT4_BLOCK_BYTES - at;
			if (fill_partial(w, from, now, offset, err) < 0)
				return -1;
		} else if (put_blocks(w, offset / EXT4_BLOCK_BYTES, whole, from, err) < 0) {
			return -1;
		}
		from += now;
		offset += now;
		len -= now;
	}
	return 0;
}

int ext4_writer_data_end(struct ext4_writer *w, struct ext4_node *file, uint64_t size_bytes,
			 struct error *err)
{
	struct file_stream *f = &w->file;
	struct ext4_raw_inode *raw;

	if (start_stream(w, file->inode, err) < 0)
		return -1;
	if (size_bytes < f->end)
		return error_set(err, ERR_INVALID, "data up to %llu in a file of %llu bytes",
				 (unsigned long long)f->end, (unsigned long long)size_bytes);
	if (check_size(size_bytes, err) < 0 || put_partial(w, err) < 0
	    || ext4_content_attach(w, f->inode, &f->extents, err) < 0
	    || ext4_writer_inode(w, f->inode, &raw, err) < 0)
		return -1;
	ext4_raw_set_size(raw, size_bytes);
	ext4_inode_table_changed(&w->table, f->inode);
	f->inode = 0;
	return 0;
}
