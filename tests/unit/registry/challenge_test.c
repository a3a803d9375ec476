/* SPDX-License-Identifier: Apache-2.0 */
/* WWW-Authenticate: rules C4, F67. */
#include "registry/challenge.h"

#include "pkg/base/alloc.h"
#include "tests/support/cmocka.h"

struct expected {
	const char *header;
	enum challenge_scheme scheme;
	const char *realm, *service, *scope;
};

static void is_text(const char *header, const char *got, const char *expected)
{
	if (!got != !expected || (got && strcmp(got, expected) != 0))
		fail_msg("%s: '%s', expected '%s'", header, got ? got : "(none)",
			 expected ? expected : "(none)");
}

static void c04_challenges_are_understood(void **state)
{
	static const struct expected cases[] = {
		{NULL, CHALLENGE_NONE, NULL, NULL, NULL},
		{"", CHALLENGE_NONE, NULL, NULL, NULL},
		{"Basic realm=\"x\"", CHALLENGE_BASIC, "x", NULL, NULL},
		{"Bearer realm=\"https://auth.docker.io/token\",service=\"registry.docker.io\","
		 "scope=\"repository:library/alpine:pull\"",
		 CHALLENGE_BEARER, "https://auth.docker.io/token", "registry.docker.io",
		 "repository:library/alpine:pull"},
		{"bEARER REALM=\"r\" , Service = \"s\"", CHALLENGE_BEARER, "r", "s", NULL},
		{"Bearer realm=\"a, \\\"b\\\" \\\\ c\",scope=\"x:pull,push y:pull\"",
		 CHALLENGE_BEARER, "a, \"b\" \\ c", NULL, "x:pull,push y:pull"},
		{"Bearer realm=https://a.test/token?x=1,service=s", CHALLENGE_BEARER,
		 "https://a.test/token?x=1", "s", NULL},
		{"Bearer realm=\"\",service=\"\"", CHALLENGE_BEARER, "", "", NULL},
		{"Bearer realm=\"r\",error=\"insufficient_scope\",x=y", CHALLENGE_BEARER, "r", NULL,
		 NULL},
		{"Bearer realm=\"first\",realm=\"second\"", CHALLENGE_BEARER, "first", NULL, NULL},
		{"Basic realm=\"b\", Bearer realm=\"t\",service=\"s\"", CHALLENGE_BEARER, "t", "s",
		 NULL},
		{"Bearer realm=\"t\", Basic realm=\"b\"", CHALLENGE_BEARER, "t", NULL, NULL},
		{"Negotiate, Basic realm=\"b\"", CHALLENGE_BASIC, "b", NULL, NULL},
		{"Negotiate YWJj, Basic realm=\"b\"", CHALLENGE_BASIC, "b", NULL, NULL},
		{"NTLM", CHALLENGE_OTHER, NULL, NULL, NULL},
		{"Bearer", CHALLENGE_BEARER, NULL, NULL, NULL},
		{", ,Basic realm=\"b\",, ", CHALLENGE_BASIC, "b", NULL, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct expected *e = &cases[i];
		struct challenge c;
		struct error err = {0};

		assert_ok(challenge_parse(e->header, &c, &err), &err);
		if (c.scheme != e->scheme)
			fail_msg("%s: scheme %s", e->header, challenge_name(c.scheme));
		is_text(e->header, c.realm, e->realm);
		is_text(e->header, c.service, e->service);
		is_text(e->header, c.scope, e->scope);
		challenge_release(&c);
	}
}

static void f67_malformed_challenges_are_errors(void **state)
{
	static const char *const bad[] = {
		"Bearer realm=\"no end",
		"realm=\"x\"",
		"Bearer realm=\"x\" \"y\"",
		"\"",
		"=x",
		"Bearer realm=\"x\\",
		"Basic realm=\"b\", (",
		"Bearer realm=\"x\"\x01",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct challenge c;
		struct error err = {0};

		if (challenge_parse(bad[i], &c, &err) == 0)
			fail_msg("'%s' was taken", bad[i]);
		assert_int_equal(err.kind, ERR_INVALID);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(c04_challenges_are_understood),
		cmocka_unit_test(f67_malformed_challenges_are_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
