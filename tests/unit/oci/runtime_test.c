/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs with a script in the runtime's place: what it is given, how its end is told, that signals
 * reach it and that nothing outlives it. Real runtimes are in tests/integration.
 */
#include "tests/support/cmocka.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "oci/runtime.h"
#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/base/fdio.h"
#include "tests/support/scratch.h"

/* Its arguments by name; "started" is what a runtime does once the container is. */
static const char script_head[] =
	"#!/bin/sh\n"
	"[ \"$1 $3 $5 $6 $7 $8\" = '--root --log --log-format json run --bundle' ] || exit 98\n"
	"state=$2 log=$4 bundle=$9; shift 9\n"
	"[ \"$1\" = --pid-file ] && [ $# = 3 ] || exit 99\n"
	"pid_file=$2 id=$3\n"
	"started() { echo $$ >\"$pid_file\"; }\n";

struct run {
	struct buffer config;
	struct runtime_options options;
};

/* In the scratch folder: program, run folder, root file system. */
static void prepare(const char *dir, const char *script, struct run *ret)
{
	cleanup_free char *text = xasprintf("%s%s", script_head, script);

	*ret = (struct run){.options = {.id = "thinpull-test-1", .hold_fd = -1}};
	scratch_write("program", text);
	assert_int_equal(chmod("program", 0755), 0);
	scratch_mkdir("run", 0700);
	scratch_mkdir("files", 0755);
	scratch_write("files/there", "content\n");
	buffer_printf(&ret->config, "{\"the\": \"config\"}");
	ret->options.config = &ret->config;
	ret->options.program = xasprintf("%s/program", dir);
	ret->options.run_dir = xasprintf("%s/run", dir);
	ret->options.folder = xasprintf("%s/files", dir);
}

static void run_release(struct run *r)
{
	free((char *)(uintptr_t)r->options.program);
	free((char *)(uintptr_t)r->options.run_dir);
	free((char *)(uintptr_t)r->options.folder);
	buffer_release(&r->config);
}

/* Where user namespaces are not allowed there is nothing to test. */
static int run(const struct run *r, int *ret_status, struct error *err)
{
	int failed = runtime_run(&r->options, ret_status, err);

	if (failed && err->kind == ERR_UNSUPPORTED)
		skip();
	return failed;
}

/* Run a script that says what it found wrong with its exit status. */
static void assert_status(const char *dir, const char *script, int want)
{
	cleanup(run_release) struct run r;
	struct error err = {0};
	int status = -1;

	prepare(dir, script, &r);
	assert_ok(run(&r, &status, &err), &err);
	assert_int_equal(status, want);
	/* What was in the run folder was in memory. */
	assert_int_equal(rmdir("run"), 0);
	assert_true(scratch_exists("files/there"));
}

static void it_gets_the_bundle(void **state)
{
	assert_status(*state,
		      "started\n"
		      "[ \"$id\" = thinpull-test-1 ] || exit 1\n"
		      "[ \"$(cat \"$bundle/config.json\")\" = '{\"the\": \"config\"}' ] || exit 2\n"
		      "[ \"$(cat \"$bundle/rootfs/there\")\" = content ] || exit 3\n"
		      "[ -d \"$state\" ] && [ -z \"$(ls \"$state\")\" ] || exit 4\n"
		      "[ \"$(stat -c %a \"$bundle\")\" = 700 ] || exit 5\n"
		      "echo new >\"$bundle/rootfs/written\"\n",
		      0);
	assert_true(scratch_exists("files/written"));
}

/* No file, no word of the environment, no signal that is ignored or blocked. */
static void it_inherits_nothing_else(void **state)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
	cleanup_fd int fd = open("/dev/null", O_RDONLY); /* not closed on exec */

	assert_true(fd > STDERR_FILENO);
	setenv("SECRET", "x", 1);
	setenv("LISTEN_FDS", "1", 1);
	setenv("NOTIFY_SOCKET", "/x", 1);
	sigaction(SIGPIPE, &ignore, &before);
	assert_status(
		*state,
		"started\n"
		"[ \"$(env -u PWD -u _ -u OLDPWD -u SHLVL | sed 's/=.*//')\" = PATH ] || exit 1\n"
		"ls /proc/self/fd >\"$state/fds\"\n" /* 3 is how it lists them */
		"[ \"$(tr '\\n' ' ' <\"$state/fds\")\" = '0 1 2 3 ' ] || exit 2\n"
		"[ \"$(sed -n 's/^SigBlk:\\t//p' /proc/self/status)\" = 0000000000000000 ]"
		" || exit 3\n"
		"[ \"$(sed -n 's/^SigIgn:\\t//p' /proc/self/status)\" = 0000000000000000 ]"
		" || exit 4\n"
		"[ \"$(umask)\" = 0022 ] || exit 5\n",
		0);
	sigaction(SIGPIPE, &before, NULL);
	unsetenv("SECRET");
	unsetenv("LISTEN_FDS");
	unsetenv("NOTIFY_SOCKET");
}

static void its_exit_status_is_told(void **state)
{
	assert_status(*state, "started; exit 42\n", 42);
}

static void its_end_by_a_signal_is_told(void **state)
{
	assert_status(*state, "started; kill -9 $$\n", 128 + SIGKILL);
}

static void what_it_leaves_running_is_ended(void **state)
{
	assert_status(*state, "started; setsid sleep 1000 & sleep 1000 & exit 3\n", 3);
}

static void assert_fails(const char *dir, const char *script, enum error_kind kind,
			 const char *text)
{
	cleanup(run_release) struct run r;
	struct error err = {0};
	int status;

	prepare(dir, script, &r);
	assert_int_equal(run(&r, &status, &err), -1);
	assert_error(&err, kind, text);
	assert_int_equal(rmdir("run"), 0);
}

static void an_end_before_the_start_is_an_error(void **state)
{
	assert_fails(*state, "exit 1\n", ERR_SYSTEM, "did not start the container");
}

static void the_last_word_of_the_runtime_is_the_error(void **state)
{
	assert_fails(*state,
		     "echo '{\"level\": \"warning\", \"msg\": \"perhaps\"}' >\"$log\"\n"
		     "echo '{\"level\": \"error\", \"msg\": \"no such thing\"}' >>\"$log\"\n"
		     "exit 1\n",
		     ERR_SYSTEM, "no such thing");
}

static void a_log_that_is_none_is_passed_over(void **state)
{
	assert_fails(*state, "echo '{\"level\": 1' >\"$log\"; exit 3\n", ERR_SYSTEM, "status 3");
}

static void a_signal_before_the_start_is_an_error(void **state)
{
	assert_fails(*state, "kill -TERM $$\n", ERR_INTERRUPTED, "signal 15");
}

static void what_is_no_program_is_an_error(void **state)
{
	cleanup(run_release) struct run r;
	struct error err = {0};
	int status;

	prepare(*state, "", &r);
	assert_int_equal(unlink("program"), 0);
	scratch_write("program", "#!/nonexistent/interpreter\n");
	assert_int_equal(chmod("program", 0755), 0);
	assert_int_equal(run(&r, &status, &err), -1);
	assert_error(&err, ERR_SYSTEM, "/program");
}

static void a_missing_run_folder_is_an_error(void **state)
{
	cleanup(run_release) struct run r;
	struct error err = {0};
	int status;

	prepare(*state, "", &r);
	assert_int_equal(rmdir("run"), 0);
	assert_int_equal(run(&r, &status, &err), -1);
	assert_error(&err, ERR_SYSTEM, "/run");
}

/* --- signals ---------------------------------------------------------------------------------- */

/* The run in a process of its own, which ends with its status; the script says when it is ready. */
static pid_t start(const struct run *r, int *ret_ready)
{
	struct error err = {0};
	int fds[2], status;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		dup2(fds[1], STDOUT_FILENO);
		close(fds[0]);
		close(fds[1]);
		if (runtime_run(&r->options, &status, &err) < 0)
			_exit(err.kind == ERR_UNSUPPORTED ? 77 : 1);
		_exit(status);
	}
	close(fds[1]);
	*ret_ready = fds[0];
	return pid;
}

/* One word of the script; false: it has ended. */
static bool is_told(int ready)
{
	char byte;

	return read(ready, &byte, 1) == 1;
}

static int end_of(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void signals_reach_it_one_after_the_other(void **state)
{
	cleanup(run_release) struct run r;
	cleanup_fd int ready = -1;
	pid_t pid;

	prepare(*state,
		"trap 'printf t' TERM; trap 'printf u' USR1; trap 'printf w' WINCH\n"
		"trap 'exit 42' INT\n"
		"started; printf r; while :; do sleep 0.01; done\n",
		&r);
	pid = start(&r, &ready);
	if (!is_told(ready)) {
		assert_int_equal(end_of(pid), 77);
		skip();
	}
	for (int i = 0; i < 2; i++) {
		static const int signals[] = {SIGTERM, SIGUSR1, SIGWINCH};

		for (size_t k = 0; k < ARRAY_SIZE(signals); k++) {
			kill(pid, signals[k]);
			assert_true(is_told(ready));
		}
	}
	kill(pid, SIGINT);
	assert_int_equal(end_of(pid), 42);
}

/* At points between before the start and after the end; the pipe is closed when nothing lives. */
static void nothing_lives_when_it_is_killed(void **state)
{
	cleanup(run_release) struct run r;

	prepare(*state, "started; sleep 1000 & sleep 0.01\n", &r);
	for (useconds_t delay = 0; delay < 30000; delay += 1000) {
		cleanup_fd int ready = -1;
		pid_t pid = start(&r, &ready);
		int status;

		usleep(delay);
		kill(pid, SIGKILL);
		assert_false(is_told(ready));
		status = end_of(pid);
		if (status == 77)
			skip();
		assert_true(status == 0 || status == 128 + SIGKILL);
	}
	assert_int_equal(rmdir("run"), 0);
}

static pid_t child_of(pid_t pid)
{
	cleanup_free char *path = xasprintf("/proc/%d/task/%d/children", (int)pid, (int)pid);
	FILE *f = fopen(path, "re");
	int child = 0;

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%d", &child), 1);
	fclose(f);
	return child;
}

static void assert_file(pid_t pid, int fd, const struct stat *want)
{
	cleanup_free char *path = xasprintf("/proc/%d/fd/%d", (int)pid, fd);
	struct stat st;

	if (!want) {
		assert_int_equal(stat(path, &st), -1);
		return;
	}
	assert_int_equal(stat(path, &st), 0);
	assert_true(st.st_ino == want->st_ino && st.st_dev == want->st_dev);
}

static void the_first_process_holds_one_file_and_no_other(void **state)
{
	cleanup(run_release) struct run r;
	cleanup_fd int ready = -1;
	int held[2], other[2];
	struct stat st;
	pid_t pid;

	prepare(*state, "started; printf r; while :; do sleep 0.01; done\n", &r);
	assert_int_equal(pipe(other), 0);
	assert_int_equal(pipe(held), 0);
	assert_int_equal(fstat(held[1], &st), 0);
	r.options.hold_fd = held[1];
	pid = start(&r, &ready);
	if (!is_told(ready)) {
		assert_int_equal(end_of(pid), 77);
		skip();
	}
	assert_file(child_of(pid), 3, &st);
	for (int fd = 4; fd < 32; fd++)
		assert_file(child_of(pid), fd, NULL);
	kill(pid, SIGKILL);
	assert_int_equal(end_of(pid), 128 + SIGKILL);
	for (int i = 0; i < 2; i++) {
		close(held[i]);
		close(other[i]);
	}
}

static int refuse(void *arg, struct error *err)
{
	*(int *)arg += 1;
	return error_set(err, ERR_BUSY, "somebody else is faster");
}

static void what_is_to_be_done_at_the_start_is_done_or_all_ends(void **state)
{
	cleanup(run_release) struct run r;
	struct error err = {0};
	int status, calls = 0;

	prepare(*state, "started; sleep 1000\n", &r);
	r.options.on_start = refuse;
	r.options.arg = &calls;
	assert_int_equal(run(&r, &status, &err), -1);
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

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, scratch_set_up, scratch_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(it_gets_the_bundle),
		TEST(it_inherits_nothing_else),
		TEST(its_exit_status_is_told),
		TEST(its_end_by_a_signal_is_told),
		TEST(what_it_leaves_running_is_ended),
		TEST(an_end_before_the_start_is_an_error),
		TEST(the_last_word_of_the_runtime_is_the_error),
		TEST(a_log_that_is_none_is_passed_over),
		TEST(a_signal_before_the_start_is_an_error),
		TEST(what_is_no_program_is_an_error),
		TEST(a_missing_run_folder_is_an_error),
		TEST(signals_reach_it_one_after_the_other),
		TEST(nothing_lives_when_it_is_killed),
		TEST(the_first_process_holds_one_file_and_no_other),
		TEST(what_is_to_be_done_at_the_start_is_done_or_all_ends),
		TEST(names_are_of_one_pool_and_one_device),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
