/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of pools there and back, and whose a device is by its UUID. */
#include "pkg/thin/kernel/table.h"

#include <stdlib.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "tests/support/cmocka.h"

static struct error err;

static const uint8_t pool[THIN_UUID_BYTES] = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,
					      0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54, 0x32, 0x10};

static void names_of_parts_and_thin_devices(void **state)
{
	struct kernel_names n;
	char prefix[DEVMAP_UUID_BYTES];

	(void)state;
	kernel_names_part(pool, "pool", &n);
	assert_string_equal(n.name, "thinpull-0123456789ab-pool");
	assert_string_equal(n.uuid, "THINPULL-0123456789abcdeffedcba9876543210-pool");
	kernel_names_thin(pool, 0, &n);
	assert_string_equal(n.name, "thinpull-0123456789ab-0");
	assert_string_equal(n.uuid, "THINPULL-0123456789abcdeffedcba9876543210-0");
	kernel_names_thin(pool, THIN_ID_MAX, &n);
	assert_string_equal(n.uuid, "THINPULL-0123456789abcdeffedcba9876543210-16777215");
	kernel_names_prefix(pool, prefix);
	assert_int_equal(strncmp(n.uuid, prefix, strlen(prefix)), 0);
	assert_string_equal(prefix, "THINPULL-0123456789abcdeffedcba9876543210-");
}

static void thin_ids_from_uuids(void **state)
{
	static const uint32_t ids[] = {0, 1, 9, 10, 65536, THIN_ID_MAX};
	struct kernel_names n;
	uint32_t id;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		kernel_names_thin(pool, ids[i], &n);
		assert_true(kernel_names_parse_thin(n.uuid, &id));
		assert_int_equal(id, ids[i]);
		assert_false(kernel_names_parse_volume(n.uuid, &id));
		kernel_names_volume(pool, ids[i], &n);
		id = 0;
		assert_true(kernel_names_parse_volume(n.uuid, &id));
		assert_int_equal(id, ids[i]);
		assert_false(kernel_names_parse_thin(n.uuid, &id));
	}
}

static void other_uuids_have_none(void **state)
{
	static const char *const others[] = {
		"",
		"THINPULL-",
		"THINPULL-0123456789abcdeffedcba9876543210",
		"THINPULL-0123456789abcdeffedcba9876543210-",
		"THINPULL-0123456789abcdeffedcba9876543210-pool",
		"THINPULL-0123456789abcdeffedcba9876543210-meta",
		"THINPULL-0123456789abcdeffedcba9876543210-1x",
		"THINPULL-0123456789abcdeffedcba9876543210-1-volumes",
		"THINPULL-0123456789abcdeffedcba9876543210-01-volume",
		"THINPULL-0123456789abcdeffedcba9876543210--volume",
		"THINPULL-0123456789abcdeffedcba9876543210-1 ",
		"THINPULL-0123456789abcdeffedcba9876543210- 1",
		"THINPULL-0123456789abcdeffedcba9876543210-01",
		"THINPULL-0123456789abcdeffedcba9876543210--1",
		"THINPULL-0123456789abcdeffedcba9876543210-16777216",
		"THINPULL-0123456789abcdeffedcba9876543210-18446744073709551617",
		"THINPULL-0123456789abcdeffedcba987654321-1",
		"THINPULL-0123456789abcdeffedcba98765432100-1",
		"THINPULL-0123456789ABCDEFFEDCBA9876543210-1",
		"thinpull-0123456789abcdeffedcba9876543210-1",
		"LVM-0123456789abcdeffedcba9876543210-1",
	};
	uint32_t id = 42;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		assert_false(kernel_names_parse_thin(others[i], &id)
			     || kernel_names_parse_volume(others[i], &id));
	assert_int_equal(id, 42);
}

static void tables_there_and_back(void **state)
{
	(void)state;
	for (unsigned set = 0; set < 32; set++) {
		struct kernel_pool_table t = {.metadata = "254:1048575",
					      .data = "7:0",
					      .block_sectors = 128,
					      .low_water_blocks = UINT64_MAX,
					      .skip_zeroing = set & 1,
					      .ignore_discard = set & 2,
					      .no_discard_passdown = set & 4,
					      .read_only = set & 8,
					      .error_if_no_space = set & 16},
					 back;
		cleanup_free char *params = kernel_pool_table_format(&t);

		assert_ok(kernel_pool_table_parse(params, &back, &err), &err);
		assert_string_equal(back.metadata, t.metadata);
		assert_string_equal(back.data, t.data);
		assert_int_equal(back.block_sectors, 128);
		assert_true(back.low_water_blocks == UINT64_MAX);
		assert_int_equal(back.skip_zeroing, t.skip_zeroing);
		assert_int_equal(back.ignore_discard, t.ignore_discard);
		assert_int_equal(back.no_discard_passdown, t.no_discard_passdown);
		assert_int_equal(back.read_only, t.read_only);
		assert_int_equal(back.error_if_no_space, t.error_if_no_space);
	}
}

static void tables_as_written(void **state)
{
	struct kernel_pool_table t = {.metadata = "7:1", .data = "7:2", .block_sectors = 1024};
	cleanup_free char *plain = kernel_pool_table_format(&t);
	cleanup_free char *two = NULL;

	(void)state;
	assert_string_equal(plain, "7:1 7:2 1024 0 0");
	t.skip_zeroing = t.error_if_no_space = true;
	t.low_water_blocks = 5;
	two = kernel_pool_table_format(&t);
	assert_string_equal(two, "7:1 7:2 1024 5 2 skip_block_zeroing error_if_no_space");
}

static void features_may_be_left_out_or_unknown(void **state)
{
	struct kernel_pool_table t;

	(void)state;
	assert_ok(kernel_pool_table_parse("7:1 7:2 128 0", &t, &err), &err);
	assert_false(t.skip_zeroing);
	assert_ok(kernel_pool_table_parse("7:1 7:2 128 0 2 of_tomorrow read_only ", &t, &err),
		  &err);
	assert_true(t.read_only);
}

static void no_tables(void **state)
{
	static const char *const bad[] = {
		"",
		"7:1",
		"7:1 7:2",
		"7:1 7:2 128",
		"7:1 7:2 0 0",
		"7:1 7:2 4294967296 0",
		"7:1 7:2 128 x",
		"7:1 7:2 128 0 x",
		"7:1 7:2 128 0 1",
		"7:1 7:2 128 0 2 read_only",
		"7:1 7:2 128 0 0 read_only",
		"7:1 7:2 128 0 18446744073709551615 read_only",
		"a-name-that-is-longer-than-any-pair-of-numbers 7:2 128 0",
	};
	struct kernel_pool_table t;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(kernel_pool_table_parse(bad[i], &t, &err), -1);
		assert_error(&err, ERR_INVALID, "table of a thin-pool");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_of_parts_and_thin_devices),
		cmocka_unit_test(thin_ids_from_uuids),
		cmocka_unit_test(other_uuids_have_none),
		cmocka_unit_test(tables_there_and_back),
		cmocka_unit_test(tables_as_written),
		cmocka_unit_test(features_may_be_left_out_or_unknown),
		cmocka_unit_test(no_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
