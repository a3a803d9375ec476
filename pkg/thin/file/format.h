/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The dm-thin metadata format, version 2, as the kernel reads it: where each field is, how blocks
 * are summed, packing and unpacking. Knows bytes only; nothing of files, caches or trees.
 *
 *   metadata = array of 4096-byte blocks, little-endian, packed
 *
 *   every block      0 checksum | 4 (by type) | 8 own block number | ...
 *   superblock (0)   4 flags | 16 uuid | 32 magic | 40 version | 44 time | 48 transaction id
 *                    56 held root | 64 data space map root (128) | 192 metadata space map root
 * (128) 320 mapping root | 328 details root | 336 data block sectors 340 metadata block sectors |
 * 344 metadata blocks at format time 352 compat | 356 compat_ro | 360 incompat space map root   0
 * nr_blocks | 8 nr_allocated | 16 bitmap root | 24 overflow tree root node             4 flags | 16
 * nr_entries | 20 max_entries | 24 value_size | 28 padding 32 keys[max_entries] |
 * values[max_entries] bitmap           16 16320 two-bit counts index            16 255 index
 * entries index entry      0 bitmap block | 8 nr_free | 12 none_free_before device details   0
 * mapped_blocks | 8 transaction id | 16 creation time | 20 snapshotted time mapping          data
 * block << 24 | time
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pkg/base/bytes.h"
#include "pkg/base/error.h"

/* Before a buffer of a block that may be read past the page cache. */
#define TF_BLOCK_ALIGNED _Alignas(TF_BLOCK_BYTES)

enum {
	TF_BLOCK_BYTES = 4096,
	TF_SECTOR_BYTES = 512,
	TF_MAGIC = 27022010,
	TF_VERSION = 2,
	TF_FLAG_NEEDS_CHECK = 1, /* superblock */
	TF_UUID_LEN = 16,

	TF_NODE_INTERNAL = 1,
	TF_NODE_LEAF = 2,
	TF_NODE_HEADER = 32,
	TF_NODE_SPACE = TF_BLOCK_BYTES - TF_NODE_HEADER,

	TF_BITMAP_HEADER = 16,
	TF_BITMAP_ENTRIES = (TF_BLOCK_BYTES - TF_BITMAP_HEADER) * 4, /* 16320 */
	TF_INDEX_HEADER = 16,
	TF_INDEX_ENTRIES = 255,
	TF_INDEX_ENTRY_BYTES = 16,
	TF_COUNT_OVERFLOW = 3, /* two-bit count: "3 or more, see the overflow tree" */

	TF_DEVICE_BYTES = 24,
	TF_MAPPING_BYTES = 8,
	TF_OVERFLOW_BYTES = 4,
	TF_TIME_MAX = 0xffffff,

	TF_METADATA_BLOCKS_MAX = TF_BITMAP_ENTRIES * TF_INDEX_ENTRIES, /* 4161600 */
	TF_DATA_SECTORS_MIN = 128,				       /* 64 KiB */
	TF_DATA_SECTORS_MAX = 2097152,				       /* 1 GiB */
};

#define TF_DATA_BLOCKS_MAX (UINT64_C(1) << 40)

/* The checksum's salt is the only mark of a block's type. */
enum tf_block_type { TF_SUPERBLOCK, TF_NODE, TF_BITMAP, TF_INDEX };

uint32_t tf_block_checksum(const uint8_t *block, enum tf_block_type type);

/* Write the block's own number and its checksum. */
void tf_block_seal(uint8_t *block, enum tf_block_type type, uint64_t blocknr);

/* Checksum and own number; for nodes also what the kernel checks of the header (one kind flag,
 * nr_entries <= max_entries, entries fit), and that keys ascend. Errors: ERR_INCONSISTENT. */
MUST_CHECK int tf_block_verify(const uint8_t *block, enum tf_block_type type, uint64_t blocknr,
			       struct error *err);

static inline uint64_t tf_block_number(const uint8_t *block)
{
	return get_le64(block + 8);
}

/* ---- superblock ---- */

struct tf_sm_root {
	uint64_t nr_blocks, nr_allocated, bitmap_root, overflow_root;
};

struct tf_superblock {
	uint32_t flags;
	uint8_t uuid[TF_UUID_LEN];
	uint64_t magic;
	uint32_t version, time;
	uint64_t transaction_id;
	uint64_t held_root; /* 0 = none */
	struct tf_sm_root data_sm, metadata_sm;
	uint64_t mapping_root, details_root;
	uint32_t data_block_sectors, metadata_block_sectors;
	uint64_t metadata_blocks; /* stale after a grow: metadata_sm.nr_blocks is the truth */
	uint32_t compat_flags, compat_ro_flags, incompat_flags;
};

void tf_superblock_unpack(const uint8_t *block, struct tf_superblock *ret);
/* Bytes that are no field of the struct stay as they are, but the tails of the space map roots
 * become zero (the kernel leaves its own memory there). Does not seal. */
void tf_superblock_pack(const struct tf_superblock *sb, uint8_t *block);
/* Magic, version, feature flags, sizes in range. Errors: ERR_INCONSISTENT, ERR_UNSUPPORTED. */
MUST_CHECK int tf_superblock_validate(const struct tf_superblock *sb, bool writable,
				      struct error *err);

/* ---- btree nodes ---- */

/* Greatest multiple of 3 that fits: 336, 252, 168, 126 for 4, 8, 16, 24 bytes. */
static inline uint32_t tf_node_max_entries(uint32_t value_size)
{
	uint32_t n = (uint32_t)TF_NODE_SPACE / (8 + value_size);

	return n - n % 3;
}

static inline uint32_t tf_node_flags(const uint8_t *node)
{
	return get_le32(node + 4);
}

static inline bool tf_node_is_leaf(const uint8_t *node)
{
	return tf_node_flags(node) & TF_NODE_LEAF;
}

static inline uint32_t tf_node_entries(const uint8_t *node)
{
	return get_le32(node + 16);
}

static inline uint32_t tf_node_max(const uint8_t *node)
{
	return get_le32(node + 20);
}

static inline uint32_t tf_node_value_size(const uint8_t *node)
{
	return get_le32(node + 24);
}

static inline void tf_node_set_entries(uint8_t *node, uint32_t n)
{
	put_le32(node + 16, n);
}

static inline size_t tf_node_key_offset(uint32_t i)
{
	return TF_NODE_HEADER + (size_t)i * 8;
}

static inline uint64_t tf_node_key(const uint8_t *node, uint32_t i)
{
	return get_le64(node + tf_node_key_offset(i));
}

static inline void tf_node_set_key(uint8_t *node, uint32_t i, uint64_t key)
{
	put_le64(node + tf_node_key_offset(i), key);
}

/* Values begin after max_entries keys, however many are used. */
static inline size_t tf_node_value_offset(const uint8_t *node, uint32_t i)
{
	return tf_node_key_offset(tf_node_max(node)) + (size_t)i * tf_node_value_size(node);
}

static inline uint8_t *tf_node_value(uint8_t *node, uint32_t i)
{
	return node + tf_node_value_offset(node, i);
}

static inline const uint8_t *tf_node_value_const(const uint8_t *node, uint32_t i)
{
	return node + tf_node_value_offset(node, i);
}

/* Values of 8 bytes: child blocks, subtree roots, mappings. */
static inline uint64_t tf_node_value64(const uint8_t *node, uint32_t i)
{
	return get_le64(node + tf_node_value_offset(node, i));
}

static inline void tf_node_set_value64(uint8_t *node, uint32_t i, uint64_t v)
{
	put_le64(node + tf_node_value_offset(node, i), v);
}

/* An empty node, all zero behind the header. @flags: TF_NODE_INTERNAL or TF_NODE_LEAF. */
void tf_node_init(uint8_t *node, uint32_t flags, uint32_t value_size);

/* ---- bitmaps: two bits a block, swapped: stored 0, 2, 1, 3 for counts 0, 1, 2, more ---- */

static inline unsigned tf_bitmap_get(const uint8_t *bitmap, uint32_t entry)
{
	unsigned stored = bitmap[TF_BITMAP_HEADER + entry / 4] >> 2 * (entry % 4) & 3;

	return (stored & 1) << 1 | stored >> 1;
}

static inline void tf_bitmap_set(uint8_t *bitmap, uint32_t entry, unsigned count)
{
	uint8_t *byte = bitmap + TF_BITMAP_HEADER + entry / 4;
	unsigned shift = 2 * (entry % 4);
	unsigned stored = (count & 1) << 1 | (count >> 1 & 1);

	*byte = (uint8_t)((*byte & ~(3u << shift)) | stored << shift);
}

static inline uint64_t tf_bitmaps_for(uint64_t nr_blocks)
{
	return (nr_blocks + TF_BITMAP_ENTRIES - 1) / TF_BITMAP_ENTRIES;
}

struct tf_index_entry {
	uint64_t bitmap;
	uint32_t nr_free; /* 16320 - used, even in the last, partial bitmap; a hint when read */
	uint32_t none_free_before; /* no free entry below it; a hint when read */
};

void tf_index_entry_unpack(const uint8_t *p, struct tf_index_entry *ret);
void tf_index_entry_pack(const struct tf_index_entry *e, uint8_t *p);

static inline size_t tf_index_entry_offset(uint32_t i)
{
	return TF_INDEX_HEADER + (size_t)i * TF_INDEX_ENTRY_BYTES;
}

/* ---- device details and mappings ---- */

struct tf_device {
	uint64_t mapped_blocks, transaction_id;
	uint32_t creation_time, snapshotted_time;
};

void tf_device_unpack(const uint8_t *p, struct tf_device *ret);
void tf_device_pack(const struct tf_device *d, uint8_t *p);

static inline uint64_t tf_mapping(uint64_t data_block, uint32_t time)
{
	return data_block << 24 | (time & TF_TIME_MAX);
}

static inline uint64_t tf_mapping_block(uint64_t mapping)
{
	return mapping >> 24;
}

static inline uint32_t tf_mapping_time(uint64_t mapping)
{
	return (uint32_t)(mapping & TF_TIME_MAX);
}
