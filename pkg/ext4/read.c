/* SPDX-License-Identifier: Apache-2.0 */
/* The reader's file system and inodes: what they claim is checked here, before anyone uses it. */
#include "pkg/ext4/read.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "pkg/base/alloc.h"
#include "pkg/ext4/checksum.h"
#include "pkg/ext4/read_internal.h"

enum {
	SMALL_INODE_BYTES = EXT2_GOOD_OLD_INODE_SIZE,
	NSEC_MAX = 999999999,
};

/* What changes the meaning of what we look at, and is understood. */
static const uint32_t FEATURES_KNOWN =
	EXT2_FEATURE_INCOMPAT_FILETYPE | EXT2_FEATURE_INCOMPAT_META_BG
	| EXT3_FEATURE_INCOMPAT_EXTENTS | EXT4_FEATURE_INCOMPAT_64BIT | EXT4_FEATURE_INCOMPAT_MMP
	| EXT4_FEATURE_INCOMPAT_FLEX_BG | EXT4_FEATURE_INCOMPAT_EA_INODE
	| EXT4_FEATURE_INCOMPAT_CSUM_SEED | EXT4_FEATURE_INCOMPAT_LARGEDIR
	| EXT4_FEATURE_INCOMPAT_INLINE_DATA | EXT4_FEATURE_INCOMPAT_ENCRYPT;

int read_error(const struct read_inode *inode, struct error *err)
{
	return error_wrap(err, "inode %" PRIu32, inode->stat.inode);
}

int read_failed(struct error *err)
{
	if (err->kind != ERR_INCONSISTENT || err->detail != ERR_DETAIL_NONE)
		return -1;
	error_set_detail(err, ERR_DETAIL_FILE_SYSTEM);
	return error_wrap(err, "damaged file system");
}

/* --- opening ---------------------------------------------------------------------------------- */

static int check_features(ext2_filsys fs, struct error *err)
{
	const struct ext2_super_block *sb = fs->super;

	if (sb->s_feature_incompat & EXT3_FEATURE_INCOMPAT_RECOVER) {
		error_set(err, ERR_UNSUPPORTED,
			  "not unmounted cleanly: the journal has to be replayed first");
		err->sys = EUCLEAN;
		return -1;
	}
	if (sb->s_feature_incompat & ~FEATURES_KNOWN)
		return error_set(err, ERR_UNSUPPORTED, "unknown features %#x",
				 sb->s_feature_incompat & ~FEATURES_KNOWN);
	if (!(sb->s_feature_incompat & EXT2_FEATURE_INCOMPAT_FILETYPE)
	    || !(sb->s_feature_ro_compat & EXT4_FEATURE_RO_COMPAT_METADATA_CSUM))
		return error_set(err, ERR_UNSUPPORTED,
				 "an ext4 without file types or without metadata checksums");
	return 0;
}

/* There is memory to be spent on each inode; so each must have a place. */
static int check_inode_count(ext2_filsys fs, struct error *err)
{
	uint64_t bytes = (uint64_t)fs->super->s_inodes_count * EXT2_INODE_SIZE(fs->super);

	if (bytes > ext2fs_blocks_count(fs->super) * fs->blocksize)
		return error_set(err, ERR_INCONSISTENT,
				 "the superblock says %" PRIu32 " inodes, more than there is room "
				 "for",
				 fs->super->s_inodes_count);
	return 0;
}

int ext4_reader_open(struct thin_volume *volume, struct ext4_reader **ret, struct error *err)
{
	cleanup(ext4_reader_close_ptr) struct ext4_reader *r = xcalloc(1, sizeof(*r));

	r->volume = volume;
	if (ext4_io_open(volume, EXT4_IO_READ, &r->fs, err) < 0 || check_features(r->fs, err) < 0
	    || check_inode_count(r->fs, err) < 0)
		return read_failed(err);
	r->blocks = ext2fs_blocks_count(r->fs->super);
	r->mapped_left = r->values_left = UINT64_MAX;
	r->raw_bytes = EXT2_INODE_SIZE(r->fs->super);
	/* the structs of libext2fs are read whole */
	r->raw = xcalloc(1, r->raw_bytes + sizeof(struct ext2_inode_large));
	*ret = steal(&r);
	return 0;
}

void ext4_reader_close(struct ext4_reader *r)
{
	if (!r)
		return;
	ext4_io_close(r->fs);
	free(r->raw);
	free(r);
}

uint64_t ext4_reader_size(const struct ext4_reader *r)
{
	return r->blocks * r->fs->blocksize;
}

/* --- inodes ----------------------------------------------------------------------------------- */

/* Whether the large part of an inode reaches to the end of a field. */
#define HAS_FIELD(inode, bytes, field)                                        \
	((bytes) > SMALL_INODE_BYTES                                          \
	 && offsetof(struct ext2_inode_large, field) + sizeof((inode)->field) \
		    <= SMALL_INODE_BYTES + (size_t)(inode)->i_extra_isize)

static struct ext4_time time_of(uint32_t seconds, uint32_t extra)
{
	struct ext4_time t = {.sec = (int64_t)(int32_t)seconds + ((int64_t)(extra & 3) << 32),
			      .nsec = extra >> 2};

	if (t.nsec > NSEC_MAX)
		t.nsec = 0;
	return t;
}

static void decode_device(const struct ext2_inode_large *inode, struct ext4_meta *meta)
{
	uint32_t narrow = inode->i_block[0], wide = inode->i_block[1];

	if (narrow) {
		meta->rdev_major = narrow >> 8 & 0xff;
		meta->rdev_minor = narrow & 0xff;
	} else {
		meta->rdev_major = wide >> 8 & 0xfff;
		meta->rdev_minor = (wide & 0xff) | (wide >> 12 & 0xfff00);
	}
}

static void decode_meta(const struct ext2_inode_large *inode, size_t bytes, struct ext4_meta *ret)
{
	*ret = (struct ext4_meta){
		.mode = inode->i_mode,
		.uid = inode->i_uid | (uint32_t)inode->osd2.linux2.l_i_uid_high << 16,
		.gid = inode->i_gid | (uint32_t)inode->osd2.linux2.l_i_gid_high << 16,
	};
	ret->mtime = time_of(inode->i_mtime,
			     HAS_FIELD(inode, bytes, i_mtime_extra) ? inode->i_mtime_extra : 0);
	ret->atime = time_of(inode->i_atime,
			     HAS_FIELD(inode, bytes, i_atime_extra) ? inode->i_atime_extra : 0);
	ret->ctime = time_of(inode->i_ctime,
			     HAS_FIELD(inode, bytes, i_ctime_extra) ? inode->i_ctime_extra : 0);
	if (LINUX_S_ISCHR(inode->i_mode) || LINUX_S_ISBLK(inode->i_mode))
		decode_device(inode, ret);
}

static int check_inode(const struct ext4_reader *r, const struct ext2_inode_large *inode,
		       const struct read_inode *in, struct error *err)
{
	uint32_t bytes = r->fs->blocksize;

	if (inode->i_links_count == 0)
		return error_set(err, ERR_INCONSISTENT, "not in use");
	if (r->raw_bytes > SMALL_INODE_BYTES
	    && (inode->i_extra_isize % 4
		|| inode->i_extra_isize > r->raw_bytes - SMALL_INODE_BYTES))
		return error_set(err, ERR_INCONSISTENT, "extra size %u", inode->i_extra_isize);
	/* blocks of a file are numbered with 32 bits */
	if (in->stat.size_bytes > (uint64_t)bytes << 32)
		return error_set(err, ERR_INCONSISTENT, "size %" PRIu64, in->stat.size_bytes);
	switch (inode->i_mode & LINUX_S_IFMT) {
	case LINUX_S_IFDIR:
		if (inode->i_flags & EXT4_INLINE_DATA_FL)
			return 0; /* for whoever wants its names to refuse */
		if (in->stat.size_bytes == 0 || in->stat.size_bytes % bytes)
			return error_set(err, ERR_INCONSISTENT, "directory of %" PRIu64 " bytes",
					 in->stat.size_bytes);
		return 0;
	case LINUX_S_IFREG:
	case LINUX_S_IFLNK:
	case LINUX_S_IFCHR:
	case LINUX_S_IFBLK:
	case LINUX_S_IFIFO:
	case LINUX_S_IFSOCK:
		return 0;
	default:
		return error_set(err, ERR_INCONSISTENT, "mode %#o", inode->i_mode);
	}
}

int read_inode(struct ext4_reader *r, uint32_t number, struct read_inode *ret, struct error *err)
{
	struct read_inode in = {.stat.inode = number};
	const struct ext2_inode_large *inode = (const struct ext2_inode_large *)r->raw;
	errcode_t code;

	if (number == 0 || number > r->fs->super->s_inodes_count)
		return error_set(err, ERR_INCONSISTENT, "inode %" PRIu32 " does not exist", number);
	code = ext2fs_read_inode2(r->fs, number, (struct ext2_inode *)r->raw, (int)r->raw_bytes, 0);
	if (code)
		return ext4_io_error(r->fs, code, err, "read inode %" PRIu32, number);
	decode_meta(inode, r->raw_bytes, &in.stat.meta);
	in.flags = inode->i_flags;
	in.seed = ext4_inode_seed(r->fs->csum_seed, number, inode->i_generation);
	in.stat.links = inode->i_links_count;
	in.stat.size_bytes = EXT2_I_SIZE(inode);
	in.stat.used_bytes = ext2fs_get_stat_i_blocks(r->fs, (struct ext2_inode *)r->raw) * 512ULL;
	in.xattr_block = ext2fs_file_acl_block(r->fs, (struct ext2_inode *)r->raw);
	memcpy(in.iblock, inode->i_block, sizeof(in.iblock));
	if (check_inode(r, inode, &in, err) < 0)
		return read_error(&in, err);
	*ret = in;
	return 0;
}

int ext4_reader_stat(struct ext4_reader *r, uint32_t inode, struct ext4_stat *ret,
		     struct error *err)
{
	struct read_inode in;

	if (read_inode(r, inode, &in, err) < 0)
		return -1;
	*ret = in.stat;
	return 0;
}
