/* SPDX-License-Identifier: Apache-2.0 */
/* Containers on loop devices and mounted, where the test may do that; else that it is refused. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "oci/container_internal.h"
#include "pkg/base/alloc.h"
#include "pkg/host/loop.h"
#include "tests/support/cmocka.h"
#include "tests/support/own_mounts.h"
#include "tests/support/store_fixture.h"

static struct store_fixture f;
static struct container *c;
static char *dir;
static struct error err;

static int begin(void **state)
{
	(void)state;
	store_fixture_init(&f);
	store_fixture_image(&f, "image", "ab", "");
	store_fixture_container(&f, "image", "box");
	f.store->lock_timeout_ms = 50;
	dir = xasprintf("%s/a dir", f.root);
	assert_ok(container_open(f.store, "box", &c, &err), &err);
	return 0;
}

static int end(void **state)
{
	(void)state;
	if (c)
		assert_ok(container_unmount(c, &err), &err);
	container_close(c);
	free(dir);
	store_fixture_release(&f);
	return 0;
}

static void needs_devices(void)
{
	if (geteuid() != 0 || loop_check(&err) < 0)
		skip();
}

static struct container_state look(void)
{
	struct container_state st;

	assert_ok(container_state(f.store, container_entry(c), &st, &err), &err);
	return st;
}

static void expect_state(enum container_status status, const char *mount_point)
{
	struct container_state st = look();

	assert_int_equal(st.status, status);
	if (mount_point)
		assert_string_equal(st.mount_point, mount_point);
	else
		assert_null(st.mount_point);
	container_state_release(&st);
}

static char *mount_on(const char *where)
{
	char *point;

	assert_ok(container_mount(c, where, &point, &err), &err);
	return point;
}

static void who_may_not_keeps_his_container_in_the_pool(void **state)
{
	char *point;

	(void)state;
	if (geteuid() == 0)
		skip();
	assert_int_equal(container_mount(c, NULL, &point, &err), -1);
	assert_error(&err, ERR_UNSUPPORTED, "root");
	if (loop_check(&err) < 0) {
		assert_int_equal(container_attach(c, &point, &err), -1);
		assert_error(&err, ERR_UNSUPPORTED, "loop");
	}
	assert_int_equal(container_entry(c)->place, RECORD_IN_POOL);
}

static void mounts_come_and_go(void **state)
{
	cleanup_free char *first = NULL, *second = NULL, *again = NULL;
	cleanup_free char *expected = container_mount_point(c);
	struct stat st;

	(void)state;
	needs_devices();
	first = mount_on(NULL);
	assert_string_equal(first, expected);
	expect_state(CONTAINER_MOUNTED, expected);
	second = mount_on(dir);
	again = mount_on(dir);
	assert_string_equal(second, again);
	assert_int_equal(stat(first, &st), 0);
	assert_ok(container_unmount(c, &err), &err);
	expect_state(CONTAINER_CHECKED_OUT, NULL);
	/* Ours goes with its folders, the caller's stays. */
	assert_int_equal(access(store_run_dir(f.store), F_OK), -1);
	assert_int_equal(rmdir(dir), 0);
}

static void a_container_is_found_by_its_mount_point(void **state)
{
	cleanup_free char *point = NULL, *name = NULL, *link = xasprintf("%s/link", f.root);

	(void)state;
	needs_devices();
	point = mount_on(NULL);
	assert_int_equal(symlink(point, link), 0);
	assert_ok(containers_find_mount(f.store, link, &name, &err), &err);
	assert_string_equal(name, "box");
	assert_int_equal(containers_find_mount(f.store, "/", &name, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "mounted on /");
	assert_int_equal(containers_find_mount(f.store, "/not/there", &name, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "/not/there");
}

static void a_path_that_cannot_be_followed_is_told(void **state)
{
	cleanup_free char *below = xasprintf("%s/file/below", f.root), *name = NULL;
	cleanup_free char *file = xasprintf("%s/file", f.root);

	(void)state;
	close(open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	assert_int_equal(containers_find_mount(f.store, below, &name, &err), -1);
	assert_error(&err, ERR_SYSTEM, below);
}

static void a_mount_point_comes_and_goes_with_its_folders(void **state)
{
	cleanup_free char *expected = container_mount_point(c);
	cleanup_free char *point = NULL, *file = NULL;

	(void)state;
	assert_ok(container_make_mount_point(c, &point, &err), &err);
	assert_string_equal(point, expected);
	assert_int_equal(access(point, F_OK), 0);
	/* What somebody put there stays. */
	file = xasprintf("%s/file", point);
	close(open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	container_remove_mount_point(c);
	assert_int_equal(unlink(file), 0);
	container_remove_mount_point(c);
	assert_int_equal(access(store_run_dir(f.store), F_OK), -1);
	container_remove_mount_point(c);
}

static void a_mounted_one_is_removed_by_force_only(void **state)
{
	cleanup_free char *point = NULL;
	bool is_container;

	(void)state;
	needs_devices();
	point = mount_on(NULL);
	assert_int_equal(container_remove(&c, false, &err), -1);
	assert_error(&err, ERR_BUSY, point);
	assert_ok(container_open(f.store, "box", &c, &err), &err);
	assert_ok(container_remove(&c, true, &err), &err);
	assert_ok(store_is_container(f.store, "box", &is_container, &err), &err);
	assert_false(is_container);
	assert_int_equal(access(point, F_OK), -1);
}

static void a_mount_that_is_used_is_busy(void **state)
{
	cleanup_free char *point = NULL;
	struct container_state st;
	int fd;

	(void)state;
	needs_devices();
	point = mount_on(NULL);
	fd = open(point, O_RDONLY | O_CLOEXEC);
	assert_int_equal(container_unmount(c, &err), -1);
	assert_error(&err, ERR_BUSY, point);
	expect_state(CONTAINER_MOUNTED, point);
	close(fd);
	assert_ok(container_unmount(c, &err), &err);
	/* Nor is a device that a virtual machine has open. */
	assert_ok(container_attach(c, &st.device, &err), &err);
	fd = open(st.device, O_RDWR | O_CLOEXEC);
	assert_int_equal(container_unmount(c, &err), -1);
	assert_error(&err, ERR_BUSY, st.device);
	expect_state(CONTAINER_ATTACHED, NULL);
	free(st.device);
	close(fd);
}

static void what_covers_a_mount_point_is_not_taken_away(void **state)
{
	cleanup_free char *point = NULL;
	struct stat st;

	(void)state;
	needs_devices();
	point = mount_on(dir);
	assert_int_equal(mount("none", point, "tmpfs", 0, "size=1M"), 0);
	assert_int_equal(container_unmount(c, &err), -1);
	assert_error(&err, ERR_BUSY, "covered");
	assert_int_equal(stat(point, &st), 0);
	assert_int_equal(umount2(point, 0), 0);
	assert_ok(container_unmount(c, &err), &err);
}

static void a_live_file_system_is_not_read(void **state)
{
	cleanup(snapshots_close_ptr) struct snapshots *session = NULL;
	cleanup_free char *point = NULL;
	struct thin_volume *v;

	(void)state;
	needs_devices();
	point = mount_on(NULL);
	container_close(steal(&c));
	assert_int_equal(store_open_volume(f.store, "box", &session, &v, &err), -1);
	assert_error(&err, ERR_BUSY, point);
	assert_ok(container_open(f.store, "box", &c, &err), &err);
}

static void a_read_only_container_stays_as_it_is(void **state)
{
	struct store_container_options options = {.name = "fixed", .read_only = true};
	cleanup(snapshots_close_ptr) struct snapshots *session = NULL;
	cleanup_free char *point = NULL, *file = NULL, *name = NULL;
	struct thin_volume *v;

	(void)state;
	needs_devices();
	container_close(steal(&c));
	assert_ok(store_create_container(f.store, "image", &options, &name, &err), &err);
	assert_ok(container_open(f.store, "fixed", &c, &err), &err);
	point = mount_on(NULL);
	file = xasprintf("%s/file", point);
	assert_int_equal(open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600), -1);
	container_close(steal(&c));
	/* So it can be read at any time. */
	assert_ok(store_open_volume(f.store, "fixed", &session, &v, &err), &err);
	thin_volume_close(v);
	cleanup_fd_ptr(&f.store->volume_lock_fd);
	f.store->volume_lock_fd = -1;
	assert_ok(container_open(f.store, "fixed", &c, &err), &err);
}

static void a_mount_that_fails_leaves_nothing(void **state)
{
	cleanup_free char *below = xasprintf("%s/file", f.root);
	char *point;

	(void)state;
	needs_devices();
	close(open(below, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	assert_int_equal(container_mount(c, below, &point, &err), -1);
	expect_state(CONTAINER_CHECKED_OUT, NULL);
	/* What is in the file is no ext4: the folder that was made for it goes. */
	assert_int_equal(truncate(container_file(c), 1 << 20), 0);
	assert_int_equal(truncate(container_file(c), 0), 0);
	assert_int_equal(truncate(container_file(c), 8 << 20), 0);
	assert_int_equal(container_mount(c, dir, &point, &err), -1);
	assert_error(&err, ERR_INCONSISTENT, "no file system that the kernel takes");
	expect_state(CONTAINER_CHECKED_OUT, NULL);
	assert_int_equal(access(dir, F_OK), -1);
	assert_int_equal(container_mount(c, NULL, &point, &err), -1);
	assert_int_equal(access(store_run_dir(f.store), F_OK), -1);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(who_may_not_keeps_his_container_in_the_pool),
		CASE(mounts_come_and_go),
		CASE(a_container_is_found_by_its_mount_point),
		CASE(a_path_that_cannot_be_followed_is_told),
		CASE(a_mount_point_comes_and_goes_with_its_folders),
		CASE(a_mounted_one_is_removed_by_force_only),
		CASE(a_mount_that_is_used_is_busy),
		CASE(what_covers_a_mount_point_is_not_taken_away),
		CASE(a_live_file_system_is_not_read),
		CASE(a_read_only_container_stays_as_it_is),
		CASE(a_mount_that_fails_leaves_nothing),
	};

	own_mounts();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
