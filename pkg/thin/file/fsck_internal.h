/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of the strict check. Passes, in this order:
 *
 *   fsck.c         superblock, then the others; findings
 *   fsck_block.c   every reachable block once: checksum, node rules, summary of what is below it
 *   fsck_device.c  what the trees say of the devices: id sets, details, times, metadata snapshot
 *   fsck_share.c   blocks that two mappings reach against their times
 *   fsck_space.c   both space maps against the counts of the passes before
 *
 * The trees of the devices come first, the space maps last: what is wrong with the latter can be
 * computed anew from the former, so the same fault is repairable in one place and not in the other.
 *
 * A subtree shared by any number of devices is visited once; its summary answers for it after
 * that. Memory is bounded by the file: 8 bytes for each of its blocks, one summary for each block
 * reached, and 4 bytes for each data block of the groups of 16320 that are mapped in part.
 */
#pragma once

#include "pkg/thin/file/format.h"
#include "pkg/thin/file/fsck.h"

enum fsck_kind {
	FSCK_METADATA_SHORT,
	FSCK_METADATA_LONG,
	FSCK_DATA_SHORT,
	FSCK_DATA_LONG,
	FSCK_SUPERBLOCK,
	FSCK_FEATURES,
	FSCK_NEEDS_CHECK,
	FSCK_METADATA_NR_BLOCKS,
	FSCK_CHECKSUM,
	FSCK_BLOCKNR,
	FSCK_RESERVED,
	FSCK_NODE_HEADER,
	FSCK_KEY_ORDER,
	FSCK_KEY_BOUNDS,
	FSCK_DEPTH,
	FSCK_MIN_FILL,
	FSCK_CYCLE,
	FSCK_USED_TWICE,
	FSCK_METADATA_RANGE,
	FSCK_DATA_RANGE,
	FSCK_DEVICE_ID,
	FSCK_DETAILS_MISSING,
	FSCK_MAPPING_MISSING,
	FSCK_MAPPED_BLOCKS,
	FSCK_TIME,
	FSCK_TRANSACTION_ID,
	FSCK_HELD_ROOT,
	FSCK_SHARED_TIME,
	FSCK_SPACE_MAP_SIZE,
	FSCK_BITMAP_MISSING,
	FSCK_UNUSED_INDEX,
	FSCK_METADATA_REFCOUNT,
	FSCK_DATA_REFCOUNT,
	FSCK_OVERFLOW,
	FSCK_BITS_PAST_END,
	FSCK_NR_ALLOCATED,
	FSCK_NR_FREE,
	FSCK_NONE_FREE_BEFORE,
	FSCK_KINDS,
};

/* What a metadata block is for; one block serves one purpose. */
enum fsck_use {
	USE_SUPERBLOCK,
	USE_INDEX,
	USE_BITMAP,
	USE_TOP,     /* device -> root of its mappings */
	USE_MAPPING, /* virtual block -> data block, time */
	USE_DETAILS,
	USE_DATA_INDEX,
	USE_METADATA_OVERFLOW,
	USE_DATA_OVERFLOW,
	FSCK_USES,
};

/* Summary of one block and all below it. */
struct fsck_node {
	uint64_t block;
	uint64_t lo, hi;  /* first and last key below, when there are entries */
	uint64_t entries; /* leaf entries below */
	uint32_t newest;  /* latest mapping time below */
	enum fsck_use use;
	uint8_t height; /* 0 = leaf */
	uint8_t walked; /* one bit for each fsck_each() that has been here */
	bool open;	/* on the path being walked: meeting it again is a cycle */
	bool sound;	/* it and everything below could be read */
	bool readable;	/* its own entries can be used */
	bool underfull, underfull_told;

	/* fsck_share.c: by how many of the live devices it is reached (2 = or more), and which of
	 * them was snapshotted first */
	uint8_t reach;
	uint32_t snapshotted, thin;
};

struct fsck_block {
	uint32_t refs; /* edges counted so far */
	uint32_t node; /* its summary in nodes[], 0 = not reached */
};

struct fsck_bitmap {
	struct tf_index_entry index;
	bool present;	  /* has an index entry */
	bool usable;	  /* and a sound bitmap of its own */
	uint8_t *stored;  /* metadata space map: what the bitmap says, NULL = not usable */
	uint32_t *counts; /* data space map: what the trees say, NULL = none; FSCK_COUNT_MASK */
};

/* One space map: what is stored of it. */
struct fsck_space {
	const char *name; /* "metadata", "data" */
	enum fsck_kind refcount;
	enum fsck_use overflow;
	struct tf_sm_root root;
	uint64_t nr_bitmaps; /* as many as the metadata could hold at most */
	struct fsck_bitmap *bitmaps;
	bool lost; /* parts of the trees could not be read: counts are lower bounds */
};

struct fsck {
	int fd;
	const char *path;
	struct thin_findings *findings;
	struct error *err;
	bool failed; /* the file could not be read, *err says why */

	/* To check what is not on the disk yet: this superblock, files of these sizes. */
	const uint8_t *superblock; /* NULL = block 0 of the file */
	uint64_t file_bytes, data_bytes;
	bool data_known;     /* the size of the data file */
	bool in_maps;	     /* looking at the space maps, no longer at the trees */
	bool hidden_sharing; /* there are findings of FSCK_SHARED_TIME */
	uint32_t *tree_refs; /* of each block, without those from the space maps; for repair */
	uint64_t nr_blocks;  /* blocks that are both in the file and in the space map */
	struct tf_superblock sb;
	struct fsck_block *blocks;
	struct fsck_node *nodes; /* [0] is not used */
	size_t nr_nodes, nodes_room;
	struct fsck_space metadata, data;
};

enum { FSCK_DEPTH_MAX = 16, THIN_FSCK_ID_MAX = 0xffffff };

/* The two upper bits of a data block's counter belong to fsck_share.c. A count cannot reach them:
 * there are at most 252 * TF_METADATA_BLOCKS_MAX < 2^30 mappings. */
#define FSCK_COUNT_MASK UINT32_C(0x3fffffff)

struct fsck_place {
	char text[96];
};

struct fsck_place fsck_at(const char *fmt, ...) PRINTF_LIKE(1, 2);
struct fsck_place fsck_at_block(uint64_t block);
void fsck_report(struct fsck *f, enum fsck_kind kind, struct fsck_place where, const char *fmt, ...)
	PRINTF_LIKE(4, 5);

/* The counter of a data block, NULL when it is outside of what the space map describes. Takes the
 * memory for its group when there is none yet. */
uint32_t *fsck_data_count(struct fsck *f, uint64_t block);

/*
 * Follow one reference to a metadata block: count it; the first time also read and check the block
 * and everything below. Returns the number of its summary, 0 when there is none.
 * @from: the block that holds the reference, for the finding.
 */
uint32_t fsck_visit(struct fsck *f, enum fsck_use use, uint64_t block, uint64_t from);

/* The summary of a block that was visited for this use, or NULL. */
struct fsck_node *fsck_node_of(struct fsck *f, enum fsck_use use, uint64_t block);

/* Read a block again whose entries were found readable. False: no longer. */
bool fsck_reread(struct fsck *f, const struct fsck_node *node, uint8_t *block);

/* Read a block of a given type with checksum and number; reports what is wrong. */
bool fsck_read(struct fsck *f, enum tf_block_type type, uint64_t block, uint8_t *ret);

/* Call fn for each leaf entry of a visited tree, each node once for each @walk bit. */
void fsck_each(struct fsck *f, enum fsck_use use, uint64_t root, unsigned walk,
	       void (*fn)(struct fsck *f, uint64_t key, const uint8_t *value, void *arg),
	       void *arg);
enum { FSCK_WALK_LIVE = 1, FSCK_WALK_HELD = 2 };

/*
 * All of it, into f->findings; the caller has filled in the first fields, up to tree_refs. End it
 * with fsck_release(), also after an error. False: the file could not be read, *f->err says why.
 */
MUST_CHECK bool fsck_run(struct fsck *f);
void fsck_release(struct fsck *f);

/* How many blocks both maps describe, nothing read yet; then what is stored of them. */
void fsck_space_init(struct fsck *f);
void fsck_space_visit(struct fsck *f);
void fsck_space_check(struct fsck *f, struct fsck_space *space);
void fsck_devices(struct fsck *f);
void fsck_share(struct fsck *f);
