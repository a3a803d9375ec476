/* SPDX-License-Identifier: Apache-2.0 */
/* One ioctl: its errors, and that the library's words go nowhere but to us. */
#include "pkg/thin/kernel/devtask.h"

#include <errno.h>
#include <fcntl.h>
#include <libdevmapper.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pkg/base/log.h"
#include "pkg/thin/kernel/devmap.h"
#include "tests/support/cmocka.h"
#include "tests/support/lab.h"

static struct error err;
static char notes[8192];

static void note(enum log_level level, const char *text)
{
	size_t len = strlen(notes);

	snprintf(notes + len, sizeof(notes) - len, "%d %s\n", (int)level, text);
}

static int quiet_stderr;

/* Whatever is written to stderr from here on ends in a file without a name. */
static int catch_stderr(void **state)
{
	FILE *f = tmpfile();

	(void)state;
	assert_non_null(f);
	fflush(stderr);
	quiet_stderr = dup(STDERR_FILENO);
	assert_true(dup2(fileno(f), STDERR_FILENO) >= 0);
	fclose(f);
	notes[0] = '\0';
	log_set_sink(note, LOG_LEVEL_DEBUG);
	return 0;
}

static int release_stderr(void **state)
{
	struct stat st;

	(void)state;
	log_set_sink(NULL, LOG_LEVEL_WARNING);
	fflush(stderr);
	assert_int_equal(fstat(STDERR_FILENO, &st), 0);
	dup2(quiet_stderr, STDERR_FILENO);
	close(quiet_stderr);
	assert_int_equal(st.st_size, 0);
	return 0;
}

/* In a child, since there is no way back to root; nor would the library try again in this process. */
static void without_device_mapper_says_so_each_time(void **state)
{
	struct dm_task *task;
	bool right = true;
	int status;
	pid_t child = fork();

	(void)state;
	assert_true(child >= 0);
	if (child == 0) {
		if (geteuid() == 0 && setuid(65534) < 0)
			_exit(2);
		for (int i = 0; i < 2; i++)
			right = right && devtask_new(DM_DEVICE_LIST, NULL, &task, &err) < 0
				&& err.kind == ERR_UNSUPPORTED
				&& strstr(err.cause, "no device-mapper ");
		_exit(!right);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void driver_that_is_not_there_leaves_no_node(void **state)
{
	bool before = access("/dev/mapper/control", F_OK) == 0;
	struct dm_task *task;

	(void)state;
	if (devmap_has_driver())
		return;
	assert_int_equal(devtask_new(DM_DEVICE_LIST, NULL, &task, &err), -1);
	assert_error(&err, ERR_UNSUPPORTED, "no device-mapper in this kernel");
	assert_false(devtask_has_udev());
	assert_int_equal(access("/dev/mapper/control", F_OK) == 0, before);
}

static void ioctl_errors_keep_their_number(void **state)
{
	cleanup(devtask_free_ptr) struct dm_task *task = NULL;
	uint64_t before = devtask_count();

	(void)state;
	lab_need("error");
	assert_ok(devtask_new(DM_DEVICE_SUSPEND, "THINPULL-none", &task, &err), &err);
	assert_int_equal(devtask_run(task, "suspend", "none", &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "device-mapper: suspend none: No such device");
	assert_int_equal(err.sys, ENXIO);
	assert_non_null(strstr(notes, "0 libdevmapper: "));
	assert_true(devtask_count() > before);
}

static void what_never_came_to_the_ioctl_has_the_librarys_words(void **state)
{
	cleanup(devtask_free_ptr) struct dm_task *task = NULL;

	(void)state;
	lab_need("error");
	assert_ok(devtask_new(DM_DEVICE_CREATE, NULL, &task, &err), &err);
	assert_true(dm_task_set_name(task, "a"));
	assert_int_equal(devtask_run(task, "create", "a", &err), 0);
	devtask_free(steal(&task));
	/* a rename without a new name */
	assert_ok(devtask_new(DM_DEVICE_RENAME, NULL, &task, &err), &err);
	assert_true(dm_task_set_name(task, "a"));
	assert_int_equal(devtask_run(task, "rename", "a", &err), -1);
	assert_true(err.cause[0] && err.kind == ERR_SYSTEM);
	devtask_free(steal(&task));
	assert_ok(devtask_new(DM_DEVICE_REMOVE, NULL, &task, &err), &err);
	assert_true(dm_task_set_name(task, "a"));
	assert_ok(devtask_run_change(task, DEVTASK_WAIT, "", "remove", "a", &err), &err);
}

#define quietly(test) cmocka_unit_test_setup_teardown(test, catch_stderr, release_stderr)

int main(void)
{
	const struct CMUnitTest tests[] = {
		quietly(without_device_mapper_says_so_each_time),
		quietly(driver_that_is_not_there_leaves_no_node),
		quietly(ioctl_errors_keep_their_number),
		quietly(what_never_came_to_the_ioctl_has_the_librarys_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
