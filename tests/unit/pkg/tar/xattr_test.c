/* SPDX-License-Identifier: Apache-2.0 */
/* Extended attributes of PAX records: two encodings, which one wins, and what is refused. */
#include "tests/support/cmocka.h"

#include <stdio.h>

#include "pkg/base/alloc.h"
#include "pkg/tar/tar_internal.h"

static struct tar_pax p;
static struct error err;

static int end(void **state)
{
	(void)state;
	tar_pax_release(&p);
	return 0;
}

/* As from a LIBARCHIVE record; both texts are changed in place, so they live until the end. */
static int add_encoded(const char *name, const char *value)
{
	static char names[32][400], values[32][400];
	static size_t next;
	size_t i = next++ % 32;

	snprintf(names[i], sizeof(names[i]), "%s", name);
	snprintf(values[i], sizeof(values[i]), "%s", value);
	error_clear(&err);
	return tar_pax_add_encoded_xattr(&p, names[i], values[i], strlen(value), &err);
}

static void assert_last(const char *name, const char *value, size_t len)
{
	const struct tar_xattr *x = &p.xattrs[p.n_xattrs - 1];

	assert_string_equal(x->name, name);
	assert_int_equal(x->value_len, len);
	assert_memory_equal(x->value, value, len);
}

static void base64_is_decoded_with_and_without_padding(void **state)
{
	static const struct {
		const char *text, *value;
		size_t len;
	} cases[] = {
		{"", "", 0},
		{"Zg==", "f", 1},
		{"Zg", "f", 1},
		{"Zm8=", "fo", 2},
		{"Zm8", "fo", 2},
		{"Zm9v", "foo", 3},
		{"Zm9vYg==", "foob", 4},
		{"AAECAwQF/v/+", "\0\1\2\3\4\5\xfe\xff\xfe", 9},
		{"+/+/", "\xfb\xff\xbf", 3},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_ok(add_encoded("user.a", cases[i].text), &err);
		assert_int_equal(p.n_xattrs, 1);
		assert_last("user.a", cases[i].value, cases[i].len);
	}
}

static void what_is_no_base64_is_refused(void **state)
{
	static const char *const cases[] = {"Z",    "Zm9vY",  "Zg=",   "Zg===",	   "Z===",
					    "=",    "==",     "Zm9v=", "Zm9v====", "Zm=9",
					    "Zm 9", "Zm9v\n", "Zm-_",  "Zg==Zg==", "Zm\xc3\xa9"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		if (add_encoded("user.a", cases[i]) == 0)
			fail_msg("'%s' is taken", cases[i]);
		assert_error(&err, ERR_INVALID, "LIBARCHIVE.xattr.user.a' is wrongly encoded");
		assert_int_equal(p.n_xattrs, 0);
	}
}

static void names_are_unescaped(void **state)
{
	(void)state;
	assert_ok(add_encoded("user.%3d%3D%25%0a", "Zg"), &err);
	assert_last("user.==%\n", "f", 1);
	assert_ok(add_encoded("%75ser.x", "Zg"), &err);
	assert_last("user.x", "f", 1);
	assert_ok(add_encoded("user.%ff", "Zg"), &err);
	assert_last("user.\xff", "f", 1);
}

static void bad_escapes_are_refused(void **state)
{
	static const char *const cases[] = {"user.%",	"user.%4",  "user.%4g", "user.%g4",
					    "user.%00", "user.% 4", "%%"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		if (add_encoded(cases[i], "Zg") == 0)
			fail_msg("'%s' is taken", cases[i]);
		assert_error(&err, ERR_INVALID, "wrongly encoded");
	}
}

static void what_schily_says_wins_in_any_order(void **state)
{
	(void)state;
	assert_ok(add_encoded("user.a", "Zg"), &err);
	assert_ok(tar_pax_add_xattr(&p, "user.a", "raw", 3, false, &err), &err);
	assert_int_equal(p.n_xattrs, 1);
	assert_last("user.a", "raw", 3);
	assert_ok(add_encoded("user.a", "Zg"), &err);
	assert_int_equal(p.n_xattrs, 1);
	assert_last("user.a", "raw", 3);
	assert_ok(tar_pax_add_xattr(&p, "user.a", "later", 5, false, &err), &err);
	assert_last("user.a", "later", 5);
	/* Forgotten with the header. */
	tar_pax_clear(&p);
	assert_ok(add_encoded("user.a", "Zg"), &err);
	assert_last("user.a", "f", 1);
}

static void names_have_1_to_255_bytes(void **state)
{
	char name[300];

	(void)state;
	memset(name, 'n', sizeof(name));
	name[256] = '\0';
	assert_int_equal(tar_pax_add_xattr(&p, name, "", 0, false, &err), -1);
	assert_error(&err, ERR_INVALID, "has a name of 256 bytes");
	assert_int_equal(tar_pax_add_xattr(&p, "", "", 0, false, &err), -1);
	name[255] = '\0';
	assert_ok(tar_pax_add_xattr(&p, name, "", 0, false, &err), &err);
	/* Unescaped it is as short. */
	memset(name, 'm', sizeof(name));
	memcpy(name + 254, "%41", 4);
	assert_ok(add_encoded(name, "Zg"), &err);
	assert_int_equal(strlen(p.xattrs[1].name), 255);
}

static void there_are_at_most_1024(void **state)
{
	static char names[TAR_XATTRS_MAX + 1][16];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		int expected = i < TAR_XATTRS_MAX ? 0 : -1;

		snprintf(names[i], sizeof(names[i]), "user.%zu", i);
		assert_int_equal(tar_pax_add_xattr(&p, names[i], "v", 1, false, &err), expected);
	}
	assert_error(&err, ERR_INVALID, "more than 1024");
	/* One that is there can still change. */
	assert_ok(tar_pax_add_xattr(&p, names[0], "new", 3, false, &err), &err);
	assert_int_equal(p.xattrs[0].value_len, 3);
	assert_int_equal(p.xattrs[1].value_len, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(base64_is_decoded_with_and_without_padding, end),
		cmocka_unit_test_teardown(what_is_no_base64_is_refused, end),
		cmocka_unit_test_teardown(names_are_unescaped, end),
		cmocka_unit_test_teardown(bad_escapes_are_refused, end),
		cmocka_unit_test_teardown(what_schily_says_wins_in_any_order, end),
		cmocka_unit_test_teardown(names_have_1_to_255_bytes, end),
		cmocka_unit_test_teardown(there_are_at_most_1024, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
