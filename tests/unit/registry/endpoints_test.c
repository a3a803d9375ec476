/* SPDX-License-Identifier: Apache-2.0 */
/* What configuration makes of a reference (C16, C17, C19). */
#include "registry/endpoints.h"

#include <stdlib.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/buffer.h"
#include "tests/support/cmocka.h"
#include "tests/support/layout_folder.h"
#include "tests/support/scratch.h"

/* "url path?ns" and letters: o origin, r resolves, p pulls, h may be plain http, s skips verification. */
static char *describe(const struct endpoints *list)
{
	struct buffer text = {0};

	for (size_t i = 0; i < list->n; i++) {
		const struct endpoint *e = &list->items[i];

		buffer_printf(&text, "%s%s %s%s%s %s%s%s%s%s", i ? ", " : "", e->url,
			      e->path ? e->path : "-", e->ns ? "?" : "", e->ns ? e->ns : "",
			      e->is_origin ? "o" : "", e->resolves ? "r" : "", e->pulls ? "p" : "",
			      e->may_be_plain ? "h" : "", e->tls.skip_verify ? "s" : "");
	}
	return buffer_detach(&text);
}

static void expect(const char *image, const char *want)
{
	cleanup(reference_release) struct reference ref = {0};
	cleanup(endpoints_release) struct endpoints list = {0};
	cleanup_free char *got = NULL;
	struct error err = {0};

	assert_ok(reference_parse(image, &ref, &err), &err);
	assert_ok(endpoints_find(&ref, &list, &err), &err);
	got = describe(&list);
	if (strcmp(got, want) != 0)
		fail_msg("%s: '%s', expected '%s'", image, got, want);
}

static void expect_error(const char *image, enum error_kind kind, const char *reason)
{
	cleanup(reference_release) struct reference ref = {0};
	struct endpoints list = {0};
	struct error err = {0};

	assert_ok(reference_parse(image, &ref, &err), &err);
	assert_int_equal(endpoints_find(&ref, &list, &err), -1);
	assert_error(&err, kind, reason);
	assert_int_equal(err.detail, ERR_DETAIL_CONFIG);
	assert_int_equal(list.n, 0);
}

static int set_up(void **state)
{
	int rc = scratch_set_up(state);

	setenv("XDG_CONFIG_HOME", *state, 1);
	put_file(*state, "containers/registries.conf", "");
	return rc;
}

static void c19_a_registry_is_asked_as_its_host_demands(void **state)
{
	(void)state;
	expect("quay.io/x/y", "https://quay.io/v2 x/y orp");
	expect("alpine", "https://registry-1.docker.io/v2 library/alpine orp");
	expect("quay.io:80/x", "https://quay.io:80/v2 x orp");
	expect("localhost/x", "https://localhost/v2 x orp");
	expect("localhost:443/x", "https://localhost:443/v2 x orp");
	expect("localhost:80/x", "http://localhost:80/v2 x orp");
	expect("localhost:5000/x", "https://localhost:5000/v2 x orph");
	expect("127.8.9.1:5000/x", "https://127.8.9.1:5000/v2 x orph");
	expect("[::1]:5000/x", "https://[::1]:5000/v2 x orph");
	expect("10.0.0.1:5000/x", "https://10.0.0.1:5000/v2 x orp");
}

static void c16_hosts_toml_decides(void **state)
{
	put_file(*state, "containerd/certs.d/docker.io/hosts.toml",
		 "server = 'https://registry-1.docker.io'\n"
		 "[host.'https://m.test']\ncapabilities = ['pull']\n"
		 "[host.'http://n.test:5000/x']\n");
	put_file(*state, "containerd/certs.d/a.test:5000/hosts.toml",
		 "[host.'https://b.test']\nskip_verify = true");
	put_file(*state, "containerd/certs.d/localhost:5000/hosts.toml", "dial_timeout = '1s'");
	expect("alpine", "https://m.test/v2 library/alpine?docker.io p, "
			 "http://n.test:5000/x/v2 library/alpine?docker.io rp, "
			 "https://registry-1.docker.io/v2 library/alpine orp");
	expect("a.test:5000/i",
	       "https://b.test/v2 i?a.test:5000 rps, https://a.test:5000/v2 i orp");
	expect("localhost:5000/i", "https://localhost:5000/v2 i orph");
	put_file(*state, "containerd/certs.d/_default/hosts.toml", "server = 'https://all.test'");
	expect("quay.io/i", "https://all.test/v2 i?quay.io rp");
	expect("all.test/i", "https://all.test/v2 i orp");
}

static void c17_registries_conf_decides_before(void **state)
{
	put_file(*state, "containerd/certs.d/_default/hosts.toml", "server = 'https://all.test'");
	put_file(*state, "containers/registries.conf",
		 "[[registry]]\nprefix = 'quay.io/ns'\nlocation = 'in.test/q'\n"
		 "[[registry.mirror]]\nlocation = 'localhost:5000/m'\n"
		 "[[registry.mirror]]\nlocation = 'n.test'\ninsecure = true\n"
		 "namespace-proxy = 'quay.io'\n"
		 "[[registry]]\nprefix = 'hub.test'\nlocation = 'docker.io'\n"
		 "[[registry]]\nlocation = 'bad.test'\nblocked = true\n");
	expect("quay.io/ns/i", "https://localhost:5000/v2 m/i rph, "
			       "https://n.test/v2 i?quay.io rphs, "
			       "https://in.test/v2 q/i rp");
	expect("hub.test/alpine", "https://registry-1.docker.io/v2 library/alpine rp");
	expect("quay.io/other", "https://all.test/v2 other?quay.io rp");
	expect_error("bad.test/i", ERR_UNAUTHORIZED, "'bad.test' is blocked");
}

static void c17_insecure_alone_leaves_the_rest_to_hosts_toml(void **state)
{
	put_file(*state, "containers/registries.conf",
		 "[[registry]]\nlocation = 'a.test:5000'\ninsecure = true\n");
	expect("a.test:5000/i", "https://a.test:5000/v2 i orphs");
	put_file(*state, "containerd/certs.d/a.test:5000/hosts.toml", "[host.'https://m.test']");
	expect("a.test:5000/i",
	       "https://m.test/v2 i?a.test:5000 rp, https://a.test:5000/v2 i orphs");
}

static void expect_cas(const char *image, const char *const *want)
{
	cleanup(reference_release) struct reference ref = {0};
	cleanup(endpoints_release) struct endpoints list = {0};
	struct error err = {0};

	assert_ok(reference_parse(image, &ref, &err), &err);
	assert_ok(endpoints_find(&ref, &list, &err), &err);
	for (size_t i = 0; i < list.n; i++) {
		const struct endpoint_tls *tls = &list.items[i].tls;

		assert_int_equal(tls->n_ca_files, want[i] ? 1 : 0);
		if (want[i] && !strstr(tls->ca_files[0], want[i]))
			fail_msg("%s: %s, expected %s", image, tls->ca_files[0], want[i]);
	}
}

static void c16_certificates_are_found_by_host(void **state)
{
	static const char *const by_host[] = {"own.crt", "m.test:5000/m.crt", "a.test/a.crt"};
	static const char *const by_place[] = {"m.test:5000/m.crt", "c.test/c.crt"};
	static const char *const hub[] = {"docker.io/h.crt"};

	put_file(*state, "docker/certs.d/a.test/a.crt", "");
	put_file(*state, "docker/certs.d/c.test/c.crt", "");
	put_file(*state, "docker/certs.d/docker.io/h.crt", "");
	put_file(*state, "containers/certs.d/m.test:5000/m.crt", "");
	put_file(*state, "containerd/certs.d/a.test/hosts.toml",
		 "[host.'https://own.test']\nca = 'own.crt'\n[host.'https://m.test:5000']\n");
	put_file(*state, "containers/registries.conf",
		 "[[registry]]\nprefix = 'b.test'\nlocation = 'c.test'\n"
		 "[[registry.mirror]]\nlocation = 'm.test:5000/x'\n");
	expect_cas("a.test/i", by_host);
	expect_cas("b.test/i", by_place);
	expect_cas("alpine", hub);
}

static void expect_host(const char *host, const char *want)
{
	struct endpoints list = {0};
	cleanup_free char *got = NULL;
	struct error err = {0};

	assert_ok(endpoints_of_host(host, endpoints_add(&list), &err), &err);
	got = describe(&list);
	assert_string_equal(got, want);
	endpoints_release(&list);
}

static void c20_a_registry_by_itself_has_its_settings_too(void **state)
{
	struct endpoint e = {0};
	struct error err = {0};

	put_file(*state, "containers/registries.conf",
		 "[[registry]]\nlocation = 'in.test:5000'\ninsecure = true\n");
	expect_host("quay.io", "https://quay.io/v2 - orp");
	expect_host("registry-1.docker.io", "https://registry-1.docker.io/v2 - orp");
	expect_host("localhost:5000", "https://localhost:5000/v2 - orph");
	expect_host("in.test:5000", "https://in.test:5000/v2 - orphs");
	put_file(*state, "docker/certs.d/docker.io/h.crt", "");
	assert_ok(endpoints_of_host("registry-1.docker.io", &e, &err), &err);
	assert_int_equal(e.tls.n_ca_files, 1);
	endpoint_release(&e);
	put_file(*state, "docker/certs.d/docker.io/x.key", "");
	assert_int_equal(endpoints_of_host("registry-1.docker.io", &e, &err), -1);
	assert_error(&err, ERR_INVALID, "key x.key has no x.cert");
	assert_int_equal(err.detail, ERR_DETAIL_CONFIG);
	put_file(*state, "containers/registries.conf", "x");
	assert_int_equal(endpoints_of_host("quay.io", &e, &err), -1);
	assert_error(&err, ERR_INVALID, "containers/registries.conf: line 1: ");
}

static void errors_name_the_file(void **state)
{
	put_file(*state, "containerd/certs.d/a.test/hosts.toml", "server = 1");
	expect_error("a.test/i", ERR_INVALID, "a.test/hosts.toml: hosts.toml.server: not a string");
	put_file(*state, "docker/certs.d/b.test/x.key", "");
	expect_error("b.test/i", ERR_INVALID, "docker/certs.d/b.test: key x.key has no x.cert");
	put_file(*state, "containers/registries.conf", "x");
	expect_error("c.test/i", ERR_INVALID, "containers/registries.conf: line 1: ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(c19_a_registry_is_asked_as_its_host_demands, set_up,
						scratch_tear_down),
		cmocka_unit_test_setup_teardown(c16_hosts_toml_decides, set_up, scratch_tear_down),
		cmocka_unit_test_setup_teardown(c17_registries_conf_decides_before, set_up,
						scratch_tear_down),
		cmocka_unit_test_setup_teardown(c17_insecure_alone_leaves_the_rest_to_hosts_toml,
						set_up, scratch_tear_down),
		cmocka_unit_test_setup_teardown(c16_certificates_are_found_by_host, set_up,
						scratch_tear_down),
		cmocka_unit_test_setup_teardown(c20_a_registry_by_itself_has_its_settings_too,
						set_up, scratch_tear_down),
		cmocka_unit_test_setup_teardown(errors_name_the_file, set_up, scratch_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
