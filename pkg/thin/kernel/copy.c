/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The metadata of an active pool as it is at one instant. The pool is suspended for as long as it
 * takes to read what is in use: thin devices go on waiting, and lose nothing. Nothing is asked of
 * memory or of other commands meanwhile that could need a device of this pool, and no signal ends us.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/base/fdio.h"
#include "pkg/base/log.h"
#include "pkg/thin/kernel/copy.h"
#include "pkg/thin/kernel/engine.h"
#include "pkg/thin/kernel/pool_internal.h"
#include "pkg/thin/kernel/sysfs.h"
#include "pkg/thin/kernel/volume_node.h"

/* What a bitmap tells of has 68 pieces of that size. */
enum { PIECE_BLOCKS = 240, PIECE_BYTES = PIECE_BLOCKS * TF_BLOCK_BYTES };

struct copy {
	struct kernel_node *from;
	uint64_t start; /* of the metadata on the node, bytes */
	int to;
	const char *to_name;
	uint8_t *piece, *index, *bitmap; /* aligned */
};

static int read_at(struct copy *c, uint8_t *buf, size_t len, uint64_t offset, struct error *err)
{
	struct iovec piece = {.iov_base = buf, .iov_len = len};

	return kernel_node_read(c->from, &piece, 1, c->start + offset, err);
}

static int read_block(struct copy *c, uint8_t *buf, uint64_t block, enum tf_block_type type,
		      struct error *err)
{
	if (read_at(c, buf, TF_BLOCK_BYTES, block * TF_BLOCK_BYTES, err) < 0)
		return -1;
	return tf_block_verify(buf, type, block, err);
}

static bool is_zeros(const uint8_t *buf, size_t len)
{
	return buf[0] == 0 && memcmp(buf, buf + 1, len - 1) == 0;
}

static int copy_piece(struct copy *c, uint64_t first, uint64_t n, struct error *err)
{
	uint64_t offset = first * TF_BLOCK_BYTES;
	size_t len = n * TF_BLOCK_BYTES;

	if (read_at(c, c->piece, len, offset, err) < 0)
		return -1;
	if (is_zeros(c->piece, len))
		return 0;
	return fdio_pwrite(c->to, c->piece, len, offset, c->to_name, err);
}

static bool has_used(const uint8_t *bitmap, uint64_t first, uint64_t n)
{
	for (uint64_t i = first; i < first + n; i++)
		if (bitmap[TF_BITMAP_HEADER + i / 4] >> (i % 4 * 2) & 3)
			return true;
	return false;
}

/* The blocks that one bitmap tells of; all of them where there is none to be read. */
static int copy_group(struct copy *c, uint64_t group, uint64_t n, bool all, struct error *err)
{
	for (uint64_t at = 0; at < n; at += PIECE_BLOCKS) {
		uint64_t len = n - at < PIECE_BLOCKS ? n - at : PIECE_BLOCKS;

		if ((all || has_used(c->bitmap, at, len))
		    && copy_piece(c, group * TF_BITMAP_ENTRIES + at, len, err) < 0)
			return -1;
	}
	return 0;
}

static bool read_bitmap(struct copy *c, uint64_t group, uint64_t nr_blocks)
{
	uint64_t block = get_le64(c->index + TF_INDEX_HEADER + group * TF_INDEX_ENTRY_BYTES);
	struct error ignored = {0};

	return block < nr_blocks && read_block(c, c->bitmap, block, TF_BITMAP, &ignored) == 0;
}

/* The blocks that the superblock tells of. False: there is none to be read, or it tells of more. */
static bool read_superblock(struct copy *c, uint64_t blocks, struct tf_superblock *ret)
{
	struct error ignored = {0};

	if (read_block(c, c->piece, 0, TF_SUPERBLOCK, &ignored) < 0)
		return false;
	tf_superblock_unpack(c->piece, ret);
	return ret->metadata_sm.nr_blocks <= blocks;
}

/* @blocks: so many are there. */
static int copy_blocks(struct copy *c, uint64_t blocks, enum thin_kernel_copy what,
		       struct error *err)
{
	struct tf_superblock sb = {0};
	struct error ignored = {0};
	bool bitmaps = false;

	if (read_superblock(c, blocks, &sb)) {
		blocks = sb.metadata_sm.nr_blocks;
		bitmaps = what == THIN_KERNEL_COPY_USED && sb.metadata_sm.bitmap_root < blocks
			  && read_block(c, c->index, sb.metadata_sm.bitmap_root, TF_INDEX, &ignored)
				     == 0;
	}
	if (ftruncate(c->to, (off_t)(blocks * TF_BLOCK_BYTES)) < 0)
		return error_sys(err, "truncate %s", c->to_name);
	for (uint64_t g = 0; g * TF_BITMAP_ENTRIES < blocks; g++) {
		uint64_t rest = blocks - g * TF_BITMAP_ENTRIES;

		if (copy_group(c, g, rest < TF_BITMAP_ENTRIES ? rest : TF_BITMAP_ENTRIES,
			       !bitmaps || !read_bitmap(c, g, blocks), err)
		    < 0)
			return -1;
	}
	return 0;
}

int kernel_copy(struct kernel_node *from, uint64_t start, uint64_t bytes,
		enum thin_kernel_copy what, int to, const char *to_name, struct error *err)
{
	struct copy c = {.from = from, .start = start, .to = to, .to_name = to_name};
	void *memory = NULL;
	int status;

	if (posix_memalign(&memory, NODE_ALIGN, PIECE_BYTES + 2 * TF_BLOCK_BYTES) != 0)
		abort();
	c.piece = memory;
	c.index = c.piece + PIECE_BYTES;
	c.bitmap = c.index + TF_BLOCK_BYTES;
	if (bytes / TF_BLOCK_BYTES > TF_METADATA_BLOCKS_MAX)
		bytes = (uint64_t)TF_METADATA_BLOCKS_MAX * TF_BLOCK_BYTES;
	status = copy_blocks(&c, bytes / TF_BLOCK_BYTES, what, err);
	free(memory);
	return status;
}

/* --- of an active pool ------------------------------------------------------------------------ */

static int open_node(struct tk_pool *p, struct kernel_node *ret, uint64_t *ret_bytes,
		     struct error *err)
{
	cleanup_free char *type = NULL, *params = NULL, *path = NULL;
	struct kernel_pool_table table;
	struct devmap_target target;
	off_t end;

	if (devmap_table(p->device.uuid, &target, &type, &params, err) < 0
	    || kernel_pool_table_parse(params, &table, err) < 0)
		return -1;
	path = sysfs_kernel_node(table.metadata);
	if (!path)
		return error_set(err, ERR_SYSTEM, "block device %s is not in /sys", table.metadata);
	if (kernel_node_open(ret, path, false, 0, err) < 0)
		return -1;
	end = lseek(ret->fd, 0, SEEK_END);
	if (end < 0) {
		error_sys(err, "size of %s", path);
		kernel_node_close(ret);
		return -1;
	}
	*ret_bytes = (uint64_t)end;
	return 0;
}

/* Whatever happens it is resumed, and when that fails too this is what is told. */
static int copy_suspended(struct tk_pool *p, struct kernel_node *from, uint64_t bytes,
			  enum thin_kernel_copy what, int to, const char *to_name,
			  struct error *err)
{
	struct error second = {0};
	int status;

	if (devmap_suspend(p->device.uuid, DEVMAP_NOFLUSH | DEVMAP_NOLOCKFS, err) < 0)
		return -1;
	status = kernel_copy(from, 0, bytes, what, to, to_name, err);
	if (devmap_resume(p->device.uuid, &second) == 0)
		return status;
	*err = second;
	return error_wrap(err, "pool %s stays suspended", p->device.name);
}

int thin_kernel_copy_metadata(struct thin_pool *pool, enum thin_kernel_copy what, const char *to,
			      struct error *err)
{
	struct tk_pool *p = tk_pool_of(pool);
	struct kernel_node from = {.fd = -1};
	cleanup_fd int fd = open(to, O_WRONLY | O_CLOEXEC);
	sigset_t all, before;
	uint64_t bytes = 0;
	int status;

	if (fd < 0)
		return error_sys(err, "open %s", to);
	if (open_node(p, &from, &bytes, err) < 0)
		return -1;
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	status = copy_suspended(p, &from, bytes, what, fd, to, err);
	sigprocmask(SIG_SETMASK, &before, NULL);
	kernel_node_close(&from);
	return status;
}
