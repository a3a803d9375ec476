/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads an ext4 on a thin volume without mounting it. The volume may have been written by a guest:
 * nothing in it is trusted, loops and lengths are bounded, damage is ERR_INCONSISTENT; of what opens,
 * walks and resolves, with ERR_DETAIL_FILE_SYSTEM, or ERR_DETAIL_POOL when it is the volume's.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "pkg/base/buffer.h"
#include "pkg/base/cleanup.h"
#include "pkg/base/error.h"
#include "pkg/ext4/inode.h"
#include "pkg/thin/volume.h"

enum { EXT4_ROOT_INODE = 2 };

struct ext4_reader;

struct ext4_stat {
	uint32_t inode;
	struct ext4_meta meta;
	uint32_t links;
	uint64_t size_bytes;
	uint64_t used_bytes; /* blocks mapped */
};

struct ext4_dirent {
	uint32_t inode;
	const char *name; /* not terminated */
	size_t name_len;
};

/*
 * @volume: borrowed, must outlive the reader.
 * Errors: ERR_INCONSISTENT (no ext4 here), ERR_UNSUPPORTED (unknown features, no metadata_csum, or
 * a journal that must be replayed first: the file system is mounted, or was not unmounted; then
 * err->sys is EUCLEAN).
 */
MUST_CHECK int ext4_reader_open(struct thin_volume *volume, struct ext4_reader **ret,
				struct error *err);
void ext4_reader_close(struct ext4_reader *r);
DEFINE_CLEANUP(struct ext4_reader *, ext4_reader_close);

/* Bytes of the file system, all told. */
uint64_t ext4_reader_size(const struct ext4_reader *r);

MUST_CHECK int ext4_reader_stat(struct ext4_reader *r, uint32_t inode, struct ext4_stat *ret,
				struct error *err);

/* Find a name in a directory. Errors: ERR_NOT_FOUND, ERR_INVALID (not a directory). */
MUST_CHECK int ext4_reader_lookup(struct ext4_reader *r, uint32_t dir, const char *name,
				  size_t name_len, uint32_t *ret, struct error *err);

/* Call fn for each name but . and ..; a return below 0 ends the walk and is passed on. */
typedef int ext4_dirent_fn(const struct ext4_dirent *entry, void *arg, struct error *err);
MUST_CHECK int ext4_reader_dir(struct ext4_reader *r, uint32_t dir, ext4_dirent_fn *fn, void *arg,
			       struct error *err);

/* Symlink target; appended to ret. */
MUST_CHECK int ext4_reader_readlink(struct ext4_reader *r, uint32_t inode, struct buffer *ret,
				    struct error *err);

/* Read at offset; *ret_n is 0 at the end of the file. Holes read as zeros. */
MUST_CHECK int ext4_reader_read(struct ext4_reader *r, uint32_t inode, void *buf, size_t len,
				uint64_t offset, size_t *ret_n, struct error *err);

/* The next range of a file that is not a hole. 0, 1 = none, -1. */
MUST_CHECK int ext4_reader_next_data(struct ext4_reader *r, uint32_t inode, uint64_t offset,
				     uint64_t *ret_offset, uint64_t *ret_len, struct error *err);

/* Call fn for each xattr of an inode, sorted by name. */
typedef int ext4_xattr_fn(const struct ext4_xattr *xattr, void *arg, struct error *err);
MUST_CHECK int ext4_reader_xattrs(struct ext4_reader *r, uint32_t inode, ext4_xattr_fn *fn,
				  void *arg, struct error *err);

/*
 * Data that is inline, encrypted or in indirect blocks is ERR_UNSUPPORTED to every call that needs it;
 * we write none and do not enable the features.
 */

/*
 * Visit the whole tree, parents before children, names in byte order. path has no leading slash;
 * the root is "". One walk at a time.
 *
 * Bounded: a directory reached twice is ERR_INCONSISTENT. So is data that fn asks for by
 * ext4_reader_next_data(), when all of it together is more than the file system has; for values of
 * attributes it is ERR_UNSUPPORTED, since files may share them.
 */
typedef int ext4_walk_fn(const char *path, const struct ext4_stat *st, void *arg,
			 struct error *err);
MUST_CHECK int ext4_reader_walk(struct ext4_reader *r, ext4_walk_fn *fn, void *arg,
				struct error *err);
