/* SPDX-License-Identifier: Apache-2.0 */
/* Locks on bytes: who excludes whom, and what ends them. */
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "oci/container_internal.h"
#include "tests/support/cmocka.h"
#include "tests/support/store_fixture.h"

static struct store_fixture f;
static struct error err;

static int begin(void **state)
{
	(void)state;
	store_fixture_init(&f);
	return 0;
}

static int end(void **state)
{
	(void)state;
	store_fixture_release(&f);
	return 0;
}

static int open_locks(void)
{
	int fd;

	assert_ok(container_lock_open(f.store, true, &fd, &err), &err);
	return fd;
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void a_byte_is_held_by_one_or_shared(void **state)
{
	int a = open_locks(), b = open_locks();

	(void)state;
	assert_int_equal(container_lock_try(a, 5, CONTAINER_LOCK_EXCLUSIVE, &err), 0);
	assert_int_equal(container_lock_try(b, 5, CONTAINER_LOCK_EXCLUSIVE, &err), 1);
	assert_int_equal(container_lock_try(b, 5, CONTAINER_LOCK_SHARED, &err), 1);
	assert_int_equal(container_lock_try(b, 6, CONTAINER_LOCK_EXCLUSIVE, &err), 0);
	assert_true(container_lock_is_held(b, 5));
	/* One's own lock is no reason to wait. */
	assert_false(container_lock_is_held(a, 5));
	assert_int_equal(container_lock_try(a, 5, CONTAINER_LOCK_SHARED, &err), 0);
	assert_int_equal(container_lock_try(b, 5, CONTAINER_LOCK_SHARED, &err), 0);
	assert_int_equal(container_lock_try(a, 5, CONTAINER_LOCK_EXCLUSIVE, &err), 1);
	container_lock_drop(b, 5);
	assert_int_equal(container_lock_try(a, 5, CONTAINER_LOCK_EXCLUSIVE, &err), 0);
	close(a);
	assert_int_equal(container_lock_try(b, 5, CONTAINER_LOCK_EXCLUSIVE, &err), 0);
	close(b);
}

static void a_reader_shares_what_only_writers_may_make(void **state)
{
	int fd, writer;

	(void)state;
	assert_int_equal(container_lock_open(f.store, false, &fd, &err), -1);
	assert_error(&err, ERR_SYSTEM, "lock");
	writer = open_locks();
	assert_ok(container_lock_open(f.store, false, &fd, &err), &err);
	assert_int_equal(container_lock_try(fd, 1, CONTAINER_LOCK_SHARED, &err), 0);
	assert_int_equal(container_lock_try(writer, 1, CONTAINER_LOCK_EXCLUSIVE, &err), 1);
	assert_int_equal(container_lock_try(fd, 1, CONTAINER_LOCK_EXCLUSIVE, &err), -1);
	close(fd);
	close(writer);
}

static void one_waits_for_others_but_not_for_ever(void **state)
{
	int a = open_locks(), b = open_locks();
	int64_t before = now_ms();

	(void)state;
	f.store->lock_timeout_ms = 150;
	assert_int_equal(container_lock_try(a, 5, CONTAINER_LOCK_EXCLUSIVE, &err), 0);
	assert_int_equal(container_lock_take(f.store, b, 5, CONTAINER_LOCK_SHARED, "box", &err),
			 -1);
	assert_error(&err, ERR_BUSY, "container box");
	assert_in_range(now_ms() - before, 150, 5000);
	close(a);
	assert_ok(container_lock_take(f.store, b, 5, CONTAINER_LOCK_EXCLUSIVE, "box", &err), &err);
	close(b);
}

static void nobody_waits_for_a_run(void **state)
{
	int a = open_locks(), b = open_locks();
	int64_t before = now_ms();

	(void)state;
	f.store->lock_timeout_ms = 60000;
	assert_int_equal(container_lock_try(a, CONTAINER_RUN_BYTES + 5, CONTAINER_LOCK_EXCLUSIVE,
					    &err),
			 0);
	assert_int_equal(container_lock_try(a, CONTAINER_ALIVE_BYTES + 5, CONTAINER_LOCK_EXCLUSIVE,
					    &err),
			 0);
	assert_int_equal(container_lock_take(f.store, b, 5, CONTAINER_LOCK_SHARED, "box", &err),
			 -1);
	assert_error(&err, ERR_BUSY, "running");
	assert_in_range(now_ms() - before, 0, 5000);
	close(a);
	close(b);
}

/* The command was killed, and its first process is on its way out. */
static void the_end_of_a_run_is_waited_for(void **state)
{
	int a = open_locks(), b = open_locks();
	pid_t pid;

	(void)state;
	f.store->lock_timeout_ms = 0;
	assert_int_equal(container_lock_try(a, CONTAINER_RUN_BYTES + 5, CONTAINER_LOCK_EXCLUSIVE,
					    &err),
			 0);
	assert_int_equal(container_lock_run(b, 5), CONTAINER_RUN_UNSETTLED);
	pid = fork();
	if (pid == 0) {
		usleep(200000);
		_exit(0);
	}
	close(a);
	assert_int_equal(container_lock_run(b, 5), CONTAINER_RUN_UNSETTLED);
	assert_ok(container_lock_take(f.store, b, 5, CONTAINER_LOCK_EXCLUSIVE, "box", &err), &err);
	assert_int_equal(container_lock_run(b, 5), CONTAINER_NO_RUN);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(b);
}

static void a_child_that_has_the_descriptor_holds_the_lock(void **state)
{
	int a = open_locks(), b = open_locks(), done[2];
	char byte;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(done), 0);
	assert_int_equal(container_lock_try(a, 5, CONTAINER_LOCK_EXCLUSIVE, &err), 0);
	pid = fork();
	if (pid == 0) {
		close(done[1]);
		_exit(read(done[0], &byte, 1) == 0 ? 0 : 1);
	}
	close(done[0]);
	close(a);
	assert_int_equal(container_lock_try(b, 5, CONTAINER_LOCK_EXCLUSIVE, &err), 1);
	close(done[1]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(container_lock_try(b, 5, CONTAINER_LOCK_EXCLUSIVE, &err), 0);
	close(b);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_byte_is_held_by_one_or_shared),
		CASE(a_reader_shares_what_only_writers_may_make),
		CASE(one_waits_for_others_but_not_for_ever),
		CASE(nobody_waits_for_a_run),
		CASE(the_end_of_a_run_is_waited_for),
		CASE(a_child_that_has_the_descriptor_holds_the_lock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
