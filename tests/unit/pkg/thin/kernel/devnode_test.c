/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes as nobody else makes them, in a /dev of our own; beside real devices in devmap_test. */
#include "pkg/thin/kernel/devnode.h"

#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "pkg/base/cleanup.h"
#include "tests/support/cmocka.h"

/* No device of the machine, lest /sys knows it. */
enum { MAJOR = 511, MINOR = 1048000 };

#define NODE	"/dev/mapper/a"
#define KERNELS "/dev/dm-1048000"

static struct error err;

static bool own_dev(void)
{
	return geteuid() == 0 && unshare(CLONE_NEWNS) == 0
	       && mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) == 0;
}

/* Empty for each test. */
static int set_up(void **state)
{
	(void)state;
	return mount("tmpfs", "/dev", "tmpfs", 0, "mode=755");
}

static int tear_down(void **state)
{
	(void)state;
	return umount("/dev");
}

static mode_t type_of(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 ? st.st_mode & S_IFMT : 0;
}

static void make(void)
{
	assert_ok(devnode_make("a", MAJOR, MINOR, &err), &err);
	assert_true(devnode_is("a", MAJOR, MINOR));
}

static void is_a_node_where_the_kernel_keeps_none(void **state)
{
	struct stat st;

	(void)state;
	assert_false(devnode_is("a", MAJOR, MINOR));
	make();
	assert_int_equal(lstat(NODE, &st), 0);
	assert_int_equal(st.st_mode, S_IFBLK | 0600);
	assert_true(st.st_rdev == makedev(MAJOR, MINOR));
	assert_false(devnode_is("a", MAJOR, MINOR + 1));
	make(); /* there already */
	devnode_remove("a");
	assert_int_equal(type_of(NODE), 0);
	devnode_remove("a");
}

static void is_a_link_to_the_kernels(void **state)
{
	char target[64] = "";

	(void)state;
	assert_int_equal(mknod(KERNELS, S_IFBLK | 0600, makedev(MAJOR, MINOR)), 0);
	make();
	assert_int_equal(type_of(NODE), S_IFLNK);
	assert_true(readlink(NODE, target, sizeof(target) - 1) > 0);
	assert_string_equal(target, "../dm-1048000");
	devnode_remove_now("a");
	assert_int_equal(type_of(NODE), 0);
	assert_int_equal(type_of(KERNELS), S_IFBLK);
}

static void is_a_node_where_the_kernels_is_another_device(void **state)
{
	(void)state;
	assert_int_equal(mknod(KERNELS, S_IFBLK | 0600, makedev(MAJOR - 1, MINOR)), 0);
	make();
	assert_int_equal(type_of(NODE), S_IFBLK);
}

static void what_an_earlier_device_left_is_replaced(void **state)
{
	(void)state;
	assert_ok(devnode_make("a", MAJOR, MINOR + 1, &err), &err);
	make();
	devnode_remove_now("a");
	assert_int_equal(symlink("../dm-1048001", NODE), 0); /* dangles */
	make();
	devnode_remove_now("a");
	assert_int_equal(symlink("../dm-1048001", NODE), 0);
	devnode_remove("a");
	assert_int_equal(type_of(NODE), 0);
}

static void what_cannot_be_made_is_told(void **state)
{
	(void)state;
	assert_int_equal(mkdir("/dev/mapper", 0755), 0);
	assert_int_equal(mkdir(NODE, 0755), 0); /* somebody's folder */
	assert_int_equal(devnode_make("a", MAJOR, MINOR, &err), -1);
	assert_error(&err, ERR_SYSTEM, NODE);
	assert_int_equal(devnode_make("no/such", MAJOR, MINOR, &err), -1);
	assert_error(&err, ERR_SYSTEM, "/dev/mapper/no/such");
}

static void paths(void **state)
{
	cleanup_free char *path = devnode_path("thinpull-x");

	(void)state;
	assert_string_equal(path, "/dev/mapper/thinpull-x");
}

#define own(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest anywhere[] = {
		cmocka_unit_test(paths),
	};
	const struct CMUnitTest tests[] = {
		own(is_a_node_where_the_kernel_keeps_none),
		own(is_a_link_to_the_kernels),
		own(is_a_node_where_the_kernels_is_another_device),
		own(what_an_earlier_device_left_is_replaced),
		own(what_cannot_be_made_is_told),
	};
	int failed = cmocka_run_group_tests(anywhere, NULL, NULL);

	if (own_dev())
		failed += cmocka_run_group_tests(tests, NULL, NULL);
	return failed;
}
