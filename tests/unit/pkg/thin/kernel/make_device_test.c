/* SPDX-License-Identifier: Apache-2.0 */
/* Pools on disks: where everything goes, whose disk is taken, and disks that are blank afterwards. */
#include "pkg/thin/kernel/make_device.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/base/fdio.h"
#include "pkg/thin/end.h"
#include "pkg/thin/kernel/activate.h"
#include "pkg/thin/kernel/label.h"
#include "pkg/thin/open.h"
#include "tests/support/cmocka.h"
#include "tests/support/lab.h"
#include "tests/support/scratch.h"

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

static struct error err;
static char *one, *two;

/* --- the plan ------------------------------------------------------------------------------------ */

static struct thin_place plan(struct thin_device_params p, uint64_t device, uint64_t metadata)
{
	struct thin_place place = {0};

	p.block_bytes = p.block_bytes ? p.block_bytes : 64 << 10;
	assert_ok(thin_device_plan(&p, device, metadata, &place, &err), &err);
	/* nothing reaches into anything else */
	assert_true(place.metadata_start >= LABEL_ROOM_BYTES
		    && place.data_start >= LABEL_ROOM_BYTES);
	assert_true(place.metadata_start % MIB == 0 && place.data_start % MIB == 0);
	assert_true(place.data_start + place.data_bytes <= device);
	assert_true(place.metadata_start + place.metadata_bytes
		    <= (metadata ? metadata : place.data_start));
	assert_int_equal(place.data_bytes % p.block_bytes, 0);
	return place;
}

static void one_device_has_label_metadata_and_data(void **state)
{
	struct thin_place place = plan((struct thin_device_params){0}, 100 * GIB, 0);

	(void)state;
	assert_int_equal(place.metadata_start, MIB);
	assert_true(place.data_start > place.metadata_start + place.metadata_bytes - 1);
	assert_true(place.data_bytes > 99 * GIB);
	place = plan((struct thin_device_params){.data_bytes = GIB, .metadata_bytes = 16 * MIB},
		     100 * GIB, 0);
	assert_int_equal(place.data_start, 17 * MIB);
	assert_int_equal(place.data_bytes, GIB);
	assert_int_equal(place.metadata_bytes, 16 * MIB);
}

static void two_devices_are_taken_whole(void **state)
{
	struct thin_place place = plan((struct thin_device_params){0}, GIB, 65 * MIB);

	(void)state;
	assert_int_equal(place.data_start, MIB);
	assert_int_equal(place.data_bytes, GIB - MIB);
	assert_int_equal(place.metadata_bytes, 64 * MIB);
	/* but no more metadata than the format knows */
	place = plan((struct thin_device_params){0}, GIB, 100 * GIB);
	assert_true(place.metadata_bytes < 17 * GIB);
}

static void refuse(struct thin_device_params p, uint64_t device, uint64_t metadata,
		   enum error_kind kind, const char *text)
{
	struct thin_place place = {0};

	p.block_bytes = p.block_bytes ? p.block_bytes : 64 << 10;
	assert_int_equal(thin_device_plan(&p, device, metadata, &place, &err), -1);
	assert_error(&err, kind, text);
	error_clear(&err);
}

static void what_does_not_fit_is_refused(void **state)
{
	(void)state;
	refuse((struct thin_device_params){0}, 0, 0, ERR_NO_SPACE, "room for 0 MiB");
	refuse((struct thin_device_params){0}, 2 * MIB, 0, ERR_NO_SPACE, "the device has room");
	refuse((struct thin_device_params){.data_bytes = GIB}, GIB, 0, ERR_NO_SPACE,
	       "1024 are needed");
	refuse((struct thin_device_params){.metadata_bytes = 64 * MIB}, GIB, 10 * MIB, ERR_NO_SPACE,
	       "the metadata device has room for 9 MiB, 64 are needed");
	refuse((struct thin_device_params){.data_bytes = UINT64_MAX}, GIB, 0, ERR_USAGE,
	       "no device is so large");
	refuse((struct thin_device_params){.block_bytes = 4096}, GIB, 0, ERR_USAGE, "");
}

/* --- real disks ---------------------------------------------------------------------------------- */

static int set_up(void **state)
{
	if (scratch_set_up(state) < 0)
		return -1;
	if (lab_may_skip())
		return 0;
	one = lab_loop_new(64 * MIB);
	two = lab_loop_new(16 * MIB);
	return 0;
}

static int tear_down(void **state)
{
	if (!lab_may_skip()) {
		assert_ok(thin_end(*state, &err), &err);
		lab_loop_free(one);
		lab_loop_free(two);
	}
	return scratch_tear_down(state);
}

static struct thin_device_params params(void)
{
	return (struct thin_device_params){.uuid = {0x3a, 0xde},
					   .pool = "test",
					   .data_device = one,
					   .block_bytes = 64 << 10};
}

static void put(const char *device, uint64_t at, const char *text)
{
	cleanup_fd int fd = open(device, O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_ok(fdio_pwrite(fd, text, strlen(text), at, device, &err), &err);
	assert_int_equal(fsync(fd), 0);
}

static void expect_label(const char *device, unsigned parts)
{
	struct device_label label;
	int status = device_label_read(device, &label, &err);

	assert_int_equal(status, parts ? 0 : 1);
	if (parts)
		assert_int_equal(label.parts, parts);
}

static void a_pool_is_made_used_and_gone(void **state)
{
	struct thin_device_params p = params();
	struct thin_open how = {.engine = THIN_ENGINE_KERNEL,
				.mode = THIN_WRITE,
				.verb = "test",
				.lock_timeout_ms = 20000};
	struct thin_pool *pool;

	lab_need("thin-pool");
	p.metadata_device = two;
	assert_ok(thin_device_create(*state, &p, &err), &err);
	expect_label(one, LABEL_DATA);
	expect_label(two, LABEL_METADATA);
	assert_ok(thin_open(*state, &how, &pool, &err), &err);
	assert_ok(thin_pool_create_thin(pool, 0, &err), &err);
	assert_ok(thin_pool_commit(pool, 1, &err), &err);
	thin_pool_close(pool);
	assert_ok(thin_end(*state, &err), &err);
	expect_label(one, 0);
	expect_label(two, 0);
	assert_ok(thin_device_look(one, false, &(struct blockdev){0}, &err), &err);
	assert_ok(thin_end(*state, &err), &err);
}

static void a_disk_with_something_on_it_is_taken_by_force_only(void **state)
{
	struct thin_device_params p = params();

	lab_need("thin-pool");
	put(one, 1024, "\001"); /* its version */
	put(one, 1028, "\011"); /* its last page */
	put(one, 4096 - 10, "SWAPSPACE2");
	assert_int_equal(thin_device_create(*state, &p, &err), -1);
	assert_error(&err, ERR_BUSY, "swap signature");
	error_clear(&err);
	expect_label(one, 0);
	p.force = true;
	assert_ok(thin_device_create(*state, &p, &err), &err);
	expect_label(one, LABEL_DATA | LABEL_METADATA);
	assert_ok(thin_end(*state, &err), &err);
}

static void one_that_is_in_use_is_not_taken_by_force_either(void **state)
{
	struct thin_device_params p = params();
	cleanup_fd int fd = -1;

	lab_need("thin-pool");
	fd = open(one, O_RDONLY | O_EXCL | O_CLOEXEC);
	assert_true(fd >= 0);
	p.force = true;
	assert_int_equal(thin_device_create(*state, &p, &err), -1);
	assert_error(&err, ERR_BUSY, one);
	assert_int_equal(thin_device_wipe(one, &err), -1);
	assert_error(&err, ERR_BUSY, "is in use");
	error_clear(&err);
}

static void twice_the_same_is_a_mistake(void **state)
{
	struct thin_device_params p = params();

	lab_need("thin-pool");
	p.metadata_device = one;
	assert_int_equal(thin_device_create(*state, &p, &err), -1);
	assert_error(&err, ERR_USAGE, "are the same device");
	error_clear(&err);
}

/* What has another label by now is somebody else's. */
static void the_end_touches_no_other_disk(void **state)
{
	struct thin_device_params p = params();
	struct device_label label = {.parts = LABEL_DATA, .uuid = {7}, .pool = "theirs"};

	lab_need("thin-pool");
	p.metadata_device = two;
	assert_ok(thin_device_create(*state, &p, &err), &err);
	{
		cleanup(thin_place_release) struct thin_place place = {0};
		cleanup_fd int fd = -1;

		assert_ok(thin_place_load(*state, &place, &err), &err);
		assert_ok(kernel_device_detach(&place, &err), &err);
		fd = open(one, O_RDWR | O_CLOEXEC);
		assert_ok(device_label_write(fd, one, &label, &err), &err);
	}
	assert_ok(thin_end(*state, &err), &err);
	expect_label(one, LABEL_DATA);
	expect_label(two, 0);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_device_has_label_metadata_and_data),
		cmocka_unit_test(two_devices_are_taken_whole),
		cmocka_unit_test(what_does_not_fit_is_refused),
		CASE(a_pool_is_made_used_and_gone),
		CASE(a_disk_with_something_on_it_is_taken_by_force_only),
		CASE(one_that_is_in_use_is_not_taken_by_force_either),
		CASE(twice_the_same_is_a_mistake),
		CASE(the_end_touches_no_other_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
