/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inode table, cached by blocks: read when first needed, checked, written once at the end (or
 * earlier if very many inodes are made).
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "pkg/base/error.h"
#include "pkg/ext4/groups.h"
#include "pkg/ext4/raw_inode.h"

struct ext4_table_block;

struct ext4_inode_table {
	struct ext4_groups *groups; /* borrowed */
	struct ext4_table_block **slots;
	size_t n_slots; /* a power of two */
	size_t n_blocks, max_blocks;
	struct ext4_table_block *last; /* used */
	uint8_t **written; /* for each group: blocks written by us, so no longer empty */
};

void ext4_inode_table_init(struct ext4_inode_table *t, struct ext4_groups *groups);
void ext4_inode_table_release(struct ext4_inode_table *t);

/*
 * An inode that is in use. The pointer is good until the next call for another inode.
 * Errors: ERR_INCONSISTENT (number, checksum, not in use).
 */
MUST_CHECK int ext4_inode_table_get(struct ext4_inode_table *t, uint32_t inode,
				    struct ext4_raw_inode **ret, struct error *err);

/* One that was just taken: zeros, to be filled, counted as changed. */
MUST_CHECK int ext4_inode_table_make(struct ext4_inode_table *t, uint32_t inode,
				     struct ext4_raw_inode **ret, struct error *err);

/* The inode last asked for was changed. */
void ext4_inode_table_changed(struct ext4_inode_table *t, uint32_t inode);

/* Write what changed. */
MUST_CHECK int ext4_inode_table_flush(struct ext4_inode_table *t, struct error *err);
