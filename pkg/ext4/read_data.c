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

	bool direct = !(inode->flags & EXT4_EXTENTS_FL);

	if (inode->flags & (EXT4_INLINE_DATA_FL | EXT4_ENCRYPT_FL)
	    || (direct && !ext4_blocks_are_direct(inode->iblock))) {
		error_set(err, ERR_UNSUPPORTED,
			  "data that is inline, encrypted or in indirect blocks");
		return read_error(inode, err);
	}
	if ((direct ? ext4_extents_open_direct : ext4_extents_open)(&source, inode->iblock, from,
								    ret, err)
	    < 0)
		return read_error(inode, err);
	return 0;
}

int read_count_mapped(struct ext4_reader *r, const struct read_inode *inode, uint64_t blocks,
		      struct error *err)
{
	if (blocks > r->mapped_left) {
		error_set(err, ERR_INCONSISTENT,
			  "files share blocks: they map more than the file system has");
		return read_error(inode, err);
	}
	r->mapped_left -= blocks;
	return 0;
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
	while (at < end && (rc = ext4_extents_next(walk, &e, err)) == 0) {
		uint64_t start = e.logical * size, stop = start + e.len * size;

		if (start >= end)
			break;
		if (e.unwritten)
			continue;
		if (start > at) {
			memset(out + (at - offset), 0, start - at);
			at = start;
		}
		if (stop > end)
			stop = end;
		if (ext4_io_read_bytes(r->fs, out + (at - offset), stop - at,
				       e.physical * size + (at - start), err)
		    < 0)
			return read_error(inode, err);
		at = stop;
	}
	if (rc < 0)
		return read_error(inode, err);
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

/*
 * The next run of extents with data that touch each other, not before `from` and not behind the end
 * of the file, in blocks. 0, 1 = none, -1.
 */
static int next_run(struct ext4_reader *r, const struct read_inode *in, uint32_t from,
		    uint64_t *ret_first, uint64_t *ret_end, struct error *err)
{
	cleanup(ext4_extents_close_ptr) struct ext4_extents_walk *walk = NULL;
	uint64_t end = 0;
	struct ext4_extent e;
	int rc;

	if (read_extents(r, in, from, &walk, err) < 0)
		return -1;
	while ((rc = ext4_extents_next(walk, &e, err)) == 0) {
		if (end ? e.unwritten || e.logical != end
			: e.logical * (uint64_t)r->fs->blocksize >= in->stat.size_bytes)
			break;
		if (read_count_mapped(r, in, e.len, err) < 0)
			return -1;
		if (e.unwritten)
			continue;
		if (!end)
			*ret_first = e.logical;
		end = (uint64_t)e.logical + e.len;
	}
	if (rc < 0)
		return read_error(in, err);
	*ret_end = end;
	return end ? 0 : 1;
}

int ext4_reader_next_data(struct ext4_reader *r, uint32_t inode, uint64_t offset,
			  uint64_t *ret_offset, uint64_t *ret_len, struct error *err)
{
	uint64_t size = r->fs->blocksize, start = 0, end = 0;
	struct read_inode in;
	int rc;

	if (load_type(r, inode, LINUX_S_IFREG, "regular file", &in, err) < 0)
		return -1;
	if (offset >= in.stat.size_bytes)
		return 1;
	rc = next_run(r, &in, (uint32_t)(offset / size), &start, &end, err);
	if (rc != 0)
		return rc;
	start = start * size > offset ? start * size : offset;
	end = end * size < in.stat.size_bytes ? end * size : in.stat.size_bytes;
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
