/* SPDX-License-Identifier: Apache-2.0 */
/* Claims are their descriptor's, and end with it. */
#include "pkg/thin/kernel/claim.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pkg/base/cleanup.h"
#include "tests/support/cmocka.h"
#include "tests/support/scratch.h"

static struct error err;

static int open_claims(void **state)
{
	int fd = -1;

	assert_ok(claim_open(*state, &fd, &err), &err);
	return fd;
}

static void one_alone_or_several_that_share(void **state)
{
	cleanup_fd int a = open_claims(state), b = open_claims(state), c = open_claims(state);

	assert_int_equal(claim_try(a, 7, true, &err), 0);
	assert_int_equal(claim_try(b, 7, true, &err), 1);
	assert_int_equal(claim_try(b, 7, false, &err), 1);
	assert_int_equal(claim_try(b, 8, true, &err), 0);
	assert_int_equal(claim_try(b, CLAIM_MAKING + 7, true, &err), 0);
	assert_true(claim_is_held(b, 7));
	assert_false(claim_is_held(a, 7));
	assert_true(claim_is_held(c, CLAIM_MAKING + 7));
	claim_drop(a, 7);
	assert_false(claim_is_held(b, 7));
	assert_int_equal(claim_try(a, 7, false, &err), 0);
	assert_int_equal(claim_try(b, 7, false, &err), 0);
	assert_int_equal(claim_try(b, 7, true, &err), 1);
	claim_drop(a, 7);
	assert_int_equal(claim_try(b, 7, true, &err), 0);
}

static void a_claim_ends_with_its_process(void **state)
{
	cleanup_fd int fd = open_claims(state);
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		int own;

		if (claim_open(*state, &own, &err) < 0 || claim_try(own, 3, true, &err) != 0
		    || write(ready[1], "x", 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_true(claim_is_held(fd, 3));
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_false(claim_is_held(fd, 3));
	close(ready[0]);
	close(ready[1]);
}

static void who_cannot_tell_takes_it_for_held(void **state)
{
	(void)state;
	assert_true(claim_is_held(-1, 1));
	assert_int_equal(claim_try(-1, 1, true, &err), -1);
	assert_error(&err, ERR_SYSTEM, "claim thin 1");
	error_clear(&err);
	assert_int_equal(claim_open("/nowhere/at/all", &(int){0}, &err), -1);
	assert_error(&err, ERR_SYSTEM, "/nowhere/at/all/claims");
	error_clear(&err);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, scratch_set_up, scratch_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(one_alone_or_several_that_share),
		CASE(a_claim_ends_with_its_process),
		CASE(who_cannot_tell_takes_it_for_held),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
