/* SPDX-License-Identifier: Apache-2.0 */
/* Whole reads and writes, folders, replacement of files. */
#include "tests/support/cmocka.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/fdio.h"

/* Each test works in a folder of its own, which is the current one. */
static int enter_folder(void **state)
{
	const char *tmp = getenv("TMPDIR");
	char *path = xasprintf("%s/fdio-test.XXXXXX", tmp ? tmp : "/tmp");

	*state = path;
	return mkdtemp(path) && chdir(path) == 0 ? 0 : -1;
}

static int leave_folder(void **state)
{
	cleanup_free char *command = xasprintf("rm -rf '%s'", (char *)*state);
	int rc = chdir("/");

	if (system(command) != 0)
		rc = -1;
	free(*state);
	return rc;
}

static size_t count_files(void)
{
	DIR *d = opendir(".");
	size_t n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

static void what_is_written_is_read_back(void **state)
{
	cleanup_fd int fd = open("f", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	struct error err = {0};
	char buf[10];

	(void)state;
	assert_ok(fdio_write(fd, "0123456789", 10, "f", &err), &err);
	assert_ok(fdio_pwrite(fd, "abc", 3, 4, "f", &err), &err);
	assert_ok(fdio_pread(fd, buf, 10, 0, "f", &err), &err);
	assert_memory_equal(buf, "0123abc789", 10);
	assert_ok(fdio_pread(fd, buf, 0, 100, "f", &err), &err);
}

static void a_short_file_is_inconsistent(void **state)
{
	cleanup_fd int fd = open("f", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	struct error err = {0};
	char buf[10];

	(void)state;
	assert_ok(fdio_write(fd, "0123456789", 10, "f", &err), &err);
	assert_int_equal(fdio_pread(fd, buf, 4, 8, "f", &err), -1);
	assert_error(&err, ERR_INCONSISTENT, "f ends at byte 10, 2 more expected");
}

static void failing_calls_name_the_file(void **state)
{
	cleanup_fd int fd = open("f", O_RDONLY | O_CREAT | O_CLOEXEC, 0600);
	cleanup_fd int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	struct error err = {0};
	char buf[4] = "abc";

	(void)state;
	assert_int_equal(fdio_write(fd, buf, 3, "the file", &err), -1);
	assert_error(&err, ERR_SYSTEM, "write the file: Bad file descriptor");
	assert_int_equal(fdio_pwrite(fd, buf, 3, 0, "the file", &err), -1);
	assert_error(&err, ERR_SYSTEM, "write the file: Bad file descriptor");
	assert_int_equal(fdio_pread(-1, buf, 3, 0, "the file", &err), -1);
	assert_error(&err, ERR_SYSTEM, "read the file: Bad file descriptor");
	assert_int_equal(fdio_write(full, buf, 3, "the disk", &err), -1);
	assert_error(&err, ERR_NO_SPACE, "write the disk: No space left on device");
}

static void folders_are_made_with_their_parents(void **state)
{
	struct error err = {0};
	struct stat st;

	(void)state;
	umask(0);
	assert_ok(fdio_mkdirs("a/b//c/", &err), &err);
	assert_ok(fdio_mkdirs("a/b/c", &err), &err);
	assert_ok(fdio_mkdirs("a", &err), &err);
	assert_ok(fdio_mkdirs("/", &err), &err);
	assert_int_equal(stat("a/b/c", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(symlink("a", "link"), 0);
	assert_ok(fdio_mkdirs("link/d", &err), &err);
}

static void a_file_in_the_way_of_a_folder_is_an_error(void **state)
{
	struct error err = {0};

	(void)state;
	assert_ok(fdio_replace_file("f", "", 0, &err), &err);
	assert_int_equal(fdio_mkdirs("f", &err), -1);
	assert_error(&err, ERR_SYSTEM, "make folder f: Not a directory");
	assert_int_equal(fdio_mkdirs("f/g", &err), -1);
	assert_error(&err, ERR_SYSTEM, "make folder f: Not a directory");
	assert_int_equal(fdio_mkdirs("", &err), -1);
	assert_error(&err, ERR_SYSTEM, "No such file or directory");
}

static void a_replaced_file_is_new_as_a_whole(void **state)
{
	cleanup_buffer struct buffer b = {0};
	struct error err = {0};
	struct stat st;

	(void)state;
	assert_ok(fdio_replace_file("f", "long content", 12, &err), &err);
	assert_ok(fdio_replace_file("f", "short", 5, &err), &err);
	assert_ok(fdio_read_file("f", 5, &b, &err), &err);
	assert_string_equal((char *)b.data, "short");
	assert_int_equal(stat("f", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(count_files(), 1);
}

static void a_failed_replacement_leaves_no_trace(void **state)
{
	struct error err = {0};

	(void)state;
	assert_int_equal(mkdir("d", 0700), 0);
	assert_int_equal(fdio_replace_file("d", "x", 1, &err), -1);
	assert_error(&err, ERR_SYSTEM, "rename ");
	assert_int_equal(fdio_replace_file("missing/f", "x", 1, &err), -1);
	assert_error(&err, ERR_SYSTEM, "create missing/f");
	assert_int_equal(count_files(), 1);
}

static void reading_a_file_refuses_what_is_none_or_too_large(void **state)
{
	cleanup_buffer struct buffer b = {0};
	struct error err = {0};

	(void)state;
	assert_ok(fdio_replace_file("f", "12345", 5, &err), &err);
	assert_int_equal(symlink("f", "link"), 0);
	assert_int_equal(mkfifo("fifo", 0600), 0);
	assert_int_equal(fdio_read_file("f", 4, &b, &err), -1);
	assert_error(&err, ERR_INVALID, "f has 5 bytes, at most 4 are allowed");
	assert_int_equal(fdio_read_file("none", 4, &b, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "none: no such file");
	assert_int_equal(fdio_read_file("link", 10, &b, &err), -1);
	assert_error(&err, ERR_INVALID, "link is a symlink");
	assert_int_equal(fdio_read_file("fifo", 10, &b, &err), -1); /* and does not wait */
	assert_error(&err, ERR_INVALID, "fifo is not a regular file");
	assert_int_equal(fdio_read_file(".", 10, &b, &err), -1);
	assert_error(&err, ERR_INVALID, ". is not a regular file");
	assert_ok(fdio_replace_file("f", "", 0, &err), &err);
	assert_ok(fdio_read_file("f", 0, &b, &err), &err);
	assert_int_equal(b.len, 0);
}

static void removing_is_done_when_nothing_is_there(void **state)
{
	struct error err = {0};

	(void)state;
	assert_ok(fdio_replace_file("f", "", 0, &err), &err);
	assert_ok(fdio_remove("f", &err), &err);
	assert_ok(fdio_remove("f", &err), &err);
	assert_int_equal(count_files(), 0);
	assert_int_equal(fdio_remove(".", &err), -1);
	assert_error(&err, ERR_SYSTEM, "remove .");
}

static void a_nameless_file_leaves_no_trace(void **state)
{
	struct error err = {0};
	char text[3];
	int fd;

	(void)state;
	assert_ok(fdio_open_nameless(".", &fd, &err), &err);
	assert_int_equal(count_files(), 0);
	assert_ok(fdio_write(fd, "abc", 3, "file", &err), &err);
	assert_ok(fdio_pread(fd, text, 3, 0, "file", &err), &err);
	assert_memory_equal(text, "abc", 3);
	close(fd);
	assert_int_equal(fdio_open_nameless("none", &fd, &err), -1);
	assert_error(&err, ERR_SYSTEM, "none");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, enter_folder, leave_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_written_is_read_back),
		TEST(a_short_file_is_inconsistent),
		TEST(failing_calls_name_the_file),
		TEST(folders_are_made_with_their_parents),
		TEST(a_file_in_the_way_of_a_folder_is_an_error),
		TEST(a_replaced_file_is_new_as_a_whole),
		TEST(a_failed_replacement_leaves_no_trace),
		TEST(reading_a_file_refuses_what_is_none_or_too_large),
		TEST(removing_is_done_when_nothing_is_there),
		TEST(a_nameless_file_leaves_no_trace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
