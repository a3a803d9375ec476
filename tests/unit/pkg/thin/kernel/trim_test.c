/* SPDX-License-Identifier: Apache-2.0 */
/* Free blocks discarded below a pool that the real kernel runs, and what must not happen to others. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/base/interrupt.h"
#include "pkg/thin/file/engine.h"
#include "pkg/thin/kernel/pool_internal.h"
#include "pkg/thin/volume.h"
#include "tests/support/cmocka.h"
#include "tests/support/lab.h"
#include "tests/support/lab_pool.h"

enum { STRETCH_MS = 20, BLOCK_SECTORS = LAB_BLOCK / 512 };

static struct error err;

static uint64_t sectors(void)
{
	cleanup_free char *path = xasprintf("%s/data", lab_pool_dir());
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return (uint64_t)st.st_blocks;
}

static bool is_suspended(struct thin_pool *pool)
{
	struct devmap_info device;

	assert_ok(devmap_info(tk_pool_of(pool)->device.uuid, &device, &err), &err);
	return device.suspended;
}

static void what_was_deleted_is_given_back_and_nothing_else(void **state)
{
	struct thin_pool *pool;
	uint64_t before;

	(void)state;
	lab_need("thin-pool");
	pool = lab_pool_open(THIN_WRITE);
	before = sectors();
	assert_ok(thin_pool_create_thin(pool, 7, &err), &err);
	lab_pool_write(pool, 7, 0, 40);
	assert_ok(thin_pool_create_snap(pool, 8, 1, &err), &err);
	lab_pool_write(pool, 8, 3, 6); /* two of them shared before */
	assert_ok(thin_pool_delete(pool, 7, &err), &err);
	assert_int_equal(sectors(), before + 46 * BLOCK_SECTORS);
	assert_ok(thin_kernel_trim(pool, STRETCH_MS, &err), &err);
	assert_int_equal(sectors(), before + 6 * BLOCK_SECTORS);
	assert_false(is_suspended(pool));
	for (uint64_t i = 0; i < 5; i++)
		assert_int_equal(lab_pool_read(pool, 1, i), 2);
	for (uint64_t i = 0; i < 9; i++)
		assert_int_equal(lab_pool_read(pool, 8, i), i < 3 ? 2 : 9);
	/* The lock is ours again, and what was free can be had. */
	assert_ok(thin_pool_create_thin(pool, 7, &err), &err);
	lab_pool_write(pool, 7, 0, 40);
	assert_ok(thin_pool_commit(pool, 2, &err), &err);
	thin_pool_close(pool);
}

/* --- beside those who write ------------------------------------------------------------------- */

/* Takes one block after the other, all of one byte each. */
static void write_on_and_on(const char *path)
{
	cleanup_fd int fd = open(path, O_WRONLY | O_DIRECT | O_CLOEXEC);
	void *block = NULL;

	if (fd < 0 || posix_memalign(&block, 4096, LAB_BLOCK) != 0)
		_exit(1);
	for (int i = 0; i < LAB_SIZE / LAB_BLOCK; i++) {
		memset(block, i + 1, LAB_BLOCK);
		if (pwrite(fd, block, LAB_BLOCK, (off_t)i * LAB_BLOCK) != LAB_BLOCK)
			_exit(1);
		usleep(1000);
	}
	_exit(0);
}

/* Each stretch discards one run, of blocks that the child is about to be given. */
static void trim_beside(pid_t child)
{
	struct thin_pool *pool = lab_pool_open(THIN_WRITE);
	int status, rounds = 0;

	for (; waitpid(child, &status, WNOHANG) == 0; rounds++)
		assert_ok(thin_kernel_trim(pool, 0, &err), &err);
	thin_pool_close(pool);
	assert_int_equal(status, 0);
	assert_true(rounds > 1);
}

static void expect_written(const char *path)
{
	cleanup_free uint8_t *block = xmalloc(LAB_BLOCK);
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	for (int i = 0; i < LAB_SIZE / LAB_BLOCK; i++) {
		assert_int_equal(pread(fd, block, LAB_BLOCK, (off_t)i * LAB_BLOCK), LAB_BLOCK);
		for (int k = 0; k < LAB_BLOCK; k++)
			if (block[k] != i + 1)
				fail_msg("block %d has a %d at byte %d", i, block[k], k);
	}
}

static void what_is_taken_meanwhile_is_not_lost(void **state)
{
	cleanup_free char *path = NULL;
	struct thin_pool *pool;
	pid_t child;

	(void)state;
	lab_need("thin-pool");
	pool = lab_pool_open(THIN_WRITE);
	assert_ok(thin_pool_create_thin(pool, 20, &err), &err);
	assert_ok(thin_pool_activate(pool, 20, LAB_SIZE, false, &path, &err), &err);
	thin_pool_close(pool); /* else the child has its lock as well */
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		write_on_and_on(path);
	trim_beside(child);
	expect_written(path);
	pool = lab_pool_open(THIN_WRITE);
	assert_ok(thin_pool_deactivate(pool, 20, &err), &err);
	thin_pool_close(pool);
}

/* Between two stretches. */
static void other_commands_get_the_pool_meanwhile(void **state)
{
	struct thin_pool *pool, *other;
	pid_t child;
	int status;

	(void)state;
	lab_need("thin-pool");
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		pool = lab_pool_open(THIN_WRITE);
		for (int i = 0; i < 20; i++)
			if (thin_kernel_trim(pool, 0, &err) < 0)
				_exit(1);
		thin_pool_close(pool);
		_exit(0);
	}
	for (uint32_t id = 30; id < 34; id++) {
		other = lab_pool_open(THIN_WRITE);
		assert_ok(thin_pool_create_thin(other, id, &err), &err);
		assert_false(is_suspended(other));
		thin_pool_close(other);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

/* --- how it ends ------------------------------------------------------------------------------ */

static void a_signal_ends_it_between_two_stretches(void **state)
{
	struct thin_pool *pool;
	pid_t child;
	int status;

	(void)state;
	lab_need("thin-pool");
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		interrupt_install();
		pool = lab_pool_open(THIN_WRITE);
		raise(SIGTERM);
		if (thin_kernel_trim(pool, 0, &err) == 0 || err.kind != ERR_INTERRUPTED)
			_exit(1);
		thin_pool_close(pool);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	pool = lab_pool_open(THIN_WRITE);
	assert_false(is_suspended(pool));
	thin_pool_close(pool);
}

static void who_reads_and_whose_pool_lvm_has_are_refused(void **state)
{
	struct thin_pool *pool;

	(void)state;
	lab_need("thin-pool");
	pool = lab_pool_open(THIN_READ);
	assert_int_equal(thin_kernel_trim(pool, STRETCH_MS, &err), -1);
	assert_error(&err, ERR_BUSY, "open for reading");
	thin_pool_close(pool);
	pool = lab_pool_open(THIN_WRITE);
	tk_pool_of(pool)->place.kind = THIN_PLACE_LVM;
	assert_int_equal(thin_kernel_trim(pool, STRETCH_MS, &err), -1);
	assert_error(&err, ERR_UNSUPPORTED, "LVM");
	error_clear(&err);
	tk_pool_of(pool)->place.kind = THIN_PLACE_FILES;
	thin_pool_close(pool);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, lab_pool_set_up, lab_pool_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(what_was_deleted_is_given_back_and_nothing_else),
		CASE(what_is_taken_meanwhile_is_not_lost),
		CASE(other_commands_get_the_pool_meanwhile),
		CASE(a_signal_ends_it_between_two_stretches),
		CASE(who_reads_and_whose_pool_lvm_has_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
