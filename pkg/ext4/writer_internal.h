/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts of one editing session.
 *
 *   writer.c         the public calls: names and inodes, start and end
 *   writer_dir.c     directories: names read when they are first looked for
 *   writer_dir_put.c directories: changes written once at the end
 *   writer_data.c    content of regular files, as a stream
 *   writer_xattr.c   extended attributes
 *   writer_content.c blocks of an inode: taking, writing, giving back
 *   nodes.c          names        inode_table.c  inodes
 *   groups*.c        what is free block_store.c  blocks of the volume
 */
#pragma once

#include <ext2fs/ext2fs.h>

#include "pkg/ext4/block_store.h"
#include "pkg/ext4/checksum.h"
#include "pkg/ext4/directory_index.h"
#include "pkg/ext4/extents.h"
#include "pkg/ext4/groups.h"
#include "pkg/ext4/inode_table.h"
#include "pkg/ext4/nodes.h"
#include "pkg/ext4/raw_inode.h"
#include "pkg/ext4/writer.h"

/* Extents that are being collected, ascending. */
struct extent_list {
	struct ext4_extent *items;
	size_t n, room;
};

/* The regular file whose content comes in. */
struct file_stream {
	uint32_t inode; /* 0: none */
	uint64_t end;	/* of the data given so far */
	struct extent_list extents;
	uint64_t partial; /* number of the block that is being put together */
	uint32_t filled;  /* bytes of it, 0: none */
	uint8_t *block;
};

struct ext4_writer {
	struct thin_volume *volume;
	ext2_filsys fs;
	struct block_store store;
	struct ext4_groups groups;
	struct ext4_inode_table table;
	struct ext4_tree *tree;
	uint8_t uuid[16];
	struct file_stream file;
	struct ext4_node **changed; /* directories to be written; NULL where one went away */
	size_t n_changed, changed_room;
	struct ext4_dir_view *view; /* of the directory last looked into by its index, or NULL */
};

/* --- content -------------------------------------------------------------------------------------
 */

void extent_list_add(struct extent_list *list, uint32_t logical, uint64_t physical, uint32_t len);
void extent_list_release(struct extent_list *list);

/* ext4_inode_seed() of an inode. */
uint32_t ext4_writer_seed(const struct ext4_writer *w, uint32_t inode,
			  const struct ext4_raw_inode *raw);

/* Take n blocks from a logical block on and write data to them. */
MUST_CHECK int ext4_content_append(struct ext4_writer *w, struct extent_list *list,
				   uint32_t logical, size_t n, const uint8_t *data,
				   struct error *err);

/* What an inode maps, and the blocks of its tree; all owned by the caller. */
struct content_map {
	struct ext4_extent *extents;
	size_t n;
	uint64_t *tree;
	size_t tree_n;
};
MUST_CHECK int ext4_content_load(struct ext4_writer *w, uint32_t inode, struct content_map *ret,
				 struct error *err);
void content_map_release(struct content_map *map);

uint64_t ext4_extents_count(const struct ext4_extent *extents, size_t n); /* blocks */

/* Make extents the content of an inode that had none, and count their blocks. */
MUST_CHECK int ext4_content_attach(struct ext4_writer *w, uint32_t inode,
				   const struct extent_list *list, struct error *err);

/* Give all blocks back that an inode maps; it has no content then. */
MUST_CHECK int ext4_content_drop(struct ext4_writer *w, uint32_t inode, struct error *err);

/* Keep only the first blocks of what an inode maps, and more than none; the map is cut, too. */
MUST_CHECK int ext4_content_shorten(struct ext4_writer *w, uint32_t inode, struct content_map *map,
				    uint64_t blocks, struct error *err);

/* Take n blocks more for an inode and write data to them. The map is what it has; its size stays. */
MUST_CHECK int ext4_content_extend(struct ext4_writer *w, uint32_t inode,
				   const struct content_map *map, size_t n, const uint8_t *data,
				   struct error *err);

/* Bytes as the whole content of an inode that had none; sets its size. */
MUST_CHECK int ext4_content_put(struct ext4_writer *w, uint32_t inode, const void *data, size_t len,
				struct error *err);

/* --- inodes --------------------------------------------------------------------------------------
 */

MUST_CHECK int ext4_writer_inode(struct ext4_writer *w, uint32_t inode, struct ext4_raw_inode **ret,
				 struct error *err);

/* Free an inode with content and xattrs. */
MUST_CHECK int ext4_writer_free_inode(struct ext4_writer *w, uint32_t inode, struct error *err);

/* Free the xattr block and ea_inodes of an inode, not its xattrs in the inode itself. */
MUST_CHECK int ext4_xattrs_drop(struct ext4_writer *w, uint32_t inode, struct error *err);

/* --- directories ---------------------------------------------------------------------------------
 */

/* Bring all names of a directory into the tree. Errors: ERR_INVALID (not a directory). */
MUST_CHECK int ext4_writer_load_dir(struct ext4_writer *w, struct ext4_node *dir,
				    struct error *err);

/* The blocks of a directory on disk. */
struct ext4_dir_view {
	struct ext4_writer *w;
	uint32_t inode;
	bool indexed;		       /* says its inode */
	struct content_map map;	       /* without gaps, as long as the size */
	struct ext4_dir_source source; /* of those blocks */
	struct dir_index index;
};

/* Errors: ERR_INVALID (not a directory), ERR_INCONSISTENT. The index is not opened. */
MUST_CHECK int ext4_dir_view_open(struct ext4_writer *w, const struct ext4_node *dir,
				  struct ext4_dir_view **ret, struct error *err);
void ext4_dir_view_close(struct ext4_dir_view *view);

/* Where on the volume a block of the directory is. */
uint64_t ext4_dir_view_physical(const struct ext4_dir_view *view, uint32_t logical);

/* All but the seed of checksums. */
struct ext4_dir_owner ext4_dir_owner_of(const struct ext4_writer *w, const struct ext4_node *dir);
DEFINE_CLEANUP(struct ext4_dir_view *, ext4_dir_view_close);

/* Forget w->view. */
void ext4_dir_view_drop(struct ext4_writer *w);

void ext4_writer_dir_changed(struct ext4_writer *w, struct ext4_node *dir);
/* A directory goes away: it will not be written. */
void ext4_writer_dir_forget(struct ext4_writer *w, struct ext4_node *dir);
MUST_CHECK int ext4_writer_flush_dirs(struct ext4_writer *w, struct error *err);

/* --- data ----------------------------------------------------------------------------------------
 */

void file_stream_release(struct file_stream *f);
