/* SPDX-License-Identifier: Apache-2.0 */
/* One inode of 256 bytes as it is on disk, little-endian, and what the writer puts into it. */
#pragma once

#include <ext2fs/ext2fs.h>
#include <stdbool.h>
#include <stdint.h>

#include "pkg/ext4/inode.h"
#include "pkg/ext4/xattr.h"

/*
 *   0    struct ext2_inode: the classic 128 bytes
 *   128  i_extra_isize = 32: nanoseconds, creation time, ...
 *   160  xattrs
 */
struct ext4_raw_inode {
	struct ext2_inode_large i;
	uint8_t xattrs[EXT4_XATTR_INODE_AREA];
};

_Static_assert(sizeof(struct ext4_raw_inode) == 256, "an inode of 256 bytes");

enum { EXT4_LINKS_MAX = 65000, EXT4_FAST_SYMLINK_MAX = 59 };

/* A new inode over zeros: type, permissions, owner, times, one link, device numbers; regular files
 * and directories get an empty extent tree. */
void ext4_raw_make(struct ext4_raw_inode *raw, const struct ext4_meta *meta);

/* Replace permission bits, owner and times. */
void ext4_raw_set_meta(struct ext4_raw_inode *raw, const struct ext4_meta *meta);

uint32_t ext4_raw_mode(const struct ext4_raw_inode *raw);
uint32_t ext4_raw_links(const struct ext4_raw_inode *raw);
void ext4_raw_set_links(struct ext4_raw_inode *raw, uint32_t links);
uint64_t ext4_raw_size(const struct ext4_raw_inode *raw);
void ext4_raw_set_size(struct ext4_raw_inode *raw, uint64_t size_bytes);
bool ext4_raw_flag(const struct ext4_raw_inode *raw, uint32_t flag);
void ext4_raw_set_flag(struct ext4_raw_inode *raw, uint32_t flag, bool value);

/* Count blocks of 4096 bytes that belong to the inode: data, extent tree, xattr block. */
void ext4_raw_add_blocks(struct ext4_raw_inode *raw, uint64_t n);
void ext4_raw_drop_blocks(struct ext4_raw_inode *raw, uint64_t n);

uint64_t ext4_raw_xattr_block(const struct ext4_raw_inode *raw); /* 0: none */
void ext4_raw_set_xattr_block(struct ext4_raw_inode *raw, uint64_t block);

/* The 60 bytes of the extent tree's root, a short symlink target or device numbers. */
uint8_t *ext4_raw_iblock(struct ext4_raw_inode *raw);

/* An extent tree without extents. */
void ext4_raw_clear_extents(struct ext4_raw_inode *raw);

/* Has it data blocks at all, and so an extent tree? */
bool ext4_raw_has_extents(const struct ext4_raw_inode *raw);
