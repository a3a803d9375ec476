/* SPDX-License-Identifier: Apache-2.0 */
/* What the metadata of a pool says that the real kernel runs, and changes meanwhile. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/thin/file/engine.h"
#include "pkg/thin/kernel/pool_internal.h"
#include "pkg/thin/volume.h"
#include "tests/support/cmocka.h"
#include "tests/support/lab.h"
#include "tests/support/lab_pool.h"
#include "tests/support/scratch.h"

static struct error err;

static uint64_t mapped(struct thin_pool *pool, uint32_t id)
{
	struct thin_device d;

	assert_ok(thin_pool_device(pool, id, &d, &err), &err);
	assert_int_equal(d.id, id);
	return d.mapped_blocks;
}

static uint64_t exclusive(struct thin_pool *pool, uint32_t id)
{
	uint64_t blocks;

	assert_ok(thin_pool_exclusive(pool, &id, 1, &blocks, &err), &err);
	return blocks;
}

static void what_was_written_just_now_is_counted(void **state)
{
	struct thin_pool *pool;

	(void)state;
	lab_need("thin-pool");
	pool = lab_pool_open(THIN_WRITE);
	assert_int_equal(mapped(pool, 1), 5);
	assert_ok(thin_pool_create_snap(pool, 2, 1, &err), &err);
	assert_int_equal(exclusive(pool, 2), 0);
	lab_pool_write(pool, 2, 4, 3);
	assert_int_equal(mapped(pool, 2), 7);
	assert_int_equal(exclusive(pool, 2), 3);
	assert_int_equal(exclusive(pool, 1), 1);
	thin_pool_close(pool);
}

static void all_are_listed_and_counted(void **state)
{
	static const uint32_t want[] = {0, 1, 3, 70};
	cleanup_free struct thin_device *list = NULL;
	struct thin_pool_status status;
	struct thin_pool *pool;
	struct thin_device d;
	size_t n;

	(void)state;
	lab_need("thin-pool");
	pool = lab_pool_open(THIN_WRITE);
	assert_ok(thin_pool_create_snap(pool, 3, 1, &err), &err);
	assert_ok(thin_pool_create_thin(pool, 70, &err), &err);
	assert_ok(thin_pool_create_thin(pool, 8, &err), &err);
	assert_ok(thin_pool_delete(pool, 8, &err), &err);
	assert_ok(thin_pool_devices(pool, &list, &n, &err), &err);
	assert_int_equal(n, 4);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(list[i].id, want[i]);
	assert_ok(thin_pool_status(pool, &status, &err), &err);
	assert_int_equal(status.thin_count, 4);
	assert_int_equal(thin_pool_device(pool, 8, &d, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "8");
	error_clear(&err);
	thin_pool_close(pool);
}

static void differences_are_those_of_the_mappings(void **state)
{
	cleanup_free struct thin_diff_range *ranges = NULL;
	struct thin_pool *pool;
	size_t n;

	(void)state;
	lab_need("thin-pool");
	pool = lab_pool_open(THIN_WRITE);
	assert_ok(thin_pool_create_snap(pool, 2, 1, &err), &err);
	lab_pool_write(pool, 2, 4, 3);
	assert_ok(thin_pool_diff(pool, 1, 2, &ranges, &n, &err), &err);
	assert_int_equal(n, 2);
	assert_int_equal(ranges[0].first_block, 4);
	assert_int_equal(ranges[0].kind, THIN_DIFF_BOTH);
	assert_int_equal(ranges[1].first_block, 5);
	assert_int_equal(ranges[1].nr_blocks, 2);
	assert_int_equal(ranges[1].kind, THIN_DIFF_ONLY_B);
	thin_pool_close(pool);
}

/* One that writes, commits and deletes all the time, in another process. */
static pid_t change_all_the_time(void)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid != 0)
		return pid;
	for (unsigned k = 0; k < 25; k++) {
		struct thin_pool *pool = lab_pool_open(THIN_WRITE);

		assert_ok(thin_pool_create_snap(pool, 9, 1, &err), &err);
		lab_pool_write(pool, 9, 2, 6);
		assert_ok(thin_pool_delete(pool, 9, &err), &err);
		assert_ok(thin_pool_commit(pool, k + 2, &err), &err);
		thin_pool_close(pool);
	}
	_exit(0);
}

static void a_reader_sees_one_commit_whoever_else_writes(void **state)
{
	unsigned looks = 0;
	int status = 0;
	pid_t pid;

	(void)state;
	lab_need("thin-pool");
	pid = change_all_the_time();
	do {
		struct thin_pool *pool = lab_pool_open(THIN_READ);
		uint64_t own = exclusive(pool, 1);

		assert_int_equal(mapped(pool, 1), 5);
		/* all of it, or so much of three blocks as a snapshot has written itself by now */
		assert_true(own <= 3 || own == 5);
		thin_pool_close(pool);
		looks++;
	} while (waitpid(pid, &status, WNOHANG) == 0);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_true(looks > 3);
}

/* --- by a metadata snapshot ------------------------------------------------------------------- */

static uint64_t held_root(struct thin_pool *pool)
{
	struct thin_pool_status status;

	assert_ok(thin_pool_status(pool, &status, &err), &err);
	return status.held_root;
}

/* Every question, as it is asked of a pool that changes all the time. */
static void expect_the_same_in_peace(struct thin_pool *pool)
{
	cleanup_free struct thin_device *list = NULL;
	cleanup_free struct thin_diff_range *ranges = NULL;
	size_t n;

	tk_pool_of(pool)->restless = true;
	assert_int_equal(mapped(pool, 1), 5);
	assert_int_equal(mapped(pool, 2), 7);
	assert_int_equal(exclusive(pool, 1), 1);
	assert_int_equal(exclusive(pool, 2), 3);
	assert_ok(thin_pool_devices(pool, &list, &n, &err), &err);
	assert_int_equal(n, 3);
	assert_ok(thin_pool_diff(pool, 1, 2, &ranges, &n, &err), &err);
	assert_int_equal(n, 2);
	assert_int_equal(held_root(pool), 0);
}

static void a_pool_that_never_rests_is_asked_by_a_metadata_snapshot(void **state)
{
	struct thin_pool *pool;
	struct thin_device d;

	(void)state;
	lab_need("thin-pool");
	pool = lab_pool_open(THIN_WRITE);
	assert_ok(thin_pool_create_snap(pool, 2, 1, &err), &err);
	lab_pool_write(pool, 2, 4, 3);
	expect_the_same_in_peace(pool);
	assert_int_equal(thin_pool_device(pool, 8, &d, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "8");
	error_clear(&err);
	thin_pool_close(pool);
}

static void mark(const char *text)
{
	cleanup_free char *path = xasprintf("%s/held", lab_pool_dir());

	scratch_write(path, text);
}

static void one_that_a_killed_command_left_goes(void **state)
{
	struct thin_pool *pool;

	(void)state;
	lab_need("thin-pool");
	pool = lab_pool_open(THIN_WRITE);
	assert_ok(thin_pool_create_snap(pool, 2, 1, &err), &err);
	lab_pool_write(pool, 2, 4, 3);
	mark("ours\n");
	assert_ok(thin_pool_reserve_metadata_snap(pool, &err), &err);
	assert_true(held_root(pool) != 0);
	expect_the_same_in_peace(pool);
	thin_pool_close(pool);
}

static void one_of_another_program_stays_and_is_told(void **state)
{
	struct thin_pool *pool;
	struct thin_device d;

	(void)state;
	lab_need("thin-pool");
	pool = lab_pool_open(THIN_WRITE);
	mark("");
	assert_ok(thin_pool_reserve_metadata_snap(pool, &err), &err);
	assert_int_equal(mapped(pool, 1), 5);
	tk_pool_of(pool)->restless = true;
	assert_int_equal(thin_pool_device(pool, 1, &d, &err), -1);
	assert_error(&err, ERR_BUSY, "another program");
	error_clear(&err);
	assert_true(held_root(pool) != 0);
	assert_int_equal(thin_pool_reserve_metadata_snap(pool, &err), -1);
	assert_error(&err, ERR_BUSY, "reserve_metadata_snap");
	error_clear(&err);
	assert_ok(thin_pool_release_metadata_snap(pool, &err), &err);
	assert_int_equal(thin_pool_release_metadata_snap(pool, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "release_metadata_snap");
	error_clear(&err);
	assert_int_equal(mapped(pool, 1), 5);
	thin_pool_close(pool);
}

static void a_volume_tells_what_of_it_is_mapped(void **state)
{
	uint64_t at = 0, len = 0;
	struct thin_volume *v;
	struct thin_pool *pool;

	(void)state;
	lab_need("thin-pool");
	pool = lab_pool_open(THIN_WRITE);
	lab_pool_write(pool, 1, 20, 3);
	lab_pool_write(pool, 1, LAB_SIZE / LAB_BLOCK - 1, 1);
	assert_ok(thin_pool_open_volume(pool, 1, LAB_SIZE, false, &v, &err), &err);
	assert_ok(thin_volume_next_mapped(v, 0, &at, &len, &err), &err);
	assert_int_equal(at, 0);
	assert_int_equal(len, 5 * LAB_BLOCK);
	assert_ok(thin_volume_next_mapped(v, at + len, &at, &len, &err), &err);
	assert_int_equal(at, 20 * LAB_BLOCK);
	assert_int_equal(len, 3 * LAB_BLOCK);
	assert_ok(thin_volume_next_mapped(v, at + len, &at, &len, &err), &err);
	assert_int_equal(at, LAB_SIZE - LAB_BLOCK);
	assert_int_equal(len, LAB_BLOCK);
	assert_int_equal(thin_volume_next_mapped(v, LAB_SIZE - 1, &at, &len, &err), 0);
	assert_int_equal(len, 1);
	thin_volume_close(v);
	thin_pool_close(pool);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, lab_pool_set_up, lab_pool_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(what_was_written_just_now_is_counted),
		CASE(all_are_listed_and_counted),
		CASE(differences_are_those_of_the_mappings),
		CASE(a_reader_sees_one_commit_whoever_else_writes),
		CASE(a_pool_that_never_rests_is_asked_by_a_metadata_snapshot),
		CASE(one_that_a_killed_command_left_goes),
		CASE(one_of_another_program_stays_and_is_told),
		CASE(a_volume_tells_what_of_it_is_mapped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
