/* SPDX-License-Identifier: Apache-2.0 */
/* hosts.toml: what each key means, what is refused, which file counts (C16). */
#include "registry/hosts_toml.h"

#include <stdlib.h>

#include "pkg/base/alloc.h"
#include "tests/support/cmocka.h"
#include "tests/support/layout_folder.h"
#include "tests/support/scratch.h"

static struct endpoints read_text(const char *toml)
{
	struct endpoints list = {0};
	struct error err = {0};

	assert_ok(hosts_toml_parse(toml, strlen(toml), "/dir", &list, &err), &err);
	return list;
}

static void refused(const char *toml, enum error_kind kind, const char *reason)
{
	struct endpoints list = {0};
	struct error err = {0};

	if (hosts_toml_parse(toml, strlen(toml), "/dir", &list, &err) == 0)
		fail_msg("taken: %s", toml);
	assert_error(&err, kind, reason);
	assert_int_equal(list.n, 0);
}

static void c16_mirrors_come_in_order_and_the_server_last(void **state)
{
	cleanup(endpoints_release) struct endpoints list =
		read_text("server = 'https://registry-1.docker.io'\n"
			  "[host.'https://z.test']\n"
			  "capabilities = ['pull', 'Resolve', 'push']\n"
			  "[host.'http://a.test:5000/x']\n"
			  "capabilities = ['pull']\n"
			  "[host.'m.test']\n"
			  "override_path = true\n");

	(void)state;
	assert_int_equal(list.n, 4);
	assert_string_equal(list.items[0].url, "https://z.test/v2");
	assert_true(list.items[0].pulls && list.items[0].resolves);
	assert_string_equal(list.items[1].url, "http://a.test:5000/x/v2");
	assert_true(list.items[1].pulls && !list.items[1].resolves);
	assert_false(list.items[1].may_be_plain);
	assert_string_equal(list.items[2].url, "https://m.test");
	assert_true(list.items[2].pulls && list.items[2].resolves);
	assert_string_equal(list.items[3].url, "https://registry-1.docker.io/v2");
	assert_true(list.items[3].pulls && list.items[3].resolves);
}

static void c16_without_a_server_the_registry_itself_is_last(void **state)
{
	static const char *const files[] = {"", "# nothing", "server = ''", "ca = 'x.crt'"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		cleanup(endpoints_release) struct endpoints list = read_text(files[i]);

		assert_int_equal(list.n, 1);
		assert_null(list.items[0].url);
		assert_int_equal(list.items[0].tls.n_ca_files, i == 3);
	}
}

static void c16_authorities_are_one_or_several_files(void **state)
{
	cleanup(endpoints_release) struct endpoints list = read_text(
		"ca = ['/abs/a.crt', 'b.crt']\n[host.x]\nca = 'c.crt'\nskip_verify = true");

	(void)state;
	assert_int_equal(list.items[0].tls.n_ca_files, 1);
	assert_string_equal(list.items[0].tls.ca_files[0], "/dir/c.crt");
	assert_true(list.items[0].tls.skip_verify);
	assert_int_equal(list.items[1].tls.n_ca_files, 2);
	assert_string_equal(list.items[1].tls.ca_files[0], "/abs/a.crt");
	assert_string_equal(list.items[1].tls.ca_files[1], "/dir/b.crt");
	assert_false(list.items[1].tls.skip_verify);
}

static void c16_client_certificates_have_three_forms(void **state)
{
	static const struct {
		const char *toml, *cert, *key;
	} cases[] = {
		{"client = 'c.pem'", "/dir/c.pem", "/dir/c.pem"},
		{"client = ['/c.pem']", "/c.pem", "/c.pem"},
		{"client = [['c.cert', '/k.key']]", "/dir/c.cert", "/k.key"},
		{"client = [['c.pem', '']]", "/dir/c.pem", "/dir/c.pem"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup(endpoints_release) struct endpoints list = read_text(cases[i].toml);

		assert_string_equal(list.items[0].tls.client_cert, cases[i].cert);
		assert_string_equal(list.items[0].tls.client_key, cases[i].key);
	}
	refused("client = ['a.pem', 'b.pem']", ERR_UNSUPPORTED,
		"several certificates for one host");
	refused("client = [['a', 'b', 'c']]", ERR_INVALID, "hosts.toml.client[0]: not a pair");
	refused("client = [['a', 1]]", ERR_INVALID, "hosts.toml.client[0][1]: not a string");
	refused("client = [1]", ERR_INVALID, "hosts.toml.client[0]: not a string");
	refused("client = ''", ERR_INVALID, "client: an empty path");
	refused("client = {}", ERR_INVALID, "hosts.toml.client: not a string");
}

static void c16_headers_are_one_or_several_values(void **state)
{
	cleanup(endpoints_release) struct endpoints list =
		read_text("[host.x.header]\nx-one = 'a b'\nX-Two = ['1', '']");

	(void)state;
	assert_int_equal(list.items[0].n_headers, 3);
	assert_string_equal(list.items[0].headers[0], "x-one: a b");
	assert_string_equal(list.items[0].headers[1], "X-Two: 1");
	assert_string_equal(list.items[0].headers[2], "X-Two: ");
	refused("[header]\n'a b' = ''", ERR_INVALID, "such a header cannot be set");
	refused("[header]\n'' = ''", ERR_INVALID, "such a header cannot be set");
	refused("[header]\n'a:' = ''", ERR_INVALID, "such a header cannot be set");
	refused("[header]\nhost = 'x'", ERR_INVALID, "header.host: such a header cannot be set");
	refused("[header]\nrange = 'x'", ERR_INVALID, "header.range: such a header cannot be set");
	refused("[header]\nx = \"a\\r\\nb: c\"", ERR_INVALID,
		"x: a control character in its value");
	refused("[header]\nx = 1", ERR_INVALID, "hosts.toml.header.x: not a string");
	refused("header = 'x'", ERR_INVALID, "hosts.toml.header: not an object");
}

static void c16_the_rest_of_the_keys(void **state)
{
	cleanup(endpoints_release) struct endpoints list =
		read_text("dial_timeout = '1.5s'\nproxy = 'http://me:pass@proxy:3128'\n"
			  "[host.x]\ncapabilities = ['push']\n[host.y]\ncapabilities = []");

	(void)state;
	assert_int_equal(list.items[2].dial_timeout_ms, 1500);
	assert_string_equal(list.items[2].proxy, "http://me:pass@proxy:3128");
	assert_false(list.items[0].pulls || list.items[0].resolves);
	assert_int_equal(list.items[0].dial_timeout_ms, 0);
	assert_null(list.items[0].proxy);
	assert_true(list.items[1].pulls && list.items[1].resolves);
}

static void c19_http_with_tls_settings_prefers_tls(void **state)
{
	cleanup(endpoints_release) struct endpoints list =
		read_text("[host.'http://a.test:5000']\nskip_verify = false\n"
			  "[host.'http://b.test']\nskip_verify = true\n"
			  "[host.'http://c.test:5000']\n"
			  "[host.'https://d.test:5000']\nskip_verify = true\n"
			  "[host.'http://e.test:5000/x']\nca = 'c.crt'\n");

	(void)state;
	assert_string_equal(list.items[0].url, "https://a.test:5000/v2");
	assert_true(list.items[0].may_be_plain);
	assert_string_equal(list.items[1].url, "http://b.test/v2"); /* port 80 is never TLS */
	assert_string_equal(list.items[2].url, "http://c.test:5000/v2");
	assert_string_equal(list.items[3].url, "https://d.test:5000/v2");
	assert_false(list.items[3].may_be_plain);
	assert_string_equal(list.items[4].url, "https://e.test:5000/x/v2");
	assert_true(list.items[4].may_be_plain);
}

static void c16_errors_name_line_or_key(void **state)
{
	(void)state;
	refused("server = 'a'\nserver = 'b'", ERR_INVALID, "line 2: 'server' is there already");
	refused("server = 1", ERR_INVALID, "hosts.toml.server: not a string");
	refused("server = 'ftp://x'", ERR_INVALID, "neither http nor https");
	refused("Server = 'x'", ERR_INVALID, "hosts.toml.Server: is 'server' meant?");
	refused("host = 'x'", ERR_INVALID, "hosts.toml.host: not an object");
	refused("host.x = 1", ERR_INVALID, "hosts.toml.host.x: not a table");
	refused("[host.x]\ncapabilities = 'pull'", ERR_INVALID, "capabilities: not an array");
	refused("[host.x]\ncapabilities = ['read']", ERR_INVALID,
		"host.\"x\": 'read' is none of the capabilities");
	refused("ca = 1", ERR_INVALID, "hosts.toml.ca: not a string");
	refused("ca = ['']", ERR_INVALID, "ca: an empty path");
	refused("skip_verify = 'yes'", ERR_INVALID, "skip_verify: neither true nor false");
	refused("override_path = 1", ERR_INVALID, "override_path: neither true nor false");
	refused("dial_timeout = 1", ERR_INVALID, "dial_timeout: not a string");
	refused("dial_timeout = '1'", ERR_INVALID, "dial_timeout: '1' is no time");
	refused("[host.'https://me:secret@x']", ERR_INVALID, "a user name or password");
}

/* What is refused for this reason is refused without the secret in it. */
static void refused_unseen(const char *toml, const char *reason)
{
	struct endpoints list = {0};
	struct error err = {0};
	char text[1024];

	assert_int_equal(hosts_toml_parse(toml, strlen(toml), "/", &list, &err), -1);
	assert_error(&err, ERR_INVALID, reason);
	error_text(&err, text, sizeof(text));
	assert_null(strstr(text, "secret"));
}

static void c12_a_proxy_is_not_shown(void **state)
{
	(void)state;
	refused_unseen("proxy = 'ftp://me:secret@x'", "proxy: not a URL");
	refused_unseen("proxy = 'secret'", "proxy: not a URL");
	refused_unseen("proxy = \"http://secret\\n\"", "proxy: not a URL");
}

static void c12_a_password_in_a_url_is_not_shown(void **state)
{
	static const char reason[] = "a user name or password in a URL";

	(void)state;
	refused_unseen("server = 'https://me:secret@x'", reason);
	refused_unseen("[host.'https://me:secret@x']", "host.\"https://x\": a user name");
	refused_unseen("[host.'me:secret@x']", "host.\"x\": a user name");
	refused_unseen("host.'https://me:secret@x' = 1", reason);
	refused_unseen("[host.'https://me:secret@x']\nskip_verify = 1", reason);
	refused_unseen("[host.'https://me:secret@x']\nCA = 'x'", reason);
}

/* --- which file ----------------------------------------------------------------------------------
 */

static void find(const char *domain, int want, const char *url)
{
	cleanup(endpoints_release) struct endpoints list = {0};
	struct error err = {0};
	int rc = hosts_toml_find(domain, &list, &err);

	if (rc != want)
		fail_msg("%s: %d, expected %d: %s %s", domain, rc, want, err.context, err.cause);
	if (rc == 0)
		assert_string_equal(list.items[0].url, url);
}

static void c16_the_file_of_the_host_counts(void **state)
{
	setenv("XDG_CONFIG_HOME", *state, 1);
	find("c16-nowhere.test", 1, NULL);
	put_file(*state, "containerd/certs.d/a.test/hosts.toml", "server = 'a'");
	put_file(*state, "containerd/certs.d/b.test:5000/hosts.toml", "server = 'colon'");
	find("a.test", 0, "https://a/v2");
	find("b.test:5000", 0, "https://colon/v2");
	find("b.test", 1, NULL);
	put_file(*state, "containerd/certs.d/b.test_5000_/hosts.toml", "server = 'line'");
	find("b.test:5000", 0, "https://line/v2");
	put_file(*state, "containerd/certs.d/_default/hosts.toml", "server = 'any'");
	find("b.test", 0, "https://any/v2");
	find("a.test", 0, "https://a/v2");
	put_file(*state, "containerd/certs.d/[::1]_5000_/hosts.toml", "server = 'six'");
	find("[::1]:5000", 0, "https://six/v2");
	/* A folder with certificates alone is about the host, too. */
	put_file(*state, "containerd/certs.d/c.test/ca.crt", "");
	find("c.test", 1, NULL);
}

static void c16_paths_are_relative_to_the_file(void **state)
{
	cleanup(endpoints_release) struct endpoints list = {0};
	cleanup_free char *want = xasprintf("%s/containerd/certs.d/a.test/x.crt", (char *)*state);
	struct error err = {0};

	setenv("XDG_CONFIG_HOME", *state, 1);
	put_file(*state, "containerd/certs.d/a.test/hosts.toml", "ca = 'x.crt'");
	assert_ok(hosts_toml_find("a.test", &list, &err), &err);
	assert_string_equal(list.items[0].tls.ca_files[0], want);
}

static void c16_a_file_with_errors_is_not_passed_over(void **state)
{
	cleanup(endpoints_release) struct endpoints list = {0};
	struct error err = {0};

	setenv("XDG_CONFIG_HOME", *state, 1);
	put_file(*state, "containerd/certs.d/a.test/hosts.toml", "server");
	put_file(*state, "containerd/certs.d/a.test/ca.crt", "");
	assert_int_equal(hosts_toml_find("a.test", &list, &err), -1);
	assert_error(&err, ERR_INVALID, "containerd/certs.d/a.test/hosts.toml: line 1: ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(c16_mirrors_come_in_order_and_the_server_last),
		cmocka_unit_test(c16_without_a_server_the_registry_itself_is_last),
		cmocka_unit_test(c16_authorities_are_one_or_several_files),
		cmocka_unit_test(c16_client_certificates_have_three_forms),
		cmocka_unit_test(c16_headers_are_one_or_several_values),
		cmocka_unit_test(c16_the_rest_of_the_keys),
		cmocka_unit_test(c19_http_with_tls_settings_prefers_tls),
		cmocka_unit_test(c16_errors_name_line_or_key),
		cmocka_unit_test(c12_a_proxy_is_not_shown),
		cmocka_unit_test(c12_a_password_in_a_url_is_not_shown),
		cmocka_unit_test_setup_teardown(c16_the_file_of_the_host_counts, scratch_set_up,
						scratch_tear_down),
		cmocka_unit_test_setup_teardown(c16_paths_are_relative_to_the_file, scratch_set_up,
						scratch_tear_down),
		cmocka_unit_test_setup_teardown(c16_a_file_with_errors_is_not_passed_over,
						scratch_set_up, scratch_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
