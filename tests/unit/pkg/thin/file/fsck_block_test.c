/* SPDX-License-Identifier: Apache-2.0 */
/* Each block by itself and in its place: checksums, headers, keys, depth, fill, one use. */
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

static void damaged_headers_and_sums_are_told(void **state)
{
	static const struct fsck_damage table[] = {
		{SUPER, 0, 4, ADD, 1, "checksum", KEEP_SUM},
		{SUPER, 2000, 4, ADD, 1, "checksum", KEEP_SUM},
		{SUPER, 8, 8, ADD, 1, "blocknr", BLIND},
		{SUPER, 56, 8, SET, 480, "checksum", 0},
		{TOP_ROOT, 0, 4, ADD, 1, "checksum", KEEP_SUM},
		{TOP_ROOT, 4, 4, SET, 3, "node_header", 0},
		{TOP_ROOT, 8, 8, ADD, 1, "blocknr", 0},
		{TOP_ROOT, 16, 4, SET, 0, "node_header", 0},
		{TOP_ROOT, 16, 4, SET, 253, "node_header", 0},
		{TOP_ROOT, 20, 4, SET, 253, "node_header", 0},
		{TOP_ROOT, 20, 4, SET, UINT32_MAX, "node_header", 0},
		{TOP_ROOT, 24, 4, SET, 16, "node_header", 0},
		{TOP_ROOT, 28, 4, SET, 1, "reserved", BLIND},
		{BIG_ROOT, 4, 4, SET, 1 << 8, "node_header", 0},
		{DETAILS_ROOT, 24, 4, SET, 24, "node_header", 0},
		{BIG_LEAF, 8, 8, ADD, 1, "blocknr", 0},
		{BIG_LEAF, 20, 4, SET, 126, "node_header", BLIND},
		{BIG_LEAF, 24, 4, SET, 4, "node_header", 0},
		{BIG_LEAF, 28, 4, SET, 7, "reserved", BLIND},
		{DETAILS_LEAF, 8, 8, ADD, 1, "blocknr", 0},
		{DATA_INDEX, 8, 8, ADD, 1, "blocknr", 0},
		{DATA_INDEX, 4, 4, SET, 1, "node_header", 0},
		{DATA_INDEX, 24, 4, SET, 8, "node_header", 0},
		{DATA_BITMAP, 0, 4, ADD, 1, "checksum", KEEP_SUM},
		{DATA_BITMAP, 8, 8, ADD, 1, "blocknr", 0},
		{DATA_BITMAP, 4, 4, SET, 1, "reserved", BLIND},
		{DATA_OVERFLOW, 8, 8, ADD, 1, "blocknr", 0},
		{DATA_OVERFLOW, 24, 4, SET, 8, "node_header", 0},
		{META_INDEX, 0, 4, ADD, 1, "checksum", KEEP_SUM},
		{META_INDEX, 8, 8, ADD, 1, "blocknr", 0},
		{META_INDEX, 4, 4, SET, 1, "reserved", BLIND},
		{META_INDEX, ENTRY(0), 8, SET, 480, "checksum", 0},
		{META_BITMAP, 0, 4, ADD, 1, "checksum", KEEP_SUM},
		{META_BITMAP, 8, 8, ADD, 1, "blocknr", 0},
		{META_BITMAP, 4, 4, SET, 1, "reserved", BLIND},
		{META_OVERFLOW, 8, 8, ADD, 1, "blocknr", 0},
		{META_OVERFLOW, 24, 4, SET, 24, "node_header", 0},
	};
	struct thin_image *fix = *state;

	fsck_damage_check(fix, fix->clean, table, ARRAY_SIZE(table));
}

static void blocks_in_the_wrong_place_are_told(void **state)
{
	static const struct fsck_damage table[] = {
		{SUPER, 56, 8, SET, HUGE_BLOCK, "metadata_range", 0},
		{SUPER, 56, 8, POINT, BIG_LEAF, "used_twice", 0},
		{SUPER, DATA_SM + 16, 8, POINT, TOP_ROOT, "used_twice", 0},
		{SUPER, DATA_SM + 24, 8, SET, 0, "used_twice", 0},
		{SUPER, DATA_SM + 24, 8, SET, HUGE_BLOCK, "metadata_range", 0},
		{SUPER, METADATA_SM + 16, 8, SET, 1000000, "metadata_range", 0},
		{SUPER, METADATA_SM + 24, 8, POINT, DATA_OVERFLOW, "used_twice", 0},
		{SUPER, 320, 8, POINT, DETAILS_ROOT, "used_twice", 0},
		{SUPER, 328, 8, SET, UINT64_MAX, "metadata_range", 0},
		{TOP_ROOT, KEY(0), 8, SET, 1, "key_bounds", 0},
		{TOP_ROOT, KEY(1), 8, SET, 0, "key_order", 0},
		{TOP_ROOT, KEY(1), 8, ADD, 1, "key_bounds", 0},
		{TOP_ROOT, KEY(1), 8, ADD, UINT64_MAX, "key_bounds", BLIND},
		{TOP_ROOT, VALUE8(0), 8, POINT, TOP_ROOT, "cycle", 0},
		{TOP_ROOT, VALUE8(1), 8, POINT, TOP_LEAF, "key_bounds", 0},
		{TOP_ROOT, VALUE8(1), 8, POINT, SMALL_ROOT, "used_twice", 0},
		{TOP_ROOT, VALUE8(1), 8, SET, 0, "used_twice", 0},
		{BIG_ROOT, KEY(1), 8, SET, UINT64_MAX, "key_order", 0},
		{BIG_ROOT, VALUE8(1), 8, POINT, BIG_LEAF, "key_bounds", 0},
		{BIG_ROOT, VALUE8(1), 8, POINT, BIG_ROOT, "cycle", 0},
		{BIG_ROOT, VALUE8(1), 8, SET, 1000000, "metadata_range", 0},
		{BIG_ROOT, VALUE8(0), 8, POINT, SMALL_ROOT, "min_fill", 0},
		{DETAILS_ROOT, VALUE8(1), 8, POINT, DETAILS_LEAF, "key_bounds", 0},
		{DETAILS_ROOT, VALUE8(0), 8, POINT, META_BITMAP, "used_twice", 0},
		{TOP_LEAF, 16, 4, SET, 20, "min_fill", 0},
		{TOP_LEAF, KEY(1), 8, SET, 0, "key_order", 0},
		{TOP_LEAF, VALUE8(1), 8, POINT, TOP_LEAF, "used_twice", 0},
		{BIG_LEAF, 4, 4, SET, 1, "metadata_range", 0},
		{BIG_LEAF, 16, 4, SET, 83, "min_fill", 0},
		{BIG_LEAF, KEY(3), 8, SET, 2, "key_order", 0},
		{BIG_LEAF, KEY(0), 8, SET, 5, "key_order", 0},
		{SMALL_ROOT, 16, 4, ADD, 1, "key_order", 0},
		{SMALL_ROOT, KEY(0), 8, ADD, 1, "key_order", 0},
		{DETAILS_LEAF, 16, 4, SET, 41, "min_fill", 0},
		{DETAILS_LEAF, KEY(0), 8, ADD, 1, "key_order", 0},
		{DATA_INDEX, KEY(1), 8, SET, 0, "key_order", 0},
		{DATA_INDEX, VALUE16(0), 8, SET, HUGE_BLOCK, "metadata_range", 0},
		{DATA_OVERFLOW, KEY(0), 8, ADD, 1, "key_order", 0},
	};
	struct thin_image *fix = *state;

	fsck_damage_check(fix, fix->clean, table, ARRAY_SIZE(table));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(damaged_headers_and_sums_are_told),
		cmocka_unit_test(blocks_in_the_wrong_place_are_told),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
