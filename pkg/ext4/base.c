/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lays out the empty file system. All that libext2fs would take from the clock, the platform or a
 * configuration file is set here.
 */
#include "pkg/ext4/base.h"

#include <inttypes.h>
#include <string.h>

#include "pkg/ext4/checksum.h"
#include "pkg/ext4/io.h"

enum {
	INODE_RATIO = 16384, /* bytes for each inode, unless asked otherwise */
	FLEX_GROUPS_LOG = 4, /* bitmaps and inode tables of 16 groups lie together */
	JOURNAL_BLOCKS_MIN = 1024,
	JOURNAL_BLOCKS_MAX = 16384, /* 64 MiB: a busy container maps all of it, sooner or later */
	JOURNAL_SHARE = 64,	    /* one block in so many, between these two */
	BLOCKS_MIN = 2048,	    /* 8 MiB: half of it journal */
	CHUNK_BLOCKS = 16,	    /* 64 KiB, what the writer aligns to */
	FIXED_TIME = 1,		    /* 0 reads as "never" or "now" in some fields */
	MOUNTS_UNLIMITED = -1,
};

/* 64 TiB: beyond, the group descriptors of all backups cost more than the files. */
static const uint64_t BLOCKS_MAX = (64ULL << 40) / EXT4_BLOCK_BYTES;

/*
 * Part of the layout version: names hash and checksums start the same way in every file system, so
 * that a directory block has the same bytes wherever it is built. The writer changes the UUID
 * alone; metadata_csum_seed keeps the checksums valid.
 */
static const uint32_t CHECKSUM_SEED = 0x7468696e;
static const uint32_t HASH_SEED[4] = {0x74686970, 0x756c6c2f, 0x65787434, 0x68617368};
static const uint8_t BASE_UUID[16] = {0x74, 0x68, 0x69, 0x6e, 0x70, 0x75, 0x40, 0x00,
				      0x80, 0x00, 0x62, 0x61, 0x73, 0x65, 0x00, 0x01};

/* What libext2fs refuses while laying out is a size that was asked for. */
static int layout_error(ext2_filsys fs, errcode_t code, struct error *err, const char *what)
{
	bool volume = ext4_io_failed(fs);

	ext4_io_error(fs, code, err, "%s", what);
	if (!volume && err->kind != ERR_SYSTEM)
		err->kind = ERR_USAGE;
	return -1;
}

static void set_features(struct ext2_super_block *sb)
{
	/* no resize_inode: it maps 1,016 blocks of pointers, and growing with meta_bg needs none */
	sb->s_feature_compat = EXT2_FEATURE_COMPAT_EXT_ATTR | EXT2_FEATURE_COMPAT_DIR_INDEX;
	sb->s_feature_incompat = EXT2_FEATURE_INCOMPAT_FILETYPE | EXT3_FEATURE_INCOMPAT_EXTENTS
				 | EXT4_FEATURE_INCOMPAT_64BIT | EXT4_FEATURE_INCOMPAT_FLEX_BG
				 | EXT4_FEATURE_INCOMPAT_EA_INODE | EXT4_FEATURE_INCOMPAT_LARGEDIR
				 | EXT4_FEATURE_INCOMPAT_CSUM_SEED;
	sb->s_feature_ro_compat =
		EXT2_FEATURE_RO_COMPAT_SPARSE_SUPER | EXT2_FEATURE_RO_COMPAT_LARGE_FILE
		| EXT4_FEATURE_RO_COMPAT_HUGE_FILE | EXT4_FEATURE_RO_COMPAT_DIR_NLINK
		| EXT4_FEATURE_RO_COMPAT_EXTRA_ISIZE | EXT4_FEATURE_RO_COMPAT_METADATA_CSUM;
}

static int choose_sizes(uint64_t size_bytes, const struct ext4_base_params *params,
			struct ext2_super_block *sb, struct error *err)
{
	uint64_t blocks = size_bytes / EXT4_BLOCK_BYTES;
	uint64_t inodes = params->inodes;

	if (blocks < BLOCKS_MIN || blocks > BLOCKS_MAX)
		return error_set(err, ERR_USAGE,
				 "a file system of %" PRIu64
				 " bytes: from 8 MiB to 64 TiB are possible",
				 size_bytes);
	if (inodes == 0)
		inodes = size_bytes / INODE_RATIO < UINT32_MAX ? size_bytes / INODE_RATIO
							       : UINT32_MAX;
	if (inodes > blocks || inodes > UINT32_MAX)
		return error_set(err, ERR_USAGE,
				 "%" PRIu64 " inodes: at most one for each of the %" PRIu64
				 " blocks, and 2^32-1, are possible",
				 inodes, blocks);
	ext2fs_blocks_count_set(sb, blocks);
	sb->s_inodes_count = (uint32_t)inodes;
	return 0;
}

static int create_superblock(struct thin_volume *volume, const struct ext4_base_params *params,
			     ext2_filsys *ret, struct error *err)
{
	struct ext2_super_block sb = {
		.s_rev_level = EXT2_DYNAMIC_REV,
		.s_log_block_size = 2,
		.s_log_cluster_size = 2,
		.s_inode_size = EXT4_INODE_BYTES,
		.s_first_ino = EXT2_GOOD_OLD_FIRST_INO,
		.s_min_extra_isize = EXT4_INODE_EXTRA,
		.s_want_extra_isize = EXT4_INODE_EXTRA,
		.s_log_groups_per_flex = FLEX_GROUPS_LOG,
		.s_errors = EXT2_ERRORS_CONTINUE,
		.s_max_mnt_count = MOUNTS_UNLIMITED,
	};

	set_features(&sb);
	if (choose_sizes(thin_volume_size(volume), params, &sb, err) < 0)
		return -1;
	if (ext4_io_create(volume, &sb, ret, err) < 0) {
		if (err->kind == ERR_INCONSISTENT)
			err->kind = ERR_USAGE;
		return -1;
	}
	return 0;
}

/* Whatever libext2fs has filled in by itself, or left open. */
static void fix_superblock(ext2_filsys fs)
{
	struct ext2_super_block *sb = fs->super;

	fs->now = FIXED_TIME;
	sb->s_mkfs_time = FIXED_TIME;
	sb->s_mkfs_time_hi = 0;
	sb->s_lastcheck = FIXED_TIME;
	sb->s_lastcheck_hi = 0;
	sb->s_wtime_hi = 0;
	sb->s_checkinterval = 0;
	sb->s_max_mnt_count = MOUNTS_UNLIMITED;
	sb->s_creator_os = EXT2_OS_LINUX;
	sb->s_flags = EXT2_FLAGS_SIGNED_HASH;
	sb->s_def_hash_version = EXT2_HASH_HALF_MD4;
	memcpy(sb->s_hash_seed, HASH_SEED, sizeof(HASH_SEED));
	memcpy(sb->s_uuid, BASE_UUID, sizeof(BASE_UUID));
	sb->s_default_mount_opts = EXT2_DEFM_XATTR_USER | EXT2_DEFM_ACL;
	sb->s_kbytes_written = 0;
	sb->s_checksum_type = EXT2_CRC32C_CHKSUM;
	sb->s_checksum_seed = CHECKSUM_SEED;
	ext2fs_init_csum_seed(fs);
}

/*
 * All inode tables count as zeroed, since the volume reads as zeros: without the flag the kernel
 * writes every one of them after the first mount.
 */
static void mark_tables_zeroed(ext2_filsys fs)
{
	dgrp_t group;

	for (group = 0; group < fs->group_desc_count; group++) {
		ext2fs_bg_flags_set(fs, group, EXT2_BG_INODE_ZEROED);
		ext2fs_group_desc_csum_set(fs, group);
	}
}

static int make_root(ext2_filsys fs, struct error *err)
{
	struct ext2_inode_large inode;
	struct ext2_inode *base = (struct ext2_inode *)&inode;
	ext2_ino_t ino;
	errcode_t code = ext2fs_mkdir(fs, EXT2_ROOT_INO, EXT2_ROOT_INO, NULL);

	if (code)
		return layout_error(fs, code, err, "make the root directory");
	code = ext2fs_read_inode_full(fs, EXT2_ROOT_INO, base, sizeof(inode));
	if (code)
		return layout_error(fs, code, err, "read the root inode");
	inode.i_mode = LINUX_S_IFDIR | 0755;
	inode.i_atime = inode.i_ctime = inode.i_mtime = inode.i_crtime = 0;
	inode.i_atime_extra = inode.i_ctime_extra = inode.i_mtime_extra = inode.i_crtime_extra = 0;
	code = ext2fs_write_inode_full(fs, EXT2_ROOT_INO, base, sizeof(inode));
	if (code)
		return layout_error(fs, code, err, "write the root inode");
	for (ino = 1; ino < EXT2_FIRST_INODE(fs->super); ino++)
		if (ino != EXT2_ROOT_INO)
			ext2fs_inode_alloc_stats2(fs, ino, +1, 0);
	return 0;
}

/* Beside the other metadata of the first groups, from a chunk of its own on. */
static int make_journal(ext2_filsys fs, struct error *err)
{
	uint64_t blocks = ext2fs_blocks_count(fs->super) / JOURNAL_SHARE;
	uint64_t goal;
	dgrp_t last = (1U << FLEX_GROUPS_LOG) - 1;
	errcode_t code;

	if (blocks < JOURNAL_BLOCKS_MIN)
		blocks = JOURNAL_BLOCKS_MIN;
	if (blocks > JOURNAL_BLOCKS_MAX)
		blocks = JOURNAL_BLOCKS_MAX;
	if (last >= fs->group_desc_count)
		last = fs->group_desc_count - 1;
	goal = ext2fs_inode_table_loc(fs, last) + fs->inode_blocks_per_group;
	goal = (goal + 2 * CHUNK_BLOCKS - 1) / CHUNK_BLOCKS * CHUNK_BLOCKS;
	code = ext2fs_add_journal_inode2(fs, (blk_t)blocks, goal,
					 EXT2_MKJOURNAL_NO_MNT_CHECK | EXT2_MKJOURNAL_LAZYINIT);
	if (code)
		return layout_error(fs, code, err, "make the journal");
	return 0;
}

/*
 * The kernel counts what is not free for files at each mount, and when the superblock says
 * otherwise writes it to all backups too: a dozen copied pool blocks for every container. Only the
 * block of the root directory is neither free nor overhead.
 */
static void set_overhead(ext2_filsys fs)
{
	struct ext2_super_block *sb = fs->super;
	uint64_t used = ext2fs_blocks_count(sb) - ext2fs_free_blocks_count(sb);

	sb->s_overhead_clusters = used - 1 > UINT32_MAX ? 0 : (uint32_t)(used - 1);
}

int ext4_base_create(struct thin_volume *volume, const struct ext4_base_params *params,
		     struct error *err)
{
	cleanup(ext4_io_close_ptr) ext2_filsys fs = NULL;
	errcode_t code;

	if (create_superblock(volume, params, &fs, err) < 0)
		return -1;
	fix_superblock(fs);
	code = ext2fs_allocate_tables(fs);
	if (code)
		return layout_error(fs, code, err, "place inode tables");
	if (make_root(fs, err) < 0 || make_journal(fs, err) < 0)
		return -1;
	mark_tables_zeroed(fs);
	code = ext2fs_set_gdt_csum(fs);
	if (code)
		return layout_error(fs, code, err, "close the group descriptors");
	set_overhead(fs);
	code = ext2fs_flush2(fs, EXT2_FLAG_FLUSH_NO_SYNC);
	if (code)
		return layout_error(fs, code, err, "write the empty file system");
	if (ext4_io_check(fs, err) < 0)
		return error_wrap(err, "make the empty file system");
	return 0;
}
