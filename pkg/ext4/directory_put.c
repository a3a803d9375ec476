/* SPDX-License-Identifier: Apache-2.0 */
/* Single blocks of a directory from sorted names or pointers. */
#include <assert.h>
#include <ext2fs/ext2fs.h>
#include <string.h>

#include "pkg/ext4/directory_internal.h"

void dir_name_set(struct dir_name *name, const struct ext4_dir_owner *owner,
		  const struct ext4_dir_entry *entry)
{
	name->entry = *entry;
	name->hash = ext4_dir_hash(owner, entry->name, entry->name_len, &name->minor);
}

int dir_name_compare(const void *pa, const void *pb)
{
	const struct dir_name *a = pa, *b = pb;
	const struct ext4_dir_entry *x = &a->entry, *y = &b->entry;
	size_t shorter = x->name_len < y->name_len ? x->name_len : y->name_len;
	int rc;

	if (a->hash != b->hash)
		return a->hash < b->hash ? -1 : 1;
	if (a->minor != b->minor)
		return a->minor < b->minor ? -1 : 1;
	rc = memcmp(x->name, y->name, shorter);
	return rc ? rc : (int)x->name_len - (int)y->name_len;
}

size_t dir_names_bytes(const struct dir_name *names, size_t n)
{
	size_t bytes = 0;

	for (size_t i = 0; i < n; i++)
		bytes += dir_entry_bytes(names[i].entry.name_len);
	return bytes;
}

/* --- entries ---------------------------------------------------------------------------------- */

static void put_entry(uint8_t *at, uint32_t inode, size_t rec_len, enum ext4_dir_type type,
		      const char *name, size_t name_len)
{
	put_le32(at, inode);
	put_le16(at + 4, (uint16_t)rec_len);
	at[6] = (uint8_t)name_len;
	at[7] = (uint8_t)type;
	memcpy(at + DIR_ENTRY_HEADER, name, name_len);
}

/* Entries from `at` on, the last one reaching to the tail; without any, one that is not in use. */
static void put_entries(uint8_t *block, size_t at, const struct dir_name *names, size_t n)
{
	if (n == 0)
		put_entry(block + at, 0, DIR_LEAF_ROOM - at, EXT4_DIR_UNKNOWN, "", 0);
	for (size_t i = 0; i < n; i++) {
		const struct ext4_dir_entry *e = &names[i].entry;
		size_t len = i + 1 < n ? dir_entry_bytes(e->name_len) : DIR_LEAF_ROOM - at;

		put_entry(block + at, e->inode, len, e->type, e->name, e->name_len);
		at += len;
	}
}

static void put_dots(uint8_t *block, const struct ext4_dir_owner *owner, size_t dotdot_len)
{
	size_t dot_len = dir_entry_bytes(1);

	put_entry(block, owner->inode, dot_len, EXT4_DIR_DIRECTORY, ".", 1);
	put_entry(block + dot_len, owner->parent, dotdot_len, EXT4_DIR_DIRECTORY, "..", 2);
}

void dir_put_linear(uint8_t *block, const struct ext4_dir_owner *owner,
		    const struct dir_name *names, size_t n)
{
	size_t dots = dir_entry_bytes(1) + dir_entry_bytes(2);

	put_dots(block, owner, n ? dir_entry_bytes(2) : DIR_LEAF_ROOM - dir_entry_bytes(1));
	if (n)
		put_entries(block, dots, names, n);
	ext4_dir_set_checksum(owner->seed, block, false, 0);
}

void dir_put_leaf(uint8_t *block, const struct ext4_dir_owner *owner, uint32_t logical,
		  const struct dir_name *names, size_t n)
{
	put_entries(block, 0, names, n);
	ext4_dir_set_checksum(owner->seed, block, false, logical);
}

/* --- index ------------------------------------------------------------------------------------ */

static void put_pointers(uint8_t *index, size_t limit, const struct dir_pointer *pointers, size_t n)
{
	assert(n > 0 && n <= limit);
	for (size_t i = 0; i < n; i++) {
		put_le32(index + i * DIR_INDEX_BYTES, pointers[i].hash);
		put_le32(index + i * DIR_INDEX_BYTES + 4, pointers[i].block);
	}
	/* in place of the first hash, which is what the node above says */
	put_le16(index, (uint16_t)limit);
	put_le16(index + 2, (uint16_t)n);
}

void dir_put_node(uint8_t *block, const struct ext4_dir_owner *owner, uint32_t logical,
		  const struct dir_pointer *pointers, size_t n)
{
	put_le16(block + 4, EXT4_BLOCK_BYTES); /* one unused entry */
	put_pointers(block + DIR_NODE_INDEX, DIR_NODE_LIMIT, pointers, n);
	ext4_dir_set_checksum(owner->seed, block, true, logical);
}

void dir_put_root(uint8_t *block, const struct ext4_dir_owner *owner, unsigned levels,
		  const struct dir_pointer *pointers, size_t n)
{
	uint8_t *info = block + DIR_ROOT_INFO;

	put_dots(block, owner, EXT4_BLOCK_BYTES - dir_entry_bytes(1));
	info[4] = EXT2_HASH_HALF_MD4;
	info[5] = DIR_ROOT_INFO_BYTES;
	info[6] = (uint8_t)levels;
	put_pointers(block + DIR_ROOT_INDEX, DIR_ROOT_LIMIT, pointers, n);
	ext4_dir_set_checksum(owner->seed, block, true, 0);
}
