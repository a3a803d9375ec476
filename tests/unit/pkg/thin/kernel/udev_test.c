/* SPDX-License-Identifier: Apache-2.0 */
/*
 * With a udevd of our own, so in the lab only: it makes and takes away our nodes and is waited for;
 * the long wait for one that does not answer is in tests/kernel/21_udev.sh.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pkg/base/interrupt.h"
#include "pkg/thin/kernel/devmap.h"
#include "tests/support/cmocka.h"
#include "tests/support/lab.h"

#define NAME "thinpull-udev"
#define UUID "THINPULL-udev"
#define NODE "/dev/mapper/" NAME

static struct error err;
static pid_t udevd;

static int start_udevd(void **state)
{
	(void)state;
	udevd = fork();
	if (udevd == 0) {
		int null = open("/dev/null", O_RDWR);

		dup2(null, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
		execl("/lib/systemd/systemd-udevd", "systemd-udevd", (char *)NULL);
		_exit(127);
	}
	for (int i = 0; i < 500 && access("/run/udev/control", F_OK) < 0; i++)
		usleep(10000);
	return access("/run/udev/control", F_OK);
}

static int stop_udevd(void **state)
{
	(void)state;
	if (kill(udevd, SIGCONT) < 0 || kill(udevd, SIGTERM) < 0)
		return -1;
	return waitpid(udevd, NULL, 0) == udevd ? 0 : -1;
}

static bool is_link(void)
{
	struct stat st;

	return lstat(NODE, &st) == 0 && S_ISLNK(st.st_mode);
}

static void make(void)
{
	static const struct devmap_target nothing_there = {0, 8, "error", ""};

	assert_ok(devmap_create(NAME, UUID, &nothing_there, 1, 0, &err), &err);
	assert_true(is_link());
	assert_int_equal(lab_semaphores(), 0);
}

static void take_away(void)
{
	assert_ok(devmap_remove(UUID, 0, &err), &err);
	assert_false(is_link());
	assert_int_equal(lab_semaphores(), 0);
}

static void nodes_come_and_go(void **state)
{
	(void)state;
	assert_true(devmap_has_udev());
	for (int i = 0; i < 3; i++) {
		make();
		take_away();
	}
}

static void node_stays_over_suspend_and_resume(void **state)
{
	(void)state;
	make();
	assert_ok(devmap_suspend(UUID, 0, &err), &err);
	assert_ok(devmap_resume(UUID, &err), &err);
	/* what udevd made of the resume is there with the next answer */
	assert_ok(devmap_create("b", "THINPULL-b", &(struct devmap_target){0, 8, "error", ""}, 1, 0,
				&err),
		  &err);
	assert_true(is_link());
	assert_ok(devmap_remove("THINPULL-b", 0, &err), &err);
	take_away();
}

static void busy_device_leaves_no_cookie(void **state)
{
	int fd;

	(void)state;
	make();
	fd = open(NODE, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(devmap_remove(UUID, 0, &err), -1);
	assert_error(&err, ERR_BUSY, UUID);
	assert_int_equal(lab_semaphores(), 0);
	assert_ok(devmap_remove(UUID, DEVMAP_DEFERRED, &err), &err);
	assert_int_equal(lab_semaphores(), 0);
	close(fd);
	for (int i = 0; i < 500 && is_link(); i++) /* by udevd, without us */
		usleep(10000);
	assert_false(is_link());
}

static void failed_create_leaves_no_cookie(void **state)
{
	static const struct devmap_target bad = {0, 8, "no-such-target", ""};

	(void)state;
	assert_int_equal(devmap_create(NAME, UUID, &bad, 1, 0, &err), -1);
	assert_int_equal(lab_semaphores(), 0);
	take_away();
}

/* The last one, for the signal stays known. */
static void signal_ends_the_wait(void **state)
{
	pid_t child, self = getpid();

	(void)state;
	interrupt_install();
	assert_int_equal(kill(udevd, SIGSTOP), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		usleep(300000);
		_exit(kill(self, SIGTERM) < 0);
	}
	make(); /* complete, for undoing it would need udevd, too */
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_int_equal(interrupt_check(&err), -1);
	take_away();
	assert_true(devmap_has_udev());
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nodes_come_and_go),
		cmocka_unit_test(node_stays_over_suspend_and_resume),
		cmocka_unit_test(busy_device_leaves_no_cookie),
		cmocka_unit_test(failed_create_leaves_no_cookie),
		cmocka_unit_test(signal_ends_the_wait),
	};

	(void)argc;
	if (!getenv("THINPULL_LAB"))
		return 0;
	if (getenv("DM_DISABLE_UDEV")) { /* the library has looked at it before main() */
		unsetenv("DM_DISABLE_UDEV");
		execv("/proc/self/exe", argv);
		return 1;
	}
	return cmocka_run_group_tests(tests, start_udevd, stop_udevd);
}
