/* SPDX-License-Identifier: Apache-2.0 */
/* Requests as somebody: Basic and tokens (C5, C7, C13), where they go and where not (C8, F66),
 * logins, and what stays in memory. */
#include "registry/session.h"

#include <stdlib.h>
#include <strings.h>
#include <sys/prctl.h>

#include "pkg/base/alloc.h"
#include "pkg/base/secret.h"
#include "tests/support/auth_home.h"
#include "tests/support/cmocka.h"
#include "tests/support/fake_registry.h"
#include "tests/support/memory_search.h"

/* As fake_registry.py has them. */
static const struct credential member = {.user = (char *)"some body",
					 .password = (char *)"SECRET:p+/=\xc3\xa4",
					 .where = (char *)"a test"};
static const struct credential stranger = {.user = (char *)"some body",
					   .password = (char *)"SECRET-wrong",
					   .where = (char *)"a test"};
static const struct credential identity = {.user = (char *)"some body",
					   .identity_token = (char *)"SECRET&i=\xc3\xa4 +",
					   .where = (char *)"a test"};

static struct fake_registry server;
static struct auth_home home;

static int start(void **state)
{
	(void)state;
	auth_home_start(&home);
	fake_registry_start(&server);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	fake_registry_stop(&server);
	auth_home_stop(&home);
	return 0;
}

/* --- asking ------------------------------------------------------------------------------------ */

static struct session *open_as(const struct credential *c, const char *host, unsigned port,
			       const char *path)
{
	struct http_options http = {.connect_ms = 3000, .ca_file = server.ca_file};
	struct session_options options = {.http = &http,
					  .tries = 3,
					  .backoff_ms = 10,
					  .credential = c};
	cleanup_free char *text = xasprintf("%s:%u/%s", host, port, path);
	struct reference ref;
	struct session *s;
	struct error err = {0};

	assert_ok(reference_parse(text, &ref, &err), &err);
	s = session_new(&ref, &options);
	reference_release(&ref);
	return s;
}

/* What a session gets, as text; NULL and the error. */
static char *get_text(struct session *s, struct error *err)
{
	struct buffer body = {0};
	struct http_response r;
	struct error cut = {0};

	if (session_get(s, "blobs", "x", NULL, &r, err) < 0)
		return NULL;
	assert_ok(stream_read_all(r.body, 1 << 20, &body, &cut), &cut);
	http_response_release(&r);
	return body.data ? buffer_detach(&body) : xstrdup("");
}

static char *get_as(const struct credential *c, const char *path)
{
	cleanup(session_free_ptr) struct session *s = open_as(c, "127.0.0.1", server.port, path);
	struct error err = {0};
	char *text = get_text(s, &err);

	if (!text)
		assert_ok(-1, &err);
	return text;
}

/* The error of it, which shows no secret. */
static struct error refused_as(const struct credential *c, const char *path)
{
	cleanup(session_free_ptr) struct session *s = open_as(c, "127.0.0.1", server.port, path);
	struct error err = {0};
	char *got = get_text(s, &err), text[1024];

	if (got)
		fail_msg("%s was given: %s", path, got);
	error_text(&err, text, sizeof(text));
	assert_null(strstr(text, "SECRET"));
	assert_null(strstr(text, "U0VDUkVU")); /* the same as base64 */
	return err;
}

static char *token_log(void)
{
	return get_as(NULL, "log");
}

/* How often the log of the token server has it. */
static int times_in_log(const char *what)
{
	cleanup_free char *log = token_log();
	int n = 0;

	for (char *p = log; (p = strstr(p, what)); p++)
		n++;
	return n;
}

/* --- Basic ------------------------------------------------------------------------------------- */

static void c13_basic_is_answered_with_the_password(void **state)
{
	cleanup(session_free_ptr) struct session *s =
		open_as(&member, "127.0.0.1", server.port, "members-echo/a");

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct error err = {0};
		cleanup_free char *text = get_text(s, &err);

		assert_non_null(text);
		assert_non_null(
			strstr(text, "Authorization: Basic c29tZSBib2R5OlNFQ1JFVDpwKy89w6Q="));
		assert_null(strcasestr(text, "cookie"));
	}
}

static void c13_without_a_password_basic_stays_refused(void **state)
{
	struct error err;

	(void)state;
	err = refused_as(NULL, "members-echo/a");
	assert_error(&err, ERR_UNAUTHORIZED, "401 authentication required (Basic)");
	assert_int_equal(err.detail, ERR_DETAIL_LOGIN);
	err = refused_as(&identity, "members-echo/a");
	assert_error(&err, ERR_UNAUTHORIZED, "401 authentication required (Basic)");
	assert_int_equal(err.detail, ERR_DETAIL_CREDENTIALS);
}

static void c13_a_wrong_password_is_sent_once_and_named_by_its_place(void **state)
{
	struct error err = refused_as(&stranger, "members-echo/a");

	(void)state;
	assert_error(&err, ERR_UNAUTHORIZED,
		     "with the credentials of a test: 401 authentication required (Basic)");
	assert_int_equal(err.detail, ERR_DETAIL_CREDENTIALS);
}

static void c13_what_is_hidden_is_seen_by_who_says_who_it_is(void **state)
{
	cleanup_free char *text = NULL;
	struct error err;

	(void)state;
	free(get_as(NULL, "door-basic"));
	text = get_as(&member, "members-hidden/a");
	assert_non_null(text);
	err = refused_as(NULL, "members-hidden/a");
	assert_error(&err, ERR_NOT_FOUND, "404");
	err = refused_as(&stranger, "members-hidden/a");
	assert_error(&err, ERR_NOT_FOUND, "404");
	free(get_as(NULL, "door-member"));
	err = refused_as(&member, "members-hidden/a"); /* a token is no password there */
	assert_error(&err, ERR_NOT_FOUND, "404");
	free(get_as(NULL, "door-open"));
	err = refused_as(&member, "members-hidden/a");
	assert_error(&err, ERR_NOT_FOUND, "404");
}

/* --- where it goes ----------------------------------------------------------------------------- */

static void c08_passwords_stay_with_the_registry(void **state)
{
	static const char *const paths[] = {"members-away", "members-back"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		cleanup(session_free_ptr) struct session *s =
			open_as(&member, "127.0.0.1", server.port, paths[i]);

		for (int n = 0; n < 2; n++) { /* when it is new, and when it is known */
			struct error err = {0};
			cleanup_free char *text = get_text(s, &err);

			assert_non_null(text);
			assert_non_null(strstr(text, "GET /v2/echo/x"));
			assert_null(strcasestr(text, "authorization"));
		}
	}
}

static void f66_a_password_is_not_for_who_asks_from_elsewhere(void **state)
{
	struct error err = refused_as(&member, "members-asks");

	(void)state;
	assert_error(&err, ERR_UNAUTHORIZED, "/v2/members-echo/x: 401");
}

static void c07_hostile_realms_get_no_password(void **state)
{
	static const struct {
		const char *path;
		enum error_kind kind;
		const char *reason;
	} cases[] = {
		{"auth-far-member", ERR_INVALID, "auth.example.com is not https"},
		{"auth-near-member", ERR_INVALID, "169.254.169.254 is an address"},
		{"auth-wrong-member", ERR_VERIFICATION, "https://localhost"},
		{"auth-other-moved", ERR_INVALID, "307 redirected"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct error err = refused_as(&member, cases[i].path);

		assert_error(&err, cases[i].kind, cases[i].reason);
		err = refused_as(&identity, cases[i].path);
		assert_error(&err, cases[i].kind, cases[i].reason);
	}
}

/* --- tokens ------------------------------------------------------------------------------------ */

static void c05_a_password_gets_a_token_by_get(void **state)
{
	cleanup_free char *text = get_as(&member, "auth-other-member/by-get"), *log = NULL;
	char *request;

	(void)state;
	assert_non_null(text);
	log = token_log();
	request = strstr(log, "GET /token/member?own=a%20b&n=auth-other-member/by-get&service=");
	assert_non_null(request);
	assert_non_null(strstr(request, "\nAuthorization: Basic c29tZSBib2R5OlNFQ1JFVDpwKy89w6Q="));
	assert_int_equal(times_in_log("n=auth-other-member/by-get"), 1);
}

static void c05_a_wrong_password_is_the_end(void **state)
{
	struct error err = refused_as(&stranger, "auth-other-member/wrong");

	(void)state;
	assert_error(&err, ERR_UNAUTHORIZED,
		     "with the credentials of a test: asking for a token: http://127.0.0.1:");
	assert_int_equal(err.detail, ERR_DETAIL_CREDENTIALS);
	assert_int_equal(times_in_log("n=auth-other-member/wrong"), 1);
	err = refused_as(NULL, "auth-other-member/none");
	assert_error(&err, ERR_UNAUTHORIZED,
		     "with an anonymous token: asking for a token: http://127.0.0.1:");
	assert_int_equal(err.detail, ERR_DETAIL_LOGIN);
}

static void c05_an_identity_token_gets_a_token_by_post(void **state)
{
	cleanup_free char *text = get_as(&identity, "auth-other-oauth/by-post"), *log = NULL;
	char *request, *body;

	(void)state;
	assert_non_null(text);
	log = token_log();
	request = strstr(log, "POST /token/oauth?own=a%20b&n=auth-other-oauth/by-post ");
	assert_non_null(request);
	body = strstr(request, "\n\n");
	assert_non_null(body);
	*body = 0;
	assert_non_null(strstr(request, "Content-Type: application/x-www-form-urlencoded"));
	assert_null(strcasestr(request, "\nauthorization:"));
	assert_null(strcasestr(request, "\nexpect:"));
	assert_int_equal(
		strncmp(body + 2,
			"service=a%20fake%26one&scope=repository%3Aauth-other-oauth%2Fby-post%3A"
			"pull%20also%3Athis%3Aone&client_id=thinpull&grant_type=refresh_token&"
			"refresh_token=SECRET%26i%3D%C3%A4%20%2B",
			170),
		0);
	assert_int_equal(times_in_log("n=auth-other-oauth/by-post"), 1);
}

static void c05_servers_that_know_no_post_get_a_get(void **state)
{
	static const char *const paths[] = {"auth-other-get400/x", "auth-other-get401/x",
					    "auth-other-get404/x", "auth-other-get405/x"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		cleanup_free char *mark = xasprintf("n=%s", paths[i]);
		struct error err;

		free(get_as(&identity, paths[i]));
		assert_int_equal(times_in_log(mark), 2);
		err = refused_as(&stranger, paths[i]);
		assert_error(&err, ERR_UNAUTHORIZED, "with the credentials of a test");
	}
}

static void c11_a_post_is_tried_again(void **state)
{
	(void)state;
	free(get_as(&identity, "auth-other-busypost/x"));
	assert_int_equal(times_in_log("POST /token/busypost"), 3);
}

static void c05_a_registry_token_is_sent_as_it_is(void **state)
{
	struct credential c = {.registry_token = (char *)"SECRET-registry",
			       .where = (char *)"a test"};
	cleanup_free char *text = get_as(&c, "given/x");
	struct error err;

	(void)state;
	assert_non_null(strstr(text, "Authorization: Bearer SECRET-registry"));
	c.registry_token = (char *)"SECRET-other";
	err = refused_as(&c, "given/x");
	assert_error(&err, ERR_UNAUTHORIZED, "with the credentials of a test: 401");
	assert_int_equal(times_in_log("/token/none"), 0);
}

static void c03_a_token_that_expires_is_renewed_with_the_password(void **state)
{
	cleanup(session_free_ptr) struct session *s =
		open_as(&member, "127.0.0.1", server.port, "auth-other-three/member");

	(void)state;
	for (int i = 0; i < 7; i++) {
		struct error err = {0};
		char *text = get_text(s, &err);

		assert_non_null(text);
		free(text);
	}
	assert_int_equal(times_in_log("n=auth-other-three/member"), 3);
}

/* --- whose credentials ------------------------------------------------------------------------- */

static void c13_credentials_are_those_of_the_host_that_is_asked(void **state)
{
	cleanup_free char *entry =
		xasprintf("{\"auths\":{\"127.0.0.1:%u\":{\"username\":\"some body\",\"password\":"
			  "\"SECRET:p+/=\xc3\xa4\"},\"docker.io\":{\"auth\":\"dTpw\"}}}",
			  server.port);
	struct error err;

	(void)state;
	err = refused_as(NULL, "members-echo/found");
	assert_int_equal(err.detail, ERR_DETAIL_LOGIN);
	auth_home_put(&home, ".docker/config.json", entry);
	free(get_as(NULL, "members-echo/found"));
	free(get_as(NULL, "auth-other-member/found"));
	{
		cleanup(session_free_ptr) struct session *s =
			open_as(NULL, "localhost", server.port, "members-echo/found");
		struct error other = {0};

		assert_null(get_text(s, &other));
		assert_int_equal(other.detail, ERR_DETAIL_LOGIN);
	}
	auth_home_put(&home, ".docker/config.json", "{\"auths\":SECRET}");
	err = refused_as(NULL, "members-echo/found");
	assert_error(&err, ERR_INVALID, ".docker/config.json: config: line 1");
	/* Who is not asked needs none. */
	free(get_as(NULL, "echo/x"));
	auth_home_put(&home, ".docker/config.json", "");
}

static void c18_a_credential_for_one_host_is_not_for_another(void **state)
{
	struct session_options options = {.tries = 1,
					  .credential = &member,
					  .credential_host = "registry.test"};
	cleanup_free char *text = xasprintf("127.0.0.1:%u/members-echo/x", server.port);
	cleanup_free char *host = xasprintf("127.0.0.1:%u", server.port);
	cleanup(reference_release) struct reference ref = {0};
	struct error err = {0};

	(void)state;
	assert_ok(reference_parse(text, &ref, &err), &err);
	for (int i = 0; i < 2; i++) {
		cleanup(session_free_ptr) struct session *s = session_new(&ref, &options);
		cleanup_free char *got = get_text(s, &err);

		assert_int_equal(got != NULL, i);
		if (!got)
			assert_int_equal(err.detail, ERR_DETAIL_LOGIN);
		options.credential_host = host;
	}
}

/* --- login ------------------------------------------------------------------------------------- */

static int log_in(const struct credential *c, bool *ret_asked, struct error *err)
{
	struct http_options http = {.connect_ms = 3000, .ca_file = server.ca_file};
	struct session_options options = {.http = &http, .tries = 2, .backoff_ms = 10};
	cleanup_free char *host = xasprintf("127.0.0.1:%u", server.port);

	return session_check_login(host, c, &options, ret_asked, err);
}

static void a_login_is_proven_at_the_door(void **state)
{
	static const char *const doors[] = {"door-basic", "door-member"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(doors); i++) {
		struct error err = {0};
		bool asked = false;

		free(get_as(NULL, doors[i]));
		assert_ok(log_in(&member, &asked, &err), &err);
		assert_true(asked);
		assert_int_equal(log_in(&stranger, &asked, &err), -1);
		assert_error(&err, ERR_UNAUTHORIZED, "with the credentials of a test: ");
		assert_error(&err, ERR_UNAUTHORIZED, "401");
	}
	/* For no repository, and nothing else. */
	assert_int_equal(times_in_log("n=&service=a+fake%26one HTTP/1.1"), 2);
}

static void an_open_door_proves_nothing(void **state)
{
	struct error err = {0};
	bool asked = true;

	(void)state;
	free(get_as(NULL, "door-open"));
	assert_ok(log_in(&stranger, &asked, &err), &err);
	assert_false(asked);
}

static void where_no_registry_is_nobody_logs_in(void **state)
{
	struct error err = {0};
	bool asked;

	(void)state;
	free(get_as(NULL, "door-404"));
	assert_int_equal(log_in(&member, &asked, &err), -1);
	assert_error(&err, ERR_INVALID, "no registry: http://127.0.0.1");
	free(get_as(NULL, "door-503"));
	assert_int_equal(log_in(&member, &asked, &err), -1);
	assert_error(&err, ERR_NETWORK, "503");
	free(get_as(NULL, "door-403"));
	assert_int_equal(log_in(&member, &asked, &err), -1);
	assert_error(&err, ERR_UNAUTHORIZED, "403");
}

/* --- memory ------------------------------------------------------------------------------------ */

static void no_core_dumps_while_there_are_credentials(void **state)
{
	struct session *s = open_as(&member, "127.0.0.1", server.port, "echo/x");

	(void)state;
	assert_int_equal(prctl(PR_GET_DUMPABLE), 0);
	session_free(s);
	assert_int_equal(prctl(PR_GET_DUMPABLE), 1);
	s = open_as(NULL, "127.0.0.1", server.port, "echo/x");
	assert_int_equal(prctl(PR_GET_DUMPABLE), 1);
	session_free(s);
}

/* Also in what libraries gave back. The response is not ours: it is read without its head. */
static void nothing_of_a_credential_stays_in_memory(void **state)
{
	enum { LEN = 60 };
	struct credential c = {.user = xstrdup("u"),
			       .password = memory_secret(1, LEN),
			       .identity_token = memory_secret(2, LEN),
			       .where = xstrdup("a test")};
	static const char *const paths[] = {"members-echo/x", "auth-other-member/x",
					    "auth-other-oauth/x", "auth-auth-member/x",
					    "auth-auth-oauth/x"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		struct session *s = open_as(&c, "127.0.0.1", server.port, paths[i]);
		struct http_response r;
		struct error err = {0};

		assert_int_equal(session_get(s, "blobs", "x", NULL, &r, &err), -1);
		assert_error(&err, ERR_UNAUTHORIZED, "with the credentials of a test");
		session_free(s);
	}
	assert_int_equal(memory_search(1, LEN), 1);
	assert_int_equal(memory_search(2, LEN), 1);
	credential_release(&c);
	assert_int_equal(memory_search(1, LEN), 0);
	assert_int_equal(memory_search(2, LEN), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(c13_basic_is_answered_with_the_password),
		cmocka_unit_test(c13_without_a_password_basic_stays_refused),
		cmocka_unit_test(c13_a_wrong_password_is_sent_once_and_named_by_its_place),
		cmocka_unit_test(c13_what_is_hidden_is_seen_by_who_says_who_it_is),
		cmocka_unit_test(c08_passwords_stay_with_the_registry),
		cmocka_unit_test(f66_a_password_is_not_for_who_asks_from_elsewhere),
		cmocka_unit_test(c07_hostile_realms_get_no_password),
		cmocka_unit_test(c05_a_password_gets_a_token_by_get),
		cmocka_unit_test(c05_a_wrong_password_is_the_end),
		cmocka_unit_test(c05_an_identity_token_gets_a_token_by_post),
		cmocka_unit_test(c05_servers_that_know_no_post_get_a_get),
		cmocka_unit_test(c11_a_post_is_tried_again),
		cmocka_unit_test(c05_a_registry_token_is_sent_as_it_is),
		cmocka_unit_test(c03_a_token_that_expires_is_renewed_with_the_password),
		cmocka_unit_test(c13_credentials_are_those_of_the_host_that_is_asked),
		cmocka_unit_test(c18_a_credential_for_one_host_is_not_for_another),
		cmocka_unit_test(a_login_is_proven_at_the_door),
		cmocka_unit_test(an_open_door_proves_nothing),
		cmocka_unit_test(where_no_registry_is_nobody_logs_in),
		cmocka_unit_test(no_core_dumps_while_there_are_credentials),
		cmocka_unit_test(nothing_of_a_credential_stays_in_memory),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
