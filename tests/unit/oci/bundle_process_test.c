/* SPDX-License-Identifier: Apache-2.0 */
/* What a bundle runs: arguments, folder, user; rules D and F58. */
#include "oci/bundle.h"

#include <sys/stat.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "tests/support/bundle_try.h"
#include "tests/support/cmocka.h"

/* --- arguments -------------------------------------------------------------------------------- */

static void d_args_are_entrypoint_and_cmd(void **state)
{
	struct bundle_try *f = *state;

	try_make(f, "{\"config\":{\"Entrypoint\":[\"/e\",\"1\"],\"Cmd\":[\"c\",\"\"]}}");
	try_has(f, "process.args", "/e|1|c||");
	try_make(f, "{\"config\":{\"Entrypoint\":null,\"Cmd\":[\"c\"],\"ArgsEscaped\":true}}");
	try_has(f, "process.args", "c|");
	try_make(f, "{\"config\":{\"Entrypoint\":[\"/e\"],\"Cmd\":null}}");
	try_has(f, "process.args", "/e|");
	try_make(f, "{\"config\":{\"Entrypoint\":[\"/bin/sh\",\"-c\",\"a b\"]}}");
	try_has(f, "process.args", "/bin/sh|-c|a b|");
}

static void d_args_given_replace_those_of_the_image(void **state)
{
	static const char image[] = "{\"config\":{\"Entrypoint\":[\"/e\"],\"Cmd\":[\"c\"]}}";
	const char *cmd[] = {"a", "b", NULL}, *entry[] = {"/n", NULL}, *none[] = {NULL};
	struct bundle_try *f = *state;

	try_make_with(f, image, (struct bundle_options){.cmd = cmd});
	try_has(f, "process.args", "/e|a|b|");
	try_make_with(f, image, (struct bundle_options){.entrypoint = entry});
	try_has(f, "process.args", "/n|");
	try_make_with(f, image, (struct bundle_options){.entrypoint = entry, .cmd = cmd});
	try_has(f, "process.args", "/n|a|b|");
	try_make_with(f, image, (struct bundle_options){.entrypoint = none, .cmd = cmd});
	try_has(f, "process.args", "a|b|");
	try_make_with(f, "{}", (struct bundle_options){.cmd = cmd});
	try_has(f, "process.args", "a|b|");
}

static void d_args_empty_are_refused(void **state)
{
	const char *none[] = {NULL}, *bytes[] = {"\xc3(", NULL};
	struct bundle_try *f = *state;

	try_refused(f, "{}", "nothing to run: the image names no command, so one must be given");
	try_refused(f, "{\"config\":{\"Entrypoint\":[],\"Cmd\":null}}", "nothing to run");
	try_refused_with(f, TRY_IMAGE(""), (struct bundle_options){.entrypoint = none},
			 "nothing to run");
	try_refused_with(f, TRY_IMAGE(""), (struct bundle_options){.cmd = bytes}, "is not UTF-8");
}

/* --- working directory ------------------------------------------------------------------------ */

static void cwd_is(struct bundle_try *f, const char *text, const char *cwd)
{
	cleanup_free char *image = xasprintf(TRY_IMAGE(",\"WorkingDir\":\"%s\""), text);

	try_make(f, image);
	try_has(f, "process.cwd", cwd);
}

static void d_cwd_is_absolute_and_clean(void **state)
{
	struct bundle_try *f = *state;

	try_make(f, TRY_IMAGE(""));
	try_has(f, "process.cwd", "/");
	cwd_is(f, "", "/");
	cwd_is(f, "/", "/");
	cwd_is(f, "/a/b", "/a/b");
	cwd_is(f, "a/b", "/a/b");
	cwd_is(f, "//a//./b/", "/a/b");
	cwd_is(f, "/a/../b/c/..", "/b");
	cwd_is(f, "/a/..b/.c/...", "/a/..b/.c/...");
	cwd_is(f, "/process", "/process");
	cwd_is(f, ".", "/");
}

static void f58_cwd_does_not_climb_out(void **state)
{
	struct bundle_try *f = *state;

	cwd_is(f, "../..", "/");
	cwd_is(f, "/../../etc", "/etc");
	cwd_is(f, "a/../../../b", "/b");
}

static void f58_cwd_in_proc_is_refused(void **state)
{
	struct bundle_try *f = *state;

	try_refused(f, TRY_IMAGE(",\"WorkingDir\":\"/proc/self/fd/7\""),
		    "'/proc/self/fd/7' is in /proc");
	try_refused(f, TRY_IMAGE(",\"WorkingDir\":\"proc\""), "is in /proc");
	try_refused(f, TRY_IMAGE(",\"WorkingDir\":\"/x/../proc/./self/fd/8/../9\""), "is in /proc");
	try_refused_with(f, TRY_IMAGE(""), (struct bundle_options){.working_dir = "//proc/"},
			 "is in /proc");
}

static void d_cwd_given_replaces_that_of_the_image(void **state)
{
	struct bundle_try *f = *state;

	try_make_with(f, TRY_IMAGE(",\"WorkingDir\":\"/proc/x\""),
		      (struct bundle_options){.working_dir = "w"});
	try_has(f, "process.cwd", "/w");
}

/* --- user ------------------------------------------------------------------------------------- */

static void d_user_is_looked_up_in_the_container(void **state)
{
	struct bundle_try *f = *state;

	try_add_accounts(f);
	try_make(f, TRY_IMAGE(",\"User\":\"app\""));
	try_has(f, "process.user", "additionalGids=?|?|;gid=100;uid=1000;");
	try_has_text(f, "        4,\n        10\n");
	try_make(f, TRY_IMAGE(",\"User\":\"app:wheel\""));
	try_has(f, "process.user", "gid=10;uid=1000;");
	try_make(f, TRY_IMAGE(""));
	try_has(f, "process.user", "gid=0;uid=0;");
	try_refused(f, TRY_IMAGE(",\"User\":\"nobody\""),
		    "'nobody' is not in the image's /etc/passwd");
}

static void d_user_given_replaces_that_of_the_image(void **state)
{
	struct bundle_try *f = *state;

	try_add_accounts(f);
	try_make_with(f, TRY_IMAGE(",\"User\":\"nobody\""),
		      (struct bundle_options){.user = "app:5"});
	try_has(f, "process.user", "gid=5;uid=1000;");
	try_has(f, "process.env", TRY_PATH "HOME=/home/app|");
}

static void d_home_is_that_of_passwd_unless_env_has_one(void **state)
{
	const char *given[] = {"HOME=/given", NULL};
	struct bundle_try *f = *state;

	try_add_accounts(f);
	try_make(f, TRY_IMAGE(",\"User\":\"app\""));
	try_has(f, "process.env", TRY_PATH "HOME=/home/app|");
	try_make(f, TRY_IMAGE(",\"Env\":[\"HOME=/own\",\"X=1\"]"));
	try_has(f, "process.env", TRY_PATH "HOME=/own|X=1|");
	try_make(f, TRY_IMAGE(",\"Env\":[\"HOME=\"]"));
	try_has(f, "process.env", TRY_PATH "HOME=|");
	try_make_with(f, TRY_IMAGE(""), (struct bundle_options){.env = given});
	try_has(f, "process.env", TRY_PATH "HOME=/given|");
	try_make(f, TRY_IMAGE(",\"User\":\"77\""));
	try_has(f, "process.env", TRY_PATH);
}

static void d_user_without_passwd_must_be_an_id(void **state)
{
	struct bundle_try *f = *state;

	try_make(f, TRY_IMAGE(",\"User\":\"5:6\""));
	try_has(f, "process.user", "gid=6;uid=5;");
	try_make(f, TRY_IMAGE(""));
	try_has(f, "process.user", "gid=0;uid=0;");
	try_refused(f, TRY_IMAGE(",\"User\":\"root\""), "/etc/passwd, which is missing");
}

static void f58_users_that_are_none_are_refused(void **state)
{
	static const char *const users[] = {"4294967296", "-1", "root\\n", "../../x:0",
					    "4294967296:0"};
	struct bundle_try *f = *state;

	try_add_accounts(f);
	for (size_t i = 0; i < ARRAY_SIZE(users); i++) {
		cleanup_free char *image = xasprintf(TRY_IMAGE(",\"User\":\"%s\""), users[i]);

		try_refused(f, image, "user '");
	}
}

static void f58_passwd_may_be_a_link_inside(void **state)
{
	struct bundle_try *f = *state;
	struct ext4_writer *w = f->edit->w;

	edit_dir(w, "etc");
	edit_dir(w, "store");
	edit_file(w, "store/passwd", TRY_PASSWD);
	edit_file(w, "store/group", TRY_GROUP);
	edit_symlink(w, "etc/passwd", "/store/passwd");
	edit_symlink(w, "etc/group", "../../../../store/group");
	try_make(f, TRY_IMAGE(",\"User\":\"app:wheel\""));
	try_has(f, "process.user", "gid=10;uid=1000;");
}

/* The host has a passwd; a dangling link in the image does not lead to it. */
static void f58_a_dangling_link_is_a_missing_file(void **state)
{
	struct bundle_try *f = *state;
	struct ext4_writer *w = f->edit->w;

	edit_symlink(w, "etc", "/nowhere");
	try_refused(f, TRY_IMAGE(",\"User\":\"root\""), "which is missing");
	try_make(f, TRY_IMAGE(",\"User\":\"0\""));
	try_has(f, "process.env", TRY_PATH);
}

static void f58_passwd_must_be_a_file_of_a_size(void **state)
{
	struct bundle_try *f = *state;
	struct ext4_writer *w = f->edit->w;
	struct ext4_node *file, *etc = edit_dir(w, "etc");
	struct ext4_meta fifo = {.mode = S_IFIFO | 0644}, zero = {.mode = S_IFCHR | 0644};

	zero.rdev_major = 1;
	zero.rdev_minor = 5;
	assert_ok(ext4_writer_make(w, etc, "passwd", 6, &fifo, &file, &f->err), &f->err);
	try_refused(f, TRY_IMAGE(""), "in the container: /etc/passwd: not a regular file");
	ext4_reader_close(steal(&f->fs));
	w = f->edit->w;
	edit_remove(w, "etc/passwd");
	assert_ok(ext4_writer_make(w, edit_find(w, "etc"), "group", 5, &zero, &file, &f->err),
		  &f->err);
	try_refused(f, TRY_IMAGE(""), "/etc/group: not a regular file");
	ext4_reader_close(steal(&f->fs));
	w = f->edit->w;
	edit_remove(w, "etc/group");
	file = edit_file(w, "etc/passwd", "");
	assert_ok(ext4_writer_data_end(w, file, 10ULL << 30, &f->err), &f->err);
	try_refused(f, TRY_IMAGE(",\"User\":\"5:5\""),
		    "/etc/passwd: 10737418240 bytes, at most 1048576");
	ext4_reader_close(steal(&f->fs));
	w = f->edit->w;
	edit_remove(w, "etc/passwd");
	edit_dir(w, "etc/passwd");
	try_refused(f, TRY_IMAGE(""), "/etc/passwd: not a regular file");
}

static void f58_a_home_that_is_no_text_is_refused(void **state)
{
	struct bundle_try *f = *state;

	edit_dir(f->edit->w, "etc");
	edit_file(f->edit->w, "etc/passwd", "x:x:5:5::/\xff:\n");
	try_make(f, TRY_IMAGE(""));
	try_refused(f, TRY_IMAGE(",\"User\":\"x\""), "home in passwd: 'HOME=/\xff' is not UTF-8");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, try_set_up, try_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(d_args_are_entrypoint_and_cmd),
		TEST(d_args_given_replace_those_of_the_image),
		TEST(d_args_empty_are_refused),
		TEST(d_cwd_is_absolute_and_clean),
		TEST(f58_cwd_does_not_climb_out),
		TEST(f58_cwd_in_proc_is_refused),
		TEST(d_cwd_given_replaces_that_of_the_image),
		TEST(d_user_is_looked_up_in_the_container),
		TEST(d_user_given_replaces_that_of_the_image),
		TEST(d_home_is_that_of_passwd_unless_env_has_one),
		TEST(d_user_without_passwd_must_be_an_id),
		TEST(f58_users_that_are_none_are_refused),
		TEST(f58_passwd_may_be_a_link_inside),
		TEST(f58_a_dangling_link_is_a_missing_file),
		TEST(f58_passwd_must_be_a_file_of_a_size),
		TEST(f58_a_home_that_is_no_text_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
