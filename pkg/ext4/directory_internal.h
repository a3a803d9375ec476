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
};

/* What an entry with a name takes. */
static inline size_t dir_entry_bytes(size_t name_len)
{
	return (DIR_ENTRY_HEADER + name_len + 3) & ~(size_t)3;
}
