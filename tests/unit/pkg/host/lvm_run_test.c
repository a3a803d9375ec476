/* SPDX-License-Identifier: Apache-2.0 */
/* What a program in LVM's place is given, how it is followed to its end, and what is told of it. */
#include "tests/support/cmocka.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/base/interrupt.h"
#include "pkg/host/lvm_internal.h"
#include "tests/support/fake_lvm.h"
#include "tests/support/scratch.h"

static const struct lvm_limits patient = {.run_ms = 60 * 1000, .patience_ms = 10 * 1000};
static const struct lvm_limits hasty = {.run_ms = 200, .patience_ms = 200};

static int run_with(const struct lvm_limits *limits, struct lvm_run *ret, struct error *err)
{
	return lvm_run((const char *[]){"lvs", "-o", "x", NULL}, 0, limits, ret, err);
}

static const char *text_of(const struct buffer *b)
{
	return b->len ? (const char *)b->data : "";
}

/* --- what it is given ------------------------------------------------------------------------- */

static void its_environment_has_nothing_of_ours(void **state)
{
	cleanup(lvm_run_release) struct lvm_run run = {0};
	struct error err = {0};

	setenv("SECRET", "1", 1);
	setenv("LANG", "de_DE.UTF-8", 1);
	setenv("LVM_SYSTEM_DIR", "/mnt/lvm", 1);
	setenv("DM_DISABLE_UDEV", "1", 1);
	fake_lvm(*state, "env | grep -v -e ^PWD= -e ^OLDPWD= -e ^SHLVL= -e ^_= -e ^PATH= | sort\n");
	assert_ok(run_with(&patient, &run, &err), &err);
	assert_string_equal(text_of(&run.out), "DM_DISABLE_UDEV=1\nLC_ALL=C\n"
					       "LVM_SUPPRESS_FD_WARNINGS=1\n"
					       "LVM_SYSTEM_DIR=/mnt/lvm\n");
	unsetenv("LVM_SYSTEM_DIR");
	unsetenv("SECRET");
	unsetenv("LANG");
}

/* Without a udevd LVM would wait for one. */
static void it_is_told_when_there_is_no_udevd(void **state)
{
	cleanup(lvm_run_release) struct lvm_run run = {0};
	bool udevd = access("/run/udev/control", F_OK) == 0;
	struct error err = {0};

	unsetenv("DM_DISABLE_UDEV");
	fake_lvm(*state, "printf %s \"$DM_DISABLE_UDEV\"\n");
	assert_ok(run_with(&patient, &run, &err), &err);
	assert_string_equal(text_of(&run.out), udevd ? "" : "1");
}

/* A machine's lvm.conf may have names of commands in front of all lines, and leave out columns. */
static void it_is_to_talk_as_by_default(void **state)
{
	cleanup(lvm_run_release) struct lvm_run run = {0};
	struct error err = {0};

	fake_lvm(*state, "printf %s \"$config\"\n");
	assert_ok(run_with(&patient, &run, &err), &err);
	assert_string_equal(text_of(&run.out),
			    "log{verbose=0 command_names=0 report_command_log=0 prefix=\"  \"} "
			    "report{compact_output=0 compact_output_cols=\"\" "
			    "binary_values_as_numeric=0}");
}

static void it_has_none_of_our_files_and_nothing_to_read(void **state)
{
	cleanup(lvm_run_release) struct lvm_run run = {0};
	int leaked = open("/", O_RDONLY); /* without O_CLOEXEC */
	struct error err = {0};

	fake_lvm(*state, "cat; ls /proc/self/fd | tr '\\n' ' '\n");
	assert_ok(run_with(&patient, &run, &err), &err);
	close(leaked);
	assert_string_equal(text_of(&run.out), "0 1 2 3 "); /* 3 is ls's own */
}

static void words_are_no_shell_s(void **state)
{
	cleanup(lvm_run_release) struct lvm_run run = {0};
	struct error err = {0};

	fake_lvm(*state, "printf '<%s>' \"$@\"\n");
	assert_ok(lvm_run((const char *[]){"lvs", "$(touch here)", "a b", "*", NULL}, 0, &patient,
			  &run, &err),
		  &err);
	assert_string_equal(text_of(&run.out), "<lvs><$(touch here)><a b><*>");
	assert_false(scratch_exists("here"));
}

/* --- what it says ----------------------------------------------------------------------------- */

static void both_outputs_may_be_larger_than_a_pipe(void **state)
{
	cleanup(lvm_run_release) struct lvm_run run = {0};
	struct error err = {0};

	fake_lvm(*state, "head -c 1000000 /dev/zero >&2; head -c 2000000 /dev/zero\n");
	assert_ok(run_with(&patient, &run, &err), &err);
	assert_int_equal(run.out.len, 2000000);
	assert_int_equal(run.messages.len, 1000000);
}

static void there_is_an_end_to_what_is_taken(void **state)
{
	struct error err = {0};
	struct lvm_run run;

	fake_lvm(*state, "head -c 20000000 /dev/zero\n");
	assert_int_equal(run_with(&patient, &run, &err), -1);
	assert_error(&err, ERR_SYSTEM, "lvm lvs says too much");
}

static void check_failure(void *dir, const char *script, const char *text)
{
	cleanup(lvm_run_release) struct lvm_run run = {0};
	struct error err = {0};

	fake_lvm(dir, script);
	assert_ok(run_with(&patient, &run, &err), &err);
	assert_int_equal(lvm_run_check(&run, "lvs", &err), -1);
	assert_error(&err, ERR_SYSTEM, text);
	assert_int_equal(strlen(err.cause) <= strlen("lvm lvs: ") + 200, 1);
}

static void the_cause_is_the_first_line_that_is_no_warning(void **state)
{
	check_failure(*state,
		      "echo '  WARNING: Pool zeroing and large chunks are slow.' >&2; echo >&2\n"
		      "echo '  Volume group \"x\" not found.' >&2\n"
		      "echo '  Cannot process volume group x' >&2; exit 5\n",
		      "lvm lvs: Volume group \"x\" not found");
	check_failure(*state, "echo '  WARNING: that is all' >&2; exit 5\n",
		      "lvm lvs: WARNING: that is all");
	check_failure(*state, "exit 5\n", "lvm lvs failed without a word, status 5");
	check_failure(*state, "kill -SEGV $$\n", "lvm lvs was ended by signal 11");
	check_failure(*state, "head -c 5000 /dev/zero | tr '\\0' x >&2; exit 5\n", "xxx");
}

static void success_is_no_error_whatever_it_says(void **state)
{
	cleanup(lvm_run_release) struct lvm_run run = {0};
	struct error err = {0};

	fake_lvm(*state, "echo '  WARNING: x' >&2; echo '  x' >&2\n");
	assert_ok(run_with(&patient, &run, &err), &err);
	assert_ok(lvm_run_check(&run, "lvs", &err), &err);
}

/* --- its end ---------------------------------------------------------------------------------- */

/* As LVM starts a dmeventd, which may keep what it inherited. */
static void what_it_leaves_behind_is_not_waited_for(void **state)
{
	cleanup(lvm_run_release) struct lvm_run run = {0};
	struct timespec before, after;
	struct error err = {0};
	pid_t left;

	fake_lvm(*state, "sleep 100 & echo $!\n");
	clock_gettime(CLOCK_MONOTONIC, &before);
	assert_ok(run_with(&patient, &run, &err), &err);
	clock_gettime(CLOCK_MONOTONIC, &after);
	left = atoi(text_of(&run.out));
	assert_true(left > 1);
	assert_int_equal(kill(left, SIGKILL), 0);
	assert_true(after.tv_sec - before.tv_sec < 50);
}

static void one_that_does_not_end_is_asked_to(void **state)
{
	cleanup_free char *said = NULL;
	struct error err = {0};
	struct lvm_run run;
	size_t len;

	fake_lvm(*state, "trap 'echo asked >said; exit 0' INT\nwhile :; do sleep 0.01; done\n");
	assert_int_equal(run_with(&hasty, &run, &err), -1);
	assert_error(&err, ERR_SYSTEM, "lvm lvs does not end");
	said = scratch_read("said", &len);
	assert_string_equal(said, "asked\n");
}

static void one_that_does_not_want_to_is_killed(void **state)
{
	struct error err = {0};
	struct lvm_run run;

	fake_lvm(*state, "trap '' INT TERM\necho $$ >pid\nwhile :; do sleep 0.01; done\n");
	assert_int_equal(run_with(&hasty, &run, &err), -1);
	assert_error(&err, ERR_SYSTEM, "lvm lvs does not end: Connection timed out");
	{
		size_t len;
		cleanup_free char *pid = scratch_read("pid", &len);

		assert_true(atoi(pid) > 1);
		assert_int_equal(kill(atoi(pid), 0), -1);
	}
}

/* --- signals ---------------------------------------------------------------------------------- */

/* One that takes its time, and says how it ended in the file "end". */
static const char slow_script[] = "trap 'echo asked >end; exit 5' INT\n"
				  "echo $$ >started\n"
				  "for i in $(seq 100); do sleep 0.01; done\n"
				  "echo whole >end\n";

static void wait_for(const char *file)
{
	for (int i = 0; i < 3000 && !scratch_exists(file); i++)
		usleep(10000);
	assert_true(scratch_exists(file));
}

/* In a process of its own, whose exit status is the kind of error. */
static pid_t run_in_child(enum lvm_run_flags flags)
{
	pid_t pid = fork();

	if (pid == 0) {
		struct lvm_run run = {0};
		struct error err = {0};

		interrupt_install();
		if (lvm_run((const char *[]){"lvs", NULL}, flags, &patient, &run, &err) == 0)
			err.kind = ERR_NONE;
		lvm_run_release(&run);
		_exit((int)err.kind);
	}
	return pid;
}

static void check_signal(void *dir, enum lvm_run_flags flags, int signo, int want_status,
			 const char *want_end)
{
	cleanup_free char *end = NULL;
	int status;
	size_t len;
	pid_t pid;

	fake_lvm(dir, slow_script);
	pid = run_in_child(flags);
	wait_for("started");
	kill(pid, signo);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (want_status >= 0)
		assert_int_equal(WEXITSTATUS(status), want_status);
	else
		assert_int_equal(WTERMSIG(status), signo);
	wait_for("end");
	usleep(10000); /* of a file that is written, too */
	end = scratch_read("end", &len);
	assert_string_equal(end, want_end);
}

static void a_change_is_interrupted_where_it_can_be(void **state)
{
	check_signal(*state, LVM_RUN_INTERRUPTIBLE, SIGTERM, ERR_INTERRUPTED, "asked\n");
}

static void what_undoes_is_not_interrupted(void **state)
{
	check_signal(*state, 0, SIGTERM, ERR_NONE, "whole\n");
}

/* Nothing goes on behind the back of those who mend. */
static void it_does_not_outlive_us(void **state)
{
	check_signal(*state, 0, SIGKILL, -1, "asked\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_set_up, scratch_tear_down)
		TEST(its_environment_has_nothing_of_ours),
		TEST(it_is_told_when_there_is_no_udevd),
		TEST(it_is_to_talk_as_by_default),
		TEST(it_has_none_of_our_files_and_nothing_to_read),
		TEST(words_are_no_shell_s),
		TEST(both_outputs_may_be_larger_than_a_pipe),
		TEST(there_is_an_end_to_what_is_taken),
		TEST(the_cause_is_the_first_line_that_is_no_warning),
		TEST(success_is_no_error_whatever_it_says),
		TEST(what_it_leaves_behind_is_not_waited_for),
		TEST(one_that_does_not_end_is_asked_to),
		TEST(one_that_does_not_want_to_is_killed),
		TEST(a_change_is_interrupted_where_it_can_be),
		TEST(what_undoes_is_not_interrupted),
		TEST(it_does_not_outlive_us),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
