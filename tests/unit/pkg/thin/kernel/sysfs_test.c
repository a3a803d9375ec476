/* SPDX-License-Identifier: Apache-2.0 */
/* Block devices by number, as this kernel has them. */
#include "pkg/thin/kernel/sysfs.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "tests/support/cmocka.h"
#include "tests/support/lab.h"

static void a_loop_device_has_a_node_and_a_file(void **state)
{
	cleanup_free char *node = NULL, *file = NULL, *kernel_node = NULL;
	char *device, number[32];
	struct stat st;

	(void)state;
	lab_need("linear");
	device = lab_loop_new(1 << 20);
	assert_int_equal(stat(device, &st), 0);
	snprintf(number, sizeof(number), "%u:%u", major(st.st_rdev), minor(st.st_rdev));
	node = sysfs_node(number);
	file = sysfs_loop_file(number);
	kernel_node = sysfs_kernel_node(number);
	assert_string_equal(kernel_node, device);
	assert_string_equal(node, device);
	assert_non_null(file);
	assert_true(strncmp(file, "/tmp/thinpull-lab.", 18) == 0);
	lab_loop_free(device);
}

static void what_is_not_there_has_neither(void **state)
{
	(void)state;
	assert_null(sysfs_node("4095:1048575"));
	assert_null(sysfs_loop_file("4095:1048575"));
	assert_null(sysfs_kernel_node("4095:1048575"));
	assert_null(sysfs_node("../../../etc/passwd"));
	assert_null(sysfs_node(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_loop_device_has_a_node_and_a_file),
		cmocka_unit_test(what_is_not_there_has_neither),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
