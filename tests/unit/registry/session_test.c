/* SPDX-License-Identifier: Apache-2.0 */
/* Requests to a repository: scheme (C19), trying again (C11), refusals (C12), tokens (C3-C8). */
#include "registry/session.h"

#include <stdlib.h>
#include <strings.h>
#include <time.h>

#include "pkg/base/alloc.h"
#include "pkg/base/log.h"
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
	assert_error(&err, ERR_VERIFICATION, "https://127.0.0.1");
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
	fails("basic", "manifests", ERR_UNAUTHORIZED, "401");
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
	fails("basic", "manifests", ERR_UNAUTHORIZED, "401 authentication required (Basic)");
	fails("status-403", "manifests", ERR_UNAUTHORIZED, "access denied: DENIED");
	fails("html-404", "manifests", ERR_NOT_FOUND, "404 not found");
	fails("errors-404", "manifests", ERR_NOT_FOUND, "404 not found");
	fails("status-302", "manifests", ERR_INVALID, "302 unexpected answer");
}

static char said[1024];

static void hear(enum log_level level, const char *text)
{
	if (level == LOG_LEVEL_WARNING)
		strncat(said, text, sizeof(said) - strlen(said) - 1);
}

static void c12_f71_warnings_for_people_are_shown_once(void **state)
{
	cleanup(session_free_ptr) struct session *s =
		open_session("127.0.0.1", server.port, "warns");
	cleanup_free char *want = xasprintf("127.0.0.1:%u says: old ?[31mname 0", server.port);
	struct error err = {0};

	(void)state;
	log_set_sink(hear, LOG_LEVEL_WARNING);
	for (int i = 0; i < 3; i++) {
		struct http_response r;

		assert_ok(session_get(s, "blobs", "x", NULL, &r, &err), &err);
		http_response_release(&r);
	}
	log_set_sink(NULL, LOG_LEVEL_WARNING);
	assert_string_equal(said, want);
}

static void c08_redirects_are_followed(void **state)
{
	(void)state;
	succeeds("hop-3", "blobs");
	fails("loop", "blobs", ERR_INVALID, "more than 10 redirects");
	fails("asks", "blobs", ERR_UNAUTHORIZED, "401");
}

/* --- tokens --------------------------------------------------------------------------------------
 */

static char *get_text(struct session *s, const char *kind)
{
	struct buffer body = {0};
	struct http_response r;
	struct error err = {0};

	assert_ok(session_get(s, kind, "x", NULL, &r, &err), &err);
	assert_ok(stream_read_all(r.body, 1 << 20, &body, &err), &err);
	http_response_release(&r);
	return body.data ? buffer_detach(&body) : xstrdup("");
}

/* How often a token for the repository was asked for; the first request of all, if wanted. */
static int tokens_asked(const char *path, char **ret_request)
{
	cleanup(session_free_ptr) struct session *s = open_session("127.0.0.1", server.port, "log");
	cleanup_free char *log = get_text(s, "manifests");
	cleanup_free char *mark = xasprintf("n=%s&", path);
	int n = 0;

	if (ret_request)
		*ret_request = NULL;
	for (char *p = log; (p = strstr(p, mark)); p += strlen(mark), n++) {
		char *line = p;

		while (line > log && line[-1] != '\n')
			line--;
		if (ret_request && !*ret_request)
			*ret_request = xstrdup(line);
	}
	return n;
}

static void c03_c07_a_token_is_fetched_wherever_the_registry_says(void **state)
{
	static const struct {
		const char *host;
		bool tls;
		const char *path;
	} cases[] = {
		{"127.0.0.1", false, "auth-plain-good/from-plain"}, /* the same host and port */
		{"127.0.0.1", false, "auth-other-good/from-plain"}, /* another port */
		{"127.0.0.1", false, "auth-name-good/from-plain"},  /* another host */
		{"127.0.0.1", false, "auth-tls-good/from-plain"},
		{"127.0.0.1", false, "auth-auth-good/from-plain"},
		{"localhost", true, "auth-tls-good/from-tls"},
		{"localhost", true, "auth-auth-good/from-tls"}, /* another host, as docker.io */
		{"127.0.0.1", false, "auth-plain-access/from-plain"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		unsigned port = cases[i].tls ? server.tls_port : server.port;
		struct http_response r;
		struct error err = {0};

		assert_ok(get(cases[i].host, port, cases[i].path, "manifests", &r, &err), &err);
		http_response_release(&r);
		assert_int_equal(tokens_asked(cases[i].path, NULL), 1);
	}
}

static void c05_c06_tokens_are_asked_for_anonymously(void **state)
{
	cleanup_free char *request = NULL;
	char *first_end, *next;

	(void)state;
	succeeds("auth-other-good/deep/er", "blobs");
	assert_int_equal(tokens_asked("auth-other-good/deep/er", &request), 1);
	first_end = strchr(request, '\n');
	next = strstr(first_end, "\nGET ");
	if (next)
		*next = '\0';
	assert_null(strcasestr(first_end, "\nauthorization:"));
	assert_null(strcasestr(first_end, "\ncookie:"));
	*first_end = '\0';
	if (strcasecmp(request, "GET /token/good?own=a%20b&n=auth-other-good/deep/er"
				"&service=a+fake%26one"
				"&scope=repository%3Aauth-other-good%2Fdeep%2Fer%3Apull"
				"&scope=also%3Athis%3Aone HTTP/1.1")
	    != 0)
		fail_msg("%s", request);
}

static void c05_a_token_serves_many_requests(void **state)
{
	cleanup(session_free_ptr) struct session *s =
		open_session("127.0.0.1", server.port, "auth-other-echo/many");

	(void)state;
	for (int i = 0; i < 5; i++) {
		cleanup_free char *seen = get_text(s, i % 2 ? "manifests" : "blobs");

		assert_non_null(strstr(seen, "Authorization: Bearer SECRET/"));
	}
	assert_int_equal(tokens_asked("auth-other-echo/many", NULL), 1);
}

static void c03_a_token_that_expires_is_renewed(void **state)
{
	cleanup(session_free_ptr) struct session *s =
		open_session("127.0.0.1", server.port, "auth-other-three/expires");

	(void)state;
	for (int i = 0; i < 10; i++)
		free(get_text(s, "blobs"));
	assert_int_equal(tokens_asked("auth-other-three/expires", NULL), 4);
}

static void f68_a_refused_token_is_renewed_once(void **state)
{
	static const char *const paths[] = {"auth-other-never/x", "auth-other-narrow/x"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		fails(paths[i], "manifests", ERR_UNAUTHORIZED,
		      "with an anonymous token: 401 authentication required (Bearer): "
		      "UNAUTHORIZED");
		assert_int_equal(tokens_asked(paths[i], NULL), 1);
	}
}

static void f68_a_server_that_gives_the_same_again_ends_it(void **state)
{
	cleanup(session_free_ptr) struct session *s =
		open_session("127.0.0.1", server.port, "auth-other-same/x");
	struct http_response r;
	struct error err = {0};

	(void)state;
	free(get_text(s, "blobs"));
	assert_int_equal(session_get(s, "blobs", "x", NULL, &r, &err), -1);
	assert_error(&err, ERR_UNAUTHORIZED, "with an anonymous token");
	assert_int_equal(tokens_asked("auth-other-same/x", NULL), 2);
}

static void c08_tokens_stay_with_the_registry(void **state)
{
	static const char *const paths[] = {"auth-other-away", "auth-other-back"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		cleanup(session_free_ptr) struct session *s =
			open_session("127.0.0.1", server.port, paths[i]);

		for (int n = 0; n < 2; n++) { /* when it is new, and when it is known */
			cleanup_free char *seen = get_text(s, "blobs");

			assert_non_null(strstr(seen, "GET /v2/echo/x"));
			assert_null(strcasestr(seen, "authorization"));
			assert_null(strstr(seen, "SECRET"));
		}
		assert_int_equal(tokens_asked(paths[i], NULL), 1);
	}
}

static void f66_a_challenge_from_elsewhere_is_not_answered(void **state)
{
	(void)state;
	fails("auth-other-asks", "blobs", ERR_UNAUTHORIZED, "401");
	assert_int_equal(tokens_asked("auth-other-asks", NULL), 1);
	assert_int_equal(tokens_asked("auth-plain-good", NULL), 0);
}

static void f67_hostile_realms_are_not_asked(void **state)
{
	struct http_response r;
	struct error err = {0};

	(void)state;
	fails("auth-far-good", "blobs", ERR_INVALID, "auth.example.com is not https");
	fails("auth-near-good", "blobs", ERR_INVALID, "169.254.169.254 is an address");
	fails("auth-wrong-good", "blobs", ERR_VERIFICATION, "https://localhost");
	fails("realm-none", "blobs", ERR_INVALID, "token: the registry names no token server");
	fails("realm-relative", "blobs", ERR_INVALID, "/token/good");
	/* From a registry with TLS not even this machine is asked in plain. */
	assert_int_equal(get("localhost", server.tls_port, "auth-name-good/tls", "blobs", &r, &err),
			 -1);
	assert_error(&err, ERR_INVALID, "localhost is not https");
	assert_int_equal(tokens_asked("auth-name-good/tls", NULL), 0);
}

static void f67_hostile_answers_end_it_and_are_not_shown(void **state)
{
	static const struct {
		const char *path;
		enum error_kind kind;
		int asked;
	} cases[] = {
		{"auth-other-s401", ERR_UNAUTHORIZED, 1}, {"auth-other-s403", ERR_UNAUTHORIZED, 1},
		{"auth-other-moved", ERR_INVALID, 1},	  {"auth-other-huge", ERR_INVALID, 1},
		{"auth-other-newline", ERR_INVALID, 1},	  {"auth-other-html", ERR_INVALID, 1},
		{"auth-other-none", ERR_INVALID, 1},	  {"auth-other-down", ERR_NETWORK, 3},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct http_response r;
		struct error err = {0};
		char text[1024];

		assert_int_equal(get("127.0.0.1", server.port, cases[i].path, "manifests", &r,
				     &err),
				 -1);
		assert_error(&err, cases[i].kind, "manifest from 127.0.0.1");
		assert_error(&err, cases[i].kind, "token: http://127.0.0.1:");
		error_text(&err, text, sizeof(text));
		assert_null(strstr(text, "SECRET"));
		assert_null(strchr(text, '&'));
		assert_int_equal(tokens_asked(cases[i].path, NULL), cases[i].asked);
	}
}

static void c11_token_servers_are_tried_again_too(void **state)
{
	(void)state;
	succeeds("auth-other-busy", "manifests");
	succeeds("auth-other-resets", "manifests");
	succeeds("auth-other-cut", "manifests");
	assert_int_equal(tokens_asked("auth-other-cut", NULL), 2);
}

static void without_bearer_there_is_no_token(void **state)
{
	(void)state;
	fails("basic", "manifests", ERR_UNAUTHORIZED, "401 authentication required (Basic)");
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
		cmocka_unit_test(c12_f71_warnings_for_people_are_shown_once),
		cmocka_unit_test(c08_redirects_are_followed),
		cmocka_unit_test(c03_c07_a_token_is_fetched_wherever_the_registry_says),
		cmocka_unit_test(c05_c06_tokens_are_asked_for_anonymously),
		cmocka_unit_test(c05_a_token_serves_many_requests),
		cmocka_unit_test(c03_a_token_that_expires_is_renewed),
		cmocka_unit_test(f68_a_refused_token_is_renewed_once),
		cmocka_unit_test(f68_a_server_that_gives_the_same_again_ends_it),
		cmocka_unit_test(c08_tokens_stay_with_the_registry),
		cmocka_unit_test(f66_a_challenge_from_elsewhere_is_not_answered),
		cmocka_unit_test(f67_hostile_realms_are_not_asked),
		cmocka_unit_test(f67_hostile_answers_end_it_and_are_not_shown),
		cmocka_unit_test(c11_token_servers_are_tried_again_too),
		cmocka_unit_test(without_bearer_there_is_no_token),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
