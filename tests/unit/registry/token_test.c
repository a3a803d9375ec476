/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens: what token servers answer (C5, F67), and how long it is kept. */
#include "registry/token.h"

#include <stdlib.h>

#include "pkg/base/alloc.h"
#include "tests/support/cmocka.h"
#include "tests/support/fake_registry.h"

/* --- answers -------------------------------------------------------------------------------------
 */

static void c05_tokens_are_found_in_answers(void **state)
{
	static const struct {
		const char *json, *text;
		unsigned expires_s;
	} cases[] = {
		{"{\"token\":\"t\"}", "t", 60},
		{"{\"access_token\":\"a\"}", "a", 60},
		{"{\"access_token\":\"a\",\"token\":\"t\"}", "t", 60},
		{"{\"access_token\":\"a\",\"token\":\"\"}", "a", 60},
		{"{\"access_token\":\"a\",\"token\":null}", "a", 60},
		{"{\"token\":\"t\",\"expires_in\":300,\"issued_at\":\"x\",\"other\":[{}]}", "t",
		 300},
		{"{\"token\":\"eyJ.a-b_c.~+/==\",\"expires_in\":60}", "eyJ.a-b_c.~+/==", 60},
		{"{\"token\":\"t\",\"expires_in\":0}", "t", 60},
		{"{\"token\":\"t\",\"expires_in\":-1}", "t", 60},
		{"{\"token\":\"t\",\"expires_in\":59}", "t", 60},
		{"{\"token\":\"t\",\"expires_in\":61}", "t", 61},
		{"{\"token\":\"t\",\"expires_in\":3600.5}", "t", 60},
		{"{\"token\":\"t\",\"expires_in\":\"300\"}", "t", 60},
		{"{\"token\":\"t\",\"expires_in\":null}", "t", 60},
		{"{\"token\":\"t\",\"expires_in\":1000000000000}", "t", 86400},
		{"{\"token\":\"t\",\"expires_in\":9223372036854775807}", "t", 86400},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct token t;
		struct error err = {0};

		assert_ok(token_parse(cases[i].json, strlen(cases[i].json), &t, &err), &err);
		assert_string_equal(t.text, cases[i].text);
		if (t.expires_s != cases[i].expires_s)
			fail_msg("%s: %u s", cases[i].json, t.expires_s);
		token_release(&t);
	}
}

static void refused(const char *json, const char *reason)
{
	struct token t;
	struct error err = {0};

	if (token_parse(json, strlen(json), &t, &err) == 0)
		fail_msg("'%.200s' was taken", json);
	assert_error(&err, ERR_INVALID, reason);
	assert_null(strstr(err.cause, "SECRET"));
}

static void f67_hostile_answers_are_refused_and_not_shown(void **state)
{
	static const char *const cases[][2] = {
		{"", "no JSON object"},
		{"SECRET", "no JSON object"},
		{"{\"token\":\"SECRET\"", "no JSON object"},
		{"{\"token\":\"SECRET\"}x", "no JSON object"},
		{"[\"SECRET\"]", "no JSON object"},
		{"\"SECRET\"", "no JSON object"},
		{"{\"token\":\"SECRET\",\"token\":\"SECRET\"}", "no JSON object"},
		{"{\"token\":\"SECRET\\u0000\"}", "no JSON object"},
		{"{\"token\":\"SECRET\xff\"}", "no JSON object"},
		{"{}", "no token"},
		{"{\"token\":\"\",\"access_token\":\"\"}", "no token"},
		{"{\"tokens\":\"SECRET\"}", "no token"},
		{"{\"Token\":\"SECRET\"}", ""},
		{"{\"token\":17}", "token"},
		{"{\"token\":[\"SECRET\"]}", "token"},
		{"{\"token\":\"SECRET\\r\\nX-Injected: yes\"}", "characters"},
		{"{\"token\":\"SECRET\\n\"}", "characters"},
		{"{\"token\":\"SECRET SECRET\"}", "characters"},
		{"{\"token\":\"SECRET\\t\"}", "characters"},
		{"{\"token\":\"SECRET\\u007f\"}", "characters"},
		{"{\"token\":\"SECRET\\u001b[31m\"}", "characters"},
		{"{\"token\":\"SECRET\xc3\xa9\"}", "characters"},
		{"{\"token\":\"\",\"access_token\":\"SECRET\\r\"}", "characters"},
	};
	cleanup_free char *longest = xasprintf("{\"token\":\"%065537d\"}", 0);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		refused(cases[i][0], cases[i][1]);
	refused(longest, "more than 65536 bytes");
}

/* --- the store -----------------------------------------------------------------------------------
 */

struct world {
	struct fake_registry server;
	struct http_client *http;
	struct token_store *store;
	char *registry_url;
};

static int start(void **state)
{
	struct world *w = xcalloc(1, sizeof(*w));
	struct http_options options = {.connect_ms = 3000};

	fake_registry_start(&w->server);
	options.ca_file = w->server.ca_file;
	w->http = http_client_new(&options);
	w->registry_url = xasprintf("http://127.0.0.1:%u/v2/x", w->server.port);
	*state = w;
	return 0;
}

static int stop(void **state)
{
	struct world *w = *state;

	http_client_free(w->http);
	fake_registry_stop(&w->server);
	free(w->registry_url);
	free(w);
	return 0;
}

static int open_store(void **state)
{
	struct world *w = *state;

	w->store = token_store_new(w->http);
	return 0;
}

static int close_store(void **state)
{
	struct world *w = *state;

	token_store_free(w->store);
	return 0;
}

static int ask(struct world *w, const char *how, const char *service, const char *refused_header,
	       struct token_answer *ret, struct error *err)
{
	struct challenge c = {.scheme = CHALLENGE_BEARER,
			      .realm = xasprintf("http://localhost:%u/token/%s",
						 w->server.other_port, how),
			      .service = xstrdup(service)};
	struct token_request request = {.registry_url = w->registry_url,
					.path = "a/b",
					.challenge = &c,
					.refused = refused_header};
	int rc = token_store_get(w->store, &request, ret, err);

	challenge_release(&c);
	return rc;
}

static struct token_answer get(struct world *w, const char *service, const char *refused_header)
{
	struct token_answer answer;
	struct error err = {0};

	assert_ok(ask(w, "good", service, refused_header, &answer, &err), &err);
	assert_int_equal(strncmp(answer.authorization, "Bearer SECRET/", 14), 0);
	return answer;
}

static void a_token_is_fetched_once(void **state)
{
	struct world *w = *state;
	struct token_answer first, second;
	cleanup_free char *last = NULL;

	assert_null(token_store_last(w->store));
	first = get(w, "s", NULL);
	assert_true(first.fresh);
	second = get(w, "s", NULL);
	assert_false(second.fresh);
	assert_string_equal(first.authorization, second.authorization);
	last = token_store_last(w->store);
	assert_string_equal(first.authorization, last);
	free(first.authorization);
	free(second.authorization);
}

static void another_service_needs_another_token(void **state)
{
	struct world *w = *state;
	struct token_answer a = get(w, "a", NULL), b = get(w, "b", NULL), again = get(w, "a", NULL);
	cleanup_free char *last = token_store_last(w->store);

	assert_true(b.fresh);
	assert_string_not_equal(a.authorization, b.authorization);
	assert_false(again.fresh);
	assert_string_equal(a.authorization, again.authorization);
	assert_string_equal(last, again.authorization);
	free(a.authorization);
	free(b.authorization);
	free(again.authorization);
}

static void a_refused_token_is_not_given_again(void **state)
{
	struct world *w = *state;
	struct token_answer first = get(w, "s", NULL);
	struct token_answer second = get(w, "s", first.authorization);
	struct token_answer late = get(w, "s", first.authorization);

	assert_true(second.fresh);
	assert_string_not_equal(first.authorization, second.authorization);
	/* Who comes late with the old one gets the new one, without another request. */
	assert_false(late.fresh);
	assert_string_equal(late.authorization, second.authorization);
	free(first.authorization);
	free(second.authorization);
	free(late.authorization);
}

static void a_refused_token_is_forgotten_even_if_there_is_no_other(void **state)
{
	struct world *w = *state;
	struct token_answer first = get(w, "s", NULL), none;
	struct error err = {0};

	fake_registry_stop(&w->server);
	assert_int_equal(ask(w, "good", "s", first.authorization, &none, &err), 1);
	assert_error(&err, ERR_NETWORK, "localhost");
	assert_null(token_store_last(w->store));
	free(first.authorization);
	fake_registry_start(&w->server);
	free(w->registry_url);
	w->registry_url = xasprintf("http://127.0.0.1:%u/v2/x", w->server.port);
}

static void only_some_tokens_are_kept(void **state)
{
	struct world *w = *state;
	struct token_answer a;

	for (int i = 0; i < 20; i++) {
		char service[] = {(char)('a' + i), '\0'};

		a = get(w, service, NULL);
		assert_true(a.fresh);
		free(a.authorization);
	}
	a = get(w, "t", NULL);
	assert_false(a.fresh);
	free(a.authorization);
	a = get(w, "m", NULL); /* the eighth from the end */
	assert_false(a.fresh);
	free(a.authorization);
	a = get(w, "a", NULL);
	assert_true(a.fresh);
	free(a.authorization);
}

static void failures_say_whether_they_may_pass(void **state)
{
	static const struct {
		const char *how;
		int rc;
		enum error_kind kind;
		const char *reason;
	} cases[] = {
		{"down", 1, ERR_NETWORK, "503"},
		{"cut", 1, ERR_NETWORK, "cut after"},
		{"resets", 1, ERR_NETWORK, "/token/resets"},
		{"s401", -1, ERR_UNAUTHORIZED, "401"},
		{"s403", -1, ERR_UNAUTHORIZED, "403 access denied: DENIED"},
		{"s404", -1, ERR_UNAUTHORIZED, "404"},
		{"moved", -1, ERR_INVALID, "307 redirected"},
		{"huge", -1, ERR_INVALID, "/token/huge"},
		{"newline", -1, ERR_INVALID, "characters that no header may have"},
		{"html", -1, ERR_INVALID, "no JSON object"},
		{"empty", -1, ERR_INVALID, "no JSON object"},
		{"none", -1, ERR_INVALID, "no token"},
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct token_answer answer = {0};
		struct error err = {0};
		char text[1024];

		assert_int_equal(ask(w, cases[i].how, "s", NULL, &answer, &err), cases[i].rc);
		assert_error(&err, cases[i].kind, cases[i].reason);
		assert_null(answer.authorization);
		error_text(&err, text, sizeof(text));
		assert_non_null(strstr(text, "http://localhost:"));
		assert_null(strstr(text, "service="));
		assert_null(strstr(text, "SECRET"));
	}
	assert_null(token_store_last(w->store));
}

int main(void)
{
	const struct CMUnitTest answers[] = {
		cmocka_unit_test(c05_tokens_are_found_in_answers),
		cmocka_unit_test(f67_hostile_answers_are_refused_and_not_shown),
	};
#define STORE_TEST(f) cmocka_unit_test_setup_teardown(f, open_store, close_store)
	const struct CMUnitTest store[] = {
		STORE_TEST(a_token_is_fetched_once),
		STORE_TEST(another_service_needs_another_token),
		STORE_TEST(a_refused_token_is_not_given_again),
		STORE_TEST(a_refused_token_is_forgotten_even_if_there_is_no_other),
		STORE_TEST(only_some_tokens_are_kept),
		STORE_TEST(failures_say_whether_they_may_pass),
	};
	int failed = cmocka_run_group_tests_name("answers", answers, NULL, NULL);

	failed += cmocka_run_group_tests_name("store", store, start, stop);
	return failed ? 1 : 0;
}
