/* SPDX-License-Identifier: Apache-2.0 */
/* A credential: its parts, its one header, and that nothing of it stays in memory. */
#include "registry/credential.h"

#include <stdlib.h>

#include "pkg/base/alloc.h"
#include "pkg/base/secret.h"
#include "tests/support/cmocka.h"
#include "tests/support/memory_search.h"

static void c13_a_pair_is_taken_apart_at_the_first_colon(void **state)
{
	static const struct {
		const char *text;
		size_t len;
		const char *user, *password;
	} cases[] = {
		{"u:p", 3, "u", "p"},
		{"u:", 2, "u", ""},
		{"u:a:b:", 6, "u", "a:b:"},
		{"u:p\0\0", 5, "u", "p"},
		{"u:\0p", 4, "u", "p"},
		{"u:\0\0", 4, "u", ""},
		{"_json_key:{\"a\":\"b\"}", 19, "_json_key", "{\"a\":\"b\"}"},
		{"\xc3\xa4:\xff ", 5, "\xc3\xa4", "\xff "},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup(credential_release) struct credential c = {0};
		struct error err = {0};

		assert_ok(credential_parse_pair(cases[i].text, cases[i].len, &c, &err), &err);
		assert_string_equal(c.user, cases[i].user);
		assert_string_equal(c.password, cases[i].password);
	}
}

static void c13_what_is_no_pair_is_refused_and_not_shown(void **state)
{
	static const struct {
		const char *text;
		size_t len;
		const char *reason;
	} cases[] = {
		{"", 0, "no colon"},	      {"SECRET", 6, "no colon"},
		{":SECRET", 7, "no user"},    {"SECRET\0x:SECRET", 15, "a NUL"},
		{"u:SECRET\0x", 10, "a NUL"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct credential c = {0};
		struct error err = {0};

		assert_int_equal(credential_parse_pair(cases[i].text, cases[i].len, &c, &err), -1);
		assert_error(&err, ERR_INVALID, cases[i].reason);
		assert_null(strstr(err.cause, "SECRET"));
		assert_null(c.user);
		assert_null(c.password);
	}
}

static void the_header_is_that_of_rfc_7617(void **state)
{
	static const struct {
		char *user, *password;
		const char *header;
	} cases[] = {
		{(char *)"Aladdin", (char *)"open sesame", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="},
		{(char *)"test", (char *)"123\xc2\xa3", "Basic dGVzdDoxMjPCow=="},
		{NULL, (char *)"x", "Basic Ong="},
	};
	struct credential nothing = {.user = (char *)"u", .identity_token = (char *)"t"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct credential c = {.user = cases[i].user, .password = cases[i].password};
		cleanup_secret char *header = credential_basic(&c);

		assert_string_equal(header, cases[i].header);
	}
	assert_null(credential_basic(&nothing));
}

static void what_no_header_may_have_is_refused(void **state)
{
	static const char *const tokens[] = {"SECRET\r\nX: y", "SECRET ", "SECRET\x7f",
					     "SECRET\xc3\xa4", "\tSECRET"};
	struct credential colon = {.user = (char *)"a:b", .password = (char *)"SECRET"};
	struct credential good = {.user = (char *)"a", .registry_token = (char *)"eyJ.a-b_c/+=~"};
	struct error err = {0};

	(void)state;
	assert_ok(credential_check(&good, &err), &err);
	assert_int_equal(credential_check(&colon, &err), -1);
	assert_error(&err, ERR_INVALID, "a colon in the user name");
	for (size_t i = 0; i < ARRAY_SIZE(tokens); i++) {
		struct credential c = {.registry_token = (char *)(uintptr_t)tokens[i]};

		assert_int_equal(credential_check(&c, &err), -1);
		assert_error(&err, ERR_INVALID, "characters that no header may have");
		assert_null(strstr(err.cause, "SECRET"));
	}
}

static void a_user_alone_is_nobody(void **state)
{
	struct credential user = {.user = (char *)"u", .password = (char *)""};
	struct credential password = {.password = (char *)"p"};
	struct credential identity = {.identity_token = (char *)"t"};
	struct credential registry = {.registry_token = (char *)"t"};

	(void)state;
	assert_true(credential_is_empty(&user));
	assert_false(credential_is_empty(&password));
	assert_false(credential_is_empty(&identity));
	assert_false(credential_is_empty(&registry));
}

static void what_is_released_is_gone_from_memory(void **state)
{
	enum { LEN = 60 };
	struct credential c = {.user = xstrdup("u"),
			       .password = memory_secret(1, LEN),
			       .identity_token = memory_secret(2, LEN),
			       .registry_token = memory_secret(3, LEN),
			       .where = xstrdup("a file")};
	struct credential copy;
	char *header;

	(void)state;
	credential_copy(&c, &copy);
	assert_string_equal(copy.user, "u");
	assert_string_equal(copy.where, "a file");
	for (unsigned i = 1; i <= 3; i++)
		assert_int_equal(memory_search(i, LEN), 2);
	credential_release(&c);
	header = credential_basic(&copy);
	for (unsigned i = 1; i <= 3; i++)
		assert_int_equal(memory_search(i, LEN), 1);
	credential_release(&copy);
	secret_free(header);
	for (unsigned i = 1; i <= 3; i++)
		assert_int_equal(memory_search(i, LEN), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(c13_a_pair_is_taken_apart_at_the_first_colon),
		cmocka_unit_test(c13_what_is_no_pair_is_refused_and_not_shown),
		cmocka_unit_test(the_header_is_that_of_rfc_7617),
		cmocka_unit_test(what_no_header_may_have_is_refused),
		cmocka_unit_test(a_user_alone_is_nobody),
		cmocka_unit_test(what_is_released_is_gone_from_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
