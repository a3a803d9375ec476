/* SPDX-License-Identifier: Apache-2.0 */
/* A pool that goes back to its place: all of it or nothing. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pkg/base/cleanup.h"
#include "pkg/thin/kernel/activate.h"
#include "pkg/thin/kernel/engine.h"
#include "pkg/thin/kernel/pool_internal.h"
#include "tests/support/cmocka.h"
#include "tests/support/lab.h"
#include "tests/support/lab_pool.h"

enum { TIMEOUT_MS = 200 };

static struct error err;

static size_t count(void)
{
	cleanup(devmap_list_release) struct devmap_list devices = {0};

	assert_ok(devmap_list("THINPULL-", &devices, &err), &err);
	return devices.n;
}

static char *activate(uint32_t id, bool read_only)
{
	struct thin_pool *pool = lab_pool_open(THIN_WRITE);
	char *path = NULL;

	assert_ok(thin_pool_activate(pool, id, LAB_SIZE, read_only, &path, &err), &err);
	thin_pool_close(pool);
	return path;
}

static void everything_that_nobody_has_open_goes(void **state)
{
	cleanup_free char *one = NULL;

	(void)state;
	lab_need("thin-pool");
	one = activate(1, false);
	assert_int_equal(count(), 3); /* with the pool and thin 0 */
	assert_ok(thin_kernel_deactivate(lab_pool_dir(), TIMEOUT_MS, &err), &err);
	assert_int_equal(count(), 0);
	assert_int_equal(access(one, F_OK), -1);
	assert_ok(thin_kernel_deactivate(lab_pool_dir(), TIMEOUT_MS, &err), &err);
}

/* The one in use has the lower id: those above it are gone by then. */
static void what_went_before_one_that_is_in_use_is_put_back(void **state)
{
	cleanup_free char *one = NULL, *two = NULL;
	struct thin_pool *pool;
	struct devmap_info info;
	struct kernel_names names;
	int fd;

	(void)state;
	lab_need("thin-pool");
	pool = lab_pool_open(THIN_WRITE);
	assert_ok(thin_pool_create_snap(pool, 2, 1, &err), &err);
	assert_ok(thin_pool_commit(pool, 2, &err), &err);
	kernel_names_thin(tk_pool_of(pool)->place.uuid, 2, &names);
	thin_pool_close(pool);
	one = activate(1, false);
	two = activate(2, true);
	fd = open(one, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(thin_kernel_deactivate(lab_pool_dir(), TIMEOUT_MS, &err), -1);
	assert_error(&err, ERR_BUSY, one);
	error_clear(&err);
	close(fd);
	assert_int_equal(count(), 4);
	assert_ok(devmap_info(names.uuid, &info, &err), &err);
	assert_true(info.exists && info.live && info.read_only);
	pool = lab_pool_open(THIN_READ);
	assert_int_equal(lab_pool_read(pool, 1, 0), 2);
	thin_pool_close(pool);
}

static void a_session_keeps_the_pool(void **state)
{
	struct thin_pool *pool;

	(void)state;
	lab_need("thin-pool");
	pool = lab_pool_open(THIN_WRITE);
	assert_int_equal(thin_kernel_deactivate(lab_pool_dir(), TIMEOUT_MS, &err), -1);
	assert_error(&err, ERR_BUSY, "(test)");
	error_clear(&err);
	assert_true(count() >= 2);
	thin_pool_close(pool);
}

static void one_that_was_left_suspended_goes_too(void **state)
{
	struct thin_pool *pool;
	char uuid[DEVMAP_UUID_BYTES];

	(void)state;
	lab_need("thin-pool");
	pool = lab_pool_open(THIN_WRITE);
	memcpy(uuid, tk_pool_of(pool)->device.uuid, sizeof(uuid));
	thin_pool_close(pool);
	assert_ok(devmap_suspend(uuid, 0, &err), &err);
	assert_ok(thin_kernel_deactivate(lab_pool_dir(), TIMEOUT_MS, &err), &err);
	assert_int_equal(count(), 0);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, lab_pool_set_up, lab_pool_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(everything_that_nobody_has_open_goes),
		CASE(what_went_before_one_that_is_in_use_is_put_back),
		CASE(a_session_keeps_the_pool),
		CASE(one_that_was_left_suspended_goes_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
