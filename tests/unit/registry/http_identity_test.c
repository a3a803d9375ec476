/* SPDX-License-Identifier: Apache-2.0 */
/* Authorities, client certificates, headers and proxies, at home and elsewhere (C16, C20). */
#include <stdlib.h>

#include "pkg/base/alloc.h"
#include "registry/http.h"
#include "tests/support/cmocka.h"
#include "tests/support/fake_registry.h"
#include "tests/support/layout_folder.h"

static struct fake_registry server;
static char *cert, *authority; /* that tls_port and auth_port are to be trusted by */

static int start(void **state)
{
	(void)state;
	fake_registry_start(&server);
	cert = xasprintf("%s/cert.pem", server.folder);
	authority = xasprintf("%s/auth-ca.pem", server.folder);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	fake_registry_stop(&server);
	free(cert);
	free(authority);
	return 0;
}

static int forget_environment(void **state)
{
	static const char *const names[] = {"SSL_CERT_FILE", "http_proxy", "HTTP_PROXY",
					    "https_proxy",   "no_proxy",   "NO_PROXY"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		unsetenv(names[i]);
	return 0;
}

/* What a request comes to; the body is kept in *ret_body unless that is NULL. */
static int get(const struct http_options *options, const char *url, const char *authorization,
	       char **ret_body, struct error *err)
{
	cleanup(http_client_free_ptr) struct http_client *c = http_client_new(options);
	struct http_request request = {.url = url, .accept = "a/b", .authorization = authorization};
	cleanup(http_response_release) struct http_response r = {0};
	struct buffer body = {0};
	enum http_problem problem;

	error_clear(err);
	if (http_get(c, &request, &r, &problem, err) < 0)
		return -1;
	if (ret_body) {
		assert_ok(stream_read_all(r.body, 1 << 20, &body, err), err);
		*ret_body = buffer_detach(&body);
	}
	return 0;
}

static char *url_of(const char *scheme, const char *host, unsigned port, const char *path)
{
	return xasprintf("%s://%s:%u/v2/%s", scheme, host, port, path);
}

static void fails(const struct http_options *options, const char *url, enum error_kind kind,
		  const char *reason)
{
	struct error err = {0};

	if (get(options, url, NULL, NULL, &err) == 0)
		fail_msg("%s is answered, though: %s", url, reason);
	assert_error(&err, kind, reason);
}

static void works(const struct http_options *options, const char *url)
{
	struct error err = {0};

	assert_ok(get(options, url, NULL, NULL, &err), &err);
}

/* --- authorities ---------------------------------------------------------------------------------
 */

static void c16_authorities_come_from_several_files(void **state)
{
	cleanup_free char *tls = url_of("https", "localhost", server.tls_port, "ok/x");
	cleanup_free char *auth = url_of("https", "127.0.0.1", server.auth_port, "ok/x");
	char *files[] = {cert, authority};
	struct http_options options = {.ca_files = files, .n_ca_files = 2};

	(void)state;
	works(&options, tls);
	works(&options, auth);
	options.n_ca_files = 1;
	works(&options, tls);
	fails(&options, auth, ERR_VERIFICATION, "TLS certificate: ");
	options.ca_files = files + 1;
	fails(&options, tls, ERR_VERIFICATION, "TLS certificate: ");
}

static void c20_they_are_added_to_those_of_the_user(void **state)
{
	cleanup_free char *tls = url_of("https", "localhost", server.tls_port, "ok/x");
	cleanup_free char *auth = url_of("https", "127.0.0.1", server.auth_port, "ok/x");
	struct http_options options = {.ca_files = &cert, .n_ca_files = 1};

	(void)state;
	setenv("SSL_CERT_FILE", authority, 1);
	works(&options, tls);
	works(&options, auth);
}

static void c16_bad_files_of_authorities_are_named(void **state)
{
	cleanup_free char *tls = url_of("https", "localhost", server.tls_port, "ok/x");
	cleanup_free char *plain = url_of("http", "localhost", server.port, "ok/x");
	cleanup_free char *none = xasprintf("%s/none.crt", server.folder);
	cleanup_free char *text = xasprintf("%s/text.crt", server.folder);
	cleanup_free char *junk = xasprintf("%s/junk.crt", server.folder);
	struct http_options options = {.ca_files = &none, .n_ca_files = 1};

	(void)state;
	put_file(server.folder, "text.crt", "no certificate");
	put_file(server.folder, "junk.crt", "-----BEGIN CERTIFICATE-----\nx\n");
	fails(&options, tls, ERR_SYSTEM, "TLS: there is no file ");
	fails(&options, tls, ERR_SYSTEM, "/none.crt");
	works(&options, plain); /* which needs none */
	options.ca_files = &text;
	fails(&options, tls, ERR_INVALID, "/text.crt holds no certificate");
	options.ca_files = &junk;
	fails(&options, tls, ERR_SYSTEM, "TLS: ");
}

/* --- who we are ----------------------------------------------------------------------------------
 */

static void c20_a_client_certificate_is_shown_at_home(void **state)
{
	cleanup_free char *url = url_of("https", "localhost", server.client_port, "ok/x");
	cleanup_free char *other = url_of("https", "localhost", server.tls_port, "");
	struct http_options options = {.ca_file = server.ca_file, .home_url = url};

	(void)state;
	fails(&options, url, ERR_UNAUTHORIZED, "TLS client certificate: ");
	options.client_cert = server.client_cert;
	options.client_key = server.client_key;
	works(&options, url);
	options.home_url = NULL;
	works(&options, url);
	options.home_url = other;
	fails(&options, url, ERR_UNAUTHORIZED, "certificate required");
	options.home_url = "nonsense://x";
	fails(&options, url, ERR_UNAUTHORIZED, "certificate required");
}

static void c20_bad_client_certificates_are_told(void **state)
{
	cleanup_free char *url = url_of("https", "localhost", server.client_port, "ok/x");
	cleanup_free char *other_key = xasprintf("%s/key.pem", server.folder);
	struct http_options options = {.ca_file = server.ca_file,
				       .client_cert = "/nonexistent/c.pem",
				       .client_key = "/nonexistent/c.pem"};

	(void)state;
	fails(&options, url, ERR_INVALID, "TLS client certificate: could not load PEM client");
	options.client_cert = server.client_cert;
	options.client_key = other_key;
	fails(&options, url, ERR_INVALID, "TLS client certificate: ");
	options.client_cert = cert; /* of nobody that the server knows */
	fails(&options, url, ERR_UNAUTHORIZED, "TLS client certificate: ");
}

static void c16_headers_stay_at_home(void **state)
{
	static char *headers[] = {(char *)"X-Mine: 1", (char *)"x-mine: 2",
				  (char *)"authorization: Basic mine", (char *)"Accept: c/d"};
	cleanup_free char *url = url_of("http", "127.0.0.1", server.port, "echo/x");
	cleanup_free char *other = url_of("http", "127.0.0.1", server.other_port, "echo/x");
	cleanup_free char *with = NULL, *own = NULL, *away = NULL;
	struct http_options options = {.headers = headers, .n_headers = 4, .home_url = url};
	struct error err = {0};

	(void)state;
	assert_ok(get(&options, url, NULL, &with, &err), &err);
	assert_non_null(strstr(with, "\nX-Mine: 1"));
	assert_non_null(strstr(with, "\nx-mine: 2"));
	assert_non_null(strstr(with, "\nauthorization: Basic mine"));
	assert_null(strstr(with, "c/d")); /* what is asked for is not for a file to say */
	assert_ok(get(&options, url, "Bearer t", &own, &err), &err);
	assert_non_null(strstr(own, "\nAuthorization: Bearer t"));
	assert_null(strstr(own, "Basic mine"));
	assert_ok(get(&options, other, NULL, &away, &err), &err);
	assert_null(strcasestr(away, "mine"));
}

static void c20_verification_is_skipped_where_it_may_be(void **state)
{
	cleanup_free char *home = url_of("https", "127.0.0.1", server.tls_port, "ok/x");
	cleanup_free char *away = url_of("https", "localhost", server.auth_port, "ok/x");
	struct http_options options = {.skip_verify = true, .home_url = home};
	struct error err = {0};

	(void)state;
	works(&options, home); /* another name, and an authority that nobody knows */
	assert_ok(get(&options, home, "Bearer t", NULL, &err), &err);
	works(&options, away); /* what comes from there is checked by digest */
	assert_int_equal(get(&options, away, "Bearer t", NULL, &err), -1);
	assert_error(&err, ERR_VERIFICATION, "TLS certificate: ");
	options.skip_verify = false;
	fails(&options, home, ERR_VERIFICATION, "TLS certificate: ");
}

/* --- proxies -------------------------------------------------------------------------------------
 */

static void c20_the_environment_names_a_proxy(void **state)
{
	static const char url[] = "http://registry.invalid:5000/v2/echo/x";
	cleanup_free char *proxy = xasprintf("http://127.0.0.1:%u", server.port);
	cleanup_free char *here = url_of("http", "localhost", server.other_port, "echo/x");
	cleanup_free char *seen = NULL, *local = NULL;
	struct error err = {0};

	(void)state;
	setenv("HTTP_PROXY", proxy, 1); /* which a request could set in other programs */
	fails(NULL, url, ERR_NETWORK, "resolving the host");
	setenv("http_proxy", proxy, 1);
	assert_ok(get(NULL, url, NULL, &seen, &err), &err);
	assert_int_equal(strncmp(seen, "GET http://registry.invalid:5000/v2/echo/x ", 43), 0);
	assert_ok(get(NULL, here, NULL, &local, &err), &err);
	assert_int_equal(strncmp(local, "GET /v2/echo/x ", 15), 0);
	setenv("no_proxy", "a.test,.invalid", 1);
	fails(NULL, url, ERR_NETWORK, "resolving the host");
}

static char *proxy_log(void)
{
	cleanup_free char *url = url_of("http", "127.0.0.1", server.port, "log-proxy/x");
	struct error err = {0};
	char *log;

	assert_ok(get(NULL, url, NULL, &log, &err), &err);
	return log;
}

static void c20_a_proxy_of_its_own_comes_before_the_environment(void **state)
{
	cleanup_free char *url = url_of("https", "localhost", server.tls_port, "ok/x");
	cleanup_free char *proxy = xasprintf("http://me:pass@127.0.0.1:%u", server.port);
	cleanup_free char *want = xasprintf("CONNECT localhost:%u ", server.tls_port);
	struct http_options options = {.ca_file = server.ca_file, .proxy = proxy};
	cleanup_free char *log = NULL;

	(void)state;
	setenv("https_proxy", "http://127.0.0.1:1", 1);
	setenv("no_proxy", "localhost", 1);
	works(&options, url);
	log = proxy_log();
	assert_non_null(strstr(log, want));
	assert_non_null(strstr(log, "\nProxy-Authorization: Basic bWU6cGFzcw=="));
}

static void c20_proxies_that_fail(void **state)
{
	cleanup_free char *proxy = xasprintf("http://me:secret@127.0.0.1:%u", server.port);
	struct http_options options = {.proxy = proxy};
	struct error err = {0};
	char text[1024];

	(void)state;
	assert_int_equal(get(&options, "https://registry.test:407/v2/", NULL, NULL, &err), -1);
	assert_error(&err, ERR_UNAUTHORIZED,
		     "https://registry.test:407/v2/: the proxy does not connect: 407");
	error_text(&err, text, sizeof(text));
	assert_null(strstr(text, "secret"));
	options.proxy = "http://me:secret@127.0.0.1:1";
	assert_int_equal(get(&options, "https://registry.test/v2/", NULL, NULL, &err), -1);
	assert_error(&err, ERR_NETWORK, "connecting: ");
	error_text(&err, text, sizeof(text));
	assert_null(strstr(text, "secret"));
	options.proxy = "http://proxy.invalid";
	fails(&options, "https://registry.test/v2/", ERR_NETWORK, "resolving the host");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(c16_authorities_come_from_several_files, forget_environment),
		cmocka_unit_test_setup(c20_they_are_added_to_those_of_the_user, forget_environment),
		cmocka_unit_test_setup(c16_bad_files_of_authorities_are_named, forget_environment),
		cmocka_unit_test_setup(c20_a_client_certificate_is_shown_at_home,
				       forget_environment),
		cmocka_unit_test_setup(c20_bad_client_certificates_are_told, forget_environment),
		cmocka_unit_test_setup(c16_headers_stay_at_home, forget_environment),
		cmocka_unit_test_setup(c20_verification_is_skipped_where_it_may_be,
				       forget_environment),
		cmocka_unit_test_setup(c20_the_environment_names_a_proxy, forget_environment),
		cmocka_unit_test_setup(c20_a_proxy_of_its_own_comes_before_the_environment,
				       forget_environment),
		cmocka_unit_test_setup(c20_proxies_that_fail, forget_environment),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
