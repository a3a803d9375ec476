/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The strict check on damage: every field of every kind of block is changed in turn, with the
 * checksum put right again, and must be told. What thin_check 0.9 does not see is run through it
 * as well.
 */
#include "pkg/thin/file/fsck.h"

#include <fcntl.h>
#include <stdlib.h>

#include "tests/support/cmocka.h"

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/base/fdio.h"
#include "pkg/thin/file/engine.h"
#include "pkg/thin/volume.h"
#include "tests/support/thin_image.h"
#include "tests/support/thin_tools.h"

static int setup(void **state)
{
	static struct thin_image image;

	*state = &image;
	return thin_image_make(&image);
}

static int teardown(void **state)
{
	thin_image_release(*state);
	return 0;
}

/* ---- one field of one block at a time ---- */

enum place {
	NOWHERE,
	SUPER,
	TOP_ROOT, /* internal */
	TOP_LEAF,
	BIG_ROOT, /* mappings of device 0, internal */
	BIG_LEAF,
	SMALL_ROOT, /* mappings of device 1, a single leaf */
	DETAILS_ROOT,
	DETAILS_LEAF,
	DATA_INDEX,
	DATA_BITMAP,
	DATA_LAST_BITMAP,
	DATA_OVERFLOW,
	META_INDEX,
	META_BITMAP,
	META_OVERFLOW,
};

static uint64_t child(uint8_t *image, uint64_t node, uint32_t i)
{
	return tf_node_value64(thin_image_block(image, node), i);
}

static uint64_t data_bitmap(uint8_t *image, uint32_t i)
{
	uint8_t *leaf = thin_image_block(image, thin_image_superblock(image).data_sm.bitmap_root);

	return get_le64(tf_node_value(leaf, i));
}

static uint64_t place_block(uint8_t *image, enum place place)
{
	struct tf_superblock sb = thin_image_superblock(image);
	bool one_level = tf_node_is_leaf(thin_image_block(image, sb.mapping_root));
	uint64_t top_leaf = one_level ? sb.mapping_root : child(image, sb.mapping_root, 0);

	switch (place) {
	case TOP_ROOT:
		return sb.mapping_root;
	case TOP_LEAF:
		return top_leaf;
	case BIG_ROOT:
		return child(image, top_leaf, 0);
	case BIG_LEAF:
		return child(image, child(image, top_leaf, 0), 0);
	case SMALL_ROOT:
		return child(image, top_leaf, 1);
	case DETAILS_ROOT:
		return sb.details_root;
	case DETAILS_LEAF:
		return child(image, sb.details_root, 0);
	case DATA_INDEX:
		return sb.data_sm.bitmap_root;
	case DATA_BITMAP:
		return data_bitmap(image, 0);
	case DATA_LAST_BITMAP:
		return data_bitmap(image, 1);
	case DATA_OVERFLOW:
		return sb.data_sm.overflow_root;
	case META_INDEX:
		return sb.metadata_sm.bitmap_root;
	case META_BITMAP:
		return get_le64(thin_image_block(image, sb.metadata_sm.bitmap_root)
				+ tf_index_entry_offset(0));
	case META_OVERFLOW:
		return sb.metadata_sm.overflow_root;
	default:
		return 0;
	}
}

static enum tf_block_type place_type(enum place place)
{
	switch (place) {
	case SUPER:
		return TF_SUPERBLOCK;
	case META_INDEX:
		return TF_INDEX;
	case DATA_BITMAP:
	case DATA_LAST_BITMAP:
	case META_BITMAP:
		return TF_BITMAP;
	default:
		return TF_NODE;
	}
}

enum change {
	SET,
	ADD,
	POINT, /* to the block of another place */
	MAP,   /* add to the data block of a mapping value */
	TIME,  /* set the time of a mapping value */
};

enum {
	BLIND = 1,    /* thin_check 0.9 finds nothing */
	KEEP_SUM = 2, /* do not seal again */
};

struct mutation {
	enum place place;
	unsigned offset, width;
	enum change change;
	uint64_t value;
	const char *kind;
	unsigned flags;
};

/* Where key and value i of a node with values of that size are. */
#define KEY(i)	    (32 + 8 * (i))
#define VALUE4(i)   (32 + 8 * 336 + 4 * (i))
#define VALUE8(i)   (32 + 8 * 252 + 8 * (i))
#define VALUE16(i)  (32 + 8 * 168 + 16 * (i))
#define VALUE24(i)  (32 + 8 * 126 + 24 * (i))
#define ENTRY(i)    (16 + 16 * (i))
#define DATA_SM	    64
#define METADATA_SM 192
#define HUGE_BLOCK  (UINT64_C(1) << 45)

static const struct mutation mutations[] = {
	/* superblock */
	{SUPER, 0, 4, ADD, 1, "checksum", KEEP_SUM},
	{SUPER, 2000, 4, ADD, 1, "checksum", KEEP_SUM},
	{SUPER, 4, 4, SET, 1, "needs_check", BLIND},
	{SUPER, 4, 4, SET, 2, "features", BLIND},
	{SUPER, 8, 8, ADD, 1, "blocknr", BLIND},
	{SUPER, 32, 8, ADD, 1, "superblock", BLIND},
	{SUPER, 40, 4, SET, 1, "superblock", BLIND},
	{SUPER, 40, 4, SET, 3, "superblock", BLIND},
	{SUPER, 44, 4, SET, IMAGE_TIME - 1, "time", BLIND},
	{SUPER, 44, 4, SET, 0x1000000, "time", BLIND},
	{SUPER, 48, 8, SET, 2, "transaction_id", BLIND},
	{SUPER, 56, 8, SET, HUGE_BLOCK, "metadata_range", 0},
	{SUPER, 56, 8, SET, 480, "checksum", 0},
	{SUPER, 56, 8, POINT, BIG_LEAF, "used_twice", 0},
	{SUPER, DATA_SM, 8, SET, 3 * 16320, "bitmap_missing", BLIND},
	{SUPER, DATA_SM, 8, SET, 1500, "data_range", BLIND},
	{SUPER, DATA_SM, 8, SET, UINT64_MAX, "space_map_size", BLIND},
	{SUPER, DATA_SM + 8, 8, ADD, 1, "nr_allocated", BLIND},
	{SUPER, DATA_SM + 8, 8, SET, 0, "nr_allocated", BLIND},
	{SUPER, DATA_SM + 16, 8, POINT, TOP_ROOT, "used_twice", 0},
	{SUPER, DATA_SM + 24, 8, SET, 0, "used_twice", 0},
	{SUPER, DATA_SM + 24, 8, SET, HUGE_BLOCK, "metadata_range", 0},
	{SUPER, METADATA_SM, 8, ADD, 1, "metadata_short", BLIND},
	{SUPER, METADATA_SM, 8, SET, IMAGE_BLOCKS - 1, "metadata_long", BLIND},
	{SUPER, METADATA_SM, 8, SET, 0, "space_map_size", BLIND},
	{SUPER, METADATA_SM, 8, SET, 4161601, "space_map_size", 0},
	{SUPER, METADATA_SM + 8, 8, ADD, 1, "nr_allocated", BLIND},
	{SUPER, METADATA_SM + 16, 8, SET, 1000000, "metadata_range", 0},
	{SUPER, METADATA_SM + 24, 8, POINT, DATA_OVERFLOW, "used_twice", 0},
	{SUPER, 320, 8, POINT, DETAILS_ROOT, "used_twice", 0},
	{SUPER, 320, 8, POINT, TOP_LEAF, "metadata_refcount", 0},
	{SUPER, 328, 8, POINT, DETAILS_LEAF, "details_missing", 0},
	{SUPER, 328, 8, SET, UINT64_MAX, "metadata_range", 0},
	{SUPER, 336, 4, SET, 129, "superblock", BLIND},
	{SUPER, 336, 4, SET, 0, "superblock", BLIND},
	{SUPER, 336, 4, SET, 2097152 + 128, "superblock", BLIND},
	{SUPER, 340, 4, SET, 16, "superblock", BLIND},
	{SUPER, 344, 8, ADD, 1, "metadata_nr_blocks", BLIND},
	{SUPER, 344, 8, SET, 0, "metadata_nr_blocks", BLIND},
	{SUPER, 352, 4, SET, 1, "features", BLIND},
	{SUPER, 356, 4, SET, 1, "features", BLIND},
	{SUPER, 360, 4, SET, 1, "features", BLIND},

	/* internal nodes */
	{TOP_ROOT, 0, 4, ADD, 1, "checksum", KEEP_SUM},
	{TOP_ROOT, 4, 4, SET, 3, "node_header", 0},
	{TOP_ROOT, 4, 4, SET, 2, "metadata_refcount", 0},
	{TOP_ROOT, 8, 8, ADD, 1, "blocknr", 0},
	{TOP_ROOT, 16, 4, SET, 0, "node_header", 0},
	{TOP_ROOT, 16, 4, SET, 253, "node_header", 0},
	{TOP_ROOT, 16, 4, ADD, UINT64_MAX, "mapping_missing", 0},
	{TOP_ROOT, 20, 4, SET, 253, "node_header", 0},
	{TOP_ROOT, 20, 4, SET, UINT32_MAX, "node_header", 0},
	{TOP_ROOT, 24, 4, SET, 16, "node_header", 0},
	{TOP_ROOT, 28, 4, SET, 1, "reserved", BLIND},
	{TOP_ROOT, KEY(0), 8, SET, 1, "key_bounds", 0},
	{TOP_ROOT, KEY(1), 8, SET, 0, "key_order", 0},
	{TOP_ROOT, KEY(1), 8, ADD, 1, "key_bounds", 0},
	{TOP_ROOT, KEY(1), 8, ADD, UINT64_MAX, "key_bounds", BLIND},
	{TOP_ROOT, VALUE8(0), 8, POINT, TOP_ROOT, "cycle", 0},
	{TOP_ROOT, VALUE8(1), 8, POINT, TOP_LEAF, "key_bounds", 0},
	{TOP_ROOT, VALUE8(1), 8, POINT, SMALL_ROOT, "used_twice", 0},
	{TOP_ROOT, VALUE8(1), 8, SET, 0, "used_twice", 0},
	{BIG_ROOT, 4, 4, SET, 1 << 8, "node_header", 0},
	{BIG_ROOT, 16, 4, ADD, UINT64_MAX, "mapped_blocks", 0},
	{BIG_ROOT, KEY(1), 8, SET, UINT64_MAX, "key_order", 0},
	{BIG_ROOT, VALUE8(1), 8, POINT, BIG_LEAF, "key_bounds", 0},
	{BIG_ROOT, VALUE8(1), 8, POINT, BIG_ROOT, "cycle", 0},
	{BIG_ROOT, VALUE8(1), 8, SET, 1000000, "metadata_range", 0},
	{BIG_ROOT, VALUE8(0), 8, POINT, SMALL_ROOT, "min_fill", 0},
	{DETAILS_ROOT, 16, 4, ADD, UINT64_MAX, "details_missing", 0},
	{DETAILS_ROOT, 24, 4, SET, 24, "node_header", 0},
	{DETAILS_ROOT, VALUE8(1), 8, POINT, DETAILS_LEAF, "key_bounds", 0},
	{DETAILS_ROOT, VALUE8(0), 8, POINT, META_BITMAP, "used_twice", 0},

	/* leaves */
	{TOP_LEAF, 16, 4, SET, 20, "min_fill", 0},
	{TOP_LEAF, KEY(1), 8, SET, 0, "key_order", 0},
	{TOP_LEAF, KEY(1), 8, ADD, UINT64_C(1) << 24, "device_id", 0},
	{TOP_LEAF, VALUE8(1), 8, POINT, BIG_ROOT, "mapped_blocks", 0},
	{TOP_LEAF, VALUE8(1), 8, POINT, BIG_LEAF, "metadata_refcount", 0},
	{TOP_LEAF, VALUE8(1), 8, POINT, TOP_LEAF, "used_twice", 0},
	{BIG_LEAF, 8, 8, ADD, 1, "blocknr", 0},
	{BIG_LEAF, 4, 4, SET, 1, "metadata_range", 0},
	{BIG_LEAF, 16, 4, ADD, UINT64_MAX, "mapped_blocks", BLIND},
	{BIG_LEAF, 16, 4, SET, 83, "min_fill", 0},
	{BIG_LEAF, 20, 4, SET, 126, "node_header", BLIND},
	{BIG_LEAF, 24, 4, SET, 4, "node_header", 0},
	{BIG_LEAF, 28, 4, SET, 7, "reserved", BLIND},
	{BIG_LEAF, KEY(3), 8, SET, 2, "key_order", 0},
	{BIG_LEAF, KEY(0), 8, SET, 5, "key_order", 0},
	{BIG_LEAF, VALUE8(5), 8, MAP, 1, "data_refcount", BLIND},
	{BIG_LEAF, VALUE8(5), 8, MAP, 1000, "shared_time", BLIND},
	{BIG_LEAF, VALUE8(5), 8, MAP, IMAGE_DATA_BLOCKS, "data_range", BLIND},
	{BIG_LEAF, VALUE8(5), 8, TIME, IMAGE_TIME + 1, "time", BLIND},
	{BIG_LEAF, VALUE8(5), 8, TIME, IMAGE_TIME, "shared_time", BLIND},
	{SMALL_ROOT, 16, 4, SET, 0, "mapped_blocks", BLIND},
	{SMALL_ROOT, 16, 4, ADD, 1, "key_order", 0},
	{SMALL_ROOT, KEY(0), 8, ADD, 1, "key_order", 0},
	{SMALL_ROOT, VALUE8(0), 8, TIME, IMAGE_TIME, "shared_time", BLIND},

	/* device details */
	{DETAILS_LEAF, 8, 8, ADD, 1, "blocknr", 0},
	{DETAILS_LEAF, 16, 4, SET, 41, "min_fill", 0},
	{DETAILS_LEAF, KEY(0), 8, ADD, 1, "key_order", 0},
	{DETAILS_LEAF, 16, 4, ADD, UINT64_MAX, "details_missing", BLIND},
	{DETAILS_LEAF, VALUE24(0), 8, ADD, 1, "mapped_blocks", BLIND},
	{DETAILS_LEAF, VALUE24(0) + 8, 8, ADD, 100, "transaction_id", BLIND},
	{DETAILS_LEAF, VALUE24(0) + 16, 4, SET, IMAGE_TIME + 1, "time", BLIND},
	{DETAILS_LEAF, VALUE24(0) + 20, 4, SET, IMAGE_TIME + 1, "time", BLIND},
	{DETAILS_LEAF, VALUE24(0) + 20, 4, SET, 0, "shared_time", BLIND},
	{DETAILS_LEAF, VALUE24(1) + 20, 4, SET, 0, "time", BLIND},

	/* data space map */
	{DATA_INDEX, 8, 8, ADD, 1, "blocknr", 0},
	{DATA_INDEX, 4, 4, SET, 1, "node_header", 0},
	{DATA_INDEX, 16, 4, SET, 1, "bitmap_missing", 0},
	{DATA_INDEX, 24, 4, SET, 8, "node_header", 0},
	{DATA_INDEX, KEY(1), 8, SET, 2, "unused_index", BLIND},
	{DATA_INDEX, KEY(1), 8, SET, 0, "key_order", 0},
	{DATA_INDEX, VALUE16(0), 8, POINT, META_BITMAP, "metadata_refcount", 0},
	{DATA_INDEX, VALUE16(0), 8, POINT, DATA_LAST_BITMAP, "metadata_refcount", 0},
	{DATA_INDEX, VALUE16(0), 8, SET, HUGE_BLOCK, "metadata_range", 0},
	{DATA_INDEX, VALUE16(0) + 8, 4, ADD, 1, "nr_free", BLIND},
	{DATA_INDEX, VALUE16(1) + 8, 4, SET, IMAGE_DATA_BLOCKS - 16320, "nr_free", BLIND},
	{DATA_INDEX, VALUE16(1) + 12, 4, SET, 1, "none_free_before", BLIND},
	{DATA_BITMAP, 0, 4, ADD, 1, "checksum", KEEP_SUM},
	{DATA_BITMAP, 8, 8, ADD, 1, "blocknr", 0},
	{DATA_BITMAP, 4, 4, SET, 1, "reserved", BLIND},
	{DATA_BITMAP, 16 + 255, 1, SET, 0, "data_refcount", BLIND},
	{DATA_BITMAP, 16 + 255, 1, SET, 0x55, "data_refcount", BLIND},
	{DATA_BITMAP, 16, 1, SET, 0xaa, "overflow", BLIND},
	{DATA_BITMAP, 16 + 255, 1, SET, 0xff, "overflow", BLIND},
	{DATA_LAST_BITMAP, 16 + 3000, 1, SET, 2, "bits_past_end", BLIND},
	{DATA_LAST_BITMAP, 16, 1, SET, 2, "data_refcount", BLIND},
	{DATA_OVERFLOW, 8, 8, ADD, 1, "blocknr", 0},
	{DATA_OVERFLOW, 24, 4, SET, 8, "node_header", 0},
	{DATA_OVERFLOW, 16, 4, ADD, UINT64_MAX, "overflow", BLIND},
	{DATA_OVERFLOW, KEY(0), 8, ADD, 1, "key_order", 0},
	{DATA_OVERFLOW, KEY(IMAGE_SHARED_BLOCKS - 1), 8, SET, 1001, "overflow", BLIND},
	{DATA_OVERFLOW, KEY(IMAGE_SHARED_BLOCKS - 1), 8, SET, HUGE_BLOCK, "overflow", BLIND},
	{DATA_OVERFLOW, VALUE4(0), 4, ADD, UINT64_MAX, "data_refcount", BLIND},
	{DATA_OVERFLOW, VALUE4(0), 4, SET, 2, "overflow", BLIND},

	/* metadata space map */
	{META_INDEX, 0, 4, ADD, 1, "checksum", KEEP_SUM},
	{META_INDEX, 8, 8, ADD, 1, "blocknr", 0},
	{META_INDEX, 4, 4, SET, 1, "reserved", BLIND},
	{META_INDEX, ENTRY(0), 8, SET, 0, "bitmap_missing", 0},
	{META_INDEX, ENTRY(0), 8, POINT, DATA_BITMAP, "metadata_refcount", 0},
	{META_INDEX, ENTRY(0), 8, SET, 480, "checksum", 0},
	{META_INDEX, ENTRY(0) + 8, 4, ADD, 1, "nr_free", BLIND},
	{META_INDEX, ENTRY(0) + 12, 4, SET, IMAGE_BLOCKS, "none_free_before", BLIND},
	{META_INDEX, ENTRY(1), 8, SET, 1, "unused_index", BLIND},
	{META_INDEX, ENTRY(254) + 12, 4, SET, 1, "unused_index", BLIND},
	{META_BITMAP, 0, 4, ADD, 1, "checksum", KEEP_SUM},
	{META_BITMAP, 8, 8, ADD, 1, "blocknr", 0},
	{META_BITMAP, 4, 4, SET, 1, "reserved", BLIND},
	{META_BITMAP, 16, 1, SET, 0x55, "metadata_refcount", 0},
	{META_BITMAP, 16, 1, SET, 0, "metadata_refcount", 0},
	{META_BITMAP, 16 + 122, 1, SET, 2, "metadata_refcount", 0},
	{META_BITMAP, 16 + 122, 1, SET, 3, "overflow", 0},
	{META_BITMAP, 16 + 128, 1, SET, 1, "bits_past_end", BLIND},
	{META_OVERFLOW, 8, 8, ADD, 1, "blocknr", 0},
	{META_OVERFLOW, 16, 4, SET, 1, "overflow", BLIND},
	{META_OVERFLOW, 24, 4, SET, 24, "node_header", 0},
};

static uint64_t get_field(const uint8_t *p, unsigned width)
{
	return width == 1 ? *p : width == 4 ? get_le32(p) : get_le64(p);
}

static void put_field(uint8_t *p, unsigned width, uint64_t v)
{
	if (width == 1)
		*p = (uint8_t)v;
	else if (width == 4)
		put_le32(p, (uint32_t)v);
	else
		put_le64(p, v);
}

static void mutate_block(uint8_t *image, uint64_t nr, const struct mutation *m)
{
	uint8_t *block = thin_image_block(image, nr);
	uint64_t v = get_field(block + m->offset, m->width);

	switch (m->change) {
	case SET:
		v = m->value;
		break;
	case ADD:
		v += m->value;
		break;
	case POINT:
		v = place_block(image, (enum place)m->value);
		break;
	case MAP:
		v = tf_mapping(tf_mapping_block(v) + m->value, tf_mapping_time(v));
		break;
	case TIME:
		v = tf_mapping(tf_mapping_block(v), (uint32_t)m->value);
		break;
	}
	put_field(block + m->offset, m->width, v);
	if (!(m->flags & KEEP_SUM))
		put_le32(block, tf_block_checksum(block, place_type(m->place)));
}

/* True if our check tells it, and thin_check, where it is known to be blind, does not. */
static bool mutation_told(struct thin_image *fix, uint8_t *image, const struct mutation *m)
{
	struct thin_findings findings = {0};
	bool seen;

	memcpy(image, fix->clean, IMAGE_BYTES);
	mutate_block(image, place_block(image, m->place), m);
	if (!memcmp(image, fix->clean, IMAGE_BYTES))
		return false;
	thin_image_check(image, IMAGE_BYTES, &findings);
	seen = thin_image_found(&findings, m->kind);
	if (!seen)
		thin_tools_show(&findings);
	thin_findings_release(&findings);
	return seen;
}

static void every_damaged_field_is_told(void **state)
{
	cleanup_free uint8_t *image = xmalloc(IMAGE_BYTES);
	unsigned missed = 0;

	for (size_t i = 0; i < ARRAY_SIZE(mutations); i++) {
		const struct mutation *m = &mutations[i];

		if (mutation_told(*state, image, m))
			continue;
		missed++;
		print_error("mutation %zu (place %d, offset %u, value %llu): no %s\n", i, m->place,
			    m->offset, (unsigned long long)m->value, m->kind);
	}
	assert_int_equal(missed, 0);
}

/* The reason for a check of our own. Versions from 1.0 see more. */
static void thin_check_0_9_misses_what_is_marked_so(void **state)
{
	struct thin_image *fix = *state;
	cleanup_free uint8_t *image = xmalloc(IMAGE_BYTES);
	unsigned wrong = 0;

	if (thin_tools_check_major() != 0)
		skip();
	for (size_t i = 0; i < ARRAY_SIZE(mutations); i++) {
		const struct mutation *m = &mutations[i];

		if (!(m->flags & BLIND))
			continue;
		memcpy(image, fix->clean, IMAGE_BYTES);
		mutate_block(image, place_block(image, m->place), m);
		if (thin_image_thin_check(fix->folder, image) == 0)
			continue;
		wrong++;
		print_error("mutation %zu (%s): thin_check sees it\n", i, m->kind);
	}
	assert_int_equal(wrong, 0);
}

/* ---- metadata snapshot ---- */

static void a_metadata_snapshot_is_clean(void **state)
{
	struct thin_image *fix = *state;
	cleanup_free uint8_t *image = xmemdup(fix->clean, IMAGE_BYTES);
	struct thin_findings findings = {0};

	thin_image_hold(image, 500);
	thin_image_check(image, IMAGE_BYTES, &findings);
	if (findings.total)
		thin_tools_show(&findings);
	assert_int_equal(findings.total, 0);
	assert_int_equal(thin_image_thin_check(fix->folder, image), 0);
}

static void a_damaged_metadata_snapshot_is_told(void **state)
{
	static const struct mutation held[] = {
		{SUPER, 0, 4, ADD, 1, "checksum", KEEP_SUM},
		{SUPER, 8, 8, ADD, 1, "blocknr", 0},
		{SUPER, 32, 8, ADD, 1, "held_root", 0},
		{SUPER, 40, 4, ADD, 1, "held_root", 0},
		{SUPER, 44, 4, SET, IMAGE_TIME + 1, "held_root", 0},
		{SUPER, 44, 4, SET, 0, "time", 0},
		{SUPER, 48, 8, SET, 100, "held_root", 0},
		{SUPER, DATA_SM, 8, SET, 1, "held_root", 0},
		{SUPER, METADATA_SM + 24, 8, SET, 1, "held_root", 0},
		{SUPER, 320, 8, POINT, DETAILS_ROOT, "used_twice", 0},
		{SUPER, 328, 8, SET, HUGE_BLOCK, "metadata_range", 0},
		{SUPER, 336, 4, ADD, 128, "held_root", 0},
	};
	struct thin_image *fix = *state;
	cleanup_free uint8_t *clean = xmemdup(fix->clean, IMAGE_BYTES);
	cleanup_free uint8_t *image = xmalloc(IMAGE_BYTES);
	struct thin_findings findings = {0};

	thin_image_hold(clean, 500);
	for (size_t i = 0; i < ARRAY_SIZE(held); i++) {
		memcpy(image, clean, IMAGE_BYTES);
		mutate_block(image, 500, &held[i]);
		thin_image_check(image, IMAGE_BYTES, &findings);
		if (!thin_image_found(&findings, held[i].kind))
			fail_msg("metadata snapshot, mutation %zu: no %s", i, held[i].kind);
		thin_findings_release(&findings);
	}
}

/* ---- shared trees ---- */

/* Metadata of a pool whose devices 1 to 5 are one tree of two levels, by the engine. */
static void shared_tree_image(const char *folder, uint8_t *image)
{
	const struct thin_file_params params = {.data_bytes = 1000 * 65536,
						.metadata_bytes = IMAGE_BYTES,
						.block_bytes = 65536};
	const struct thin_file_open how = {.mode = THIN_FILE_WRITE, .verb = "test"};
	cleanup_free char *meta = xasprintf("%s/meta", folder);
	struct thin_pool *pool = NULL;
	struct thin_volume *v = NULL;
	cleanup_fd int fd = -1;
	struct error err = {0};

	assert_ok(thin_file_create(folder, &params, &err), &err);
	assert_ok(thin_file_open(folder, &how, &pool, &err), &err);
	assert_ok(thin_pool_create_thin(pool, 1, &err), &err);
	assert_ok(thin_pool_open_volume(pool, 1, 1000 * 65536, true, &v, &err), &err);
	for (uint64_t i = 0; i < 300; i++)
		assert_ok(thin_volume_write(v, "x", 1, i * 65536, &err), &err);
	thin_volume_close(v);
	for (uint32_t id = 2; id <= 5; id++)
		assert_ok(thin_pool_create_snap(pool, id, 1, &err), &err);
	assert_ok(thin_pool_commit(pool, 0, &err), &err);
	thin_pool_close(pool);
	fd = open(meta, O_RDONLY | O_CLOEXEC);
	assert_ok(fdio_pread(fd, image, IMAGE_BYTES, 0, meta, &err), &err);
}

static void damage_of_shared_trees_is_told(void **state)
{
	static const struct mutation shared[] = {
		/* device 3 is told apart from those it shares all blocks with */
		{DETAILS_ROOT, VALUE24(2) + 20, 4, SET, 0, "shared_time", 0},
		{DETAILS_ROOT, VALUE24(2), 8, SET, 299, "mapped_blocks", 0},
		/* the root of all five */
		{META_OVERFLOW, VALUE4(0), 4, SET, 4, "metadata_refcount", 0},
		{META_OVERFLOW, VALUE4(0), 4, SET, 6, "metadata_refcount", 0},
		{META_OVERFLOW, 16, 4, SET, 0, "overflow", 0},
		{TOP_ROOT, VALUE8(4), 8, POINT, META_BITMAP, "used_twice", 0},
		{TOP_ROOT, 16, 4, SET, 4, "mapping_missing", 0},
	};
	struct thin_image *fix = *state;
	cleanup_free uint8_t *clean = xmalloc(IMAGE_BYTES), *image = xmalloc(IMAGE_BYTES);
	struct thin_findings findings = {0};

	thin_tools_remove(&fix->folder);
	fix->folder = thin_tools_folder();
	shared_tree_image(fix->folder, clean);
	thin_image_check(clean, IMAGE_BYTES, &findings);
	assert_int_equal(findings.total, 0);
	for (size_t i = 0; i < ARRAY_SIZE(shared); i++) {
		memcpy(image, clean, IMAGE_BYTES);
		mutate_block(image, place_block(image, shared[i].place), &shared[i]);
		thin_image_check(image, IMAGE_BYTES, &findings);
		if (!thin_image_found(&findings, shared[i].kind))
			fail_msg("shared tree, mutation %zu: no %s", i, shared[i].kind);
		thin_findings_release(&findings);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_damaged_field_is_told),
		cmocka_unit_test(thin_check_0_9_misses_what_is_marked_so),
		cmocka_unit_test(a_metadata_snapshot_is_clean),
		cmocka_unit_test(a_damaged_metadata_snapshot_is_told),
		cmocka_unit_test(damage_of_shared_trees_is_told),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
