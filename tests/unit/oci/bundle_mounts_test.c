/* SPDX-License-Identifier: Apache-2.0 */
/* What the runtime mounts: the table of `runc spec`, and volumes where they may be. */
#include "oci/bundle_internal.h"

#include <sys/stat.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "tests/support/bundle_try.h"
#include "tests/support/cmocka.h"

static const char *volumes_of(const struct bundle_try *f)
{
	const char *last = strstr((const char *)f->json.data, "/sys/fs/cgroup");

	assert_non_null(last);
	return last;
}

static void d_volumes_are_left_to_the_runtime_unless_asked_for(void **state)
{
	struct bundle_try *f = *state;

	try_make(f, TRY_IMAGE(",\"Volumes\":{\"/data\":{},\"bad\":{}}"));
	try_has_not(f, "/data");
}

static void d_volumes_are_tmpfs_in_order(void **state)
{
	struct bundle_try *f = *state;
	const char *a, *b;

	edit_dir(f->edit->w, "data");
	try_make_with(
		f,
		TRY_IMAGE(",\"Volumes\":{\"/z\":{},\"/data/./x/\":{},\"/data\":{},\"//data\":{}}"),
		(struct bundle_options){.volumes = true});
	try_has_text(f, "\"destination\": \"/data\",\n      \"options\": [\n        \"rw\",\n"
			"        \"nosuid\",\n        \"nodev\",\n        \"noexec\",\n"
			"        \"relatime\"\n      ],\n      \"source\": \"none\",\n"
			"      \"type\": \"tmpfs\"\n");
	a = strstr(volumes_of(f), "\"/data\"");
	assert_non_null(a);
	assert_null(strstr(a + 1, "\"/data\""));
	b = strstr(a, "\"/data/x\"");
	assert_non_null(b);
	assert_non_null(strstr(b, "\"/z\""));
}

static void f58_volumes_in_strange_places_are_refused(void **state)
{
	static const char *const bad[][2] = {
		{"data", "volume data: not an absolute path"},
		{"", "not an absolute path"},
		{"/", "the whole container"},
		{"/./", "the whole container"},
		{"/../../host", "volume /../../host: a path with '..'"},
		{"/a/..", "a path with '..'"},
		{"/a/../b", "a path with '..'"},
		{"/proc", "/proc is the runtime's"},
		{"//proc/self", "/proc is the runtime's"},
		{"/sys/fs", "/sys is the runtime's"},
		{"/dev", "/dev is the runtime's"},
		{"/etc/passwd", "volume /etc/passwd: not a folder"},
		{"/etc/passwd/x", "a file where a folder should be"},
		{"/link", "volume /link: not a folder"},
		{"/loop", "more than 40 symlinks"},
	};
	struct bundle_try *f = *state;

	try_add_accounts(f);
	edit_symlink(f->edit->w, "link", "etc/group");
	edit_symlink(f->edit->w, "loop", "loop");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		cleanup_free char *image =
			xasprintf(TRY_IMAGE(",\"Volumes\":{\"%s\":{}}"), bad[i][0]);

		try_refused_with(f, image, (struct bundle_options){.volumes = true}, bad[i][1]);
	}
}

static void text_of(const struct bundle_options *options, struct buffer *ret)
{
	struct jout o = {.compact = true};
	struct oci_strings none = {0};

	jout_object(&o, NULL);
	bundle_put_mounts(&o, options, &none);
	jout_end_object(&o);
	buffer_release(ret);
	buffer_add(ret, o.text.data, o.text.len);
	jout_release(&o);
}

/* In a user namespace of one id nobody but root can own anything, and /sys cannot be mounted. */
static void d_rootless_mounts_name_no_owner(void **state)
{
	cleanup_buffer struct buffer text = {0};

	(void)state;
	text_of(&(struct bundle_options){0}, &text);
	assert_non_null(strstr((char *)text.data, "\"gid=5\""));
	assert_non_null(strstr((char *)text.data, "\"type\":\"sysfs\""));
	assert_null(strstr((char *)text.data, "rbind"));
	text_of(&(struct bundle_options){.rootless = true}, &text);
	assert_null(strstr((char *)text.data, "gid="));
	assert_null(strstr((char *)text.data, "\"type\":\"sysfs\""));
	assert_non_null(strstr((char *)text.data, "\"rbind\""));
	assert_non_null(strstr((char *)text.data, "\"ptmxmode=0666\"")); /* the rest is kept */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(d_volumes_are_left_to_the_runtime_unless_asked_for,
						try_set_up, try_tear_down),
		cmocka_unit_test_setup_teardown(d_volumes_are_tmpfs_in_order, try_set_up,
						try_tear_down),
		cmocka_unit_test_setup_teardown(f58_volumes_in_strange_places_are_refused,
						try_set_up, try_tear_down),
		cmocka_unit_test_setup_teardown(d_rootless_mounts_name_no_owner, try_set_up,
						try_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
