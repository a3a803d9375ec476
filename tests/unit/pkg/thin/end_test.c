/* SPDX-License-Identifier: Apache-2.0 */
/* Nobody else has a pool that is to end, whoever had it and whatever state it is in. */
#include "pkg/thin/end.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/thin/kernel/devmap.h"
#include "pkg/thin/kernel/engine.h"
#include "tests/support/cmocka.h"
#include "tests/support/lab.h"
#include "tests/support/lab_pool.h"
#include "tests/support/scratch.h"
#include "tests/support/thin_fixture.h"

enum { BLOCKS = 16, TIMEOUT_MS = 50 };

static struct error err;
static struct thin_fixture f;

static int set_up(void **state)
{
	(void)state;
	thin_fixture_init(&f, BLOCKS, 0);
	thin_fixture_create(&f, 0);
	thin_fixture_commit(&f);
	thin_fixture_close(&f);
	return 0;
}

static int tear_down(void **state)
{
	static const char *const names[] = {"lock", "lock.owner", "place.json"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		cleanup_free char *path = xasprintf("%s/%s", f.dir, names[i]);

		unlink(path);
	}
	thin_fixture_release(&f);
	return 0;
}

static void writers_are_waited_for_and_kept_away(void **state)
{
	struct thin_file_open how = {.mode = THIN_FILE_WRITE,
				     .verb = "late",
				     .lock_timeout_ms = TIMEOUT_MS};
	struct thin_pool *late;
	struct thin_lock lock;

	(void)state;
	thin_fixture_open(&f, THIN_FILE_WRITE);
	assert_int_equal(thin_lock(f.dir, "destroy", TIMEOUT_MS, &lock, &err), -1);
	assert_error(&err, ERR_BUSY, "(test)");
	error_clear(&err);
	thin_fixture_close(&f);
	assert_ok(thin_lock(f.dir, "destroy", TIMEOUT_MS, &lock, &err), &err);
	assert_int_equal(thin_file_open(f.dir, &how, &late, &err), -1);
	assert_error(&err, ERR_BUSY, "in use");
	error_clear(&err);
	thin_unlock(f.dir, &lock);
	assert_ok(thin_file_open(f.dir, &how, &late, &err), &err);
	thin_pool_close(late);
}

/* A maker that was killed, or one whose folder is gone already. */
static void a_pool_that_was_never_made_can_end(void **state)
{
	cleanup_free char *nowhere = xasprintf("%s/nowhere", f.dir);
	cleanup_free char *meta = xasprintf("%s/meta", f.dir);

	(void)state;
	assert_ok(thin_end(nowhere, &err), &err);
	assert_int_equal(truncate(meta, 0), 0);
	assert_ok(thin_end(f.dir, &err), &err);
	assert_ok(thin_end(f.dir, &err), &err);
}

/* Where its disks are nobody knows then: better it stays. */
static void a_place_that_cannot_be_read_is_no_end(void **state)
{
	cleanup_free char *place = xasprintf("%s/place.json", f.dir);
	struct thin_lock lock;

	(void)state;
	scratch_write(place, "{}");
	assert_int_equal(thin_end(f.dir, &err), -1);
	assert_error(&err, ERR_INCONSISTENT, "place.json");
	assert_int_equal(thin_lock(f.dir, "destroy", TIMEOUT_MS, &lock, &err), -1);
	assert_error(&err, ERR_INCONSISTENT, "place.json");
	error_clear(&err);
}

static void the_kernel_lets_go_of_a_damaged_pool_too(void **state)
{
	cleanup_free char *meta = NULL;
	cleanup(devmap_list_release) struct devmap_list devices = {0};
	struct thin_lock lock;

	(void)state;
	lab_need("thin-pool");
	meta = xasprintf("%s/meta", lab_pool_dir());
	assert_ok(thin_kernel_activate(lab_pool_dir(), TIMEOUT_MS, &err), &err);
	assert_ok(thin_lock(lab_pool_dir(), "destroy", TIMEOUT_MS, &lock, &err), &err);
	thin_unlock(lab_pool_dir(), &lock);
	assert_ok(devmap_list("THINPULL-", &devices, &err), &err);
	assert_int_equal(devices.n, 0);
	{
		cleanup_fd int fd = open(meta, O_WRONLY | O_CLOEXEC);

		assert_int_equal(pwrite(fd, "spoilt", 6, 64), 6);
	}
	assert_ok(thin_lock(lab_pool_dir(), "destroy", TIMEOUT_MS, &lock, &err), &err);
	thin_unlock(lab_pool_dir(), &lock);
	assert_ok(thin_end(lab_pool_dir(), &err), &err);
}

static void a_device_that_is_open_keeps_the_pool(void **state)
{
	cleanup_free char *path = NULL;
	struct thin_pool *pool;
	struct thin_lock lock;
	int fd;

	(void)state;
	lab_need("thin-pool");
	pool = lab_pool_open(THIN_WRITE);
	assert_ok(thin_pool_activate(pool, 1, LAB_SIZE, true, &path, &err), &err);
	thin_pool_close(pool);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(thin_lock(lab_pool_dir(), "destroy", TIMEOUT_MS, &lock, &err), -1);
	assert_error(&err, ERR_BUSY, path);
	error_clear(&err);
	close(fd);
	assert_ok(thin_lock(lab_pool_dir(), "destroy", TIMEOUT_MS, &lock, &err), &err);
	thin_unlock(lab_pool_dir(), &lock);
}

#define FILES(test)	  cmocka_unit_test_setup_teardown(test, set_up, tear_down)
#define KERNEL(test, end) cmocka_unit_test_setup_teardown(test, lab_pool_set_up, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FILES(writers_are_waited_for_and_kept_away),
		FILES(a_pool_that_was_never_made_can_end),
		FILES(a_place_that_cannot_be_read_is_no_end),
		KERNEL(the_kernel_lets_go_of_a_damaged_pool_too, scratch_tear_down),
		KERNEL(a_device_that_is_open_keeps_the_pool, lab_pool_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
