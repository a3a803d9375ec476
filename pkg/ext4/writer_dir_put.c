/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Directories are written once, at the end of the session. One that had a hash index gets its
 * changes block by block; what is small, new or changed for the most part is encoded as a whole,
 * over its old blocks where it still fits. Which of both depends on what is on disk and on what
 * changed, not on what happens to be in memory.
 */
#include <stdlib.h>
#include <string.h>

#include "pkg/base/alloc.h"
#include "pkg/ext4/directory_edit.h"
#include "pkg/ext4/writer_internal.h"

enum { READ_BLOCKS = 16 };

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
	if (w->view && w->view->source.owner.inode == dir->inode)
		ext4_dir_view_drop(w);
}

/* --- as a whole --------------------------------------------------------------------------------
 */

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
	struct ext4_dir_owner owner = ext4_dir_owner_of(w, dir);
	cleanup_free struct ext4_dir_entry *entries = sorted_entries(dir);
	struct ext4_raw_inode *raw;

	if (ext4_writer_inode(w, dir->inode, &raw, err) < 0)
		return -1;
	owner.seed = ext4_writer_seed(w, dir->inode, raw);
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

static int put_whole(struct ext4_writer *w, struct ext4_node *dir, struct error *err)
{
	cleanup_buffer struct buffer data = {0};
	struct ext4_raw_inode *raw, before;
	bool indexed;

	if (ext4_writer_load_dir(w, dir, err) < 0 || encode(w, dir, &data, &indexed, err) < 0
	    || put_dir(w, dir->inode, &data, err) < 0
	    || ext4_writer_inode(w, dir->inode, &raw, err) < 0)
		return -1;
	before = *raw;
	ext4_raw_set_size(raw, data.len);
	ext4_raw_set_flag(raw, EXT2_INDEX_FL, indexed);
	if (memcmp(&before, raw, sizeof(before)) != 0)
		ext4_inode_table_changed(&w->table, dir->inode);
	return 0;
}

/* --- block by block ----------------------------------------------------------------------------
 */

/* What is to be done to a directory on disk. */
struct changes {
	struct ext4_dir_entry *entries; /* as for ext4_dir_edit() */
	size_t n;
	int64_t subdirs; /* how many more */
};

static void changes_release(struct changes *c)
{
	free(c->entries);
}

static struct ext4_dir_entry entry_of(const struct ext4_node *node, bool gone)
{
	return (struct ext4_dir_entry){.name = node->name,
				       .name_len = node->name_len,
				       .type = node->type,
				       .inode = gone ? 0 : node->inode};
}

/* Names that went, if no other thing has the name now, and names that came. */
static struct changes collect(const struct ext4_writer *w, const struct ext4_node *dir)
{
	const struct ext4_node_dir *d = dir->dir;
	struct changes c = {0};
	size_t room = 0;

	for (const struct ext4_node *node = d->removed; node; node = node->next) {
		c.subdirs -= node->type == EXT4_DIR_DIRECTORY;
		if (ext4_tree_find(w->tree, dir, node->name, node->name_len))
			continue;
		ALLOC_GROW(c.entries, c.n + 1, room);
		c.entries[c.n++] = entry_of(node, true);
	}
	for (const struct ext4_node *node = d->first; node; node = node->next) {
		if (!node->made)
			continue;
		c.subdirs += node->type == EXT4_DIR_DIRECTORY;
		ALLOC_GROW(c.entries, c.n + 1, room);
		c.entries[c.n++] = entry_of(node, false);
	}
	return c;
}

/* Leaves mostly come in the order they have on the volume, too. */
static int overwrite_blocks(struct ext4_writer *w, const struct ext4_dir_view *view,
			    const struct ext4_dir_edit *edit, struct error *err)
{
	for (size_t i = 0, n; i < edit->n; i += n) {
		uint64_t block = ext4_dir_view_physical(view, edit->numbers[i]);

		for (n = 1; i + n < edit->n; n++)
			if (ext4_dir_view_physical(view, edit->numbers[i + n]) != block + n)
				break;
		if (block_store_overwrite(&w->store, block, n,
					  edit->changed.data + i * EXT4_BLOCK_BYTES, err)
		    < 0)
			return -1;
	}
	return 0;
}

static int put_edit(struct ext4_writer *w, const struct ext4_dir_view *view,
		    const struct ext4_dir_edit *edit, struct error *err)
{
	size_t more = edit->added.len / EXT4_BLOCK_BYTES;
	uint32_t inode = view->source.owner.inode;
	struct ext4_raw_inode *raw;

	if (overwrite_blocks(w, view, edit, err) < 0)
		return -1;
	if (more == 0)
		return 0;
	if (ext4_content_extend(w, inode, &view->map, more, edit->added.data, err) < 0
	    || ext4_writer_inode(w, inode, &raw, err) < 0)
		return -1;
	ext4_raw_set_size(raw, ext4_raw_size(raw) + edit->added.len);
	ext4_inode_table_changed(&w->table, inode);
	return 0;
}

/* 0, 1 = to be put as a whole, -1. */
static int put_changes(struct ext4_writer *w, const struct ext4_node *dir, const struct changes *c,
		       struct error *err)
{
	cleanup(ext4_dir_view_close_ptr) struct ext4_dir_view *view = NULL;
	cleanup(ext4_dir_edit_release) struct ext4_dir_edit edit = {0};
	int rc;

	if (c->n == 0)
		return 0;
	if (ext4_dir_view_open(w, dir, &view, err) < 0)
		return -1;
	rc = ext4_dir_edit(&view->source, c->entries, c->n, &edit, err);
	return rc != 0 ? rc : put_edit(w, view, &edit, err);
}

/* --- all ---------------------------------------------------------------------------------------
 */

/*
 * One for its name, one for its ., one for each .. below; beyond the limit they are not counted.
 * @counted: all names are in the tree. Else what the inode says is taken for true.
 */
static int put_links(struct ext4_writer *w, struct ext4_node *dir, int64_t more, bool counted,
		     struct error *err)
{
	struct ext4_raw_inode *raw;
	int64_t links, before;

	if (ext4_writer_inode(w, dir->inode, &raw, err) < 0)
		return -1;
	before = links = ext4_raw_links(raw);
	if (!counted && before == 1 && more < 0) {
		if (ext4_writer_load_dir(w, dir, err) < 0
		    || ext4_writer_inode(w, dir->inode, &raw, err) < 0)
			return -1;
		counted = true;
	}
	if (counted)
		links = 2 + (int64_t)dir->dir->subdirs;
	else if (before != 1)
		links = before + more;
	if (links < 2 && before != 1)
		return error_set(err, ERR_INCONSISTENT, "it has %lld links", (long long)before);
	if (links > EXT4_LINKS_MAX)
		links = 1;
	if (links != before) {
		ext4_raw_set_links(raw, (uint32_t)links);
		ext4_inode_table_changed(&w->table, dir->inode);
	}
	return 0;
}

static int flush_dir(struct ext4_writer *w, struct ext4_node *dir, struct error *err)
{
	cleanup(changes_release) struct changes c = {0};
	struct ext4_raw_inode *raw;
	int rc = 1;

	if (ext4_writer_inode(w, dir->inode, &raw, err) < 0)
		return -1;
	if (ext4_raw_flag(raw, EXT2_INDEX_FL)) {
		c = collect(w, dir);
		rc = put_changes(w, dir, &c, err);
	}
	if (rc < 0 || (rc > 0 && put_whole(w, dir, err) < 0)
	    || put_links(w, dir, c.subdirs, rc > 0, err) < 0)
		return -1;
	ext4_tree_settle(dir);
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

	ext4_dir_view_drop(w);
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
