/* SPDX-License-Identifier: Apache-2.0 */
/* Devices made, changed and taken away by the real device-mapper, with nodes and events. */
#include "pkg/thin/kernel/devmap.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "pkg/base/cleanup.h"
#include "pkg/thin/kernel/devnode.h"
#include "tests/support/cmocka.h"
#include "tests/support/lab.h"

#define NAME "thinpull-test-a"
#define UUID "THINPULL-test-a"

static struct error err;
static const struct devmap_target nothing_there = {0, 8, "error", ""};

static void make(void)
{
	assert_ok(devmap_create(NAME, UUID, &nothing_there, 1, 0, &err), &err);
}

static void take_away(void)
{
	assert_ok(devmap_remove(UUID, 0, &err), &err);
}

static struct devmap_info look(void)
{
	struct devmap_info i;

	assert_ok(devmap_info(UUID, &i, &err), &err);
	return i;
}

static bool node_is_there(void)
{
	struct stat st;

	return lstat("/dev/mapper/" NAME, &st) == 0;
}

static void made_and_taken_away_with_its_node(void **state)
{
	cleanup_free char *path = NULL;
	struct devmap_info i, by_name;
	struct stat st;

	(void)state;
	lab_need("error");
	assert_false(look().exists);
	make();
	i = look();
	assert_true(i.exists && i.live && !i.suspended && !i.read_only && !i.deferred_remove);
	assert_string_equal(i.name, NAME);
	assert_string_equal(i.uuid, UUID);
	assert_int_equal(i.open_count, 0);
	assert_ok(devmap_info_by_name(NAME, &by_name, &err), &err);
	assert_memory_equal(&i, &by_name, sizeof(i));
	path = devmap_path(NAME);
	assert_int_equal(stat(path, &st), 0);
	assert_true(S_ISBLK(st.st_mode));
	take_away();
	assert_false(look().exists);
	assert_false(node_is_there());
	take_away(); /* not there: fine */
}

static void four_ioctls_from_birth_to_death(void **state)
{
	uint64_t before;

	(void)state;
	lab_need("error");
	before = devmap_ioctls();
	make();
	assert_int_equal(devmap_ioctls() - before, 3);
	take_away();
	assert_int_equal(devmap_ioctls() - before, 4);
}

static void control_node_is_not_handed_to_programs(void **state)
{
	struct stat control, st;

	(void)state;
	lab_need("error");
	assert_int_equal(stat("/dev/mapper/control", &control), 0);
	for (int fd = 3; fd < 64; fd++)
		if (fstat(fd, &st) == 0 && st.st_rdev == control.st_rdev)
			assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

static void taken_names_are_busy_and_stay_whose_they_are(void **state)
{
	struct devmap_info i;

	(void)state;
	lab_need("error");
	assert_ok(devmap_create(NAME, "FOREIGN-1", &nothing_there, 1, 0, &err), &err);
	assert_int_equal(devmap_create(NAME, UUID, &nothing_there, 1, 0, &err), -1);
	assert_error(&err, ERR_BUSY, NAME);
	assert_int_equal(err.sys, EBUSY);
	assert_int_equal(devmap_create("other", "FOREIGN-1", &nothing_there, 1, 0, &err), -1);
	assert_error(&err, ERR_BUSY, "other");
	take_away(); /* by UUID, so not that one */
	assert_ok(devmap_info_by_name(NAME, &i, &err), &err);
	assert_string_equal(i.uuid, "FOREIGN-1");
	assert_true(node_is_there());
	assert_ok(devmap_remove("FOREIGN-1", 0, &err), &err);
}

static void failed_create_leaves_nothing(void **state)
{
	static const struct devmap_target bad[] = {
		{0, 8, "linear", "no numbers"},
		{0, 8, "no-such-target", ""},
		{8, 8, "error", ""}, /* a gap before it */
	};

	(void)state;
	lab_need("linear");
	for (size_t k = 0; k < 3; k++) {
		assert_int_equal(devmap_create(NAME, UUID, &bad[k], 1, 0, &err), -1);
		assert_error(&err, ERR_SYSTEM, NAME);
		assert_false(look().exists);
		assert_false(node_is_there());
	}
}

static void create_without_a_node_is_undone(void **state)
{
	(void)state;
	lab_need("error");
	assert_int_equal(mkdir("/dev/mapper/" NAME, 0700), 0); /* somebody's folder is in the way */
	assert_int_equal(devmap_create(NAME, UUID, &nothing_there, 1, 0, &err), -1);
	assert_error(&err, ERR_SYSTEM, "no udevd makes nodes here, ");
	assert_false(look().exists);
	assert_int_equal(rmdir("/dev/mapper/" NAME), 0);
}

static void remove_waits_for_the_last_user_a_second(void **state)
{
	struct timespec quarter = {0, 250000000};
	pid_t child;
	int fd;

	(void)state;
	lab_need("error");
	make();
	fd = open("/dev/mapper/" NAME, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(devmap_remove(UUID, 0, &err), -1);
	assert_error(&err, ERR_BUSY, UUID);
	assert_int_equal(look().open_count, 1);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		nanosleep(&quarter, NULL);
		_exit(0);
	}
	close(fd); /* the child has it, and ends */
	take_away();
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_false(look().exists);
}

static void deferred_is_not_removed(void **state)
{
	int fd;

	(void)state;
	lab_need("error");
	make();
	fd = open("/dev/mapper/" NAME, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_ok(devmap_remove(UUID, DEVMAP_DEFERRED, &err), &err);
	assert_true(look().exists && look().deferred_remove);
	close(fd);
	for (int i = 0; i < 100 && look().exists; i++) /* the kernel does it behind our back */
		usleep(10000);
	assert_false(look().exists);
	assert_false(node_is_there());
	make();
	assert_ok(devmap_remove(UUID, DEVMAP_DEFERRED, &err), &err);
	assert_false(look().exists); /* nobody had it */
	assert_false(node_is_there());
}

static void suspended_reloaded_resumed(void **state)
{
	struct devmap_target bigger[] = {{0, 8, "error", ""}, {8, 8, "error", ""}}, line;
	char *type, *params;

	(void)state;
	lab_need("error");
	make();
	assert_ok(devmap_reload(UUID, bigger, 2, DEVMAP_READ_ONLY, &err), &err);
	assert_ok(devmap_suspend(UUID, DEVMAP_NOFLUSH | DEVMAP_NOLOCKFS, &err), &err);
	assert_true(look().suspended);
	assert_ok(devmap_suspend(UUID, 0, &err), &err); /* it is: fine */
	assert_ok(devmap_resume(UUID, &err), &err);
	assert_true(!look().suspended && look().read_only);
	assert_ok(devmap_resume(UUID, &err), &err);
	assert_true(node_is_there());
	assert_ok(devmap_table(UUID, &line, &type, &params, &err), &err);
	assert_int_equal(line.start, 0);
	assert_int_equal(line.length, 8);
	assert_string_equal(line.type, "error");
	free(type);
	free(params);
	take_away();
}

static void suspended_ones_can_be_removed(void **state)
{
	(void)state;
	lab_need("error");
	make();
	assert_ok(devmap_suspend(UUID, 0, &err), &err);
	take_away();
	assert_false(look().exists);
}

static void what_is_not_there_is_not_found(void **state)
{
	struct devmap_target line;
	char *type, *params;

	(void)state;
	lab_need("error");
	assert_int_equal(devmap_suspend(UUID, 0, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, UUID);
	assert_int_equal(devmap_resume(UUID, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, UUID);
	assert_int_equal(devmap_reload(UUID, &nothing_there, 1, 0, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, UUID);
	assert_int_equal(devmap_message(UUID, &err, "delete %u", 1U), -1);
	assert_error(&err, ERR_NOT_FOUND, "delete 1");
	assert_int_equal(devmap_status(UUID, false, &type, &params, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, UUID);
	assert_int_equal(devmap_table(UUID, &line, &type, &params, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, UUID);
	assert_int_equal(devmap_wait(UUID, 0, 1000, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, UUID);
}

static void lists_by_prefix(void **state)
{
	struct devmap_list l;
	uint64_t before;

	(void)state;
	lab_need("error");
	make();
	assert_ok(devmap_create("thinpull-test-b", "THINPULL-test-b", &nothing_there, 1, 0, &err),
		  &err);
	assert_ok(devmap_create("thinpull-test-c", "FOREIGN-THINPULL-test-", &nothing_there, 1, 0,
				&err),
		  &err);
	before = devmap_ioctls();
	assert_ok(devmap_list("THINPULL-test-", &l, &err), &err);
	assert_true(devmap_ioctls() - before <= 4);
	assert_int_equal(l.n, 2);
	for (size_t i = 0; i < l.n; i++)
		assert_string_equal(l.items[i].name + strlen("thinpull"),
				    l.items[i].uuid + strlen("THINPULL"));
	devmap_list_release(&l);
	assert_ok(devmap_remove("THINPULL-test-b", 0, &err), &err);
	assert_ok(devmap_remove("FOREIGN-THINPULL-test-", 0, &err), &err);
	take_away();
	assert_ok(devmap_list("THINPULL-test-", &l, &err), &err);
	assert_int_equal(l.n, 0);
	devmap_list_release(&l);
}

static void missing_node_is_made_stale_one_replaced(void **state)
{
	struct devmap_info i;
	struct stat st;

	(void)state;
	lab_need("error");
	make();
	i = look();
	assert_int_equal(unlink("/dev/mapper/" NAME), 0);
	assert_ok(devmap_make_node(&i, &err), &err);
	assert_int_equal(stat("/dev/mapper/" NAME, &st), 0);
	assert_int_equal(unlink("/dev/mapper/" NAME), 0);
	assert_int_equal(symlink("../null", "/dev/mapper/" NAME), 0);
	assert_ok(devmap_make_node(&i, &err), &err);
	assert_int_equal(stat("/dev/mapper/" NAME, &st), 0);
	assert_true(S_ISBLK(st.st_mode));
	assert_ok(devmap_make_node(&i, &err), &err);
	take_away();
}

static void node_of_a_living_device_is_not_taken_away(void **state)
{
	struct devmap_info i;

	(void)state;
	lab_need("error");
	make();
	i = look();
	devnode_remove(NAME);
	assert_true(devnode_is(NAME, i.major, i.minor));
	take_away();
}

static void versions_and_targets(void **state)
{
	char library[64], driver[64], cut[4] = "abc";

	(void)state;
	lab_need("thin-pool");
	devmap_versions(library, sizeof(library), driver, sizeof(driver));
	assert_int_equal(strncmp(library, "1.02.", 5), 0);
	assert_int_equal(strncmp(driver, "4.", 2), 0);
	devmap_versions(cut, sizeof(cut), driver, sizeof(driver));
	assert_true(strlen(cut) < sizeof(cut));
	assert_ok(devmap_check("thin", &err), &err);
	assert_int_equal(devmap_check("no-such-target", &err), -1);
	assert_error(&err, ERR_UNSUPPORTED, "no-such-target");
	assert_false(devmap_has_udev()); /* the lab says DM_DISABLE_UDEV */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(made_and_taken_away_with_its_node),
		cmocka_unit_test(four_ioctls_from_birth_to_death),
		cmocka_unit_test(control_node_is_not_handed_to_programs),
		cmocka_unit_test(taken_names_are_busy_and_stay_whose_they_are),
		cmocka_unit_test(failed_create_leaves_nothing),
		cmocka_unit_test(create_without_a_node_is_undone),
		cmocka_unit_test(remove_waits_for_the_last_user_a_second),
		cmocka_unit_test(deferred_is_not_removed),
		cmocka_unit_test(suspended_reloaded_resumed),
		cmocka_unit_test(suspended_ones_can_be_removed),
		cmocka_unit_test(what_is_not_there_is_not_found),
		cmocka_unit_test(lists_by_prefix),
		cmocka_unit_test(missing_node_is_made_stale_one_replaced),
		cmocka_unit_test(node_of_a_living_device_is_not_taken_away),
		cmocka_unit_test(versions_and_targets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
