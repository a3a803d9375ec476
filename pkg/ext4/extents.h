/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Extent trees from a list of extents, and extents from a tree. Pure but for a function the caller
 * gives for reading tree blocks.
 *
 *   i_block (60 bytes)   header + 4 entries: extents, or pointers to
 *   tree blocks (4096)   header + 340 entries + checksum: extents, or pointers to more, 5 levels
 *
 * Spec: kernel Documentation/filesystems/ext4/ifork.rst.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pkg/base/cleanup.h"
#include "pkg/base/error.h"

enum { EXT4_IBLOCK_BYTES = 60, EXT4_EXTENT_BLOCKS_MAX = 32768 };

struct ext4_extent {
	uint64_t physical;
	uint32_t logical;
	uint32_t len;	/* blocks */
	bool unwritten; /* allocated, reads as zeros; never written by us */
};

/* --- writing ---------------------------------------------------------------------------------- */

/*
 * How many tree blocks the extents need besides i_block. Extents longer than 32,768 blocks count
 * as several.
 */
size_t ext4_extents_tree_blocks(const struct ext4_extent *extents, size_t n);

/*
 * Build the tree.
 *
 * @extents: ascending, not overlapping, all written; neighbours should be merged already.
 * @seed: ext4_inode_seed() of the inode that owns the tree.
 * @numbers: the blocks the tree may use, as many as ext4_extents_tree_blocks() says.
 * @iblock: filled.   @blocks: filled, 4096 bytes for each of numbers, in that order.
 */
void ext4_extents_encode(const struct ext4_extent *extents, size_t n, uint32_t seed,
			 const uint64_t *numbers, uint8_t iblock[EXT4_IBLOCK_BYTES],
			 uint8_t *blocks);

/* --- reading ---------------------------------------------------------------------------------- */

/* Read one block of the file system into buf. */
typedef int ext4_extents_read_fn(void *arg, uint64_t block, uint8_t *buf, struct error *err);

struct ext4_extents_source {
	ext4_extents_read_fn *read;
	void *arg;
	uint32_t block_bytes;
	uint64_t first_block, last_block; /* a file may use these, both included */
	uint32_t seed;			  /* ext4_inode_seed() */
	bool checksums;			  /* tree blocks have them */
};

struct ext4_extents_walk;

/*
 * Walk a tree in ascending order from the first extent that ends behind a logical block.
 *
 * @iblock: copied.   @source: copied; arg stays borrowed.
 * Errors: ERR_INCONSISTENT. The walk is bounded: logical numbers must ascend through the whole
 * tree, each tree block lies within what its parent says, at most 5 levels, no empty tree block.
 */
MUST_CHECK int ext4_extents_open(const struct ext4_extents_source *source,
				 const uint8_t iblock[EXT4_IBLOCK_BYTES], uint32_t from,
				 struct ext4_extents_walk **ret, struct error *err);

/*
 * As above for an inode of the older kind, with the numbers of 12 blocks; it must have no more (see
 * ext4_blocks_are_direct()). e2fsck 1.47 makes lost+found so, on any ext4.
 */
MUST_CHECK int ext4_extents_open_direct(const struct ext4_extents_source *source,
					const uint8_t iblock[EXT4_IBLOCK_BYTES], uint32_t from,
					struct ext4_extents_walk **ret, struct error *err);
bool ext4_blocks_are_direct(const uint8_t iblock[EXT4_IBLOCK_BYTES]);

/*
 * 0, 1 = end, -1. The first one may start before `from`.
 */
MUST_CHECK int ext4_extents_next(struct ext4_extents_walk *walk, struct ext4_extent *ret,
				 struct error *err);
void ext4_extents_close(struct ext4_extents_walk *walk);
DEFINE_CLEANUP(struct ext4_extents_walk *, ext4_extents_close);

/*
 * Everything at once, for a file that is to be changed or freed.
 *
 * @ret, @ret_n: owned array.   @ret_tree, @ret_tree_n: owned array of the numbers of tree blocks.
 */
MUST_CHECK int ext4_extents_load(const struct ext4_extents_source *source,
				 const uint8_t iblock[EXT4_IBLOCK_BYTES], struct ext4_extent **ret,
				 size_t *ret_n, uint64_t **ret_tree, size_t *ret_tree_n,
				 struct error *err);
