/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks of an inode: taken and written in long runs, mapped by an extent tree, given back. */
#include <stdlib.h>
#include <string.h>

#include "pkg/base/alloc.h"
#include "pkg/ext4/writer_internal.h"

void extent_list_add(struct extent_list *list, uint32_t logical, uint64_t physical, uint32_t len)
{
	if (list->n) {
		struct ext4_extent *last = &list->items[list->n - 1];

		if (last->logical + last->len == logical
		    && last->physical + last->len == physical) {
			last->len += len;
			return;
		}
	}
	ALLOC_GROW(list->items, list->n + 1, list->room);
	list->items[list->n++] =
		(struct ext4_extent){.logical = logical, .physical = physical, .len = len};
}

void extent_list_release(struct extent_list *list)
{
	free(list->items);
	*list = (struct extent_list){0};
}

void content_map_release(struct content_map *map)
{
	free(map->extents);
	free(map->tree);
	*map = (struct content_map){0};
}

uint64_t ext4_extents_count(const struct ext4_extent *extents, size_t n)
{
	uint64_t blocks = 0;

	for (size_t i = 0; i < n; i++)
		blocks += extents[i].len;
	return blocks;
}

uint32_t ext4_writer_seed(const struct ext4_writer *w, uint32_t inode,
			  const struct ext4_raw_inode *raw)
{
	return ext4_inode_seed(w->fs->csum_seed, inode, le32toh(raw->i.i_generation));
}

int ext4_content_append(struct ext4_writer *w, struct extent_list *list, uint32_t logical, size_t n,
			const uint8_t *data, struct error *err)
{
	while (n) {
		uint64_t start, got;

		if (ext4_groups_take_blocks(&w->groups, n, &start, &got, err) < 0
		    || block_store_append(&w->store, start, (size_t)got, data, err) < 0)
			return -1;
		extent_list_add(list, logical, start, (uint32_t)got);
		logical += (uint32_t)got;
		data += got * EXT4_BLOCK_BYTES;
		n -= (size_t)got;
	}
	return 0;
}

static int read_tree_block(void *arg, uint64_t block, uint8_t *buf, struct error *err)
{
	struct ext4_writer *w = arg;

	return block_store_read(&w->store, block, 1, buf, err);
}

int ext4_content_load(struct ext4_writer *w, uint32_t inode, struct content_map *ret,
		      struct error *err)
{
	struct ext4_extents_source source = {
		.read = read_tree_block,
		.arg = w,
		.block_bytes = EXT4_BLOCK_BYTES,
		.first_block = 1,
		.last_block = ext2fs_blocks_count(w->fs->super) - 1,
		.checksums = true,
	};
	struct ext4_raw_inode *raw;

	*ret = (struct content_map){0};
	if (ext4_writer_inode(w, inode, &raw, err) < 0)
		return -1;
	if (!ext4_raw_has_extents(raw))
		return error_set(err, ERR_UNSUPPORTED, "ext4: inode %u has no extents", inode);
	source.seed = ext4_writer_seed(w, inode, raw);
	return ext4_extents_load(&source, ext4_raw_iblock(raw), &ret->extents, &ret->n, &ret->tree,
				 &ret->tree_n, err);
}

/* Blocks for an extent tree; they need not follow each other. */
static int take_tree_blocks(struct ext4_writer *w, uint64_t *numbers, size_t n, struct error *err)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t got;

		if (ext4_groups_take_blocks(&w->groups, 1, &numbers[i], &got, err) < 0)
			return -1;
	}
	return 0;
}

int ext4_content_attach(struct ext4_writer *w, uint32_t inode, const struct extent_list *list,
			struct error *err)
{
	size_t n = ext4_extents_tree_blocks(list->items, list->n);
	cleanup_free uint64_t *numbers = xcalloc(n + 1, sizeof(*numbers));
	cleanup_free uint8_t *blocks = xcalloc(n + 1, EXT4_BLOCK_BYTES);
	struct ext4_raw_inode *raw;

	if (take_tree_blocks(w, numbers, n, err) < 0 || ext4_writer_inode(w, inode, &raw, err) < 0)
		return -1;
	ext4_extents_encode(list->items, list->n, ext4_writer_seed(w, inode, raw), numbers,
			    ext4_raw_iblock(raw), blocks);
	ext4_raw_set_flag(raw, EXT4_EXTENTS_FL, true);
	ext4_raw_add_blocks(raw, ext4_extents_count(list->items, list->n) + n);
	ext4_inode_table_changed(&w->table, inode);
	for (size_t i = 0; i < n; i++)
		if (block_store_append(&w->store, numbers[i], 1, blocks + i * EXT4_BLOCK_BYTES, err)
		    < 0)
			return -1;
	return 0;
}

static int free_extents(struct ext4_writer *w, const struct ext4_extent *extents, size_t n,
			struct error *err)
{
	for (size_t i = 0; i < n; i++)
		if (ext4_groups_free_blocks(&w->groups, extents[i].physical, extents[i].len, err)
		    < 0)
			return -1;
	return 0;
}

/* Give back tree blocks, and the inode points to nothing. */
static int detach(struct ext4_writer *w, uint32_t inode, const struct content_map *map,
		  struct error *err)
{
	struct ext4_raw_inode *raw;

	for (size_t i = 0; i < map->tree_n; i++)
		if (ext4_groups_free_blocks(&w->groups, map->tree[i], 1, err) < 0)
			return -1;
	if (ext4_writer_inode(w, inode, &raw, err) < 0)
		return -1;
	ext4_raw_clear_extents(raw);
	ext4_raw_drop_blocks(raw, ext4_extents_count(map->extents, map->n) + map->tree_n);
	ext4_inode_table_changed(&w->table, inode);
	return 0;
}

int ext4_content_drop(struct ext4_writer *w, uint32_t inode, struct error *err)
{
	cleanup(content_map_release) struct content_map map = {0};

	if (ext4_content_load(w, inode, &map, err) < 0)
		return -1;
	if (free_extents(w, map.extents, map.n, err) < 0)
		return -1;
	return detach(w, inode, &map, err);
}

int ext4_content_shorten(struct ext4_writer *w, uint32_t inode, struct content_map *map,
			 uint64_t blocks, struct error *err)
{
	struct extent_list kept = {.items = map->extents};

	if (detach(w, inode, map, err) < 0)
		return -1;
	while (map->n) {
		struct ext4_extent *last = &map->extents[map->n - 1];
		uint64_t extra = (uint64_t)last->logical + last->len;

		extra = extra > blocks ? extra - blocks : 0;
		if (extra < last->len) {
			last->len -= (uint32_t)extra;
			if (ext4_groups_free_blocks(&w->groups, last->physical + last->len, extra,
						    err)
			    < 0)
				return -1;
			break;
		}
		if (free_extents(w, last, 1, err) < 0)
			return -1;
		map->n--;
	}
	kept.n = map->n;
	return ext4_content_attach(w, inode, &kept, err);
}

int ext4_content_extend(struct ext4_writer *w, uint32_t inode, const struct content_map *map,
			size_t n, const uint8_t *data, struct error *err)
{
	cleanup(extent_list_release) struct extent_list list = {0};
	uint32_t end = (uint32_t)ext4_extents_count(map->extents, map->n);

	for (size_t i = 0; i < map->n; i++)
		extent_list_add(&list, map->extents[i].logical, map->extents[i].physical,
				map->extents[i].len);
	if (ext4_content_append(w, &list, end, n, data, err) < 0 || detach(w, inode, map, err) < 0)
		return -1;
	return ext4_content_attach(w, inode, &list, err);
}

int ext4_content_put(struct ext4_writer *w, uint32_t inode, const void *data, size_t len,
		     struct error *err)
{
	cleanup(extent_list_release) struct extent_list list = {0};
	size_t n = (len + EXT4_BLOCK_BYTES - 1) / EXT4_BLOCK_BYTES;
	cleanup_free uint8_t *padded = xcalloc(n + 1, EXT4_BLOCK_BYTES);
	struct ext4_raw_inode *raw;

	memcpy(padded, data, len);
	if (ext4_content_append(w, &list, 0, n, padded, err) < 0
	    || ext4_content_attach(w, inode, &list, err) < 0
	    || ext4_writer_inode(w, inode, &raw, err) < 0)
		return -1;
	ext4_raw_set_size(raw, len);
	ext4_inode_table_changed(&w->table, inode);
	return 0;
}
