/* SPDX-License-Identifier: Apache-2.0 */
/* The loop devices under a pool in files: new or found, resized, gone; and the lock of the file engine. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/host/loop.h"
#include "pkg/thin/kernel/activate.h"
#include "tests/support/cmocka.h"
#include "tests/support/lab.h"
#include "tests/support/thin_fixture.h"

enum { BLOCKS = 64, TIMEOUT_MS = 200 };

static struct thin_fixture f;
static struct kernel_parts parts;
static struct error err;
static char *meta, *data;

static int set_up(void **state)
{
	(void)state;
	thin_fixture_init(&f, BLOCKS, 0);
	thin_fixture_create(&f, 0);
	thin_fixture_commit(&f);
	thin_fixture_close(&f);
	meta = xasprintf("%s/meta", f.dir);
	data = xasprintf("%s/data", f.dir);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	if (!lab_may_skip())
		assert_ok(kernel_loop_detach(f.dir, &err), &err);
	free(meta);
	free(data);
	thin_fixture_release(&f);
	return 0;
}

static void attach(void)
{
	assert_ok(kernel_loop_attach(f.dir, TIMEOUT_MS, &parts, &err), &err);
}

static unsigned count(void)
{
	cleanup(loop_list_release) struct loop_list loops = {0};

	assert_ok(loop_find_in(f.dir, &loops, &err), &err);
	return (unsigned)loops.n;
}

static void expect_number(const char *file, const char *want)
{
	char device[LOOP_PATH_BYTES], number[32];
	struct stat st;

	assert_int_equal(loop_find(file, device, &err), 0);
	assert_int_equal(stat(device, &st), 0);
	snprintf(number, sizeof(number), "%u:%u", major(st.st_rdev), minor(st.st_rdev));
	assert_string_equal(number, want);
}

static void both_files_get_devices_once(void **state)
{
	struct kernel_parts first;

	(void)state;
	lab_need("thin-pool");
	attach();
	expect_number(meta, parts.metadata);
	expect_number(data, parts.data);
	assert_int_equal(parts.block_bytes, FIXTURE_BLOCK);
	assert_int_equal(parts.data_bytes, BLOCKS * FIXTURE_BLOCK);
	first = parts;
	attach();
	assert_string_equal(first.metadata, parts.metadata);
	assert_string_equal(first.data, parts.data);
	assert_int_equal(count(), 2);
	assert_ok(kernel_loop_detach(f.dir, &err), &err);
	assert_int_equal(count(), 0);
	assert_ok(kernel_loop_detach(f.dir, &err), &err);
}

static void one_that_is_there_is_taken_and_the_other_made(void **state)
{
	char device[LOOP_PATH_BYTES];
	int fd;

	(void)state;
	lab_need("thin-pool");
	assert_ok(loop_attach(data, LOOP_DIRECT, &fd, device, &err), &err);
	close(fd);
	attach();
	assert_int_equal(count(), 2);
	expect_number(data, parts.data);
}

static void a_writer_of_the_file_engine_is_waited_for_and_named(void **state)
{
	(void)state;
	lab_need("thin-pool");
	thin_fixture_open(&f, THIN_FILE_WRITE);
	assert_int_equal(kernel_loop_attach(f.dir, TIMEOUT_MS, &parts, &err), -1);
	assert_error(&err, ERR_BUSY, "is in use by process");
	error_clear(&err);
	thin_fixture_close(&f);
	assert_int_equal(count(), 0);
	attach();
}

static void what_is_no_pool_gets_no_devices(void **state)
{
	(void)state;
	lab_need("thin-pool");
	assert_int_equal(truncate(meta, 4096), 0);
	assert_int_equal(truncate(meta, 0), 0);
	assert_int_equal(truncate(meta, 1 << 20), 0);
	assert_int_equal(kernel_loop_attach(f.dir, TIMEOUT_MS, &parts, &err), -1);
	assert_int_equal(err.kind, ERR_INCONSISTENT);
	error_clear(&err);
	assert_int_equal(count(), 0);
}

static void files_grow_with_their_devices(void **state)
{
	uint64_t bytes = UINT64_C(2) * BLOCKS * FIXTURE_BLOCK;
	struct stat before, st;

	(void)state;
	lab_need("thin-pool");
	assert_int_equal(stat(meta, &before), 0);
	assert_int_equal(kernel_loop_resize(f.dir, bytes, (uint64_t)before.st_size, &err), -1);
	assert_error(&err, ERR_INCONSISTENT, "is on no loop device");
	error_clear(&err);
	attach();
	assert_ok(kernel_loop_resize(f.dir, bytes, (uint64_t)before.st_size, &err), &err);
	assert_int_equal(stat(data, &st), 0);
	assert_int_equal(st.st_size, bytes);
	{
		char device[LOOP_PATH_BYTES];

		assert_int_equal(loop_find(data, device, &err), 0);
		assert_ok(loop_check_whole(device, &err), &err);
	}
	assert_int_equal(kernel_loop_resize(f.dir, UINT64_MAX, 0, &err), -1);
	assert_error(&err, ERR_USAGE, "no file is so large");
	error_clear(&err);
}

static void the_uuid_is_the_superblocks(void **state)
{
	uint8_t uuid[THIN_UUID_BYTES], again[THIN_UUID_BYTES];

	(void)state;
	assert_ok(kernel_loop_uuid(f.dir, uuid, &err), &err);
	assert_ok(kernel_loop_uuid(f.dir, again, &err), &err);
	assert_memory_equal(uuid, again, sizeof(uuid));
	assert_int_equal(truncate(meta, 0), 0);
	assert_int_equal(kernel_loop_uuid(f.dir, uuid, &err), -1);
	assert_error(&err, err.kind, "meta");
	assert_int_equal(kernel_loop_uuid("/nowhere", uuid, &err), -1);
	assert_error(&err, ERR_SYSTEM, "/nowhere/meta");
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(both_files_get_devices_once),
		CASE(one_that_is_there_is_taken_and_the_other_made),
		CASE(a_writer_of_the_file_engine_is_waited_for_and_named),
		CASE(what_is_no_pool_gets_no_devices),
		CASE(files_grow_with_their_devices),
		CASE(the_uuid_is_the_superblocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
