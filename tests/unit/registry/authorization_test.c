/* SPDX-License-Identifier: Apache-2.0 */
/* What answers a challenge, without a registry; with one: session_credentials_test. */
#include "registry/authorization.h"

#include <stdlib.h>
#include <sys/prctl.h>

#include "pkg/base/alloc.h"
#include "pkg/base/secret.h"
#include "tests/support/auth_home.h"
#include "tests/support/cmocka.h"

static struct auth_home home;
static struct http_client *http;

static const struct credential member = {.user = (char *)"u",
					 .password = (char *)"p",
					 .where = (char *)"a test"};

static int start(void **state)
{
	(void)state;
	auth_home_start(&home);
	http = http_client_new(NULL);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	http_client_free(http);
	auth_home_stop(&home);
	return 0;
}

static struct authorization *of(const struct credential *c)
{
	struct authorization_options options = {.host = "h.io", .path = "a/b", .credential = c};

	return authorization_new(http, &options);
}

static int fits(struct authorization *a, enum challenge_scheme scheme, const char *refused)
{
	struct challenge c = {.scheme = scheme};
	struct error err = {0};
	int rc = authorization_fits(a, &c, refused, &err);

	if (rc < 0)
		assert_ok(rc, &err);
	return rc == 0;
}

static void c04_what_fits_is_said_by_scheme_and_credential(void **state)
{
	struct credential identity = {.identity_token = (char *)"t", .where = (char *)"x"};
	struct credential given = {.registry_token = (char *)"t", .where = (char *)"x"};
	cleanup(authorization_free_ptr) struct authorization *nobody = of(NULL),
							     *some = of(&member),
							     *token = of(&identity),
							     *registry = of(&given);

	(void)state;
	for (int i = 0; i < 2; i++) {
		enum challenge_scheme other = i ? CHALLENGE_OTHER : CHALLENGE_NONE;

		assert_false(fits(nobody, other, NULL));
		assert_false(fits(some, other, NULL));
	}
	assert_true(fits(nobody, CHALLENGE_BEARER, NULL));
	assert_true(fits(nobody, CHALLENGE_BEARER, "Bearer x"));
	assert_false(fits(nobody, CHALLENGE_BASIC, NULL));
	assert_true(fits(some, CHALLENGE_BEARER, NULL));
	assert_true(fits(some, CHALLENGE_BASIC, NULL));
	assert_true(fits(some, CHALLENGE_BASIC, "Bearer x"));
	assert_false(fits(some, CHALLENGE_BASIC, "Basic dTpw"));
	assert_true(fits(token, CHALLENGE_BEARER, NULL));
	assert_false(fits(token, CHALLENGE_BASIC, NULL));
	assert_true(fits(registry, CHALLENGE_BEARER, NULL));
	assert_false(fits(registry, CHALLENGE_BEARER, "Bearer t"));
	assert_false(fits(registry, CHALLENGE_BASIC, NULL));
}

static void what_answered_is_what_is_asked_with_next(void **state)
{
	cleanup(authorization_free_ptr) struct authorization *a = of(&member);
	struct challenge c = {.scheme = CHALLENGE_BASIC};
	struct authorization_answer answer;
	cleanup_secret char *last = NULL;
	struct error err = {0};

	(void)state;
	assert_null(authorization_last(a));
	assert_ok(authorization_answer(a, "https://h.io/v2/", &c, NULL, &answer, &err), &err);
	assert_string_equal(answer.header, "Basic dTpw");
	assert_true(answer.fresh);
	last = authorization_last(a);
	assert_string_equal(last, answer.header);
	secret_free(answer.header);
}

static void c13_files_are_read_once_and_when_they_are_needed(void **state)
{
	cleanup(authorization_free_ptr) struct authorization *a = of(NULL);
	struct error err = {0};

	(void)state;
	auth_home_put(&home, ".docker/config.json", "{\"auths\":{\"h.io\":{\"auth\":\"dTpw\"}}}");
	assert_int_equal(prctl(PR_GET_DUMPABLE), 1);
	assert_ok(authorization_find(a, &err), &err);
	assert_int_equal(prctl(PR_GET_DUMPABLE), 0);
	auth_home_put(&home, ".docker/config.json", "{");
	assert_ok(authorization_find(a, &err), &err);
	{
		cleanup(authorization_free_ptr) struct authorization *other = of(NULL);

		assert_int_equal(authorization_find(other, &err), -1);
		assert_error(&err, ERR_INVALID, "config.json");
	}
}

static void errors_say_who_was_not_let_in(void **state)
{
	cleanup(authorization_free_ptr) struct authorization *nobody = of(NULL),
							     *some = of(&member);
	struct error err = {0};

	(void)state;
	error_set(&err, ERR_UNAUTHORIZED, "401");
	assert_int_equal(authorization_explain(some, true, &err), -1);
	assert_error(&err, ERR_UNAUTHORIZED, "with the credentials of a test: 401");
	assert_int_equal(err.detail, ERR_DETAIL_CREDENTIALS);
	error_set(&err, ERR_UNAUTHORIZED, "401");
	assert_int_equal(authorization_explain(nobody, true, &err), -1);
	assert_error(&err, ERR_UNAUTHORIZED, "with an anonymous token: 401");
	assert_int_equal(err.detail, ERR_DETAIL_LOGIN);
	error_set(&err, ERR_UNAUTHORIZED, "401");
	assert_int_equal(authorization_explain(nobody, false, &err), -1);
	assert_string_equal(err.context, "");
	assert_int_equal(err.detail, ERR_DETAIL_LOGIN);
	error_set(&err, ERR_NETWORK, "503");
	assert_int_equal(authorization_explain(some, true, &err), -1);
	assert_string_equal(err.context, "");
	assert_int_equal(err.detail, ERR_DETAIL_NONE);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)
	const struct CMUnitTest tests[] = {
		TEST(c04_what_fits_is_said_by_scheme_and_credential),
		TEST(what_answered_is_what_is_asked_with_next),
		TEST(c13_files_are_read_once_and_when_they_are_needed),
		TEST(errors_say_who_was_not_let_in),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
