/* SPDX-License-Identifier: Apache-2.0 */
/* What the trees say of the devices, and the metadata snapshot. */
#include "pkg/thin/file/fsck.h"

#include <stdlib.h>

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

static void damaged_devices_are_told(void **state)
{
	static const struct fsck_damage table[] = {
		{SUPER, 44, 4, SET, IMAGE_TIME - 1, "time", BLIND},
		{SUPER, 44, 4, SET, 0x1000000, "time", BLIND},
		{SUPER, 48, 8, SET, 2, "transaction_id", BLIND},
		{SUPER, 328, 8, POINT, DETAILS_LEAF, "details_missing", 0},
		{TOP_ROOT, 16, 4, ADD, UINT64_MAX, "mapping_missing", 0},
		{BIG_ROOT, 16, 4, ADD, UINT64_MAX, "mapped_blocks", 0},
		{DETAILS_ROOT, 16, 4, ADD, UINT64_MAX, "details_missing", 0},
		{TOP_LEAF, KEY(1), 8, ADD, UINT64_C(1) << 24, "device_id", 0},
		{TOP_LEAF, VALUE8(1), 8, POINT, BIG_ROOT, "mapped_blocks", 0},
		{BIG_LEAF, 16, 4, ADD, UINT64_MAX, "mapped_blocks", BLIND},
		{BIG_LEAF, VALUE8(5), 8, TIME, IMAGE_TIME + 1, "time", BLIND},
		{SMALL_ROOT, 16, 4, SET, 0, "mapped_blocks", BLIND},
		{DETAILS_LEAF, 16, 4, ADD, UINT64_MAX, "details_missing", BLIND},
		{DETAILS_LEAF, VALUE24(0), 8, ADD, 1, "mapped_blocks", BLIND},
		{DETAILS_LEAF, VALUE24(0) + 8, 8, ADD, 100, "transaction_id", BLIND},
		{DETAILS_LEAF, VALUE24(0) + 16, 4, SET, IMAGE_TIME + 1, "time", BLIND},
		{DETAILS_LEAF, VALUE24(0) + 20, 4, SET, IMAGE_TIME + 1, "time", BLIND},
		{DETAILS_LEAF, VALUE24(1) + 20, 4, SET, 0, "time", BLIND},
	};
	struct thin_image *fix = *state;

	fsck_damage_check(fix, fix->clean, table, ARRAY_SIZE(table));
}

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
	static const struct fsck_damage held[] = {
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
		fsck_damage_apply_at(image, 500, &held[i]);
		thin_image_check(image, IMAGE_BYTES, &findings);
		if (!thin_image_found(&findings, held[i].kind))
			fail_msg("metadata snapshot, mutation %zu: no %s", i, held[i].kind);
		thin_findings_release(&findings);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(damaged_devices_are_told),
		cmocka_unit_test(a_metadata_snapshot_is_clean),
		cmocka_unit_test(a_damaged_metadata_snapshot_is_told),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
