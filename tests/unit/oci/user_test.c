/* SPDX-License-Identifier: Apache-2.0 */
/* Forms of User, and the passwd and group they are looked up in: rules D (user, HOME), F58. */
#include "oci/user.h"

#include <stdio.h>
#include <stdlib.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "tests/support/cmocka.h"

#define PASSWD                                         \
	"root:x:0:0:root:/root:/bin/sh\n"              \
	"daemon:x:1:1::/usr/sbin:/usr/sbin/nologin\n"  \
	"app:x:1000:100:An App,,,:/home/app:/bin/sh\n" \
	"1000:x:2000:2000::/home/digits:/bin/sh\n"     \
	"app:x:3000:3000::/home/second:/bin/sh\n"      \
	"same:x:1000:300::/home/same:/bin/sh\n"
#define GROUP                          \
	"root:x:0:root\n"              \
	"adm:x:4:root,app\n"           \
	"users:x:100:\n"               \
	"wheel:x:10:daemon,app,root\n" \
	"again:x:4:app\n"              \
	"1000:x:77:app\n"

/* Contents NULL: the file is missing. */
static int resolve(const char *user, const char *passwd, const char *group, struct oci_user *ret,
		   struct error *err)
{
	cleanup_buffer struct buffer p = {0}, g = {0};

	buffer_add(&p, passwd ? passwd : "", passwd ? strlen(passwd) : 0);
	buffer_add(&g, group ? group : "", group ? strlen(group) : 0);
	return oci_user_resolve(user, passwd ? &p : NULL, group ? &g : NULL, ret, err);
}

/* @groups: "4,10," */
static void is_in(const char *passwd, const char *group, const char *user, uint32_t uid,
		  uint32_t gid, const char *groups, const char *home)
{
	cleanup_buffer struct buffer b = {0};
	struct oci_user u;
	struct error err = {0};

	assert_ok(resolve(user, passwd, group, &u, &err), &err);
	buffer_add(&b, "", 0);
	for (size_t i = 0; i < u.n_groups; i++)
		buffer_printf(&b, "%u,", u.groups[i]);
	assert_int_equal(u.uid, uid);
	assert_int_equal(u.gid, gid);
	assert_string_equal((const char *)b.data, groups);
	assert_string_equal(u.home ? u.home : "none", home);
	oci_user_release(&u);
}

static void is(const char *user, uint32_t uid, uint32_t gid, const char *groups, const char *home)
{
	is_in(PASSWD, GROUP, user, uid, gid, groups, home);
}

static void refused_in(const char *passwd, const char *group, const char *user, const char *reason)
{
	struct oci_user u;
	struct error err = {0};

	if (resolve(user, passwd, group, &u, &err) == 0)
		fail_msg("'%s' is %u:%u", user, u.uid, u.gid);
	assert_error(&err, ERR_INVALID, reason);
}

static void refused(const char *user, const char *reason)
{
	refused_in(PASSWD, GROUP, user, reason);
}

static void d_user_empty_is_root_with_the_groups_of_root(void **state)
{
	(void)state;
	is(NULL, 0, 0, "0,4,10,", "/root");
	is("", 0, 0, "0,4,10,", "/root");
	is_in("toor:x:0:5::/r:\n", NULL, "", 0, 0, "", "/r");
	is_in(NULL, NULL, "", 0, 0, "", "none");
}

static void d_user_by_name_has_group_and_groups_of_its_own(void **state)
{
	(void)state;
	is("root", 0, 0, "0,4,10,", "/root");
	is("daemon", 1, 1, "10,", "/usr/sbin");
	is("app", 1000, 100, "4,10,77,", "/home/app");
}

static void d_user_by_id_in_passwd_is_that_user(void **state)
{
	(void)state;
	is("0", 0, 0, "0,4,10,", "/root");
	is("1000", 1000, 100, "4,10,77,", "/home/app");
	is("01000", 1000, 100, "4,10,77,", "/home/app");
}

static void d_user_by_unknown_id_has_group_0(void **state)
{
	(void)state;
	is("12345", 12345, 0, "", "none");
	is("2147483647", 2147483647, 0, "", "none");
	is_in(NULL, NULL, "7", 7, 0, "", "none");
	is_in("", "", "7", 7, 0, "", "none");
}

static void d_user_with_a_group_has_no_others(void **state)
{
	(void)state;
	is("app:wheel", 1000, 10, "", "/home/app");
	is("app:7", 1000, 7, "", "/home/app");
	is("1000:wheel", 1000, 10, "", "/home/app");
	is("1000:7", 1000, 7, "", "/home/app");
	is("5:6", 5, 6, "", "none");
	is("root:0", 0, 0, "", "/root");
}

static void d_user_digits_are_ids_though_a_name_is_the_same(void **state)
{
	(void)state;
	is("1000", 1000, 100, "4,10,77,", "/home/app");
	is("1000:1000", 1000, 1000, "", "/home/app");
	is("2000", 2000, 2000, "", "/home/digits");
}

static void d_user_unknown_names_are_refused(void **state)
{
	(void)state;
	refused("nobody", "user 'nobody': 'nobody' is not in the image's /etc/passwd");
	refused("app:nogroup", "'nogroup' is not in the image's /etc/group");
	refused("7:nogroup", "'nogroup' is not in the image's /etc/group");
	refused_in(NULL, GROUP, "root", "/etc/passwd, which is missing");
	refused_in(PASSWD, NULL, "app:wheel", "/etc/group, which is missing");
	is_in(PASSWD, NULL, "app", 1000, 100, "", "/home/app");
}

static void f58_ids_do_not_wrap(void **state)
{
	(void)state;
	refused("2147483648", "id 2147483648 is not within 0 and 2147483647");
	refused("4294967296", "is not within");
	refused("4294967296:0", "is not within");
	refused("18446744073709551616", "is not within");
	refused("99999999999999999999999999999999", "is not within");
	refused("0:4294967296", "id 4294967296 is not within");
	refused("app:2147483648", "is not within");
}

static void f58_what_is_no_user_is_refused(void **state)
{
	static const char *const users[] = {
		"-1",	  "+0",		 " 0",	   "0 ",	 "0x0",	  "1e3",
		"root\n", "root ",	 "Root",   "root:",	 ":root", ":",
		"::",	  "root:root:0", "0:0:0",  "app: wheel", "0:-1",  "x,y",
		"/",	  "../../x:0",	 "root/x", "*",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(users); i++)
		refused(users[i], "user '");
}

static void d_home_empty_in_passwd_is_none(void **state)
{
	(void)state;
	is_in("a:x:5:6:::\nb:x:7:8\n", NULL, "a", 5, 6, "", "none");
	is_in("a:x:5:6:::\nb:x:7:8\n", NULL, "b", 7, 8, "", "none");
}

static void f58_lines_that_are_none_are_passed_over(void **state)
{
	static const char passwd[] = "# root:x:5:5::/comment:\n"
				     "\n"
				     "bob\n"
				     "bob:x\n"
				     "bob:x:7\n"
				     "bob:x::7::/none:\n"
				     "bob:x:7::gecos:/none:\n"
				     "bob:x:seven:7::/none:\n"
				     "bob:x:-1:7::/none:\n"
				     "bob:x:4294967296:4294967296::/wrapped:\n"
				     "+bob:x:1:1::/nis:\n"
				     "-bob:x:1:1::/nis:\n"
				     "+::::::\n"
				     ":x:1:1::/empty:\n"
				     "bob:x:9:10::/home/bob:/bin/sh";
	static const char group[] = "# c:x:1:bob\n"
				    "c\n"
				    "c:x:\n"
				    "c:x:4294967296:bob\n"
				    "+c:x:1:bob\n"
				    "c:x:11: bob ,al,,bob";

	(void)state;
	is_in(passwd, group, "bob", 9, 10, "11,", "/home/bob");
	is_in(passwd, group, "bob:c", 9, 11, "", "/home/bob");
	refused_in(passwd, group, "+bob", "not in the image's /etc/passwd");
	refused_in(passwd, group, "al", "not in the image's /etc/passwd");
	is_in(passwd, group, "1", 1, 0, "", "none");
}

static void f58_crlf_and_a_missing_last_newline_do_no_harm(void **state)
{
	(void)state;
	is_in("a:x:5:6::/a\r\nb:x:7:8::/b\r\n", "g:x:9:a,b\r\nh:x:10:b", "b", 7, 8, "9,10,", "/b");
	is_in("a:x:5:6::/a:/bin/sh\r\n", "g:x:9:a\r\n", "a:g", 5, 9, "", "/a");
}

static void f58_a_nul_makes_a_line_none(void **state)
{
	static const char passwd[] = "a\0b:x:0:0::/0:\na:x:5:6::/a\0b:\na:x:7:8::/a:\n";
	cleanup_buffer struct buffer p = {0};
	struct oci_user u;
	struct error err = {0};

	(void)state;
	buffer_add(&p, passwd, sizeof(passwd) - 1);
	assert_ok(oci_user_resolve("a", &p, NULL, &u, &err), &err);
	assert_int_equal(u.uid, 7);
	oci_user_release(&u);
}

/* A group with more members than fit into a line of 64 KiB. */
static void f58_long_lines_are_read_to_their_end(void **state)
{
	cleanup_buffer struct buffer g = {0};

	(void)state;
	buffer_printf(&g, "large:x:50:");
	for (int i = 0; i < 20000; i++)
		buffer_printf(&g, "member%d,", i);
	buffer_printf(&g, "app\nlast:x:51:app\n");
	is_in(PASSWD, (const char *)g.data, "app", 1000, 100, "50,51,", "/home/app");
}

static void many_groups_come_sorted_and_once(void **state)
{
	cleanup_buffer struct buffer g = {0};

	(void)state;
	for (int i = 5; i > 0; i--)
		buffer_printf(&g, "a%d:x:%d:app\nb%d:x:%d:app\n", i, i * 7, i, i * 7);
	is_in(PASSWD, (const char *)g.data, "app", 1000, 100, "7,14,21,28,35,", "/home/app");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(d_user_empty_is_root_with_the_groups_of_root),
		cmocka_unit_test(d_user_by_name_has_group_and_groups_of_its_own),
		cmocka_unit_test(d_user_by_id_in_passwd_is_that_user),
		cmocka_unit_test(d_user_by_unknown_id_has_group_0),
		cmocka_unit_test(d_user_with_a_group_has_no_others),
		cmocka_unit_test(d_user_digits_are_ids_though_a_name_is_the_same),
		cmocka_unit_test(d_user_unknown_names_are_refused),
		cmocka_unit_test(f58_ids_do_not_wrap),
		cmocka_unit_test(f58_what_is_no_user_is_refused),
		cmocka_unit_test(d_home_empty_in_passwd_is_none),
		cmocka_unit_test(f58_lines_that_are_none_are_passed_over),
		cmocka_unit_test(f58_crlf_and_a_missing_last_newline_do_no_harm),
		cmocka_unit_test(f58_a_nul_makes_a_line_none),
		cmocka_unit_test(f58_long_lines_are_read_to_their_end),
		cmocka_unit_test(many_groups_come_sorted_and_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
