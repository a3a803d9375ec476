/* SPDX-License-Identifier: Apache-2.0 */
/* Checksums and whole records of the dm-thin format. Judges single blocks only, never how they
 * hang together. */
#include "pkg/thin/file/format.h"

#include "pkg/thin/file/crc32c.h"

enum {
	AT_FLAGS = 4,
	AT_BLOCKNR = 8,
	AT_UUID = 16,
	AT_MAGIC = 32,
	AT_VERSION = 40,
	AT_TIME = 44,
	AT_TRANSACTION_ID = 48,
	AT_HELD_ROOT = 56,
	AT_DATA_SM = 64,
	AT_METADATA_SM = 192,
	AT_MAPPING_ROOT = 320,
	AT_DETAILS_ROOT = 328,
	AT_DATA_BLOCK_SECTORS = 336,
	AT_METADATA_BLOCK_SECTORS = 340,
	AT_METADATA_BLOCKS = 344,
	AT_COMPAT = 352,
	AT_COMPAT_RO = 356,
	AT_INCOMPAT = 360,

	SM_ROOT_USED = 32,
	SM_ROOT_SPACE = 128,
};

static const struct {
	const char *name;
	uint32_t salt;
} block_types[] = {
	[TF_SUPERBLOCK] = {"superblock", 160774},
	[TF_NODE] = {"node", 121107},
	[TF_BITMAP] = {"bitmap", 240779},
	[TF_INDEX] = {"index block", 160478},
};

uint32_t tf_block_checksum(const uint8_t *block, enum tf_block_type type)
{
	return tf_crc32c(UINT32_MAX, block + 4, TF_BLOCK_BYTES - 4) ^ block_types[type].salt;
}

void tf_block_seal(uint8_t *block, enum tf_block_type type, uint64_t blocknr)
{
	put_le64(block + AT_BLOCKNR, blocknr);
	put_le32(block, tf_block_checksum(block, type));
}

static bool node_header_ok(const uint8_t *node)
{
	uint32_t flags = tf_node_flags(node);
	uint64_t max = tf_node_max(node);

	if (flags != TF_NODE_INTERNAL && flags != TF_NODE_LEAF)
		return false;
	if (max > TF_NODE_SPACE / 8 || tf_node_value_size(node) > TF_NODE_SPACE)
		return false;
	if (max * (8 + (uint64_t)tf_node_value_size(node)) > TF_NODE_SPACE)
		return false;
	if (flags == TF_NODE_INTERNAL && tf_node_value_size(node) != 8)
		return false;
	return tf_node_entries(node) <= max;
}

/* Whoever walks through a tree goes on behind the last key, and must get ahead by that. */
static bool node_keys_ascend(const uint8_t *node)
{
	uint32_t n = tf_node_entries(node);

	for (uint32_t i = 1; i < n; i++)
		if (tf_node_key(node, i - 1) >= tf_node_key(node, i))
			return false;
	return true;
}

int tf_block_verify(const uint8_t *block, enum tf_block_type type, uint64_t blocknr,
		    struct error *err)
{
	const char *name = block_types[type].name;
	unsigned long long nr = blocknr;

	if (get_le32(block) != tf_block_checksum(block, type))
		return error_set(err, ERR_INCONSISTENT,
				 "metadata block %llu is no sound %s (checksum)", nr, name);
	if (tf_block_number(block) != blocknr)
		return error_set(err, ERR_INCONSISTENT, "metadata block %llu says it is %llu", nr,
				 (unsigned long long)tf_block_number(block));
	if (type == TF_NODE && !node_header_ok(block))
		return error_set(err, ERR_INCONSISTENT,
				 "metadata block %llu: node header (flags %u, entries %u of %u, "
				 "values of %u bytes)",
				 nr, tf_node_flags(block), tf_node_entries(block),
				 tf_node_max(block), tf_node_value_size(block));
	if (type == TF_NODE && !node_keys_ascend(block))
		return error_set(err, ERR_INCONSISTENT, "metadata block %llu: keys do not ascend",
				 nr);
	return 0;
}

static void sm_root_unpack(const uint8_t *p, struct tf_sm_root *ret)
{
	ret->nr_blocks = get_le64(p);
	ret->nr_allocated = get_le64(p + 8);
	ret->bitmap_root = get_le64(p + 16);
	ret->overflow_root = get_le64(p + 24);
}

static void sm_root_pack(const struct tf_sm_root *root, uint8_t *p)
{
	put_le64(p, root->nr_blocks);
	put_le64(p + 8, root->nr_allocated);
	put_le64(p + 16, root->bitmap_root);
	put_le64(p + 24, root->overflow_root);
	memset(p + SM_ROOT_USED, 0, SM_ROOT_SPACE - SM_ROOT_USED);
}

void tf_superblock_unpack(const uint8_t *b, struct tf_superblock *ret)
{
	ret->flags = get_le32(b + AT_FLAGS);
	memcpy(ret->uuid, b + AT_UUID, TF_UUID_LEN);
	ret->magic = get_le64(b + AT_MAGIC);
	ret->version = get_le32(b + AT_VERSION);
	ret->time = get_le32(b + AT_TIME);
	ret->transaction_id = get_le64(b + AT_TRANSACTION_ID);
	ret->held_root = get_le64(b + AT_HELD_ROOT);
	sm_root_unpack(b + AT_DATA_SM, &ret->data_sm);
	sm_root_unpack(b + AT_METADATA_SM, &ret->metadata_sm);
	ret->mapping_root = get_le64(b + AT_MAPPING_ROOT);
	ret->details_root = get_le64(b + AT_DETAILS_ROOT);
	ret->data_block_sectors = get_le32(b + AT_DATA_BLOCK_SECTORS);
	ret->metadata_block_sectors = get_le32(b + AT_METADATA_BLOCK_SECTORS);
	ret->metadata_blocks = get_le64(b + AT_METADATA_BLOCKS);
	ret->compat_flags = get_le32(b + AT_COMPAT);
	ret->compat_ro_flags = get_le32(b + AT_COMPAT_RO);
	ret->incompat_flags = get_le32(b + AT_INCOMPAT);
}

void tf_superblock_pack(const struct tf_superblock *sb, uint8_t *b)
{
	put_le32(b + AT_FLAGS, sb->flags);
	memcpy(b + AT_UUID, sb->uuid, TF_UUID_LEN);
	put_le64(b + AT_MAGIC, sb->magic);
	put_le32(b + AT_VERSION, sb->version);
	put_le32(b + AT_TIME, sb->time);
	put_le64(b + AT_TRANSACTION_ID, sb->transaction_id);
	put_le64(b + AT_HELD_ROOT, sb->held_root);
	sm_root_pack(&sb->data_sm, b + AT_DATA_SM);
	sm_root_pack(&sb->metadata_sm, b + AT_METADATA_SM);
	put_le64(b + AT_MAPPING_ROOT, sb->mapping_root);
	put_le64(b + AT_DETAILS_ROOT, sb->details_root);
	put_le32(b + AT_DATA_BLOCK_SECTORS, sb->data_block_sectors);
	put_le32(b + AT_METADATA_BLOCK_SECTORS, sb->metadata_block_sectors);
	put_le64(b + AT_METADATA_BLOCKS, sb->metadata_blocks);
	put_le32(b + AT_COMPAT, sb->compat_flags);
	put_le32(b + AT_COMPAT_RO, sb->compat_ro_flags);
	put_le32(b + AT_INCOMPAT, sb->incompat_flags);
}

static int validate_identity(const struct tf_superblock *sb, bool writable, struct error *err)
{
	if (sb->magic != TF_MAGIC)
		return error_set(err, ERR_INCONSISTENT, "superblock: magic %llu is not %u",
				 (unsigned long long)sb->magic, (unsigned)TF_MAGIC);
	if (sb->version != TF_VERSION)
		return error_set(err, ERR_UNSUPPORTED, "superblock: format version %u, known is %u",
				 sb->version, (unsigned)TF_VERSION);
	if (sb->incompat_flags)
		error_set(err, ERR_UNSUPPORTED, "superblock: unknown feature flags %x",
			  sb->incompat_flags);
	else if (writable && sb->compat_ro_flags)
		error_set(err, ERR_UNSUPPORTED,
			  "superblock: unknown feature flags %x, with which a pool may be read but "
			  "not written",
			  sb->compat_ro_flags);
	else
		return 0;
	return error_set_detail(err, ERR_DETAIL_POOL_FEATURES);
}

int tf_superblock_validate(const struct tf_superblock *sb, bool writable, struct error *err)
{
	if (validate_identity(sb, writable, err) < 0)
		return -1;
	if (sb->metadata_block_sectors != TF_BLOCK_BYTES / TF_SECTOR_BYTES)
		return error_set(err, ERR_INCONSISTENT, "superblock: metadata blocks of %u sectors",
				 sb->metadata_block_sectors);
	if (sb->data_block_sectors < TF_DATA_SECTORS_MIN
	    || sb->data_block_sectors > TF_DATA_SECTORS_MAX
	    || sb->data_block_sectors % TF_DATA_SECTORS_MIN)
		return error_set(err, ERR_INCONSISTENT, "superblock: data blocks of %u sectors",
				 sb->data_block_sectors);
	if (!sb->metadata_sm.nr_blocks || sb->metadata_sm.nr_blocks > TF_METADATA_BLOCKS_MAX)
		return error_set(err, ERR_INCONSISTENT, "superblock: %llu metadata blocks",
				 (unsigned long long)sb->metadata_sm.nr_blocks);
	/* Each bitmap is a block of the metadata; who opens the pool takes memory for all of them. */
	if (sb->data_sm.nr_blocks > TF_DATA_BLOCKS_MAX
	    || tf_bitmaps_for(sb->data_sm.nr_blocks) > sb->metadata_sm.nr_blocks)
		return error_set(err, ERR_INCONSISTENT, "superblock: %llu data blocks",
				 (unsigned long long)sb->data_sm.nr_blocks);
	return 0;
}

void tf_node_init(uint8_t *node, uint32_t flags, uint32_t value_size)
{
	memset(node, 0, TF_BLOCK_BYTES);
	put_le32(node + 4, flags);
	put_le32(node + 20, tf_node_max_entries(value_size));
	put_le32(node + 24, value_size);
}

void tf_index_entry_unpack(const uint8_t *p, struct tf_index_entry *ret)
{
	ret->bitmap = get_le64(p);
	ret->nr_free = get_le32(p + 8);
	ret->none_free_before = get_le32(p + 12);
}

void tf_index_entry_pack(const struct tf_index_entry *e, uint8_t *p)
{
	put_le64(p, e->bitmap);
	put_le32(p + 8, e->nr_free);
	put_le32(p + 12, e->none_free_before);
}

void tf_device_unpack(const uint8_t *p, struct tf_device *ret)
{
	ret->mapped_blocks = get_le64(p);
	ret->transaction_id = get_le64(p + 8);
	ret->creation_time = get_le32(p + 16);
	ret->snapshotted_time = get_le32(p + 20);
}

void tf_device_pack(const struct tf_device *d, uint8_t *p)
{
	put_le64(p, d->mapped_blocks);
	put_le64(p + 8, d->transaction_id);
	put_le32(p + 16, d->creation_time);
	put_le32(p + 20, d->snapshotted_time);
}
