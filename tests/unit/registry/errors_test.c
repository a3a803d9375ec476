/* SPDX-License-Identifier: Apache-2.0 */
/* Refusals in words: rules C12, F71. */
#include "registry/errors.h"

#include <stdio.h>
#include <stdlib.h>

#include "pkg/base/alloc.h"
#include "tests/support/cmocka.h"

static struct error refuse(int status, const char *body, const char *authenticate)
{
	struct http_response r = {.status = status, .body = stream_from_memory(body, strlen(body))};
	struct error err = {0};

	r.authenticate = authenticate ? xstrdup(authenticate) : NULL;
	assert_int_equal(registry_refused(&r, &err), -1);
	http_response_release(&r);
	return err;
}

#define BODY(code, message) \
	"{\"errors\":[{\"code\":\"" code "\",\"message\":\"" message "\",\"detail\":{}}]}"

static void c12_each_status_has_its_kind(void **state)
{
	static const struct {
		int status;
		enum error_kind kind;
	} cases[] = {
		{400, ERR_INVALID},   {401, ERR_UNAUTHORIZED}, {403, ERR_UNAUTHORIZED},
		{404, ERR_NOT_FOUND}, {405, ERR_INVALID},      {408, ERR_NETWORK},
		{416, ERR_INVALID},   {418, ERR_INVALID},      {429, ERR_NETWORK},
		{500, ERR_NETWORK},   {501, ERR_NETWORK},      {502, ERR_NETWORK},
		{503, ERR_NETWORK},   {504, ERR_NETWORK},      {599, ERR_NETWORK},
		{204, ERR_INVALID},   {307, ERR_INVALID},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct error err = refuse(cases[i].status, "", NULL);
		char text[8];

		snprintf(text, sizeof(text), "%d", cases[i].status);
		assert_error(&err, cases[i].kind, text);
	}
}

static void c11_some_may_be_tried_again(void **state)
{
	static const int yes[] = {408, 429, 500, 502, 503, 504};
	static const int no[] = {200, 301, 400, 401, 403, 404, 405, 416, 501, 505, 999};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(yes); i++)
		assert_true(registry_may_retry(yes[i]));
	for (size_t i = 0; i < ARRAY_SIZE(no); i++)
		assert_false(registry_may_retry(no[i]));
}

static void c12_the_first_error_of_the_body_is_shown(void **state)
{
	struct error err = refuse(404, BODY("MANIFEST_UNKNOWN", "manifest unknown"), NULL);

	(void)state;
	assert_string_equal(err.cause, "404 not found: MANIFEST_UNKNOWN: manifest unknown");
	err = refuse(429, BODY("TOOMANYREQUESTS", "slow down"), NULL);
	assert_string_equal(err.cause, "429 too many requests: TOOMANYREQUESTS: slow down");
	err = refuse(403, "{\"errors\":[{\"code\":\"DENIED\"}]}", NULL);
	assert_string_equal(err.cause, "403 access denied: DENIED");
	err = refuse(403, "{\"errors\":[{\"code\":\"X\",\"detail\":\"not\\u001b you\"}]}", NULL);
	assert_string_equal(err.cause, "403 access denied: X: not you");
	err = refuse(403, "{\"errors\":[{\"message\":\"no\"}]}", NULL);
	assert_string_equal(err.cause, "403 access denied: no");
}

static void c12_what_helps_to_say_what_to_do_is_kept(void **state)
{
	struct error err = refuse(404, BODY("NAME_UNKNOWN", "no such thing"), NULL);

	(void)state;
	assert_int_equal(err.detail, ERR_DETAIL_NO_NAME);
	err = refuse(404, BODY("MANIFEST_UNKNOWN", "NAME_UNKNOWN"), NULL);
	assert_int_equal(err.detail, ERR_DETAIL_NONE);
	err = refuse(403, BODY("NAME_UNKNOWN", ""), NULL);
	assert_int_equal(err.detail, ERR_DETAIL_NONE);
	err = refuse(429, "", NULL);
	assert_int_equal(err.detail, ERR_DETAIL_TOO_MANY);
	for (int status = 500; status < 512; status++) {
		err = refuse(status, "", NULL);
		assert_int_equal(err.detail, ERR_DETAIL_SERVER);
	}
}

static void c12_f71_foreign_text_is_made_harmless(void **state)
{
	struct error err = refuse(404, BODY("X", "a\\n\\n  b\\u001b[31mc\\u007f\\td"), NULL);
	struct buffer body = {0};

	(void)state;
	assert_string_equal(err.cause, "404 not found: X: a b [31mc d");
	buffer_printf(&body, "{\"errors\":[{\"code\":\"");
	for (int i = 0; i < 5000; i++)
		buffer_printf(&body, "C");
	buffer_printf(&body, "\",\"message\":\"%s\"}]}", "m");
	err = refuse(404, (char *)body.data, NULL);
	assert_error(&err, ERR_NOT_FOUND, "CCC...: m");
	buffer_release(&body);
}

static void c12_what_is_no_json_is_not_shown(void **state)
{
	static const char *const bodies[] = {
		"",
		"<html>SECRET</html>",
		"{}",
		"{\"errors\":[]}",
		"{\"errors\":{}}",
		"{\"errors\":[7]}",
		"{\"errors\":[{\"code\":7}]}",
		"[",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		struct error err = refuse(404, bodies[i], NULL);

		assert_string_equal(err.cause, "404 not found");
	}
}

static void b10_more_than_1_mib_is_not_shown(void **state)
{
	cleanup_free char *body = xmalloc((1 << 20) + 100);
	static const char good[] = BODY("X", "y");
	struct error err;

	(void)state;
	memset(body, ' ', (1 << 20) + 99);
	body[(1 << 20) + 99] = '\0';
	memcpy(body, good, sizeof(good) - 1);
	err = refuse(404, body, NULL);
	assert_string_equal(err.cause, "404 not found");
	body[1 << 20] = '\0';
	err = refuse(404, body, NULL);
	assert_string_equal(err.cause, "404 not found: X: y");
}

static void a_401_names_what_is_asked_for(void **state)
{
	struct error err =
		refuse(401, BODY("UNAUTHORIZED", "authentication required"),
		       "Basic realm=\"x\", Bearer realm=\"https://a/token\",service=\"s\"");

	(void)state;
	assert_string_equal(err.cause, "401 authentication required (Bearer): UNAUTHORIZED: "
				       "authentication required");
	err = refuse(401, "", "Basic realm=\"x\"");
	assert_error(&err, ERR_UNAUTHORIZED, "401 authentication required (Basic)");
	err = refuse(401, "", NULL);
	assert_error(&err, ERR_UNAUTHORIZED, "(none)");
	err = refuse(401, "", "\"");
	assert_error(&err, ERR_UNAUTHORIZED, "(a malformed challenge)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(c12_each_status_has_its_kind),
		cmocka_unit_test(c11_some_may_be_tried_again),
		cmocka_unit_test(c12_the_first_error_of_the_body_is_shown),
		cmocka_unit_test(c12_what_helps_to_say_what_to_do_is_kept),
		cmocka_unit_test(c12_f71_foreign_text_is_made_harmless),
		cmocka_unit_test(c12_what_is_no_json_is_not_shown),
		cmocka_unit_test(b10_more_than_1_mib_is_not_shown),
		cmocka_unit_test(a_401_names_what_is_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
