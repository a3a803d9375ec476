/* SPDX-License-Identifier: Apache-2.0 */
/* Requests to a repository: scheme (C19), trying again (C11), refusals (C12). */
#include "registry/session.h"

#include <stdlib.h>
#include <time.h>

#include "pkg/base/alloc.h"
#include "tests/support/cmocka.h"
#include "tests/support/fake_registry.h"

static struct fake_registry server;

static int start(void **state)
{
	(void)state;
	fake_registry_start(&server);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	fake_registry_stop(&server);
	return 0;
}

static struct session *open_session(const char *host, unsigned port, const char *path)
{
	struct http_options http = {.connect_ms = 3000, .ca_file = server.ca_file};
	struct session_options options = {.http = &http, .tries = 3, .backoff_ms = 10};
	cleanup_free char *text = xasprintf("%s:%u/%s", host, port, path);
	struct reference ref;
	struct session *s;
	struct error err = {0};

	assert_ok(reference_parse(text, &ref, &err), &err);
	s = session_new(&ref, &options);
	reference_release(&ref);
	return s;
}

static int get(const char *host, unsigned port, const char *path, const char *kind,
	       struct http_response *r, struct error *err)
{
	cleanup(session_free_ptr) struct session *s = open_session(host, port, path);
	int rc = session_get(s, kind, "x", "a/b", r, err);

	/* No body may outlive its client. */
	if (rc == 0) {
		stream_close(r->body);
		r->body = NULL;
	}
	return rc;
}

static void succeeds(const char *path, const char *kind)
{
	struct http_response r;
	struct error err = {0};

	assert_ok(get("127.0.0.1", server.port, path, kind, &r, &err), &err);
	assert_int_equal(r.status, 200);
	http_response_release(&r);
}

static void fails(const char *path, const char *kind, enum error_kind expected, const char *reason)
{
	struct http_response r;
	struct error err = {0};

	assert_int_equal(get("127.0.0.1", server.port, path, kind, &r, &err), -1);
	assert_error(&err, expected, reason);
}

static void c02_c03_manifests_and_blobs_have_their_urls(void **state)
{
	struct http_response r;
	struct error err = {0};

	(void)state;
	assert_ok(get("127.0.0.1", server.port, "ok/deep/er", "manifests", &r, &err), &err);
	assert_non_null(strstr(r.url, "/v2/ok/deep/er/manifests/x"));
	http_response_release(&r);
	succeeds("ok", "blobs");
}

static void c19_plain_http_on_this_machine_is_found_out(void **state)
{
	static const char *const hosts[] = {"localhost", "127.0.0.1"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(hosts); i++) {
		struct http_response r;
		struct error err = {0};

		assert_ok(get(hosts[i], server.port, "ok", "manifests", &r, &err), &err);
		assert_int_equal(strncmp(r.url, "http:", 5), 0);
		http_response_release(&r);
	}
}

static void c19_tls_on_this_machine_is_preferred(void **state)
{
	struct http_response r;
	struct error err = {0};

	(void)state;
	assert_ok(get("localhost", server.tls_port, "ok", "manifests", &r, &err), &err);
	assert_int_equal(strncmp(r.url, "https:", 6), 0);
	http_response_release(&r);
}

static void c19_a_bad_certificate_is_no_reason_for_plain_http(void **state)
{
	struct http_response r;
	struct error err = {0};

	(void)state;
	assert_int_equal(get("127.0.0.1", server.tls_port, "ok", "manifests", &r, &err), -1);
	assert_error(&err, ERR_NETWORK, "https://127.0.0.1");
}

static void c19_one_answer_by_tls_and_plain_http_is_out_of_the_question(void **state)
{
	cleanup(session_free_ptr) struct session *s =
		open_session("localhost", server.tls_port, "ok");
	struct http_response r;
	struct error err = {0};

	(void)state;
	assert_ok(session_get(s, "manifests", "x", NULL, &r, &err), &err);
	http_response_release(&r);
	fake_registry_stop(&server);
	assert_int_equal(session_get(s, "manifests", "x", NULL, &r, &err), -1);
	assert_error(&err, ERR_NETWORK, "https://localhost");
	fake_registry_start(&server);
}

static void c19_port_80_is_plain_and_443_never(void **state)
{
	static const struct {
		const char *host;
		unsigned port;
		const char *url;
	} cases[] = {
		{"127.0.0.1", 80, "http://127.0.0.1:80/"},
		{"127.0.0.1", 443, "https://127.0.0.1:443/"},
		{"[::1]", 80, "http://[::1]:80/"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct http_response r;
		struct error err = {0};

		/* Somebody may listen there: only the URL counts. */
		assert_int_equal(get(cases[i].host, cases[i].port, "ok", "manifests", &r, &err),
				 -1);
		assert_error(&err, err.kind, cases[i].url);
	}
}

static void c19_elsewhere_only_https_is_used(void **state)
{
	struct http_response r;
	struct error err = {0};

	(void)state;
	assert_int_equal(get("does-not-exist.invalid", 80, "ok", "manifests", &r, &err), -1);
	assert_error(&err, ERR_NETWORK, "https://does-not-exist.invalid:80/");
}

static void c11_what_may_pass_is_tried_again(void **state)
{
	(void)state;
	succeeds("fails-500-2", "manifests");
	succeeds("fails-502-1", "manifests");
	succeeds("fails-503-2", "blobs");
	succeeds("fails-429-1", "blobs");
	succeeds("fails-408-1", "blobs");
	succeeds("resets-2", "blobs");
}

static void c11_tries_come_to_an_end(void **state)
{
	(void)state;
	fails("fails-503-3", "manifests", ERR_NETWORK, "503");
	fails("resets-3", "manifests", ERR_NETWORK, "resets-3");
	fails("status-500", "manifests", ERR_NETWORK, "500");
}

static void c11_the_rest_is_tried_once(void **state)
{
	(void)state;
	fails("fails-400-1", "manifests", ERR_INVALID, "400");
	fails("fails-401-1", "manifests", ERR_UNAUTHORIZED, "401");
	fails("fails-403-1", "manifests", ERR_UNAUTHORIZED, "403");
	fails("fails-404-1", "manifests", ERR_NOT_FOUND, "404");
	fails("fails-405-1", "manifests", ERR_INVALID, "405");
}

static void c11_retry_after_is_obeyed(void **state)
{
	struct timespec before, after;

	(void)state;
	clock_gettime(CLOCK_MONOTONIC, &before);
	succeeds("later", "manifests");
	clock_gettime(CLOCK_MONOTONIC, &after);
	assert_true((after.tv_sec - before.tv_sec) * 1000
			    + (after.tv_nsec - before.tv_nsec) / 1000000
		    >= 990);
}

static void c12_errors_name_registry_url_and_reason(void **state)
{
	cleanup_free char *expected = NULL;

	(void)state;
	expected = xasprintf("127.0.0.1:%u: http://127.0.0.1:%u/v2/status-404/manifests/x: 404 not "
			     "found: MANIFEST_UNKNOWN: refused for the [31mtest",
			     server.port, server.port);
	fails("status-404", "manifests", ERR_NOT_FOUND, expected);
	fails("status-401", "manifests", ERR_UNAUTHORIZED, "(Bearer)");
	fails("status-403", "manifests", ERR_UNAUTHORIZED, "access denied: DENIED");
	fails("html-404", "manifests", ERR_NOT_FOUND, "404 not found");
	fails("errors-404", "manifests", ERR_NOT_FOUND, "404 not found");
	fails("status-302", "manifests", ERR_INVALID, "302 unexpected answer");
}

static void c08_redirects_are_followed(void **state)
{
	(void)state;
	succeeds("hop-3", "blobs");
	fails("loop", "blobs", ERR_NETWORK, "more than 10 redirects");
	fails("asks", "blobs", ERR_UNAUTHORIZED, "401");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(c02_c03_manifests_and_blobs_have_their_urls),
		cmocka_unit_test(c19_plain_http_on_this_machine_is_found_out),
		cmocka_unit_test(c19_tls_on_this_machine_is_preferred),
		cmocka_unit_test(c19_a_bad_certificate_is_no_reason_for_plain_http),
		cmocka_unit_test(c19_one_answer_by_tls_and_plain_http_is_out_of_the_question),
		cmocka_unit_test(c19_port_80_is_plain_and_443_never),
		cmocka_unit_test(c19_elsewhere_only_https_is_used),
		cmocka_unit_test(c11_what_may_pass_is_tried_again),
		cmocka_unit_test(c11_tries_come_to_an_end),
		cmocka_unit_test(c11_the_rest_is_tried_once),
		cmocka_unit_test(c11_retry_after_is_obeyed),
		cmocka_unit_test(c12_errors_name_registry_url_and_reason),
		cmocka_unit_test(c08_redirects_are_followed),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
