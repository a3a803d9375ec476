/* SPDX-License-Identifier: Apache-2.0 */
/* Attributes out of an inode or a block that may hold any bytes. */
#include <string.h>

#include "pkg/base/bytes.h"
#include "pkg/ext4/checksum.h"
#include "pkg/ext4/xattr.h"
#include "pkg/ext4/xattr_internal.h"

void ext4_xattr_start_inode(struct ext4_xattr_cursor *c, const uint8_t *area, size_t len)
{
	*c = (struct ext4_xattr_cursor){.base = area};
	if (len < XATTR_MAGIC_BYTES + XATTR_END_BYTES || get_le32(area) != XATTR_MAGIC)
		return;
	c->base = area + XATTR_MAGIC_BYTES;
	c->bytes = len - XATTR_MAGIC_BYTES;
}

int ext4_xattr_start_block(struct ext4_xattr_cursor *c, const uint8_t *block, size_t len,
			   uint32_t fs_seed, uint64_t number, struct error *err)
{
	if (get_le32(block) != XATTR_MAGIC || get_le32(block + 8) != 1)
		return error_set(err, ERR_INCONSISTENT, "attribute block without magic number");
	if (get_le32(block + XATTR_CHECKSUM_AT)
	    != xattr_block_checksum(fs_seed, number, block, len))
		return error_set(err, ERR_INCONSISTENT, "attribute block with a wrong checksum");
	*c = (struct ext4_xattr_cursor){.base = block, .bytes = len, .offset = XATTR_HEADER_BYTES};
	return 0;
}

static int damaged(const struct ext4_xattr_cursor *c, const char *what, struct error *err)
{
	return error_set(err, ERR_INCONSISTENT, "extended attributes: %s at byte %zu", what,
			 c->offset);
}

static int locate_value(const struct ext4_xattr_cursor *c, const uint8_t *entry,
			struct ext4_xattr_found *ret, struct error *err)
{
	size_t offset = get_le16(entry + 2);

	if (ret->value_inode) {
		if (ret->value_len > EXT4_XATTR_VALUE_MAX)
			return damaged(c, "a value of impossible size", err);
		return 0;
	}
	if (ret->value_len > c->bytes || offset > c->bytes - ret->value_len)
		return damaged(c, "a value out of its area", err);
	ret->value = c->base + offset;
	return 0;
}

int ext4_xattr_next(struct ext4_xattr_cursor *c, struct ext4_xattr_found *ret, struct error *err)
{
	const uint8_t *entry = c->base + c->offset;
	size_t left = c->bytes - c->offset, len;

	if (c->bytes == 0)
		return 1;
	if (left < XATTR_END_BYTES)
		return damaged(c, "entries without an end", err);
	if (get_le32(entry) == 0)
		return 1;
	if (left < XATTR_ENTRY_BYTES || (len = xattr_padded(XATTR_ENTRY_BYTES + entry[0])) > left)
		return damaged(c, "an entry without room", err);
	*ret = (struct ext4_xattr_found){
		.index = entry[1],
		.suffix = (const char *)entry + XATTR_ENTRY_BYTES,
		.suffix_len = entry[0],
		.value_inode = get_le32(entry + 4),
		.value_len = get_le32(entry + 8),
		.hash = get_le32(entry + 12),
	};
	if (memchr(ret->suffix, '\0', ret->suffix_len))
		return damaged(c, "a name with NUL", err);
	if (locate_value(c, entry, ret, err) < 0)
		return -1;
	c->offset += len;
	return 0;
}

int ext4_xattr_decode(const struct ext4_xattr_found *found, const void *value, size_t value_len,
		      struct buffer *ret_name, struct buffer *ret_value, struct error *err)
{
	const struct xattr_space *space = xattr_space_of_index(found->index);

	if (!space || space->exact != (found->suffix_len == 0))
		return 1;
	if (space->exact) {
		if (xattr_acl_from_disk(value, value_len, ret_value, err) < 0)
			return -1;
	} else {
		buffer_add(ret_value, value, value_len);
	}
	buffer_add(ret_name, space->prefix, strlen(space->prefix));
	buffer_add(ret_name, found->suffix, found->suffix_len);
	return 0;
}

/* As xattr_entry_hash(), but names count with sign: x86 kernels before 6.2. */
static uint32_t signed_hash(const struct ext4_xattr_found *found, uint32_t value_hash)
{
	uint32_t hash = 0;

	for (size_t i = 0; i < found->suffix_len; i++) {
		int32_t c = (int8_t)found->suffix[i];

		hash = (hash << 5) ^ (hash >> 27) ^ (uint32_t)c;
	}
	return (hash << 16) ^ (hash >> 16) ^ value_hash;
}

bool ext4_xattr_separate_holds(const struct ext4_xattr_found *found, const void *value,
			       size_t value_len, uint32_t fs_seed)
{
	uint32_t crc = ext4_crc32c(fs_seed, value, value_len);
	uint8_t le_crc[4];

	put_le32(le_crc, crc);
	return found->hash == xattr_entry_hash(found->suffix, found->suffix_len, le_crc, 4)
	       || found->hash == signed_hash(found, crc);
}
