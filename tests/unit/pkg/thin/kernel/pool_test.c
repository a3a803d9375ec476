/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions on a pool that the real kernel runs: the lock, changes, commits, and what is told of errors. */
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

static struct error err;

/* --- the lock ----------------------------------------------------------------------------------- */

static void one_writes_and_others_read(void **state)
{
	struct thin_pool *writer, *other, *reader;

	(void)state;
	lab_need("thin-pool");
	writer = lab_pool_open(THIN_WRITE);
	reader = lab_pool_open(THIN_READ);
	assert_int_equal(lab_pool_try(THIN_WRITE, 50, &other, &err), -1);
	assert_error(&err, ERR_BUSY, "(test)");
	error_clear(&err);
	assert_int_equal(lab_pool_try(THIN_STILL, 50, &other, &err), -1);
	assert_error(&err, ERR_BUSY, "(test)");
	error_clear(&err);
	thin_pool_close(writer);
	other = lab_pool_open(THIN_STILL);
	thin_pool_close(reader);
	reader = lab_pool_open(THIN_STILL);
	assert_int_equal(lab_pool_try(THIN_WRITE, 50, &writer, &err), -1);
	assert_error(&err, ERR_BUSY, "in use");
	error_clear(&err);
	assert_int_equal(thin_pool_create_thin(other, 5, &err), -1);
	assert_error(&err, ERR_BUSY, "open for reading");
	error_clear(&err);
	thin_pool_close(reader);
	thin_pool_close(other);
}

static void a_pool_at_rest_is_activated_for_who_keeps_it_still(void **state)
{
	struct thin_pool *still, *writer;

	(void)state;
	lab_need("thin-pool");
	assert_ok(thin_kernel_deactivate(lab_pool_dir(), 1000, &err), &err);
	still = lab_pool_open(THIN_STILL);
	assert_int_equal(lab_pool_read(still, 1, 4), 2);
	assert_int_equal(lab_pool_try(THIN_WRITE, 50, &writer, &err), -1);
	assert_error(&err, ERR_BUSY, "in use");
	thin_pool_close(still);
}

static void a_paused_session_lets_others_write_and_sees_it(void **state)
{
	struct thin_pool *a, *b;
	uint64_t id;

	(void)state;
	lab_need("thin-pool");
	a = lab_pool_open(THIN_WRITE);
	assert_int_equal(thin_pool_claim(a, 9, &err), 0);
	assert_int_equal(thin_pool_pause(a, &err), 0);
	b = lab_pool_open(THIN_WRITE);
	assert_true(thin_pool_is_claimed(b, 9));
	assert_int_equal(thin_pool_claim(b, 9, &err), 1);
	assert_false(thin_pool_is_claimed(a, 9));
	assert_ok(thin_pool_commit(b, 7, &err), &err);
	tk_pool_of(a)->lock_timeout_ms = 50;
	assert_int_equal(thin_pool_go_on(a, &err), -1);
	assert_error(&err, ERR_BUSY, "(test)");
	error_clear(&err);
	thin_pool_close(b);
	assert_ok(thin_pool_go_on(a, &err), &err);
	assert_ok(thin_pool_transaction_id(a, &id, &err), &err);
	assert_int_equal(id, 7);
	assert_ok(thin_pool_commit(a, 8, &err), &err);
	thin_pool_unclaim(a, 9);
	b = lab_pool_open(THIN_READ);
	assert_false(thin_pool_is_claimed(b, 9));
	thin_pool_close(b);
	thin_pool_close(a);
}

/* Without a volume open it may be taken down meanwhile. */
static void a_paused_session_finds_its_pool_active_again(void **state)
{
	struct thin_pool *pool;

	(void)state;
	lab_need("thin-pool");
	pool = lab_pool_open(THIN_WRITE);
	assert_int_equal(thin_pool_pause(pool, &err), 0);
	assert_ok(thin_kernel_deactivate(lab_pool_dir(), 1000, &err), &err);
	assert_ok(thin_pool_go_on(pool, &err), &err);
	assert_ok(thin_pool_create_thin(pool, 5, &err), &err);
	assert_ok(thin_pool_commit(pool, 2, &err), &err);
	thin_pool_close(pool);
}

/* --- changes ------------------------------------------------------------------------------------ */

static void what_the_kernel_refuses_is_told_in_our_terms(void **state)
{
	struct thin_pool *pool;

	(void)state;
	lab_need("thin-pool");
	pool = lab_pool_open(THIN_WRITE);
	assert_int_equal(thin_pool_create_thin(pool, 1, &err), -1);
	assert_error(&err, ERR_INCONSISTENT, "thin 1 exists");
	assert_int_equal(thin_pool_create_snap(pool, 1, 0, &err), -1);
	assert_error(&err, ERR_INCONSISTENT, "thin 1 exists");
	assert_int_equal(thin_pool_create_snap(pool, 3, 77, &err), -1);
	assert_error(&err, ERR_INCONSISTENT, "thin 77, to be snapshotted, is missing");
	assert_int_equal(thin_pool_delete(pool, 77, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "thin 77 does not exist");
	error_clear(&err);
	assert_ok(thin_pool_delete(pool, 1, &err), &err);
	thin_pool_close(pool);
}

/* Each change is durable at once: a session that ends without a commit has made it all the same. */
static void there_is_nothing_to_abort_but_what_is_known(void **state)
{
	struct thin_pool *pool;
	struct thin_device d;

	(void)state;
	lab_need("thin-pool");
	pool = lab_pool_open(THIN_WRITE);
	assert_false(thin_pool_is_atomic(pool));
	assert_ok(thin_pool_create_snap(pool, 2, 1, &err), &err);
	assert_ok(thin_pool_abort(pool, &err), &err);
	thin_pool_close(pool);
	pool = lab_pool_open(THIN_READ);
	assert_ok(thin_pool_device(pool, 2, &d, &err), &err);
	thin_pool_close(pool);
}

/* --- commits ------------------------------------------------------------------------------------ */

static void who_moves_the_transaction_id_beside_us_is_found_out(void **state)
{
	struct thin_pool *pool;
	uint64_t id;

	(void)state;
	lab_need("thin-pool");
	pool = lab_pool_open(THIN_WRITE);
	assert_ok(devmap_message(tk_pool_of(pool)->device.uuid, &err, "set_transaction_id 1 50"),
		  &err);
	assert_int_equal(thin_pool_commit(pool, 2, &err), -1);
	assert_error(&err, ERR_INCONSISTENT, "its transaction id is 50, it was 1");
	/* Nothing is committed until that was looked at. */
	assert_int_equal(thin_pool_commit(pool, 51, &err), -1);
	assert_int_equal(thin_pool_create_thin(pool, 5, &err), -1);
	assert_error(&err, ERR_INCONSISTENT, "50");
	error_clear(&err);
	assert_ok(thin_pool_abort(pool, &err), &err);
	assert_ok(thin_pool_transaction_id(pool, &id, &err), &err);
	assert_int_equal(id, 50);
	assert_ok(thin_pool_commit(pool, 51, &err), &err);
	thin_pool_close(pool);
}

static void a_commit_costs_what_it_must(void **state)
{
	struct thin_pool_counts before, after;
	struct thin_pool *pool;

	(void)state;
	lab_need("thin-pool");
	pool = lab_pool_open(THIN_WRITE);
	thin_pool_counts(pool, &before);
	lab_pool_write(pool, 0, 0, 1);
	assert_ok(thin_pool_commit(pool, 2, &err), &err);
	thin_pool_counts(pool, &after);
	/* the node is there; compare and swap; did the kernel commit? */
	assert_int_equal(after.ioctls - before.ioctls, 3);
	assert_int_equal(after.messages - before.messages, 1);
	assert_int_equal(after.flushes - before.flushes, 1);
	assert_int_equal(after.activations - before.activations, 0);
	thin_pool_close(pool);
}

static void going_on_costs_one_look(void **state)
{
	struct thin_pool_counts before, after;
	struct thin_pool *pool;

	(void)state;
	lab_need("thin-pool");
	pool = lab_pool_open(THIN_WRITE);
	thin_pool_counts(pool, &before);
	assert_int_equal(thin_pool_pause(pool, &err), 0);
	assert_ok(thin_pool_go_on(pool, &err), &err);
	thin_pool_counts(pool, &after);
	assert_int_equal(after.ioctls - before.ioctls, 1);
	thin_pool_close(pool);
}

/* --- what a kill leaves -------------------------------------------------------------------------- */

static void a_device_that_was_left_suspended_goes_on(void **state)
{
	struct devmap_info info;
	struct thin_pool *pool;
	cleanup_free char *path = NULL;
	int status = 0;
	pid_t pid;

	(void)state;
	lab_need("thin-pool");
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct kernel_names names;

		pool = lab_pool_open(THIN_WRITE);
		kernel_names_thin(tk_pool_of(pool)->place.uuid, 1, &names);
		if (thin_pool_activate(pool, 1, LAB_SIZE, false, &path, &err) < 0
		    || devmap_suspend(names.uuid, 0, &err) < 0)
			_exit(1);
		_exit(0); /* with the lock, as a kill does */
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	pool = lab_pool_open(THIN_WRITE);
	assert_ok(thin_pool_find_device(pool, 1, &path, &err), &err);
	assert_ok(devmap_info_by_name(path + strlen("/dev/mapper/"), &info, &err), &err);
	assert_false(info.suspended);
	assert_ok(thin_pool_deactivate(pool, 1, &err), &err);
	thin_pool_close(pool);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, lab_pool_set_up, lab_pool_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(one_writes_and_others_read),
		CASE(a_pool_at_rest_is_activated_for_who_keeps_it_still),
		CASE(a_paused_session_lets_others_write_and_sees_it),
		CASE(a_paused_session_finds_its_pool_active_again),
		CASE(what_the_kernel_refuses_is_told_in_our_terms),
		CASE(there_is_nothing_to_abort_but_what_is_known),
		CASE(who_moves_the_transaction_id_beside_us_is_found_out),
		CASE(a_commit_costs_what_it_must),
		CASE(going_on_costs_one_look),
		CASE(a_device_that_was_left_suspended_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
