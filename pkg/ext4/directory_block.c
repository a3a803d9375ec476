/* SPDX-License-Identifier: Apache-2.0 */
/* Single directory blocks: their names, and the checksums of all kinds. Expects any bytes. */
#include "pkg/ext4/directory.h"

#include <assert.h>
#include <inttypes.h>

#include "pkg/ext4/directory_internal.h"

/* 65,536 does not fit into its 16 bits and is written as 0 or 65,535. */
static size_t rec_len_of(const uint8_t *entry, size_t block_bytes)
{
	size_t len = get_le16(entry + 4);

	if (block_bytes == 65536 && (len == 0 || len == 65535))
		return 65536;
	return len;
}

static int damaged(const struct ext4_dir_cursor *c, const char *what, struct error *err)
{
	return error_set(err, ERR_INCONSISTENT, "directory block: %s at byte %zu", what, c->offset);
}

static bool bad_byte(const char *name, size_t len)
{
	return memchr(name, '/', len) || memchr(name, '\0', len);
}

int ext4_dir_next(struct ext4_dir_cursor *c, struct ext4_dir_entry *ret, struct error *err)
{
	while (c->offset < c->block_bytes) {
		const uint8_t *at = c->block + c->offset;
		size_t left = c->block_bytes - c->offset, len, name_len;

		if (left < DIR_ENTRY_MIN)
			return damaged(c, "an entry without room", err);
		len = rec_len_of(at, c->block_bytes);
		name_len = at[6];
		if (len < DIR_ENTRY_MIN || len % 4 || len > left)
			return damaged(c, "an entry of impossible length", err);
		*ret = (struct ext4_dir_entry){
			.name = (const char *)at + DIR_ENTRY_HEADER,
			.name_len = (uint8_t)name_len,
			.type = at[7] < EXT4_DIR_TYPES ? at[7] : EXT4_DIR_UNKNOWN,
			.inode = get_le32(at),
		};
		if (ret->inode != 0) {
			if (name_len == 0 || dir_entry_bytes(name_len) > len)
				return damaged(c, "a name of impossible length", err);
			if (bad_byte(ret->name, name_len))
				return damaged(c, "a name with '/' or NUL", err);
		}
		c->offset += len;
		if (ret->inode != 0)
			return 0;
	}
	return 1;
}

/* --- checksums -------------------------------------------------------------------------------- */

/* Where the index of a block starts, 0 if it has none. */
static size_t index_offset(const uint8_t *block, size_t block_bytes, bool indexed, uint64_t logical)
{
	const uint8_t *info = block + DIR_ROOT_INFO;

	if (!indexed)
		return 0;
	if (logical == 0)
		return get_le32(info) == 0 && info[5] == DIR_ROOT_INFO_BYTES ? DIR_ROOT_INDEX : 0;
	return get_le32(block) == 0 && rec_len_of(block, block_bytes) == block_bytes
		       ? DIR_NODE_INDEX
		       : 0;
}

/* The checksum covers the entries in use, then the tail with zeros for the checksum itself. */
static uint32_t index_checksum(uint32_t seed, const uint8_t *block, size_t offset, size_t count,
			       const uint8_t *tail)
{
	uint8_t blank[DIR_INDEX_TAIL_BYTES] = {0};
	uint32_t crc = ext4_crc32c(seed, block, offset + count * DIR_INDEX_BYTES);

	memcpy(blank, tail, 4);
	return ext4_crc32c(crc, blank, sizeof(blank));
}

static bool index_holds(uint32_t seed, const uint8_t *block, size_t block_bytes, size_t offset)
{
	size_t limit = get_le16(block + offset), count = get_le16(block + offset + 2);
	size_t tail = offset + limit * DIR_INDEX_BYTES;

	if (count > limit || tail + DIR_INDEX_TAIL_BYTES > block_bytes)
		return false;
	return get_le32(block + tail + 4)
	       == index_checksum(seed, block, offset, count, block + tail);
}

static bool leaf_holds(uint32_t seed, const uint8_t *block, size_t block_bytes)
{
	size_t offset = block_bytes - DIR_TAIL_BYTES;
	const uint8_t *tail = block + offset;

	if (get_le32(tail) != 0 || get_le16(tail + 4) != DIR_TAIL_BYTES || tail[6] != 0
	    || tail[7] != DIR_TAIL_TYPE)
		return false;
	return get_le32(tail + 8) == ext4_crc32c(seed, block, offset);
}

bool ext4_dir_checksum_holds(uint32_t seed, const uint8_t *block, size_t block_bytes, bool indexed,
			     uint64_t logical)
{
	size_t offset = index_offset(block, block_bytes, indexed, logical);

	return offset ? index_holds(seed, block, block_bytes, offset)
		      : leaf_holds(seed, block, block_bytes);
}

void ext4_dir_set_checksum(uint32_t seed, uint8_t *block, bool indexed, uint64_t logical)
{
	size_t offset = index_offset(block, EXT4_BLOCK_BYTES, indexed, logical);
	uint8_t *tail;

	if (offset) {
		size_t limit = get_le16(block + offset), count = get_le16(block + offset + 2);

		tail = block + offset + limit * DIR_INDEX_BYTES;
		assert(count <= limit && tail + DIR_INDEX_TAIL_BYTES <= block + EXT4_BLOCK_BYTES);
		put_le32(tail + 4, index_checksum(seed, block, offset, count, tail));
		return;
	}
	tail = block + EXT4_BLOCK_BYTES - DIR_TAIL_BYTES;
	put_le32(tail, 0);
	put_le16(tail + 4, DIR_TAIL_BYTES);
	tail[6] = 0;
	tail[7] = DIR_TAIL_TYPE;
	put_le32(tail + 8, ext4_crc32c(seed, block, EXT4_BLOCK_BYTES - DIR_TAIL_BYTES));
}
