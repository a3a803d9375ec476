/* SPDX-License-Identifier: Apache-2.0 */
/* One request: what is sent, what comes back, and all the ways it can break (C9, F64, F70, F71). */
#include "registry/http.h"

#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/interrupt.h"
#include "tests/support/cmocka.h"
#include "tests/support/fake_registry.h"

static struct fake_registry server;
static struct http_client *client;

static int start(void **state)
{
	static const struct http_options options = {.connect_ms = 3000,
						    .low_speed_bytes = 100,
						    .low_speed_s = 1};

	(void)state;
	fake_registry_start(&server);
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

static int get(const char *path, struct http_response *ret, enum http_problem *problem,
	       struct error *err)
{
	cleanup_free char *url = xasprintf("http://127.0.0.1:%u/v2/%s", server.port, path);
	struct http_request request = {.url = url, .accept = "a/b", .authorization = "Bearer t"};

	return http_get(client, &request, ret, problem, err);
}

static struct http_response good(const char *path)
{
	struct http_response r;
	enum http_problem problem;
	struct error err = {0};

	assert_ok(get(path, &r, &problem, &err), &err);
	assert_int_equal(problem, HTTP_PROBLEM_NONE);
	return r;
}

static struct buffer body_of(struct http_response *r)
{
	struct buffer body = {0};
	struct error err = {0};

	assert_ok(stream_read_all(r->body, 64 << 20, &body, &err), &err);
	assert_ok(stream_finish(r->body, &err), &err);
	return body;
}

static void body_fails(const char *path, const char *reason)
{
	struct http_response r = good(path);
	struct buffer body = {0};
	struct error err = {0}, again = {0};

	assert_int_equal(stream_read_all(r.body, 64 << 20, &body, &err), -1);
	assert_error(&err, ERR_NETWORK, reason);
	assert_error(&err, ERR_NETWORK, path);
	assert_int_equal(stream_finish(r.body, &again), -1);
	assert_string_equal(again.cause, err.cause);
	buffer_release(&body);
	http_response_release(&r);
}

static void request_fails(const char *path, enum error_kind kind, enum http_problem expected)
{
	struct http_response r;
	enum http_problem problem;
	struct error err = {0};

	assert_int_equal(get(path, &r, &problem, &err), -1);
	assert_error(&err, kind, path);
	assert_int_equal(problem, expected);
}

static void headers_and_body_come_back(void **state)
{
	struct http_response r = good("ok/manifests/x");
	struct buffer body = body_of(&r);

	(void)state;
	assert_int_equal(r.status, 200);
	assert_string_equal(r.content_type, "application/vnd.oci.image.manifest.v1+json");
	assert_int_equal(strncmp(r.content_digest, "sha256:", 7), 0);
	assert_int_equal(r.content_length, body.len);
	assert_null(r.location);
	assert_non_null(strstr(r.url, "/v2/ok/manifests/x"));
	assert_non_null(strstr((char *)body.data, "schemaVersion"));
	buffer_release(&body);
	http_response_release(&r);
}

static void c09_what_is_sent_is_what_is_meant(void **state)
{
	struct http_response r = good("echo/x");
	struct buffer body = body_of(&r);
	const char *text = (char *)body.data;

	(void)state;
	assert_int_equal(strncmp(text, "GET /v2/echo/x HTTP/1.1\n", 24), 0);
	assert_non_null(strstr(text, "\nAccept-Encoding: identity"));
	assert_non_null(strstr(text, "\nAccept: a/b"));
	assert_non_null(strstr(text, "\nAuthorization: Bearer t"));
	assert_null(strstr(text, "Cookie"));
	buffer_release(&body);
	http_response_release(&r);
}

static void c05_a_form_is_posted(void **state)
{
	struct http_request request = {.form = "a=b&c=d%20e"};
	cleanup_free char *url = xasprintf("http://127.0.0.1:%u/v2/echo/x", server.port);
	enum http_problem problem;
	struct http_response r;
	struct buffer body;
	struct error err = {0};
	char *text;

	(void)state;
	request.url = url;
	assert_ok(http_get(client, &request, &r, &problem, &err), &err);
	body = body_of(&r);
	text = (char *)body.data;
	assert_int_equal(strncmp(text, "POST /v2/echo/x HTTP/1.1\n", 25), 0);
	assert_non_null(strstr(text, "\nContent-Length: 11"));
	assert_non_null(strstr(text, "\nContent-Type: application/x-www-form-urlencoded"));
	assert_null(strstr(text, "\nExpect"));
	buffer_release(&body);
	http_response_release(&r);
}

static void any_status_is_a_response(void **state)
{
	struct http_response r = good("status-404/x");

	(void)state;
	assert_int_equal(r.status, 404);
	http_response_release(&r);
	r = good("loop/x");
	assert_int_equal(r.status, 307);
	assert_string_equal(r.location, "/v2/loop/x");
	http_response_release(&r);
}

static void c04_several_challenges_are_joined(void **state)
{
	struct http_response r = good("status-401/x");

	(void)state;
	assert_string_equal(r.authenticate, "Basic realm=\"simple\", Bearer "
					    "realm=\"https://auth.test/token\",service=\"x\"");
	http_response_release(&r);
}

static void retry_after_is_read(void **state)
{
	struct http_response r = good("later/once");

	(void)state;
	assert_int_equal(r.status, 429);
	assert_int_equal(r.retry_after_s, 1);
	http_response_release(&r);
}

static void interim_responses_do_not_count(void **state)
{
	struct http_response r = good("interim/manifests/x");

	(void)state;
	assert_int_equal(r.status, 200);
	assert_string_equal(r.content_type, "application/vnd.oci.image.manifest.v1+json");
	http_response_release(&r);
}

static void bodies_of_all_framings_are_whole(void **state)
{
	static const char *const paths[] = {"ok/blobs/x", "chunked/x", "close/x"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		struct http_response r = good(paths[i]);
		struct buffer body = body_of(&r);

		assert_int_equal(body.len, 100000);
		for (size_t k = 0; k < body.len; k++)
			if (body.data[k] != k * k % 251)
				fail_msg("%s: byte %zu", paths[i], k);
		if (i > 0)
			assert_true(r.content_length == HTTP_LENGTH_UNKNOWN);
		buffer_release(&body);
		http_response_release(&r);
	}
}

static void an_empty_body_ends_at_once(void **state)
{
	struct http_response r = good("size-0/x");
	struct buffer body = body_of(&r);

	(void)state;
	assert_int_equal(body.len, 0);
	buffer_release(&body);
	http_response_release(&r);
}

/* Reads slowly at first, so that the transfer is paused; memory stays bounded. */
static void a_large_body_is_paused_while_nobody_reads(void **state)
{
	struct http_response r = good("big/x");
	uint64_t total = 0;
	struct mallinfo2 before, after;
	struct error err = {0};
	const uint8_t *piece;
	size_t n;
	int rc;

	(void)state;
	before = mallinfo2();
	while ((rc = stream_peek(r.body, &piece, &n, &err)) == 0) {
		if (total < (8 << 20))
			usleep(10000);
		stream_advance(r.body, n);
		total += n;
	}
	after = mallinfo2();
	assert_int_equal(rc, 1);
	assert_int_equal(total, 48 << 20);
	assert_true(after.uordblks + after.hblkhd < before.uordblks + before.hblkhd + (4 << 20));
	assert_ok(stream_finish(r.body, &err), &err);
	http_response_release(&r);
}

/* The time in which nobody reads is not held against the server. */
static void a_reader_may_rest_longer_than_the_server_may(void **state)
{
	struct http_response r = good("big/x");
	struct error err = {0};
	char piece[100];
	size_t n;

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_ok(stream_read(r.body, piece, sizeof(piece), &n, &err), &err);
		usleep(2500000);
	}
	assert_ok(stream_finish(r.body, &err), &err);
	http_response_release(&r);
}

static void a_body_may_be_closed_half_read(void **state)
{
	struct http_response r = good("big/x");
	struct error err = {0};
	char piece[100];
	size_t n;

	(void)state;
	assert_ok(stream_read(r.body, piece, sizeof(piece), &n, &err), &err);
	assert_int_equal(n, sizeof(piece));
	http_response_release(&r);
	r = good("ok/x");
	http_response_release(&r);
}

static void two_bodies_can_be_read_in_turn(void **state)
{
	struct http_response a = good("big/x"), b = good("big/y");
	struct error err = {0};
	char x[5000], y[5000];
	size_t n;

	(void)state;
	for (int i = 0; i < 500; i++) {
		assert_ok(stream_read(a.body, x, sizeof(x), &n, &err), &err);
		assert_ok(stream_read(b.body, y, sizeof(y), &n, &err), &err);
		assert_memory_equal(x, y, sizeof(x));
	}
	http_response_release(&a);
	http_response_release(&b);
}

static void f64_a_cut_body_is_a_network_error(void **state)
{
	(void)state;
	body_fails("cut-9/blobs/x", "cut after 50000 of 100000 bytes");
	body_fails("chunkcut/x", "cut after 1000 bytes");
}

static void f64_a_slow_body_is_given_up(void **state)
{
	(void)state;
	body_fails("slow/x", "of 1000 bytes");
}

static void f64_a_silent_server_is_given_up(void **state)
{
	(void)state;
	request_fails("silent/x", ERR_NETWORK, HTTP_PROBLEM_BROKEN);
}

static void a_reset_connection_is_broken(void **state)
{
	(void)state;
	request_fails("resets-9/x", ERR_NETWORK, HTTP_PROBLEM_BROKEN);
}

static void f71_endless_headers_are_refused(void **state)
{
	(void)state;
	request_fails("flood/x", ERR_INVALID, HTTP_PROBLEM_OTHER);
}

static void nobody_there_is_a_connect_problem(void **state)
{
	static const struct {
		const char *url, *step;
		enum error_detail detail;
	} cases[] = {
		{"http://127.0.0.1:1/", "connecting: ", ERR_DETAIL_CONNECT},
		{"http://does-not-exist.invalid/", "resolving the host: ", ERR_DETAIL_HOST},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct http_request request = {.url = cases[i].url};
		struct http_response r;
		enum http_problem problem;
		struct error err = {0};

		assert_int_equal(http_get(client, &request, &r, &problem, &err), -1);
		assert_error(&err, ERR_NETWORK, cases[i].step);
		assert_int_equal(err.detail, cases[i].detail);
		assert_int_equal(problem, HTTP_PROBLEM_CONNECT);
	}
}

static void a_handshake_that_never_ends_may_be_no_tls(void **state)
{
	struct http_options options = {.connect_ms = 700};
	cleanup(http_client_free_ptr) struct http_client *c = http_client_new(&options);
	cleanup_free char *url = xasprintf("https://127.0.0.1:%u/", server.mute_port);
	struct http_request request = {.url = url};
	struct http_response r;
	enum http_problem problem;
	struct error err = {0};

	(void)state;
	assert_int_equal(http_get(c, &request, &r, &problem, &err), -1);
	assert_error(&err, ERR_NETWORK, "TLS handshake: ");
	assert_int_equal(err.detail, ERR_DETAIL_SILENT);
	assert_int_equal(problem, HTTP_PROBLEM_NO_TLS);
}

static void other_schemes_are_refused(void **state)
{
	struct http_request request = {.url = "file:///etc/passwd"};
	struct http_response r;
	enum http_problem problem;
	struct error err = {0};

	(void)state;
	assert_int_equal(http_get(client, &request, &r, &problem, &err), -1);
	assert_int_equal(problem, HTTP_PROBLEM_OTHER);
}

static int get_tls(unsigned port, const char *host, const char *ca_file, enum http_problem *problem,
		   struct error *err)
{
	struct http_options options = {.connect_ms = 3000, .ca_file = ca_file};
	struct http_client *c = http_client_new(&options);
	cleanup_free char *url = xasprintf("https://%s:%u/v2/ok/x", host, port);
	struct http_request request = {.url = url};
	struct http_response r;
	int rc = http_get(c, &request, &r, problem, err);

	if (rc == 0)
		http_response_release(&r);
	http_client_free(c);
	return rc;
}

static void f70_certificates_are_checked(void **state)
{
	enum http_problem problem;
	struct error err = {0};

	(void)state;
	assert_ok(get_tls(server.tls_port, "localhost", server.ca_file, &problem, &err), &err);
	assert_int_equal(get_tls(server.tls_port, "127.0.0.1", server.ca_file, &problem, &err), -1);
	assert_error(&err, ERR_VERIFICATION, "TLS certificate: ");
	assert_error(&err, ERR_VERIFICATION, "target host name '127.0.0.1'");
	assert_int_equal(err.detail, ERR_DETAIL_CERT_NAME);
	assert_int_equal(problem, HTTP_PROBLEM_CERTIFICATE);
	assert_int_equal(get_tls(server.tls_port, "localhost", NULL, &problem, &err), -1);
	assert_error(&err, ERR_VERIFICATION, "TLS certificate: SSL certificate problem");
	assert_int_equal(err.detail, ERR_DETAIL_AUTHORITY);
	assert_int_equal(problem, HTTP_PROBLEM_CERTIFICATE);
	assert_false(http_problem_may_pass(problem));
}

static void c20_certificates_are_checked_by_the_file_of_the_user(void **state)
{
	enum http_problem problem;
	struct error err = {0};

	(void)state;
	setenv("SSL_CERT_FILE", server.ca_file, 1);
	assert_ok(get_tls(server.tls_port, "localhost", NULL, &problem, &err), &err);
	setenv("SSL_CERT_FILE", "/nonexistent/ca.pem", 1);
	assert_int_equal(get_tls(server.tls_port, "localhost", NULL, &problem, &err), -1);
	assert_error(&err, ERR_SYSTEM, "/nonexistent/ca.pem");
	assert_int_equal(err.detail, ERR_DETAIL_NO_CA_FILE);
	assert_ok(get_tls(server.tls_port, "localhost", server.ca_file, &problem, &err), &err);
	setenv("SSL_CERT_FILE", "", 1);
	assert_int_equal(get_tls(server.tls_port, "localhost", NULL, &problem, &err), -1);
	assert_int_equal(err.detail, ERR_DETAIL_AUTHORITY);
	unsetenv("SSL_CERT_FILE");
}

static void f70_plain_http_on_the_tls_port_is_told_apart(void **state)
{
	enum http_problem problem;
	struct error err = {0};

	(void)state;
	assert_int_equal(get_tls(server.port, "localhost", server.ca_file, &problem, &err), -1);
	assert_error(&err, ERR_NETWORK, "TLS handshake: ");
	assert_int_equal(err.detail, ERR_DETAIL_NO_TLS);
	assert_int_equal(problem, HTTP_PROBLEM_NO_TLS);
}

/* Last: the signal flag stays set. */
static void a_signal_ends_a_request(void **state)
{
	struct http_response r;
	enum http_problem problem;
	struct error err = {0};

	(void)state;
	interrupt_install();
	raise(SIGTERM);
	assert_int_equal(get("silent/x", &r, &problem, &err), -1);
	assert_error(&err, ERR_INTERRUPTED, "signal");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers_and_body_come_back),
		cmocka_unit_test(c09_what_is_sent_is_what_is_meant),
		cmocka_unit_test(c05_a_form_is_posted),
		cmocka_unit_test(any_status_is_a_response),
		cmocka_unit_test(c04_several_challenges_are_joined),
		cmocka_unit_test(retry_after_is_read),
		cmocka_unit_test(interim_responses_do_not_count),
		cmocka_unit_test(bodies_of_all_framings_are_whole),
		cmocka_unit_test(an_empty_body_ends_at_once),
		cmocka_unit_test(a_large_body_is_paused_while_nobody_reads),
		cmocka_unit_test(a_reader_may_rest_longer_than_the_server_may),
		cmocka_unit_test(a_body_may_be_closed_half_read),
		cmocka_unit_test(two_bodies_can_be_read_in_turn),
		cmocka_unit_test(f64_a_cut_body_is_a_network_error),
		cmocka_unit_test(f64_a_slow_body_is_given_up),
		cmocka_unit_test(f64_a_silent_server_is_given_up),
		cmocka_unit_test(a_reset_connection_is_broken),
		cmocka_unit_test(f71_endless_headers_are_refused),
		cmocka_unit_test(nobody_there_is_a_connect_problem),
		cmocka_unit_test(a_handshake_that_never_ends_may_be_no_tls),
		cmocka_unit_test(other_schemes_are_refused),
		cmocka_unit_test(f70_certificates_are_checked),
		cmocka_unit_test(c20_certificates_are_checked_by_the_file_of_the_user),
		cmocka_unit_test(f70_plain_http_on_the_tls_port_is_told_apart),
		cmocka_unit_test(a_signal_ends_a_request),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
