/* SPDX-License-Identifier: Apache-2.0 */
/* Containers by way of a file: on loop devices, where the test may have some, and lent to a run. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "oci/container_internal.h"
#include "pkg/base/alloc.h"
#include "pkg/host/loop.h"
#include "tests/support/cmocka.h"
#include "tests/support/store_fixture.h"

static const struct container_way *const way = &container_way_loop;
static struct store_fixture f;
static struct container *c;
static struct error err;

static int begin(void **state)
{
	(void)state;
	store_fixture_init(&f);
	store_fixture_image(&f, "image", "ab", "");
	store_fixture_container(&f, "image", "box");
	assert_ok(container_open(f.store, "box", &c, &err), &err);
	return 0;
}

static int end(void **state)
{
	(void)state;
	assert_ok(container_unmount(c, &err), &err);
	container_close(c);
	store_fixture_release(&f);
	return 0;
}

static void needs_devices(void)
{
	if (geteuid() != 0 || loop_check(&err) < 0)
		skip();
}

static void it_is_that_of_the_file_engine(void **state)
{
	const struct container_way *found;

	(void)state;
	assert_ok(container_way(f.store, container_entry(c), &found, &err), &err);
	assert_ptr_equal(found, way);
}

static void one_in_the_pool_is_on_no_device(void **state)
{
	char *device;

	(void)state;
	assert_int_equal(way->find(f.store, container_entry(c), &device, &err), 1);
}

static void an_attached_device_is_found_again(void **state)
{
	cleanup_free char *first = NULL, *second = NULL, *found = NULL;
	char *gone;
	bool is_new;

	(void)state;
	needs_devices();
	assert_ok(way->attach(c, &first, &is_new, &err), &err);
	assert_true(is_new);
	assert_ok(way->attach(c, &second, &is_new, &err), &err);
	assert_false(is_new);
	assert_string_equal(first, second);
	assert_ok(way->find(f.store, container_entry(c), &found, &err), &err);
	assert_string_equal(first, found);
	assert_int_equal(container_entry(c)->place, RECORD_IN_FILE);
	assert_ok(way->detach(c, first, &err), &err);
	assert_int_equal(way->find(f.store, container_entry(c), &gone, &err), 1);
}

static void a_run_is_lent_the_file(void **state)
{
	cleanup_free char *file = NULL, *device = NULL;
	struct stat st;

	(void)state;
	assert_ok(container_lend(c, &file, &device, &err), &err);
	assert_string_equal(file, container_file(c));
	assert_null(device);
	assert_int_equal(stat(file, &st), 0);
	assert_ok(container_give_back(c, &err), &err);
	assert_int_equal(stat(file, &st), 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(it_is_that_of_the_file_engine),
		CASE(one_in_the_pool_is_on_no_device),
		CASE(an_attached_device_is_found_again),
		CASE(a_run_is_lent_the_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
