/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The names of one file system and the inodes behind them, in memory. Knows nothing of a disk:
 * the writer brings names in when they are first looked for, and tells of every change. Of a large
 * directory there may be some names only: all those whose hashes are in `known`. It does not
 * matter in which block a name is, so this stays true when blocks are parted.
 *
 *   tree ── root ─┬─ node "etc" ── dir ─┬─ node "passwd"     one hash for all names, keyed by
 *                 └─ node "bin"         └─ node "group"      directory and name
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pkg/ext4/directory.h"
#include "pkg/ext4/hash_ranges.h"
#include "pkg/ext4/writer.h"

/* What only directories have. */
struct ext4_node_dir {
	struct ext4_node *first;
	struct ext4_node *removed; /* names on disk that are no more, by `next`; in no bucket */
	size_t entries;		   /* names that are here, but . and .. */
	size_t subdirs;		   /* among them */
	size_t changed_at; /* 1 + place in the writer's list of changed directories, 0 = not in it
			    */
	bool loaded;	   /* all names are here */
	struct hash_ranges known; /* unless loaded: all names with these hashes are here */
};

struct ext4_node {
	struct ext4_node *parent; /* NULL for the root */
	struct ext4_node *next, *prev;
	struct ext4_node *hash_next;
	struct ext4_node_dir *dir; /* NULL unless a directory */
	uint32_t inode;
	uint32_t hash;
	uint32_t mark, mark_session;
	uint8_t type; /* enum ext4_dir_type */
	bool made;    /* by this session: not on disk */
	uint8_t name_len;
	char name[]; /* terminated */
};

struct ext4_tree {
	struct ext4_node *root; /* NULL until the first writer opens */
	struct ext4_node **buckets;
	size_t n_buckets; /* a power of two */
	size_t n_nodes;
	uint64_t key[2];
	uint32_t session; /* counts the writers that used this tree */
};

/* Add a name that is not there yet. @dir: NULL makes the root. */
struct ext4_node *ext4_tree_add(struct ext4_tree *tree, struct ext4_node *dir, const char *name,
				size_t name_len, uint32_t inode, uint8_t type);

/* NULL when there is no such name among those in memory. */
struct ext4_node *ext4_tree_find(const struct ext4_tree *tree, const struct ext4_node *dir,
				 const char *name, size_t name_len);

/* Where a node is, as "/a/b", owned. */
char *ext4_node_path(const struct ext4_node *node);

/* Take a name away; a directory must be empty. Its directory keeps it as removed if it is on disk.
 */
void ext4_tree_remove(struct ext4_tree *tree, struct ext4_node *node);

/* What is here of a directory is on disk now: no name is made or removed. */
void ext4_tree_settle(struct ext4_node *dir);

/* All names of a directory are here. */
void ext4_tree_loaded(struct ext4_node *dir);
