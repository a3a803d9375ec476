/* SPDX-License-Identifier: Apache-2.0 */
/* The superblock of a file system that we made: known again, and changed by itself. */
#include "pkg/ext4/superblock.h"

#include <ext2fs/ext2_fs.h>
#include <stddef.h>
#include <string.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/ext4/checksum.h"

enum {
	COMPAT = EXT3_FEATURE_COMPAT_HAS_JOURNAL | EXT2_FEATURE_COMPAT_DIR_INDEX
		 | EXT2_FEATURE_COMPAT_EXT_ATTR | EXT2_FEATURE_COMPAT_RESIZE_INODE,
	INCOMPAT = EXT2_FEATURE_INCOMPAT_FILETYPE | EXT3_FEATURE_INCOMPAT_EXTENTS
		   | EXT4_FEATURE_INCOMPAT_64BIT | EXT4_FEATURE_INCOMPAT_FLEX_BG
		   | EXT4_FEATURE_INCOMPAT_EA_INODE | EXT4_FEATURE_INCOMPAT_CSUM_SEED
		   | EXT4_FEATURE_INCOMPAT_LARGEDIR,
	INCOMPAT_NEEDED = EXT2_FEATURE_INCOMPAT_FILETYPE | EXT3_FEATURE_INCOMPAT_EXTENTS
			  | EXT4_FEATURE_INCOMPAT_CSUM_SEED,
	RO_COMPAT = EXT2_FEATURE_RO_COMPAT_SPARSE_SUPER | EXT2_FEATURE_RO_COMPAT_LARGE_FILE
		    | EXT4_FEATURE_RO_COMPAT_HUGE_FILE | EXT4_FEATURE_RO_COMPAT_DIR_NLINK
		    | EXT4_FEATURE_RO_COMPAT_EXTRA_ISIZE | EXT4_FEATURE_RO_COMPAT_METADATA_CSUM,
	RO_COMPAT_NEEDED = EXT4_FEATURE_RO_COMPAT_METADATA_CSUM,
};

int ext4_superblock_check(const struct ext2_super_block *sb, struct error *err)
{
	bool ours = (sb->s_feature_compat & ~(unsigned)COMPAT) == 0
		    && (sb->s_feature_incompat & ~(unsigned)INCOMPAT) == 0
		    && (sb->s_feature_incompat & INCOMPAT_NEEDED) == INCOMPAT_NEEDED
		    && (sb->s_feature_ro_compat & ~(unsigned)RO_COMPAT) == 0
		    && (sb->s_feature_ro_compat & RO_COMPAT_NEEDED) == RO_COMPAT_NEEDED
		    && sb->s_first_data_block == 0 && EXT2_BLOCK_SIZE(sb) == EXT4_BLOCK_BYTES
		    && EXT2_INODE_SIZE(sb) == EXT4_INODE_BYTES
		    && sb->s_blocks_per_group == EXT4_BLOCK_BYTES * 8;

	if (!ours)
		return error_set(err, ERR_INCONSISTENT, "ext4: not a file system of ours");
	if (!(sb->s_state & EXT2_VALID_FS) || sb->s_state & EXT2_ERROR_FS || sb->s_last_orphan)
		return error_set(err, ERR_INCONSISTENT, "ext4: the file system is not clean");
	return 0;
}

static uint32_t checksum(const struct ext2_super_block *sb)
{
	return ext4_crc32c(~UINT32_C(0), sb, offsetof(struct ext2_super_block, s_checksum));
}

static int check(const struct ext2_super_block *sb, struct error *err)
{
	if (sb->s_magic != EXT2_SUPER_MAGIC || sb->s_checksum != checksum(sb))
		return error_set(err, ERR_INCONSISTENT, "ext4: the superblock is damaged");
	return ext4_superblock_check(sb, err);
}

void ext4_superblock_name(struct ext2_super_block *sb, const uint8_t *uuid)
{
	/* libext2fs keeps it in the order of the host, which is that of the disk on all we run on.
	 */
	_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "a little-endian host");
	_Static_assert(sizeof(*sb) == 1024, "a superblock of 1024 bytes");
	memcpy(sb->s_uuid, uuid, sizeof(sb->s_uuid));
	sb->s_wtime = 1;
	sb->s_wtime_hi = 0;
	sb->s_checksum = checksum(sb);
}

int ext4_set_uuid(struct thin_volume *volume, const uint8_t *uuid, struct error *err)
{
	cleanup_free uint8_t *block = xaligned(EXT4_BLOCK_BYTES, EXT4_BLOCK_BYTES);
	struct ext2_super_block *sb = (struct ext2_super_block *)(block + SUPERBLOCK_OFFSET);

	if (thin_volume_read(volume, block, EXT4_BLOCK_BYTES, 0, err) < 0 || check(sb, err) < 0)
		return -1;
	ext4_superblock_name(sb, uuid);
	return thin_volume_write(volume, block, EXT4_BLOCK_BYTES, 0, err);
}
