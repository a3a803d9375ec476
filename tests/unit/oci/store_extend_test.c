/* SPDX-License-Identifier: Apache-2.0 */
/* Larger pools: what was asked for, rounding, the metadata that goes along, and what is refused. */
#include <stdlib.h>

#include "oci/store.h"
#include "pkg/thin/file/engine.h"
#include "tests/support/cmocka.h"
#include "tests/support/store_fixture.h"

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

static struct store_fixture f; /* 256 MiB of data, 2 MiB of metadata */
static struct error err;

static int begin(void **state)
{
	(void)state;
	store_fixture_init(&f);
	return 0;
}

static int end(void **state)
{
	(void)state;
	store_fixture_release(&f);
	return 0;
}

static int extend(uint64_t data, bool add_data, uint64_t metadata, bool add_metadata)
{
	struct store_pool_size d = {data, add_data}, m = {metadata, add_metadata};

	error_clear(&err);
	return store_pool_extend(f.store, &d, &m, &err);
}

static void expect_sizes(uint64_t data, uint64_t metadata)
{
	struct thin_pool_status st;

	assert_ok(store_pool_status(f.store, &st, &err), &err);
	assert_int_equal(st.data_total_blocks * st.block_bytes, data);
	assert_int_equal(st.metadata_total_blocks * 4096, metadata);
}

static void totals_and_what_is_added(void **state)
{
	(void)state;
	assert_ok(extend(300 * MIB + 5, false, 0, false), &err);
	expect_sizes(300 * MIB, 2 * MIB);
	assert_ok(extend(1, true, 0, false), &err);
	expect_sizes(300 * MIB + STORE_FIXTURE_BLOCK, 2 * MIB);
	assert_ok(extend(0, false, 1, true), &err);
	expect_sizes(300 * MIB + STORE_FIXTURE_BLOCK, 2 * MIB + 4096);
	assert_ok(extend(700 * MIB, true, 5 * MIB, false), &err);
	expect_sizes(1000 * MIB + STORE_FIXTURE_BLOCK, 5 * MIB);
	/* The same once more changes nothing. */
	assert_ok(extend(1000 * MIB + STORE_FIXTURE_BLOCK, false, 5 * MIB, false), &err);
	expect_sizes(1000 * MIB + STORE_FIXTURE_BLOCK, 5 * MIB);
}

/* Else the metadata of a small pool would be full long before the data of the large one. */
static void metadata_goes_along_unless_it_is_said(void **state)
{
	(void)state;
	assert_ok(extend(10 * GIB, false, 0, false), &err);
	expect_sizes(10 * GIB, thin_file_metadata_bytes(10 * GIB, STORE_FIXTURE_BLOCK));
	assert_ok(extend(20 * GIB, false, 9 * MIB, false), &err);
	expect_sizes(20 * GIB, 9 * MIB);
	assert_ok(extend(0, false, 64 * MIB, false), &err);
	assert_ok(extend(GIB, true, 0, false), &err); /* more than the rule already */
	expect_sizes(21 * GIB, 64 * MIB);
}

static void what_cannot_be_changes_nothing(void **state)
{
	(void)state;
	assert_int_equal(extend(100 * MIB, false, 0, false), -1);
	assert_error(&err, ERR_USAGE, "268435456 bytes of data and cannot shrink to 104857600");
	assert_int_equal(extend(0, false, MIB, false), -1);
	assert_error(&err, ERR_USAGE, "2097152 bytes of metadata and cannot shrink to 1048576");
	assert_int_equal(extend(GIB, false, 16 * GIB, false), -1);
	assert_error(&err, ERR_USAGE, "at most 17045913600");
	assert_int_equal(extend(UINT64_MAX, true, 0, false), -1);
	assert_error(&err, ERR_USAGE, "are too many");
	assert_int_equal(extend(UINT64_MAX - MIB, true, 0, false), -1);
	assert_error(&err, ERR_USAGE, "are too many");
	expect_sizes(256 * MIB, 2 * MIB);
}

/* Nothing but the pool's size: images, containers and those who look are as before. */
static void what_is_in_the_pool_stays(void **state)
{
	struct snapshots *reader = NULL;
	struct thin_volume *volume = NULL;
	struct snapshots *session = NULL;
	uint64_t used;
	uint8_t byte;

	(void)state;
	store_fixture_image(&f, "one", "abc", "");
	store_fixture_container(&f, "one", "box");
	store_fixture_write(&f, "box", 3, 5);
	used = store_fixture_used(&f);
	assert_ok(store_read(f.store, &reader, &err), &err);
	assert_ok(store_open_volume(f.store, "box", &session, &volume, &err), &err);
	assert_ok(extend(2 * GIB, false, 0, false), &err);
	assert_ok(thin_volume_read(volume, &byte, 1, 0, &err), &err);
	assert_int_equal(snapshots_record(reader)->n, 5);
	thin_volume_close(volume);
	snapshots_close(session);
	snapshots_close(reader);
	assert_int_equal(store_fixture_used(&f), used);
	store_fixture_container(&f, "one", "another");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(totals_and_what_is_added, begin, end),
		cmocka_unit_test_setup_teardown(metadata_goes_along_unless_it_is_said, begin, end),
		cmocka_unit_test_setup_teardown(what_cannot_be_changes_nothing, begin, end),
		cmocka_unit_test_setup_teardown(what_is_in_the_pool_stays, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
