/* SPDX-License-Identifier: Apache-2.0 */
/* Texts of mountinfo, and mounts of a loop device where the test may make some. */
#include "pkg/host/mounts.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/host/loop.h"
#include "pkg/host/mounts_internal.h"
#include "tests/support/cmocka.h"
#include "tests/support/own_mounts.h"
#include "tests/support/scratch.h"

static struct error err;

/* --- text ------------------------------------------------------------------------------------- */

static struct mount_list parse(const char *text)
{
	struct mount_list l;

	mounts_parse(text, strlen(text), "7:1", &l);
	return l;
}

static void the_mounts_of_one_device_are_found_in_order(void **state)
{
	struct mount_list l = parse("20 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
				    "31 20 7:1 / /b rw,nodev shared:1 - ext4 /dev/loop1 rw\n"
				    "32 20 7:11 / /c rw - ext4 /dev/loop11 rw\n"
				    "33 20 17:1 / /d rw - ext4 /dev/x rw\n"
				    "34 20 7:1 /sub /a rw - ext4 /dev/loop1 rw");

	(void)state;
	assert_int_equal(l.n, 2);
	assert_string_equal(l.points[0], "/b");
	assert_string_equal(l.points[1], "/a");
	mount_list_release(&l);
	assert_int_equal(l.n, 0);
}

static void mounts_are_found_by_what_devices_are_called(void **state)
{
	static const char text[] =
		"20 1 8:1 / / rw - ext4 /dev/mapper/pool-1 rw\n"
		"31 20 254:1 / /b\\040c rw shared:1 - ext4 /dev/mapper/pool-12 rw\n"
		"32 20 254:2 / /c rw - ext4 /dev/mapper/other-1 rw\n"
		"33 20 254:3 / /d rw - ext4 /dev/mapper/pool rw\n"
		"34 20 254:4 / /e rw\n"
		"35 20 254:5 / /f rw - ext4\n"
		"36 20 254:6 / /g - - ext4 /x\n"
		"37 20 254:7 / /dev/mapper/pool-3 rw - tmpfs none rw";
	struct mount_list l;

	(void)state;
	mounts_parse_named(text, strlen(text), "/dev/mapper/pool-", &l);
	assert_int_equal(l.n, 2);
	assert_string_equal(l.points[0], "/");
	assert_string_equal(l.points[1], "/b c");
	mount_list_release(&l);
}

static void names_with_blanks_and_backslashes_are_taken_back(void **state)
{
	struct mount_list l = parse("1 1 7:1 / /a\\040b\\011c\\012d\\134e rw - ext4 x rw\n"
				    "2 1 7:1 / /\\303\\244\\04 rw - ext4 x rw\n"
				    "3 1 7:1 / /\\08 rw - ext4 x rw\n");

	(void)state;
	assert_int_equal(l.n, 3);
	assert_string_equal(l.points[0], "/a b\tc\nd\\e");
	assert_string_equal(l.points[1], "/\303\244\\04");
	assert_string_equal(l.points[2], "/\\08");
	mount_list_release(&l);
}

static void lines_that_are_none_are_passed_over(void **state)
{
	static const char *const texts[] = {"",
					    "\n\n",
					    "1 1 7:1",
					    "1 1 7:1 /",
					    "1 1 7:1 / ",
					    "7:1",
					    "1 1 7:1 /  rw - ext4 x rw\n"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct mount_list l = parse(texts[i]);

		assert_int_equal(l.n, 0);
		mount_list_release(&l);
	}
}

/* --- mounts ----------------------------------------------------------------------------------- */

struct scene {
	char *dir, *file, *a, *b;
	char device[LOOP_PATH_BYTES];
};

/* A file system on a loop device and two folders; skips where there are no loop devices. */
static void set_scene(struct scene *s)
{
	cleanup_free char *command = NULL;
	int fd;

	s->dir = scratch_new();
	s->file = xasprintf("%s/file", s->dir);
	s->a = xasprintf("%s/a b\\", s->dir);
	s->b = xasprintf("%s/b", s->dir);
	assert_int_equal(mkdir(s->a, 0700) | mkdir(s->b, 0700), 0);
	command = xasprintf("mke2fs -q -t ext4 %s 8M >/dev/null 2>&1", s->file);
	assert_int_equal(system(command), 0); /* NOLINT: a test's own command */
	if (loop_attach(s->file, 0, &fd, s->device, &err) < 0) {
		if (err.kind != ERR_UNSUPPORTED)
			fail_msg("%s", err.cause);
		s->device[0] = 0;
		return;
	}
	close(fd);
}

static void clear_scene(struct scene *s)
{
	if (s->device[0])
		assert_ok(loop_detach(s->device, &err), &err);
	unlink(s->file);
	assert_int_equal(rmdir(s->a) | rmdir(s->b) | rmdir(s->dir), 0);
	free(s->dir);
	free(s->file);
	free(s->a);
	free(s->b);
}

static size_t count_mounts(const struct scene *s)
{
	struct mount_list l;
	size_t n;

	assert_ok(mounts_of_device(s->device, &l, &err), &err);
	n = l.n;
	mount_list_release(&l);
	return n;
}

static void check_mounting(const struct scene *s)
{
	cleanup_free char *device_file = xasprintf("%s/null", s->a);
	struct mount_list l;

	assert_int_equal(count_mounts(s), 0);
	assert_ok(mounts_add(s->device, s->a, false, &err), &err);
	assert_ok(mounts_add(s->device, s->b, false, &err), &err);
	assert_ok(mounts_of_device(s->device, &l, &err), &err);
	assert_int_equal(l.n, 2);
	assert_string_equal(l.points[0], s->a);
	assert_string_equal(l.points[1], s->b);
	mount_list_release(&l);
	/* Devices of the image are none here. */
	assert_int_equal(mknod(device_file, S_IFCHR | 0600, 0x103), 0);
	assert_true(open(device_file, O_RDONLY | O_CLOEXEC) < 0);
	assert_int_equal(loop_detach(s->device, &err), -1);
	assert_error(&err, ERR_BUSY, s->device);
	assert_ok(mounts_remove(s->b, &err), &err);
	assert_int_equal(mounts_remove(s->b, &err), -1);
	assert_ok(mounts_remove(s->a, &err), &err);
	assert_int_equal(count_mounts(s), 0);
}

static void a_device_is_mounted_listed_and_unmounted(void **state)
{
	struct scene s = {0};

	(void)state;
	set_scene(&s);
	if (s.device[0])
		check_mounting(&s);
	clear_scene(&s);
	if (!s.device[0])
		skip();
}

static void a_mount_that_is_used_is_busy(void **state)
{
	struct scene s = {0};
	int fd;

	(void)state;
	set_scene(&s);
	if (s.device[0]) {
		assert_ok(mounts_add(s.device, s.a, true, &err), &err);
		fd = open(s.a, O_RDONLY | O_CLOEXEC);
		assert_int_equal(mounts_remove(s.a, &err), -1);
		assert_error(&err, ERR_BUSY, s.a);
		close(fd);
		assert_ok(mounts_remove(s.a, &err), &err);
	}
	clear_scene(&s);
	if (!s.device[0])
		skip();
}

/* In a namespace of its own: 0 when the copy is gone there. */
static int leave(const struct scene *s)
{
	struct error mine = {0};

	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) < 0)
		return 1;
	if (count_mounts(s) != 2 || mounts_leave(s->device, &mine) < 0)
		return 2;
	return count_mounts(s) == 0 ? 0 : 3;
}

static void a_namespace_can_leave_the_mounts_of_a_device(void **state)
{
	struct scene s = {0};
	int status = 0;
	pid_t pid;

	(void)state;
	set_scene(&s);
	if (s.device[0]) {
		assert_ok(mounts_add(s.device, s.a, false, &err), &err);
		assert_ok(mounts_add(s.device, s.b, false, &err), &err);
		pid = fork();
		if (pid == 0)
			_exit(leave(&s));
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(count_mounts(&s), 2);
		assert_ok(mounts_remove(s.a, &err), &err);
		assert_ok(mounts_remove(s.b, &err), &err);
	}
	clear_scene(&s);
	assert_int_equal(status, 0);
	if (!s.device[0])
		skip();
}

static void a_link_is_no_place_to_mount(void **state)
{
	struct scene s = {0};
	cleanup_free char *link = NULL;

	(void)state;
	set_scene(&s);
	link = xasprintf("%s/link", s.dir);
	assert_int_equal(symlink(s.a, link), 0);
	assert_int_equal(mounts_add("/dev/loop0", link, false, &err), -1);
	assert_error(&err, ERR_SYSTEM, link);
	unlink(link);
	clear_scene(&s);
}

static void what_is_no_block_device_has_no_mounts(void **state)
{
	struct mount_list l;

	(void)state;
	assert_int_equal(mounts_of_device("/tmp", &l, &err), -1);
	assert_error(&err, ERR_INVALID, "block device");
	assert_int_equal(mounts_of_device("/dev/none", &l, &err), -1);
	assert_error(&err, ERR_SYSTEM, "/dev/none");
}

static void an_ordinary_user_is_told_that_he_may_not(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	pid = fork();
	if (pid == 0) {
		if (geteuid() == 0 && setuid(65534) < 0)
			_exit(2);
		if (mounts_add("/dev/loop0", "/tmp", false, &err) == 0
		    || err.kind != ERR_UNSUPPORTED)
			_exit(1);
		_exit(mounts_remove("/tmp", &err) < 0 && err.kind == ERR_UNSUPPORTED ? 0 : 3);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_mounts_of_one_device_are_found_in_order),
		cmocka_unit_test(mounts_are_found_by_what_devices_are_called),
		cmocka_unit_test(names_with_blanks_and_backslashes_are_taken_back),
		cmocka_unit_test(lines_that_are_none_are_passed_over),
		cmocka_unit_test(a_device_is_mounted_listed_and_unmounted),
		cmocka_unit_test(a_mount_that_is_used_is_busy),
		cmocka_unit_test(a_namespace_can_leave_the_mounts_of_a_device),
		cmocka_unit_test(a_link_is_no_place_to_mount),
		cmocka_unit_test(what_is_no_block_device_has_no_mounts),
		cmocka_unit_test(an_ordinary_user_is_told_that_he_may_not),
	};

	own_mounts();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
