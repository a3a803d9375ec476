/* SPDX-License-Identifier: Apache-2.0 */
/* Both space maps against what the trees count. */
#include "pkg/thin/file/fsck.h"

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "tests/support/cmocka.h"
#include "tests/support/fsck_damage.h"
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

static void wrong_counts_and_hints_are_told(void **state)
{
	static const struct fsck_damage table[] = {
		{SUPER, DATA_SM, 8, SET, 3 * 16320, "bitmap_missing", BLIND},
		{SUPER, DATA_SM, 8, SET, 1500, "data_range", BLIND},
		{SUPER, DATA_SM, 8, SET, UINT64_MAX, "space_map_size", BLIND},
		{SUPER, DATA_SM + 8, 8, ADD, 1, "nr_allocated", BLIND},
		{SUPER, DATA_SM + 8, 8, SET, 0, "nr_allocated", BLIND},
		{SUPER, METADATA_SM, 8, SET, 0, "space_map_size", BLIND},
		{SUPER, METADATA_SM, 8, SET, 4161601, "space_map_size", 0},
		{SUPER, METADATA_SM + 8, 8, ADD, 1, "nr_allocated", BLIND},
		{SUPER, 320, 8, POINT, TOP_LEAF, "metadata_refcount", 0},
		{TOP_ROOT, 4, 4, SET, 2, "metadata_refcount", 0},
		{TOP_LEAF, VALUE8(1), 8, POINT, BIG_LEAF, "metadata_refcount", 0},
		{BIG_LEAF, VALUE8(5), 8, MAP, 1, "data_refcount", BLIND},
		{BIG_LEAF, VALUE8(5), 8, MAP, IMAGE_DATA_BLOCKS, "data_range", BLIND},
		{DATA_INDEX, 16, 4, SET, 1, "bitmap_missing", 0},
		{DATA_INDEX, KEY(1), 8, SET, 2, "unused_index", BLIND},
		{DATA_INDEX, VALUE16(0), 8, POINT, META_BITMAP, "metadata_refcount", 0},
		{DATA_INDEX, VALUE16(0), 8, POINT, DATA_LAST_BITMAP, "metadata_refcount", 0},
		{DATA_INDEX, VALUE16(0) + 8, 4, ADD, 1, "nr_free", BLIND},
		{DATA_INDEX, VALUE16(1) + 8, 4, SET, IMAGE_DATA_BLOCKS - 16320, "nr_free", BLIND},
		{DATA_INDEX, VALUE16(1) + 12, 4, SET, 1, "none_free_before", BLIND},
		{DATA_BITMAP, 16 + 255, 1, SET, 0, "data_refcount", BLIND},
		{DATA_BITMAP, 16 + 255, 1, SET, 0x55, "data_refcount", BLIND},
		{DATA_BITMAP, 16, 1, SET, 0xaa, "overflow", BLIND},
		{DATA_BITMAP, 16 + 255, 1, SET, 0xff, "overflow", BLIND},
		{DATA_LAST_BITMAP, 16 + 3000, 1, SET, 2, "bits_past_end", BLIND},
		{DATA_LAST_BITMAP, 16, 1, SET, 2, "data_refcount", BLIND},
		{DATA_OVERFLOW, 16, 4, ADD, UINT64_MAX, "overflow", BLIND},
		{DATA_OVERFLOW, KEY(IMAGE_SHARED_BLOCKS - 1), 8, SET, 1001, "overflow", BLIND},
		{DATA_OVERFLOW, KEY(IMAGE_SHARED_BLOCKS - 1), 8, SET, HUGE_BLOCK, "overflow",
		 BLIND},
		{DATA_OVERFLOW, VALUE4(0), 4, ADD, UINT64_MAX, "data_refcount", BLIND},
		{DATA_OVERFLOW, VALUE4(0), 4, SET, 2, "overflow", BLIND},
		{META_INDEX, ENTRY(0), 8, SET, 0, "bitmap_missing", 0},
		{META_INDEX, ENTRY(0), 8, POINT, DATA_BITMAP, "used_twice", 0},
		{META_INDEX, ENTRY(0) + 8, 4, ADD, 1, "nr_free", BLIND},
		{META_INDEX, ENTRY(0) + 12, 4, SET, IMAGE_BLOCKS, "none_free_before", BLIND},
		{META_INDEX, ENTRY(1), 8, SET, 1, "unused_index", BLIND},
		{META_INDEX, ENTRY(254) + 12, 4, SET, 1, "unused_index", BLIND},
		{META_BITMAP, 16, 1, SET, 0x55, "metadata_refcount", 0},
		{META_BITMAP, 16, 1, SET, 0, "metadata_refcount", 0},
		{META_BITMAP, 16 + 122, 1, SET, 2, "metadata_refcount", 0},
		{META_BITMAP, 16 + 122, 1, SET, 3, "overflow", 0},
		{META_BITMAP, 16 + 128, 1, SET, 1, "bits_past_end", BLIND},
		{META_OVERFLOW, 16, 4, SET, 1, "overflow", BLIND},
	};
	struct thin_image *fix = *state;

	fsck_damage_check(fix, fix->clean, table, ARRAY_SIZE(table));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrong_counts_and_hints_are_told),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
