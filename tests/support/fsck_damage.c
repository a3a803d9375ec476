/* SPDX-License-Identifier: Apache-2.0 */
/* Knows where each kind of block is in an image of thin_image. */
#include "tests/support/fsck_damage.h"

#include <stdlib.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "tests/support/cmocka.h"
#include "tests/support/thin_tools.h"

static uint64_t child(uint8_t *image, uint64_t node, uint32_t i)
{
	return tf_node_value64(thin_image_block(image, node), i);
}

static uint64_t data_bitmap(uint8_t *image, uint32_t i)
{
	uint8_t *leaf = thin_image_block(image, thin_image_superblock(image).data_sm.bitmap_root);

	return get_le64(tf_node_value(leaf, i));
}

uint64_t fsck_damage_block(uint8_t *image, enum place place)
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

void fsck_damage_apply_at(uint8_t *image, uint64_t nr, const struct fsck_damage *m)
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
		v = fsck_damage_block(image, (enum place)m->value);
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

static bool is_told(uint8_t *image, const struct fsck_damage *m)
{
	struct thin_findings findings = {0};
	bool told;

	thin_image_check(image, IMAGE_BYTES, &findings);
	told = thin_image_found(&findings, m->kind);
	if (!told)
		thin_tools_show(&findings);
	thin_findings_release(&findings);
	return told;
}

void fsck_damage_check(const struct thin_image *fix, const uint8_t *clean,
		       const struct fsck_damage *table, size_t n)
{
	cleanup_free uint8_t *image = xmalloc(IMAGE_BYTES);
	bool ask_thin_check = thin_tools_check_major() == 0; /* versions from 1.0 see more */
	unsigned wrong = 0;

	for (size_t i = 0; i < n; i++) {
		const struct fsck_damage *m = &table[i];
		const char *what = NULL;

		memcpy(image, clean, IMAGE_BYTES);
		fsck_damage_apply_at(image, fsck_damage_block(image, m->place), m);
		if (!memcmp(image, clean, IMAGE_BYTES))
			what = "changes nothing";
		else if (!is_told(image, m))
			what = "is not told";
		else if (ask_thin_check && (m->flags & BLIND)
			 && thin_image_thin_check(fix->folder, image) != 0)
			what = "is seen by thin_check";
		if (!what)
			continue;
		wrong++;
		print_error("damage %zu (place %d, offset %u, value %llu, %s) %s\n", i, m->place,
			    m->offset, (unsigned long long)m->value, m->kind, what);
	}
	assert_int_equal(wrong, 0);
}
