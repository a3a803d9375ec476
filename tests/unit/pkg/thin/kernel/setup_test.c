/* SPDX-License-Identifier: Apache-2.0 */
/* What a pool that the real kernel runs stands on and was told. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/thin/kernel/devmap.h"
#include "pkg/thin/kernel/engine.h"
#include "pkg/thin/kernel/table.h"
#include "tests/support/cmocka.h"
#include "tests/support/lab.h"
#include "tests/support/lab_pool.h"

static struct error err;

static void look(struct thin_kernel_setup *ret)
{
	cleanup(thin_pool_close_ptr) struct thin_pool *pool = lab_pool_open(THIN_READ);

	assert_ok(thin_kernel_setup(pool, ret, &err), &err);
}

static void assert_starts(const char *text, const char *start)
{
	assert_non_null(text);
	assert_memory_equal(text, start, strlen(start));
}

static void devices_and_the_files_behind_them_are_named(void **state)
{
	cleanup(thin_kernel_setup_release) struct thin_kernel_setup setup = {0};
	cleanup_free char *data = NULL, *meta = NULL;
	(void)state;

	lab_need("thin-pool");
	look(&setup);
	data = xasprintf("%s/data", lab_pool_dir());
	meta = xasprintf("%s/meta", lab_pool_dir());
	assert_starts(setup.pool_device, "/dev/mapper/thinpull-4cab0000");
	assert_starts(setup.data_device, "/dev/loop");
	assert_starts(setup.metadata_device, "/dev/loop");
	assert_string_not_equal(setup.data_device, setup.metadata_device);
	assert_string_equal(setup.data_file, data);
	assert_string_equal(setup.metadata_file, meta);
	assert_starts(setup.library, "1.");
	assert_starts(setup.driver, "4.");
}

static void a_pool_by_default_zeroes_and_errs_when_full(void **state)
{
	cleanup(thin_kernel_setup_release) struct thin_kernel_setup setup = {0};
	(void)state;

	lab_need("thin-pool");
	look(&setup);
	assert_true(setup.zeroing);
	assert_true(setup.error_if_no_space);
	assert_true(setup.discard);
	assert_int_equal(setup.low_water_blocks, LAB_DATA / LAB_BLOCK / 5);
	assert_true(setup.metadata_low_water_blocks > 0);
	assert_int_equal(setup.deferred, 0);
}

/* Activated anew, with what its place says now. */
static void what_the_place_says_is_what_the_kernel_is_told(void **state)
{
	cleanup(thin_kernel_setup_release) struct thin_kernel_setup setup = {0};
	cleanup(thin_place_release) struct thin_place place = {0};
	(void)state;

	lab_need("thin-pool");
	assert_ok(thin_kernel_deactivate(lab_pool_dir(), 1000, &err), &err);
	assert_ok(thin_place_load(lab_pool_dir(), &place, &err), &err);
	place.uuid[0] = 0x4c;
	place.uuid[1] = 0xab;
	place.queue_when_full = place.no_zero = true;
	assert_ok(thin_place_store(lab_pool_dir(), &place, &err), &err);
	look(&setup);
	assert_false(setup.zeroing);
	assert_false(setup.error_if_no_space);
}

static void devices_that_go_with_their_last_user_are_counted(void **state)
{
	cleanup(thin_kernel_setup_release) struct thin_kernel_setup setup = {0};
	const uint8_t uuid[THIN_UUID_BYTES] = {0x4c, 0xab};
	cleanup_free char *path = NULL;
	cleanup(thin_pool_close_ptr) struct thin_pool *pool = NULL;
	struct kernel_names names;
	int fd;
	(void)state;

	lab_need("thin-pool");
	kernel_names_thin(uuid, 1, &names);
	pool = lab_pool_open(THIN_WRITE);
	assert_ok(thin_pool_activate(pool, 1, LAB_SIZE, false, &path, &err), &err);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_ok(thin_kernel_setup(pool, &setup, &err), &err);
	assert_int_equal(setup.deferred, 0);
	thin_kernel_setup_release(&setup);
	assert_ok(devmap_remove(names.uuid, DEVMAP_DEFERRED, &err), &err);
	assert_ok(thin_kernel_setup(pool, &setup, &err), &err);
	assert_int_equal(setup.deferred, 1);
	cleanup_fd_ptr(&fd);
	/* The kernel sees to it a moment later. */
	for (unsigned tries = 0; setup.deferred && tries < 200; tries++) {
		thin_kernel_setup_release(&setup);
		usleep(10000);
		assert_ok(thin_kernel_setup(pool, &setup, &err), &err);
	}
	assert_int_equal(setup.deferred, 0);
}

#define IN_LAB(test) cmocka_unit_test_setup_teardown(test, lab_pool_set_up, lab_pool_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_LAB(devices_and_the_files_behind_them_are_named),
		IN_LAB(a_pool_by_default_zeroes_and_errs_when_full),
		IN_LAB(what_the_place_says_is_what_the_kernel_is_told),
		IN_LAB(devices_that_go_with_their_last_user_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
