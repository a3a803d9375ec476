/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From endpoint to endpoint (C3, C16 to C19): which one answers, when the next is asked, what is
 * told; and what a session makes of an endpoint.
 */
#include "registry/route.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "pkg/base/alloc.h"
#include "pkg/base/log.h"
#include "registry/endpoints.h"
#include "registry/manifest.h"
#include "tests/support/cmocka.h"
#include "tests/support/fake_registry.h"
#include "tests/support/layout_folder.h"

static struct fake_registry server;
static struct buffer warnings;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void hear(enum log_level level, const char *text)
{
	if (level != LOG_LEVEL_WARNING)
		return;
	pthread_mutex_lock(&lock);
	buffer_printf(&warnings, "%s\n", text);
	pthread_mutex_unlock(&lock);
}

static int start(void **state)
{
	(void)state;
	fake_registry_start(&server);
	log_set_sink(hear, LOG_LEVEL_WARNING);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	fake_registry_stop(&server);
	buffer_release(&warnings);
	return 0;
}

static int set_up(void **state)
{
	(void)state;
	buffer_clear(&warnings);
	buffer_add(&warnings, "", 0);
	return 0;
}

static size_t n_warnings(void)
{
	size_t n = 0;

	for (size_t i = 0; i < warnings.len; i++)
		n += warnings.data[i] == '\n';
	return n;
}

/* One of the fake registry's repositories, at one of its ports. */
static struct endpoint *add(struct endpoints *list, const char *scheme, const char *host,
			    unsigned port, const char *path)
{
	struct endpoint *e = endpoints_add(list);
	cleanup_free char *url = xasprintf("%s://%s:%u", scheme, host, port);
	struct error err = {0};

	assert_ok(endpoint_set_url(e, url, false, &err), &err);
	e->path = xstrdup(path);
	e->resolves = e->pulls = true;
	return e;
}

static struct endpoint *add_plain(struct endpoints *list, const char *path)
{
	return add(list, "http", "127.0.0.1", server.port, path);
}

static struct route *new_route(const struct endpoints *list)
{
	struct http_options http = {.connect_ms = 3000, .ca_file = server.ca_file};
	struct session_options options = {.http = &http, .tries = 2, .backoff_ms = 10};

	return route_new(list, &options);
}

struct answer {
	const char *kind;
	char *body;
	int asked;
};

static int ask(void *arg, struct session *s, struct error *err)
{
	struct answer *a = arg;
	cleanup(http_response_release) struct http_response r = {0};
	struct buffer body = {0};

	a->asked++;
	if (session_get(s, a->kind, "x", NULL, &r, err) < 0)
		return -1;
	assert_ok(stream_read_all(r.body, 1 << 20, &body, err), err);
	a->body = buffer_detach(&body);
	return 0;
}

/* Who answers: the request as the echoing repository shows it. Owned. */
static char *answered(struct route *r, enum route_use use, int want_asked)
{
	struct answer a = {.kind = "blobs"};
	struct error err = {0};

	assert_ok(route_ask(r, use, ask, &a, &err), &err);
	assert_int_equal(a.asked, want_asked);
	return a.body;
}

static void expect(struct route *r, enum route_use use, const char *want, int want_asked)
{
	cleanup_free char *body = answered(r, use, want_asked);
	cleanup_free char *line = xasprintf("GET %s HTTP/1.1\n", want);

	if (strncmp(body, line, strlen(line)) != 0)
		fail_msg("'%.80s', expected '%s'", body, line);
}

static void c16_the_first_that_has_it_answers(void **state)
{
	cleanup(endpoints_release) struct endpoints list = {0};
	cleanup(route_free_ptr) struct route *r = NULL;

	(void)state;
	add_plain(&list, "status-404");
	add_plain(&list, "status-503");
	add_plain(&list, "status-429");
	add_plain(&list, "echo");
	add_plain(&list, "status-500");
	r = new_route(&list);
	expect(r, ROUTE_PULL, "/v2/echo/blobs/x", 4);
	/* They may have the next thing. */
	expect(r, ROUTE_PULL, "/v2/echo/blobs/x", 4);
	assert_int_equal(n_warnings(), 0);
}

static void c16_what_cannot_be_reached_is_asked_once(void **state)
{
	cleanup(endpoints_release) struct endpoints list = {0};
	cleanup(route_free_ptr) struct route *r = NULL;

	(void)state;
	add(&list, "http", "127.0.0.1", 1, "dead");
	add(&list, "http", "does-not-exist.invalid", 80, "unknown");
	add_plain(&list, "basic");
	add_plain(&list, "status-400");
	add(&list, "https", "127.0.0.1", server.tls_port, "wrong-name");
	add_plain(&list, "echo");
	r = new_route(&list);
	expect(r, ROUTE_PULL, "/v2/echo/blobs/x", 6);
	assert_int_equal(n_warnings(), 5);
	assert_non_null(strstr((char *)warnings.data,
			       "blob from 127.0.0.1:1: http://127.0.0.1:1/v2/dead/blobs/x: "
			       "connecting: "));
	assert_non_null(strstr((char *)warnings.data, "; another place is asked instead\n"));
	assert_non_null(strstr((char *)warnings.data, "does-not-exist.invalid"));
	assert_non_null(strstr((char *)warnings.data, "401 authentication required"));
	assert_non_null(strstr((char *)warnings.data, "400 unexpected answer"));
	assert_non_null(strstr((char *)warnings.data, "TLS certificate: "));
	expect(r, ROUTE_PULL, "/v2/echo/blobs/x", 1);
	assert_int_equal(n_warnings(), 5);
}

static void c16_what_the_last_says_holds(void **state)
{
	static const struct {
		const char *path;
		enum error_kind kind;
	} cases[] = {{"status-404", ERR_NOT_FOUND},
		     {"basic", ERR_UNAUTHORIZED},
		     {"status-503", ERR_NETWORK},
		     {"loop", ERR_INVALID}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup(endpoints_release) struct endpoints list = {0};
		cleanup(route_free_ptr) struct route *r = NULL;
		struct answer a = {.kind = "manifests"};
		struct error err = {0};

		add_plain(&list, "status-404");
		add_plain(&list, "status-403");
		add_plain(&list, cases[i].path);
		r = new_route(&list);
		for (int k = 0; k < 2; k++) { /* all of them are asked before that is said */
			a.asked = 0;
			assert_int_equal(route_ask(r, ROUTE_PULL, ask, &a, &err), -1);
			assert_error(&err, cases[i].kind, cases[i].path);
			assert_int_equal(a.asked, 3);
		}
	}
}

static void c16_when_all_is_lost_mirrors_get_another_chance(void **state)
{
	cleanup(endpoints_release) struct endpoints list = {0};
	cleanup(route_free_ptr) struct route *r = NULL;
	struct answer a = {.kind = "blobs"};
	struct error err = {0};

	(void)state;
	add_plain(&list, "resets-3/mirror"); /* which is asked twice each time */
	add(&list, "http", "127.0.0.1", 1, "dead");
	r = new_route(&list);
	assert_int_equal(route_ask(r, ROUTE_PULL, ask, &a, &err), -1);
	assert_error(&err, ERR_NETWORK, "127.0.0.1:1");
	assert_int_equal(a.asked, 2);
	free(answered(r, ROUTE_PULL, 2)); /* the dead one, then the mirror */
	free(answered(r, ROUTE_PULL, 1)); /* which is of use again */
	assert_int_equal(n_warnings(), 1);
}

struct body {
	struct route *route;
	struct stream *stream;
};

static int take_body(void *arg, struct session *s, struct error *err)
{
	struct body *b = arg;
	cleanup(http_response_release) struct http_response r = {0};

	if (session_get(s, "blobs", "x", NULL, &r, err) < 0)
		return -1;
	b->stream = steal(&r.body);
	route_watch(b->route, s, &b->stream);
	return 0;
}

static int read_body(struct route *r, struct error *err)
{
	struct body b = {.route = r};
	cleanup_buffer struct buffer bytes = {0};
	int rc;

	assert_ok(route_ask(r, ROUTE_PULL, take_body, &b, err), err);
	rc = stream_read_all(b.stream, 1 << 20, &bytes, err);
	if (rc == 0) {
		assert_ok(stream_finish(b.stream, err), err);
		assert_int_equal(bytes.len, 100000);
	}
	stream_close(b.stream);
	return rc;
}

static void c16_after_a_body_that_was_cut_the_next_is_asked(void **state)
{
	cleanup(endpoints_release) struct endpoints list = {0};
	cleanup(route_free_ptr) struct route *r = NULL;
	struct error err = {0};

	(void)state;
	add_plain(&list, "cut-99/mirror");
	add_plain(&list, "ok/origin");
	r = new_route(&list);
	assert_int_equal(read_body(r, &err), -1);
	assert_error(&err, ERR_NETWORK, "the body was cut");
	assert_int_equal(n_warnings(), 1);
	assert_non_null(
		strstr((char *)warnings.data, "/v2/cut-99/mirror/blobs/x: the body was cut"));
	assert_ok(read_body(r, &err), &err);
	assert_int_equal(n_warnings(), 1);
}

static void c16_capabilities_are_respected(void **state)
{
	cleanup(endpoints_release) struct endpoints list = {0};
	cleanup(route_free_ptr) struct route *r = NULL, *none = NULL;
	struct answer a = {.kind = "manifests"};
	struct error err = {0};

	(void)state;
	add_plain(&list, "echo/pulls")->resolves = false;
	add_plain(&list, "echo/resolves")->pulls = false;
	r = new_route(&list);
	expect(r, ROUTE_PULL, "/v2/echo/pulls/blobs/x", 1);
	expect(r, ROUTE_RESOLVE, "/v2/echo/resolves/blobs/x", 1);
	list.items[1].resolves = false;
	none = new_route(&list);
	assert_int_equal(route_ask(none, ROUTE_RESOLVE, ask, &a, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "no place that may be asked what a tag stands for");
	assert_int_equal(a.asked, 0);
}

static void c16_mirrors_have_less_patience(void **state)
{
	cleanup(endpoints_release) struct endpoints list = {0};
	struct session_options usual = {.backoff_ms = 10};
	cleanup(route_free_ptr) struct route *r = NULL;

	(void)state;
	add_plain(&list, "fails-503-2/mirror");
	add_plain(&list, "fails-503-3/last");
	r = route_new(&list, &usual);
	/* The mirror is asked twice, the last one four times, then it answers. */
	free(answered(r, ROUTE_PULL, 2));
	free(answered(r, ROUTE_PULL, 1)); /* so does the mirror now */
}

static void c16_a_mirror_that_never_answers_is_given_up(void **state)
{
	cleanup(endpoints_release) struct endpoints list = {0};
	cleanup(route_free_ptr) struct route *r = NULL;
	struct timespec before, after;

	(void)state;
	add(&list, "https", "127.0.0.1", server.mute_port, "mute")->dial_timeout_ms = 300;
	add_plain(&list, "echo");
	r = new_route(&list);
	clock_gettime(CLOCK_MONOTONIC, &before);
	expect(r, ROUTE_PULL, "/v2/echo/blobs/x", 2);
	clock_gettime(CLOCK_MONOTONIC, &after);
	assert_true(after.tv_sec - before.tv_sec < 3);
	assert_int_equal(n_warnings(), 1);
}

static int interrupted(void *arg, struct session *s, struct error *err)
{
	(void)s;
	++*(int *)arg;
	return error_set(err, ERR_INTERRUPTED, "signal");
}

static void a_signal_ends_it_at_once(void **state)
{
	cleanup(endpoints_release) struct endpoints list = {0};
	cleanup(route_free_ptr) struct route *r = NULL;
	struct error err = {0};
	int asked = 0;

	(void)state;
	add_plain(&list, "echo");
	add_plain(&list, "echo");
	r = new_route(&list);
	assert_int_equal(route_ask(r, ROUTE_PULL, interrupted, &asked, &err), -1);
	assert_int_equal(err.kind, ERR_INTERRUPTED);
	assert_int_equal(asked, 1);
	assert_int_equal(n_warnings(), 0);
}

/* --- what a mirror says --------------------------------------------------------------------------
 */

struct resolution {
	struct reference ref;
	struct oci_descriptor found;
	struct buffer bytes;
};

static int resolve(void *arg, struct session *s, struct error *err)
{
	struct resolution *r = arg;

	return manifest_resolve(s, &r->ref, &r->found, &r->bytes, err);
}

static void c18_a_mirror_that_lies_is_not_believed(void **state)
{
	static const char *const liars[] = {"said-wrong", "type-index", "long", "said-malformed"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(liars); i++) {
		cleanup(endpoints_release) struct endpoints list = {0};
		cleanup(route_free_ptr) struct route *r = NULL;
		struct resolution what = {0};
		struct error err = {0};

		buffer_clear(&warnings);
		add_plain(&list, liars[i]);
		add_plain(&list, "ok");
		r = new_route(&list);
		assert_ok(reference_parse("x.test/a:x", &what.ref, &err), &err);
		assert_ok(route_ask(r, ROUTE_RESOLVE, resolve, &what, &err), &err);
		assert_int_equal(n_warnings(), 1);
		buffer_release(&what.bytes);
		reference_release(&what.ref);
	}
}

static void c18_by_digest_all_must_give_the_same(void **state)
{
	cleanup(endpoints_release) struct endpoints list = {0};
	cleanup(route_free_ptr) struct route *r = NULL;
	struct resolution what = {0};
	struct error err = {0};

	(void)state;
	add_plain(&list, "ok");
	add_plain(&list, "ok/again");
	r = new_route(&list);
	assert_ok(
		reference_parse("x.test/a@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0"
				"123456789abcdef",
				&what.ref, &err),
		&err);
	assert_int_equal(route_ask(r, ROUTE_PULL, resolve, &what, &err), -1);
	assert_error(&err, ERR_VERIFICATION, "is expected");
	assert_int_equal(n_warnings(), 1);
	buffer_release(&what.bytes);
	reference_release(&what.ref);
}

/* --- who asks ------------------------------------------------------------------------------------
 */

static void c18_credentials_for_the_registry_are_not_for_mirrors(void **state)
{
	const struct credential who = {.user = (char *)"some body",
				       .password = (char *)"SECRET:p+/=\xc3\xa4"};
	struct session_options options = {.tries = 1, .credential = &who};
	cleanup(endpoints_release) struct endpoints list = {0};
	cleanup(route_free_ptr) struct route *r = NULL;

	(void)state;
	add_plain(&list, "members-echo/mirror");
	add_plain(&list, "members-echo/origin")->is_origin = true;
	r = route_new(&list, &options);
	expect(r, ROUTE_PULL, "/v2/members-echo/origin/blobs/x", 2);
	assert_non_null(strstr((char *)warnings.data, "members-echo/mirror"));
	assert_null(strstr((char *)warnings.data, "SECRET"));
}

static void c18_credentials_of_a_mirror_are_found_by_its_host(void **state)
{
	cleanup_free char *authfile = xasprintf("%s/auth.json", server.folder);
	cleanup_free char *text = xasprintf("{\"auths\":{\"127.0.0.1:%u\":{\"auth\":\""
					    "c29tZSBib2R5OlNFQ1JFVDpwKy89w6Q=\"}}}",
					    server.port);
	struct session_options options = {.tries = 1, .authfile = authfile};
	cleanup(endpoints_release) struct endpoints list = {0};
	cleanup(route_free_ptr) struct route *r = NULL;

	(void)state;
	put_file(server.folder, "auth.json", text);
	add_plain(&list, "members-echo/mirror");
	add(&list, "http", "127.0.0.1", server.other_port, "members-echo/origin")->is_origin = true;
	r = route_new(&list, &options);
	expect(r, ROUTE_PULL, "/v2/members-echo/mirror/blobs/x", 1);
	assert_int_equal(n_warnings(), 0);
}

/* --- an endpoint as a session --------------------------------------------------------------------
 */

static char *from_one(struct endpoints *list)
{
	cleanup(route_free_ptr) struct route *r = new_route(list);

	return answered(r, ROUTE_PULL, 1);
}

static void c16_a_mirror_is_told_which_registry_is_meant(void **state)
{
	cleanup(endpoints_release) struct endpoints list = {0};
	cleanup_free char *body = NULL;

	(void)state;
	add_plain(&list, "echo")->ns = xstrdup("docker.io:5000");
	body = from_one(&list);
	assert_int_equal(strncmp(body, "GET /v2/echo/blobs/x?ns=docker.io%3a5000 HTTP", 45), 0);
}

static void c16_the_path_of_a_url_comes_first(void **state)
{
	cleanup(endpoints_release) struct endpoints list = {0};
	cleanup_free char *url = xasprintf("http://127.0.0.1:%u/v2/echo", server.port);
	struct endpoint *e = add_plain(&list, "a/b");
	struct error err = {0};
	char *body;

	(void)state;
	assert_ok(endpoint_set_url(e, url, false, &err), &err);
	body = from_one(&list);
	assert_int_equal(strncmp(body, "GET /v2/echo/v2/a/b/blobs/x HTTP", 32), 0);
	free(body);
	assert_ok(endpoint_set_url(e, url, true, &err), &err);
	body = from_one(&list);
	assert_int_equal(strncmp(body, "GET /v2/echo/a/b/blobs/x HTTP", 29), 0);
	free(body);
}

static void c16_headers_and_certificates_of_an_endpoint_are_used(void **state)
{
	cleanup(endpoints_release) struct endpoints list = {0};
	struct endpoint *e = add(&list, "https", "localhost", server.client_port, "echo");
	cleanup_free char *body = NULL;

	(void)state;
	e->tls.client_cert = xstrdup(server.client_cert);
	e->tls.client_key = xstrdup(server.client_key);
	endpoint_add_header(e, "X-Mine", "yes");
	body = from_one(&list);
	assert_non_null(strstr(body, "\nX-Mine: yes"));
}

static void c16_headers_do_not_follow_redirects(void **state)
{
	cleanup(endpoints_release) struct endpoints list = {0};
	cleanup_free char *body = NULL;

	(void)state;
	endpoint_add_header(add_plain(&list, "away"), "X-Mine", "yes");
	body = from_one(&list);
	assert_int_equal(strncmp(body, "GET /v2/echo/x HTTP", 19), 0);
	assert_null(strstr(body, "X-Mine"));
}

static void c19_plain_http_elsewhere_only_when_told(void **state)
{
	cleanup(endpoints_release) struct endpoints list = {0};
	cleanup(route_free_ptr) struct route *strict = NULL;
	struct endpoint *e = add(&list, "https", "127.0.0.1", server.port, "echo");
	struct answer a = {.kind = "blobs"};
	struct error err = {0};

	(void)state;
	strict = new_route(&list);
	assert_int_equal(route_ask(strict, ROUTE_PULL, ask, &a, &err), -1);
	assert_error(&err, ERR_NETWORK, "TLS handshake: ");
	e->may_be_plain = true;
	free(from_one(&list));
}

static void c17_insecure_takes_any_certificate_and_plain_http(void **state)
{
	cleanup(endpoints_release) struct endpoints tls = {0}, plain = {0};
	cleanup_free char *tls_host = xasprintf("127.0.0.1:%u", server.tls_port);
	cleanup_free char *plain_host = xasprintf("127.0.0.1:%u", server.port);

	(void)state;
	endpoints_of_registry(tls_host, "echo", true, endpoints_add(&tls));
	endpoints_of_registry(plain_host, "echo", true, endpoints_add(&plain));
	free(from_one(&tls));
	free(from_one(&plain));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(c16_the_first_that_has_it_answers, set_up),
		cmocka_unit_test_setup(c16_what_cannot_be_reached_is_asked_once, set_up),
		cmocka_unit_test_setup(c16_what_the_last_says_holds, set_up),
		cmocka_unit_test_setup(c16_when_all_is_lost_mirrors_get_another_chance, set_up),
		cmocka_unit_test_setup(c16_after_a_body_that_was_cut_the_next_is_asked, set_up),
		cmocka_unit_test_setup(c16_capabilities_are_respected, set_up),
		cmocka_unit_test_setup(c16_mirrors_have_less_patience, set_up),
		cmocka_unit_test_setup(c16_a_mirror_that_never_answers_is_given_up, set_up),
		cmocka_unit_test_setup(a_signal_ends_it_at_once, set_up),
		cmocka_unit_test_setup(c18_a_mirror_that_lies_is_not_believed, set_up),
		cmocka_unit_test_setup(c18_by_digest_all_must_give_the_same, set_up),
		cmocka_unit_test_setup(c18_credentials_for_the_registry_are_not_for_mirrors,
				       set_up),
		cmocka_unit_test_setup(c18_credentials_of_a_mirror_are_found_by_its_host, set_up),
		cmocka_unit_test_setup(c16_a_mirror_is_told_which_registry_is_meant, set_up),
		cmocka_unit_test_setup(c16_the_path_of_a_url_comes_first, set_up),
		cmocka_unit_test_setup(c16_headers_and_certificates_of_an_endpoint_are_used,
				       set_up),
		cmocka_unit_test_setup(c16_headers_do_not_follow_redirects, set_up),
		cmocka_unit_test_setup(c19_plain_http_elsewhere_only_when_told, set_up),
		cmocka_unit_test_setup(c17_insecure_takes_any_certificate_and_plain_http, set_up),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
