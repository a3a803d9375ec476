/* SPDX-License-Identifier: Apache-2.0 */
/* Read in place where that can be, else spooled; nothing is left. */
#include "oci/archive_input.h"

#include <fcntl.h>
#include <lzma.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pkg/base/fdio.h"
#include "tests/support/cmocka.h"
#include "tests/support/docker_save.h"

static const char text[] = "as if it were an archive";

static void comes_as(int fd, bool in_place)
{
	struct stat before, after;
	struct error err = {0};
	char got[100] = {0};
	uint64_t bytes;
	int out;

	fstat(fd, &before);
	assert_ok(oci_archive_input(fd, "x", "/tmp", &out, &bytes, &err), &err);
	fstat(out, &after);
	assert_int_equal(before.st_ino == after.st_ino, in_place);
	assert_int_equal(after.st_nlink, 0);
	assert_int_equal(bytes, strlen(text));
	assert_ok(fdio_pread(out, got, bytes, 0, "x", &err), &err);
	assert_string_equal(got, text);
	close(out);
}

static int file_of(const void *data, size_t len)
{
	cleanup_buffer struct buffer b = {0};

	buffer_add(&b, data, len);
	return save_fd(&b);
}

static void a_plain_file_is_read_in_place(void **state)
{
	(void)state;
	comes_as(file_of(text, strlen(text)), true);
}

static void a_pipe_and_what_is_compressed_is_spooled(void **state)
{
	uint8_t packed[400];
	size_t n = 0;
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], text, strlen(text)), strlen(text));
	close(ends[1]);
	comes_as(ends[0], false);
	assert_int_equal(lzma_easy_buffer_encode(6, LZMA_CHECK_CRC64, NULL, (const uint8_t *)text,
						 strlen(text), packed, &n, sizeof(packed)),
			 LZMA_OK);
	comes_as(file_of(packed, n), false);
}

static void a_file_from_its_middle_is_what_follows(void **state)
{
	cleanup_buffer struct buffer b = {0};
	int fd;

	(void)state;
	buffer_printf(&b, "skip%s", text);
	fd = save_fd(&b);
	assert_int_equal(lseek(fd, 4, SEEK_SET), 4);
	comes_as(fd, false);
}

static void refuses(int fd, enum error_kind kind, const char *why)
{
	struct error err = {0};
	uint64_t bytes;
	int out;

	assert_int_equal(oci_archive_input(fd, "x.tar", "/tmp", &out, &bytes, &err), -1);
	assert_error(&err, kind, why);
	assert_int_equal(fcntl(fd, F_GETFD), -1); /* taken, also on failure */
}

static void nothing_and_what_is_cut_or_unknown_is_refused(void **state)
{
	(void)state;
	refuses(file_of("", 0), ERR_INVALID, "x.tar: nothing in it");
	refuses(file_of("\x1f\x8b\x08\0\0\0\0\0\0\0\0\0", 12), ERR_INVALID, "x.tar: gzip");
	refuses(file_of("\x04\x22\x4d\x18xxxxxxxxxxxx", 16), ERR_UNSUPPORTED,
		"compressed with lz4: only gzip, zstd, xz and bzip2");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_plain_file_is_read_in_place),
		cmocka_unit_test(a_pipe_and_what_is_compressed_is_spooled),
		cmocka_unit_test(a_file_from_its_middle_is_what_follows),
		cmocka_unit_test(nothing_and_what_is_cut_or_unknown_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
