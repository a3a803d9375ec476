/* SPDX-License-Identifier: Apache-2.0 */
/* Realms: rule C5-C7; hostile ones F67. */
#include "registry/realm.h"

#include <stdlib.h>
#include <strings.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "tests/support/cmocka.h"

static int url_of(const char *registry, const char *realm, const char *service, const char *scope,
		  char **ret, struct error *err)
{
	struct challenge c = {CHALLENGE_BEARER, realm ? xstrdup(realm) : NULL,
			      service ? xstrdup(service) : NULL, scope ? xstrdup(scope) : NULL};
	int rc = realm_url(registry, &c, "a/b", ret, err);

	challenge_release(&c);
	return rc;
}

static int form_of(const char *registry, const char *realm, const char *service, const char *scope,
		   const char *path, char **ret_url, struct buffer *ret_form, struct error *err)
{
	struct challenge c = {CHALLENGE_BEARER, realm ? xstrdup(realm) : NULL,
			      service ? xstrdup(service) : NULL, scope ? xstrdup(scope) : NULL};
	int rc = realm_form(registry, &c, path, ret_url, ret_form, err);

	challenge_release(&c);
	return rc;
}

static void c05_c06_service_and_scopes_are_parameters(void **state)
{
#define OURS "scope=repository%3Aa%2Fb%3Apull"
	static const struct {
		const char *realm, *service, *scope, *url;
	} cases[] = {
		{"https://auth.docker.io/token", "registry.docker.io", "repository:a/b:pull",
		 "https://auth.docker.io/token?service=registry.docker.io&" OURS},
		{"https://t/x", NULL, NULL, "https://t/x?" OURS},
		{"https://t/x", "", "", "https://t/x?" OURS},
		{"https://t/x?own=1&b=%2f", "s", NULL, "https://t/x?own=1&b=%2f&service=s&" OURS},
		{"https://t/x#f", "s", NULL, "https://t/x?service=s&" OURS},
		{"https://t/x", "a b&scope=evil", NULL,
		 "https://t/x?service=a+b%26scope%3Devil&" OURS},
		{"https://t/x", NULL, "repository:a/b:pull,push",
		 "https://t/x?" OURS "&scope=repository%3Aa%2Fb%3Apull%2Cpush"},
		{"https://t/x", NULL, "  x:1:pull repository:a/b:pull\ty:2:pull ",
		 "https://t/x?" OURS "&scope=x%3A1%3Apull&scope=y%3A2%3Apull"},
		{"https://t/x", "s\r\nX: y", "a\nb",
		 "https://t/x?service=s%0D%0AX%3A+y&" OURS "&scope=a%0Ab"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup_free char *url = NULL;
		struct error err = {0};

		assert_ok(url_of("https://r/v2/", cases[i].realm, cases[i].service, cases[i].scope,
				 &url, &err),
			  &err);
		if (strcasecmp(url, cases[i].url) != 0)
			fail_msg("%s, expected %s", url, cases[i].url);
	}
#undef OURS
}

static void c05_c06_service_and_scopes_are_fields_of_a_form(void **state)
{
	static const struct {
		const char *realm, *service, *scope, *path, *url, *form;
	} cases[] = {
		{"https://t/x", "s", "repository:a/b:pull", "a/b", "https://t/x",
		 "service=s&scope=repository%3Aa%2Fb%3Apull"},
		{"https://t/x?own=1", "a b&c", " x:1:pull  y\t", "a", "https://t/x?own=1",
		 "service=a%20b%26c&scope=repository%3Aa%3Apull%20x%3A1%3Apull%20y"},
		{"https://T:443", NULL, "x x x", NULL, "https://T:443/", "scope=x"},
		{"https://t/x", "", "", NULL, "https://t/x", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup_buffer struct buffer form = {0};
		cleanup_free char *url = NULL;
		struct error err = {0};

		assert_ok(form_of("https://r/v2/", cases[i].realm, cases[i].service, cases[i].scope,
				  cases[i].path, &url, &form, &err),
			  &err);
		assert_string_equal(url, cases[i].url);
		assert_string_equal(form.data ? (char *)form.data : "", cases[i].form);
	}
}

static void c05_without_a_repository_there_is_no_scope_for_it(void **state)
{
	struct challenge c = {CHALLENGE_BEARER, (char *)"https://t/x", (char *)"s", NULL};
	cleanup_free char *url = NULL;
	struct error err = {0};

	(void)state;
	assert_ok(realm_url("https://r/v2/", &c, NULL, &url, &err), &err);
	assert_string_equal(url, "https://t/x?service=s");
}

static void c07_realms_that_may_be_asked(void **state)
{
	static const char *const cases[][2] = {
		{"https://registry-1.docker.io/v2/", "https://auth.docker.io/token"},
		{"https://quay.io/v2/", "https://quay.io/v2/auth"},
		{"https://quay.io/v2/", "https://quay.io:8443/auth"},
		{"https://quay.io/v2/", "https://8.8.8.8/auth"},
		{"https://10.1.2.3/v2/", "https://10.1.2.3:5001/auth"},
		{"https://[fd00::1]/v2/", "https://[fd00:0::1]/auth"},
		{"https://localhost:5000/v2/", "https://127.0.0.1:5001/auth"},
		{"https://localhost:5000/v2/", "https://auth.docker.io/token"},
		{"http://localhost:5000/v2/", "http://[::1]:5001/auth"},
		{"http://127.0.0.1:5000/v2/", "http://127.0.0.1:5001/auth"},
		{"http://127.0.0.1:5000/v2/", "https://auth.test/token"},
		{"http://10.0.0.1:5000/v2/", "http://10.0.0.1:5001/auth"},
		{"http://registry.test:5000/v2/", "http://registry.test/auth"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup_free char *url = NULL;
		struct error err = {0};

		assert_ok(url_of(cases[i][0], cases[i][1], NULL, NULL, &url, &err), &err);
	}
}

static void refused(const char *registry, const char *realm, const char *reason)
{
	char *url = NULL;
	struct error err = {0};

	if (url_of(registry, realm, "s", NULL, &url, &err) == 0)
		fail_msg("%.200s of %s was taken", realm, registry);
	assert_error(&err, ERR_INVALID, reason);
}

static void f67_realms_that_must_not_be_asked(void **state)
{
	static const char *const cases[][3] = {
		{"https://quay.io/v2/", NULL, "names no token server"},
		{"https://quay.io/v2/", "", "names no token server"},
		{"https://quay.io/v2/", "/token", "token"},
		{"https://quay.io/v2/", "//auth.quay.io/token", "token"},
		{"https://quay.io/v2/", "auth.quay.io/token", "token"},
		{"https://quay.io/v2/", "simple", "simple"},
		{"https://quay.io/v2/", "http://quay.io/token", "is not https"},
		{"https://quay.io/v2/", "http://localhost/token", "is not https"},
		{"https://localhost/v2/", "http://localhost/token", "is not https"},
		{"http://localhost/v2/", "http://quay.io/token", "is not https"},
		{"http://localhost/v2/", "http://10.0.0.1/token", "is not https"},
		{"http://10.0.0.1/v2/", "http://10.0.0.2/token", "is not https"},
		{"http://localhost/v2/", "https://10.0.0.1/token", "private network"},
		{"https://quay.io/v2/", "https://localhost/token", "private network"},
		{"https://quay.io/v2/", "https://x.localhost./token", "private network"},
		{"https://quay.io/v2/", "https://127.0.0.1/token", "private network"},
		{"https://quay.io/v2/", "https://127.1/token", "private network"},
		{"https://quay.io/v2/", "https://0x7f000001/token", "private network"},
		{"https://quay.io/v2/", "https://2130706433/token", "private network"},
		{"https://quay.io/v2/", "https://017700000001/token", "private network"},
		{"https://quay.io/v2/", "https://169.254.169.254/token", "private network"},
		{"https://quay.io/v2/", "https://0.0.0.0/token", "private network"},
		{"https://quay.io/v2/", "https://10.0.0.1/token", "private network"},
		{"https://quay.io/v2/", "https://192.168.1.1:8443/token", "private network"},
		{"https://quay.io/v2/", "https://172.20.1.1/token", "private network"},
		{"https://quay.io/v2/", "https://[::1]/token", "private network"},
		{"https://quay.io/v2/", "https://[::ffff:127.0.0.1]/token", "private network"},
		{"https://quay.io/v2/", "https://[fe80::1%25eth0]/token", "private network"},
		{"https://quay.io/v2/", "https://[fd00::1]/token", "private network"},
		{"https://10.0.0.1/v2/", "https://10.0.0.2/token", "private network"},
		{"https://10.0.0.1/v2/", "https://127.0.0.1/token", "private network"},
		{"https://quay.io/v2/", "https://me@auth.test/token", "user name"},
		{"https://quay.io/v2/", "https://me:pw@auth.test/token", "user name"},
		{"https://quay.io/v2/", "file:///etc/passwd", "neither http nor https"},
		{"https://quay.io/v2/", "ftp://auth.test/x", "neither http nor https"},
		{"https://quay.io/v2/", "https://auth.test/a b", "characters"},
		{"https://quay.io/v2/", "https://auth.test/\r\nX: y", "characters"},
		{"https://quay.io/v2/", "https://auth.test/\xc3\xa9", "characters"},
		{"https://quay.io/v2/", "https://auth.test:0x50/", "auth.test"},
		{"https://quay.io/v2/", "https://%6cocalhost/", "private network"},
		{"https://quay.io/v2/", "https://%31%32%37.0.0.1/", "private network"},
		{"https://quay.io/v2/", "https://127.0.0.1%2e/", "private network"},
		{"https://quay.io/v2/", "https://auth%ca.test/", "characters"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		refused(cases[i][0], cases[i][1], cases[i][2]);
}

static void f67_what_is_too_long_is_refused(void **state)
{
	cleanup_free char *realm = xasprintf("https://auth.test/%04096d", 0);
	cleanup_free char *service = xasprintf("%01025d", 0);
	cleanup_free char *scope = xasprintf("%04097d", 0);
	char *url = NULL;
	struct error err = {0};

	(void)state;
	refused("https://quay.io/v2/", realm, "the realm has more than 4096 bytes");
	assert_int_equal(url_of("https://r/", "https://t/", service, NULL, &url, &err), -1);
	assert_error(&err, ERR_INVALID, "the service has more than 1024 bytes");
	assert_int_equal(url_of("https://r/", "https://t/", NULL, scope, &url, &err), -1);
	assert_error(&err, ERR_INVALID, "the scope has more than 4096 bytes");
	assert_int_equal(url_of("https://r/", "https://t/", NULL,
				"a b c d e f g h i j k l m n o p q", &url, &err),
			 -1);
	assert_error(&err, ERR_INVALID, "more than 16 scopes");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(c05_c06_service_and_scopes_are_parameters),
		cmocka_unit_test(c05_c06_service_and_scopes_are_fields_of_a_form),
		cmocka_unit_test(c05_without_a_repository_there_is_no_scope_for_it),
		cmocka_unit_test(c07_realms_that_may_be_asked),
		cmocka_unit_test(f67_realms_that_must_not_be_asked),
		cmocka_unit_test(f67_what_is_too_long_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
