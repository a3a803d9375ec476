/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the leaf of a name by the hash index; expects any bytes. */
#include "pkg/ext4/directory_index.h"

#include <ext2fs/ext2fs.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "pkg/base/alloc.h"

static int damaged(uint32_t block, const char *what, struct error *err)
{
	return error_set(err, ERR_INCONSISTENT, "directory block %" PRIu32 ": %s", block, what);
}

static int read_block(const struct ext4_dir_source *source, uint32_t logical, uint8_t *ret,
		      struct error *err)
{
	if (source->read(source->arg, logical, ret, err) < 0)
		return -1;
	if (!ext4_dir_checksum_holds(source->owner.seed, ret, EXT4_BLOCK_BYTES, true, logical))
		return damaged(logical, "wrong checksum", err);
	return 0;
}

/* --- blocks of the index ---------------------------------------------------------------------- */

int dir_index_claim(struct dir_index *index, uint32_t block, struct error *err)
{
	uint8_t bit = (uint8_t)(1 << block % 8);

	if (index->used[block / 8] & bit)
		return damaged(block, "two ways lead to it", err);
	index->used[block / 8] |= bit;
	return 0;
}

/* The pointers of a block; those of a node must lie in [first, end]. */
static int parse(const struct dir_index *index, const uint8_t *pointers, size_t limit,
		 uint64_t first, uint64_t end, struct dir_node *ret, struct error *err)
{
	size_t n = get_le16(pointers + 2);
	uint64_t before = first;

	if (get_le16(pointers) != limit || n == 0 || n > limit)
		return damaged(ret->block, "an index of impossible length", err);
	ret->children = xcalloc(n, sizeof(*ret->children));
	ret->n = n;
	for (size_t i = 0; i < n; i++) {
		const uint8_t *from = pointers + i * DIR_INDEX_BYTES;
		struct dir_pointer at = {i ? get_le32(from) : (uint32_t)first, get_le32(from + 4)};

		if (at.hash < before || at.hash > end)
			return damaged(ret->block, "an index that is not sorted", err);
		if (at.block == 0 || at.block >= index->source->blocks)
			return damaged(ret->block, "an index that leads nowhere", err);
		before = at.hash;
		ret->children[i].at = at;
	}
	return 0;
}

static int check_dots(const uint8_t *block, const struct ext4_dir_owner *owner, struct error *err)
{
	const uint8_t *dotdot = block + dir_entry_bytes(1);

	if (get_le32(block) != owner->inode || get_le16(block + 4) != dir_entry_bytes(1)
	    || memcmp(block + 6, "\1\2.", 3) != 0 || get_le32(dotdot) != owner->parent
	    || get_le16(dotdot + 4) != EXT4_BLOCK_BYTES - dir_entry_bytes(1)
	    || memcmp(dotdot + 6, "\2\2..", 4) != 0)
		return damaged(0, "wrong . or ..", err);
	return 0;
}

int dir_index_open(const struct ext4_dir_source *source, struct dir_index *ret, struct error *err)
{
	uint8_t block[EXT4_BLOCK_BYTES], *info = block + DIR_ROOT_INFO;

	*ret = (struct dir_index){.source = source};
	if (source->blocks < 2)
		return 1;
	if (read_block(source, 0, block, err) < 0)
		return -1;
	if (get_le32(info) != 0 || info[4] != EXT2_HASH_HALF_MD4 || info[5] != DIR_ROOT_INFO_BYTES
	    || info[6] >= DIR_LEVELS_MAX || info[7] != 0)
		return 1;
	ret->used = xcalloc(source->blocks / 8 + 1, 1);
	ret->root = xcalloc(1, sizeof(*ret->root));
	ret->root->levels = info[6];
	if (check_dots(block, &source->owner, err) < 0)
		return -1;
	return parse(ret, block + DIR_ROOT_INDEX, DIR_ROOT_LIMIT, 0, DIR_HASH_END, ret->root, err);
}

static void free_node(struct dir_node *node)
{
	if (!node)
		return;
	for (size_t i = 0; i < node->n; i++) {
		free_node(node->children[i].node); /* at most DIR_LEVELS_MAX deep */
		free(node->children[i].more);
	}
	free(node->children);
	free(node);
}

DEFINE_CLEANUP(struct dir_node *, free_node);

void dir_index_release(struct dir_index *index)
{
	free_node(index->root);
	free(index->used);
	*index = (struct dir_index){0};
}

/* The node below a pointer that ends where the next one starts. */
static int load_node(struct dir_index *index, const struct dir_path *path, struct error *err)
{
	cleanup(free_node_ptr) struct dir_node *node = NULL;
	struct dir_child *child = dir_path_leaf(path);
	uint8_t block[EXT4_BLOCK_BYTES];

	if (child->node)
		return 0;
	if (dir_index_claim(index, child->at.block, err) < 0
	    || read_block(index->source, child->at.block, block, err) < 0)
		return -1;
	if (get_le32(block) != 0 || get_le16(block + 4) != EXT4_BLOCK_BYTES)
		return damaged(child->at.block, "no index where there should be one", err);
	node = xcalloc(1, sizeof(*node));
	node->block = child->at.block;
	node->levels = path->node[path->depth]->levels - 1;
	if (parse(index, block + DIR_NODE_INDEX, DIR_NODE_LIMIT, child->at.hash, dir_path_end(path),
		  node, err)
	    < 0)
		return -1;
	child->node = steal(&node);
	return 0;
}

/* --- the way ---------------------------------------------------------------------------------- */

uint64_t dir_path_end(const struct dir_path *path)
{
	for (unsigned i = path->depth + 1; i-- > 0;)
		if (path->at[i] + 1 < path->node[i]->n)
			return path->node[i]->children[path->at[i] + 1].at.hash;
	return DIR_HASH_END;
}

/* The last child that starts no later than a hash. */
static size_t child_of(const struct dir_node *node, uint32_t hash)
{
	size_t low = 0, high = node->n;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (node->children[middle].at.hash <= hash)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/* One level down, to the child the path leads to. */
static int step_down(struct dir_index *index, struct dir_path *path, struct error *err)
{
	if (load_node(index, path, err) < 0)
		return -1;
	path->node[path->depth + 1] = dir_path_leaf(path)->node;
	path->at[++path->depth] = 0;
	return 0;
}

int dir_index_find(struct dir_index *index, uint32_t hash, struct dir_path *ret, struct error *err)
{
	*ret = (struct dir_path){.node = {index->root}};
	for (;;) {
		const struct dir_node *node = ret->node[ret->depth];

		ret->at[ret->depth] = child_of(node, hash);
		if (node->levels == 0)
			return 0;
		if (step_down(index, ret, err) < 0)
			return -1;
	}
}

int dir_index_next(struct dir_index *index, struct dir_path *path, struct error *err)
{
	while (path->at[path->depth] + 1 == path->node[path->depth]->n)
		path->depth--;
	path->at[path->depth]++;
	while (path->node[path->depth]->levels > 0)
		if (step_down(index, path, err) < 0)
			return -1;
	return 0;
}

/* --- leaves ----------------------------------------------------------------------------------- */

static int add_name(const struct ext4_dir_source *source, const struct dir_path *path,
		    const struct ext4_dir_entry *entry, struct dir_leaf *ret, struct error *err)
{
	const struct dir_pointer *at = &dir_path_leaf(path)->at;
	struct dir_name *name = &ret->names[ret->n];

	if (ext4_dir_is_dot(entry))
		return damaged(at->block, "one more . or ..", err);
	dir_name_set(name, &source->owner, entry);
	if (name->hash < (at->hash & ~1U) || name->hash >= dir_path_end(path))
		return damaged(at->block, "a name where its hash does not lead", err);
	ret->n++;
	return 0;
}

int dir_leaf_read(const struct dir_index *index, const struct dir_path *path, struct dir_leaf *ret,
		  struct error *err)
{
	struct ext4_dir_cursor cursor = {.block = ret->block, .block_bytes = EXT4_BLOCK_BYTES};
	uint32_t logical = dir_path_leaf(path)->at.block;
	struct ext4_dir_entry entry;
	int rc;

	ret->names = NULL;
	ret->n = 0;
	if (read_block(index->source, logical, ret->block, err) < 0)
		return -1;
	if (get_le32(ret->block) == 0 && get_le16(ret->block + 4) == EXT4_BLOCK_BYTES)
		return damaged(logical, "an index where there should be names", err);
	ret->names = xcalloc(DIR_LEAF_ROOM / DIR_ENTRY_MIN + 1, sizeof(*ret->names));
	while ((rc = ext4_dir_next(&cursor, &entry, err)) == 0)
		if (add_name(index->source, path, &entry, ret, err) < 0)
			return -1;
	return rc < 0 ? -1 : 0;
}

void dir_leaf_release(struct dir_leaf *leaf)
{
	free(leaf->names);
	leaf->names = NULL;
	leaf->n = 0;
}
