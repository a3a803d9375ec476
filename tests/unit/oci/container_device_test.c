/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Containers of a pool that the real kernel runs, which the file engine has filled: as block devices,
 * mounted, read meanwhile, lent to a run; and what is taken away when commands were killed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "oci/container_internal.h"
#include "pkg/base/alloc.h"
#include "pkg/thin/kernel/devmap.h"
#include "pkg/thin/kernel/engine.h"
#include "tests/support/cmocka.h"
#include "tests/support/lab.h"
#include "tests/support/own_mounts.h"
#include "tests/support/store_fixture.h"

enum { ALWAYS = 2 }; /* the pool and the record */

static struct store_fixture f;
static struct container *c;
static struct error err;

static size_t devices(void)
{
	cleanup(devmap_list_release) struct devmap_list list = {0};

	assert_ok(devmap_list("THINPULL-", &list, &err), &err);
	return list.n;
}

static void hold(const char *name)
{
	container_close(steal(&c));
	assert_ok(container_open(f.store, name, &c, &err), &err);
}

static int begin(void **state)
{
	struct store_container_options fixed = {.name = "fixed", .read_only = true};
	cleanup_free char *name = NULL;

	(void)state;
	store_fixture_init(&f);
	store_fixture_image(&f, "image", "ab", "");
	store_fixture_container(&f, "image", "box");
	assert_ok(store_create_container(f.store, "image", &fixed, &name, &err), &err);
	f.store->lock_timeout_ms = 5000;
	if (lab_may_skip())
		return 0;
	store_fixture_container(&f, "image", "filed");
	hold("filed");
	assert_ok(container_check_out(c, &err), &err);
	f.store->engine = THIN_ENGINE_KERNEL;
	hold("box");
	assert_int_equal(devices(), ALWAYS);
	return 0;
}

/* Nothing but the pool is left by any test. */
static int end(void **state)
{
	(void)state;
	container_close(steal(&c));
	if (!lab_may_skip()) {
		assert_int_equal(devices(), ALWAYS);
		assert_ok(thin_kernel_deactivate(f.store->pool_dir, 1000, &err), &err);
	}
	store_fixture_release(&f);
	return 0;
}

static struct container_state look(void)
{
	struct container_state st;

	assert_ok(container_state(f.store, container_entry(c), &st, &err), &err);
	assert_null(st.file);
	assert_int_equal(container_entry(c)->place, RECORD_IN_POOL);
	return st;
}

static void expect_state(enum container_status status, const char *device)
{
	cleanup(container_state_release) struct container_state st = look();

	assert_int_equal(st.status, status);
	if (device)
		assert_string_equal(st.device, device);
	else
		assert_null(st.device);
}

static void mend(void)
{
	assert_ok(containers_mend(f.store, &err), &err);
}

/* --- as a device ------------------------------------------------------------------------------ */

static void an_attached_one_is_the_thin_device_itself(void **state)
{
	cleanup_free char *first = NULL, *second = NULL;

	(void)state;
	lab_need("thin-pool");
	expect_state(CONTAINER_READY, NULL);
	assert_ok(container_attach(c, &first, &err), &err);
	assert_ok(container_attach(c, &second, &err), &err);
	assert_string_equal(first, second);
	assert_memory_equal(first, "/dev/mapper/thinpull-", strlen("/dev/mapper/thinpull-"));
	expect_state(CONTAINER_ATTACHED, first);
	assert_int_equal(devices(), ALWAYS + 1);
	mend();
	hold("box");
	expect_state(CONTAINER_ATTACHED, first);
	assert_ok(container_unmount(c, &err), &err);
	expect_state(CONTAINER_READY, NULL);
	assert_ok(container_unmount(c, &err), &err);
}

static void a_device_that_is_open_is_busy(void **state)
{
	cleanup_free char *device = NULL;
	int fd;

	(void)state;
	lab_need("thin-pool");
	assert_ok(container_attach(c, &device, &err), &err);
	fd = open(device, O_RDONLY | O_CLOEXEC);
	assert_int_equal(container_unmount(c, &err), -1);
	assert_error(&err, ERR_BUSY, device);
	assert_int_equal(container_remove(&c, true, &err), -1);
	assert_error(&err, ERR_BUSY, device);
	close(fd);
	hold("box");
	expect_state(CONTAINER_ATTACHED, device);
	assert_ok(container_remove(&c, false, &err), &err);
	assert_int_equal(devices(), ALWAYS);
}

static void a_read_only_container_is_a_read_only_device(void **state)
{
	cleanup_free char *device = NULL;
	int fd;

	(void)state;
	lab_need("thin-pool");
	hold("fixed");
	assert_ok(container_attach(c, &device, &err), &err);
	fd = open(device, O_RDWR | O_CLOEXEC);
	assert_int_equal(write(fd, "x", 1), -1);
	close(fd);
	assert_ok(container_unmount(c, &err), &err);
}

static void one_that_has_a_file_stays_in_it(void **state)
{
	cleanup_free char *point = NULL;
	struct container_state st;

	(void)state;
	lab_need("thin-pool");
	hold("filed");
	assert_ok(container_mount(c, NULL, &point, &err), &err);
	assert_ok(container_state(f.store, container_entry(c), &st, &err), &err);
	assert_int_equal(st.status, CONTAINER_MOUNTED);
	assert_string_equal(st.file, container_file(c));
	assert_memory_equal(st.device, "/dev/loop", strlen("/dev/loop"));
	container_state_release(&st);
	assert_ok(container_unmount(c, &err), &err);
}

static void one_that_was_extracted_has_no_device(void **state)
{
	char *device;

	(void)state;
	lab_need("thin-pool");
	assert_ok(container_set_place(c, RECORD_IN_FOLDER, "/a/folder", &err), &err);
	assert_int_equal(container_attach(c, &device, &err), -1);
	assert_error(&err, ERR_UNSUPPORTED, "/a/folder");
}

/* --- mounted ---------------------------------------------------------------------------------- */

static void put(const char *point, const char *name, const char *text)
{
	cleanup_free char *path = xasprintf("%s/%s", point, name);
	cleanup_fd int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static bool has(const char *point, const char *name)
{
	cleanup_free char *path = xasprintf("%s/%s", point, name);

	return access(path, F_OK) == 0;
}

static void what_is_written_stays_and_mounts_leave_nothing(void **state)
{
	cleanup_free char *point = NULL, *again = NULL, *elsewhere = NULL;
	cleanup_free char *dir = NULL;
	cleanup(container_state_release) struct container_state st = {0};

	(void)state;
	lab_need("thin-pool");
	dir = xasprintf("%s/a dir", f.root);
	assert_ok(container_mount(c, NULL, &point, &err), &err);
	assert_ok(container_mount(c, dir, &elsewhere, &err), &err);
	st = look();
	assert_int_equal(st.status, CONTAINER_MOUNTED);
	assert_string_equal(st.mount_point, point);
	put(elsewhere, "new", "text");
	mend();
	assert_true(has(point, "new"));
	assert_ok(container_unmount(c, &err), &err);
	expect_state(CONTAINER_READY, NULL);
	assert_int_equal(access(point, F_OK), -1);
	assert_ok(container_mount(c, NULL, &again, &err), &err);
	assert_true(has(again, "new"));
	assert_ok(container_unmount(c, &err), &err);
}

static void a_mounted_one_is_not_read_unless_nobody_writes_to_it(void **state)
{
	cleanup(snapshots_close_ptr) struct snapshots *session = NULL;
	cleanup_free char *point = NULL, *fixed = NULL;
	struct thin_volume *v;

	(void)state;
	lab_need("thin-pool");
	assert_ok(container_mount(c, NULL, &point, &err), &err);
	container_close(steal(&c));
	assert_int_equal(store_open_volume(f.store, "box", &session, &v, &err), -1);
	assert_error(&err, ERR_BUSY, point);
	hold("box");
	assert_ok(container_unmount(c, &err), &err);
	hold("fixed");
	assert_ok(container_mount(c, NULL, &fixed, &err), &err);
	container_close(steal(&c));
	assert_ok(store_open_volume(f.store, "fixed", &session, &v, &err), &err);
	assert_int_equal(devices(), ALWAYS + 2);
	thin_volume_close(v);
	cleanup_fd_ptr(&f.store->volume_lock_fd);
	f.store->volume_lock_fd = -1;
	hold("fixed");
	assert_ok(container_unmount(c, &err), &err);
}

/* A virtual machine may have left it in the page cache of its device. */
static void what_was_written_to_its_device_is_read(void **state)
{
	cleanup(snapshots_close_ptr) struct snapshots *session = NULL;
	cleanup_free char *device = NULL;
	char got[4] = "";
	struct thin_volume *v;
	int fd;

	(void)state;
	lab_need("thin-pool");
	assert_ok(container_attach(c, &device, &err), &err);
	fd = open(device, O_RDWR | O_CLOEXEC);
	assert_int_equal(pwrite(fd, "here", 4, 24 << 20), 4);
	container_close(steal(&c));
	assert_ok(store_open_volume(f.store, "box", &session, &v, &err), &err);
	assert_ok(thin_volume_read(v, got, sizeof(got), 24 << 20, &err), &err);
	assert_memory_equal(got, "here", 4);
	/* Nobody gets hold of it before it was read. */
	f.store->lock_timeout_ms = 20;
	assert_int_equal(container_open(f.store, "box", &c, &err), -1);
	assert_error(&err, ERR_BUSY, "box");
	thin_volume_close(v);
	cleanup_fd_ptr(&f.store->volume_lock_fd);
	f.store->volume_lock_fd = -1;
	close(fd);
	hold("box");
	assert_ok(container_unmount(c, &err), &err);
}

/* --- lent, and left --------------------------------------------------------------------------- */

static bool is_noted(void)
{
	cleanup_free char *note =
		container_path(f.store, container_entry(c)->thin_id, CONTAINER_LENT);

	return access(note, F_OK) == 0;
}

static void lend(void)
{
	cleanup_free char *file = NULL, *device = NULL;
	struct stat st;

	assert_ok(container_lend(c, &file, &device, &err), &err);
	assert_null(file);
	assert_int_equal(stat(device, &st), 0);
	assert_true(is_noted());
}

static void what_a_run_was_lent_is_given_back(void **state)
{
	(void)state;
	lab_need("thin-pool");
	lend();
	mend(); /* while somebody holds it */
	assert_int_equal(devices(), ALWAYS + 1);
	assert_ok(container_give_back(c, &err), &err);
	assert_false(is_noted());
	expect_state(CONTAINER_READY, NULL);
	assert_ok(container_give_back(c, &err), &err);
}

static void what_a_killed_run_was_lent_is_taken_back(void **state)
{
	cleanup_free char *device = NULL;
	int fd;

	(void)state;
	lab_need("thin-pool");
	lend();
	container_close(steal(&c));
	mend();
	assert_int_equal(devices(), ALWAYS);
	hold("box");
	assert_false(is_noted());
	/* Also by who opens it, and not before its last user has gone. */
	lend();
	device = look().device;
	fd = open(device, O_RDONLY | O_CLOEXEC);
	hold("box");
	assert_true(is_noted());
	expect_state(CONTAINER_ATTACHED, device);
	close(fd);
	hold("box");
	assert_false(is_noted());
	expect_state(CONTAINER_READY, NULL);
}

static void a_device_that_is_no_containers_goes(void **state)
{
	cleanup(snapshots_close_ptr) struct snapshots *session = NULL;
	cleanup_free char *device = NULL, *layer = NULL, *base = NULL;
	struct thin_pool *pool;

	(void)state;
	lab_need("thin-pool");
	assert_ok(store_read(f.store, &session, &err), &err);
	pool = snapshots_pool(session);
	assert_ok(thin_pool_activate(pool, 1, 1 << 20, true, &base, &err), &err);
	assert_ok(thin_pool_activate(pool, 2, 1 << 20, true, &layer, &err), &err);
	assert_ok(container_attach(c, &device, &err), &err);
	mend();
	assert_int_equal(devices(), ALWAYS + 1);
	expect_state(CONTAINER_ATTACHED, device);
	assert_ok(container_unmount(c, &err), &err);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(an_attached_one_is_the_thin_device_itself),
		CASE(a_device_that_is_open_is_busy),
		CASE(a_read_only_container_is_a_read_only_device),
		CASE(one_that_has_a_file_stays_in_it),
		CASE(one_that_was_extracted_has_no_device),
		CASE(what_is_written_stays_and_mounts_leave_nothing),
		CASE(a_mounted_one_is_not_read_unless_nobody_writes_to_it),
		CASE(what_was_written_to_its_device_is_read),
		CASE(what_a_run_was_lent_is_given_back),
		CASE(what_a_killed_run_was_lent_is_taken_back),
		CASE(a_device_that_is_no_containers_goes),
	};

	own_mounts();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
