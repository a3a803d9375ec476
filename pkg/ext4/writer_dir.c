/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Directories: all names of one are read when it is first looked into; one that changed is written
 * as a whole at the end of the session, over its old blocks where it still fits.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "pkg/base/alloc.h"
#include "pkg/ext4/directory.h"
#include "pkg/ext4/writer_internal.h"

enum { READ_BLOCKS = 16 };

/* --- reading -------------------------------------------------------------------------------------
 */

static int damaged(const struct ext4_node *dir, const char *what, struct error *err)
{
	return error_set(err, ERR_INCONSISTENT, "ext4: directory inode %u: %s", dir->inode, what);
}

/* What . and .. say is what keeps a damaged tree from having loops. */
static int check_dot(const struct ext4_node *dir, const struct ext4_dir_entry *entry,
		     struct error *err)
{
	uint32_t parent = dir->parent ? dir->parent->inode : dir->inode;

	if (entry->inode != (entry->name_len == 1 ? dir->inode : parent))
		return damaged(dir, "wrong . or ..", err);
	return 0;
}

static int entry_type(struct ext4_writer *w, const struct ext4_dir_entry *entry, uint8_t *ret,
		      struct error *err)
{
	struct ext4_raw_inode *raw;

	*ret = entry->type;
	if (entry->type != EXT4_DIR_UNKNOWN)
		return 0;
	if (ext4_writer_inode(w, entry->inode, &raw, err) < 0)
		return -1;
	*ret = (uint8_t)ext4_dir_type_of_mode(ext4_raw_mode(raw));
	return 0;
}

static int add_entry(struct ext4_writer *w, struct ext4_node *dir,
		     const struct ext4_dir_entry *entry, struct error *err)
{
	uint8_t type;

	if (ext4_dir_is_dot(entry))
		return check_dot(dir, entry, err);
	if (memchr(entry->name, '/', entry->name_len) || memchr(entry->name, 0, entry->name_len)
	    || entry->inode == EXT2_ROOT_INO
	    || ext4_tree_find(w->tree, dir, entry->name, entry->name_len))
		return damaged(dir, "an entry that cannot be", err);
	if (entry_type(w, entry, &type, err) < 0)
		return -1;
	ext4_tree_add(w->tree, dir, entry->name, entry->name_len, entry->inode, type);
	return 0;
}

static int add_block(struct ext4_writer *w, struct ext4_node *dir, const uint8_t *block,
		     struct error *err)
{
	struct ext4_dir_cursor cursor = {.block = block, .block_bytes = EXT4_BLOCK_BYTES};

	for (;;) {
		struct ext4_dir_entry entry;
		int rc = ext4_dir_next(&cursor, &entry, err);

		if (rc != 0)
			return rc < 0 ? -1 : 0;
		if (add_entry(w, dir, &entry, err) < 0)
			return -1;
	}
}

/* Is it a directory without gaps, and as long as it says? */
static int check_map(const struct ext4_node *dir, const struct content_map *map,
		     uint64_t size_bytes, struct error *err)
{
	uint64_t next = 0;

	for (size_t i = 0; i < map->n; i++) {
		if (map->extents[i].logical != next || map->extents[i].unwritten)
			return damaged(dir, "a hole", err);
		next += map->extents[i].len;
	}
	if (size_bytes == 0 || size_bytes != next * EXT4_BLOCK_BYTES)
		return damaged(dir, "wrong size", err);
	return 0;
}

/* Blocks that follow each other in the directory and on the volume. */
static int read_run(struct ext4_writer *w, struct ext4_node *dir, const struct ext4_extent *at,
		    uint32_t seed, bool indexed, struct error *err)
{
	cleanup_free uint8_t *data = xmalloc((size_t)READ_BLOCKS * EXT4_BLOCK_BYTES);

	for (uint32_t k = 0; k < at->len; k++) {
		uint32_t left = at->len - k;
		const uint8_t *block = data + (size_t)(k % READ_BLOCKS) * EXT4_BLOCK_BYTES;

		if (k % READ_BLOCKS == 0
		    && block_store_read(&w->store, at->physical + k,
					left < READ_BLOCKS ? left : READ_BLOCKS, data, err)
			       < 0)
			return -1;
		if (!ext4_dir_checksum_holds(seed, block, EXT4_BLOCK_BYTES, indexed,
					     at->logical + k))
			return damaged(dir, "bad checksum", err);
		if (add_block(w, dir, block, err) < 0)
			return -1;
	}
	return 0;
}

static int read_blocks(struct ext4_writer *w, struct ext4_node *dir, const struct content_map *map,
		       uint32_t seed, bool indexed, struct error *err)
{
	for (size_t i = 0; i < map->n; i++)
		if (read_run(w, dir, &map->extents[i], seed, indexed, err) < 0)
			return -1;
	return 0;
}

int ext4_writer_load_dir(struct ext4_writer *w, struct ext4_node *dir, struct error *err)
{
	cleanup(content_map_release) struct content_map map = {0};
	struct ext4_raw_inode *raw;
	uint32_t seed;
	bool indexed;

	if (!dir->dir)
		return error_set(err, ERR_INVALID, "%s is not a directory", dir->name);
	if (dir->dir->loaded)
		return 0;
	if (ext4_content_load(w, dir->inode, &map, err) < 0
	    || ext4_writer_inode(w, dir->inode, &raw, err) < 0)
		return -1;
	if (!S_ISDIR(ext4_raw_mode(raw)))
		return damaged(dir, "its inode is none of a directory", err);
	seed = ext4_writer_seed(w, dir->inode, raw);
	indexed = ext4_raw_flag(raw, EXT2_INDEX_FL);
	if (check_map(dir, &map, ext4_raw_size(raw), err) < 0
	    || read_blocks(w, dir, &map, seed, indexed, err) < 0)
		return -1;
	dir->dir->loaded = true;
	return 0;
}

/* --- writing -------------------------------------------------------------------------------------
 */

void ext4_writer_dir_changed(struct ext4_writer *w, struct ext4_node *dir)
{
	if (dir->dir->changed_at)
		return;
	ALLOC_GROW(w->changed, w->n_changed + 1, w->changed_room);
	w->changed[w->n_changed++] = dir;
	dir->dir->changed_at = w->n_changed;
}

void ext4_writer_dir_forget(struct ext4_writer *w, struct ext4_node *dir)
{
	if (dir->dir->changed_at)
		w->changed[dir->dir->changed_at - 1] = NULL;
	dir->dir->changed_at = 0;
}

static int compare_entries(const void *a, const void *b)
{
	const struct ext4_dir_entry *x = a;
	const struct ext4_dir_entry *y = b;
	size_t shorter = x->name_len < y->name_len ? x->name_len : y->name_len;
	int rc = memcmp(x->name, y->name, shorter);

	return rc ? rc : x->name_len - y->name_len;
}

/* The names of a directory in byte order, whatever order they are in memory. */
static struct ext4_dir_entry *sorted_entries(const struct ext4_node *dir)
{
	struct ext4_dir_entry *entries = xcalloc(dir->dir->entries + 1, sizeof(*entries));
	size_t n = 0;

	for (const struct ext4_node *node = dir->dir->first; node; node = node->next)
		entries[n++] = (struct ext4_dir_entry){.name = node->name,
						       .name_len = node->name_len,
						       .type = node->type,
						       .inode = node->inode};
	qsort(entries, n, sizeof(*entries), compare_entries);
	return entries;
}

static int encode(struct ext4_writer *w, const struct ext4_node *dir, struct buffer *ret,
		  bool *ret_indexed, struct error *err)
{
	struct ext4_dir_owner owner = {
		.inode = dir->inode,
		.parent = dir->parent ? dir->parent->inode : dir->inode,
	};
	cleanup_free struct ext4_dir_entry *entries = sorted_entries(dir);
	struct ext4_raw_inode *raw;

	if (ext4_writer_inode(w, dir->inode, &raw, err) < 0)
		return -1;
	owner.seed = ext4_writer_seed(w, dir->inode, raw);
	memcpy(owner.hash_seed, w->fs->super->s_hash_seed, sizeof(owner.hash_seed));
	return ext4_dir_encode(&owner, entries, dir->dir->entries, ret, ret_indexed, err);
}

/* Write the blocks of a run that are not on the volume already. */
static int overwrite_run(struct ext4_writer *w, uint64_t block, size_t n, const uint8_t *data,
			 struct error *err)
{
	cleanup_free uint8_t *old = xmalloc((size_t)READ_BLOCKS * EXT4_BLOCK_BYTES);

	for (size_t i = 0; i < n; i++) {
		size_t at = i % READ_BLOCKS, left = n - i;
		const uint8_t *new = data + i *EXT4_BLOCK_BYTES;

		if (at == 0
		    && block_store_read(&w->store, block + i,
					left < READ_BLOCKS ? left : READ_BLOCKS, old, err)
			       < 0)
			return -1;
		if (memcmp(old + at * EXT4_BLOCK_BYTES, new, EXT4_BLOCK_BYTES) != 0
		    && block_store_overwrite(&w->store, block + i, 1, new, err) < 0)
			return -1;
	}
	return 0;
}

/*
 * Write over the blocks a directory has. Where only the inodes behind names changed, as in a layer
 * of upgrades, most blocks of a large directory stay as they are.
 */
static int overwrite(struct ext4_writer *w, const struct content_map *map, const uint8_t *data,
		     struct error *err)
{
	for (size_t i = 0; i < map->n; i++) {
		const struct ext4_extent *at = &map->extents[i];

		if (overwrite_run(w, at->physical, at->len,
				  data + (size_t)at->logical * EXT4_BLOCK_BYTES, err)
		    < 0)
			return -1;
	}
	return 0;
}

/* Over the old blocks if there are enough, else all to new ones, which follow each other. */
static int put_dir(struct ext4_writer *w, uint32_t inode, const struct buffer *data,
		   struct error *err)
{
	cleanup(content_map_release) struct content_map map = {0};
	size_t need = data->len / EXT4_BLOCK_BYTES;
	uint64_t have;

	if (ext4_content_load(w, inode, &map, err) < 0)
		return -1;
	have = ext4_extents_count(map.extents, map.n);
	if (have < need) {
		if (ext4_content_drop(w, inode, err) < 0)
			return -1;
		return ext4_content_put(w, inode, data->data, data->len, err);
	}
	if (have > need && ext4_content_shorten(w, inode, &map, need, err) < 0)
		return -1;
	return overwrite(w, &map, data->data, err);
}

/* One for its name, one for its ., one for each .. below; beyond the limit they are not counted. */
static uint32_t dir_links(const struct ext4_node *dir)
{
	size_t links = 2 + dir->dir->subdirs;

	return links > EXT4_LINKS_MAX ? 1 : (uint32_t)links;
}

static int flush_dir(struct ext4_writer *w, struct ext4_node *dir, struct error *err)
{
	cleanup_buffer struct buffer data = {0};
	struct ext4_raw_inode *raw, before;
	bool indexed;

	if (encode(w, dir, &data, &indexed, err) < 0 || put_dir(w, dir->inode, &data, err) < 0
	    || ext4_writer_inode(w, dir->inode, &raw, err) < 0)
		return -1;
	before = *raw;
	ext4_raw_set_size(raw, data.len);
	ext4_raw_set_flag(raw, EXT2_INDEX_FL, indexed);
	ext4_raw_set_links(raw, dir_links(dir));
	if (memcmp(&before, raw, sizeof(before)) != 0)
		ext4_inode_table_changed(&w->table, dir->inode);
	return 0;
}

static int compare_inodes(const void *a, const void *b)
{
	const struct ext4_node *x = *(struct ext4_node *const *)a;
	const struct ext4_node *y = *(struct ext4_node *const *)b;

	return x->inode < y->inode ? -1 : x->inode > y->inode;
}

static int flush_named(struct ext4_writer *w, struct ext4_node *dir, struct error *err)
{
	cleanup_free char *path = NULL;

	if (flush_dir(w, dir, err) == 0)
		return 0;
	path = ext4_node_path(dir);
	return error_wrap(err, "folder %s", path);
}

int ext4_writer_flush_dirs(struct ext4_writer *w, struct error *err)
{
	size_t n = 0;

	for (size_t i = 0; i < w->n_changed; i++)
		if (w->changed[i])
			w->changed[n++] = w->changed[i];
	w->n_changed = n;
	if (n)
		qsort(w->changed, n, sizeof(struct ext4_node *), compare_inodes);
	for (size_t i = 0; i < n; i++) {
		w->changed[i]->dir->changed_at = 0;
		if (flush_named(w, w->changed[i], err) < 0)
			return -1;
	}
	w->n_changed = 0;
	return 0;
}
