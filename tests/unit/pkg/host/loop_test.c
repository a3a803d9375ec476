/* SPDX-License-Identifier: Apache-2.0 */
/* Loop devices of the machine, where the test may have some. */
#include "pkg/host/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "tests/support/cmocka.h"
#include "tests/support/scratch.h"

enum { SIZE = 4 << 20 };

static char *dir, *file;
static struct error err;

static int make_file(void **state)
{
	int fd;

	(void)state;
	dir = scratch_new();
	file = xasprintf("%s/file", dir);
	fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, SIZE), 0);
	close(fd);
	return 0;
}

static int remove_file(void **state)
{
	(void)state;
	free(file);
	scratch_free(dir);
	return 0;
}

/* Skips the test on a machine, or for a user, without loop devices. */
static int attach(enum loop_flags flags, char *path)
{
	int fd;

	if (loop_check(&err) < 0) {
		assert_int_equal(loop_attach(file, flags, &fd, path, &err), -1);
		assert_int_equal(err.kind, ERR_UNSUPPORTED);
		skip();
	}
	assert_ok(loop_attach(file, flags, &fd, path, &err), &err);
	return fd;
}

static bool is_found(const char *want)
{
	char path[LOOP_PATH_BYTES] = "";
	int status = loop_find(file, path, &err);

	assert_true(status >= 0);
	return status == 0 && strcmp(path, want) == 0;
}

static void an_attached_file_is_found_until_it_is_let_go(void **state)
{
	char path[LOOP_PATH_BYTES];

	(void)state;
	assert_false(is_found(""));
	close(attach(0, path));
	assert_true(is_found(path));
	assert_ok(loop_detach(path, &err), &err);
	assert_false(is_found(path));
	assert_ok(loop_detach(path, &err), &err);
}

static void a_file_is_told_from_one_that_took_its_name(void **state)
{
	cleanup_free char *old = xasprintf("%s.old", file), *said = NULL;
	char path[LOOP_PATH_BYTES];

	(void)state;
	close(attach(0, path));
	assert_int_equal(rename(file, old), 0);
	close(open(file, O_WRONLY | O_CREAT | O_EXCL, 0600));
	assert_false(is_found(path));
	assert_int_equal(loop_is_on(path, file), 0);
	assert_int_equal(loop_is_on(path, old), 1);
	said = loop_file(path);
	assert_non_null(strstr(said, ".old"));
	assert_int_equal(rename(old, file), 0);
	assert_true(is_found(path));
	assert_int_equal(loop_is_on(path, file), 1);
	assert_int_equal(loop_is_on(path, old), -1);
	assert_ok(loop_detach(path, &err), &err);
	assert_int_equal(loop_is_on(path, file), -1);
	assert_null(loop_file(path));
	assert_int_equal(unlink(file), 0);
	assert_int_equal(loop_find(file, path, &err), 1);
}

static void the_devices_of_a_folder_are_listed(void **state)
{
	cleanup_free char *folder = xasprintf("%s.d", file), *inner = xasprintf("%s/file", folder);
	cleanup_free char *link = xasprintf("%s.link", file);
	char first[LOOP_PATH_BYTES];
	struct loop_list l;

	(void)state;
	close(attach(0, first));
	assert_int_equal(mkdir(folder, 0700), 0);
	assert_int_equal(symlink(folder, link), 0);
	/* What only starts like it is not in it. */
	assert_ok(loop_find_in(link, &l, &err), &err);
	assert_int_equal(l.n, 0);
	assert_int_equal(rename(file, inner), 0);
	assert_ok(loop_find_in(link, &l, &err), &err);
	assert_int_equal(l.n, 1);
	assert_string_equal(l.paths[0], first);
	loop_list_release(&l);
	assert_ok(loop_detach(first, &err), &err);
	assert_ok(loop_find_in(folder, &l, &err), &err);
	assert_int_equal(l.n, 0);
	unlink(link);
	unlink(inner);
	rmdir(folder);
	assert_int_equal(loop_find_in(folder, &l, &err), -1);
	assert_int_equal(err.sys, ENOENT);
}

static void autoclear_ends_with_the_last_descriptor(void **state)
{
	char path[LOOP_PATH_BYTES];
	int fd = attach(LOOP_AUTOCLEAR, path);

	(void)state;
	assert_true(is_found(path));
	close(fd);
	assert_false(is_found(path));
}

/* A process that has it open ends meanwhile. */
static void the_end_of_a_device_is_waited_for(void **state)
{
	char path[LOOP_PATH_BYTES];
	int fd = attach(LOOP_AUTOCLEAR, path);
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		usleep(200000);
		_exit(0);
	}
	close(fd);
	assert_true(is_found(path));
	assert_true(loop_wait_gone(file));
	assert_false(is_found(path));
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void a_device_that_is_open_is_busy_and_stays(void **state)
{
	char path[LOOP_PATH_BYTES];
	int fd = attach(0, path);

	(void)state;
	assert_int_equal(loop_detach(path, &err), -1);
	assert_error(&err, ERR_BUSY, path);
	close(fd);
	assert_true(is_found(path));
	assert_ok(loop_detach(path, &err), &err);
	assert_false(is_found(path));
}

static void a_read_only_device_does_not_change_its_file(void **state)
{
	char path[LOOP_PATH_BYTES];
	int fd = attach(LOOP_READ_ONLY, path), writable;

	(void)state;
	close(fd);
	writable = open(path, O_RDWR | O_CLOEXEC);
	if (writable >= 0) {
		assert_int_equal(pwrite(writable, "x", 1, 0), -1);
		close(writable);
	}
	assert_ok(loop_detach(path, &err), &err);
}

static void what_was_flushed_is_in_the_file(void **state)
{
	cleanup_fd int raw = -1;
	char path[LOOP_PATH_BYTES], got[4] = "";
	int fd = attach(0, path);

	(void)state;
	assert_int_equal(pwrite(fd, "abc", 3, 4096), 3);
	assert_ok(loop_flush(path, &err), &err);
	raw = open(file, O_RDONLY | O_CLOEXEC);
	assert_int_equal(pread(raw, got, 3, 4096), 3);
	assert_string_equal(got, "abc");
	close(fd);
	assert_ok(loop_detach(path, &err), &err);
}

static void what_cannot_be_attached_is_an_error(void **state)
{
	char path[LOOP_PATH_BYTES];
	int fd;

	(void)state;
	unlink(file);
	assert_int_equal(loop_attach(file, 0, &fd, path, &err), -1);
	assert_int_equal(err.sys, ENOENT);
	assert_int_equal(symlink("/etc/passwd", file), 0);
	assert_int_equal(loop_attach(file, 0, &fd, path, &err), -1);
	assert_int_equal(err.sys, ELOOP);
	assert_int_equal(loop_detach("/dev/loop-that-is-none", &err), -1);
	assert_error(&err, ERR_UNSUPPORTED, "loop-that-is-none");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, make_file, remove_file)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(an_attached_file_is_found_until_it_is_let_go),
		CASE(a_file_is_told_from_one_that_took_its_name),
		CASE(the_devices_of_a_folder_are_listed),
		CASE(autoclear_ends_with_the_last_descriptor),
		CASE(the_end_of_a_device_is_waited_for),
		CASE(a_device_that_is_open_is_busy_and_stays),
		CASE(a_read_only_device_does_not_change_its_file),
		CASE(what_was_flushed_is_in_the_file),
		CASE(what_cannot_be_attached_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
