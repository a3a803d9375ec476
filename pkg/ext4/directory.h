/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Directory blocks from a list of names, and names from directory blocks. Pure: memory in, memory
 * out; knows neither the volume nor the inode table.
 *
 *   fits in one block:   . .. names by ascending hash                                | tail
 *   else, an htree:      block 0      root: . .. info, [hash -> block]               | tail
 *                        block 1..    nodes: [hash -> block], 0 to 2 levels of them  | tail
 *                        the rest     leaves: names by ascending hash                | tail
 *
 * Read linearly, an htree is a directory too: index blocks look like one unused entry.
 * Spec: kernel Documentation/filesystems/ext4/directory.rst.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pkg/base/buffer.h"
#include "pkg/base/error.h"

enum { EXT4_NAME_MAX = 255 };

/* The file type byte of a directory entry. */
enum ext4_dir_type {
	EXT4_DIR_UNKNOWN,
	EXT4_DIR_REGULAR,
	EXT4_DIR_DIRECTORY,
	EXT4_DIR_CHAR,
	EXT4_DIR_BLOCK,
	EXT4_DIR_FIFO,
	EXT4_DIR_SOCKET,
	EXT4_DIR_SYMLINK,
	EXT4_DIR_TYPES,
};

struct ext4_dir_entry {
	const char *name; /* not terminated; borrowed */
	uint8_t name_len; /* 1 .. 255 */
	uint8_t type;	  /* enum ext4_dir_type */
	uint32_t inode;
};

/* Whose directory it is: what . and .. say, and what checksums and hashes start from. */
struct ext4_dir_owner {
	uint32_t inode, parent;
	uint32_t seed;	       /* ext4_inode_seed() of the directory */
	uint32_t hash_seed[4]; /* s_hash_seed of the superblock, in host order */
};

/* File type byte for the type bits of a mode. */
enum ext4_dir_type ext4_dir_type_of_mode(uint32_t mode);

/* --- writing ---------------------------------------------------------------------------------- */

/*
 * All blocks of a directory, appended to ret: a multiple of 4096 bytes, at least one block.
 *
 * @entries: in any order, without . and .., no name twice; borrowed. Same names and inodes, same
 *           bytes.
 * @ret_indexed: the inode needs EXT4_INDEX_FL (true exactly when there are two blocks or more).
 *
 * O(n log n) also when all hashes are equal. Leaves are left 1/8 empty: a name added by a later
 * layer or a container then fits without splitting the leaf (which copies two blocks and the
 * index). The hash is half-MD4 with signed characters, as the superblock of ext4_base_create()
 * says.
 * Errors: ERR_INVALID (a name twice; empty), ERR_NO_SPACE (more than three levels hold).
 */
MUST_CHECK int ext4_dir_encode(const struct ext4_dir_owner *owner,
			       const struct ext4_dir_entry *entries, size_t n, struct buffer *ret,
			       bool *ret_indexed, struct error *err);

/* The hash an htree sorts by, lowest bit clear; *ret_minor breaks ties (it is not on disk). */
uint32_t ext4_dir_hash(const struct ext4_dir_owner *owner, const char *name, size_t name_len,
		       uint32_t *ret_minor);

/* --- reading ---------------------------------------------------------------------------------- */

/* A position in one block. Start with {.block = b, .block_bytes = n}. */
struct ext4_dir_cursor {
	const uint8_t *block;
	size_t block_bytes; /* 1024 .. 65536 */
	size_t offset;	    /* of the next entry */
};

/*
 * The next name of a block, . and .. included, unused entries left out. Works on index blocks too
 * (they hold no names but those of the root's . and ..). The block may hold anything.
 *
 * @ret: name points into the block. type is EXT4_DIR_UNKNOWN where the block says nonsense.
 * Returns 0, 1 = end of block, -1 with ERR_INCONSISTENT. Not checked here: inode numbers.
 */
MUST_CHECK int ext4_dir_next(struct ext4_dir_cursor *cursor, struct ext4_dir_entry *ret,
			     struct error *err);

/* . or .. */
bool ext4_dir_is_dot(const struct ext4_dir_entry *entry);

/*
 * Whether the checksum of a directory block of any kind holds.
 * @seed: ext4_inode_seed() of the directory.
 * @indexed: the inode has EXT4_INDEX_FL.   @logical: number of the block in the directory.
 */
bool ext4_dir_checksum_holds(uint32_t seed, const uint8_t *block, size_t block_bytes, bool indexed,
			     uint64_t logical);

/*
 * Put the checksum into a block after its entries or index were changed. The block must be well
 * formed, as read with a checksum that held.
 */
void ext4_dir_set_checksum(uint32_t seed, uint8_t *block, bool indexed, uint64_t logical);
