/* SPDX-License-Identifier: Apache-2.0 */
/* The public calls of an editing session: open and finish, names and inodes. */
#include "pkg/ext4/writer.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "pkg/base/alloc.h"
#include "pkg/ext4/directory.h"
#include "pkg/ext4/io.h"
#include "pkg/ext4/superblock.h"
#include "pkg/ext4/writer_internal.h"

enum { SYMLINK_MAX = 4095 };

/* --- start and end -------------------------------------------------------------------------------
 */

/* What the writer keeps up. Others would get damaged by not being known here. */
static void release(struct ext4_writer *w)
{
	file_stream_release(&w->file);
	ext4_dir_view_drop(w);
	ext4_inode_table_release(&w->table);
	ext4_groups_release(&w->groups);
	block_store_release(&w->store);
	ext4_io_close(w->fs);
	free(w->changed);
	free(w);
}

void ext4_writer_abort(struct ext4_writer *w)
{
	if (w)
		release(w);
}

int ext4_writer_open(struct thin_volume *volume, struct ext4_tree *tree, const uint8_t *uuid,
		     struct ext4_writer **ret, struct error *err)
{
	cleanup(ext4_writer_abort_ptr) struct ext4_writer *w = xcalloc(1, sizeof(*w));

	w->volume = volume;
	w->tree = tree;
	memcpy(w->uuid, uuid, sizeof(w->uuid));
	if (ext4_io_open(volume, EXT4_IO_WRITE, &w->fs, err) < 0
	    || ext4_superblock_check(w->fs->super, err) < 0)
		return -1;
	block_store_init(&w->store, volume);
	if (ext4_groups_init(&w->groups, w->fs, &w->store, err) < 0)
		return -1;
	ext4_inode_table_init(&w->table, &w->groups);
	tree->session++;
	if (!tree->root)
		ext4_tree_add(tree, NULL, "", 0, EXT2_ROOT_INO, EXT4_DIR_DIRECTORY);
	*ret = steal(&w);
	return 0;
}

static int flush_superblock(struct ext4_writer *w, struct error *err)
{
	cleanup_free uint8_t *block = xaligned(EXT4_BLOCK_BYTES, EXT4_BLOCK_BYTES);
	struct ext2_super_block *sb = w->fs->super;

	ext4_superblock_name(sb, w->uuid);
	if (block_store_read(&w->store, 0, 1, block, err) < 0)
		return error_wrap(err, "superblock");
	memcpy(block + SUPERBLOCK_OFFSET, sb, sizeof(*sb));
	return block_store_append(&w->store, 0, 1, block, err);
}

int ext4_writer_finish(struct ext4_writer **w_at, struct error *err)
{
	cleanup(ext4_writer_abort_ptr) struct ext4_writer *w = steal(w_at);

	if (w->file.inode)
		return error_set(err, ERR_INVALID, "the content of inode %u was not ended",
				 w->file.inode);
	if (ext4_writer_flush_dirs(w, err) < 0 || ext4_inode_table_flush(&w->table, err) < 0
	    || flush_superblock(w, err) < 0 || ext4_groups_flush(&w->groups, err) < 0)
		return -1;
	return block_store_flush(&w->store, err);
}

struct ext4_node *ext4_writer_root(struct ext4_writer *w)
{
	return w->tree->root;
}

/* --- looking -------------------------------------------------------------------------------------
 */

int ext4_writer_inode(struct ext4_writer *w, uint32_t inode, struct ext4_raw_inode **ret,
		      struct error *err)
{
	return ext4_inode_table_get(&w->table, inode, ret, err);
}

int ext4_writer_list(struct ext4_writer *w, struct ext4_node *dir, struct ext4_node ***ret,
		     size_t *ret_n, struct error *err)
{
	struct ext4_node **list;
	size_t n = 0;

	if (ext4_writer_load_dir(w, dir, err) < 0)
		return -1;
	list = xcalloc(dir->dir->entries + 1, sizeof(struct ext4_node *));
	for (struct ext4_node *node = dir->dir->first; node; node = node->next)
		list[n++] = node;
	*ret = list;
	*ret_n = n;
	return 0;
}

int ext4_writer_mode(struct ext4_writer *w, struct ext4_node *node, uint32_t *ret,
		     struct error *err)
{
	struct ext4_raw_inode *raw;

	if (ext4_writer_inode(w, node->inode, &raw, err) < 0)
		return -1;
	*ret = ext4_raw_mode(raw);
	return 0;
}

/* The target of a symlink that is too long for the inode. */
static int read_long_target(struct ext4_writer *w, uint32_t inode, uint64_t size_bytes, char **ret,
			    struct error *err)
{
	cleanup(content_map_release) struct content_map map = {0};
	cleanup_free char *block = xmalloc(EXT4_BLOCK_BYTES);

	if (ext4_content_load(w, inode, &map, err) < 0)
		return -1;
	if (size_bytes > SYMLINK_MAX || map.n == 0 || map.extents[0].logical != 0
	    || map.extents[0].unwritten)
		return error_set(err, ERR_INCONSISTENT, "ext4: symlink inode %u", inode);
	if (block_store_read(&w->store, map.extents[0].physical, 1, block, err) < 0)
		return -1;
	*ret = xstrndup(block, (size_t)size_bytes);
	return 0;
}

int ext4_writer_readlink(struct ext4_writer *w, struct ext4_node *node, char **ret,
			 struct error *err)
{
	struct ext4_raw_inode *raw;
	uint64_t size;

	if (ext4_writer_inode(w, node->inode, &raw, err) < 0)
		return -1;
	if (!S_ISLNK(ext4_raw_mode(raw)))
		return error_set(err, ERR_INVALID, "%s is not a symlink", node->name);
	size = ext4_raw_size(raw);
	if (size > EXT4_FAST_SYMLINK_MAX)
		return read_long_target(w, node->inode, size, ret, err);
	*ret = xstrndup((const char *)ext4_raw_iblock(raw), (size_t)size);
	return 0;
}

unsigned ext4_node_mark(const struct ext4_writer *w, const struct ext4_node *node)
{
	return node->mark_session == w->tree->session ? node->mark : 0;
}

void ext4_node_set_mark(struct ext4_writer *w, struct ext4_node *node, unsigned mark)
{
	node->mark_session = w->tree->session;
	node->mark = mark;
}

/* --- changing ------------------------------------------------------------------------------------
 */

static int check_name(const char *name, size_t len, struct error *err)
{
	bool dots = len <= 2 && memcmp(name, "..", len) == 0;

	if (len == 0 || len > EXT4_NAME_MAX || dots || memchr(name, '/', len)
	    || memchr(name, 0, len))
		return error_set(err, ERR_INVALID, "a name of %zu bytes cannot be: %.*s", len,
				 len < 64 ? (int)len : 64, name);
	return 0;
}

/* Enter a name that must be free. */
static int add_name(struct ext4_writer *w, struct ext4_node *dir, const char *name, size_t name_len,
		    uint32_t inode, enum ext4_dir_type type, struct ext4_node **ret)
{
	*ret = ext4_tree_add(w->tree, dir, name, name_len, inode, (uint8_t)type);
	(*ret)->made = true;
	ext4_writer_dir_changed(w, dir);
	if ((*ret)->dir) {
		ext4_tree_loaded(*ret);
		ext4_writer_dir_changed(w, *ret);
	}
	return 0;
}

static int check_free(struct ext4_writer *w, struct ext4_node *dir, const char *name,
		      size_t name_len, struct error *err)
{
	struct ext4_node *there;

	if (check_name(name, name_len, err) < 0
	    || ext4_writer_lookup(w, dir, name, name_len, &there, err) < 0)
		return -1;
	if (there)
		return error_set(err, ERR_INVALID, "%.*s is there already", (int)name_len, name);
	return 0;
}

/* An inode and its name. */
static int make(struct ext4_writer *w, struct ext4_node *dir, const char *name, size_t name_len,
		const struct ext4_meta *meta, struct ext4_node **ret, struct error *err)
{
	enum ext4_dir_type type = ext4_dir_type_of_mode(meta->mode);
	struct ext4_raw_inode *raw;
	uint32_t inode;

	if (type == EXT4_DIR_UNKNOWN)
		return error_set(err, ERR_INVALID, "mode %o has no file type", meta->mode);
	if (check_free(w, dir, name, name_len, err) < 0
	    || ext4_groups_take_inode(&w->groups, type == EXT4_DIR_DIRECTORY, &inode, err) < 0
	    || ext4_inode_table_make(&w->table, inode, &raw, err) < 0)
		return -1;
	ext4_raw_make(raw, meta);
	return add_name(w, dir, name, name_len, inode, type, ret);
}

int ext4_writer_make(struct ext4_writer *w, struct ext4_node *dir, const char *name,
		     size_t name_len, const struct ext4_meta *meta, struct ext4_node **ret,
		     struct error *err)
{
	if (S_ISLNK(meta->mode))
		return error_set(err, ERR_INVALID, "a symlink needs a target");
	return make(w, dir, name, name_len, meta, ret, err);
}

int ext4_writer_symlink(struct ext4_writer *w, struct ext4_node *dir, const char *name,
			size_t name_len, const char *target, size_t target_len,
			const struct ext4_meta *meta, struct ext4_node **ret, struct error *err)
{
	struct ext4_meta own = *meta;
	struct ext4_raw_inode *raw;
	struct ext4_node *node;

	if (target_len == 0 || target_len > SYMLINK_MAX || memchr(target, 0, target_len))
		return error_set(err, ERR_INVALID, "a symlink target of %zu bytes cannot be",
				 target_len);
	own.mode = S_IFLNK | 0777;
	if (make(w, dir, name, name_len, &own, &node, err) < 0)
		return -1;
	if (target_len > EXT4_FAST_SYMLINK_MAX) {
		if (ext4_content_put(w, node->inode, target, target_len, err) < 0)
			return -1;
	} else {
		if (ext4_writer_inode(w, node->inode, &raw, err) < 0)
			return -1;
		memcpy(ext4_raw_iblock(raw), target, target_len);
		ext4_raw_set_size(raw, target_len);
		ext4_inode_table_changed(&w->table, node->inode);
	}
	*ret = node;
	return 0;
}

int ext4_writer_link(struct ext4_writer *w, struct ext4_node *dir, const char *name,
		     size_t name_len, struct ext4_node *target, struct ext4_node **ret,
		     struct error *err)
{
	struct ext4_raw_inode *raw;

	if (target->dir)
		return error_set(err, ERR_INVALID, "a directory cannot have a second name");
	if (check_free(w, dir, name, name_len, err) < 0
	    || ext4_writer_inode(w, target->inode, &raw, err) < 0)
		return -1;
	if (ext4_raw_links(raw) >= EXT4_LINKS_MAX)
		return error_set(err, ERR_NO_SPACE, "no link left: %s has %u", target->name,
				 ext4_raw_links(raw));
	ext4_raw_set_links(raw, ext4_raw_links(raw) + 1);
	ext4_inode_table_changed(&w->table, target->inode);
	return add_name(w, dir, name, name_len, target->inode, target->type, ret);
}

int ext4_writer_free_inode(struct ext4_writer *w, uint32_t inode, struct error *err)
{
	struct ext4_raw_inode *raw;
	uint32_t mode;

	if (ext4_writer_inode(w, inode, &raw, err) < 0)
		return -1;
	mode = ext4_raw_mode(raw);
	if (ext4_raw_has_extents(raw) || S_ISREG(mode) || S_ISDIR(mode))
		if (ext4_content_drop(w, inode, err) < 0)
			return -1;
	if (ext4_xattrs_drop(w, inode, err) < 0 || ext4_writer_inode(w, inode, &raw, err) < 0)
		return -1;
	memset(raw, 0, sizeof(*raw));
	ext4_inode_table_changed(&w->table, inode);
	return ext4_groups_free_inode(&w->groups, inode, S_ISDIR(mode), err);
}

/* Take a name without anything below it away, and the inode with its last name. */
static int remove_one(struct ext4_writer *w, struct ext4_node *node, struct error *err)
{
	struct ext4_raw_inode *raw;

	if (ext4_writer_inode(w, node->inode, &raw, err) < 0)
		return -1;
	if (!node->dir && ext4_raw_links(raw) > 1) {
		ext4_raw_set_links(raw, ext4_raw_links(raw) - 1);
		ext4_inode_table_changed(&w->table, node->inode);
	} else if (ext4_writer_free_inode(w, node->inode, err) < 0) {
		return -1;
	}
	if (node->dir)
		ext4_writer_dir_forget(w, node);
	ext4_tree_remove(w->tree, node);
	return 0;
}

int ext4_writer_remove(struct ext4_writer *w, struct ext4_node *node, struct error *err)
{
	struct ext4_node *above = node->parent;
	struct ext4_node *at = node;

	if (!above)
		return error_set(err, ERR_INVALID, "the root cannot be removed");
	ext4_writer_dir_changed(w, above);
	while (at != above) {
		struct ext4_node *parent = at->parent;

		if (at->dir && ext4_writer_load_dir(w, at, err) < 0)
			return -1;
		if (at->dir && at->dir->first) {
			at = at->dir->first;
			continue;
		}
		if (remove_one(w, at, err) < 0)
			return -1;
		at = parent;
	}
	return 0;
}

int ext4_writer_set_meta(struct ext4_writer *w, struct ext4_node *node,
			 const struct ext4_meta *meta, struct error *err)
{
	struct ext4_raw_inode *raw, before;

	if (ext4_writer_inode(w, node->inode, &raw, err) < 0)
		return -1;
	before = *raw;
	ext4_raw_set_meta(raw, meta);
	if (memcmp(&before, raw, sizeof(before)) != 0)
		ext4_inode_table_changed(&w->table, node->inode);
	return 0;
}
