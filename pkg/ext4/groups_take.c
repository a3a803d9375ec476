/* SPDX-License-Identifier: Apache-2.0 */
/* Taking and giving back blocks and inodes; the rules of placement are in groups.h. */
#include <assert.h>

#include "pkg/ext4/groups.h"

/* Inode 11 is where others keep lost+found. */
enum { FIRST_INODE = 12 };

static uint32_t group_of_block(const struct ext4_groups *g, uint64_t block)
{
	return (uint32_t)(block / g->fs->super->s_blocks_per_group);
}

static uint32_t bit_of_block(const struct ext4_groups *g, uint64_t block)
{
	return (uint32_t)(block % g->fs->super->s_blocks_per_group);
}

/* Change the state of blocks inside one group, which has its bitmap. */
static void mark_blocks(struct ext4_groups *g, uint32_t group, uint32_t bit, uint32_t n, bool used)
{
	struct ext4_group *at = &g->group[group];
	uint32_t free_before = ext2fs_bg_free_blocks_count(g->fs, group);
	blk64_t all_before = ext2fs_free_blocks_count(g->fs->super);

	map_set(at->block_map, bit, n, used);
	at->blocks_changed = at->changed = true;
	ext2fs_bg_flags_clear(g->fs, group, EXT2_BG_BLOCK_UNINIT);
	ext2fs_bg_free_blocks_count_set(g->fs, group, used ? free_before - n : free_before + n);
	ext2fs_free_blocks_count_set(g->fs->super, used ? all_before - n : all_before + n);
}

static void mark_run(struct ext4_groups *g, uint64_t start, uint64_t n)
{
	while (n) {
		uint32_t bit = bit_of_block(g, start);
		uint32_t room = g->fs->super->s_blocks_per_group - bit;
		uint32_t now = n < room ? (uint32_t)n : room;

		mark_blocks(g, group_of_block(g, start), bit, now, true);
		start += now;
		n -= now;
	}
}

/* 1 = the chunk was wholly free, 0 = not, -1. */
static int chunk_is_free(struct ext4_groups *g, uint64_t chunk, struct error *err)
{
	uint32_t per_group = g->fs->super->s_blocks_per_group / CHUNK_BLOCKS;
	uint32_t group = (uint32_t)(chunk / per_group);

	if (chunk / per_group >= g->n)
		return 0;
	if (ext4_groups_load_blocks(g, group, err) < 0)
		return -1;
	return map_test(g->group[group].free_chunks, chunk % per_group);
}

/* Move the cursor to the next free chunk. 1 = found, 0 = none left, -1. */
static int next_chunk(struct ext4_groups *g, struct error *err)
{
	uint32_t per_group = g->fs->super->s_blocks_per_group / CHUNK_BLOCKS;

	for (uint64_t chunk = g->block.chunk; chunk / per_group < g->n;) {
		int found;

		if (ext2fs_bg_free_blocks_count(g->fs, (uint32_t)(chunk / per_group))
		    < CHUNK_BLOCKS) {
			chunk = (chunk / per_group + 1) * per_group;
			continue;
		}
		found = chunk_is_free(g, chunk, err);
		if (found < 0)
			return -1;
		chunk++;
		if (!found)
			continue;
		g->block.chunk = chunk;
		g->block.next = (chunk - 1) * CHUNK_BLOCKS;
		g->block.left = CHUNK_BLOCKS;
		return 1;
	}
	g->block.chunk = (uint64_t)per_group * g->n;
	return 0;
}

/* The lowest free blocks, wherever they are. Starts again from the first group once. */
static int take_spare_blocks(struct ext4_groups *g, uint64_t want, uint64_t *ret_start,
			     uint64_t *ret_n, struct error *err)
{
	for (uint32_t tried = 0; tried < g->n; tried++) {
		uint32_t group = (g->block.spare_group + tried) % g->n;
		uint32_t end = (uint32_t)ext2fs_group_blocks_count(g->fs, group);
		uint32_t bit, n = 1;

		if (ext2fs_bg_free_blocks_count(g->fs, group) == 0)
			continue;
		if (ext4_groups_load_blocks(g, group, err) < 0)
			return -1;
		bit = map_find_clear(g->group[group].block_map, 0, end);
		if (bit == end)
			continue;
		while (n < want && bit + n < end && !map_test(g->group[group].block_map, bit + n))
			n++;
		g->block.spare_group = group;
		mark_blocks(g, group, bit, n, true);
		*ret_start = ext2fs_group_first_block2(g->fs, group) + bit;
		*ret_n = n;
		return 0;
	}
	error_set(err, ERR_NO_SPACE, "the file system is full: all %llu blocks are in use",
		  (unsigned long long)ext2fs_blocks_count(g->fs->super));
	return error_set_detail(err, ERR_DETAIL_FS_BLOCKS);
}

int ext4_groups_take_blocks(struct ext4_groups *g, uint64_t want, uint64_t *ret_start,
			    uint64_t *ret_n, struct error *err)
{
	struct ext4_cursor *at = &g->block;
	uint64_t start, n = 0;

	assert(want > 0);
	if (at->left == 0) {
		int found = next_chunk(g, err);

		if (found < 0)
			return -1;
		if (!found)
			return take_spare_blocks(g, want, ret_start, ret_n, err);
	}
	start = at->next;
	for (;;) {
		uint32_t now = want - n < at->left ? (uint32_t)(want - n) : at->left;
		int follows;

		n += now;
		at->next += now;
		at->left -= now;
		if (n == want)
			break;
		follows = chunk_is_free(g, at->chunk, err);
		if (follows < 0)
			return -1;
		if (!follows)
			break;
		at->chunk++;
		at->left = CHUNK_BLOCKS;
	}
	mark_run(g, start, n);
	*ret_start = start;
	*ret_n = n;
	return 0;
}

static int not_in_use(struct error *err, uint64_t start, uint64_t n)
{
	return error_set(err, ERR_INCONSISTENT, "ext4: blocks %llu+%llu are not in use",
			 (unsigned long long)start, (unsigned long long)n);
}

int ext4_groups_free_blocks(struct ext4_groups *g, uint64_t start, uint64_t n, struct error *err)
{
	uint64_t blocks = ext2fs_blocks_count(g->fs->super);

	if (n > blocks || start > blocks - n)
		return not_in_use(err, start, n);
	while (n) {
		uint32_t group = group_of_block(g, start);
		uint32_t bit = bit_of_block(g, start);
		uint32_t room = g->fs->super->s_blocks_per_group - bit;
		uint32_t now = n < room ? (uint32_t)n : room;

		if (ext4_groups_load_blocks(g, group, err) < 0)
			return -1;
		if (!map_is(g->group[group].block_map, bit, now, true))
			return not_in_use(err, start, now);
		mark_blocks(g, group, bit, now, false);
		start += now;
		n -= now;
	}
	return 0;
}

static void mark_inode(struct ext4_groups *g, uint32_t group, uint32_t index, bool used,
		       bool directory)
{
	ext2_filsys fs = g->fs;
	struct ext4_group *at = &g->group[group];
	uint32_t one = used ? 1 : UINT32_MAX;
	uint32_t unused = fs->super->s_inodes_per_group - index - 1;

	map_set(at->inode_map, index, 1, used);
	at->inodes_changed = at->changed = true;
	if (ext2fs_bg_flags_test(fs, group, EXT2_BG_INODE_UNINIT)) {
		ext2fs_bg_flags_clear(fs, group, EXT2_BG_INODE_UNINIT);
		ext2fs_bg_itable_unused_set(fs, group, fs->super->s_inodes_per_group);
	}
	if (used && unused < ext2fs_bg_itable_unused(fs, group))
		ext2fs_bg_itable_unused_set(fs, group, unused);
	ext2fs_bg_free_inodes_count_set(fs, group, ext2fs_bg_free_inodes_count(fs, group) - one);
	fs->super->s_free_inodes_count -= one;
	if (directory)
		ext2fs_bg_used_dirs_count_set(fs, group,
					      ext2fs_bg_used_dirs_count(fs, group) + one);
}

static uint32_t take_index(struct ext4_groups *g, uint32_t group, uint32_t index, bool directory)
{
	mark_inode(g, group, index, true, directory);
	return group * g->fs->super->s_inodes_per_group + index + 1;
}

/* Move the cursor to the next free chunk of an inode table. 1 = found, 0 = none left, -1. */
static int next_inode_chunk(struct ext4_groups *g, struct error *err)
{
	uint32_t per_group = ext4_groups_inode_chunks(g);
	struct ext4_cursor *at = &g->inode;

	for (; at->chunk / per_group < g->n; at->chunk++) {
		uint32_t group = (uint32_t)(at->chunk / per_group);
		uint32_t chunk = (uint32_t)(at->chunk % per_group);
		uint32_t first;

		if (ext2fs_bg_free_inodes_count(g->fs, group) == 0) {
			at->chunk += per_group - chunk - 1;
			continue;
		}
		if (ext4_groups_load_inodes(g, group, err) < 0)
			return -1;
		if (!map_test(g->group[group].free_inode_chunks, chunk))
			continue;
		at->left = ext4_groups_inode_chunk(g, group, chunk, &first);
		at->next = (uint64_t)group * g->fs->super->s_inodes_per_group + first;
		at->chunk++;
		return 1;
	}
	return 0;
}

static int take_spare_inode(struct ext4_groups *g, bool directory, uint32_t *ret, struct error *err)
{
	uint32_t all = g->fs->super->s_inodes_per_group;

	for (uint32_t tried = 0; tried < g->n; tried++) {
		uint32_t group = (g->inode.spare_group + tried) % g->n;
		uint32_t index;

		if (ext2fs_bg_free_inodes_count(g->fs, group) == 0)
			continue;
		if (ext4_groups_load_inodes(g, group, err) < 0)
			return -1;
		index = map_find_clear(g->group[group].inode_map, group == 0 ? FIRST_INODE - 1 : 0,
				       all);
		if (index == all)
			continue;
		g->inode.spare_group = group;
		*ret = take_index(g, group, index, directory);
		return 0;
	}
	error_set(err, ERR_NO_SPACE, "the file system has no inode left: all %u are in use",
		  g->fs->super->s_inodes_count);
	return error_set_detail(err, ERR_DETAIL_FS_INODES);
}

int ext4_groups_take_inode(struct ext4_groups *g, bool directory, uint32_t *ret, struct error *err)
{
	uint32_t all = g->fs->super->s_inodes_per_group;
	struct ext4_cursor *at = &g->inode;

	if (at->left == 0) {
		int found = next_inode_chunk(g, err);

		if (found < 0)
			return -1;
		if (!found)
			return take_spare_inode(g, directory, ret, err);
	}
	*ret = take_index(g, (uint32_t)(at->next / all), (uint32_t)(at->next % all), directory);
	at->next++;
	at->left--;
	return 0;
}

int ext4_groups_free_inode(struct ext4_groups *g, uint32_t inode, bool directory, struct error *err)
{
	uint32_t all = g->fs->super->s_inodes_per_group;
	uint32_t group = (inode - 1) / all;
	uint32_t index = (inode - 1) % all;

	if (ext4_groups_load_inodes(g, group, err) < 0)
		return -1;
	if (inode < FIRST_INODE - 1 || !map_test(g->group[group].inode_map, index))
		return error_set(err, ERR_INCONSISTENT, "ext4: inode %u is not in use", inode);
	if (directory && ext2fs_bg_used_dirs_count(g->fs, group) == 0)
		return error_set(err, ERR_INCONSISTENT, "ext4: group %u says it has no directory",
				 group);
	mark_inode(g, group, index, false, directory);
	return 0;
}
