/* SPDX-License-Identifier: Apache-2.0 */
/* Details of devices that repair puts right, in the pool and in its metadata snapshot. */
#include "pkg/thin/file/repair.h"

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/thin/file/pool_internal.h"
#include "tests/support/cmocka.h"
#include "tests/support/thin_fixture.h"

#define BLOCK ((uint64_t)FIXTURE_BLOCK)

static void repair(struct thin_fixture *f, const char *kind)
{
	const struct thin_repair_how how = {0};
	cleanup(thin_findings_release) struct thin_findings found = {0};
	enum thin_repair_outcome outcome = THIN_REPAIR_CLEAN;
	struct error err = {0};

	assert_ok(thin_file_repair(f->dir, &how, &outcome, &found, &err), &err);
	assert_int_equal(outcome, THIN_REPAIR_DONE);
	for (size_t i = 0; i < found.n; i++)
		assert_string_equal(found.items[i].kind, kind);
}

/* As a bug in whoever wrote the pool would. */
static void store(struct thin_fixture *f, uint32_t id, uint64_t mapped, uint32_t snapshotted)
{
	struct tf_pool *p = tf_pool_of(f->pool);
	struct tf_device d;
	struct error err = {0};
	uint64_t root;

	assert_ok(tf_device_find(p, id, &d, &root, &err), &err);
	d.mapped_blocks = mapped;
	d.snapshotted_time = snapshotted;
	assert_ok(tf_device_store(p, id, &d, &err), &err);
}

static void sharing_that_times_hide_is_seen_again(void **state)
{
	struct thin_fixture f;

	(void)state;
	thin_fixture_init(&f, 100, 0);
	thin_fixture_create(&f, 1);
	thin_fixture_write(&f, 1, 0, 8 * BLOCK, 1);
	thin_fixture_snap(&f, 2, 1);
	store(&f, 1, 8, 0);
	thin_fixture_commit(&f);
	thin_fixture_close(&f);
	repair(&f, "shared_time");
	thin_fixture_open(&f, THIN_FILE_WRITE);
	thin_fixture_check(&f);
	thin_fixture_write(&f, 1, BLOCK, 3 * BLOCK, 7);
	thin_fixture_expect(&f, 2, 0, 8 * BLOCK, 1);
	thin_fixture_commit(&f);
	thin_fixture_check(&f);
	thin_fixture_release(&f);
}

static void mapped_blocks_are_counted(void **state)
{
	struct thin_fixture f;

	(void)state;
	thin_fixture_init(&f, 100, 0);
	for (uint32_t id = 1; id < 200; id++)
		thin_fixture_create(&f, id);
	thin_fixture_write(&f, 7, 0, 8 * BLOCK, 1);
	store(&f, 7, 9, 0);
	store(&f, 150, 1, 0);
	thin_fixture_commit(&f);
	thin_fixture_close(&f);
	repair(&f, "mapped_blocks");
	thin_fixture_open(&f, THIN_FILE_WRITE);
	thin_fixture_check(&f);
	assert_int_equal(thin_fixture_device(&f, 7).mapped_blocks, 8);
	assert_int_equal(thin_fixture_device(&f, 150).mapped_blocks, 0);
	thin_fixture_release(&f);
}

/* Both sides share the wrong leaf, and get one each. */
static void those_of_a_metadata_snapshot_are_counted_too(void **state)
{
	struct thin_fixture f;
	struct error err = {0};
	uint64_t held;

	(void)state;
	thin_fixture_init(&f, 100, 0);
	thin_fixture_create(&f, 1);
	thin_fixture_write(&f, 1, 0, 8 * BLOCK, 1);
	store(&f, 1, 3, 0);
	thin_fixture_commit(&f);
	assert_ok(thin_pool_reserve_metadata_snap(f.pool, &err), &err);
	thin_fixture_commit(&f);
	held = thin_fixture_status(&f).held_root;
	thin_fixture_close(&f);
	repair(&f, "mapped_blocks");
	thin_fixture_open(&f, THIN_FILE_WRITE);
	thin_fixture_check(&f);
	assert_int_not_equal(thin_fixture_status(&f).held_root, held);
	assert_ok(thin_pool_release_metadata_snap(f.pool, &err), &err);
	thin_fixture_commit(&f);
	thin_fixture_check(&f);
	thin_fixture_expect(&f, 1, 0, 8 * BLOCK, 1);
	thin_fixture_release(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sharing_that_times_hide_is_seen_again),
		cmocka_unit_test(mapped_blocks_are_counted),
		cmocka_unit_test(those_of_a_metadata_snapshot_are_counted_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
