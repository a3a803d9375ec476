/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which blocks and inodes of a file system are free, group by group. A bitmap is read when it is
 * first needed and written at the end if it changed; a group nobody touches costs nothing.
 *
 * New things go to chunks of 64 KiB, aligned on the volume, that were wholly free when the file
 * system was opened: the lowest first, one thing after another, never back. What is freed is not
 * given out again until there is no such chunk left; from then on it is the lowest free one.
 */
#pragma once

#include <ext2fs/ext2fs.h>
#include <stdbool.h>
#include <stdint.h>

#include "pkg/base/error.h"
#include "pkg/ext4/block_store.h"

enum { CHUNK_BLOCKS = 16 };

struct ext4_group {
	uint8_t *block_map; /* NULL until read; bit set = in use */
	uint8_t *inode_map;
	uint8_t *free_chunks;	    /* bit set = wholly free when opened */
	uint8_t *free_inode_chunks; /* the same for parts of the inode table */
	uint32_t unused_inodes;	    /* at the end of the table when opened: read as zeros */
	bool blocks_changed, inodes_changed, changed;
};

/* Where the next new thing goes. */
struct ext4_cursor {
	uint64_t chunk; /* the next one to look at */
	uint64_t next;	/* block or inode */
	uint32_t left;	/* of the chunk in use */
	uint32_t spare_group;
};

struct ext4_groups {
	ext2_filsys fs;		   /* borrowed */
	struct block_store *store; /* borrowed */
	struct ext4_group *group;
	uint32_t n;
	struct ext4_cursor block, inode;
};

/* Checks all descriptors. Errors: ERR_INCONSISTENT. After an error nothing has to be released. */
MUST_CHECK int ext4_groups_init(struct ext4_groups *g, ext2_filsys fs, struct block_store *store,
				struct error *err);
void ext4_groups_release(struct ext4_groups *g);

/* Take up to `want` blocks that follow each other. Errors: ERR_NO_SPACE. */
MUST_CHECK int ext4_groups_take_blocks(struct ext4_groups *g, uint64_t want, uint64_t *ret_start,
				       uint64_t *ret_n, struct error *err);
/* Errors: ERR_INCONSISTENT (not in use, or outside). */
MUST_CHECK int ext4_groups_free_blocks(struct ext4_groups *g, uint64_t start, uint64_t n,
				       struct error *err);

MUST_CHECK int ext4_groups_take_inode(struct ext4_groups *g, bool directory, uint32_t *ret,
				      struct error *err);
MUST_CHECK int ext4_groups_free_inode(struct ext4_groups *g, uint32_t inode, bool directory,
				      struct error *err);

/*
 * Was the whole block of the inode table that holds this inode without content when the file
 * system was opened? Then it need not be read.
 */
bool ext4_groups_inode_block_was_empty(const struct ext4_groups *g, uint32_t inode);

/* Write the changed descriptors and bitmaps, with their checksums. */
MUST_CHECK int ext4_groups_flush(struct ext4_groups *g, struct error *err);

/* Shared by the files of this module. */
MUST_CHECK int ext4_groups_load_blocks(struct ext4_groups *g, uint32_t group, struct error *err);
MUST_CHECK int ext4_groups_load_inodes(struct ext4_groups *g, uint32_t group, struct error *err);
/* The inodes of one chunk of a group's table: *ret_first is an index into the group. */
uint32_t ext4_groups_inode_chunk(const struct ext4_groups *g, uint32_t group, uint32_t chunk,
				 uint32_t *ret_first);
uint32_t ext4_groups_inode_chunks(const struct ext4_groups *g); /* of each group, at most */

static inline bool map_test(const uint8_t *map, uint64_t bit)
{
	return map[bit / 8] >> bit % 8 & 1;
}

/* The first clear bit in [from, end), or end. */
uint32_t map_find_clear(const uint8_t *map, uint32_t from, uint32_t end);
void map_set(uint8_t *map, uint32_t from, uint32_t n, bool value);
/* Are all bits of the range equal to value? */
bool map_is(const uint8_t *map, uint32_t from, uint32_t n, bool value);
