/* SPDX-License-Identifier: Apache-2.0 */
/* Redirects: rule C8; hostile ones F66. */
#include "registry/redirect.h"

#include <stdlib.h>

#include "pkg/base/alloc.h"
#include "tests/support/cmocka.h"
#include "tests/support/fake_registry.h"

static struct fake_registry server;
static struct http_client *client;

static int start(void **state)
{
	struct http_options options = {.connect_ms = 3000};

	(void)state;
	fake_registry_start(&server);
	options.ca_file = server.ca_file;
	client = http_client_new(&options);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	http_client_free(client);
	fake_registry_stop(&server);
	return 0;
}

static int get_url(const char *url, struct http_response *ret, bool *left, struct error *err)
{
	struct http_request request = {.url = url, .authorization = "Bearer secret"};
	enum http_problem problem;

	return redirect_get(client, &request, ret, left, &problem, err);
}

static int get(const char *path, struct http_response *ret, bool *left, struct error *err)
{
	cleanup_free char *url = xasprintf("http://127.0.0.1:%u/v2/%s", server.port, path);

	return get_url(url, ret, left, err);
}

static void refused(const char *path, enum error_kind kind, const char *reason)
{
	struct http_response r;
	struct error err = {0};
	bool left;

	if (get(path, &r, &left, &err) == 0) {
		http_response_release(&r);
		fail_msg("%s was followed", path);
	}
	assert_error(&err, kind, reason);
}

/* Whether the last server was told the secret. */
static bool tells_secret(const char *path, bool expect_left)
{
	struct buffer body = {0};
	struct http_response r;
	struct error err = {0};
	bool left, told;

	assert_ok(get(path, &r, &left, &err), &err);
	assert_int_equal(r.status, 200);
	assert_int_equal(left, expect_left);
	assert_ok(stream_read_all(r.body, 10000, &body, &err), &err);
	told = strstr((char *)body.data, "Bearer secret") != NULL;
	buffer_release(&body);
	http_response_release(&r);
	return told;
}

static void f66_what_is_no_redirect_comes_back(void **state)
{
	struct http_response r;
	struct error err = {0};
	bool left;

	(void)state;
	assert_ok(get("status-404/x", &r, &left, &err), &err);
	assert_int_equal(r.status, 404);
	assert_false(left);
	http_response_release(&r);
	assert_ok(get("nowhere/x", &r, &left, &err), &err);
	assert_int_equal(r.status, 307);
	http_response_release(&r);
	/* libcurl would ask for the folder that the URL is in. */
	assert_ok(get("to-none/x", &r, &left, &err), &err);
	assert_int_equal(r.status, 307);
	http_response_release(&r);
}

static void c08_ten_redirects_of_all_kinds_are_followed(void **state)
{
	struct http_response r;
	struct error err = {0};
	bool left;

	(void)state;
	assert_ok(get("hop-10/x", &r, &left, &err), &err);
	assert_int_equal(r.status, 200);
	assert_non_null(strstr(r.url, "/v2/hop-0/x"));
	assert_false(left);
	http_response_release(&r);
	refused("hop-11/x", ERR_INVALID, "more than 10 redirects");
}

static void f66_a_loop_ends(void **state)
{
	(void)state;
	refused("loop/x", ERR_INVALID, "more than 10 redirects");
}

static void c08_secrets_stay_with_their_origin(void **state)
{
	(void)state;
	assert_true(tells_secret("echo/x", false));
	assert_true(tells_secret("relative/x", false));
	assert_false(tells_secret("away/x", true));
}

static void c08_secrets_do_not_come_back_by_a_second_redirect(void **state)
{
	(void)state;
	assert_false(tells_secret("there/x", true));
}

static void f66_a_challenge_from_elsewhere_is_marked(void **state)
{
	struct http_response r;
	struct error err = {0};
	bool left;

	(void)state;
	assert_ok(get("asks/x", &r, &left, &err), &err);
	assert_int_equal(r.status, 401);
	assert_true(left);
	http_response_release(&r);
}

static void queries_are_not_shown(void **state)
{
	struct http_response r;
	struct error err = {0};
	bool left;

	(void)state;
	assert_ok(get("relative/x", &r, &left, &err), &err);
	assert_null(strchr(r.url, '?'));
	http_response_release(&r);
}

static void f66_other_schemes_and_user_names_are_refused(void **state)
{
	(void)state;
	refused("to-file/x", ERR_INVALID, "neither http nor https");
	refused("to-ftp/x", ERR_INVALID, "neither http nor https");
	refused("to-user/x", ERR_INVALID, "user name");
	refused("to-control/x", ERR_INVALID, "control characters");
	refused("to-metadata/x", ERR_INVALID, "169.254.169.254, an address of this machine");
}

static void c08_from_https_to_http_is_refused(void **state)
{
	cleanup_free char *url = xasprintf("https://localhost:%u/v2/plain/x", server.tls_port);
	struct http_response r;
	struct error err = {0};
	bool left;

	(void)state;
	assert_int_equal(get_url(url, &r, &left, &err), -1);
	assert_error(&err, ERR_INVALID, "from https to plain http");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(f66_what_is_no_redirect_comes_back),
		cmocka_unit_test(c08_ten_redirects_of_all_kinds_are_followed),
		cmocka_unit_test(f66_a_loop_ends),
		cmocka_unit_test(c08_secrets_stay_with_their_origin),
		cmocka_unit_test(c08_secrets_do_not_come_back_by_a_second_redirect),
		cmocka_unit_test(f66_a_challenge_from_elsewhere_is_marked),
		cmocka_unit_test(queries_are_not_shown),
		cmocka_unit_test(f66_other_schemes_and_user_names_are_refused),
		cmocka_unit_test(c08_from_https_to_http_is_refused),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
