/* SPDX-License-Identifier: Apache-2.0 */
/* What a pool stands on that has disks of its own: linear devices of the real kernel. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/thin/kernel/activate.h"
#include "pkg/thin/kernel/label.h"
#include "pkg/thin/kernel/table.h"
#include "tests/support/cmocka.h"
#include "tests/support/lab.h"
#include "tests/support/scratch.h"

#define MIB (UINT64_C(1) << 20)

static struct error err;
static struct thin_place place;
static struct kernel_parts parts;

static void mark(const char *device, const uint8_t uuid[THIN_UUID_BYTES])
{
	cleanup_fd int fd = open(device, O_RDWR | O_CLOEXEC);
	struct device_label label = {.parts = LABEL_DATA, .pool = "test"};

	assert_true(fd >= 0);
	memcpy(label.uuid, uuid, sizeof(label.uuid));
	assert_ok(device_label_write(fd, device, &label, &err), &err);
}

static int set_up(void **state)
{
	place = (struct thin_place){.kind = THIN_PLACE_DEVICE,
				    .uuid = {0xac, 0x7d},
				    .metadata_start = MIB,
				    .metadata_bytes = 2 * MIB,
				    .data_start = 3 * MIB,
				    .data_bytes = 4 * MIB,
				    .block_bytes = 64 << 10};
	if (scratch_set_up(state) < 0)
		return -1;
	if (lab_may_skip())
		return 0;
	place.data_device = lab_loop_new(8 * MIB);
	mark(place.data_device, place.uuid);
	return 0;
}

static int tear_down(void **state)
{
	if (!lab_may_skip()) {
		assert_ok(kernel_device_detach(&place, &err), &err);
		lab_loop_free(steal(&place.data_device));
	}
	return scratch_tear_down(state);
}

static struct devmap_info look(const char *part)
{
	struct kernel_names names;
	struct devmap_info info;

	kernel_names_part(place.uuid, part, &names);
	assert_ok(devmap_info(names.uuid, &info, &err), &err);
	return info;
}

static void expect_linear(const char *part, uint64_t start, uint64_t bytes)
{
	cleanup_free char *type = NULL, *params = NULL, *want = NULL;
	struct kernel_names names;
	struct devmap_target target;
	struct stat st;

	assert_int_equal(stat(place.data_device, &st), 0);
	want = xasprintf("%u:%u %llu", major(st.st_rdev), minor(st.st_rdev),
			 (unsigned long long)(start / 512));
	kernel_names_part(place.uuid, part, &names);
	assert_ok(devmap_table(names.uuid, &target, &type, &params, &err), &err);
	assert_string_equal(type, "linear");
	assert_string_equal(params, want);
	assert_int_equal(target.length, bytes / 512);
	assert_true(look(part).live && !look(part).suspended);
}

static void attach(void)
{
	assert_ok(kernel_device_attach(&place, &parts, &err), &err);
	expect_linear("meta", place.metadata_start, place.metadata_bytes);
	expect_linear("data", place.data_start, place.data_bytes);
}

static void both_parts_are_linear_devices_once(void **state)
{
	cleanup_free char *number = NULL;
	struct devmap_info info;

	(void)state;
	lab_need("linear");
	attach();
	info = look("meta");
	number = xasprintf("%u:%u", info.major, info.minor);
	assert_string_equal(parts.metadata, number);
	assert_int_equal(parts.data_bytes, place.data_bytes);
	attach();
	assert_int_equal(look("meta").minor, info.minor);
	assert_ok(kernel_device_detach(&place, &err), &err);
	assert_false(look("meta").exists || look("data").exists);
	assert_ok(kernel_device_detach(&place, &err), &err);
}

static void what_a_kill_left_half_made_is_completed(void **state)
{
	struct kernel_names names;

	(void)state;
	lab_need("linear");
	attach();
	kernel_names_part(place.uuid, "data", &names);
	assert_ok(devmap_suspend(names.uuid, 0, &err), &err);
	kernel_names_part(place.uuid, "meta", &names);
	assert_ok(devmap_remove(names.uuid, 0, &err), &err);
	attach();
}

/* Names of disks change from boot to boot. */
static void a_disk_without_the_label_is_not_taken(void **state)
{
	static const uint8_t other[THIN_UUID_BYTES] = {9};

	(void)state;
	lab_need("linear");
	mark(place.data_device, other);
	assert_int_equal(kernel_device_attach(&place, &parts, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "is another device now");
	error_clear(&err);
	assert_false(look("meta").exists || look("data").exists);
	mark(place.data_device, place.uuid);
}

static void a_disk_that_is_not_there_is_named(void **state)
{
	(void)state;
	lab_need("linear");
	place.metadata_device = xstrdup("/dev/nothing");
	assert_int_equal(kernel_device_attach(&place, &parts, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "/dev/nothing, which the pool is on, is not there");
	free(place.metadata_device);
	place.metadata_device = xstrdup("/dev/null");
	assert_int_equal(kernel_device_attach(&place, &parts, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "/dev/null, which the pool is on, is no block device");
	error_clear(&err);
	free(steal(&place.metadata_device));
	assert_false(look("data").exists);
}

static void it_grows_as_far_as_there_is_room(void **state)
{
	uint64_t data = UINT64_MAX, metadata = UINT64_MAX;

	lab_need("linear");
	attach();
	assert_ok(kernel_device_room(&place, &data, &metadata, &err), &err);
	assert_int_equal(data, 5 * MIB);
	assert_int_equal(metadata, 0); /* the data is behind it */
	metadata = 3 * MIB;
	assert_int_equal(kernel_device_room(&place, &data, &metadata, &err), -1);
	assert_error(&err, ERR_UNSUPPORTED, "on a device of its own");
	data = 6 * MIB, metadata = 0;
	assert_int_equal(kernel_device_room(&place, &data, &metadata, &err), -1);
	assert_error(&err, ERR_NO_SPACE, "has room for 5 MiB, 6 are needed");
	error_clear(&err);
	assert_ok(kernel_device_resize(*state, &place, 5 * MIB, place.metadata_bytes, &err), &err);
	expect_linear("data", place.data_start, 5 * MIB);
	{
		cleanup(thin_place_release) struct thin_place stored = {0};

		assert_ok(thin_place_load(*state, &stored, &err), &err);
		assert_int_equal(stored.data_bytes, 5 * MIB);
	}
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(both_parts_are_linear_devices_once),
		CASE(what_a_kill_left_half_made_is_completed),
		CASE(a_disk_without_the_label_is_not_taken),
		CASE(a_disk_that_is_not_there_is_named),
		CASE(it_grows_as_far_as_there_is_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
