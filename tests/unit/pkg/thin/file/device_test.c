/* SPDX-License-Identifier: Apache-2.0 */
/* Thin devices as entries of two trees: ids, times, counters, and what refuses. */
#include "pkg/thin/pool.h"

#include <stdlib.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/thin/file/pool_internal.h"
#include "tests/support/cmocka.h"
#include "tests/support/thin_fixture.h"

#define BLOCK ((uint64_t)FIXTURE_BLOCK)

static void devices_are_listed_in_order(void **state)
{
	struct thin_fixture f;
	struct error err = {0};
	cleanup_free struct thin_device *list = NULL;
	size_t n;

	(void)state;
	thin_fixture_init(&f, 1000, 8 << 20);
	/* Enough to split the leaves of both trees, in an order that is not theirs. */
	for (uint32_t i = 0; i < 700; i++)
		thin_fixture_create(&f, i * 193 % 701);
	thin_fixture_commit(&f);
	thin_fixture_check(&f);
	assert_int_equal(thin_pool_devices(f.pool, &list, &n, &err), 0);
	assert_int_equal(n, 700);
	for (size_t i = 1; i < n; i++)
		assert_true(list[i - 1].id < list[i].id);
	assert_int_equal(thin_fixture_status(&f).thin_count, 700);
	for (uint32_t i = 0; i < 700; i++) {
		thin_fixture_delete(&f, i * 193 % 701);
		if (i % 97 == 0) {
			thin_fixture_commit(&f);
			thin_fixture_check(&f);
		}
	}
	thin_fixture_commit(&f);
	thin_fixture_check(&f);
	assert_int_equal(thin_fixture_status(&f).thin_count, 0);
	thin_fixture_release(&f);
}

static void mistakes_are_refused_and_change_nothing(void **state)
{
	struct thin_fixture f;
	struct error err = {0};
	struct thin_volume *v;
	struct thin_device device;

	(void)state;
	thin_fixture_init(&f, 1000, 0);
	thin_fixture_create(&f, 1);
	assert_int_equal(thin_pool_create_thin(f.pool, 1, &err), -1);
	assert_int_equal(err.kind, ERR_INCONSISTENT);
	assert_int_equal(thin_pool_create_snap(f.pool, 1, 1, &err), -1);
	assert_int_equal(err.kind, ERR_INCONSISTENT);
	assert_int_equal(thin_pool_create_snap(f.pool, 2, 9, &err), -1);
	assert_int_equal(err.kind, ERR_INCONSISTENT);
	assert_int_equal(thin_pool_delete(f.pool, 9, &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_int_equal(thin_pool_device(f.pool, 9, &device, &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_int_equal(thin_pool_open_volume(f.pool, 9, 512, false, &v, &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_int_equal(thin_pool_create_thin(f.pool, THIN_ID_MAX + 1, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_int_equal(thin_pool_open_volume(f.pool, 1, 1 << 20, true, &v, &err), 0);
	assert_int_equal(thin_pool_delete(f.pool, 1, &err), -1);
	assert_int_equal(err.kind, ERR_BUSY);
	assert_int_equal(thin_volume_write(v, "x", 1, 1 << 20, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	thin_volume_close(v);
	thin_fixture_commit(&f);
	assert_int_equal(thin_pool_commit(f.pool, 0, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_int_equal(thin_fixture_status(&f).thin_count, 1);
	thin_fixture_create(&f, THIN_ID_MAX);
	thin_fixture_commit(&f);
	thin_fixture_check(&f);
	thin_fixture_release(&f);
}

/* Everything mapped before a snapshot is shared from then on, on both sides. */
static void a_snapshot_sets_the_times_of_both(void **state)
{
	struct thin_fixture f;
	struct thin_device d;

	(void)state;
	thin_fixture_init(&f, 100, 0);
	thin_fixture_create(&f, 1);
	thin_fixture_write(&f, 1, 0, 3 * BLOCK, 1);
	thin_fixture_commit(&f);
	thin_fixture_snap(&f, 2, 1);
	thin_fixture_snap(&f, 3, 2);
	d = thin_fixture_device(&f, 1);
	assert_int_equal(d.creation_time, 0);
	assert_int_equal(d.snapshotted_time, 1);
	assert_int_equal(d.transaction_id, 0);
	d = thin_fixture_device(&f, 2);
	assert_int_equal(d.creation_time, 1);
	assert_int_equal(d.snapshotted_time, 2);
	d = thin_fixture_device(&f, 3);
	assert_int_equal(d.creation_time, 2);
	assert_int_equal(d.snapshotted_time, 2);
	assert_int_equal(d.transaction_id, 1); /* of the pool when it was made */
	assert_int_equal(d.mapped_blocks, 3);
	thin_fixture_commit(&f);
	thin_fixture_check(&f);
	thin_fixture_release(&f);
}

/* A mapping has 24 bits for its time: one more and a shared block would look like a private one. */
static void the_last_snapshot_that_can_be_counted_is_the_last(void **state)
{
	const uint32_t last = (1 << 24) - 1;
	struct thin_fixture f;
	struct error err = {0};

	(void)state;
	thin_fixture_init(&f, 100, 0);
	thin_fixture_create(&f, 1);
	thin_fixture_write(&f, 1, 0, 4 * BLOCK, 1);
	tf_pool_of(f.pool)->sb.time = last - 2;
	thin_fixture_commit(&f);
	thin_fixture_snap(&f, 2, 1);
	thin_fixture_write(&f, 2, BLOCK, BLOCK, 2);
	thin_fixture_snap(&f, 3, 2);
	assert_int_equal(thin_fixture_device(&f, 3).snapshotted_time, last);
	thin_fixture_commit(&f);
	thin_fixture_reopen(&f);
	for (uint32_t origin = 1; origin <= 3; origin++) {
		assert_int_equal(thin_pool_create_snap(f.pool, 4, origin, &err), -1);
		assert_error(&err, ERR_UNSUPPORTED, "all the 16777215 snapshots");
		assert_int_equal(err.detail, ERR_DETAIL_SNAPSHOTS);
	}
	/* All else goes on: nobody sees the others' writes, the second of which is in place. */
	thin_fixture_write(&f, 3, BLOCK, BLOCK, 3);
	thin_fixture_write(&f, 3, BLOCK, BLOCK, 4);
	thin_fixture_write(&f, 1, 0, BLOCK, 5);
	thin_fixture_create(&f, 4);
	thin_fixture_write(&f, 4, 0, BLOCK, 6);
	thin_fixture_commit(&f);
	thin_fixture_check(&f);
	thin_fixture_expect(&f, 1, 0, BLOCK, 5);
	thin_fixture_expect(&f, 1, BLOCK, 3 * BLOCK, 1);
	thin_fixture_expect(&f, 2, 0, BLOCK, 1);
	thin_fixture_expect(&f, 2, BLOCK, BLOCK, 2);
	thin_fixture_expect(&f, 3, BLOCK, BLOCK, 4);
	assert_int_equal(thin_fixture_status(&f).data_used_blocks, 4 + 1 + 1 + 1 + 1);
	thin_fixture_release(&f);
}

/* What all share goes with the last of them. */
static void shared_blocks_stay_until_nobody_maps_them(void **state)
{
	struct thin_fixture f;

	(void)state;
	thin_fixture_init(&f, 1000, 0);
	thin_fixture_create(&f, 1);
	thin_fixture_write(&f, 1, 0, 300 * BLOCK, 1);
	for (uint32_t id = 2; id < 8; id++)
		thin_fixture_snap(&f, id, id - 1);
	thin_fixture_commit(&f);
	for (uint32_t id = 1; id < 7; id++) {
		thin_fixture_delete(&f, id);
		thin_fixture_commit(&f);
		thin_fixture_check(&f);
		assert_int_equal(thin_fixture_status(&f).data_used_blocks, 300);
		thin_fixture_expect(&f, 7, 0, 300 * BLOCK, 1);
	}
	thin_fixture_delete(&f, 7);
	thin_fixture_commit(&f);
	assert_int_equal(thin_fixture_status(&f).data_used_blocks, 0);
	thin_fixture_release(&f);
}

static void a_list_of_no_device_is_empty(void **state)
{
	struct thin_fixture f;
	struct thin_device *list = NULL;
	struct error err = {0};
	size_t n = 7;

	(void)state;
	thin_fixture_init(&f, 100, 0);
	assert_ok(thin_pool_devices(f.pool, &list, &n, &err), &err);
	assert_int_equal(n, 0);
	free(list);
	thin_fixture_release(&f);
}

/* Its tree has more nodes than the cache keeps. */
static void a_large_device_is_deleted_in_bounded_memory(void **state)
{
	struct thin_fixture f;

	(void)state;
	thin_fixture_init(&f, 1300000, 0);
	thin_fixture_create(&f, 1);
	thin_fixture_map(&f, 1, 0, 1300000);
	thin_fixture_commit(&f);
	assert_true(thin_fixture_status(&f).metadata_used_blocks > 5000);
	thin_fixture_reopen(&f);
	thin_fixture_delete(&f, 1);
	assert_in_range(tf_pool_of(f.pool)->tx.cache.n_blocks, 1, 4096 + 100);
	thin_fixture_commit(&f);
	thin_fixture_check(&f);
	assert_int_equal(thin_fixture_status(&f).data_used_blocks, 0);
	thin_fixture_release(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(devices_are_listed_in_order),
		cmocka_unit_test(mistakes_are_refused_and_change_nothing),
		cmocka_unit_test(a_snapshot_sets_the_times_of_both),
		cmocka_unit_test(the_last_snapshot_that_can_be_counted_is_the_last),
		cmocka_unit_test(shared_blocks_stay_until_nobody_maps_them),
		cmocka_unit_test(a_list_of_no_device_is_empty),
		cmocka_unit_test(a_large_device_is_deleted_in_bounded_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
