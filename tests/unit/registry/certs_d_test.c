/* SPDX-License-Identifier: Apache-2.0 */
/* Folders of certificates: which files count, and which folder (C16, C20). */
#include "registry/certs_d.h"

#include <stdlib.h>

#include "pkg/base/alloc.h"
#include "tests/support/cmocka.h"
#include "tests/support/layout_folder.h"
#include "tests/support/scratch.h"

static void c16_names_say_what_files_are(void **state)
{
	cleanup(endpoint_tls_release) struct endpoint_tls tls = {0};
	struct error err = {0};

	put_file(*state, "d/b.crt", "");
	put_file(*state, "d/a.crt", "");
	put_file(*state, "d/client.cert", "");
	put_file(*state, "d/client.key", "");
	put_file(*state, "d/README", "");
	assert_ok(certs_d_read("d", &tls, &err), &err);
	assert_int_equal(tls.n_ca_files, 2);
	assert_string_equal(tls.ca_files[0], "d/a.crt");
	assert_string_equal(tls.ca_files[1], "d/b.crt");
	assert_string_equal(tls.client_cert, "d/client.cert");
	assert_string_equal(tls.client_key, "d/client.key");
	assert_false(tls.skip_verify);
}

static void c16_a_folder_may_have_nothing(void **state)
{
	cleanup(endpoint_tls_release) struct endpoint_tls tls = {0};
	struct error err = {0};

	assert_int_equal(certs_d_read("none", &tls, &err), 1);
	put_file(*state, "d/README", "");
	assert_int_equal(certs_d_read("d", &tls, &err), 1);
	assert_false(endpoint_tls_is_set(&tls));
}

static void c16_certificate_and_key_belong_together(void **state)
{
	static const struct {
		const char *files[3], *reason;
		enum error_kind kind;
	} cases[] = {
		{{"a.cert"}, "1: client certificate a.cert has no a.key", ERR_INVALID},
		{{"a.key"}, "2: key a.key has no a.cert beside it", ERR_INVALID},
		{{"a.cert", "b.key"}, "a.cert has no a.key", ERR_INVALID},
		{{"a.cert", "a.key", "b.key"}, "key b.key has no b.cert", ERR_INVALID},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup(endpoint_tls_release) struct endpoint_tls tls = {0};
		cleanup_free char *dir = xasprintf("%zu", i + 1);
		struct error err = {0};

		for (size_t k = 0; k < 3 && cases[i].files[k]; k++) {
			cleanup_free char *name = xasprintf("%s/%s", dir, cases[i].files[k]);

			put_file(*state, name, "");
		}
		assert_int_equal(certs_d_read(dir, &tls, &err), -1);
		assert_error(&err, cases[i].kind, cases[i].reason);
	}
}

static void c16_of_several_client_certificates_none_is_guessed(void **state)
{
	cleanup(endpoint_tls_release) struct endpoint_tls tls = {0};
	struct error err = {0};

	put_file(*state, "d/a.cert", "");
	put_file(*state, "d/a.key", "");
	put_file(*state, "d/b.cert", "");
	put_file(*state, "d/b.key", "");
	assert_int_equal(certs_d_read("d", &tls, &err), -1);
	assert_error(&err, ERR_UNSUPPORTED, "d: several client certificates, only one can be used");
}

static void finds(const char *host, const char *ca)
{
	cleanup(endpoint_tls_release) struct endpoint_tls tls = {0};
	struct error err = {0};

	assert_ok(certs_d_find(host, &tls, &err), &err);
	assert_int_equal(tls.n_ca_files, ca ? 1 : 0);
	if (ca && !strstr(tls.ca_files[0], ca))
		fail_msg("%s: %s, expected %s", host, tls.ca_files[0], ca);
}

static void c16_the_first_folder_with_any_counts(void **state)
{
	cleanup(endpoint_tls_release) struct endpoint_tls tls = {0};
	struct error err = {0};

	setenv("XDG_CONFIG_HOME", *state, 1);
	finds("a.test:5000", NULL);
	put_file(*state, "containerd/certs.d/a.test_5000_/x.crt", "");
	finds("a.test:5000", "containerd/certs.d/a.test_5000_/x.crt");
	put_file(*state, "docker/certs.d/a.test:5000/x.crt", "");
	finds("a.test:5000", "docker/certs.d/a.test:5000/x.crt");
	put_file(*state, "containers/certs.d/a.test:5000/README", "");
	finds("a.test:5000", "docker/certs.d/a.test:5000/x.crt");
	put_file(*state, "containers/certs.d/a.test:5000/y.crt", "");
	finds("a.test:5000", "containers/certs.d/a.test:5000/y.crt");
	finds("a.test", NULL);
	put_file(*state, "containers/certs.d/a.test:5000/y.cert", "");
	assert_int_equal(certs_d_find("a.test:5000", &tls, &err), -1);
	assert_error(&err, ERR_INVALID,
		     "containers/certs.d/a.test:5000: client certificate y.cert");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(c16_names_say_what_files_are, scratch_set_up,
						scratch_tear_down),
		cmocka_unit_test_setup_teardown(c16_a_folder_may_have_nothing, scratch_set_up,
						scratch_tear_down),
		cmocka_unit_test_setup_teardown(c16_certificate_and_key_belong_together,
						scratch_set_up, scratch_tear_down),
		cmocka_unit_test_setup_teardown(c16_of_several_client_certificates_none_is_guessed,
						scratch_set_up, scratch_tear_down),
		cmocka_unit_test_setup_teardown(c16_the_first_folder_with_any_counts,
						scratch_set_up, scratch_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
