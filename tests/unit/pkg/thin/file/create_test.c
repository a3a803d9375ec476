/* SPDX-License-Identifier: Apache-2.0 */
/* Making an empty pool: all or nothing, one maker at a time, and within what the format holds. */
#include "pkg/thin/file/engine.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "tests/support/cmocka.h"
#include "tests/support/scratch.h"
#include "tests/support/thin_fixture.h"

static void create_refuses_what_the_format_cannot_hold(void **state)
{
	static const struct thin_file_params bad[] = {
		{.data_bytes = 1 << 30, .block_bytes = 4096},
		{.data_bytes = 1 << 30, .block_bytes = 100 * 1024},
		{.data_bytes = 1 << 30, .block_bytes = 0},
		{.data_bytes = 1000, .block_bytes = 65536},
		{.data_bytes = 1 << 30, .block_bytes = 65536, .metadata_bytes = 4096},
		{.data_bytes = 1 << 30, .block_bytes = 65536, .metadata_bytes = UINT64_C(1) << 40},
	};
	char *dir = scratch_new();
	struct thin_fixture f;
	struct error err = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(thin_file_create(dir, &bad[i], &err), -1);
		assert_int_equal(err.kind, ERR_USAGE);
	}
	assert_int_equal(rmdir(dir), 0); /* nothing was left behind */
	free(dir);
	thin_fixture_init(&f, 100, 0);
	assert_int_equal(thin_file_create(f.dir,
					  &(struct thin_file_params){.data_bytes = 1 << 30,
								     .block_bytes = 65536},
					  &err),
			 -1);
	assert_int_equal(err.kind, ERR_BUSY);
	thin_fixture_release(&f);
	assert_int_equal(thin_file_metadata_bytes(UINT64_C(100) << 30, 65536), 78643200);
	assert_int_equal(thin_file_metadata_bytes(0, 65536), 2 << 20);
	assert_int_equal(thin_file_metadata_bytes(UINT64_MAX, 65536), UINT64_C(17045913600));
}

static const struct thin_file_params small = {.data_bytes = 64 << 20, .block_bytes = 65536};

static bool is_there(const char *dir, const char *name)
{
	cleanup_free char *path = xasprintf("%s/%s", dir, name);

	return access(path, F_OK) == 0;
}

static void put(const char *dir, const char *name, const char *text)
{
	cleanup_free char *path = xasprintf("%s/%s", dir, name);
	cleanup_fd int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void a_folder_that_is_not_there_is_told(void **state)
{
	char *dir = scratch_new();
	cleanup_free char *none = xasprintf("%s/none", dir);
	struct error err = {0};

	(void)state;
	assert_int_equal(thin_file_create(none, &small, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "no such folder");
	put(dir, "none", "a file");
	assert_int_equal(thin_file_create(none, &small, &err), -1);
	assert_error(&err, ERR_SYSTEM, "open ");
	scratch_free(dir);
}

static void what_a_killed_maker_left_does_not_matter(void **state)
{
	char *dir = scratch_new();
	struct thin_file_open how = {.mode = THIN_FILE_WRITE, .verb = "test"};
	struct thin_pool *pool;
	struct error err = {0};

	(void)state;
	put(dir, "meta.tmp", "half of it");
	put(dir, "data.tmp", "other bytes");
	put(dir, "data", "renamed, and then it was over");
	assert_ok(thin_file_create(dir, &small, &err), &err);
	assert_false(is_there(dir, "meta.tmp") || is_there(dir, "data.tmp"));
	assert_ok(thin_file_open(dir, &how, &pool, &err), &err);
	thin_pool_close(pool);
	scratch_free(dir);
}

static void another_maker_is_busy(void **state)
{
	char *dir = scratch_new();
	cleanup_fd int lock = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct error err = {0};

	(void)state;
	assert_int_equal(flock(lock, LOCK_EX), 0);
	assert_int_equal(thin_file_create(dir, &small, &err), -1);
	assert_error(&err, ERR_BUSY, "a pool is being made in");
	assert_false(is_there(dir, "meta") || is_there(dir, "meta.tmp"));
	scratch_free(dir);
}

/* A folder in the way of the second file: the first one is taken back. */
static void a_failure_leaves_no_half_of_it(void **state)
{
	char *dir = scratch_new();
	cleanup_free char *in_the_way = xasprintf("%s/meta.tmp", dir);
	struct error err = {0};

	(void)state;
	assert_int_equal(mkdir(in_the_way, 0700), 0);
	assert_int_equal(thin_file_create(dir, &small, &err), -1);
	assert_error(&err, ERR_SYSTEM, "meta.tmp");
	assert_false(is_there(dir, "meta") || is_there(dir, "data") || is_there(dir, "data.tmp"));
	scratch_free(dir);
}

/* Files are as long as the pool, and hold nothing but what was written. */
static void the_files_are_sparse_and_private(void **state)
{
	struct thin_fixture f;
	struct stat st;
	cleanup_free char *path = NULL;

	(void)state;
	thin_fixture_init(&f, 10000, 0);
	path = xasprintf("%s/data", f.dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 10000 * (off_t)FIXTURE_BLOCK);
	assert_int_equal(st.st_blocks, 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_true(thin_fixture_sectors(&f, "meta") < 200);
	thin_fixture_check(&f);
	thin_fixture_release(&f);
}

static void data_is_rounded_down_to_whole_blocks(void **state)
{
	struct thin_file_params params = {.data_bytes = 10 * 65536 + 65535, .block_bytes = 65536};
	struct thin_file_open how = {.mode = THIN_FILE_READ, .verb = "test"};
	char *dir = scratch_new();
	struct thin_pool_status status;
	struct thin_pool *pool;
	struct error err = {0};

	(void)state;
	assert_ok(thin_file_create(dir, &params, &err), &err);
	assert_ok(thin_file_open(dir, &how, &pool, &err), &err);
	assert_ok(thin_pool_status(pool, &status, &err), &err);
	assert_int_equal(status.data_total_blocks, 10);
	thin_pool_close(pool);
	scratch_free(dir);
}

static void metadata_follows_the_rule_of_the_kernel(void **state)
{
	static const struct {
		uint64_t data_bytes;
		uint32_t block_bytes;
		uint64_t expected;
	} cases[] = {
		{0, 65536, 2 << 20},
		{UINT64_C(1) << 30, 0, 2 << 20},
		{UINT64_C(65536) * 43690, 65536, 2 << 20}, /* 48 bytes each, up to here */
		{UINT64_C(65536) * 43691, 65536, (2 << 20) + 4096},
		{UINT64_C(1) << 40, 65536, UINT64_C(805306368)},
		{UINT64_C(1) << 40, 1 << 20, UINT64_C(50331648)},
		{UINT64_MAX, 65536, UINT64_C(17045913600)},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(thin_file_metadata_bytes(cases[i].data_bytes,
							  cases[i].block_bytes),
				 cases[i].expected);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(create_refuses_what_the_format_cannot_hold),
		cmocka_unit_test(a_folder_that_is_not_there_is_told),
		cmocka_unit_test(what_a_killed_maker_left_does_not_matter),
		cmocka_unit_test(another_maker_is_busy),
		cmocka_unit_test(a_failure_leaves_no_half_of_it),
		cmocka_unit_test(the_files_are_sparse_and_private),
		cmocka_unit_test(data_is_rounded_down_to_whole_blocks),
		cmocka_unit_test(metadata_follows_the_rule_of_the_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
