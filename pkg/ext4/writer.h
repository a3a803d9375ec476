/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Edits an ext4 on a thin volume without mounting it: fills an empty one, or a snapshot of a
 * committed layer. Works on names already split into components; path rules (links, whiteouts)
 * are the caller's.
 *
 *   ext4_tree     names -> inodes, as far as they were looked for: a cache that outlives one
 *                 writer and is handed from layer to layer
 *   ext4_node     one name in it; several nodes may share an inode (hard links)
 *   ext4_writer   one editing session: inode table, bitmaps, directories, data runs in memory,
 *                 written once by ext4_writer_finish()
 *
 * Placement depends only on what is on disk and on the calls made: never on the cache, a clock,
 * a random number or the pool's block size. New things go to 64 KiB chunks that are wholly free
 * on disk, so that editing a snapshot copies few shared pool blocks.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pkg/base/cleanup.h"
#include "pkg/base/error.h"
#include "pkg/ext4/inode.h"
#include "pkg/thin/volume.h"

struct ext4_tree;
struct ext4_node;
struct ext4_writer;

struct ext4_tree *ext4_tree_new(void);
void ext4_tree_free(struct ext4_tree *tree);
DEFINE_CLEANUP(struct ext4_tree *, ext4_tree_free);

/*
 * Start editing.
 * @volume: borrowed, writable, must outlive the writer.
 * @tree: what is known of this very content: fresh from ext4_tree_new(), or left by the writer
 *        that finished the parent of this snapshot. Borrowed; after ext4_writer_abort() it must
 *        only be freed.
 * @uuid: 16 bytes, becomes s_uuid.
 *
 * Errors: ERR_INCONSISTENT (not one of our file systems, or damaged).
 */
MUST_CHECK int ext4_writer_open(struct thin_volume *volume, struct ext4_tree *tree,
				const uint8_t *uuid, struct ext4_writer **ret, struct error *err);

struct ext4_node *ext4_writer_root(struct ext4_writer *w);

/* --- looking ---------------------------------------------------------------------------------- */

/* Find a name in a directory. *ret is NULL when there is none. Errors: ERR_INCONSISTENT. */
MUST_CHECK int ext4_writer_lookup(struct ext4_writer *w, struct ext4_node *dir, const char *name,
				  size_t name_len, struct ext4_node **ret, struct error *err);

/*
 * All names of a directory but . and .., as an owned array of borrowed nodes, in no special order.
 */
MUST_CHECK int ext4_writer_list(struct ext4_writer *w, struct ext4_node *dir,
				struct ext4_node ***ret, size_t *ret_n, struct error *err);

struct ext4_node *ext4_node_parent(const struct ext4_node *node); /* NULL for the root */
const char *ext4_node_name(const struct ext4_node *node, size_t *ret_len);
uint32_t ext4_node_inode(const struct ext4_node *node);

/* Type and permission bits, as st_mode. */
MUST_CHECK int ext4_writer_mode(struct ext4_writer *w, struct ext4_node *node, uint32_t *ret,
				struct error *err);

/* Target of a symlink, owned, terminated (it holds no NUL). */
MUST_CHECK int ext4_writer_readlink(struct ext4_writer *w, struct ext4_node *node, char **ret,
				    struct error *err);

/*
 * A small number the caller keeps with a name during one session; 0 for all names that were there
 * when the session started and were not marked since.
 */
unsigned ext4_node_mark(const struct ext4_writer *w, const struct ext4_node *node);
void ext4_node_set_mark(struct ext4_writer *w, struct ext4_node *node, unsigned mark);

/* --- changing: no call changes the times of a parent directory -------------------------------- */

/*
 * Make a directory, empty regular file, device, FIFO or socket, by the type bits of meta->mode.
 * The name must be free, 1 to 255 bytes, without '/' and NUL, not . or ..
 * Errors: ERR_INVALID (the name), ERR_NO_SPACE (inodes, blocks; says which).
 */
MUST_CHECK int ext4_writer_make(struct ext4_writer *w, struct ext4_node *dir, const char *name,
				size_t name_len, const struct ext4_meta *meta,
				struct ext4_node **ret, struct error *err);

/* Make a symlink: 1 to 4095 bytes, stored verbatim. */
MUST_CHECK int ext4_writer_symlink(struct ext4_writer *w, struct ext4_node *dir, const char *name,
				   size_t name_len, const char *target, size_t target_len,
				   const struct ext4_meta *meta, struct ext4_node **ret,
				   struct error *err);

/* One more name for the inode of target (not a directory). Errors: ERR_INVALID (directory),
 * ERR_NO_SPACE (65,000 links). */
MUST_CHECK int ext4_writer_link(struct ext4_writer *w, struct ext4_node *dir, const char *name,
				size_t name_len, struct ext4_node *target, struct ext4_node **ret,
				struct error *err);

/* Remove a name with all below it; inodes without a name left are freed. The node is gone.
 * Iterative. */
MUST_CHECK int ext4_writer_remove(struct ext4_writer *w, struct ext4_node *node, struct error *err);

/*
 * Replace permission bits, owner and times; the type bits of meta->mode and rdev are not looked at.
 */
MUST_CHECK int ext4_writer_set_meta(struct ext4_writer *w, struct ext4_node *node,
				    const struct ext4_meta *meta, struct error *err);

/*
 * Replace all xattrs of an inode. In the inode if they fit, else in a block, large values in an
 * ea_inode. Errors: ERR_UNSUPPORTED (a name space ext4 has no index for), ERR_NO_SPACE (a value
 * above 65,536 bytes, or more than fit), both naming the attribute.
 */
MUST_CHECK int ext4_writer_set_xattrs(struct ext4_writer *w, struct ext4_node *node,
				      const struct ext4_xattr *xattrs, size_t n, struct error *err);

/*
 * Content of a regular file just made: data at ascending offsets, gaps become holes (so do no
 * zeros that are given as data), then the final size. One file at a time.
 */
MUST_CHECK int ext4_writer_data(struct ext4_writer *w, struct ext4_node *file, const void *data,
				size_t len, uint64_t offset, struct error *err);
MUST_CHECK int ext4_writer_data_end(struct ext4_writer *w, struct ext4_node *file,
				    uint64_t size_bytes, struct error *err);

/*
 * Write everything that is still in memory to the volume; empties *w. Durability is the pool's
 * commit. After an error the volume must be thrown away.
 */
MUST_CHECK int ext4_writer_finish(struct ext4_writer **w, struct error *err);

/* End without writing the rest; the volume must be thrown away. */
void ext4_writer_abort(struct ext4_writer *w);
DEFINE_CLEANUP(struct ext4_writer *, ext4_writer_abort);
