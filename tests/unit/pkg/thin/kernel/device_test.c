/* SPDX-License-Identifier: Apache-2.0 */
/* Thin devices of a pool that the real kernel runs: snapshots of what is in use, and block devices. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/fs.h>

#include "pkg/base/cleanup.h"
#include "pkg/thin/kernel/pool_internal.h"
#include "tests/support/cmocka.h"
#include "tests/support/lab.h"
#include "tests/support/lab_pool.h"

static struct error err;

static struct devmap_info info_of(struct thin_pool *pool, uint32_t id)
{
	struct kernel_names names;
	struct devmap_info info;

	kernel_names_thin(tk_pool_of(pool)->place.uuid, id, &names);
	assert_ok(devmap_info(names.uuid, &info, &err), &err);
	return info;
}

static char *activate(struct thin_pool *pool, uint32_t id, bool read_only)
{
	char *path = NULL;

	assert_ok(thin_pool_activate(pool, id, LAB_SIZE, read_only, &path, &err), &err);
	return path;
}

/* --- snapshots ---------------------------------------------------------------------------------- */

/* The page cache of the origin's device is not the snapshot's matter, what was synced is. */
static void a_snapshot_has_what_was_written_to_a_device_in_use(void **state)
{
	static const char text[] = "written to the device just before";
	cleanup_free char *path = NULL;
	char block[4096] = {0}, got[sizeof(block)] = {0};
	struct thin_pool *pool;

	(void)state;
	lab_need("thin-pool");
	pool = lab_pool_open(THIN_WRITE);
	path = activate(pool, 1, false);
	{
		cleanup_fd int fd = open(path, O_RDWR | O_CLOEXEC);

		assert_true(fd >= 0);
		memcpy(block, text, sizeof(text));
		assert_int_equal(pwrite(fd, block, sizeof(block), 0), sizeof(block));
		assert_int_equal(fsync(fd), 0);
		assert_ok(thin_pool_create_snap(pool, 2, 1, &err), &err);
		assert_false(info_of(pool, 1).suspended);
		memset(block, 'x', sizeof(block));
		assert_int_equal(pwrite(fd, block, sizeof(block), 0), sizeof(block));
		assert_int_equal(fsync(fd), 0);
	}
	free(path);
	path = activate(pool, 2, true);
	{
		cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);

		assert_true(fd >= 0);
		assert_int_equal(pread(fd, got, sizeof(got), 0), sizeof(got));
		assert_string_equal(got, text);
	}
	assert_ok(thin_pool_deactivate(pool, 2, &err), &err);
	assert_ok(thin_pool_deactivate(pool, 1, &err), &err);
	thin_pool_close(pool);
}

static void a_failed_snapshot_leaves_its_origin_running(void **state)
{
	cleanup_free char *path = NULL;
	struct thin_pool *pool;

	(void)state;
	lab_need("thin-pool");
	pool = lab_pool_open(THIN_WRITE);
	path = activate(pool, 1, false);
	assert_int_equal(thin_pool_create_snap(pool, 0, 1, &err), -1);
	assert_error(&err, ERR_INCONSISTENT, "thin 0 exists");
	error_clear(&err);
	assert_false(info_of(pool, 1).suspended);
	assert_ok(thin_pool_deactivate(pool, 1, &err), &err);
	thin_pool_close(pool);
}

/* --- block devices ------------------------------------------------------------------------------ */

static void a_committed_layer_cannot_be_written(void **state)
{
	cleanup_free char *path = NULL;
	cleanup_fd int fd = -1;
	struct thin_pool *pool;
	uint64_t bytes = 0;
	int read_only = 0;

	(void)state;
	lab_need("thin-pool");
	pool = lab_pool_open(THIN_WRITE);
	path = activate(pool, 1, true);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd >= 0)
		assert_int_equal(pwrite(fd, "x", 1, 0), -1);
	else
		fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(ioctl(fd, BLKROGET, &read_only), 0);
	assert_int_equal(read_only, 1);
	assert_int_equal(ioctl(fd, BLKGETSIZE64, &bytes), 0);
	assert_int_equal(bytes, LAB_SIZE);
	close(fd);
	fd = -1;
	assert_ok(thin_pool_deactivate(pool, 1, &err), &err);
	thin_pool_close(pool);
}

static void activating_twice_is_once_and_another_mode_replaces(void **state)
{
	cleanup_free char *first = NULL, *second = NULL, *third = NULL, *found = NULL;
	struct devmap_info info;
	struct thin_pool *pool;

	(void)state;
	lab_need("thin-pool");
	pool = lab_pool_open(THIN_WRITE);
	assert_int_equal(thin_pool_find_device(pool, 1, &found, &err), 1);
	first = activate(pool, 1, true);
	info = info_of(pool, 1);
	second = activate(pool, 1, true);
	assert_string_equal(first, second);
	assert_int_equal(info_of(pool, 1).minor, info.minor);
	third = activate(pool, 1, false);
	assert_string_equal(first, third);
	assert_false(info_of(pool, 1).read_only);
	assert_int_equal(thin_pool_find_device(pool, 1, &found, &err), 0);
	assert_string_equal(found, first);
	assert_int_equal(access(found, F_OK), 0);
	assert_ok(thin_pool_deactivate(pool, 1, &err), &err);
	assert_int_equal(access(found, F_OK), -1);
	assert_ok(thin_pool_deactivate(pool, 1, &err), &err);
	thin_pool_close(pool);
}

static void what_somebody_has_open_is_busy_and_stays(void **state)
{
	cleanup_free char *path = NULL;
	struct thin_pool *pool;

	(void)state;
	lab_need("thin-pool");
	pool = lab_pool_open(THIN_WRITE);
	path = activate(pool, 1, false);
	{
		cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);

		assert_true(fd >= 0);
		assert_int_equal(thin_pool_deactivate(pool, 1, &err), -1);
		assert_error(&err, ERR_BUSY, "is in use");
		assert_int_equal(thin_pool_delete(pool, 1, &err), -1);
		assert_error(&err, ERR_BUSY, "is in use");
		error_clear(&err);
		assert_true(info_of(pool, 1).exists);
	}
	assert_ok(thin_pool_delete(pool, 1, &err), &err);
	assert_false(info_of(pool, 1).exists);
	thin_pool_close(pool);
}

/* "Deferred" is not "removed": it can be wanted again, and then it must not go with its last user. */
static void one_told_to_go_later_stays_when_it_is_wanted_again(void **state)
{
	cleanup_free char *path = NULL, *again = NULL;
	struct thin_pool *pool;

	(void)state;
	lab_need("thin-pool");
	pool = lab_pool_open(THIN_WRITE);
	path = activate(pool, 1, false);
	{
		cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);

		assert_true(fd >= 0);
		assert_ok(devmap_remove(info_of(pool, 1).uuid, DEVMAP_DEFERRED, &err), &err);
		assert_true(info_of(pool, 1).deferred_remove);
		again = activate(pool, 1, false);
		assert_false(info_of(pool, 1).deferred_remove);
	}
	assert_true(info_of(pool, 1).exists);
	assert_ok(thin_pool_deactivate(pool, 1, &err), &err);
	thin_pool_close(pool);
}

static void a_device_of_no_thin_is_not_found(void **state)
{
	struct thin_pool *pool;
	char *path = NULL;

	(void)state;
	lab_need("thin-pool");
	pool = lab_pool_open(THIN_WRITE);
	assert_int_equal(thin_pool_activate(pool, 77, LAB_SIZE, false, &path, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "thin 77 does not exist");
	error_clear(&err);
	assert_false(info_of(pool, 77).exists);
	thin_pool_close(pool);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, lab_pool_set_up, lab_pool_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_snapshot_has_what_was_written_to_a_device_in_use),
		CASE(a_failed_snapshot_leaves_its_origin_running),
		CASE(a_committed_layer_cannot_be_written),
		CASE(activating_twice_is_once_and_another_mode_replaces),
		CASE(what_somebody_has_open_is_busy_and_stays),
		CASE(one_told_to_go_later_stays_when_it_is_wanted_again),
		CASE(a_device_of_no_thin_is_not_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
