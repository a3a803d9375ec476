/* SPDX-License-Identifier: Apache-2.0 */
/* URLs, and the hosts that are this machine: rules C8, F66. */
#include "registry/http_url.h"

#include <strings.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "tests/support/cmocka.h"

static void parts_are_taken_apart(void **state)
{
	static const struct {
		const char *text, *scheme, *host;
		unsigned port;
	} cases[] = {
		{"https://quay.io/v2/", "https", "quay.io", 443},
		{"http://quay.io:8080", "http", "quay.io", 8080},
		{"HTTPS://[2001:db8::1]:5000/x", "https", "2001:db8::1", 5000},
		{"http://0x7f.1/x", "http", "127.0.0.1", 80},
		{"http://2130706433/", "http", "127.0.0.1", 80},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct http_url url;
		struct error err = {0};

		assert_ok(http_url_parse(cases[i].text, &url, &err), &err);
		assert_string_equal(url.scheme, cases[i].scheme);
		assert_string_equal(url.host, cases[i].host);
		assert_int_equal(url.port, cases[i].port);
		http_url_release(&url);
	}
}

static void f66_strange_urls_are_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"quay.io/x",
		"ftp://x/",
		"file:///etc/passwd",
		"gopher://x/",
		"http://",

		"https://me@quay.io/",
		"https://me:pw@quay.io/",
		"http://a b/",
		"javascript:alert(1)",
		"http://x:99999/",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct http_url url = {0};
		struct error err = {0};

		if (http_url_parse(bad[i], &url, &err) == 0)
			fail_msg("'%s' was taken", bad[i]);
		assert_int_equal(err.kind, ERR_INVALID);
	}
}

static void secrets_are_not_in_errors(void **state)
{
	struct http_url url = {0};
	struct error err = {0};

	(void)state;
	assert_int_equal(http_url_parse("ftp://x/y?signature=secret", &url, &err), -1);
	assert_null(strstr(err.cause, "secret"));
}

static void c08_locations_are_joined(void **state)
{
	static const char *const cases[][2] = {
		{"https://cdn.test/b?sig=1", "https://cdn.test/b?sig=1"},
		{"/v2/x", "https://quay.io:444/v2/x"},
		{"../y", "https://quay.io:444/v2/a/y"},
		{"?z=1", "https://quay.io:444/v2/a/b/c?z=1"},
		{"//cdn.test/x", "https://cdn.test/x"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup_free char *url = NULL;
		struct error err = {0};

		assert_ok(http_url_join("https://quay.io:444/v2/a/b/c?q=1", cases[i][0], &url,
					&err),
			  &err);
		assert_string_equal(url, cases[i][1]);
	}
}

static void f66_strange_locations_are_refused(void **state)
{
	static const char *const bad[] = {"file:///etc/passwd", "ftp://x/y",
					  "http://x/\r\nHost: evil", "http://x/\x01",
					  "http://me:pw@x/"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		char *url = NULL;
		struct error err = {0};

		if (http_url_join("https://quay.io/", bad[i], &url, &err) == 0)
			fail_msg("'%s' was taken: %s", bad[i], url);
		assert_int_equal(err.kind, ERR_INVALID);
	}
}

static void urls_are_shown_without_their_query(void **state)
{
	cleanup_free char *query = http_url_shown("https://x/y?sig=secret#z");
	cleanup_free char *fragment = http_url_shown("https://x/y#z?sig=secret");

	(void)state;
	assert_string_equal(query, "https://x/y");
	assert_string_equal(fragment, "https://x/y");
}

static bool same(const char *a, const char *b)
{
	struct http_url x, y;
	struct error err = {0};
	bool yes;

	assert_ok(http_url_parse(a, &x, &err), &err);
	assert_ok(http_url_parse(b, &y, &err), &err);
	yes = http_url_same_origin(&x, &y);
	http_url_release(&x);
	http_url_release(&y);
	return yes;
}

static void c08_an_origin_is_scheme_host_and_port(void **state)
{
	(void)state;
	assert_true(same("https://quay.io/a", "https://QUAY.io:443/b?c"));
	assert_false(same("https://quay.io/a", "http://quay.io/a"));
	assert_false(same("https://quay.io/a", "https://cdn.quay.io/a"));
	assert_false(same("https://quay.io/a", "https://quay.io:444/a"));
}

static void hosts_of_this_machine_are_known(void **state)
{
	static const struct {
		const char *host;
		bool loopback, local;
	} cases[] = {
		{"localhost", true, true},
		{"LOCALHOST.", true, true},
		{"x.localhost", true, true},
		{"notlocalhost", false, false},
		{"localhost.com", false, false},
		{"127.0.0.1", true, true},
		{"127.255.255.255", true, true},
		{"128.0.0.1", false, false},
		{"::1", true, true},
		{"::ffff:127.0.0.1", true, true},
		{"::ffff:10.0.0.1", false, false},
		{"0.0.0.0", false, true},
		{"::", false, true},
		{"169.254.169.254", false, true},
		{"fe80::1", false, true},
		{"::ffff:169.254.169.254", false, true},
		{"10.0.0.1", false, false},
		{"192.168.1.1", false, false},
		{"quay.io", false, false},
		{"", false, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (http_host_is_loopback(cases[i].host) != cases[i].loopback
		    || http_host_is_local(cases[i].host) != cases[i].local)
			fail_msg("%s", cases[i].host);
}

static void c12_passwords_in_urls_are_not_shown(void **state)
{
	static const char *const cases[][2] = {
		{"https://me:secret@a.test/x?y", "https://a.test/x"},
		{"me:secret@a.test", "a.test"},
		{"https://me:sec@ret@a.test:5/@x", "https://a.test:5/@x"},
		{"https://a.test/m@x", "https://a.test/m@x"},
		{"/m?x=http://me:secret@a.test", "/m"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup_free char *shown = http_url_shown(cases[i][0]);

		assert_string_equal(shown, cases[i][1]);
	}
}

static void c05_queries_are_extended_and_encoded(void **state)
{
	static const char *const cases[][3] = {
		{"https://x/t", "repository:a/b:pull", "https://x/t?n=repository%3Aa%2Fb%3Apull"},
		{"https://x/t?a=b%20c", "d", "https://x/t?a=b%20c&n=d"},
		{"https://x/t?", "d", "https://x/t?n=d"},
		{"https://x", "d", "https://x/?n=d"},
		{"https://x/t?a#f?g", "&b=c#d%\r\n", "https://x/t?a&n=%26b%3Dc%23d%25%0D%0A"},
		{"https://x/t", "\xc3\xa9", "https://x/t?n=%C3%A9"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup_free char *url = NULL;
		struct error err = {0};

		assert_ok(http_url_add_query(cases[i][0], "n", cases[i][1], &url, &err), &err);
		if (strcasecmp(url, cases[i][2]) != 0)
			fail_msg("%s, expected %s", url, cases[i][2]);
	}
}

static void c07_private_networks_are_known(void **state)
{
	static const char *const private[] = {
		"10.0.0.1",	   "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1",
		"100.64.0.1",	   "100.127.0.1",    "fc00::1",	   "fdff::1",	     "127.0.0.1",
		"169.254.1.2",	   "localhost",	     "::1",	   "fe80::1",	     "0.0.0.0",
		"::ffff:10.1.2.3", "10.0.0.1.",	     "127.0.0.1.", "localhost.",
	};
	static const char *const public[] = {
		"11.0.0.1",	  "9.255.255.255",  "172.15.255.255", "172.32.0.1", "192.167.1.1",
		"192.169.0.1",	  "100.63.255.255", "100.128.0.1",    "fe00::1",    "2001:db8::1",
		"::ffff:8.8.8.8", "quay.io",	    "10.example.com", "",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(private); i++)
		if (!http_host_is_private(private[i]))
			fail_msg("%s is not seen as private", private[i]);
	for (size_t i = 0; i < ARRAY_SIZE(public); i++)
		if (http_host_is_private(public[i]))
			fail_msg("%s is seen as private", public[i]);
}

static void c05_forms_are_encoded(void **state)
{
	cleanup_buffer struct buffer form = {0};

	(void)state;
	http_form_add(&form, "a", "aZ09-._~");
	http_form_add(&form, "b", "");
	http_form_add(&form, "c", "a b+c&d=e/%\xc3\xa4\r\n\"");
	assert_string_equal((char *)form.data,
			    "a=aZ09-._~&b=&c=a%20b%2Bc%26d%3De%2F%25%C3%A4%0D%0A%22");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts_are_taken_apart),
		cmocka_unit_test(f66_strange_urls_are_refused),
		cmocka_unit_test(secrets_are_not_in_errors),
		cmocka_unit_test(c08_locations_are_joined),
		cmocka_unit_test(f66_strange_locations_are_refused),
		cmocka_unit_test(urls_are_shown_without_their_query),
		cmocka_unit_test(c08_an_origin_is_scheme_host_and_port),
		cmocka_unit_test(hosts_of_this_machine_are_known),
		cmocka_unit_test(c12_passwords_in_urls_are_not_shown),
		cmocka_unit_test(c05_queries_are_extended_and_encoded),
		cmocka_unit_test(c07_private_networks_are_known),
		cmocka_unit_test(c05_forms_are_encoded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
