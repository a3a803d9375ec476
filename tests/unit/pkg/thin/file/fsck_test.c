/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The strict check against metadata made by thin_restore: clean but for that program's known wrong
 * hints; then every field of every kind of block is damaged in turn, with the checksum put right
 * again, and must be told. Cases that thin_check 0.9 does not see are run through it as well.
 */
#include "pkg/thin/file/fsck.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "pkg/base/alloc.h"
#include "pkg/base/buffer.h"
#include "pkg/base/cleanup.h"
#include "pkg/base/fdio.h"
#include "pkg/thin/file/format.h"
#include "tests/support/thin_tools.h"

enum {
	IMAGE_BLOCKS = 512,
	IMAGE_BYTES = IMAGE_BLOCKS * TF_BLOCK_BYTES,
	IMAGE_DEVICES = 300, /* more than 252: the top level has an internal root */
	IMAGE_TIME = 9,
	IMAGE_TRANSACTION = 7,
	IMAGE_BIG_BLOCKS = 1000, /* mappings of device 0: an internal root as well */
	IMAGE_SHARED_BLOCKS = 20,
	IMAGE_DATA_BLOCKS = 20000, /* two bitmaps, the second one partial */
};

/* ---- a pool to damage ---- */

static void xml_device(struct buffer *xml, unsigned id)
{
	unsigned n = id ? IMAGE_SHARED_BLOCKS + 2 : IMAGE_BIG_BLOCKS;

	buffer_printf(xml,
		      "<device dev_id=\"%u\" mapped_blocks=\"%u\" transaction=\"3\" "
		      "creation_time=\"%u\" snap_time=\"%u\">\n",
		      id, n, id ? 1u : 0u, IMAGE_TIME);
	for (unsigned i = 0; i < n; i++) {
		bool own = id && i >= IMAGE_SHARED_BLOCKS;
		unsigned block = own ? IMAGE_BIG_BLOCKS + 2 * id + i - IMAGE_SHARED_BLOCKS : i;

		buffer_printf(xml,
			      "<single_mapping origin_block=\"%u\" data_block=\"%u\" "
			      "time=\"%u\"/>\n",
			      i, block, own ? IMAGE_TIME : 0);
	}
	buffer_printf(xml, "</device>\n");
}

static void write_xml(const char *path)
{
	cleanup_buffer struct buffer xml = {0};
	struct error err = {0};

	buffer_printf(&xml,
		      "<superblock uuid=\"\" time=\"%d\" transaction=\"%d\" flags=\"0\" "
		      "version=\"2\" data_block_size=\"128\" nr_data_blocks=\"%d\">\n",
		      IMAGE_TIME, IMAGE_TRANSACTION, IMAGE_DATA_BLOCKS);
	for (unsigned id = 0; id < IMAGE_DEVICES; id++)
		xml_device(&xml, id);
	buffer_printf(&xml, "</superblock>\n");
	assert_int_equal(fdio_replace_file(path, xml.data, xml.len, &err), 0);
}

static uint8_t *block_of(uint8_t *image, uint64_t block)
{
	assert_true(block < IMAGE_BLOCKS);
	return image + block * TF_BLOCK_BYTES;
}

static struct tf_superblock superblock(const uint8_t *image)
{
	struct tf_superblock sb;

	tf_superblock_unpack(image, &sb);
	return sb;
}

static void set_superblock(uint8_t *image, const struct tf_superblock *sb)
{
	tf_superblock_pack(sb, image);
	tf_block_seal(image, TF_SUPERBLOCK, 0);
}

/* Put right one index entry; returns the blocks in use. */
static uint64_t fix_entry(uint8_t *image, uint8_t *p)
{
	struct tf_index_entry e;
	uint32_t used = 0;

	tf_index_entry_unpack(p, &e);
	for (uint32_t i = 0; i < TF_BITMAP_ENTRIES; i++)
		used += tf_bitmap_get(block_of(image, e.bitmap), i) != 0;
	e.nr_free = TF_BITMAP_ENTRIES - used;
	e.none_free_before = 0;
	tf_index_entry_pack(&e, p);
	return used;
}

/* Put right what thin_restore gets wrong: the hints of the index entries and nr_allocated. */
static void fix_hints(uint8_t *image)
{
	struct tf_superblock sb = superblock(image);
	uint8_t *index = block_of(image, sb.metadata_sm.bitmap_root);
	uint8_t *leaf = block_of(image, sb.data_sm.bitmap_root);

	sb.metadata_sm.nr_allocated = sb.data_sm.nr_allocated = 0;
	for (uint32_t i = 0; i < tf_bitmaps_for(sb.metadata_sm.nr_blocks); i++)
		sb.metadata_sm.nr_allocated += fix_entry(image, index + tf_index_entry_offset(i));
	for (uint32_t i = 0; i < tf_node_entries(leaf); i++)
		sb.data_sm.nr_allocated += fix_entry(image, tf_node_value(leaf, i));
	tf_block_seal(index, TF_INDEX, tf_block_number(index));
	tf_block_seal(leaf, TF_NODE, tf_block_number(leaf));
	set_superblock(image, &sb);
}

/* ---- checking an image ---- */

static void check_image(const uint8_t *image, size_t len, struct thin_findings *ret)
{
	cleanup_fd int fd = memfd_create("thin-meta", MFD_CLOEXEC);
	char path[64];
	struct error err = {0};

	assert_true(fd >= 0);
	assert_int_equal(fdio_pwrite(fd, image, len, 0, "memfd", &err), 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	assert_int_equal(thin_file_fsck(path, 0, ret, &err), 0);
}

static int thin_check_image(const char *folder, const uint8_t *image)
{
	cleanup_free char *path = xasprintf("%s/mutant", folder);
	cleanup_fd int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	struct error err = {0};
	int status;

	assert_true(fd >= 0);
	assert_int_equal(fdio_pwrite(fd, image, IMAGE_BYTES, 0, path, &err), 0);
	status = thin_tools_check(path);
	unlink(path);
	return status;
}

static bool found(const struct thin_findings *findings, const char *kind)
{
	for (size_t i = 0; i < findings->n; i++)
		if (strcmp(findings->items[i].kind, kind) == 0)
			return true;
	return false;
}

struct fixture {
	char *folder;
	uint8_t *restored; /* as thin_restore left it */
	uint8_t *clean;	   /* with the hints put right */
};

static int setup(void **state)
{
	struct fixture *fix = xcalloc(1, sizeof(*fix));
	cleanup_free char *xml = NULL, *meta = NULL;
	cleanup_fd int fd = -1;
	struct error err = {0};

	fix->folder = thin_tools_folder();
	xml = xasprintf("%s/xml", fix->folder);
	meta = xasprintf("%s/meta", fix->folder);
	write_xml(xml);
	if (!thin_tools_restore(xml, meta, IMAGE_BYTES))
		return -1;
	fix->restored = xmalloc(IMAGE_BYTES);
	fd = open(meta, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fdio_pread(fd, fix->restored, IMAGE_BYTES, 0, meta, &err) < 0)
		return -1;
	fix->clean = xmemdup(fix->restored, IMAGE_BYTES);
	fix_hints(fix->clean);
	*state = fix;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fix = *state;

	thin_tools_remove(&fix->folder);
	free(fix->restored);
	free(fix->clean);
	free(fix);
	return 0;
}

/* ---- clean pools ---- */

static void restored_pool_is_clean_but_for_known_wrong_hints(void **state)
{
	struct fixture *fix = *state;
	struct thin_findings findings = {0};

	check_image(fix->restored, IMAGE_BYTES, &findings);
	for (size_t i = 0; i < findings.n; i++) {
		const char *kind = findings.items[i].kind;

		assert_true(findings.items[i].repairable);
		assert_true(!strcmp(kind, "nr_free") || !strcmp(kind, "none_free_before")
			    || !strcmp(kind, "nr_allocated"));
	}
	assert_true(found(&findings, "nr_free"));
	thin_findings_release(&findings);
}

static void pool_with_hints_put_right_has_no_findings(void **state)
{
	struct fixture *fix = *state;
	struct thin_findings findings = {0};

	check_image(fix->clean, IMAGE_BYTES, &findings);
	if (findings.total)
		thin_tools_show(&findings);
	assert_int_equal(findings.total, 0);
	assert_int_equal(thin_check_image(fix->folder, fix->clean), 0);
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
	return tf_node_value64(block_of(image, node), i);
}

static uint64_t data_bitmap(uint8_t *image, uint32_t i)
{
	uint8_t *leaf = block_of(image, superblock(image).data_sm.bitmap_root);

	return get_le64(tf_node_value(leaf, i));
}

static uint64_t place_block(uint8_t *image, enum place place)
{
	struct tf_superblock sb = superblock(image);
	uint64_t top_leaf = child(image, sb.mapping_root, 0);

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
		return get_le64(block_of(image, sb.metadata_sm.bitmap_root)
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
	uint8_t *block = block_of(image, nr);
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
static bool mutation_told(struct fixture *fix, uint8_t *image, const struct mutation *m)
{
	struct thin_findings findings = {0};
	bool seen;

	memcpy(image, fix->clean, IMAGE_BYTES);
	mutate_block(image, place_block(image, m->place), m);
	if (!memcmp(image, fix->clean, IMAGE_BYTES))
		return false;
	check_image(image, IMAGE_BYTES, &findings);
	seen = found(&findings, m->kind);
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
	struct fixture *fix = *state;
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
		if (thin_check_image(fix->folder, image) == 0)
			continue;
		wrong++;
		print_error("mutation %zu (%s): thin_check sees it\n", i, m->kind);
	}
	assert_int_equal(wrong, 0);
}

/* ---- whatever the bytes ---- */

static uint64_t next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/* The type whose checksum a block carries, or -1. */
static int type_of(const uint8_t *block)
{
	for (int type = TF_SUPERBLOCK; type <= TF_INDEX; type++)
		if (get_le32(block) == tf_block_checksum(block, (enum tf_block_type)type))
			return type;
	return -1;
}

/* Numbers that hurt: small ones, block numbers, and the ends of the integers. */
static uint64_t hurtful(uint64_t *seed)
{
	uint64_t r = next_random(seed);

	switch (r >> 8 & 3) {
	case 0:
		return r >> 16 & 7;
	case 1:
		return (r >> 16) % IMAGE_BLOCKS;
	case 2:
		return UINT64_MAX - (r >> 16 & 3);
	default:
		return r;
	}
}

static void damage(uint8_t *image, uint64_t *seed)
{
	uint64_t nr = next_random(seed) % IMAGE_BLOCKS;
	uint8_t *block = block_of(image, nr);
	int type = type_of(block);
	unsigned width = next_random(seed) & 1 ? 4 : 8;
	unsigned at = 4 + 4 * (unsigned)(next_random(seed) % (next_random(seed) & 1 ? 16 : 1000));

	if (type < 0)
		return;
	put_field(block + at, width, hurtful(seed));
	put_le32(block, tf_block_checksum(block, (enum tf_block_type)type));
}

static void no_damage_crashes_or_hangs_the_check(void **state)
{
	struct fixture *fix = *state;
	cleanup_free uint8_t *image = xmalloc(IMAGE_BYTES);
	struct thin_findings findings = {0};
	uint64_t seed = 88172645463325252u;

	for (unsigned round = 0; round < 150; round++) {
		memcpy(image, fix->clean, IMAGE_BYTES);
		for (unsigned i = 0; i < 1 + round; i++)
			damage(image, &seed);
		check_image(image, IMAGE_BYTES, &findings);
		assert_true(findings.n <= THIN_FINDINGS_MAX);
		assert_true(findings.n <= findings.total);
		thin_findings_release(&findings);
	}
}

static void a_file_cut_short_anywhere_is_told(void **state)
{
	static const size_t lengths[] = {0,    1,    363,      4095,	       4096,
					 4097, 8192, 5 * 4096, 100 * 4096 + 7, IMAGE_BYTES - 1};
	struct fixture *fix = *state;
	struct thin_findings findings = {0};

	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		check_image(fix->clean, lengths[i], &findings);
		assert_true(found(&findings, "metadata_short"));
		thin_findings_release(&findings);
	}
}

/* A chain of single-entry nodes: each depth is cut, and the chain is not walked for ever. */
static void a_tree_without_end_is_cut(void **state)
{
	struct fixture *fix = *state;
	cleanup_free uint8_t *image = xmemdup(fix->clean, IMAGE_BYTES);
	struct thin_findings findings = {0};
	struct tf_superblock sb = superblock(image);

	for (uint64_t nr = 400; nr < 500; nr++) {
		uint8_t *b = block_of(image, nr);

		tf_node_init(b, TF_NODE_INTERNAL, 8);
		tf_node_set_entries(b, 1);
		tf_node_set_value64(b, 0, nr + 1);
		tf_block_seal(b, TF_NODE, nr);
	}
	sb.mapping_root = 400;
	set_superblock(image, &sb);
	check_image(image, IMAGE_BYTES, &findings);
	assert_true(found(&findings, "depth"));
	thin_findings_release(&findings);
}

/* ---- metadata snapshot ---- */

static void count_one(uint8_t *image, uint64_t block, unsigned count)
{
	uint64_t nr = place_block(image, META_BITMAP);
	uint8_t *bitmap = block_of(image, nr);

	tf_bitmap_set(bitmap, (uint32_t)block, count);
	tf_block_seal(bitmap, TF_BITMAP, nr);
}

/* As the kernel's reserve_metadata_snap does it: a copy of the superblock without space maps, one
 * more reference to both roots. */
static void hold(uint8_t *image, uint64_t at)
{
	struct tf_superblock sb = superblock(image), copy = sb;

	memset(&copy.data_sm, 0, sizeof(copy.data_sm));
	memset(&copy.metadata_sm, 0, sizeof(copy.metadata_sm));
	tf_superblock_pack(&copy, block_of(image, at));
	tf_block_seal(block_of(image, at), TF_SUPERBLOCK, at);
	count_one(image, at, 1);
	count_one(image, sb.mapping_root, 2);
	count_one(image, sb.details_root, 2);
	sb.held_root = at;
	set_superblock(image, &sb);
	fix_hints(image);
}

static void a_metadata_snapshot_is_clean(void **state)
{
	struct fixture *fix = *state;
	cleanup_free uint8_t *image = xmemdup(fix->clean, IMAGE_BYTES);
	struct thin_findings findings = {0};

	hold(image, 500);
	check_image(image, IMAGE_BYTES, &findings);
	if (findings.total)
		thin_tools_show(&findings);
	assert_int_equal(findings.total, 0);
	assert_int_equal(thin_check_image(fix->folder, image), 0);
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
	struct fixture *fix = *state;
	cleanup_free uint8_t *clean = xmemdup(fix->clean, IMAGE_BYTES);
	cleanup_free uint8_t *image = xmalloc(IMAGE_BYTES);
	struct thin_findings findings = {0};

	hold(clean, 500);
	for (size_t i = 0; i < ARRAY_SIZE(held); i++) {
		memcpy(image, clean, IMAGE_BYTES);
		mutate_block(image, 500, &held[i]);
		check_image(image, IMAGE_BYTES, &findings);
		if (!found(&findings, held[i].kind))
			fail_msg("metadata snapshot, mutation %zu: no %s", i, held[i].kind);
		thin_findings_release(&findings);
	}
}

/* ---- files and locks ---- */

static void write_pool(struct fixture *fix, uint64_t data_bytes)
{
	cleanup_free char *meta = xasprintf("%s/meta", fix->folder);
	cleanup_free char *data = xasprintf("%s/data", fix->folder);
	cleanup_fd int fd = open(data, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	struct error err = {0};

	assert_int_equal(fdio_replace_file(meta, fix->clean, IMAGE_BYTES, &err), 0);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)data_bytes), 0);
}

static void size_of_the_data_file_is_compared(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *kind;
	} cases[] = {
		{IMAGE_DATA_BLOCKS * 65536ull, NULL},
		{IMAGE_DATA_BLOCKS * 65536ull - 1, "data_short"},
		{IMAGE_DATA_BLOCKS * 65536ull + 65536, "data_long"},
	};
	struct fixture *fix = *state;
	struct thin_findings findings = {0};
	struct error err = {0};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		write_pool(fix, cases[i].bytes);
		assert_int_equal(thin_file_check(fix->folder, 0, &findings, &err), 0);
		assert_int_equal(findings.total, cases[i].kind ? 1 : 0);
		assert_true(!cases[i].kind || found(&findings, cases[i].kind));
		thin_findings_release(&findings);
	}
}

static void a_writer_keeps_the_check_out_and_is_named(void **state)
{
	struct fixture *fix = *state;
	cleanup_free char *meta = xasprintf("%s/meta", fix->folder);
	cleanup_free char *owner = xasprintf("%s/owner", fix->folder);
	cleanup_fd int writer = -1;
	struct thin_findings findings = {0};
	struct error err = {0};
	char text[800];

	write_pool(fix, IMAGE_DATA_BLOCKS * 65536ull);
	writer = open(meta, O_RDWR | O_CLOEXEC);
	assert_int_equal(flock(writer, LOCK_EX | LOCK_NB), 0);
	assert_int_equal(thin_file_check(fix->folder, 30, &findings, &err), -1);
	assert_int_equal(err.kind, ERR_BUSY);
	assert_int_equal(fdio_replace_file(owner, "4711 pull", 9, &err), 0);
	assert_int_equal(thin_file_check(fix->folder, 0, &findings, &err), -1);
	assert_int_equal(err.kind, ERR_BUSY);
	error_text(&err, text, sizeof(text));
	assert_non_null(strstr(text, "4711 pull"));
	assert_int_equal(flock(writer, LOCK_UN), 0);
	assert_int_equal(thin_file_check(fix->folder, 0, &findings, &err), 0);
	assert_int_equal(findings.total, 0);
	unlink(owner);
}

static void no_pool_is_an_error_and_no_finding(void **state)
{
	struct fixture *fix = *state;
	cleanup_free char *none = xasprintf("%s/none", fix->folder);
	struct thin_findings findings = {0};
	struct error err = {0};

	assert_int_equal(thin_file_fsck(none, 0, &findings, &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_int_equal(thin_file_check(none, 0, &findings, &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_int_equal(thin_file_fsck(fix->folder, 0, &findings, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(restored_pool_is_clean_but_for_known_wrong_hints),
		cmocka_unit_test(pool_with_hints_put_right_has_no_findings),
		cmocka_unit_test(every_damaged_field_is_told),
		cmocka_unit_test(thin_check_0_9_misses_what_is_marked_so),
		cmocka_unit_test(no_damage_crashes_or_hangs_the_check),
		cmocka_unit_test(a_file_cut_short_anywhere_is_told),
		cmocka_unit_test(a_tree_without_end_is_cut),
		cmocka_unit_test(a_metadata_snapshot_is_clean),
		cmocka_unit_test(a_damaged_metadata_snapshot_is_told),
		cmocka_unit_test(size_of_the_data_file_is_compared),
		cmocka_unit_test(a_writer_keeps_the_check_out_and_is_named),
		cmocka_unit_test(no_pool_is_an_error_and_no_finding),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
