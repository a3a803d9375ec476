/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How contiguous files are, told by libext2fs alone: for each regular file and folder with blocks,
 *
 *     f|d INODE BLOCKS RUNS FORCED
 *
 *   ext4_extents IMAGE [BEFORE]
 *
 * A run is a row of blocks on the disk, whatever holes the file has between them. A break between
 * two runs is forced when the 64 KiB after the first one were not free to be had: in the file
 * system's own use, or in use in BEFORE, the state that IMAGE was made from. With BEFORE only what is
 * new since then is listed.
 */
#include <ext2fs/ext2fs.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

enum { CHUNK_BLOCKS = 16, FIRST_INODE = 12 };

struct image {
	ext2_filsys fs, before;	 /* before: may be NULL */
	ext2fs_block_bitmap own; /* what the file system itself uses */
};

struct runs {
	const struct image *image;
	blk64_t first, end; /* of the file's first block; behind the run at hand */
	unsigned n, forced;
	unsigned long long blocks;
};

static void must(errcode_t rc, const char *what)
{
	if (!rc)
		return;
	fprintf(stderr, "ext4_extents: %s: %s\n", what, error_message(rc));
	exit(1);
}

static ext2_filsys open_image(const char *path)
{
	ext2_filsys fs;

	must(ext2fs_open(path, EXT2_FLAG_64BITS, 0, 0, unix_io_manager, &fs), path);
	must(ext2fs_read_block_bitmap(fs), path);
	return fs;
}

/* Call for each row of blocks of an inode that an extent names. */
static void each_extent(ext2_filsys fs, ext2_ino_t ino,
			void (*each)(void *context, blk64_t start, blk64_t n), void *context)
{
	struct ext2fs_extent extent;
	ext2_extent_handle_t handle;
	errcode_t rc;

	must(ext2fs_extent_open(fs, ino, &handle), "extents");
	for (int op = EXT2_EXTENT_ROOT; !(rc = ext2fs_extent_get(handle, op, &extent));
	     op = EXT2_EXTENT_NEXT)
		if (extent.e_flags & EXT2_EXTENT_FLAGS_LEAF)
			each(context, extent.e_pblk, extent.e_len);
	if (rc != EXT2_ET_EXTENT_NO_NEXT && rc != EXT2_ET_NO_CURRENT_NODE)
		must(rc, "extents");
	ext2fs_extent_free(handle);
}

static void mark(void *context, blk64_t start, blk64_t n)
{
	ext2fs_mark_block_bitmap_range2(context, start, (unsigned)n);
}

/* Superblocks, descriptors, bitmaps, inode tables, the journal. */
static void find_own(struct image *image)
{
	ext2_filsys fs = image->fs;

	must(ext2fs_allocate_block_bitmap(fs, "own", &image->own), "bitmap");
	for (dgrp_t g = 0; g < fs->group_desc_count; g++) {
		ext2fs_reserve_super_and_bgd(fs, g, image->own);
		mark(image->own, ext2fs_block_bitmap_loc(fs, g), 1);
		mark(image->own, ext2fs_inode_bitmap_loc(fs, g), 1);
		mark(image->own, ext2fs_inode_table_loc(fs, g), fs->inode_blocks_per_group);
	}
	if (fs->super->s_journal_inum)
		each_extent(fs, fs->super->s_journal_inum, mark, image->own);
}

static bool in_use(const struct image *image, blk64_t block)
{
	if (block >= ext2fs_blocks_count(image->fs->super))
		return true;
	return ext2fs_test_block_bitmap2(image->own, block)
	       || (image->before && ext2fs_test_block_bitmap2(image->before->block_map, block));
}

static bool chunk_in_use(const struct image *image, blk64_t block)
{
	blk64_t chunk = block / CHUNK_BLOCKS * CHUNK_BLOCKS;

	/* In the middle of a chunk there is always room. */
	if (block != chunk)
		return in_use(image, block);
	for (blk64_t i = 0; i < CHUNK_BLOCKS; i++)
		if (in_use(image, chunk + i))
			return true;
	return false;
}

static void count_run(void *context, blk64_t start, blk64_t n)
{
	struct runs *r = context;

	if (!r->n)
		r->first = start;
	if (!r->n || start != r->end) {
		r->forced += r->n && chunk_in_use(r->image, r->end);
		r->n++;
	}
	r->end = start + n;
	r->blocks += n;
}

static void list_inode(const struct image *image, ext2_ino_t ino, struct ext2_inode *inode)
{
	struct runs r = {.image = image};
	bool folder = LINUX_S_ISDIR(inode->i_mode);

	if (!inode->i_links_count || !(folder || LINUX_S_ISREG(inode->i_mode))
	    || !(inode->i_flags & EXT4_EXTENTS_FL) || inode->i_flags & EXT4_EA_INODE_FL
	    || (ino < FIRST_INODE && ino != EXT2_ROOT_INO))
		return;
	each_extent(image->fs, ino, count_run, &r);
	if (!r.n || (image->before && ext2fs_test_block_bitmap2(image->before->block_map, r.first)))
		return;
	printf("%c %u %llu %u %u\n", folder ? 'd' : 'f', ino, r.blocks, r.n, r.forced);
}

int main(int argc, char **argv)
{
	struct ext2_inode inode;
	ext2_inode_scan scan;
	struct image image = {0};
	ext2_ino_t ino;

	if (argc < 2 || argc > 3) {
		fprintf(stderr, "usage: ext4_extents IMAGE [BEFORE]\n");
		return 2;
	}
	initialize_ext2_error_table();
	image.fs = open_image(argv[1]);
	if (argc == 3)
		image.before = open_image(argv[2]);
	find_own(&image);
	must(ext2fs_open_inode_scan(image.fs, 0, &scan), "inodes");
	while (ext2fs_get_next_inode(scan, &ino, &inode) == 0 && ino)
		list_inode(&image, ino, &inode);
	ext2fs_close_inode_scan(scan);
	ext2fs_free_block_bitmap(image.own);
	if (image.before)
		ext2fs_close_free(&image.before);
	ext2fs_close_free(&image.fs);
	return 0;
}
