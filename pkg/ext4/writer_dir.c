/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of directories come into the tree when they are first looked for: all of a directory that
 * is a list, those of one leaf where there is an index.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "pkg/base/alloc.h"
#include "pkg/ext4/directory.h"
#include "pkg/ext4/writer_internal.h"

enum { READ_BLOCKS = 16 };

static int damaged(const struct ext4_node *dir, const char *what, struct error *err)
{
	return error_set(err, ERR_INCONSISTENT, "ext4: directory inode %u: %s", dir->inode, what);
}

/* --- blocks -----------------------------------------------------------------------------------
 */

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

uint64_t ext4_dir_view_physical(const struct ext4_dir_view *view, uint32_t logical)
{
	const struct ext4_extent *extents = view->map.extents;
	size_t low = 0, high = view->map.n;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (extents[middle].logical <= logical)
			low = middle;
		else
			high = middle;
	}
	return extents[low].physical + (logical - extents[low].logical);
}

static int read_block(void *arg, uint32_t logical, uint8_t *ret, struct error *err)
{
	struct ext4_dir_view *view = arg;

	return block_store_read(&view->w->store, ext4_dir_view_physical(view, logical), 1, ret,
				err);
}

struct ext4_dir_owner ext4_dir_owner_of(const struct ext4_writer *w, const struct ext4_node *dir)
{
	struct ext4_dir_owner owner = {
		.inode = dir->inode,
		.parent = dir->parent ? dir->parent->inode : dir->inode,
	};

	memcpy(owner.hash_seed, w->fs->super->s_hash_seed, sizeof(owner.hash_seed));
	return owner;
}

int ext4_dir_view_open(struct ext4_writer *w, const struct ext4_node *dir,
		       struct ext4_dir_view **ret, struct error *err)
{
	cleanup(ext4_dir_view_close_ptr) struct ext4_dir_view *view = xcalloc(1, sizeof(*view));
	struct ext4_dir_source *source = &view->source;
	struct ext4_raw_inode *raw;

	if (!dir->dir)
		return error_set(err, ERR_INVALID, "%s is not a directory", dir->name);
	if (ext4_content_load(w, dir->inode, &view->map, err) < 0
	    || ext4_writer_inode(w, dir->inode, &raw, err) < 0)
		return -1;
	if (!S_ISDIR(ext4_raw_mode(raw)))
		return damaged(dir, "its inode is none of a directory", err);
	if (check_map(dir, &view->map, ext4_raw_size(raw), err) < 0)
		return -1;
	view->w = w;
	view->indexed = ext4_raw_flag(raw, EXT2_INDEX_FL);
	source->read = read_block;
	source->arg = view;
	source->blocks = (uint32_t)(ext4_raw_size(raw) / EXT4_BLOCK_BYTES);
	source->owner = ext4_dir_owner_of(w, dir);
	source->owner.seed = ext4_writer_seed(w, dir->inode, raw);
	*ret = steal(&view);
	return 0;
}

void ext4_dir_view_close(struct ext4_dir_view *view)
{
	content_map_release(&view->map);
	dir_index_release(&view->index);
	free(view);
}

void ext4_dir_view_drop(struct ext4_writer *w)
{
	if (w->view)
		ext4_dir_view_close(w->view);
	w->view = NULL;
}

/* --- names ------------------------------------------------------------------------------------
 */

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

static int add_name(struct ext4_writer *w, struct ext4_node *dir,
		    const struct ext4_dir_entry *entry, struct error *err)
{
	uint8_t type;

	if (entry->inode == EXT2_ROOT_INO
	    || ext4_tree_find(w->tree, dir, entry->name, entry->name_len))
		return damaged(dir, "an entry that cannot be", err);
	if (entry_type(w, entry, &type, err) < 0)
		return -1;
	ext4_tree_add(w->tree, dir, entry->name, entry->name_len, entry->inode, type);
	return 0;
}

/* --- all names --------------------------------------------------------------------------------
 */

/* Of hashes that are known the tree knows better: names may have come and gone. */
static bool is_known(const struct ext4_node *dir, const struct ext4_dir_owner *owner,
		     const struct ext4_dir_entry *entry)
{
	const struct hash_ranges *known = &dir->dir->known;

	return known->n
	       && hash_ranges_hold(known, ext4_dir_hash(owner, entry->name, entry->name_len, NULL));
}

static int add_block(struct ext4_dir_view *view, struct ext4_node *dir, const uint8_t *block,
		     struct error *err)
{
	struct ext4_dir_cursor cursor = {.block = block, .block_bytes = EXT4_BLOCK_BYTES};
	struct ext4_dir_entry entry;
	int rc;

	while ((rc = ext4_dir_next(&cursor, &entry, err)) == 0) {
		if (ext4_dir_is_dot(&entry))
			rc = check_dot(dir, &entry, err);
		else if (!is_known(dir, &view->source.owner, &entry))
			rc = add_name(view->w, dir, &entry, err);
		if (rc < 0)
			return -1;
	}
	return rc < 0 ? -1 : 0;
}

/* Blocks that follow each other in the directory and on the volume. */
static int read_run(struct ext4_dir_view *view, struct ext4_node *dir, const struct ext4_extent *at,
		    struct error *err)
{
	cleanup_free uint8_t *data = xmalloc((size_t)READ_BLOCKS * EXT4_BLOCK_BYTES);

	for (uint32_t k = 0; k < at->len; k++) {
		uint32_t left = at->len - k;
		const uint8_t *block = data + (size_t)(k % READ_BLOCKS) * EXT4_BLOCK_BYTES;

		if (k % READ_BLOCKS == 0
		    && block_store_read(&view->w->store, at->physical + k,
					left < READ_BLOCKS ? left : READ_BLOCKS, data, err)
			       < 0)
			return -1;
		if (!ext4_dir_checksum_holds(view->source.owner.seed, block, EXT4_BLOCK_BYTES,
					     view->indexed, at->logical + k))
			return damaged(dir, "bad checksum", err);
		if (add_block(view, dir, block, err) < 0)
			return -1;
	}
	return 0;
}

static int load_all(struct ext4_dir_view *view, struct ext4_node *dir, struct error *err)
{
	for (size_t i = 0; i < view->map.n; i++)
		if (read_run(view, dir, &view->map.extents[i], err) < 0)
			return -1;
	ext4_tree_loaded(dir);
	return 0;
}

int ext4_writer_load_dir(struct ext4_writer *w, struct ext4_node *dir, struct error *err)
{
	cleanup(ext4_dir_view_close_ptr) struct ext4_dir_view *view = NULL;

	if (dir->dir && dir->dir->loaded)
		return 0;
	if (ext4_dir_view_open(w, dir, &view, err) < 0)
		return -1;
	return load_all(view, dir, err);
}

/* --- one name ---------------------------------------------------------------------------------
 */

/* Names of a leaf with hashes from first to last that were not known before. */
static int add_leaf(struct ext4_dir_view *view, struct ext4_node *dir, const struct dir_path *path,
		    const struct hash_range *range, struct error *err)
{
	cleanup(dir_leaf_release) struct dir_leaf leaf = {.n = 0};

	if (dir_leaf_read(&view->index, path, &leaf, err) < 0)
		return -1;
	for (size_t i = 0; i < leaf.n; i++) {
		uint32_t hash = leaf.names[i].hash;

		if (hash >= range->first && hash <= range->last
		    && !hash_ranges_hold(&dir->dir->known, hash)
		    && add_name(view->w, dir, &leaf.names[i].entry, err) < 0)
			return -1;
	}
	return 0;
}

/*
 * The leaf of a hash, and those that go on with it. Where the first one or the last one shares its
 * first or last hash with another leaf, not all names of that hash were met: it stays unknown.
 */
static int add_leaves(struct ext4_dir_view *view, struct ext4_node *dir, uint32_t hash,
		      struct error *err)
{
	struct hash_range range;
	struct dir_path path;
	bool more;

	if (dir_index_find(&view->index, hash, &path, err) < 0)
		return -1;
	range.first = dir_path_leaf(&path)->at.hash;
	range.first += range.first & 1;
	do {
		uint64_t end = dir_path_end(&path);

		more = dir_path_continues(&path, hash);
		range.last = (uint32_t)(more ? hash : end - 1 - (end & 1));
		if (add_leaf(view, dir, &path, &range, err) < 0)
			return -1;
		if (more && dir_index_next(&view->index, &path, err) < 0)
			return -1;
	} while (more);
	hash_ranges_add(&dir->dir->known, range.first, range.last);
	return 0;
}

/* Make w->view that of a directory. 0, 1 = it has no index: all its names were read; -1. */
static int look_into(struct ext4_writer *w, struct ext4_node *dir, struct error *err)
{
	cleanup(ext4_dir_view_close_ptr) struct ext4_dir_view *view = NULL;
	int rc;

	if (w->view && w->view->source.owner.inode == dir->inode)
		return 0;
	if (ext4_dir_view_open(w, dir, &view, err) < 0)
		return -1;
	rc = view->indexed ? dir_index_open(&view->source, &view->index, err) : 1;
	if (rc != 0)
		return rc < 0 || load_all(view, dir, err) < 0 ? -1 : 1;
	ext4_dir_view_drop(w);
	w->view = steal(&view);
	return 0;
}

/* Bring a name into the tree, if it is there, with those beside it. */
static int bring(struct ext4_writer *w, struct ext4_node *dir, const char *name, size_t name_len,
		 struct error *err)
{
	struct ext4_dir_owner owner = ext4_dir_owner_of(w, dir);
	uint32_t hash = ext4_dir_hash(&owner, name, name_len, NULL);
	cleanup_free char *path = NULL;
	int rc;

	if (dir->dir && hash_ranges_hold(&dir->dir->known, hash))
		return 0;
	rc = look_into(w, dir, err);
	if (rc == 0)
		rc = add_leaves(w->view, dir, hash, err);
	if (rc >= 0)
		return 0;
	path = ext4_node_path(dir);
	return error_wrap(err, "folder %s", path);
}

int ext4_writer_lookup(struct ext4_writer *w, struct ext4_node *dir, const char *name,
		       size_t name_len, struct ext4_node **ret, struct error *err)
{
	struct ext4_node *node = ext4_tree_find(w->tree, dir, name, name_len);

	if (!node && !(dir->dir && dir->dir->loaded)) {
		if (bring(w, dir, name, name_len, err) < 0)
			return -1;
		node = ext4_tree_find(w->tree, dir, name, name_len);
	}
	*ret = node;
	return 0;
}
