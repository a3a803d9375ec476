/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where things are in a directory block.
 *
 *   entry   0 inode  4 rec_len  6 name_len  7 type  8 name, padded to a multiple of 4
 *   tail    an entry of 12 bytes without inode, type 0xde, and the checksum in place of a name
 *   root    0 .  12 ..  24 {0, hash version, 8, levels, 0}  32 index  4088 tail
 *   node    0 an unused entry                                8 index  4088 tail
 *   index   {limit, count, block of the lowest}, {hash, block} ...
 *   tail    of an index: 0, checksum; follows the last entry there is room for
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "pkg/base/bytes.h"
#include "pkg/ext4/checksum.h"
#include "pkg/ext4/directory.h"

enum {
	DIR_ENTRY_HEADER = 8,
	DIR_ENTRY_MIN = 12,
	DIR_TAIL_BYTES = 12,
	DIR_TAIL_TYPE = 0xde,
	DIR_ROOT_INFO = 24,
	DIR_ROOT_INFO_BYTES = 8,
	DIR_ROOT_INDEX = 32,
	DIR_NODE_INDEX = 8,
	DIR_INDEX_BYTES = 8,
	DIR_INDEX_TAIL_BYTES = 8,
	DIR_ROOT_LIMIT =
		(EXT4_BLOCK_BYTES - DIR_ROOT_INDEX - DIR_INDEX_TAIL_BYTES) / DIR_INDEX_BYTES,
	DIR_NODE_LIMIT =
		(EXT4_BLOCK_BYTES - DIR_NODE_INDEX - DIR_INDEX_TAIL_BYTES) / DIR_INDEX_BYTES,
	DIR_LEVELS_MAX = 3, /* with large_dir: the root and two levels of nodes */
	DIR_LEAF_ROOM = EXT4_BLOCK_BYTES - DIR_TAIL_BYTES,
	/* What a leaf that is made leaves free, see directory.h */
	DIR_LEAF_SLACK = EXT4_BLOCK_BYTES / 8,
};

/* A name with its place in the order of the index. */
struct dir_name {
	uint32_t hash, minor;
	struct ext4_dir_entry entry;
};

/* An entry of an index. */
struct dir_pointer {
	uint32_t hash; /* of its first name; lowest bit: the block before ends with the same hash */
	uint32_t block;
};

/* What an entry with a name takes. */
static inline size_t dir_entry_bytes(size_t name_len)
{
	return (DIR_ENTRY_HEADER + name_len + 3) & ~(size_t)3;
}

void dir_name_set(struct dir_name *name, const struct ext4_dir_owner *owner,
		  const struct ext4_dir_entry *entry);

/* By hash, then by what the hash leaves open, for qsort(); 0 only for the same name. */
int dir_name_compare(const void *a, const void *b);

/* Bytes of all entries. */
size_t dir_names_bytes(const struct dir_name *names, size_t n);

/*
 * Whole blocks, with their checksums, over 4096 bytes that are zeros. `logical` is the number of
 * the block in the directory.
 */
void dir_put_linear(uint8_t *block, const struct ext4_dir_owner *owner,
		    const struct dir_name *names, size_t n);
void dir_put_leaf(uint8_t *block, const struct ext4_dir_owner *owner, uint32_t logical,
		  const struct dir_name *names, size_t n);
void dir_put_node(uint8_t *block, const struct ext4_dir_owner *owner, uint32_t logical,
		  const struct dir_pointer *pointers, size_t n);
void dir_put_root(uint8_t *block, const struct ext4_dir_owner *owner, unsigned levels,
		  const struct dir_pointer *pointers, size_t n);
