/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs with a script in the runtime's place: what it is given, how its end is told, that signals
 * reach it and that nothing outlives it. Real runtimes are in tests/integration.
 */
#include "tests/support/cmocka.h"

#include <fcntl.h>
#include <mntent.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "oci/runtime.h"
#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/base/fdio.h"
#include "tests/support/runtime_try.h"
#include "tests/support/scratch.h"

static void a_missing_run_folder_is_an_error(void **state)
{
	cleanup(runtime_try_release) struct runtime_try r;
	struct error err = {0};
	int status;

	runtime_try_prepare(*state, "", &r);
	assert_int_equal(rmdir("run"), 0);
	assert_int_equal(runtime_try_run(&r, &status, &err), -1);
	assert_error(&err, ERR_SYSTEM, "/run");
}

/* --- signals ---------------------------------------------------------------------------------- */

static void signals_reach_it_one_after_the_other(void **state)
{
	cleanup(runtime_try_release) struct runtime_try r;
	cleanup_fd int ready = -1;
	pid_t pid;

	runtime_try_prepare(*state,
			    "trap 'printf t' TERM; trap 'printf u' USR1; trap 'printf w' WINCH\n"
			    "trap 'exit 42' INT\n"
			    "started; printf r; while :; do sleep 0.01; done\n",
			    &r);
	pid = runtime_try_start(&r, &ready);
	if (!runtime_try_told(ready)) {
		assert_int_equal(runtime_try_end(pid), 77);
		skip();
	}
	for (int i = 0; i < 2; i++) {
		static const int signals[] = {SIGTERM, SIGUSR1, SIGWINCH};

		for (size_t k = 0; k < ARRAY_SIZE(signals); k++) {
			kill(pid, signals[k]);
			assert_true(runtime_try_told(ready));
		}
	}
	kill(pid, SIGINT);
	assert_int_equal(runtime_try_end(pid), 42);
}

/* At points between before the start and after the end; the pipe is closed when nothing lives. */
static void nothing_lives_when_it_is_killed(void **state)
{
	cleanup(runtime_try_release) struct runtime_try r;

	runtime_try_prepare(*state, "started; sleep 1000 & sleep 0.01\n", &r);
	for (useconds_t delay = 0; delay < 30000; delay += 1000) {
		cleanup_fd int ready = -1;
		pid_t pid = runtime_try_start(&r, &ready);
		int status;

		usleep(delay);
		kill(pid, SIGKILL);
		assert_false(runtime_try_told(ready));
		status = runtime_try_end(pid);
		if (status == 77)
			skip();
		assert_true(status == 0 || status == 128 + SIGKILL);
	}
	assert_int_equal(rmdir("run"), 0);
}

static int refuse(void *arg, struct error *err)
{
	*(int *)arg += 1;
	return error_set(err, ERR_BUSY, "somebody else is faster");
}

static void what_is_to_be_done_at_the_start_is_done_or_all_ends(void **state)
{
	cleanup(runtime_try_release) struct runtime_try r;
	struct error err = {0};
	int status, calls = 0;

	runtime_try_prepare(*state, "started; sleep 1000\n", &r);
	r.options.on_start = refuse;
	r.options.arg = &calls;
	assert_int_equal(runtime_try_run(&r, &status, &err), -1);
	assert_error(&err, ERR_BUSY, "faster");
	assert_int_equal(calls, 1);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(rmdir("run"), 0);
}

/* --- names ------------------------------------------------------------------------------------ */

static void names_are_of_one_pool_and_one_device(void **state)
{
	cleanup_free char *a1 = NULL, *a2 = NULL, *b1 = NULL, *missing = NULL;
	struct error err = {0};

	(void)state;
	scratch_mkdir("a", 0700);
	scratch_mkdir("b", 0700);
	assert_ok(runtime_id("a", 1, &a1, &err), &err);
	assert_ok(runtime_id("./a", 2, &a2, &err), &err);
	assert_ok(runtime_id("b", 1, &b1, &err), &err);
	assert_string_not_equal(a1, a2);
	assert_string_not_equal(a1, b1);
	assert_int_equal(strncmp(a1, a2, strlen(a1) - 1), 0);
	assert_int_equal(strspn(a1, "abcdefghijklmnopqrstuvwxyz0123456789-"), strlen(a1));
	assert_int_equal(runtime_id("nowhere", 1, &missing, &err), -1);
	assert_error(&err, ERR_SYSTEM, "nowhere");
}

/* --- what killed runs left -------------------------------------------------------------------- */

struct asked {
	uint32_t running;
	char ids[64];
};

static int is_running(uint32_t thin_id, void *arg, struct error *err)
{
	struct asked *asked = arg;
	size_t len = strlen(asked->ids);

	snprintf(asked->ids + len, sizeof(asked->ids) - len, "%u ", thin_id);
	if (thin_id == 13)
		return error_set(err, ERR_BUSY, "an unlucky number");
	return thin_id == asked->running;
}

/* A control group for a runtime's id with this behind it, or false where none can be made. */
static bool make_group(const char *id, const char *more, char **ret_path)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	struct mntent *m;

	*ret_path = NULL;
	while (mounts && !*ret_path && (m = getmntent(mounts))) {
		char *path = xasprintf("%s/%s%s", m->mnt_dir, id, more);

		if (strncmp(m->mnt_type, "cgroup", 6) == 0 && mkdir(path, 0755) == 0)
			*ret_path = path;
		else
			free(path);
	}
	if (mounts)
		endmntent(mounts);
	return *ret_path != NULL;
}

static void groups_of_this_pool_go_unless_they_run(void **state)
{
	static const char *const more[] = {"", "1", "x", "99999999999"};
	cleanup_free char *id = NULL;
	char *paths[ARRAY_SIZE(more)] = {NULL};
	struct asked asked = {.running = 71};
	struct error err = {0};

	(void)state;
	scratch_mkdir("pool", 0700);
	assert_ok(runtime_id("pool", 7, &id, &err), &err);
	for (size_t i = 0; i < ARRAY_SIZE(more); i++)
		if (!make_group(id, more[i], &paths[i]))
			skip();
	assert_ok(runtime_forget("pool", is_running, &asked, &err), &err);
	assert_non_null(strstr(asked.ids, "7 "));
	assert_non_null(strstr(asked.ids, "71 "));
	assert_int_equal(strlen(asked.ids), 5); /* what is no id of ours is nobody's business */
	assert_false(scratch_exists(paths[0]));
	for (size_t i = 1; i < ARRAY_SIZE(more); i++) {
		assert_true(scratch_exists(paths[i]));
		assert_int_equal(rmdir(paths[i]), 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(more); i++)
		free(paths[i]);
}

static void who_cannot_say_whether_it_runs_ends_it(void **state)
{
	cleanup_free char *id = NULL, *path = NULL;
	struct asked asked = {0};
	struct error err = {0};

	(void)state;
	scratch_mkdir("pool", 0700);
	assert_ok(runtime_forget("pool", is_running, &asked, &err), &err);
	assert_string_equal(asked.ids, "");
	assert_int_equal(runtime_forget("none", is_running, &asked, &err), -1);
	assert_error(&err, ERR_SYSTEM, "none");
	assert_ok(runtime_id("pool", 13, &id, &err), &err);
	if (!make_group(id, "", &path))
		skip();
	assert_int_equal(runtime_forget("pool", is_running, &asked, &err), -1);
	assert_error(&err, ERR_BUSY, "unlucky");
	assert_int_equal(rmdir(path), 0);
}

/* --- the terminal ----------------------------------------------------------------------------- */

/* A runtime that is killed has no time to put it back. */
static void the_terminal_is_as_it_was(void **state)
{
	cleanup(runtime_try_release) struct runtime_try r;
	struct termios before = {0}, after = {0};
	int master, slave, status;
	struct error err = {0};
	pid_t pid;

	runtime_try_prepare(*state, "started; stty raw -echo; kill -9 $$\n", &r);
	assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
	assert_int_equal(tcgetattr(slave, &before), 0);
	pid = fork();
	if (pid == 0) {
		dup2(slave, STDIN_FILENO);
		if (runtime_run(&r.options, &status, &err) < 0)
			_exit(err.kind == ERR_UNSUPPORTED ? 77 : 1);
		_exit(status);
	}
	status = runtime_try_end(pid);
	if (status == 77)
		skip();
	assert_int_equal(status, 128 + SIGKILL);
	assert_int_equal(tcgetattr(slave, &after), 0);
	assert_memory_equal(&before, &after, sizeof(before));
	close(master);
	close(slave);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, scratch_set_up, scratch_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_missing_run_folder_is_an_error),
		TEST(signals_reach_it_one_after_the_other),
		TEST(nothing_lives_when_it_is_killed),
		TEST(what_is_to_be_done_at_the_start_is_done_or_all_ends),
		TEST(names_are_of_one_pool_and_one_device),
		TEST(groups_of_this_pool_go_unless_they_run),
		TEST(who_cannot_say_whether_it_runs_ends_it),
		TEST(the_terminal_is_as_it_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
