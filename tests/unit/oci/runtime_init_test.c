/* SPDX-License-Identifier: Apache-2.0 */
/* The first process of a run: what the runtime is given, how its end is told, what it holds. */
#include "oci/runtime_internal.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/host/loop.h"
#include "tests/support/cmocka.h"
#include "tests/support/runtime_try.h"
#include "tests/support/scratch.h"

static void it_gets_the_bundle(void **state)
{
	runtime_try_status(
		*state,
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
	runtime_try_status(
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
	runtime_try_status(*state, "started; exit 42\n", 42);
}

static void its_end_by_a_signal_is_told(void **state)
{
	runtime_try_status(*state, "started; kill -9 $$\n", 128 + SIGKILL);
}

static void what_it_leaves_running_is_ended(void **state)
{
	runtime_try_status(*state, "started; setsid sleep 1000 & sleep 1000 & exit 3\n", 3);
}

static void an_end_before_the_start_is_an_error(void **state)
{
	runtime_try_fails(*state, "exit 1\n", ERR_SYSTEM, "did not start the container");
}

static void the_last_word_of_the_runtime_is_the_error(void **state)
{
	runtime_try_fails(*state,
			  "echo '{\"level\": \"warning\", \"msg\": \"perhaps\"}' >\"$log\"\n"
			  "echo '{\"level\": \"error\", \"msg\": \"no such thing\"}' >>\"$log\"\n"
			  "exit 1\n",
			  ERR_SYSTEM, "no such thing");
}

static void a_log_that_is_none_is_passed_over(void **state)
{
	runtime_try_fails(*state, "echo '{\"level\": 1' >\"$log\"; exit 3\n", ERR_SYSTEM,
			  "status 3");
}

static void a_signal_before_the_start_is_an_error(void **state)
{
	runtime_try_fails(*state, "kill -TERM $$\n", ERR_INTERRUPTED, "signal 15");
}

static void what_is_no_program_is_an_error(void **state)
{
	cleanup(runtime_try_release) struct runtime_try r;
	struct error err = {0};
	int status;

	runtime_try_prepare(*state, "", &r);
	assert_int_equal(unlink("program"), 0);
	scratch_write("program", "#!/nonexistent/interpreter\n");
	assert_int_equal(chmod("program", 0755), 0);
	assert_int_equal(runtime_try_run(&r, &status, &err), -1);
	assert_error(&err, ERR_SYSTEM, "/program");
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
	cleanup(runtime_try_release) struct runtime_try r;
	cleanup_fd int ready = -1;
	int held[2], other[2];
	struct stat st;
	pid_t pid;

	runtime_try_prepare(*state, "started; printf r; while :; do sleep 0.01; done\n", &r);
	assert_int_equal(pipe(other), 0);
	assert_int_equal(pipe(held), 0);
	assert_int_equal(fstat(held[1], &st), 0);
	r.options.hold_fd = held[1];
	pid = runtime_try_start(&r, &ready);
	if (!runtime_try_told(ready)) {
		assert_int_equal(runtime_try_end(pid), 77);
		skip();
	}
	assert_file(child_of(pid), 3, &st);
	for (int fd = 4; fd < 32; fd++)
		assert_file(child_of(pid), fd, NULL);
	kill(pid, SIGKILL);
	assert_int_equal(runtime_try_end(pid), 128 + SIGKILL);
	for (int i = 0; i < 2; i++) {
		close(held[i]);
		close(other[i]);
	}
}

/* As root: a file on a loop device that goes with the run, and what was written is in the file. */
static void a_file_is_mounted_as_the_root(void **state)
{
	cleanup_free char *command =
		xasprintf("PATH=$PATH:/sbin:/usr/sbin; truncate -s 8M '%s/image'"
			  " && mke2fs -q -t ext4 '%s/image' >/dev/null 2>&1",
			  (char *)*state, (char *)*state);
	cleanup_free char *file = xasprintf("%s/image", (char *)*state);
	cleanup_free char *look =
		xasprintf("PATH=$PATH:/sbin:/usr/sbin; [ \"$(debugfs -R 'cat /new' "
			  "'%s' 2>/dev/null)\" = written ]",
			  file);
	cleanup(runtime_try_release) struct runtime_try r;
	struct error err = {0};
	int status = -1;

	if (geteuid() != 0 || loop_check(&err) < 0)
		skip();
	assert_int_equal(system(command), 0);
	runtime_try_prepare(*state,
			    "started; [ -d \"$bundle/rootfs/lost+found\" ] || exit 1\n"
			    "echo written >\"$bundle/rootfs/new\"; exit 5\n",
			    &r);
	free((char *)(uintptr_t)r.options.folder);
	r.options.folder = NULL;
	r.options.file = file;
	assert_ok(runtime_try_run(&r, &status, &err), &err);
	assert_int_equal(status, 5);
	assert_true(loop_wait_gone(file));
	assert_int_equal(system(look), 0);
	/* One that is no file system is refused before anything is started. */
	assert_int_equal(truncate(file, 0), 0);
	assert_int_equal(truncate(file, 8 << 20), 0);
	assert_int_equal(runtime_try_run(&r, &status, &err), -1);
	assert_error(&err, err.kind, "mount");
	assert_true(loop_wait_gone(file));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(it_gets_the_bundle, scratch_set_up,
						scratch_tear_down),
		cmocka_unit_test_setup_teardown(it_inherits_nothing_else, scratch_set_up,
						scratch_tear_down),
		cmocka_unit_test_setup_teardown(its_exit_status_is_told, scratch_set_up,
						scratch_tear_down),
		cmocka_unit_test_setup_teardown(its_end_by_a_signal_is_told, scratch_set_up,
						scratch_tear_down),
		cmocka_unit_test_setup_teardown(what_it_leaves_running_is_ended, scratch_set_up,
						scratch_tear_down),
		cmocka_unit_test_setup_teardown(an_end_before_the_start_is_an_error, scratch_set_up,
						scratch_tear_down),
		cmocka_unit_test_setup_teardown(the_last_word_of_the_runtime_is_the_error,
						scratch_set_up, scratch_tear_down),
		cmocka_unit_test_setup_teardown(a_log_that_is_none_is_passed_over, scratch_set_up,
						scratch_tear_down),
		cmocka_unit_test_setup_teardown(a_signal_before_the_start_is_an_error,
						scratch_set_up, scratch_tear_down),
		cmocka_unit_test_setup_teardown(what_is_no_program_is_an_error, scratch_set_up,
						scratch_tear_down),
		cmocka_unit_test_setup_teardown(the_first_process_holds_one_file_and_no_other,
						scratch_set_up, scratch_tear_down),
		cmocka_unit_test_setup_teardown(a_file_is_mounted_as_the_root, scratch_set_up,
						scratch_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
