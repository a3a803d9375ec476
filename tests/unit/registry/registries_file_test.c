/* SPDX-License-Identifier: Apache-2.0 */
/* One registries.conf: what is refused, by which key (C17). What it means: registries_conf_test. */
#include "pkg/base/alloc.h"
#include "registry/registries_conf.h"
#include "tests/support/cmocka.h"

static void taken(const char *toml, bool drop_in)
{
	cleanup(registries_conf_free_ptr) struct registries_conf *conf = registries_conf_new();
	struct error err = {0};

	assert_ok(registries_conf_add(conf, toml, strlen(toml), "r.conf", drop_in, &err), &err);
}

static void refused(const char *toml, const char *reason)
{
	cleanup(registries_conf_free_ptr) struct registries_conf *conf = registries_conf_new();
	struct error err = {0};

	if (registries_conf_add(conf, toml, strlen(toml), "r.conf", false, &err) == 0)
		fail_msg("taken: %s", toml);
	assert_error(&err, ERR_INVALID, reason);
}

static void c17_all_that_podman_knows_is_taken(void **state)
{
	(void)state;
	taken("unqualified-search-registries = ['docker.io', 'quay.io']\n"
	      "credential-helpers = ['containers-auth.json', 'secretservice']\n"
	      "short-name-mode = 'enforcing'\n"
	      "additional-layer-store-auth-helper = 'x'\n"
	      "[[registry]]\n"
	      "prefix = 'example.com/foo'\n"
	      "location = 'internal.net/bar/'\n"
	      "insecure = false\n"
	      "blocked = false\n"
	      "mirror-by-digest-only = false\n"
	      "[[registry.mirror]]\n"
	      "location = 'm.net'\n"
	      "insecure = true\n"
	      "pull-from-mirror = 'tag-only'\n"
	      "namespace-proxy = 'example.com'\n"
	      "[aliases]\n"
	      "fedora = 'registry.fedoraproject.org/fedora'\n"
	      "'a/b' = 'localhost/x'\n"
	      "'old' = ''\n",
	      true);
	taken("", true);
	taken("short-name-mode = ''", false);
	taken("[[registry]]\nlocation = 'localhost:5000'\nsomething-new = 1", false);
}

static void c17_errors_name_line_or_key(void **state)
{
	(void)state;
	refused("[[registry]\n", "line 1: ']]' is expected");
	refused("registry = 1", "r.conf.registry: not an array");
	refused("registry = [1]", "r.conf.registry[0]: not a table");
	refused("[[registry]]", "r.conf.registry[0]: neither prefix nor location");
	refused("[[registry]]\nprefix = '/'", "r.conf.registry[0]: neither prefix nor location");
	refused("[[registry]]\nlocation = 1", "r.conf.registry[0].location: not a string");
	refused("[[registry]]\nLocation = 'x'", "registry[0].Location: is 'location' meant?");
	refused("[[registry]]\nlocation = 'https://x'", "location: 'https://x' is a URL");
	refused("[[registry]]\nprefix = 'http://x'", "prefix: 'http://x' is a URL");
	refused("[[registry]]\nlocation = 'x'\nblocked = 'no'", "blocked: neither true nor false");
	refused("[[registry]]\nlocation = 'x'\nnamespace-proxy = 1",
		"namespace-proxy: not a string");
	refused("[[registry]]\nlocation = 'x'\nmirror = 'y'", "mirror: not an array");
	refused("[[registry]]\nlocation = 'x'\nmirror = ['y']", "mirror[0]: not a table");
	refused("[[registry]]\nlocation = 'x'\n[[registry.mirror]]\ninsecure = true",
		"r.conf.registry[0].mirror[0]: a mirror without location");
	refused("unqualified-search-registries = 'x'",
		"unqualified-search-registries: not an array");
	refused("credential-helpers = [1]", "credential-helpers[0]: not a string");
	refused("short-name-mode = 'ask'", "'ask' is none of enforcing, permissive, disabled");
}

static void c17_stars_stand_at_the_start_of_a_host(void **state)
{
	static const char *const bad[] = {"*.example.com/foo", "*.example.com:5000"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		cleanup_free char *toml = xasprintf("[[registry]]\nprefix = '%s'", bad[i]);

		refused(toml, "is not of the form *.example.com");
	}
}

static void c12_a_password_in_a_location_is_not_shown(void **state)
{
	static const char *const bad[] = {
		"[[registry]]\nlocation = 'me:secret@x.test/y'",
		"[[registry]]\nprefix = 'me:secret@x.test'",
		"[[registry]]\nlocation = 'https://me:secret@x.test/y'",
		"[[registry]]\nlocation = 'x'\n[[registry.mirror]]\nlocation = 'me:secret@y'",
		"[registries.insecure]\nregistries = ['me:secret@x.test']",
		"[registries.block]\nregistries = ['http://me:secret@x.test']",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		cleanup(registries_conf_free_ptr) struct registries_conf *conf =
			registries_conf_new();
		struct error err = {0};
		char text[1024];

		assert_int_equal(registries_conf_add(conf, bad[i], strlen(bad[i]), "r.conf", false,
						     &err),
				 -1);
		assert_error(&err, ERR_INVALID, strstr(bad[i], "://") ? "is a URL" : "a user name");
		error_text(&err, text, sizeof(text));
		assert_null(strstr(text, "secret"));
	}
}

static void c17_contradictions_are_refused(void **state)
{
	(void)state;
	refused("[[registry]]\nlocation = 'x'\npull-from-mirror = 'all'",
		"registry[0].pull-from-mirror: only mirrors have it");
	refused("[[registry]]\nlocation = 'x'\n[[registry.mirror]]\nlocation = 'y'\n"
		"pull-from-mirror = 'some'",
		"mirror[0].pull-from-mirror: 'some' is none of all, digest-only, tag-only");
	refused("[[registry]]\nlocation = 'x'\nmirror-by-digest-only = true\n"
		"[[registry.mirror]]\nlocation = 'y'\npull-from-mirror = 'all'",
		"both pull-from-mirror and mirror-by-digest-only");
	refused("[[registry]]\nlocation = 'x'\n[[registry]]\nprefix = 'y'\nlocation = 'x/'\n"
		"insecure = true",
		"'x' is there twice, with different 'insecure'");
	refused("[[registry]]\nprefix = '*.x.y'\n[[registry]]\nprefix = '*.x.y'\nblocked = true",
		"'*.x.y' is there twice, with different 'blocked'");
	taken("[[registry]]\nlocation = 'x'\n[[registry]]\nprefix = 'y'\nlocation = 'x'", false);
}

static void c17_short_names_are_short_and_values_whole(void **state)
{
	(void)state;
	refused("aliases = 1", "r.conf.aliases: not an object");
	refused("[aliases]\na = 1", "r.conf.aliases.a: not a string");
	refused("[aliases]\n'a.b/c' = 'x.y/z'", "'a.b/c' is no short name");
	refused("[aliases]\n'localhost/c' = 'x.y/z'", "'localhost/c' is no short name");
	refused("[aliases]\n'a:1' = 'x.y/z'", "'a:1' is no short name");
	refused("[aliases]\n'A' = 'x.y/z'", "'A' is no short name");
	refused("[aliases]\n'' = 'x.y/z'", "'' is no short name");
	refused("[aliases]\na = 'z'", "aliases.a: 'z' is no name with its registry");
	refused("[aliases]\na = 'x/z'", "'x/z' is no name with its registry");
	refused("[aliases]\na = 'x.y/z:1'", "'x.y/z:1' is no name with its registry");
	refused("[aliases]\na = 'x.y/z@sha256:0'", "is no name with its registry");
	refused("[aliases]\na = 'x.y/Z'", "is no name with its registry");
}

static void c17_version_1_is_by_itself(void **state)
{
	static const char old[] = "[registries.search]\nregistries = ['docker.io']\n"
				  "[registries.insecure]\nregistries = ['a.test/']\n"
				  "[registries.block]\nregistries = []\n";
	cleanup_free char *mixed = xasprintf("short-name-mode = 'permissive'\n%s", old);
	cleanup(registries_conf_free_ptr) struct registries_conf *conf = registries_conf_new();
	struct error err = {0};

	(void)state;
	taken(old, false);
	assert_int_equal(registries_conf_add(conf, old, strlen(old), "r.conf", true, &err), -1);
	assert_error(&err, ERR_INVALID, "the form of version 1, not allowed in this folder");
	refused(mixed, "both 'short-name-mode' and 'registries': versions 2 and 1");
	refused("[registries]\n[[registry]]\nlocation = 'x'", "both 'registry' and 'registries'");
	refused("registries = []", "r.conf.registries: not an object");
	refused("[registries.block]\nregistries = 'x'", "block.registries: not an array");
	refused("[registries.block]\nregistries = ['https://x']",
		"registries: 'https://x' is a URL");
	refused("[registries.insecure]\nregistries = ['/']", "'/' is no registry");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(c17_all_that_podman_knows_is_taken),
		cmocka_unit_test(c17_errors_name_line_or_key),
		cmocka_unit_test(c17_stars_stand_at_the_start_of_a_host),
		cmocka_unit_test(c12_a_password_in_a_location_is_not_shown),
		cmocka_unit_test(c17_contradictions_are_refused),
		cmocka_unit_test(c17_short_names_are_short_and_values_whole),
		cmocka_unit_test(c17_version_1_is_by_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
