/* SPDX-License-Identifier: Apache-2.0 */
/* Fields of an inode on disk. */
#include "pkg/ext4/raw_inode.h"

#include <endian.h>
#include <sys/stat.h>

#include "pkg/base/bytes.h"
#include "pkg/ext4/checksum.h"
#include "pkg/ext4/extents.h"

enum { SECTORS_IN_BLOCK = EXT4_BLOCK_BYTES / 512 };

/* 32 bits of seconds, signed, and 2 more that reach to the year 2446. */
static const int64_t EARLIEST = INT32_MIN;
static const int64_t LATEST = INT32_MAX + 3 * (INT64_C(1) << 32);

bool ext4_time_fits(const struct ext4_time *time)
{
	return (time->sec > EARLIEST && time->sec < LATEST)
	       || ((time->sec == EARLIEST || time->sec == LATEST) && time->nsec == 0);
}

static void set_time(__u32 *sec, __u32 *extra, const struct ext4_time *time)
{
	int64_t at = time->sec;
	uint32_t nsec = time->nsec;
	uint32_t epoch;

	/* as the kernel's timestamp_truncate(): no fraction at the ends, even where it would fit */
	if (at <= EARLIEST || at >= LATEST) {
		at = at <= EARLIEST ? EARLIEST : LATEST;
		nsec = 0;
	}
	epoch = (uint32_t)((at - (int32_t)at) >> 32) & 3;
	*sec = htole32((uint32_t)at);
	*extra = htole32(nsec << 2 | epoch);
}

void ext4_raw_set_meta(struct ext4_raw_inode *raw, const struct ext4_meta *meta)
{
	uint32_t type = ext4_raw_mode(raw) & S_IFMT;

	raw->i.i_mode = htole16((uint16_t)(type | (meta->mode & 07777)));
	raw->i.i_uid = htole16((uint16_t)meta->uid);
	raw->i.osd2.linux2.l_i_uid_high = htole16((uint16_t)(meta->uid >> 16));
	raw->i.i_gid = htole16((uint16_t)meta->gid);
	raw->i.osd2.linux2.l_i_gid_high = htole16((uint16_t)(meta->gid >> 16));
	set_time(&raw->i.i_mtime, &raw->i.i_mtime_extra, &meta->mtime);
	set_time(&raw->i.i_atime, &raw->i.i_atime_extra, &meta->atime);
	set_time(&raw->i.i_ctime, &raw->i.i_ctime_extra, &meta->ctime);
}

/*
 * Small numbers in the first word as 8:8 bits, larger ones in the second as the kernel packs them.
 */
static void set_device(struct ext4_raw_inode *raw, uint32_t major, uint32_t minor)
{
	uint8_t *iblock = ext4_raw_iblock(raw);

	if (major < 256 && minor < 256)
		put_le32(iblock, major << 8 | minor);
	else
		put_le32(iblock + 4, (minor & 0xff) | major << 8 | (minor & ~0xffu) << 12);
}

void ext4_raw_clear_extents(struct ext4_raw_inode *raw)
{
	uint8_t none[1];

	ext4_extents_encode(NULL, 0, 0, NULL, ext4_raw_iblock(raw), none);
}

void ext4_raw_make(struct ext4_raw_inode *raw, const struct ext4_meta *meta)
{
	uint32_t type = meta->mode & S_IFMT;

	*raw = (struct ext4_raw_inode){0};
	raw->i.i_mode = htole16((uint16_t)type);
	raw->i.i_extra_isize = htole16(EXT4_INODE_EXTRA);
	ext4_raw_set_meta(raw, meta);
	ext4_raw_set_links(raw, 1);
	if (type == S_IFCHR || type == S_IFBLK)
		set_device(raw, meta->rdev_major, meta->rdev_minor);
	if (type == S_IFREG || type == S_IFDIR) {
		ext4_raw_set_flag(raw, EXT4_EXTENTS_FL, true);
		ext4_raw_clear_extents(raw);
	}
}

uint32_t ext4_raw_mode(const struct ext4_raw_inode *raw)
{
	return le16toh(raw->i.i_mode);
}

uint32_t ext4_raw_links(const struct ext4_raw_inode *raw)
{
	return le16toh(raw->i.i_links_count);
}

void ext4_raw_set_links(struct ext4_raw_inode *raw, uint32_t links)
{
	raw->i.i_links_count = htole16((uint16_t)links);
}

uint64_t ext4_raw_size(const struct ext4_raw_inode *raw)
{
	return (uint64_t)le32toh(raw->i.i_size_high) << 32 | le32toh(raw->i.i_size);
}

void ext4_raw_set_size(struct ext4_raw_inode *raw, uint64_t size_bytes)
{
	raw->i.i_size = htole32((uint32_t)size_bytes);
	raw->i.i_size_high = htole32((uint32_t)(size_bytes >> 32));
}

bool ext4_raw_flag(const struct ext4_raw_inode *raw, uint32_t flag)
{
	return le32toh(raw->i.i_flags) & flag;
}

void ext4_raw_set_flag(struct ext4_raw_inode *raw, uint32_t flag, bool value)
{
	uint32_t flags = le32toh(raw->i.i_flags);

	raw->i.i_flags = htole32(value ? flags | flag : flags & ~flag);
}

/* Without EXT4_HUGE_FILE_FL the unit is 512 bytes; 48 bits of them are more than a volume has. */
static void set_sectors(struct ext4_raw_inode *raw, uint64_t sectors)
{
	raw->i.i_blocks = htole32((uint32_t)sectors);
	raw->i.osd2.linux2.l_i_blocks_hi = htole16((uint16_t)(sectors >> 32));
}

static uint64_t get_sectors(const struct ext4_raw_inode *raw)
{
	return (uint64_t)le16toh(raw->i.osd2.linux2.l_i_blocks_hi) << 32 | le32toh(raw->i.i_blocks);
}

void ext4_raw_add_blocks(struct ext4_raw_inode *raw, uint64_t n)
{
	set_sectors(raw, get_sectors(raw) + n * SECTORS_IN_BLOCK);
}

void ext4_raw_drop_blocks(struct ext4_raw_inode *raw, uint64_t n)
{
	uint64_t have = get_sectors(raw);
	uint64_t less = n * SECTORS_IN_BLOCK;

	set_sectors(raw, less < have ? have - less : 0);
}

uint64_t ext4_raw_xattr_block(const struct ext4_raw_inode *raw)
{
	return (uint64_t)le16toh(raw->i.osd2.linux2.l_i_file_acl_high) << 32
	       | le32toh(raw->i.i_file_acl);
}

void ext4_raw_set_xattr_block(struct ext4_raw_inode *raw, uint64_t block)
{
	raw->i.i_file_acl = htole32((uint32_t)block);
	raw->i.osd2.linux2.l_i_file_acl_high = htole16((uint16_t)(block >> 32));
}

uint8_t *ext4_raw_iblock(struct ext4_raw_inode *raw)
{
	return (uint8_t *)raw->i.i_block;
}

bool ext4_raw_has_extents(const struct ext4_raw_inode *raw)
{
	return ext4_raw_flag(raw, EXT4_EXTENTS_FL);
}
