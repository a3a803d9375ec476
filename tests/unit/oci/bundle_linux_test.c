/* SPDX-License-Identifier: Apache-2.0 */
/* Namespaces, mappings, masked paths, devices. */
#include "oci/bundle_internal.h"

#include <sys/stat.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "tests/support/bundle_try.h"
#include "tests/support/cmocka.h"

static void d_host_network_has_no_network_namespace(void **state)
{
	struct bundle_try *f = *state;

	try_make_with(f, TRY_IMAGE(""), (struct bundle_options){.host_network = true});
	try_has(f, "linux.namespaces", "type=pid;|type=ipc;|type=uts;|type=mount;|");
}

static void d_rootless_is_a_user_namespace_of_one(void **state)
{
	struct bundle_try *f = *state;

	try_make_with(f, TRY_IMAGE(""),
		      (struct bundle_options){.rootless = true,
					      .host_uid = 65534,
					      .host_gid = 65533});
	try_has(f, "linux.namespaces", "type=pid;|type=ipc;|type=uts;|type=mount;|type=user;|");
	try_has(f, "linux.uidMappings", "containerID=0;hostID=65534;size=1;|");
	try_has(f, "linux.gidMappings", "containerID=0;hostID=65533;size=1;|");
	try_has(f, "linux.resources", "-");
	try_has_not(f, "gid=5");
	try_has_text(f, "\"mode=0620\"\n");
	try_has_text(f, "\"rbind\",\n        \"nosuid\",\n        \"noexec\",\n        \"nodev\",\n"
			"        \"ro\"\n      ],\n      \"source\": \"/sys\",\n"
			"      \"type\": \"none\"\n");
	try_has_not(f, "sysfs");
	assert_string_equal(f->warned, "");
}

static void d_no_device_is_allowed_but_the_standard_ones(void **state)
{
	struct bundle_try *f = *state;

	try_make(f, TRY_IMAGE(""));
	try_has_text(f, "\"allow\": false");
	try_has(f, "linux.cgroupsPath", "-");
	try_has(f, "linux.uidMappings", "-");
	try_make_with(f, TRY_IMAGE(""), (struct bundle_options){.cgroups_path = "/a/b"});
	try_has_text(f, "\"cgroupsPath\": \"/a/b\"");
	try_make_with(f, TRY_IMAGE(""), (struct bundle_options){.rootless = true});
	try_has_not(f, "\"devices\""); /* which needs the cgroup of devices */
	try_has_text(f, "/proc/kcore");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(d_host_network_has_no_network_namespace, try_set_up,
						try_tear_down),
		cmocka_unit_test_setup_teardown(d_rootless_is_a_user_namespace_of_one, try_set_up,
						try_tear_down),
		cmocka_unit_test_setup_teardown(d_no_device_is_allowed_but_the_standard_ones,
						try_set_up, try_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
