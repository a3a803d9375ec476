/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hash index of a directory that is there, read block by block where it is needed. Pure but for
 * a function the caller gives for reading blocks, which may hold anything.
 *
 *   root ──┬─ 0x00000000 ── node ──┬─ 0x00000000 ── leaf     the hash is the lowest below it; odd:
 *          │                       └─ 0x1a2b3c4d ── leaf     the leaf before ends with the same
 *          └─ 0x80000000 ── node ──── ..                     hash (less one), and is to be
 *                                                            looked at first
 *
 * Spec: kernel Documentation/filesystems/ext4/directory.rst.
 */
#pragma once

#include <stdint.h>

#include "pkg/base/cleanup.h"
#include "pkg/base/error.h"
#include "pkg/ext4/directory.h"
#include "pkg/ext4/directory_internal.h"

/* Where the blocks of one directory come from, by their number in it. */
struct ext4_dir_source {
	int (*read)(void *arg, uint32_t logical, uint8_t *ret_block, struct error *err);
	void *arg;
	uint32_t blocks;
	struct ext4_dir_owner owner;
};

/* A block of the index; those below it are read when they are needed, and kept. */
struct dir_node {
	uint32_t block;
	unsigned levels; /* of nodes below it; 0: it leads to leaves */
	size_t n;
	struct dir_child *children;
};

struct dir_child {
	struct dir_pointer at;
	struct dir_node *node; /* NULL for a leaf, or while it was not read */
	/* For editing: blocks that follow it now. Owned. */
	struct dir_pointer *more;
	size_t n_more;
};

struct dir_index {
	const struct ext4_dir_source *source; /* borrowed */
	struct dir_node *root;
	uint8_t *used; /* a bit for each block that was met: there is one way to each */
};

/* The way to a leaf. */
struct dir_path {
	struct dir_node *node[DIR_LEVELS_MAX];
	size_t at[DIR_LEVELS_MAX];
	unsigned depth; /* of the last one */
};

/*
 * Read the root. Returns 0, 1 = no index of our kind (another hash, say): to be read as a list; -1
 * with ERR_INCONSISTENT. Release it whatever is returned.
 */
MUST_CHECK int dir_index_open(const struct ext4_dir_source *source, struct dir_index *ret,
			      struct error *err);
void dir_index_release(struct dir_index *index);

/* The first leaf that may hold a hash. Errors: ERR_INCONSISTENT. */
MUST_CHECK int dir_index_find(struct dir_index *index, uint32_t hash, struct dir_path *ret,
			      struct error *err);

/* The leaf after it, which must be there. */
MUST_CHECK int dir_index_next(struct dir_index *index, struct dir_path *path, struct error *err);

/* Note that a block was met. Errors: ERR_INCONSISTENT (not the first time). */
MUST_CHECK int dir_index_claim(struct dir_index *index, uint32_t block, struct error *err);

static inline struct dir_child *dir_path_leaf(const struct dir_path *path)
{
	return &path->node[path->depth]->children[path->at[path->depth]];
}

/* What the index says of the leaf after it, as {hash, lowest bit}; DIR_HASH_END: it is the last. */
static const uint64_t DIR_HASH_END = UINT64_C(1) << 32;
uint64_t dir_path_end(const struct dir_path *path);

/* Does the leaf after it go on with this hash? */
static inline bool dir_path_continues(const struct dir_path *path, uint32_t hash)
{
	return (dir_path_end(path) & ~UINT64_C(1)) == hash;
}

/* A leaf with its names, in the order they are in. */
struct dir_leaf {
	uint8_t block[EXT4_BLOCK_BYTES];
	struct dir_name *names; /* point into block */
	size_t n;
};

/* Errors: ERR_INCONSISTENT, also for names that belong to another leaf. Release what it was. */
MUST_CHECK int dir_leaf_read(const struct dir_index *index, const struct dir_path *path,
			     struct dir_leaf *ret, struct error *err);
void dir_leaf_release(struct dir_leaf *leaf);
