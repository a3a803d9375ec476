/* SPDX-License-Identifier: Apache-2.0 */
/* The first process of new namespaces: what it sees, how it ends, that it does not outlive us. */
#include "tests/support/cmocka.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/host/namespace.h"
#include "tests/support/scratch.h"

/* As root without and with a user namespace, as an ordinary user with one. */
static const enum namespace_flags *kinds(size_t *ret_n)
{
	static const enum namespace_flags all[] = {NAMESPACE_USER, 0};

	*ret_n = geteuid() == 0 ? 2 : 1;
	return all;
}

/* Run it; returns what namespace_finish() does. */
static int run(enum namespace_flags flags, namespace_main *main_fn, void *arg, int *ret_status,
	       struct error *err)
{
	struct namespace *ns = NULL;
	int status;

	if (namespace_start(flags, main_fn, arg, &ns, err) < 0) {
		/* Said in the words of a machine that does not allow it: there is nothing to test. */
		if (err->kind == ERR_UNSUPPORTED)
			skip();
		return -1;
	}
	assert_int_equal(waitpid(namespace_pid(ns), &status, 0), namespace_pid(ns));
	return namespace_finish(&ns, status, ret_status, err);
}

static int look(void *arg, struct error *err)
{
	char link[32] = "";

	(void)arg;
	if (getpid() != 1 || getppid() != 0)
		return error_set(err, ERR_INVALID, "process %d", (int)getpid());
	if (geteuid() != 0 || getegid() != 0)
		return error_set(err, ERR_INVALID, "user %d", (int)geteuid());
	if (readlink("/proc/self", link, sizeof(link) - 1) < 0 || strcmp(link, "1") != 0)
		return error_set(err, ERR_INVALID, "/proc/self is %s", link);
	if (getsid(0) != 1)
		return error_set(err, ERR_INVALID, "session %d", (int)getsid(0));
	return 77;
}

static void it_is_root_and_alone_there(void **state)
{
	size_t n;
	const enum namespace_flags *flags = kinds(&n);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		struct error err = {0};
		int status = 0;

		assert_ok(run(flags[i], look, NULL, &status, &err), &err);
		assert_int_equal(status, 77);
	}
}

static int mount_here(void *arg, struct error *err)
{
	cleanup_free char *file = xasprintf("%s/inside", (const char *)arg);
	int fd;

	if (mount("tmpfs", arg, "tmpfs", 0, NULL) < 0)
		return error_sys(err, "mount");
	fd = open(file, O_CREAT | O_WRONLY, 0600);
	return fd < 0 ? error_sys(err, "open %s", file) : 0;
}

static void mounts_stay_inside(void **state)
{
	size_t n;
	const enum namespace_flags *flags = kinds(&n);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		struct error err = {0};
		int status = 1;

		char *dir = scratch_new();

		assert_ok(run(flags[i], mount_here, dir, &status, &err), &err);
		assert_int_equal(status, 0);
		/* Neither covered nor with anything in it. */
		assert_int_equal(rmdir(dir), 0);
		free(dir);
	}
}

static int report_error(void *arg, struct error *err)
{
	error_set(err, ERR_NO_SPACE, "no room for %s", (const char *)arg);
	return error_wrap(err, "inside");
}

static void its_error_is_ours(void **state)
{
	char text[] = "it";
	struct error err = {0};
	int status;

	(void)state;
	assert_int_equal(run(NAMESPACE_USER, report_error, text, &status, &err), -1);
	assert_error(&err, ERR_NO_SPACE, "inside: no room for it");
}

static int be_killed(void *arg, struct error *err)
{
	(void)arg;
	(void)err;
	for (;;)
		pause();
	return 0;
}

static void its_death_is_told(void **state)
{
	struct namespace *ns = NULL;
	struct error err = {0};
	int status, wait_status;

	(void)state;
	if (namespace_start(NAMESPACE_USER, be_killed, NULL, &ns, &err) < 0) {
		assert_int_equal(err.kind, ERR_UNSUPPORTED);
		skip();
	}
	kill(namespace_pid(ns), SIGKILL);
	assert_int_equal(waitpid(namespace_pid(ns), &wait_status, 0), namespace_pid(ns));
	assert_ok(namespace_finish(&ns, wait_status, &status, &err), &err);
	assert_int_equal(status, 128 + SIGKILL);
	assert_null(ns);
}

/* Its child holds the pipe as long as it lives. */
static int sleep_with_child(void *arg, struct error *err)
{
	(void)arg;
	(void)err;
	if (fork() == 0)
		for (;;)
			pause();
	return be_killed(NULL, NULL);
}

/*
 * A parent that is killed at some point between before and after the start; when the pipe has no
 * writer left, nothing of it lives.
 */
static void kill_parent_after(useconds_t delay)
{
	struct namespace *ns = NULL;
	struct error err = {0};
	int fds[2], status;
	pid_t parent;
	char byte;

	assert_int_equal(pipe(fds), 0);
	parent = fork();
	if (parent == 0) {
		close(fds[0]);
		if (namespace_start(NAMESPACE_USER, sleep_with_child, NULL, &ns, &err) < 0)
			_exit(err.kind == ERR_UNSUPPORTED ? 77 : 1);
		for (;;)
			pause();
	}
	close(fds[1]);
	usleep(delay);
	kill(parent, SIGKILL);
	assert_int_equal(waitpid(parent, &status, 0), parent);
	/* Were anything alive this would not end; the runner of the tests then ends it. */
	assert_int_equal(read(fds[0], &byte, 1), 0);
	close(fds[0]);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip();
	assert_true(WIFSIGNALED(status));
}

static void it_dies_with_its_parent_at_any_moment(void **state)
{
	(void)state;
	for (useconds_t delay = 0; delay < 6000; delay += 150)
		kill_parent_after(delay);
}

/* In a process that may not: its exit status is 0 when it was told so. */
static int told_so(enum namespace_flags flags, const char *text)
{
	struct namespace *ns = NULL;
	struct error err = {0};
	char said[1024];

	if (namespace_start(flags, look, NULL, &ns, &err) == 0)
		return 1;
	error_text(&err, said, sizeof(said));
	return err.kind == ERR_UNSUPPORTED && strstr(said, text) ? 0 : 2;
}

static int status_of(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static void who_may_not_is_told_what_it_needs(void **state)
{
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		if (geteuid() == 0 && setuid(65534) < 0)
			_exit(3);
		_exit(told_so(0, "this needs CAP_SYS_ADMIN"));
	}
	assert_int_equal(status_of(pid), 0);
}

/* A limit that everybody can set for what is below him. */
static void a_machine_without_user_namespaces_says_which_switch(void **state)
{
	pid_t pid = fork();
	int status;

	(void)state;
	if (pid == 0) {
		FILE *f;

		if (unshare(CLONE_NEWUSER) < 0)
			_exit(77);
		f = fopen("/proc/sys/user/max_user_namespaces", "we");
		if (!f || fputs("0", f) < 0 || fclose(f) != 0)
			_exit(77);
		_exit(told_so(NAMESPACE_USER, "user.max_user_namespaces"));
	}
	status = status_of(pid);
	if (status == 77)
		skip();
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_root_and_alone_there),
		cmocka_unit_test(mounts_stay_inside),
		cmocka_unit_test(its_error_is_ours),
		cmocka_unit_test(its_death_is_told),
		cmocka_unit_test(it_dies_with_its_parent_at_any_moment),
		cmocka_unit_test(who_may_not_is_told_what_it_needs),
		cmocka_unit_test(a_machine_without_user_namespaces_says_which_switch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
