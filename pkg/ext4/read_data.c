/* SPDX-License-Identifier: Apache-2.0 */
/* File contents: from extents alone. Symlinks too, which may live in the inode. */
#include <inttypes.h>
#include <string.h>

#include "pkg/base/cleanup.h"
#include "pkg/ext4/read_internal.h"

enum { SYMLINK_MAX = 4095 };

static int read_tree_block(void *arg, uint64_t block, uint8_t *buf, struct error *err)
{
	struct ext4_reader *r = arg;

	return ext4_io_read_blocks(r->fs, block, 1, buf, err);
}

int read_extents(struct ext4_reader *r, const struct read_inode *inode, uint32_t from,
		 struct ext4_extents_walk **ret, struct error *err)
{
	struct ext4_extents_source source = {
		.read = read_tree_block,
		.arg = r,
		.block_bytes = r->fs->blocksize,
		.first_block = r->fs->super->s_first_data_block + 1ULL,
		.last_block = r->blocks - 1,
		.seed = inode->seed,
		.checksums = true,
	};

	if (inode->flags & (EXT4_INLINE_DATA_FL | EXT4_ENCRYPT_FL)
	    || !(inode->flags & EXT4_EXTENTS_FL)) {
		error_set(err, ERR_UNSUPPORTED, "data that is inline, encrypted or block-mapped");
		return read_error(inode, err);
	}
	if (ext4_extents_open(&source, inode->iblock, from, ret, err) < 0)
		return read_error(inode, err);
	return 0;
}

/* The next extent that holds data. 0, 1 = end, -1. */
static int next_written(const struct read_inode *inode, struct ext4_extents_walk *walk,
			struct ext4_extent *ret, struct error *err)
{
	int rc;

	do
		rc = ext4_extents_next(walk, ret, err);
	while (rc == 0 && ret->unwritten);
	return rc < 0 ? read_error(inode, err) : rc;
}

int read_bytes(struct ext4_reader *r, const struct read_inode *inode, void *buf, size_t len,
	       uint64_t offset, struct error *err)
{
	cleanup(ext4_extents_close_ptr) struct ext4_extents_walk *walk = NULL;
	uint64_t size = r->fs->blocksize, at = offset, end = offset + len;
	uint8_t *out = buf;
	struct ext4_extent e;
	int rc = 0;

	if (len == 0)
		return 0;
	if (read_extents(r, inode, (uint32_t)(offset / size), &walk, err) < 0)
		return -1;
	while (at < end && (rc = next_written(inode, walk, &e, err)) == 0) {
		uint64_t start = e.logical * size, stop = start + e.len * size;

		if (start >= end)
			break;
		if (start > at) {
			memset(out + (at - offset), 0, start - at);
			at = start;
		}
		if (stop > end)
			stop = end;
		if (thin_volume_read(r->volume, out + (at - offset), stop - at,
				     e.physical * size + (at - start), err)
		    < 0)
			return read_error(inode, err);
		at = stop;
	}
	if (rc < 0)
		return -1;
	memset(out + (at - offset), 0, end - at);
	return 0;
}

static int load_type(struct ext4_reader *r, uint32_t number, uint32_t type, const char *want,
		     struct read_inode *ret, struct error *err)
{
	if (read_inode(r, number, ret, err) < 0)
		return -1;
	if (!read_is(ret, type))
		return error_set(err, ERR_INVALID, "inode %" PRIu32 " is not a %s", number, want);
	return 0;
}

int ext4_reader_read(struct ext4_reader *r, uint32_t inode, void *buf, size_t len, uint64_t offset,
		     size_t *ret_n, struct error *err)
{
	struct read_inode in;

	if (load_type(r, inode, LINUX_S_IFREG, "regular file", &in, err) < 0)
		return -1;
	if (offset >= in.stat.size_bytes)
		len = 0;
	else if (len > in.stat.size_bytes - offset)
		len = (size_t)(in.stat.size_bytes - offset);
	if (read_bytes(r, &in, buf, len, offset, err) < 0)
		return -1;
	*ret_n = len;
	return 0;
}

int ext4_reader_next_data(struct ext4_reader *r, uint32_t inode, uint64_t offset,
			  uint64_t *ret_offset, uint64_t *ret_len, struct error *err)
{
	cleanup(ext4_extents_close_ptr) struct ext4_extents_walk *walk = NULL;
	uint64_t size = r->fs->blocksize, start, end;
	struct read_inode in;
	struct ext4_extent e;
	int rc;

	if (load_type(r, inode, LINUX_S_IFREG, "regular file", &in, err) < 0)
		return -1;
	if (offset >= in.stat.size_bytes)
		return 1;
	if (read_extents(r, &in, (uint32_t)(offset / size), &walk, err) < 0)
		return -1;
	rc = next_written(&in, walk, &e, err);
	if (rc != 0)
		return rc;
	start = e.logical * size > offset ? e.logical * size : offset;
	end = (e.logical + (uint64_t)e.len) * size;
	while ((rc = next_written(&in, walk, &e, err)) == 0 && e.logical * size == end)
		end += e.len * size;
	if (rc < 0)
		return -1;
	if (end > in.stat.size_bytes)
		end = in.stat.size_bytes;
	if (start >= end) /* preallocated behind the end of the file */
		return 1;
	*ret_offset = start;
	*ret_len = end - start;
	return 0;
}

int ext4_reader_readlink(struct ext4_reader *r, uint32_t inode, struct buffer *ret,
			 struct error *err)
{
	struct read_inode in;
	size_t len;
	uint8_t *to;

	if (load_type(r, inode, LINUX_S_IFLNK, "symlink", &in, err) < 0)
		return -1;
	if (in.stat.size_bytes == 0 || in.stat.size_bytes > SYMLINK_MAX) {
		error_set(err, ERR_INCONSISTENT, "symlink of %" PRIu64 " bytes",
			  in.stat.size_bytes);
		return read_error(&in, err);
	}
	len = (size_t)in.stat.size_bytes;
	to = buffer_reserve(ret, len);
	if (len < EXT4_IBLOCK_BYTES && !(in.flags & (EXT4_EXTENTS_FL | EXT4_INLINE_DATA_FL)))
		memcpy(to, in.iblock, len);
	else if (read_bytes(r, &in, to, len, 0, err) < 0)
		return -1;
	if (memchr(to, '\0', len)) {
		error_set(err, ERR_INCONSISTENT, "symlink with NUL");
		return read_error(&in, err);
	}
	buffer_grew(ret, len);
	return 0;
}
