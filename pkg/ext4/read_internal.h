/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the reader share: the open file system, and inodes as checked values. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pkg/ext4/extents.h"
#include "pkg/ext4/io.h"
#include "pkg/ext4/read.h"

struct ext4_reader {
	struct thin_volume *volume;
	ext2_filsys fs;
	uint64_t blocks; /* of the file system */
	uint8_t *raw;	 /* room for one inode */
	size_t raw_bytes;
	/* Blocks that in a walk may still be mapped by its files, and hold values of attributes. */
	uint64_t mapped_left, values_left;
};

/* An inode as far as it was understood; nothing in it points anywhere. */
struct read_inode {
	struct ext4_stat stat;
	uint32_t flags;
	uint32_t seed;	      /* ext4_inode_seed() */
	uint64_t xattr_block; /* 0: none */
	uint8_t iblock[EXT4_IBLOCK_BYTES];
};

/*
 * Load an inode that must be in use. Errors: ERR_INCONSISTENT (number, checksum, type, size).
 * Leaves its bytes in r->raw.
 */
MUST_CHECK int read_inode(struct ext4_reader *r, uint32_t number, struct read_inode *ret,
			  struct error *err);

static inline bool read_is(const struct read_inode *inode, uint32_t type)
{
	return (inode->stat.meta.mode & LINUX_S_IFMT) == type;
}

/* Walk the extents of an inode. Errors: ERR_UNSUPPORTED (data kept in any other way). */
MUST_CHECK int read_extents(struct ext4_reader *r, const struct read_inode *inode, uint32_t from,
			    struct ext4_extents_walk **ret, struct error *err);

/* Bytes of a file that are there: offset + len is not behind its end. */
MUST_CHECK int read_bytes(struct ext4_reader *r, const struct read_inode *inode, void *buf,
			  size_t len, uint64_t offset, struct error *err);

/*
 * Count blocks that a file maps, written or not. Each belongs to one file only: without the count a
 * guest could let a million files share one tree of extents, or one block, and all of it be read
 * again for each. Errors: ERR_INCONSISTENT (the files of a walk map more than there is).
 */
MUST_CHECK int read_count_mapped(struct ext4_reader *r, const struct read_inode *inode,
				 uint64_t blocks, struct error *err);

/*
 * As ext4_reader_dir() for an inode that was loaded. fn may use the reader.
 * @budget: blocks that may still be read, counted down; keeps extents that map one block many
 *          times from multiplying the work.
 */
MUST_CHECK int read_directory(struct ext4_reader *r, const struct read_inode *dir,
			      ext4_dirent_fn *fn, void *arg, uint64_t *budget, struct error *err);

/* As ext4_reader_lookup() for a directory that was loaded, with a budget as above. */
MUST_CHECK int read_lookup(struct ext4_reader *r, const struct read_inode *dir, const char *name,
			   size_t name_len, uint64_t *budget, uint32_t *ret, struct error *err);

/* Puts "inode N" in front. */
int read_error(const struct read_inode *inode, struct error *err);

/* The whole call failed: damage that is not the pool's is the file system's. Returns -1. */
int read_failed(struct error *err);
