/* SPDX-License-Identifier: Apache-2.0 */
/*
 * First pass of the strict check: visits every metadata block that a tree reaches, once, and
 * leaves a summary of each subtree. Trusts nothing it reads: pointers are bounded, cycles and
 * depth are cut.
 */
#include "pkg/thin/file/fsck_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "pkg/base/alloc.h"

struct tree {
	const char *name;
	uint32_t value_size;
	void (*leaf)(struct fsck *f, uint32_t node, const uint8_t *block);
};

static void leaf_top(struct fsck *f, uint32_t node, const uint8_t *block);
static void leaf_mapping(struct fsck *f, uint32_t node, const uint8_t *block);
static void leaf_data_index(struct fsck *f, uint32_t node, const uint8_t *block);
static uint32_t visit(struct fsck *f, enum fsck_use use, uint64_t block, uint64_t from,
		      unsigned depth);

static const struct tree trees[FSCK_USES] = {
	[USE_SUPERBLOCK] = {"superblock", 0, NULL},
	[USE_INDEX] = {"index block", 0, NULL},
	[USE_BITMAP] = {"bitmap", 0, NULL},
	[USE_TOP] = {"top level of mappings", 8, leaf_top},
	[USE_MAPPING] = {"mappings", TF_MAPPING_BYTES, leaf_mapping},
	[USE_DETAILS] = {"device details", TF_DEVICE_BYTES, NULL},
	[USE_DATA_INDEX] = {"data bitmap index", TF_INDEX_ENTRY_BYTES, leaf_data_index},
	[USE_METADATA_OVERFLOW] = {"metadata count overflow", TF_OVERFLOW_BYTES, NULL},
	[USE_DATA_OVERFLOW] = {"data count overflow", TF_OVERFLOW_BYTES, NULL},
};

/* ---- reading ---- */

static bool read_raw(struct fsck *f, uint64_t block, uint8_t *ret)
{
	size_t done = 0;

	if (block == 0 && f->superblock) {
		memcpy(ret, f->superblock, TF_BLOCK_BYTES);
		return true;
	}
	while (done < TF_BLOCK_BYTES) {
		off_t at = (off_t)(block * TF_BLOCK_BYTES + done);
		ssize_t n = pread(f->fd, ret + done, TF_BLOCK_BYTES - done, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && !f->failed) {
			f->failed = true;
			error_sys(f->err, "read %s block %" PRIu64, f->path, block);
		}
		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

bool fsck_read(struct fsck *f, enum tf_block_type type, uint64_t block, uint8_t *ret)
{
	uint32_t sum;

	if (!read_raw(f, block, ret)) {
		fsck_report(f, FSCK_METADATA_SHORT, fsck_at_block(block),
			    "cannot be read, the file has %" PRIu64 " bytes", f->file_bytes);
		return false;
	}
	sum = tf_block_checksum(ret, type);
	if (get_le32(ret) != sum) {
		fsck_report(f, FSCK_CHECKSUM, fsck_at_block(block),
			    "checksum %08" PRIx32 ", computed %08" PRIx32, get_le32(ret), sum);
		return false;
	}
	if (tf_block_number(ret) != block)
		fsck_report(f, FSCK_BLOCKNR, fsck_at_block(block), "says it is block %" PRIu64,
			    tf_block_number(ret));
	return true;
}

/* Whether entries can be used at all, wherever the numbers came from. */
static bool node_in_bounds(const uint8_t *node, uint32_t value_size)
{
	uint32_t flags = tf_node_flags(node);
	uint32_t size = flags == TF_NODE_INTERNAL ? 8 : value_size;

	return (flags == TF_NODE_INTERNAL || flags == TF_NODE_LEAF)
	       && tf_node_value_size(node) == size
	       && tf_node_max(node) <= TF_NODE_SPACE / (8 + size)
	       && tf_node_entries(node) <= tf_node_max(node);
}

bool fsck_reread(struct fsck *f, const struct fsck_node *node, uint8_t *block)
{
	/* Someone may be writing to the file: the bounds must hold each time it is read. */
	return read_raw(f, node->block, block) && node_in_bounds(block, trees[node->use].value_size)
	       && (tf_node_flags(block) == TF_NODE_LEAF) == (node->height == 0);
}

/* ---- rules of a single node ---- */

static bool node_header(struct fsck *f, enum fsck_use use, uint64_t nr, const uint8_t *b)
{
	const struct tree *tree = &trees[use];
	uint32_t flags = tf_node_flags(b);
	uint32_t size = flags == TF_NODE_INTERNAL ? 8 : tree->value_size;

	if (!node_in_bounds(b, tree->value_size)) {
		fsck_report(f, FSCK_NODE_HEADER, fsck_at_block(nr),
			    "%s node: flags %" PRIu32 ", %" PRIu32 " of %" PRIu32
			    " entries, values of %" PRIu32 " bytes instead of %" PRIu32,
			    tree->name, flags, tf_node_entries(b), tf_node_max(b),
			    tf_node_value_size(b), size);
		return false;
	}
	if (tf_node_max(b) != tf_node_max_entries(size))
		fsck_report(f, FSCK_NODE_HEADER, fsck_at_block(nr),
			    "%s node: max_entries %" PRIu32 " instead of %" PRIu32, tree->name,
			    tf_node_max(b), tf_node_max_entries(size));
	if (flags == TF_NODE_INTERNAL && tf_node_entries(b) == 0)
		fsck_report(f, FSCK_NODE_HEADER, fsck_at_block(nr), "%s: internal node, 0 entries",
			    tree->name);
	if (get_le32(b + 28))
		fsck_report(f, FSCK_RESERVED, fsck_at_block(nr), "padding %" PRIu32 " instead of 0",
			    get_le32(b + 28));
	return true;
}

static void node_keys(struct fsck *f, uint64_t nr, const uint8_t *b)
{
	for (uint32_t i = 1; i < tf_node_entries(b); i++)
		if (tf_node_key(b, i - 1) >= tf_node_key(b, i))
			fsck_report(f, FSCK_KEY_ORDER, fsck_at_block(nr),
				    "key %" PRIu32 " is %" PRIu64 " after %" PRIu64, i,
				    tf_node_key(b, i), tf_node_key(b, i - 1));
}

/* ---- parent and child ---- */

static void child_fill(struct fsck *f, struct fsck_node *child)
{
	if (!child->underfull || child->underfull_told)
		return;
	child->underfull_told = true;
	fsck_report(f, FSCK_MIN_FILL, fsck_at_block(child->block),
		    "%s node is not the root and has less than a third of its entries",
		    trees[child->use].name);
}

static void child_bounds(struct fsck *f, const uint8_t *b, uint32_t i,
			 const struct fsck_node *child, uint64_t from)
{
	if (!child->entries)
		return;
	if (child->lo < tf_node_key(b, i))
		fsck_report(f, FSCK_KEY_BOUNDS, fsck_at_block(child->block),
			    "holds key %" PRIu64 ", block %" PRIu64 " says from %" PRIu64,
			    child->lo, from, tf_node_key(b, i));
	if (i + 1 < tf_node_entries(b) && child->hi >= tf_node_key(b, i + 1))
		fsck_report(f, FSCK_KEY_BOUNDS, fsck_at_block(child->block),
			    "holds key %" PRIu64 ", block %" PRIu64 " says below %" PRIu64,
			    child->hi, from, tf_node_key(b, i + 1));
}

static void summary_add(struct fsck_node *node, const struct fsck_node *child)
{
	if (child->entries && (!node->entries || child->lo < node->lo))
		node->lo = child->lo;
	if (child->entries && (!node->entries || child->hi > node->hi))
		node->hi = child->hi;
	/* Damaged trees can reach a node often enough to overflow; no sound one comes near. */
	if (__builtin_add_overflow(node->entries, child->entries, &node->entries))
		node->entries = UINT64_MAX;
	if (child->newest > node->newest)
		node->newest = child->newest;
	node->sound = node->sound && child->sound;
}

static void visit_children(struct fsck *f, uint32_t self, const uint8_t *b, unsigned depth)
{
	uint64_t from = f->nodes[self].block;
	enum fsck_use use = f->nodes[self].use;

	f->nodes[self].height = 1;
	for (uint32_t i = 0; i < tf_node_entries(b); i++) {
		uint32_t below = visit(f, use, tf_node_value64(b, i), from, depth + 1);
		struct fsck_node *node = &f->nodes[self], *child = &f->nodes[below];

		if (!below) {
			node->sound = false;
			continue;
		}
		child_fill(f, child);
		child_bounds(f, b, i, child, from);
		if (child->readable && i > 0 && child->height + 1 != node->height)
			fsck_report(f, FSCK_DEPTH, fsck_at_block(child->block),
				    "%u levels below it, its siblings have %u",
				    (unsigned)child->height, node->height - 1u);
		if (child->readable && child->height >= node->height)
			node->height = (uint8_t)(child->height + 1);
		summary_add(node, child);
	}
}

/* ---- leaves ---- */

static void visit_leaf(struct fsck *f, uint32_t self, const uint8_t *b)
{
	struct fsck_node *node = &f->nodes[self];
	uint32_t n = tf_node_entries(b);

	node->entries = n;
	if (n) {
		node->lo = tf_node_key(b, 0);
		node->hi = tf_node_key(b, n - 1);
	}
	if (trees[node->use].leaf)
		trees[node->use].leaf(f, self, b);
}

static void leaf_top(struct fsck *f, uint32_t self, const uint8_t *b)
{
	uint64_t from = f->nodes[self].block;

	for (uint32_t i = 0; i < tf_node_entries(b); i++) {
		if (tf_node_key(b, i) > THIN_FSCK_ID_MAX)
			fsck_report(f, FSCK_DEVICE_ID, fsck_at_block(from),
				    "thin device %" PRIu64 ", the format ends at %u",
				    tf_node_key(b, i), THIN_FSCK_ID_MAX);
		visit(f, USE_MAPPING, tf_node_value64(b, i), from, 0);
	}
}

/* The first virtual block that no device can have: a size in bytes must fit the kernel's loff_t. */
static uint64_t virtual_end(const struct fsck *f)
{
	uint64_t block_bytes = (uint64_t)f->sb.data_block_sectors * TF_SECTOR_BYTES;

	return block_bytes ? INT64_MAX / block_bytes : 0;
}

static void leaf_mapping(struct fsck *f, uint32_t self, const uint8_t *b)
{
	struct fsck_node *node = &f->nodes[self];

	if (node->entries && node->hi >= virtual_end(f))
		fsck_report(f, FSCK_KEY_BOUNDS, fsck_at_block(node->block),
			    "maps virtual block %" PRIu64 ", a device can have %" PRIu64, node->hi,
			    virtual_end(f));
	for (uint32_t i = 0; i < tf_node_entries(b); i++) {
		uint64_t value = tf_node_value64(b, i), block = tf_mapping_block(value);
		uint32_t *count = fsck_data_count(f, block);

		if (tf_mapping_time(value) > node->newest)
			node->newest = tf_mapping_time(value);
		if (block >= f->data.root.nr_blocks)
			fsck_report(f, FSCK_DATA_RANGE,
				    fsck_at("metadata block %" PRIu64 " key %" PRIu64, node->block,
					    tf_node_key(b, i)),
				    "data block %" PRIu64 " of %" PRIu64, block,
				    f->data.root.nr_blocks);
		if (count)
			++*count;
	}
}

static void leaf_data_index(struct fsck *f, uint32_t self, const uint8_t *b)
{
	uint64_t from = f->nodes[self].block;

	for (uint32_t i = 0; i < tf_node_entries(b); i++) {
		struct tf_index_entry e;
		uint64_t key = tf_node_key(b, i);
		struct fsck_bitmap *bitmap;
		uint32_t node;

		tf_index_entry_unpack(tf_node_value_const(b, i), &e);
		node = visit(f, USE_BITMAP, e.bitmap, from, 0);
		if (key >= f->data.nr_bitmaps) {
			fsck_report(f, FSCK_UNUSED_INDEX, fsck_at_block(from),
				    "data bitmap %" PRIu64 " of %" PRIu64, key, f->data.nr_bitmaps);
			continue;
		}
		bitmap = &f->data.bitmaps[key];
		if (bitmap->present)
			continue; /* the same key again has been told of */
		bitmap->index = e;
		bitmap->present = true;
		bitmap->usable = node && f->nodes[node].sound;
	}
}

/* ---- visiting ---- */

static void check_node(struct fsck *f, uint32_t self, unsigned depth)
{
	enum fsck_use use = f->nodes[self].use;
	uint64_t block = f->nodes[self].block;
	uint8_t b[TF_BLOCK_BYTES];

	if (!fsck_read(f, TF_NODE, block, b) || !node_header(f, use, block, b))
		return;
	f->nodes[self].sound = f->nodes[self].readable = true;
	f->nodes[self].underfull = tf_node_entries(b) < tf_node_max(b) / 3;
	node_keys(f, block, b);
	if (tf_node_flags(b) == TF_NODE_INTERNAL)
		visit_children(f, self, b, depth);
	else
		visit_leaf(f, self, b);
}

static void check_bitmap(struct fsck *f, uint32_t self)
{
	uint64_t block = f->nodes[self].block;
	uint8_t b[TF_BLOCK_BYTES];

	if (!fsck_read(f, TF_BITMAP, block, b))
		return;
	f->nodes[self].sound = f->nodes[self].readable = true;
	if (get_le32(b + 4))
		fsck_report(f, FSCK_RESERVED, fsck_at_block(block),
			    "bitmap: unused field %" PRIu32 " instead of 0", get_le32(b + 4));
}

/* Superblocks and the index block have one reader each, who looks at the content itself. */
static void check_block(struct fsck *f, uint32_t self, unsigned depth)
{
	enum fsck_use use = f->nodes[self].use;

	if (use == USE_BITMAP)
		check_bitmap(f, self);
	else if (use == USE_SUPERBLOCK || use == USE_INDEX)
		f->nodes[self].sound = f->nodes[self].readable = true;
	else
		check_node(f, self, depth);
}

static void mark_lost(struct fsck *f, enum fsck_use use)
{
	f->metadata.lost = true;
	if (use == USE_TOP || use == USE_MAPPING)
		f->data.lost = true;
}

/* Nodes of trees may have several parents. */
static bool can_be_shared(enum fsck_use use)
{
	return use != USE_SUPERBLOCK && use != USE_INDEX && use != USE_BITMAP;
}

static uint32_t visit_again(struct fsck *f, enum fsck_use use, uint32_t node, uint64_t from)
{
	const struct fsck_node *n = &f->nodes[node];

	if (n->use != use || !can_be_shared(use)) {
		fsck_report(f, FSCK_USED_TWICE, fsck_at_block(n->block),
			    "is %s and, from block %" PRIu64 ", %s", trees[n->use].name, from,
			    trees[use].name);
	} else if (n->open) {
		fsck_report(f, FSCK_CYCLE, fsck_at_block(n->block),
			    "%s: block %" PRIu64 " below points back to it", trees[use].name, from);
	} else {
		return node;
	}
	mark_lost(f, use);
	return 0;
}

static uint32_t new_node(struct fsck *f, enum fsck_use use, uint64_t block)
{
	ALLOC_GROW(f->nodes, f->nr_nodes + 1, f->nodes_room);
	f->nodes[f->nr_nodes] = (struct fsck_node){.block = block, .use = use, .open = true};
	f->blocks[block].node = (uint32_t)f->nr_nodes;
	return (uint32_t)f->nr_nodes++;
}

static void report_depth(struct fsck *f, enum fsck_use use, uint64_t block, unsigned levels)
{
	fsck_report(f, FSCK_DEPTH, fsck_at_block(block),
		    "%s: deeper than %u levels, no pool has more than 6", trees[use].name, levels);
}

static void close_node(struct fsck *f, struct fsck_node *node)
{
	node->open = false;
	if (node->height > FSCK_DEPTH_MAX) {
		report_depth(f, node->use, node->block, node->height);
		node->readable = node->sound = false;
	}
	if (!node->readable)
		mark_lost(f, node->use);
}

static uint32_t visit(struct fsck *f, enum fsck_use use, uint64_t block, uint64_t from,
		      unsigned depth)
{
	uint32_t node;

	if (block >= f->nr_blocks) {
		fsck_report(f, FSCK_METADATA_RANGE, fsck_at_block(from),
			    "%s in metadata block %" PRIu64 " of %" PRIu64, trees[use].name, block,
			    f->nr_blocks);
		mark_lost(f, use);
		return 0;
	}
	f->blocks[block].refs++;
	if (f->blocks[block].node)
		return visit_again(f, use, f->blocks[block].node, from);
	if (depth >= FSCK_DEPTH_MAX) {
		report_depth(f, use, block, depth);
		mark_lost(f, use);
		return 0;
	}
	node = new_node(f, use, block);
	check_block(f, node, depth);
	close_node(f, &f->nodes[node]);
	return node;
}

uint32_t fsck_visit(struct fsck *f, enum fsck_use use, uint64_t block, uint64_t from)
{
	return visit(f, use, block, from, 0);
}

struct fsck_node *fsck_node_of(struct fsck *f, enum fsck_use use, uint64_t block)
{
	struct fsck_node *node;

	if (block >= f->nr_blocks || !f->blocks[block].node)
		return NULL;
	node = &f->nodes[f->blocks[block].node];
	return node->use == use && node->readable ? node : NULL;
}

/* ---- entries, once the tree is known ---- */

static void each(struct fsck *f, struct fsck_node *node, unsigned walk,
		 void (*fn)(struct fsck *f, uint64_t key, const uint8_t *value, void *arg),
		 void *arg)
{
	uint8_t b[TF_BLOCK_BYTES];

	if (node->walked & walk || !fsck_reread(f, node, b))
		return;
	node->walked = (uint8_t)(node->walked | walk);
	for (uint32_t i = 0; i < tf_node_entries(b); i++) {
		struct fsck_node *child;

		if (!node->height) {
			fn(f, tf_node_key(b, i), tf_node_value_const(b, i), arg);
			continue;
		}
		child = fsck_node_of(f, node->use, tf_node_value64(b, i));
		if (child && child->height < node->height)
			each(f, child, walk, fn, arg);
	}
}

void fsck_each(struct fsck *f, enum fsck_use use, uint64_t root, unsigned walk,
	       void (*fn)(struct fsck *f, uint64_t key, const uint8_t *value, void *arg), void *arg)
{
	struct fsck_node *node = fsck_node_of(f, use, root);

	if (node)
		each(f, node, walk, fn, arg);
}
