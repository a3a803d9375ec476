/* SPDX-License-Identifier: Apache-2.0 */
/* A sparse file as a volume: its bytes, its holes, and what is no such file. */
#include "pkg/thin/raw.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "tests/support/cmocka.h"
#include "tests/support/scratch.h"

#define SIZE (UINT64_C(64) << 20)

static char *dir, *path;
static struct error err;

static int make_file(void **state)
{
	(void)state;
	dir = scratch_new();
	path = xasprintf("%s/file", dir);
	close(open(path, O_WRONLY | O_CREAT | O_EXCL, 0600));
	assert_int_equal(truncate(path, (off_t)SIZE), 0);
	return 0;
}

static int remove_file(void **state)
{
	(void)state;
	free(path);
	scratch_free(dir);
	return 0;
}

static struct thin_volume *open_raw(bool writable)
{
	struct thin_volume *v;

	assert_ok(thin_raw_open(path, writable, &v, &err), &err);
	return v;
}

static void what_is_written_is_read_and_the_rest_is_zero(void **state)
{
	struct thin_volume *v = open_raw(true);
	uint8_t buf[3] = {9, 9, 9};

	(void)state;
	assert_int_equal(thin_volume_size(v), SIZE);
	assert_ok(thin_volume_write(v, "x", 1, 5000, &err), &err);
	thin_volume_close(v);
	v = open_raw(false);
	assert_ok(thin_volume_read(v, buf, 3, 4999, &err), &err);
	assert_memory_equal(buf, "\0x\0", 3);
	assert_int_equal(thin_volume_read(v, buf, 3, SIZE - 2, &err), -1);
	assert_error(&err, ERR_INVALID, "outside the volume");
	assert_int_equal(thin_volume_write(v, "y", 1, 0, &err), -1);
	assert_error(&err, ERR_INVALID, "read-only");
	thin_volume_close(v);
}

static void holes_are_not_mapped(void **state)
{
	struct thin_volume *v = open_raw(true);
	uint64_t at = 0, len = 0;

	(void)state;
	assert_int_equal(thin_volume_next_mapped(v, 0, &at, &len, &err), 1);
	assert_ok(thin_volume_write(v, "x", 1, SIZE / 2, &err), &err);
	assert_ok(thin_volume_write(v, "x", 1, SIZE - 1, &err), &err);
	assert_ok(thin_volume_next_mapped(v, 0, &at, &len, &err), &err);
	assert_int_equal(at, SIZE / 2);
	assert_in_range(len, 1, SIZE / 4);
	assert_ok(thin_volume_next_mapped(v, SIZE / 2 + 1, &at, &len, &err), &err);
	assert_int_equal(at, SIZE / 2 + 1);
	assert_ok(thin_volume_next_mapped(v, at + len, &at, &len, &err), &err);
	assert_int_equal(at + len, SIZE);
	assert_int_equal(thin_volume_next_mapped(v, SIZE, &at, &len, &err), 1);
	/* What is written behind the end that it was opened with is none of it. */
	assert_int_equal(truncate(path, (off_t)(2 * SIZE)), 0);
	assert_ok(thin_volume_next_mapped(v, SIZE - 1, &at, &len, &err), &err);
	assert_int_equal(at + len, SIZE);
	thin_volume_close(v);
}

static void discarded_blocks_are_holes_and_their_neighbours_stay(void **state)
{
	struct thin_volume *v = open_raw(true);
	uint64_t at = 0, len = 0;
	char buf[3];

	(void)state;
	assert_ok(thin_volume_write(v, "abc", 3, 4095, &err), &err);
	assert_ok(thin_volume_write(v, "x", 1, 8192, &err), &err);
	assert_ok(thin_volume_write(v, "y", 1, SIZE - 1, &err), &err);
	assert_ok(thin_volume_discard(v, 4000, 2 * 4096, &err), &err);
	assert_ok(thin_volume_read(v, buf, 3, 4095, &err), &err);
	assert_memory_equal(buf, "a\0\0", 3);
	assert_ok(thin_volume_read(v, buf, 1, 8192, &err), &err);
	assert_int_equal(buf[0], 'x');
	assert_ok(thin_volume_discard(v, 0, SIZE, &err), &err);
	assert_int_equal(thin_volume_next_mapped(v, 0, &at, &len, &err), 1);
	assert_int_equal(thin_volume_size(v), SIZE);
	thin_volume_close(v);
}

static void what_is_no_such_file_is_refused(void **state)
{
	cleanup_free char *link = xasprintf("%s/link", dir);
	struct thin_volume *v;

	(void)state;
	assert_int_equal(symlink(path, link), 0);
	assert_int_equal(thin_raw_open(link, false, &v, &err), -1);
	assert_error(&err, ERR_INVALID, "symlink");
	unlink(link);
	assert_int_equal(thin_raw_open(link, false, &v, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "link");
	assert_int_equal(thin_raw_open(dir, false, &v, &err), -1);
	assert_error(&err, ERR_INVALID, "regular file");
	assert_int_equal(truncate(path, 513), 0);
	assert_int_equal(thin_raw_open(path, false, &v, &err), -1);
	assert_error(&err, ERR_INVALID, "sectors");
	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(thin_raw_open(path, true, &v, &err), -1);
	assert_error(&err, ERR_INVALID, "sectors");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, make_file, remove_file)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(what_is_written_is_read_and_the_rest_is_zero),
		CASE(holes_are_not_mapped),
		CASE(discarded_blocks_are_holes_and_their_neighbours_stay),
		CASE(what_is_no_such_file_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
