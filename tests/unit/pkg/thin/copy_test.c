/* SPDX-License-Identifier: Apache-2.0 */
/* Volumes of each kind to a file: the same bytes, holes where nothing is. */
#include "pkg/thin/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/thin/raw.h"
#include "tests/support/cmocka.h"
#include "tests/support/memory_volume.h"
#include "tests/support/scratch.h"
#include "tests/support/thin_fixture.h"

#define SIZE (UINT64_C(64) << 20)

static char *dir, *path;
static int fd;
static struct error err;

static int make_file(void **state)
{
	(void)state;
	dir = scratch_new();
	path = xasprintf("%s/file", dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)SIZE), 0);
	return 0;
}

static int remove_file(void **state)
{
	(void)state;
	close(fd);
	free(path);
	scratch_free(dir);
	return 0;
}

/* All that is mapped; returns how much was shared. */
static uint64_t copy_all(struct thin_volume *v)
{
	uint64_t at = 0, len = 0, shared, total = 0;
	int more;

	while ((more = thin_volume_next_mapped(v, at, &at, &len, &err)) == 0) {
		assert_ok(thin_volume_copy_to(v, at, len, fd, path, &shared, &err), &err);
		total += shared;
		at += len;
	}
	assert_int_equal(more, 1);
	return total;
}

static void expect_same(struct thin_volume *v)
{
	cleanup_free uint8_t *want = xmalloc(1 << 20), *got = xmalloc(1 << 20);

	for (uint64_t at = 0; at < SIZE; at += 1 << 20) {
		assert_ok(thin_volume_read(v, want, 1 << 20, at, &err), &err);
		assert_int_equal(pread(fd, got, 1 << 20, (off_t)at), 1 << 20);
		assert_memory_equal(got, want, 1 << 20);
	}
}

static uint64_t used_bytes(void)
{
	struct stat st;

	assert_int_equal(fsync(fd), 0);
	assert_int_equal(fstat(fd, &st), 0);
	return (uint64_t)st.st_blocks * 512;
}

static void pieces_of_zeros_are_left_out(void **state)
{
	cleanup(memory_volume_free_ptr) struct memory_volume *m = memory_volume_new(SIZE, 0);
	struct thin_volume *v = &m->volume;

	(void)state;
	/* A mapped megabyte in which three pieces of 4 KiB are not zero, one of them at its end. */
	for (uint64_t at = SIZE / 2; at < SIZE / 2 + (1 << 20); at += 65536)
		assert_ok(thin_volume_write(v, "", 1, at, &err), &err);
	assert_ok(thin_volume_write(v, "ab", 2, SIZE / 2 + 8191, &err), &err);
	assert_ok(thin_volume_write(v, "c", 1, SIZE / 2 + (1 << 20) - 1, &err), &err);
	assert_int_equal(copy_all(v), 0);
	expect_same(v);
	assert_in_range(used_bytes(), 3 * 4096, 64 * 1024);
}

static void a_range_need_not_be_of_whole_pieces(void **state)
{
	cleanup(memory_volume_free_ptr) struct memory_volume *m = memory_volume_new(SIZE, 0);
	uint64_t shared;
	char got[8];

	(void)state;
	assert_ok(thin_volume_write(&m->volume, "abcdefgh", 8, 10000, &err), &err);
	assert_ok(thin_volume_copy_to(&m->volume, 10002, 3, fd, path, &shared, &err), &err);
	assert_int_equal(pread(fd, got, 8, 10000), 8);
	assert_memory_equal(got, "\0\0cde\0\0\0", 8);
	assert_int_equal(thin_volume_copy_to(&m->volume, SIZE - 1, 2, fd, path, &shared, &err), -1);
	assert_error(&err, ERR_INVALID, "outside the volume");
}

static void a_failed_read_is_reported(void **state)
{
	cleanup(memory_volume_free_ptr) struct memory_volume *m = memory_volume_new(SIZE, 0);
	uint64_t shared;

	(void)state;
	m->fail_read = 1;
	assert_int_equal(thin_volume_copy_to(&m->volume, 0, 4096, fd, path, &shared, &err), -1);
	assert_error(&err, ERR_SYSTEM, "injected");
}

static void a_snapshot_of_a_pool_is_copied_with_what_it_shares(void **state)
{
	cleanup(thin_volume_close_ptr) struct thin_volume *v = NULL;
	struct thin_fixture f;

	(void)state;
	thin_fixture_init(&f, 400, 0);
	assert_ok(thin_pool_create_thin(f.pool, 1, &err), &err);
	thin_fixture_write(&f, 1, 0, 40 * FIXTURE_BLOCK, 1);
	thin_fixture_write(&f, 1, 100 * FIXTURE_BLOCK + 17, 100, 2);
	assert_ok(thin_pool_create_snap(f.pool, 2, 1, &err), &err);
	thin_fixture_write(&f, 2, 3 * FIXTURE_BLOCK, 2 * FIXTURE_BLOCK, 3);
	thin_fixture_write(&f, 2, SIZE - 5, 5, 4);
	thin_fixture_commit(&f);
	thin_fixture_close(&f);
	thin_fixture_open(&f, THIN_FILE_READ);
	assert_ok(thin_pool_open_volume(f.pool, 2, SIZE, false, &v, &err), &err);
	copy_all(v);
	expect_same(v);
	assert_in_range(used_bytes(), 40 * FIXTURE_BLOCK, 44 * FIXTURE_BLOCK);
	thin_volume_close(steal(&v));
	thin_fixture_release(&f);
}

static void a_device_that_went_meanwhile_is_not_found(void **state)
{
	cleanup(thin_volume_close_ptr) struct thin_volume *v = NULL;
	struct thin_fixture f, writer;
	uint64_t shared;

	(void)state;
	thin_fixture_init(&f, 100, 0);
	assert_ok(thin_pool_create_thin(f.pool, 1, &err), &err);
	thin_fixture_write(&f, 1, 0, FIXTURE_BLOCK, 1);
	thin_fixture_commit(&f);
	thin_fixture_close(&f);
	thin_fixture_open(&f, THIN_FILE_READ);
	assert_ok(thin_pool_open_volume(f.pool, 1, SIZE, false, &v, &err), &err);
	writer = f;
	thin_fixture_open(&writer, THIN_FILE_WRITE);
	assert_ok(thin_pool_delete(writer.pool, 1, &err), &err);
	thin_fixture_commit(&writer);
	thin_fixture_close(&writer);
	assert_int_equal(thin_volume_copy_to(v, 0, FIXTURE_BLOCK, fd, path, &shared, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "thin 1");
	thin_volume_close(steal(&v));
	thin_fixture_release(&f);
}

static void a_file_that_cannot_share_is_copied(void **state)
{
	char other[] = "/dev/shm/thinpull-copy-XXXXXX";
	int other_fd = mkstemp(other);
	struct thin_volume *v;

	(void)state;
	assert_true(other_fd >= 0);
	assert_int_equal(ftruncate(other_fd, (off_t)SIZE), 0);
	assert_int_equal(pwrite(other_fd, "x", 1, (off_t)SIZE / 2), 1);
	/* Another file system; and a place of this one that is no multiple of its block. */
	assert_int_equal(thin_clone_range(other_fd, 0, fd, 0, 4096, path, &err), 1);
	assert_int_equal(thin_clone_range(fd, 1, fd, 8193, 4096, path, &err), 1);
	assert_int_equal(thin_clone_range(fd, 0, -1, 0, 4096, path, &err), -1);
	assert_int_equal(err.sys, EBADF);
	assert_ok(thin_raw_open(other, false, &v, &err), &err);
	assert_int_equal(copy_all(v), 0);
	expect_same(v);
	thin_volume_close(v);
	close(other_fd);
	unlink(other);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, make_file, remove_file)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(pieces_of_zeros_are_left_out),
		CASE(a_range_need_not_be_of_whole_pieces),
		CASE(a_failed_read_is_reported),
		CASE(a_snapshot_of_a_pool_is_copied_with_what_it_shares),
		CASE(a_device_that_went_meanwhile_is_not_found),
		CASE(a_file_that_cannot_share_is_copied),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
