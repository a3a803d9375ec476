/* SPDX-License-Identifier: Apache-2.0 */
/* Short names and what they are short for (C17). */
#include "registry/short_name.h"

#include <stdlib.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "tests/support/cmocka.h"
#include "tests/support/layout_folder.h"
#include "tests/support/scratch.h"

#define ZEROS "sha256:0000000000000000000000000000000000000000000000000000000000000000"

static void expands(const char *text, const char *want)
{
	cleanup_free char *got = NULL;
	struct error err = {0};

	assert_ok(short_name_expand(text, &got, &err), &err);
	assert_string_equal(got, want);
}

static void c17_an_alias_keeps_tag_and_digest(void **state)
{
	setenv("XDG_CONFIG_HOME", *state, 1);
	put_file(
		*state, "containers/registries.conf",
		"unqualified-search-registries = ['quay.io']\n"
		"[aliases]\nfedora = 'registry.fedoraproject.org/fedora'\n'my/app' = 'a.test:5/x'\n");
	expands("fedora", "registry.fedoraproject.org/fedora");
	expands("fedora:40", "registry.fedoraproject.org/fedora:40");
	expands("fedora@" ZEROS, "registry.fedoraproject.org/fedora@" ZEROS);
	expands("fedora:40@" ZEROS, "registry.fedoraproject.org/fedora:40@" ZEROS);
	expands("my/app:1", "a.test:5/x:1");
}

static void c17_other_names_stay(void **state)
{
	static const char *const names[] = {
		"alpine",
		"x/fedora",
		"quay.io/fedora",
		"docker.io/fedora",
		"docker://fedora",
		"localhost/fedora",
		"docker.io/library/fedora",
		"Fedora",
		"",
		"fedora:",
		"index.docker.io/fedora",
	};

	setenv("XDG_CONFIG_HOME", *state, 1);
	put_file(*state, "containers/registries.conf", "[aliases]\nfedora = 'a.test/fedora'\n");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		expands(names[i], names[i]);
}

static void c17_errors_name_the_file_but_only_for_short_names(void **state)
{
	char *got = NULL;
	struct error err = {0};

	setenv("XDG_CONFIG_HOME", *state, 1);
	put_file(*state, "containers/registries.conf", "x");
	expands("quay.io/fedora", "quay.io/fedora");
	assert_int_equal(short_name_expand("fedora", &got, &err), -1);
	assert_error(&err, ERR_INVALID, "containers/registries.conf: line 1");
	assert_null(got);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(c17_an_alias_keeps_tag_and_digest, scratch_set_up,
						scratch_tear_down),
		cmocka_unit_test_setup_teardown(c17_other_names_stay, scratch_set_up,
						scratch_tear_down),
		cmocka_unit_test_setup_teardown(c17_errors_name_the_file_but_only_for_short_names,
						scratch_set_up, scratch_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
