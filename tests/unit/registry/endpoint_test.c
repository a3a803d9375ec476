/* SPDX-License-Identifier: Apache-2.0 */
/* Endpoints as values: their URLs, lists, copies. */
#include "registry/endpoint.h"

#include <stdlib.h>

#include "pkg/base/alloc.h"
#include "tests/support/cmocka.h"

static void c16_urls_are_completed(void **state)
{
	static const struct {
		const char *text;
		bool override_path;
		const char *url, *host;
	} cases[] = {
		{"https://a.test", false, "https://a.test/v2", "a.test"},
		{"a.test:5000", false, "https://a.test:5000/v2", "a.test:5000"},
		{"http://a.test/", false, "http://a.test/v2", "a.test"},
		{"https://a.test/v2", false, "https://a.test/v2", "a.test"},
		{"https://a.test/v2/", false, "https://a.test/v2", "a.test"},
		{"https://a.test/x/y", false, "https://a.test/x/y/v2", "a.test"},
		{"https://a.test/x/v2", false, "https://a.test/x/v2", "a.test"},
		{"https://a.test/xv2", false, "https://a.test/xv2/v2", "a.test"},
		{"https://a.test/x", true, "https://a.test/x", "a.test"},
		{"https://a.test", true, "https://a.test", "a.test"},
		{"https://[::1]:5000/x", false, "https://[::1]:5000/x/v2", "[::1]:5000"},
		{"HTTP://a.test", false, "http://a.test/v2", "a.test"},
		{"httpbin.test", false, "https://httpbin.test/v2", "httpbin.test"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup(endpoint_release) struct endpoint e = {0};
		struct error err = {0};

		assert_ok(endpoint_set_url(&e, cases[i].text, cases[i].override_path, &err), &err);
		assert_string_equal(e.url, cases[i].url);
		assert_string_equal(e.host, cases[i].host);
	}
}

static void c16_other_urls_are_refused(void **state)
{
	static const char *const bad[] = {"",
					  "https://",
					  "https:///v2",
					  "ftp://a.test",
					  "file:///etc",
					  "https://me:secret@a.test",
					  "https://a.test?x=1",
					  "https://me:secret@a.test?x=1",
					  "https://me:secret@a.test//x",
					  "https://a.test/#x",
					  "https://a.test/../x",
					  "https://a.test/x//y",
					  "https://a.test/./x",
					  "https://a b.test",
					  "https://a.test:99999",
					  "https://a.test/\nx",
					  "https:/a.test/x",
					  "https:/a.test/x/y/and/more://",
					  "https://a.test/x://y",
					  "https://a.test:",
					  "https://a.test:/x"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct endpoint e = {0};
		struct error err = {0};

		if (endpoint_set_url(&e, bad[i], false, &err) == 0)
			fail_msg("'%s' is taken", bad[i]);
		assert_int_equal(err.kind, ERR_INVALID);
		assert_null(e.url);
		assert_null(strstr(err.cause, "secret"));
	}
}

static void a_copy_is_whole_and_its_own(void **state)
{
	cleanup(endpoint_release) struct endpoint copy = {0};
	struct endpoint e = {.path = xstrdup("a/b"),
			     .ns = xstrdup("n"),
			     .proxy = xstrdup("p"),
			     .pulls = true,
			     .dial_timeout_ms = 7};
	struct error err = {0};

	(void)state;
	assert_ok(endpoint_set_url(&e, "a.test", false, &err), &err);
	assert_false(endpoint_tls_is_set(&e.tls));
	endpoint_tls_add_ca(&e.tls, "/ca1");
	endpoint_tls_add_ca(&e.tls, "/ca2");
	assert_true(endpoint_tls_is_set(&e.tls));
	e.tls.client_cert = xstrdup("c");
	e.tls.client_key = xstrdup("k");
	endpoint_add_header(&e, "X-A", "1");
	endpoint_add_header(&e, "X-B", "2");
	endpoint_copy(&copy, &e);
	endpoint_release(&e);
	assert_null(e.url);
	assert_string_equal(copy.url, "https://a.test/v2");
	assert_string_equal(copy.host, "a.test");
	assert_string_equal(copy.path, "a/b");
	assert_string_equal(copy.ns, "n");
	assert_string_equal(copy.proxy, "p");
	assert_true(copy.pulls && !copy.resolves);
	assert_int_equal(copy.dial_timeout_ms, 7);
	assert_int_equal(copy.tls.n_ca_files, 2);
	assert_string_equal(copy.tls.ca_files[1], "/ca2");
	assert_string_equal(copy.tls.client_cert, "c");
	assert_string_equal(copy.tls.client_key, "k");
	assert_int_equal(copy.n_headers, 2);
	assert_string_equal(copy.headers[1], "X-B: 2");
}

static void lists_are_joined_in_order(void **state)
{
	cleanup(endpoints_release) struct endpoints a = {0}, b = {0};

	(void)state;
	for (int i = 0; i < 5; i++)
		endpoints_add(i < 2 ? &a : &b)->path = xasprintf("%d", i);
	endpoints_join(&a, &b);
	assert_int_equal(a.n, 5);
	assert_int_equal(b.n, 0);
	for (int i = 0; i < 5; i++)
		assert_int_equal(atoi(a.items[i].path), i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(c16_urls_are_completed),
		cmocka_unit_test(c16_other_urls_are_refused),
		cmocka_unit_test(a_copy_is_whole_and_its_own),
		cmocka_unit_test(lists_are_joined_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
