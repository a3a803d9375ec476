/* SPDX-License-Identifier: Apache-2.0 */
/* Events of a pool that the real kernel runs, and the mark at which it sends one. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pkg/base/cleanup.h"
#include "pkg/base/interrupt.h"
#include "pkg/thin/file/engine.h"
#include "pkg/thin/kernel/pool_internal.h"
#include "tests/support/cmocka.h"
#include "tests/support/lab.h"
#include "tests/support/lab_pool.h"

enum { LONG_MS = 30000 };

static struct error err;

static uint32_t events(void)
{
	uint32_t n;

	assert_ok(thin_kernel_events(lab_pool_dir(), &n, &err), &err);
	return n;
}

/* The kernel will say so once this many more blocks are taken. */
static void mark_after(uint64_t blocks)
{
	struct thin_pool *pool = lab_pool_open(THIN_WRITE);
	struct thin_pool_status st;

	assert_ok(thin_pool_status(pool, &st, &err), &err);
	assert_ok(thin_kernel_set_low_water(pool,
					    st.data_total_blocks - st.data_used_blocks - blocks,
					    &err),
		  &err);
	thin_pool_close(pool);
}

static void write_blocks(uint64_t first, uint64_t n)
{
	struct thin_pool *pool = lab_pool_open(THIN_WRITE);

	lab_pool_write(pool, 1, first, n);
	thin_pool_close(pool);
}

/* --- the mark ----------------------------------------------------------------------------------- */

static void the_mark_is_where_it_was_set_and_nothing_else_changes(void **state)
{
	cleanup(thin_kernel_setup_release) struct thin_kernel_setup before = {0}, after = {0};
	struct thin_pool *pool;
	struct devmap_info device;

	(void)state;
	lab_need("thin-pool");
	pool = lab_pool_open(THIN_WRITE);
	assert_ok(thin_kernel_setup(pool, &before, &err), &err);
	assert_ok(thin_kernel_set_low_water(pool, 33, &err), &err);
	assert_ok(thin_kernel_setup(pool, &after, &err), &err);
	assert_int_not_equal(before.low_water_blocks, 33);
	assert_int_equal(after.low_water_blocks, 33);
	assert_int_equal(after.zeroing, before.zeroing);
	assert_int_equal(after.discard_passdown, before.discard_passdown);
	assert_int_equal(after.error_if_no_space, before.error_if_no_space);
	assert_ok(devmap_info(tk_pool_of(pool)->device.uuid, &device, &err), &err);
	assert_true(device.live);
	assert_false(device.suspended);
	thin_pool_close(pool);
}

static void who_only_reads_cannot_move_it(void **state)
{
	struct thin_pool *pool;

	(void)state;
	lab_need("thin-pool");
	pool = lab_pool_open(THIN_READ);
	assert_int_equal(thin_kernel_set_low_water(pool, 33, &err), -1);
	assert_error(&err, ERR_BUSY, "open for reading");
	error_clear(&err);
	thin_pool_close(pool);
}

/* --- events ------------------------------------------------------------------------------------- */

static void a_pool_that_reaches_the_mark_has_an_event(void **state)
{
	uint32_t before;

	(void)state;
	lab_need("thin-pool");
	mark_after(8);
	before = events();
	write_blocks(10, 2);
	assert_int_equal(thin_kernel_wait(lab_pool_dir(), before, 0, &err), 1);
	write_blocks(12, 8);
	/* One that came before anybody waited is not missed. */
	assert_int_equal(thin_kernel_wait(lab_pool_dir(), before, LONG_MS, &err), 0);
	assert_true(events() > before);
}

static void who_sleeps_is_woken_by_it(void **state)
{
	uint32_t before;
	pid_t child;
	int status;

	(void)state;
	lab_need("thin-pool");
	mark_after(4);
	before = events();
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		_exit(thin_kernel_wait(lab_pool_dir(), before, LONG_MS, &err) == 0 ? 0 : 1);
	write_blocks(10, 8);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void without_one_the_time_goes_by(void **state)
{
	struct timeval begin, end;

	(void)state;
	lab_need("thin-pool");
	gettimeofday(&begin, NULL);
	assert_int_equal(thin_kernel_wait(lab_pool_dir(), events(), 300, &err), 1);
	gettimeofday(&end, NULL);
	timersub(&end, &begin, &end);
	assert_true(end.tv_sec * 1000 + end.tv_usec / 1000 >= 300);
}

static void a_signal_ends_the_wait(void **state)
{
	pid_t child;
	int status;

	(void)state;
	lab_need("thin-pool");
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		interrupt_install();
		raise(SIGTERM);
		if (thin_kernel_wait(lab_pool_dir(), events(), LONG_MS, &err) == -1
		    && err.kind == ERR_INTERRUPTED)
			_exit(0);
		_exit(1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void a_pool_that_is_not_active_has_none_and_stays_so(void **state)
{
	uint32_t n;

	(void)state;
	lab_need("thin-pool");
	assert_ok(thin_kernel_deactivate(lab_pool_dir(), 1000, &err), &err);
	assert_int_equal(thin_kernel_events(lab_pool_dir(), &n, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "is not active");
	error_clear(&err);
	assert_int_equal(thin_kernel_wait(lab_pool_dir(), 0, LONG_MS, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "is not active");
	error_clear(&err);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, lab_pool_set_up, lab_pool_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(the_mark_is_where_it_was_set_and_nothing_else_changes),
		CASE(who_only_reads_cannot_move_it),
		CASE(a_pool_that_reaches_the_mark_has_an_event),
		CASE(who_sleeps_is_woken_by_it),
		CASE(without_one_the_time_goes_by),
		CASE(a_signal_ends_the_wait),
		CASE(a_pool_that_is_not_active_has_none_and_stays_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
