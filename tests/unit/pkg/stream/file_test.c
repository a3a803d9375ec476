/* SPDX-License-Identifier: Apache-2.0 */
/* Files, pipes, and what is no file. */
#include "tests/support/cmocka.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/fdio.h"
#include "pkg/stream/stage.h"
#include "tests/support/scratch.h"

static const char text[] = "0123456789abcdefghijklmnopqrstuvwxyz";
enum { TEXT_BYTES = sizeof(text) - 1 };

static void a_file_is_read_whole_and_other_things_are_refused(void **state)
{
	char *folder = scratch_new();
	cleanup_free char *file = xasprintf("%s/file", folder);
	cleanup_free char *link = xasprintf("%s/link", folder);
	cleanup_free char *fifo = xasprintf("%s/fifo", folder);
	cleanup_buffer struct buffer out = {0};
	struct stream *s = NULL;
	struct error err = {0};

	(void)state;
	assert_ok(fdio_replace_file(file, text, TEXT_BYTES, &err), &err);
	assert_int_equal(symlink("file", link), 0);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_int_equal(stream_open_file(link, &s, &err), -1);
	assert_error(&err, ERR_INVALID, "is a symlink");
	assert_int_equal(stream_open_file(fifo, &s, &err), -1);
	assert_error(&err, ERR_INVALID, "not a regular file");
	assert_int_equal(stream_open_file(folder, &s, &err), -1);
	assert_error(&err, ERR_INVALID, "not a regular file");
	assert_ok(stream_open_file(file, &s, &err), &err);
	assert_ok(stream_read_all(s, 100, &out, &err), &err);
	assert_int_equal(out.len, TEXT_BYTES);
	assert_memory_equal(out.data, text, TEXT_BYTES);
	stream_close(s);
	unlink(file);
	assert_int_equal(stream_open_file(file, &s, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "no such file");
	scratch_free(folder);
}

static void a_read_error_names_the_file(void **state)
{
	int fd = open("/", O_RDONLY | O_CLOEXEC);
	cleanup(stream_close_ptr) struct stream *s = stream_from_fd(fd, "the blob");
	struct error err = {0};

	(void)state;
	assert_int_equal(stream_finish(s, &err), -1);
	assert_error(&err, ERR_SYSTEM, "read the blob: Is a directory");
}

static void a_pipe_ends_where_its_writer_closes(void **state)
{
	cleanup_buffer struct buffer out = {0};
	cleanup(stream_close_ptr) struct stream *s = NULL;
	struct error err = {0};
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_ok(fdio_write(fds[1], text, TEXT_BYTES, "pipe", &err), &err);
	close(fds[1]);
	s = stream_from_fd(fds[0], "pipe");
	assert_ok(stream_read_all(s, 100, &out, &err), &err);
	assert_int_equal(out.len, TEXT_BYTES);
}

static void it_starts_where_the_descriptor_stands_and_closes_it(void **state)
{
	int fd = memfd_create("file", MFD_CLOEXEC);
	struct stream *s = stream_from_fd(fd, "file");
	cleanup_buffer struct buffer out = {0};
	struct error err = {0};

	(void)state;
	assert_ok(fdio_write(fd, text, TEXT_BYTES, "file", &err), &err);
	assert_int_equal(lseek(fd, 30, SEEK_SET), 30);
	assert_ok(stream_read_all(s, 100, &out, &err), &err);
	assert_int_equal(out.len, TEXT_BYTES - 30);
	assert_memory_equal(out.data, text + 30, out.len);
	stream_close(s);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
}

/* More than one piece, by lending and straight into the reader's memory. */
static void large_files_come_in_pieces(void **state)
{
	enum { LARGE = 700001 };
	cleanup_free uint8_t *data = xmalloc(LARGE), *got = xmalloc(LARGE);
	struct error err = {0};

	(void)state;
	for (size_t i = 0; i < LARGE; i++)
		data[i] = (uint8_t)(i * 7 + i / 256);
	for (int direct = 0; direct < 2; direct++) {
		int fd = memfd_create("file", MFD_CLOEXEC);
		cleanup(stream_close_ptr) struct stream *s = stream_from_fd(fd, "file");
		size_t done = 0, n;
		int rc = 0;

		assert_ok(fdio_write(fd, data, LARGE, "file", &err), &err);
		assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
		memset(got, 0, LARGE);
		while (rc == 0) {
			n = 0;
			rc = direct ? stream_read_some(s, got + done,
						       LARGE - done + (done == LARGE), &n, &err)
				    : stream_read(s, got + done, LARGE - done, &n, &err);
			done += n;
			if (n == 0)
				break;
		}
		assert_true(rc >= 0);
		assert_int_equal(done, LARGE);
		assert_memory_equal(got, data, LARGE);
		assert_ok(stream_finish(s, &err), &err);
	}
}

static void ignore(int signo)
{
	(void)signo;
}

/* Any signal but those that end the program. */
static void a_signal_of_no_meaning_does_not_end_reading(void **state)
{
	struct sigaction sa = {.sa_handler = ignore}, before;
	cleanup_buffer struct buffer out = {0};
	struct error err = {0};
	struct stream *s;
	int fds[2];
	pid_t child, parent = getpid();

	(void)state;
	assert_int_equal(sigaction(SIGUSR1, &sa, &before), 0);
	assert_int_equal(pipe(fds), 0);
	child = fork();
	if (child == 0) {
		usleep(30000);
		kill(parent, SIGUSR1);
		usleep(30000);
		_exit(write(fds[1], text, TEXT_BYTES) == TEXT_BYTES ? 0 : 1);
	}
	close(fds[1]);
	s = stream_from_fd(fds[0], "pipe");
	assert_ok(stream_read_all(s, 100, &out, &err), &err);
	assert_int_equal(out.len, TEXT_BYTES);
	stream_close(s);
	assert_int_equal(waitpid(child, NULL, 0), child);
	sigaction(SIGUSR1, &before, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_is_read_whole_and_other_things_are_refused),
		cmocka_unit_test(a_read_error_names_the_file),
		cmocka_unit_test(a_pipe_ends_where_its_writer_closes),
		cmocka_unit_test(it_starts_where_the_descriptor_stands_and_closes_it),
		cmocka_unit_test(large_files_come_in_pieces),
		cmocka_unit_test(a_signal_of_no_meaning_does_not_end_reading),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
