/* SPDX-License-Identifier: Apache-2.0 */
/* Group descriptors and bitmaps: checked at the start, read on demand, written at the end. */
#include "pkg/ext4/groups.h"

#include <stdlib.h>
#include <string.h>

#include "pkg/base/alloc.h"

enum { INODES_IN_BLOCK = EXT4_BLOCK_BYTES / EXT4_INODE_BYTES };

uint32_t map_find_clear(const uint8_t *map, uint32_t from, uint32_t end)
{
	while (from < end) {
		if (from % 8 == 0 && map[from / 8] == 0xff)
			from += 8;
		else if (map_test(map, from))
			from++;
		else
			return from;
	}
	return end;
}

void map_set(uint8_t *map, uint32_t from, uint32_t n, bool value)
{
	for (uint32_t end = from + n; from < end;) {
		if (from % 8 == 0 && end - from >= 8) {
			memset(map + from / 8, value ? 0xff : 0, (end - from) / 8);
			from += (end - from) / 8 * 8;
		} else {
			uint8_t bit = (uint8_t)(1u << from % 8);

			map[from / 8] =
				(uint8_t)(value ? map[from / 8] | bit : map[from / 8] & ~bit);
			from++;
		}
	}
}

bool map_is(const uint8_t *map, uint32_t from, uint32_t n, bool value)
{
	for (uint32_t end = from + n; from < end;) {
		if (from % 8 == 0 && end - from >= 8) {
			if (map[from / 8] != (value ? 0xff : 0))
				return false;
			from += 8;
		} else {
			if (map_test(map, from) != value)
				return false;
			from++;
		}
	}
	return true;
}

static uint32_t blocks_in_group(const struct ext4_groups *g, uint32_t group)
{
	return (uint32_t)ext2fs_group_blocks_count(g->fs, group);
}

static bool descriptor_is_sane(const struct ext4_groups *g, uint32_t group)
{
	ext2_filsys fs = g->fs;
	uint64_t blocks = ext2fs_blocks_count(fs->super);
	uint64_t table = ext2fs_inode_table_loc(fs, group);

	return ext2fs_group_desc_csum_verify(fs, group) && ext2fs_block_bitmap_loc(fs, group) > 0
	       && ext2fs_block_bitmap_loc(fs, group) < blocks
	       && ext2fs_inode_bitmap_loc(fs, group) > 0
	       && ext2fs_inode_bitmap_loc(fs, group) < blocks && table > 0 && table < blocks
	       && fs->inode_blocks_per_group <= blocks - table
	       && ext2fs_bg_free_blocks_count(fs, group) <= blocks_in_group(g, group)
	       && ext2fs_bg_free_inodes_count(fs, group) <= fs->super->s_inodes_per_group
	       && ext2fs_bg_itable_unused(fs, group) <= fs->super->s_inodes_per_group;
}

int ext4_groups_init(struct ext4_groups *g, ext2_filsys fs, struct block_store *store,
		     struct error *err)
{
	*g = (struct ext4_groups){.fs = fs, .store = store, .n = fs->group_desc_count};
	for (uint32_t i = 0; i < g->n; i++)
		if (!descriptor_is_sane(g, i))
			return error_set(err, ERR_INCONSISTENT, "ext4: bad descriptor of group %u",
					 i);
	g->group = xcalloc(g->n, sizeof(*g->group));
	/* A kernel keeps the sums of the superblock only roughly. */
	ext2fs_free_blocks_count_set(fs->super, 0);
	fs->super->s_free_inodes_count = 0;
	for (uint32_t i = 0; i < g->n; i++) {
		ext2fs_free_blocks_count_add(fs->super, ext2fs_bg_free_blocks_count(fs, i));
		fs->super->s_free_inodes_count += ext2fs_bg_free_inodes_count(fs, i);
		g->group[i].unused_inodes = ext2fs_bg_flags_test(fs, i, EXT2_BG_INODE_UNINIT)
						    ? fs->super->s_inodes_per_group
						    : ext2fs_bg_itable_unused(fs, i);
	}
	return 0;
}

void ext4_groups_release(struct ext4_groups *g)
{
	for (uint32_t i = 0; g->group && i < g->n; i++) {
		free(g->group[i].block_map);
		free(g->group[i].inode_map);
		free(g->group[i].free_chunks);
		free(g->group[i].free_inode_chunks);
	}
	free(g->group);
	*g = (struct ext4_groups){0};
}

/* Mark the blocks [start, start + n) as far as they are in the group. */
static void mark_in_group(const struct ext4_groups *g, uint32_t group, uint8_t *map, uint64_t start,
			  uint64_t n)
{
	uint64_t first = ext2fs_group_first_block2(g->fs, group);
	uint64_t end = first + blocks_in_group(g, group);
	uint64_t from = start > first ? start : first;
	uint64_t to = start + n < end ? start + n : end;

	if (from < to)
		map_set(map, (uint32_t)(from - first), (uint32_t)(to - from), true);
}

/* What a bitmap that was never written would hold: only the group's own metadata. */
static void make_block_map(const struct ext4_groups *g, uint32_t group, uint8_t *map)
{
	ext2_filsys fs = g->fs;
	blk64_t super = 0, old_desc = 0, new_desc = 0;
	blk_t used;

	memset(map, 0, EXT4_BLOCK_BYTES);
	if (ext2fs_super_and_bgd_loc2(fs, group, &super, &old_desc, &new_desc, &used) == 0) {
		if (super || group == 0)
			mark_in_group(g, group, map, super, 1);
		if (old_desc)
			mark_in_group(g, group, map, old_desc,
				      fs->desc_blocks + fs->super->s_reserved_gdt_blocks);
		if (new_desc)
			mark_in_group(g, group, map, new_desc, 1);
	}
	mark_in_group(g, group, map, ext2fs_block_bitmap_loc(fs, group), 1);
	mark_in_group(g, group, map, ext2fs_inode_bitmap_loc(fs, group), 1);
	mark_in_group(g, group, map, ext2fs_inode_table_loc(fs, group), fs->inode_blocks_per_group);
	map_set(map, blocks_in_group(g, group), EXT4_BLOCK_BYTES * 8 - blocks_in_group(g, group),
		true);
}

static uint32_t count_clear(const uint8_t *map, uint32_t bits)
{
	uint32_t n = 0;

	for (uint32_t i = map_find_clear(map, 0, bits); i < bits;
	     i = map_find_clear(map, i + 1, bits))
		n++;
	return n;
}

/* Descriptor and bitmap must agree, so that counting down never goes below 0. */
static int check_count(uint32_t group, const char *what, uint32_t map, uint32_t descriptor,
		       struct error *err)
{
	if (map == descriptor)
		return 0;
	return error_set(err, ERR_INCONSISTENT, "ext4: group %u has %u free %s and says %u", group,
			 map, what, descriptor);
}

static uint8_t *free_block_chunks(const struct ext4_groups *g, uint32_t group, const uint8_t *map)
{
	uint32_t chunks = blocks_in_group(g, group) / CHUNK_BLOCKS;
	uint8_t *ret = xcalloc(g->fs->super->s_blocks_per_group / CHUNK_BLOCKS / 8 + 1, 1);

	for (uint32_t i = 0; i < chunks; i++)
		if (map_is(map, i * CHUNK_BLOCKS, CHUNK_BLOCKS, false))
			map_set(ret, i, 1, true);
	return ret;
}

int ext4_groups_load_blocks(struct ext4_groups *g, uint32_t group, struct error *err)
{
	ext2_filsys fs = g->fs;
	cleanup_free uint8_t *map = NULL;

	if (g->group[group].block_map)
		return 0;
	map = xmalloc(EXT4_BLOCK_BYTES);
	if (ext2fs_bg_flags_test(fs, group, EXT2_BG_BLOCK_UNINIT)) {
		make_block_map(g, group, map);
	} else {
		if (block_store_read(g->store, ext2fs_block_bitmap_loc(fs, group), 1, map, err) < 0)
			return error_wrap(err, "block bitmap of group %u", group);
		if (!ext2fs_block_bitmap_csum_verify(fs, group, (char *)map,
						     (int)(fs->super->s_clusters_per_group / 8)))
			return error_set(err, ERR_INCONSISTENT,
					 "ext4: bad checksum of the block bitmap of group %u",
					 group);
	}
	if (check_count(group, "blocks", count_clear(map, blocks_in_group(g, group)),
			ext2fs_bg_free_blocks_count(fs, group), err)
	    < 0)
		return -1;
	g->group[group].free_chunks = free_block_chunks(g, group, map);
	g->group[group].block_map = steal(&map);
	return 0;
}

/* Blocks of the table before the first aligned chunk. */
static uint32_t table_skew(const struct ext4_groups *g, uint32_t group)
{
	return (uint32_t)(ext2fs_inode_table_loc(g->fs, group) % CHUNK_BLOCKS);
}

uint32_t ext4_groups_inode_chunks(const struct ext4_groups *g)
{
	return g->fs->inode_blocks_per_group / CHUNK_BLOCKS + 2;
}

uint32_t ext4_groups_inode_chunk(const struct ext4_groups *g, uint32_t group, uint32_t chunk,
				 uint32_t *ret_first)
{
	uint32_t all = g->fs->super->s_inodes_per_group;
	uint32_t skew = table_skew(g, group) * INODES_IN_BLOCK;
	uint32_t size = CHUNK_BLOCKS * INODES_IN_BLOCK;
	uint32_t first = chunk * size > skew ? chunk * size - skew : 0;
	uint32_t end = (chunk + 1) * size - skew;

	*ret_first = first < all ? first : all;
	return (end < all ? end : all) - *ret_first;
}

static uint8_t *free_inode_chunks(const struct ext4_groups *g, uint32_t group, const uint8_t *map)
{
	uint8_t *ret = xcalloc(ext4_groups_inode_chunks(g) / 8 + 1, 1);

	for (uint32_t i = 0; i < ext4_groups_inode_chunks(g); i++) {
		uint32_t first;
		uint32_t n = ext4_groups_inode_chunk(g, group, i, &first);

		if (n && map_is(map, first, n, false))
			map_set(ret, i, 1, true);
	}
	return ret;
}

int ext4_groups_load_inodes(struct ext4_groups *g, uint32_t group, struct error *err)
{
	ext2_filsys fs = g->fs;
	uint32_t all = fs->super->s_inodes_per_group;
	cleanup_free uint8_t *map = NULL;

	if (g->group[group].inode_map)
		return 0;
	map = xcalloc(1, EXT4_BLOCK_BYTES);
	if (ext2fs_bg_flags_test(fs, group, EXT2_BG_INODE_UNINIT)) {
		map_set(map, all, EXT4_BLOCK_BYTES * 8 - all, true);
	} else {
		if (block_store_read(g->store, ext2fs_inode_bitmap_loc(fs, group), 1, map, err) < 0)
			return error_wrap(err, "inode bitmap of group %u", group);
		if (!ext2fs_inode_bitmap_csum_verify(fs, group, (char *)map, (int)(all / 8)))
			return error_set(err, ERR_INCONSISTENT,
					 "ext4: bad checksum of the inode bitmap of group %u",
					 group);
	}
	if (check_count(group, "inodes", count_clear(map, all),
			ext2fs_bg_free_inodes_count(fs, group), err)
	    < 0)
		return -1;
	g->group[group].free_inode_chunks = free_inode_chunks(g, group, map);
	g->group[group].inode_map = steal(&map);
	return 0;
}

bool ext4_groups_inode_block_was_empty(const struct ext4_groups *g, uint32_t inode)
{
	uint32_t all = g->fs->super->s_inodes_per_group;
	uint32_t group = (inode - 1) / all;
	uint32_t index = (inode - 1) % all;
	const struct ext4_group *at = &g->group[group];
	uint32_t block = index / INODES_IN_BLOCK;

	if (block * INODES_IN_BLOCK >= all - at->unused_inodes)
		return true;
	return at->free_inode_chunks
	       && map_test(at->free_inode_chunks, (block + table_skew(g, group)) / CHUNK_BLOCKS);
}

/* One block to be written, so that all can be brought into ascending order. */
struct pending {
	uint64_t block;
	const void *data;
};

static int compare_pending(const void *a, const void *b)
{
	const struct pending *x = a;
	const struct pending *y = b;

	return x->block < y->block ? -1 : x->block > y->block;
}

static void set_checksums(struct ext4_groups *g, uint32_t group)
{
	struct ext4_group *at = &g->group[group];
	ext2_filsys fs = g->fs;

	if (at->blocks_changed)
		(void)ext2fs_block_bitmap_csum_set(fs, group, (char *)at->block_map,
						   (int)(fs->super->s_clusters_per_group / 8));
	if (at->inodes_changed)
		(void)ext2fs_inode_bitmap_csum_set(fs, group, (char *)at->inode_map,
						   (int)(fs->super->s_inodes_per_group / 8));
	ext2fs_group_desc_csum_set(fs, group);
}

/* Everything that has to be written for the groups; the array has room for 3 a group. */
static size_t collect(struct ext4_groups *g, struct pending *list)
{
	ext2_filsys fs = g->fs;
	uint32_t per_block = (uint32_t)EXT4_BLOCK_BYTES / EXT2_DESC_SIZE(fs->super);
	uint64_t last_desc = 0;
	size_t n = 0;

	for (uint32_t i = 0; i < g->n; i++) {
		const struct ext4_group *at = &g->group[i];
		uint64_t desc;

		if (!at->changed)
			continue;
		set_checksums(g, i);
		desc = ext2fs_descriptor_block_loc2(fs, fs->super->s_first_data_block,
						    i / per_block);
		if (desc != last_desc)
			list[n++] = (struct pending){desc, (uint8_t *)fs->group_desc
								   + (size_t)(i / per_block)
									     * EXT4_BLOCK_BYTES};
		last_desc = desc;
		if (at->blocks_changed)
			list[n++] = (struct pending){ext2fs_block_bitmap_loc(fs, i), at->block_map};
		if (at->inodes_changed)
			list[n++] = (struct pending){ext2fs_inode_bitmap_loc(fs, i), at->inode_map};
	}
	return n;
}

int ext4_groups_flush(struct ext4_groups *g, struct error *err)
{
	cleanup_free struct pending *list = xcalloc((size_t)g->n * 3, sizeof(*list));
	size_t n = collect(g, list);

	qsort(list, n, sizeof(*list), compare_pending);
	for (size_t i = 0; i < n; i++)
		if (block_store_append(g->store, list[i].block, 1, list[i].data, err) < 0)
			return -1;
	return 0;
}
