/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Extent trees. Writing packs them densely, since files of a layer do not grow; reading trusts
 * nothing but the function that reads blocks.
 */
#include "pkg/ext4/extents.h"

#include <assert.h>
#include <endian.h>
#include <ext2fs/ext2fs.h>
#include <ext2fs/ext3_extents.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "pkg/base/alloc.h"
#include "pkg/base/bytes.h"
#include "pkg/ext4/checksum.h"

enum {
	HEADER_BYTES = 12,
	ENTRY_BYTES = 12, /* extents and pointers alike */
	ROOT_ENTRIES = (EXT4_IBLOCK_BYTES - HEADER_BYTES) / ENTRY_BYTES,
	BLOCK_ENTRIES = (EXT4_BLOCK_BYTES - HEADER_BYTES) / ENTRY_BYTES,
	DEPTH_MAX = 5,
	DIRECT_BLOCKS = 12, /* of the 15 numbers in an inode without extents */
	DIRECT_BYTES = DIRECT_BLOCKS * 4,
};

_Static_assert(sizeof(struct ext3_extent_header) == HEADER_BYTES, "extent header");
_Static_assert(sizeof(struct ext3_extent) == ENTRY_BYTES, "extent");
_Static_assert(sizeof(struct ext3_extent_idx) == ENTRY_BYTES, "extent index");

static uint8_t *entry_at(const uint8_t *node, size_t i)
{
	return (uint8_t *)(uintptr_t)node + HEADER_BYTES + i * ENTRY_BYTES;
}

/* The first four bytes of both kinds of entry. */
static uint32_t entry_logical(const uint8_t *node, size_t i)
{
	return get_le32(entry_at(node, i));
}

/* The checksum follows the last entry there is room for. */
static size_t tail_offset(unsigned max)
{
	return HEADER_BYTES + (size_t)max * ENTRY_BYTES;
}

/* --- writing ---------------------------------------------------------------------------------- */

/* How many entries an extent takes: no more than 32,768 blocks each. */
static size_t pieces_of(const struct ext4_extent *e)
{
	return ((size_t)e->len + EXT4_EXTENT_BLOCKS_MAX - 1) / EXT4_EXTENT_BLOCKS_MAX;
}

/* Nodes at each level, leaves first. */
struct shape {
	size_t pieces;
	size_t nodes[DEPTH_MAX];
	unsigned depth;
};

static size_t divide_up(size_t a, size_t b)
{
	return (a + b - 1) / b;
}

static struct shape shape_of(const struct ext4_extent *extents, size_t n)
{
	struct shape s = {0};
	size_t below;

	for (size_t i = 0; i < n; i++)
		s.pieces += pieces_of(&extents[i]);
	for (below = s.pieces; below > ROOT_ENTRIES; below = s.nodes[s.depth++]) {
		assert(s.depth < DEPTH_MAX); /* 2^32 logical blocks need less */
		s.nodes[s.depth] = divide_up(below, BLOCK_ENTRIES);
	}
	return s;
}

size_t ext4_extents_tree_blocks(const struct ext4_extent *extents, size_t n)
{
	struct shape s = shape_of(extents, n);
	size_t total = 0;

	for (unsigned level = 0; level < s.depth; level++)
		total += s.nodes[level];
	return total;
}

static void put_header(uint8_t *node, size_t entries, unsigned max, unsigned depth)
{
	struct ext3_extent_header h = {
		.eh_magic = htole16(EXT3_EXT_MAGIC),
		.eh_entries = htole16((uint16_t)entries),
		.eh_max = htole16((uint16_t)max),
		.eh_depth = htole16((uint16_t)depth),
	};

	memcpy(node, &h, sizeof(h));
}

static void put_extent(uint8_t *node, size_t i, uint32_t logical, uint64_t physical, uint32_t len)
{
	struct ext3_extent e = {
		.ee_block = htole32(logical),
		.ee_len = htole16((uint16_t)len),
		.ee_start_hi = htole16((uint16_t)(physical >> 32)),
		.ee_start = htole32((uint32_t)physical),
	};

	memcpy(entry_at(node, i), &e, sizeof(e));
}

static void put_pointer(uint8_t *node, size_t i, uint32_t logical, uint64_t block)
{
	struct ext3_extent_idx x = {
		.ei_block = htole32(logical),
		.ei_leaf = htole32((uint32_t)block),
		.ei_leaf_hi = htole16((uint16_t)(block >> 32)),
	};

	memcpy(entry_at(node, i), &x, sizeof(x));
}

/* Where the next piece of a list of extents starts. */
struct piece_cursor {
	const struct ext4_extent *extent;
	uint32_t done; /* blocks of it */
};

static void put_pieces(uint8_t *node, size_t count, struct piece_cursor *at)
{
	for (size_t i = 0; i < count; i++) {
		const struct ext4_extent *e = at->extent;
		uint32_t left = e->len - at->done;
		uint32_t len = left < EXT4_EXTENT_BLOCKS_MAX ? left : EXT4_EXTENT_BLOCKS_MAX;

		put_extent(node, i, e->logical + at->done, e->physical + at->done, len);
		at->done += len;
		if (at->done == e->len)
			*at = (struct piece_cursor){.extent = e + 1};
	}
}

static void put_pointers(uint8_t *node, size_t count, const uint8_t *children,
			 const uint64_t *numbers)
{
	for (size_t i = 0; i < count; i++)
		put_pointer(node, i, entry_logical(children + i * EXT4_BLOCK_BYTES, 0), numbers[i]);
}

static void set_checksum(uint8_t *node, uint32_t seed)
{
	size_t tail = tail_offset(BLOCK_ENTRIES);

	put_le32(node + tail, ext4_crc32c(seed, node, tail));
}

/* What all nodes of a tree are made from. */
struct build {
	const uint64_t *numbers;
	uint8_t *blocks;
	struct piece_cursor pieces;
};

/* @count: entries.   @child: which tree block the first of them points to. */
static void put_node(struct build *b, uint8_t *node, unsigned max, unsigned height, size_t count,
		     size_t child)
{
	put_header(node, count, max, height);
	if (height == 0)
		put_pieces(node, count, &b->pieces);
	else
		put_pointers(node, count, b->blocks + child * EXT4_BLOCK_BYTES, b->numbers + child);
}

void ext4_extents_encode(const struct ext4_extent *extents, size_t n, uint32_t seed,
			 const uint64_t *numbers, uint8_t iblock[EXT4_IBLOCK_BYTES],
			 uint8_t *blocks)
{
	struct shape s = shape_of(extents, n);
	struct build b = {numbers, blocks, {.extent = extents}};
	size_t below = s.pieces, child = 0, at = ext4_extents_tree_blocks(extents, n);

	memset(blocks, 0, at * EXT4_BLOCK_BYTES);
	memset(iblock, 0, EXT4_IBLOCK_BYTES);
	/* the leaves stand last, each level above them before the one it points to */
	for (unsigned height = 0; height < s.depth; height++) {
		at -= s.nodes[height];
		for (size_t i = 0; i < s.nodes[height]; i++) {
			uint8_t *node = blocks + (at + i) * EXT4_BLOCK_BYTES;
			size_t first = i * BLOCK_ENTRIES, left = below - first;

			put_node(&b, node, BLOCK_ENTRIES, height,
				 left < BLOCK_ENTRIES ? left : BLOCK_ENTRIES, child + first);
			set_checksum(node, seed);
		}
		child = at;
		below = s.nodes[height];
	}
	put_node(&b, iblock, ROOT_ENTRIES, s.depth, below, child);
}

/* --- reading ---------------------------------------------------------------------------------- */

/* A node on the path from the root to the present extent. */
struct step {
	uint8_t *node;
	unsigned entries, next;
	uint64_t low, high; /* logical blocks it may speak of: low <= block < high */
};

struct ext4_extents_walk {
	struct ext4_extents_source source;
	uint8_t root[EXT4_IBLOCK_BYTES];
	struct step steps[DEPTH_MAX + 1];
	unsigned depth; /* of the tree: steps[depth] holds extents */
	unsigned at;	/* the step we stand on */
	uint64_t from;
	uint64_t *tree; /* numbers of tree blocks, when asked for */
	size_t tree_n, tree_room;
	bool collect;
};

static int damaged(struct error *err, const char *what, uint64_t where)
{
	return error_set(err, ERR_INCONSISTENT, "extent tree: %s at logical block %" PRIu64, what,
			 where);
}

static int check_header(const uint8_t *node, size_t bytes, unsigned depth, uint64_t low,
			unsigned *ret_entries, unsigned *ret_max, struct error *err)
{
	struct ext3_extent_header h;
	unsigned entries, max;

	memcpy(&h, node, sizeof(h));
	entries = le16toh(h.eh_entries);
	max = le16toh(h.eh_max);
	if (le16toh(h.eh_magic) != EXT3_EXT_MAGIC)
		return damaged(err, "no magic number", low);
	if (le16toh(h.eh_depth) != depth)
		return damaged(err, "wrong depth", low);
	if (entries > max || tail_offset(max) > bytes)
		return damaged(err, "too many entries", low);
	*ret_entries = entries;
	*ret_max = max;
	return 0;
}

/* Stand on the entry of a pointer node that leads to the block `from`, or its first. */
static void seek_in_step(struct step *s, uint64_t from)
{
	unsigned low = 0, high = s->entries;

	while (low + 1 < high) {
		unsigned middle = (low + high) / 2;

		if (entry_logical(s->node, middle) <= from)
			low = middle;
		else
			high = middle;
	}
	s->next = low;
}

static int open_root(struct ext4_extents_walk *w, struct error *err)
{
	struct step *s = &w->steps[0];
	struct ext3_extent_header h;
	unsigned max;

	memcpy(&h, w->root, sizeof(h));
	w->depth = le16toh(h.eh_depth);
	if (w->depth > DEPTH_MAX)
		return damaged(err, "too deep", 0);
	*s = (struct step){.node = w->root, .low = 0, .high = 1ULL << 32};
	if (check_header(w->root, sizeof(w->root), w->depth, 0, &s->entries, &max, err) < 0)
		return -1;
	seek_in_step(s, w->from);
	return 0;
}

int ext4_extents_open(const struct ext4_extents_source *source,
		      const uint8_t iblock[EXT4_IBLOCK_BYTES], uint32_t from,
		      struct ext4_extents_walk **ret, struct error *err)
{
	struct ext4_extents_walk *w = xcalloc(1, sizeof(*w));

	w->source = *source;
	w->from = from;
	memcpy(w->root, iblock, sizeof(w->root));
	if (open_root(w, err) < 0) {
		ext4_extents_close(w);
		return -1;
	}
	*ret = w;
	return 0;
}

bool ext4_blocks_are_direct(const uint8_t iblock[EXT4_IBLOCK_BYTES])
{
	static const uint8_t none[EXT4_IBLOCK_BYTES - DIRECT_BYTES];

	return memcmp(iblock + DIRECT_BYTES, none, sizeof(none)) == 0;
}

/* A root of extents made up for them. It is larger than one in an inode, so it stands elsewhere. */
int ext4_extents_open_direct(const struct ext4_extents_source *source,
			     const uint8_t iblock[EXT4_IBLOCK_BYTES], uint32_t from,
			     struct ext4_extents_walk **ret, struct error *err)
{
	uint8_t *node = xcalloc(1, HEADER_BYTES + DIRECT_BLOCKS * ENTRY_BYTES);
	unsigned n = 0;

	put_header(node, 0, ROOT_ENTRIES, 0);
	if (ext4_extents_open(source, node, from, ret, err) < 0) {
		free(node);
		return -1;
	}
	for (uint32_t i = 0; i < DIRECT_BLOCKS; i++)
		if (get_le32(iblock + i * 4))
			put_extent(node, n++, i, get_le32(iblock + i * 4), 1);
	(*ret)->steps[1].node = node; /* to be freed */
	(*ret)->steps[0].node = node;
	(*ret)->steps[0].entries = n;
	return 0;
}

void ext4_extents_close(struct ext4_extents_walk *w)
{
	if (!w)
		return;
	for (unsigned i = 1; i <= DEPTH_MAX; i++)
		free(w->steps[i].node);
	free(w->tree);
	free(w);
}

static bool in_file_system(const struct ext4_extents_source *source, uint64_t block, uint64_t len)
{
	return block >= source->first_block && block <= source->last_block
	       && len <= source->last_block - block + 1;
}

static bool checksum_holds(const struct ext4_extents_walk *w, const uint8_t *node, unsigned max)
{
	size_t tail = tail_offset(max);

	if (!w->source.checksums)
		return true;
	if (tail + sizeof(uint32_t) > w->source.block_bytes)
		return false;
	return get_le32(node + tail) == ext4_crc32c(w->source.seed, node, tail);
}

/* Read the node that the entry just taken from step `s` leads to, into the step behind it. */
static int open_child(struct ext4_extents_walk *w, struct step *s, uint64_t block, uint64_t low,
		      uint64_t high, struct error *err)
{
	struct step *child = s + 1;
	unsigned depth = w->depth - w->at - 1, max;

	if (!in_file_system(&w->source, block, 1))
		return damaged(err, "a pointer out of the file system", low);
	if (!child->node)
		child->node = xmalloc(w->source.block_bytes);
	if (w->source.read(w->source.arg, block, child->node, err) < 0)
		return -1;
	if (check_header(child->node, w->source.block_bytes, depth, low, &child->entries, &max, err)
	    < 0)
		return -1;
	if (!checksum_holds(w, child->node, max))
		return damaged(err, "a wrong checksum", low);
	/* an empty one would let a tree of nothing go on for ever */
	if (child->entries == 0)
		return damaged(err, "an empty node", low);
	child->low = low;
	child->high = high;
	child->next = 0;
	if (w->collect) {
		ALLOC_GROW(w->tree, w->tree_n + 1, w->tree_room);
		w->tree[w->tree_n++] = block;
	}
	w->at++;
	return 0;
}

static int descend(struct ext4_extents_walk *w, struct error *err)
{
	struct step *s = &w->steps[w->at];
	struct ext3_extent_idx x;
	uint64_t low, high = s->high;

	memcpy(&x, entry_at(s->node, s->next), sizeof(x));
	low = le32toh(x.ei_block);
	if (s->next + 1 < s->entries)
		high = entry_logical(s->node, s->next + 1);
	if (low < s->low || high > s->high || low >= high)
		return damaged(err, "pointers that do not ascend", low);
	s->next++;
	if (open_child(w, s, (uint64_t)le16toh(x.ei_leaf_hi) << 32 | le32toh(x.ei_leaf), low, high,
		       err)
	    < 0)
		return -1;
	seek_in_step(&w->steps[w->at], w->from);
	return 0;
}

static int take_extent(struct ext4_extents_walk *w, struct ext4_extent *ret, struct error *err)
{
	struct step *s = &w->steps[w->at];
	struct ext3_extent e;
	uint64_t logical, end;
	uint32_t len;

	memcpy(&e, entry_at(s->node, s->next), sizeof(e));
	logical = le32toh(e.ee_block);
	len = le16toh(e.ee_len);
	ret->unwritten = len > EXT4_EXTENT_BLOCKS_MAX;
	if (ret->unwritten)
		len -= EXT4_EXTENT_BLOCKS_MAX;
	end = logical + len;
	if (len == 0 || logical < s->low || end > s->high)
		return damaged(err, "extents that do not ascend", logical);
	ret->logical = (uint32_t)logical;
	ret->len = len;
	ret->physical = (uint64_t)le16toh(e.ee_start_hi) << 32 | le32toh(e.ee_start);
	if (!in_file_system(&w->source, ret->physical, len))
		return damaged(err, "an extent out of the file system", logical);
	s->low = end; /* the next one starts there or later */
	s->next++;
	return 0;
}

int ext4_extents_next(struct ext4_extents_walk *w, struct ext4_extent *ret, struct error *err)
{
	for (;;) {
		struct step *s = &w->steps[w->at];

		if (s->next >= s->entries) {
			if (w->at == 0)
				return 1;
			w->at--;
		} else if (w->at < w->depth) {
			if (descend(w, err) < 0)
				return -1;
		} else {
			struct ext4_extent e;

			if (take_extent(w, &e, err) < 0)
				return -1;
			if ((uint64_t)e.logical + e.len <= w->from)
				continue;
			*ret = e;
			return 0;
		}
	}
}

int ext4_extents_load(const struct ext4_extents_source *source,
		      const uint8_t iblock[EXT4_IBLOCK_BYTES], struct ext4_extent **ret,
		      size_t *ret_n, uint64_t **ret_tree, size_t *ret_tree_n, struct error *err)
{
	cleanup(ext4_extents_close_ptr) struct ext4_extents_walk *w = NULL;
	cleanup_free struct ext4_extent *list = NULL;
	size_t n = 0, room = 0;
	struct ext4_extent e;
	int rc;

	if (ext4_extents_open(source, iblock, 0, &w, err) < 0)
		return -1;
	w->collect = true;
	while ((rc = ext4_extents_next(w, &e, err)) == 0) {
		ALLOC_GROW(list, n + 1, room);
		list[n++] = e;
	}
	if (rc < 0)
		return -1;
	*ret = steal(&list);
	*ret_n = n;
	*ret_tree = steal(&w->tree);
	*ret_tree_n = w->tree_n;
	return 0;
}
