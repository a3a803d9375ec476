/* SPDX-License-Identifier: Apache-2.0 */
/* The protocol of credential helpers (C14). */
#include "registry/auth_helper.h"

#include <signal.h>
#include <stdlib.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "tests/support/cmocka.h"
#include "tests/support/fake_helper.h"

static struct fake_helper helper;

static int start(void **state)
{
	(void)state;
	fake_helper_start(&helper);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	fake_helper_stop(&helper);
	return 0;
}

static void c14_what_is_stored_comes_back_until_it_is_erased(void **state)
{
	cleanup(credential_release) struct credential got = {0};
	struct credential c = {.user = (char *)"some\"body", .password = (char *)"p\\:\nw{}"};
	cleanup_free char *log = NULL;
	struct error err = {0};

	(void)state;
	assert_int_equal(auth_helper_get("good", "https://index.docker.io/v1/", &got, &err), 1);
	assert_ok(auth_helper_store("good", "https://index.docker.io/v1/", &c, &err), &err);
	assert_ok(auth_helper_get("good", "https://index.docker.io/v1/", &got, &err), &err);
	assert_string_equal(got.user, c.user);
	assert_string_equal(got.password, c.password);
	assert_null(got.identity_token);
	assert_string_equal(got.where, "docker-credential-good");
	assert_ok(auth_helper_erase("good", "https://index.docker.io/v1/", &err), &err);
	assert_int_equal(auth_helper_erase("good", "https://index.docker.io/v1/", &err), 1);
	credential_release(&got);
	assert_int_equal(auth_helper_get("good", "https://index.docker.io/v1/", &got, &err), 1);
	log = fake_helper_read(&helper, "log");
	assert_null(strstr(log, "p\\"));
	assert_null(strstr(log, "body"));
}

static void c14_a_user_named_token_has_an_identity_token(void **state)
{
	struct credential c = {.identity_token = (char *)"abc"}, got = {0};
	cleanup_free char *input = NULL;
	struct error err = {0};

	(void)state;
	assert_ok(auth_helper_get("token", "h.io", &got, &err), &err);
	assert_string_equal(got.identity_token, "identity");
	assert_null(got.password);
	assert_null(got.user);
	credential_release(&got);
	assert_ok(auth_helper_store("good", "h.io", &c, &err), &err);
	input = fake_helper_read(&helper, "h.io");
	assert_string_equal(input,
			    "{\"ServerURL\":\"h.io\",\"Username\":\"<token>\",\"Secret\":\"abc\"}");
	assert_ok(auth_helper_get("good", "h.io", &got, &err), &err);
	assert_string_equal(got.identity_token, "abc");
	credential_release(&got);
}

static void c14_credentials_not_found_are_none(void **state)
{
	struct credential got = {0};
	struct error err = {0};

	(void)state;
	assert_int_equal(auth_helper_get("none", "h.io", &got, &err), 1);
	assert_int_equal(auth_helper_get("quiet", "h.io", &got, &err), 1);
	assert_int_equal(auth_helper_erase("none", "h.io", &err), 1);
	assert_null(got.user);
}

static void c14_failures_are_errors_that_show_no_secret(void **state)
{
	static const struct {
		const char *name;
		enum error_kind kind;
		const char *reason;
	} cases[] = {
		{"fails", ERR_SYSTEM,
		 "docker-credential-fails get: failed with status 1: the "
		 "keychain is locked"},
		{"leaks", ERR_SYSTEM, "docker-credential-leaks get: failed with status 1"},
		{"junk", ERR_INVALID, "docker-credential-junk get: answer: line 1"},
		{"killed", ERR_SYSTEM, "ended by signal 9"},
		{"floods", ERR_SYSTEM, "more than"},
		{"missing", ERR_USAGE, "no program 'docker-credential-missing' in PATH"},
		{"../evil", ERR_USAGE, "no name of a credential helper"},
		{"", ERR_USAGE, "no name of a credential helper"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct credential got = {0};
		struct error err = {0};
		char text[1024];

		assert_int_equal(auth_helper_get(cases[i].name, "h.io", &got, &err), -1);
		assert_error(&err, cases[i].kind, cases[i].reason);
		error_text(&err, text, sizeof(text));
		assert_null(strstr(text, "SECRET"));
		assert_null(strstr(text, "second line"));
		assert_null(got.password);
	}
}

static void c14_what_a_failing_helper_repeats_is_not_shown(void **state)
{
	struct credential c = {.user = (char *)"u", .password = (char *)"SECRET"};
	struct error err = {0};
	char text[1024];

	(void)state;
	assert_int_equal(auth_helper_store("leaks", "h.io", &c, &err), -1);
	assert_error(&err, ERR_SYSTEM, "docker-credential-leaks store: failed with status 1");
	error_text(&err, text, sizeof(text));
	assert_null(strstr(text, "SECRET"));
	assert_int_equal(auth_helper_store("none", "h.io", &c, &err), -1);
	assert_error(&err, ERR_SYSTEM, "it keeps nothing");
	/* Also as the only word of a line. */
	c.password = (char *)"locked";
	assert_int_equal(auth_helper_store("fails", "h.io", &c, &err), -1);
	error_text(&err, text, sizeof(text));
	assert_null(strstr(text, "locked"));
}

static void c14_names_have_no_slashes(void **state)
{
	char longest[102];

	(void)state;
	assert_true(auth_helper_is_name("ecr-login"));
	assert_true(auth_helper_is_name("a.B_9"));
	assert_false(auth_helper_is_name(""));
	assert_false(auth_helper_is_name("a/b"));
	assert_false(auth_helper_is_name("a b"));
	assert_false(auth_helper_is_name("a\n"));
	assert_false(auth_helper_is_name("\xc3\xa4"));
	memset(longest, 'a', sizeof(longest));
	longest[101] = 0;
	assert_false(auth_helper_is_name(longest));
	longest[100] = 0;
	assert_true(auth_helper_is_name(longest));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(c14_what_is_stored_comes_back_until_it_is_erased),
		cmocka_unit_test(c14_a_user_named_token_has_an_identity_token),
		cmocka_unit_test(c14_credentials_not_found_are_none),
		cmocka_unit_test(c14_failures_are_errors_that_show_no_secret),
		cmocka_unit_test(c14_what_a_failing_helper_repeats_is_not_shown),
		cmocka_unit_test(c14_names_have_no_slashes),
	};

	signal(SIGPIPE, SIG_IGN); /* as the program does */
	return cmocka_run_group_tests(tests, start, stop);
}
