/* SPDX-License-Identifier: Apache-2.0 */
/* The guard, and what a pool that is extended is extended to. */
#include "oci/store_internal.h"

#include <stdlib.h>
#include <sys/statvfs.h>

#include "pkg/base/alloc.h"
#include "tests/support/cmocka.h"
#include "tests/support/store_fixture.h"

#define MIB (UINT64_C(1) << 20)

static struct store_fixture f;
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

static struct store *open_guarded(const char *pool, unsigned data_percent,
				  unsigned metadata_percent)
{
	struct store_fixture_guard guard = {data_percent, metadata_percent, {50, 20}};

	return store_fixture_open_guarded(&f, pool, &guard);
}

/* --- the guard -------------------------------------------------------------------------------- */

/* What the guard says to this need with these parts to be kept free. */
static int guard(unsigned data_percent, unsigned metadata_percent, uint64_t need_bytes)
{
	cleanup(store_close_ptr) struct store *s =
		open_guarded("default", data_percent, metadata_percent);
	cleanup(snapshots_close_ptr) struct snapshots *session = NULL;

	error_clear(&err);
	assert_ok(store_read(s, &session, &err), &err);
	return store_guard(s, snapshots_pool(session), need_bytes, &err);
}

static void the_guard_keeps_a_part_of_the_data_free(void **state)
{
	struct thin_pool_status status;
	uint64_t free_bytes;

	(void)state;
	assert_ok(store_pool_status(f.store, &status, &err), &err);
	free_bytes = (status.data_total_blocks - status.data_used_blocks) * status.block_bytes;
	assert_ok(guard(0, 0, free_bytes), &err);
	assert_int_equal(guard(0, 0, free_bytes + 1), -1);
	assert_error(&err, ERR_NO_SPACE, "MiB of data are needed");
	/* A tenth of 256 MiB; also with less than a hundred blocks to take it of. */
	assert_ok(guard(10, 0, free_bytes - 26 * MIB), &err);
	assert_int_equal(guard(10, 0, free_bytes - 25 * MIB), -1);
	assert_error(&err, ERR_NO_SPACE, "10 % must stay free");
	assert_int_equal(guard(0, 0, UINT64_MAX / 2), -1);
	assert_int_equal(err.kind, ERR_NO_SPACE);
	assert_int_equal(guard(0, 0, UINT64_MAX), -1);
	assert_int_equal(err.kind, ERR_NO_SPACE);
}

static void the_guard_keeps_a_part_of_the_metadata_free(void **state)
{
	(void)state;
	assert_ok(guard(0, 50, MIB), &err);
	assert_int_equal(guard(0, 100, MIB), -1);
	assert_error(&err, ERR_NO_SPACE, "metadata blocks are needed");
}

static void a_small_pool_is_guarded_as_well(void **state)
{
	struct store_pool_params params = {.data_bytes = 96 * MIB,
					   .block_bytes = 1 << 20,
					   .base_bytes = 16 * MIB};
	cleanup(store_close_ptr) struct store *s = open_guarded("small", 50, 0);
	cleanup(snapshots_close_ptr) struct snapshots *session = NULL;

	(void)state;
	assert_ok(store_pool_create(s, &params, &err), &err);
	assert_ok(store_read(s, &session, &err), &err);
	assert_ok(store_guard(s, snapshots_pool(session), 30 * MIB, &err), &err);
	assert_int_equal(store_guard(s, snapshots_pool(session), 60 * MIB, &err), -1);
	assert_error(&err, ERR_NO_SPACE, "50 % must stay free");
}

/* A pool is sparse: what it promises the host may not have. */
static void the_guard_looks_at_the_host_too(void **state)
{
	struct store_pool_params params = {.block_bytes = 64 << 20, .base_bytes = 16 * MIB};
	cleanup(store_close_ptr) struct store *s = NULL;
	cleanup(snapshots_close_ptr) struct snapshots *session = NULL;
	struct statvfs fs;
	uint64_t free_bytes;

	(void)state;
	assert_int_equal(statvfs(f.root, &fs), 0);
	free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
	params.data_bytes = free_bytes / MIB * MIB + 8192 * MIB;
	if (params.data_bytes > UINT64_C(8) << 40) /* ext4 has no such file */
		skip();
	s = open_guarded("large", 0, 0);
	assert_ok(store_pool_create(s, &params, &err), &err);
	assert_ok(store_read(s, &session, &err), &err);
	assert_int_equal(store_guard(s, snapshots_pool(session), free_bytes + 4096 * MIB, &err),
			 -1);
	assert_error(&err, ERR_NO_SPACE, "the file system of");
}

/* Of a host that has a little less than it has free. */
static void a_part_of_the_host_is_kept(void **state)
{
	struct statvfs fs;
	uint64_t free_bytes, all;

	(void)state;
	assert_int_equal(statvfs(f.root, &fs), 0);
	free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
	all = (uint64_t)fs.f_blocks * fs.f_frsize;
	if (free_bytes < all / 100 + 64 * MIB)
		skip();
	assert_ok(store_guard_host(f.root, MIB, &err), &err);
	assert_int_equal(store_guard_host(f.root, free_bytes - MIB, &err), -1);
	assert_error(&err, ERR_NO_SPACE, "MiB to spare");
	assert_int_equal(store_guard_host("/nowhere", MIB, &err), -1);
	assert_int_equal(err.kind, ERR_SYSTEM);
}

/* --- how much more ---------------------------------------------------------------------------- */

/* 64 KiB blocks: 1000 of data, 1000 of metadata. */
static struct thin_pool_status pool_with(uint64_t data_used, uint64_t metadata_used)
{
	return (struct thin_pool_status){.engine = "kernel",
					 .mode = "rw",
					 .block_bytes = 65536,
					 .data_used_blocks = data_used,
					 .data_total_blocks = 1000,
					 .metadata_used_blocks = metadata_used,
					 .metadata_total_blocks = 1000};
}

static void expect_room(struct thin_pool_status st, uint64_t need_blocks, unsigned threshold,
			uint64_t host_blocks, uint64_t data_blocks, uint64_t metadata_blocks,
			bool cut)
{
	struct store_autoextend how = {.threshold = threshold, .percent = 20};
	struct store_room room;
	bool is_cut;

	store_room_plan(&st, need_blocks * 65536, &how, host_blocks * 65536, &room, &is_cut);
	assert_int_equal(room.data_bytes, data_blocks * 65536);
	assert_int_equal(room.metadata_bytes, metadata_blocks * 4096);
	assert_int_equal(is_cut, cut);
}

static void a_pool_grows_above_the_threshold(void **state)
{
	const uint64_t much = 1 << 20;

	(void)state;
	expect_room(pool_with(800, 800), 0, 80, much, 0, 0, false);
	expect_room(pool_with(801, 800), 0, 80, much, 1201, 0, false);
	expect_room(pool_with(800, 801), 0, 80, much, 0, 1201, false);
	expect_room(pool_with(1000, 1000), 0, 80, much, 1442, 1442, false);
	/* in one go also where one step would not do */
	expect_room(pool_with(1000, 0), 0, 50, much, 2078, 0, false);
	expect_room(pool_with(1000, 1000), 0, 100, much, 0, 0, false);
}

static void what_is_needed_counts_as_used(void **state)
{
	const uint64_t much = 1 << 20;

	(void)state;
	expect_room(pool_with(700, 0), 100, 80, much, 0, 0, false);
	expect_room(pool_with(700, 0), 101, 80, much, 1201, 0, false);
	/* 48 bytes for each block, and one */
	expect_room(pool_with(0, 790), 800, 80, much, 0, 0, false);
	expect_room(pool_with(0, 791), 800, 80, much, 0, 1201, false);
}

static void no_more_than_the_host_has(void **state)
{
	(void)state;
	expect_room(pool_with(801, 0), 0, 80, 201, 1201, 0, false);
	expect_room(pool_with(801, 0), 0, 80, 200, 1200, 0, true);
	expect_room(pool_with(801, 0), 0, 80, 0, 0, 0, true);
	/* metadata first: 201 blocks of 4 KiB are 12.6 of 64 */
	expect_room(pool_with(801, 801), 0, 80, 20, 1007, 1201, true);
	expect_room(pool_with(801, 801), 0, 80, 12, 1012, 0, true);
	/* what cannot be had for the need is had for what is there */
	expect_room(pool_with(801, 0), 5000, 80, 300, 1201, 0, true);
	expect_room(pool_with(700, 0), 5000, 80, 300, 0, 0, true);
}

static void numbers_as_large_as_they_come(void **state)
{
	struct thin_pool_status st = pool_with(900, 4161599);
	struct store_autoextend how = {.threshold = 80, .percent = 1};
	struct store_room room;
	bool cut;

	(void)state;
	st.metadata_total_blocks = 4161600; /* as many as the format has */
	store_room_plan(&st, UINT64_MAX / 2, &how, UINT64_MAX / 2, &room, &cut);
	assert_true(cut);
	assert_int_equal(room.metadata_bytes, 0);
	assert_true(room.data_bytes >= 1125 * UINT64_C(65536));
	assert_true(room.data_bytes < 1150 * UINT64_C(65536));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(the_guard_keeps_a_part_of_the_data_free),
		CASE(the_guard_keeps_a_part_of_the_metadata_free),
		CASE(a_small_pool_is_guarded_as_well),
		CASE(the_guard_looks_at_the_host_too),
		CASE(a_part_of_the_host_is_kept),
		cmocka_unit_test(a_pool_grows_above_the_threshold),
		cmocka_unit_test(what_is_needed_counts_as_used),
		cmocka_unit_test(no_more_than_the_host_has),
		cmocka_unit_test(numbers_as_large_as_they_come),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
