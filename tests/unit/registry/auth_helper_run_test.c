/* SPDX-License-Identifier: Apache-2.0 */
/* One run of a helper (C14): what it gets and what not, and every way in which it may end. */
#include "registry/auth_helper_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/secret.h"
#include "tests/support/cmocka.h"
#include "tests/support/fake_helper.h"
#include "tests/support/memory_search.h"

static struct fake_helper helper;

static int start(void **state)
{
	(void)state;
	fake_helper_start(&helper);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	fake_helper_stop(&helper);
	return 0;
}

static int run(const char *how, const char *input, unsigned timeout_ms, struct buffer *out,
	       int *ret_status, struct error *err)
{
	cleanup_free char *program = xasprintf("%s/docker-credential-%s", helper.folder, how);
	struct auth_helper_run r = {program, "get", input, strlen(input), timeout_ms};

	return auth_helper_run(&r, out, ret_status, err);
}

static void nobody_is_left(void)
{
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static void c14_input_goes_in_and_output_comes_out(void **state)
{
	cleanup_secret_buffer struct buffer out = {0};
	struct error err = {0};
	int status;

	(void)state;
	assert_ok(run("deaf", "h.io", 20000, &out, &status, &err), &err);
	assert_int_equal(status, 0);
	assert_string_equal((char *)out.data, "{\"Username\":\"u\",\"Secret\":\"p\"}\n");
	nobody_is_left();
}

static void c14_it_gets_no_secret_but_by_its_input(void **state)
{
	cleanup_secret_buffer struct buffer out = {0};
	cleanup_free char *log = NULL, *input = NULL;
	int fd = open("/dev/null", O_RDONLY); /* without O_CLOEXEC */
	struct error err = {0};
	int status;

	(void)state;
	fake_helper_forget(&helper, "log");
	fake_helper_forget(&helper, "input");
	setenv("DOCKER_AUTH_CONFIG", "{\"auths\":{\"h.io\":{\"auth\":\"SECRET\"}}}", 1);
	setenv("AWS_PROFILE", "somebody", 1);
	assert_ok(run("none", "SECRET", 20000, &out, &status, &err), &err);
	unsetenv("DOCKER_AUTH_CONFIG");
	unsetenv("AWS_PROFILE");
	close(fd);
	log = fake_helper_read(&helper, "log");
	input = fake_helper_read(&helper, "input");
	assert_null(strstr(log, "SECRET"));
	assert_null(strstr(log, "DOCKER_AUTH_CONFIG"));
	assert_non_null(strstr(log, "AWS_PROFILE=somebody"));
	assert_non_null(strstr(log, "docker-credential-none get"));
	assert_string_equal(input, "get SECRET\n");
}

/* The shell has its script open, nothing else. */
static void c14_no_open_files_of_ours_are_passed_on(void **state)
{
	cleanup_secret_buffer struct buffer out = {0};
	struct auth_helper_run r = {"/bin/ls", "/proc/self/fd", "", 0, 20000};
	int fd = open("/dev/null", O_RDONLY), high = dup2(fd, 77); /* without O_CLOEXEC */
	struct error err = {0};
	int status;

	(void)state;
	assert_int_equal(high, 77);
	assert_ok(auth_helper_run(&r, &out, &status, &err), &err);
	close(fd);
	close(high);
	assert_string_equal((char *)out.data, "0\n1\n2\n3\n"); /* the third is the folder */
}

static void c14_what_does_not_end_is_ended(void **state)
{
	static const char *const ways[] = {"hangs", "silent"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		struct buffer out = {0};
		struct timespec before, after;
		struct error err = {0};
		int status;

		clock_gettime(CLOCK_MONOTONIC, &before);
		assert_int_equal(run(ways[i], "h.io", 1000, &out, &status, &err), -1);
		clock_gettime(CLOCK_MONOTONIC, &after);
		assert_error(&err, ERR_SYSTEM, "no end after 1 s");
		assert_true(after.tv_sec - before.tv_sec < 20);
		nobody_is_left();
	}
}

static void c14_what_says_too_much_is_ended(void **state)
{
	struct buffer out = {0};
	struct error err = {0};
	int status;

	(void)state;
	assert_int_equal(run("floods", "h.io", 20000, &out, &status, &err), -1);
	assert_error(&err, ERR_SYSTEM, "more than 65536 bytes");
	assert_null(strstr(err.cause, "SECRET"));
	nobody_is_left();
}

static void what_a_helper_starts_is_not_waited_for(void **state)
{
	cleanup_secret_buffer struct buffer out = {0};
	struct error err = {0};
	int status;

	(void)state;
	assert_ok(run("child", "h.io", 20000, &out, &status, &err), &err);
	assert_non_null(strstr((char *)out.data, "Secret"));
	nobody_is_left();
	usleep(600000); /* what it started ends by itself: nothing is left of this test */
}

static void one_that_does_not_listen_is_no_error(void **state)
{
	cleanup_secret_buffer struct buffer out = {0};
	char *much = memory_secret(1, 300000); /* more than a pipe holds */
	struct error err = {0};
	int status;

	(void)state;
	assert_ok(run("deaf", much, 20000, &out, &status, &err), &err);
	assert_int_equal(status, 0);
	secret_free(much);
}

static void how_it_ended_is_said(void **state)
{
	struct error err = {0};
	int status;

	(void)state;
	{
		cleanup_secret_buffer struct buffer out = {0};

		assert_ok(run("killed", "h.io", 20000, &out, &status, &err), &err);
		assert_true(WIFSIGNALED(status));
	}
	{
		cleanup_secret_buffer struct buffer out = {0};

		assert_ok(run("missing", "h.io", 20000, &out, &status, &err), &err);
		assert_int_equal(WEXITSTATUS(status), 127);
		assert_int_equal(out.len, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(c14_input_goes_in_and_output_comes_out),
		cmocka_unit_test(c14_it_gets_no_secret_but_by_its_input),
		cmocka_unit_test(c14_no_open_files_of_ours_are_passed_on),
		cmocka_unit_test(c14_what_does_not_end_is_ended),
		cmocka_unit_test(c14_what_says_too_much_is_ended),
		cmocka_unit_test(what_a_helper_starts_is_not_waited_for),
		cmocka_unit_test(one_that_does_not_listen_is_no_error),
		cmocka_unit_test(how_it_ended_is_said),
	};

	signal(SIGPIPE, SIG_IGN); /* as the program does */
	return cmocka_run_group_tests(tests, start, stop);
}
