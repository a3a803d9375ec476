/* SPDX-License-Identifier: Apache-2.0 */
/* registries.conf: which places an image has, which files count, short names (C17). */
#include "registry/registries_conf.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/buffer.h"
#include "tests/support/cmocka.h"
#include "tests/support/layout_folder.h"
#include "tests/support/scratch.h"

static struct registries_conf *read_text(const char *toml)
{
	struct registries_conf *conf = registries_conf_new();
	struct error err = {0};

	assert_ok(registries_conf_add(conf, toml, strlen(toml), "r.conf", false, &err), &err);
	return conf;
}

/* "domain/path?ns!", '!' when it is insecure, with spaces in between; "-" when no table fits. */
static char *places(const struct registries_conf *conf, const char *image)
{
	cleanup(registries_places_release) struct registries_places list = {0};
	cleanup(reference_release) struct reference ref = {0};
	struct buffer text = {0};
	struct error err = {0};
	int rc;

	assert_ok(reference_parse(image, &ref, &err), &err);
	rc = registries_conf_places(conf, &ref, &list, &err);
	if (rc < 0)
		fail_msg("%s: %s: %s", image, err.context, err.cause);
	buffer_printf(&text, "%s", rc == 1 ? "-" : "");
	for (size_t i = 0; i < list.n; i++) {
		const struct registries_place *p = &list.items[i];

		buffer_printf(&text, "%s%s/%s%s%s%s", i ? " " : "", p->domain, p->path,
			      p->ns ? "?" : "", p->ns ? p->ns : "", p->insecure ? "!" : "");
	}
	return buffer_detach(&text);
}

static void expect(const struct registries_conf *conf, const char *image, const char *want)
{
	cleanup_free char *got = places(conf, image);

	if (strcmp(got, want) != 0)
		fail_msg("%s: '%s', expected '%s'", image, got, want);
}

static void expect_error(const struct registries_conf *conf, const char *image,
			 enum error_kind kind, const char *reason)
{
	struct registries_places list;
	cleanup(reference_release) struct reference ref = {0};
	struct error err = {0};

	assert_ok(reference_parse(image, &ref, &err), &err);
	assert_int_equal(registries_conf_places(conf, &ref, &list, &err), -1);
	assert_error(&err, kind, reason);
	assert_int_equal(list.n, 0);
}

#define ZEROS "sha256:0000000000000000000000000000000000000000000000000000000000000000"

static void c17_mirrors_come_before_the_location(void **state)
{
	/* The example of containers-registries.conf(5). */
	cleanup(registries_conf_free_ptr) struct registries_conf *conf =
		read_text("[[registry]]\n"
			  "prefix = 'example.com/foo'\n"
			  "location = 'internal-registry-for-example.com/bar'\n"
			  "[[registry.mirror]]\n"
			  "location = 'example-mirror-0.local/mirror-for-foo'\n"
			  "[[registry.mirror]]\n"
			  "location = 'example-mirror-1.local/mirrors/foo/'\n"
			  "insecure = true\n"
			  "[[registry]]\n"
			  "location = 'registry.com'\n"
			  "[[registry.mirror]]\n"
			  "location = 'mirror.registry.com'\n"
			  "namespace-proxy = 'registry.com'\n");

	(void)state;
	expect(conf, "example.com/foo/image:latest",
	       "example-mirror-0.local/mirror-for-foo/image "
	       "example-mirror-1.local/mirrors/foo/image! "
	       "internal-registry-for-example.com/bar/image");
	expect(conf, "registry.com/image",
	       "mirror.registry.com/image?registry.com registry.com/image");
	expect(conf, "registry.com/a/b@" ZEROS,
	       "mirror.registry.com/a/b?registry.com registry.com/a/b");
	expect(conf, "example.com/bar/image", "-");
	expect(conf, "alpine", "-");
}

static void c17_the_longest_prefix_counts(void **state)
{
	cleanup(registries_conf_free_ptr) struct registries_conf *conf = read_text(
		"[[registry]]\nlocation = 'h.test'\n[[registry.mirror]]\nlocation = 'm1.test'\n"
		"[[registry]]\nprefix = 'h.test/ns/repo'\nlocation = 'x.test/r'\n"
		"[[registry]]\nprefix = 'h.test/ns'\nlocation = 'y.test'\n"
		"[[registry]]\nprefix = 'h.test/ns/repo:1'\nlocation = 'z.test/one:1'\n"
		"[[registry]]\nprefix = 'h.test/ns/repo@" ZEROS "'\n"
		"location = 'z.test/pinned@" ZEROS "'\n");

	(void)state;
	expect(conf, "h.test/a", "m1.test/a h.test/a");
	expect(conf, "h.test/ns/a", "y.test/a");
	expect(conf, "h.test/ns/repo:2", "x.test/r");
	expect(conf, "h.test/ns/repo:1", "z.test/one");
	expect(conf, "h.test/ns/repo@" ZEROS, "z.test/pinned");
	expect(conf, "h.test/ns/repo/deep", "x.test/r/deep");
	expect(conf, "h.test/nsx/a", "m1.test/nsx/a h.test/nsx/a");
	expect(conf, "h.test.org/a", "-");
	expect(conf, "h.test:5000/a", "m1.test:5000/a h.test:5000/a"); /* as podman does it */
}

static void c17_a_star_is_any_number_of_subdomains(void **state)
{
	cleanup(registries_conf_free_ptr) struct registries_conf *conf =
		read_text("[[registry]]\nprefix = '*.example.com'\n"
			  "[[registry.mirror]]\nlocation = 'm.test'\n"
			  "[[registry]]\nprefix = '*.b.example.com'\nlocation = 'other.test'\n"
			  "[[registry]]\nprefix = 'exact.example.com'\n");

	(void)state;
	expect(conf, "a.example.com/i", "m.test/i a.example.com/i");
	expect(conf, "c.a.example.com:5000/i", "m.test:5000/i c.a.example.com:5000/i");
	expect(conf, "a.b.example.com/n/i", "other.test/n/i");
	expect(conf, "exact.example.com/i", "exact.example.com/i");
	expect(conf, "example.com/i", "-");
	expect(conf, "a.example.com.org/i", "-");
	expect(conf, "org.test/a.example.com/i", "-");
}

static void c17_mirrors_may_be_for_digests_or_tags_only(void **state)
{
	cleanup(registries_conf_free_ptr) struct registries_conf *conf = read_text(
		"[[registry]]\nlocation = 'a.test'\nmirror-by-digest-only = true\n"
		"[[registry.mirror]]\nlocation = 'm.test'\n"
		"[[registry]]\nlocation = 'b.test'\n"
		"[[registry.mirror]]\nlocation = 'all.test'\npull-from-mirror = 'all'\n"
		"[[registry.mirror]]\nlocation = 'd.test'\npull-from-mirror = "
		"'digest-only'\n"
		"[[registry.mirror]]\nlocation = 't.test'\npull-from-mirror = 'tag-only'\n");

	(void)state;
	expect(conf, "a.test/i:1", "a.test/i");
	expect(conf, "a.test/i@" ZEROS, "m.test/i a.test/i");
	expect(conf, "a.test/i:1@" ZEROS, "m.test/i a.test/i");
	expect(conf, "b.test/i:1", "all.test/i t.test/i b.test/i");
	expect(conf, "b.test/i@" ZEROS, "all.test/i d.test/i b.test/i");
}

static void c17_docker_io_is_normalised_first(void **state)
{
	cleanup(registries_conf_free_ptr) struct registries_conf *conf = read_text(
		"[[registry]]\nprefix = 'docker.io/library'\nlocation = 'a.test/official'\n"
		"[[registry]]\nprefix = 'b.test'\nlocation = 'docker.io/library'\n");

	(void)state;
	expect(conf, "alpine", "a.test/official/alpine");
	expect(conf, "docker.io/alpine:3", "a.test/official/alpine");
	expect(conf, "docker.io/me/x", "-");
	expect(conf, "b.test/alpine", "docker.io/library/alpine");
}

static void c17_blocked_is_blocked(void **state)
{
	cleanup(registries_conf_free_ptr) struct registries_conf *conf =
		read_text("[[registry]]\nlocation = 'bad.test'\nblocked = true\n"
			  "[[registry]]\nprefix = 'bad.test/good'\nlocation = 'good.test'\n"
			  "[[registry]]\nprefix = '*.evil.test'\nblocked = true\n");

	(void)state;
	expect_error(conf, "bad.test/i", ERR_UNAUTHORIZED,
		     "'bad.test' is blocked by registries.conf");
	expect_error(conf, "bad.test:5000/i", ERR_UNAUTHORIZED, "blocked");
	assert_false(registries_conf_is_insecure(conf, "bad.test"));
	expect_error(conf, "x.evil.test/i", ERR_UNAUTHORIZED, "'*.evil.test' is blocked");
	expect(conf, "bad.test/good/i", "good.test/i");
}

static void c17_what_it_becomes_must_be_an_image(void **state)
{
	cleanup(registries_conf_free_ptr) struct registries_conf *conf =
		read_text("[[registry]]\nprefix = 'a.test'\nlocation = 'nohost/x'\n"
			  "[[registry]]\nprefix = 'b.test'\nlocation = 'x.test/UP'\n"
			  "[[registry]]\nprefix = 'c.test/i:1'\nlocation = 'x.test/i:2'\n"
			  "[[registry]]\nprefix = 'd.test/i'\nlocation = 'x.test'\n");

	(void)state;
	expect_error(conf, "a.test/i", ERR_INVALID,
		     "'nohost/x/i:latest' of it, which has no registry");
	expect_error(conf, "b.test/i", ERR_INVALID, "registries.conf makes 'x.test/UP/i:latest'");
	expect_error(conf, "c.test/i:1", ERR_UNSUPPORTED, "another tag or digest");
	expect_error(conf, "d.test/i", ERR_INVALID, "registries.conf makes 'x.test:latest'");
}

static void c17_of_one_prefix_the_first_in_a_file_and_the_last_file_count(void **state)
{
	static const char next[] = "[[registry]]\nprefix = 'a.test'\nlocation = 'third.test'\n"
				   "[[registry]]\nprefix = 'c.test'\nlocation = 'new.test'\n";
	cleanup(registries_conf_free_ptr) struct registries_conf *conf =
		read_text("[[registry]]\nprefix = 'a.test'\nlocation = 'first.test'\n"
			  "[[registry]]\nprefix = 'a.test'\nlocation = 'second.test'\n"
			  "[[registry]]\nprefix = 'b.test'\nlocation = 'other.test'\n");
	struct error err = {0};

	(void)state;
	expect(conf, "a.test/i", "first.test/i");
	assert_ok(registries_conf_add(conf, next, strlen(next), "n.conf", true, &err), &err);
	expect(conf, "a.test/i", "third.test/i");
	expect(conf, "b.test/i", "other.test/i");
	expect(conf, "c.test/i", "new.test/i");
	/* A file with errors adds nothing. */
	assert_int_equal(registries_conf_add(conf, "[[registry]]\nprefix = 'd'\n[[registry]]", 38,
					     "bad.conf", true, &err),
			 -1);
	expect(conf, "c.test/i", "new.test/i");
}

static void c17_version_1_blocks_and_is_insecure(void **state)
{
	cleanup(registries_conf_free_ptr) struct registries_conf *conf =
		read_text("[registries.search]\nregistries = ['docker.io']\n"
			  "[registries.insecure]\nregistries = ['a.test', 'b.test/']\n"
			  "[registries.block]\nregistries = ['c.test', 'b.test']\n");

	(void)state;
	expect(conf, "a.test/i", "a.test/i!");
	assert_true(registries_conf_is_insecure(conf, "a.test"));
	assert_false(registries_conf_is_insecure(conf, "other.test"));
	expect_error(conf, "b.test/i", ERR_UNAUTHORIZED, "blocked");
	expect_error(conf, "c.test/i", ERR_UNAUTHORIZED, "blocked");
	expect(conf, "alpine", "-");
}

static void c17_short_names(void **state)
{
	static const char next[] = "[aliases]\nfedora = ''\nmine = 'a.test/mine'\n";
	cleanup(registries_conf_free_ptr) struct registries_conf *conf =
		read_text("[aliases]\nfedora = 'registry.fedoraproject.org/fedora'\n"
			  "'my/app' = 'a.test/app'\n");
	struct error err = {0};

	(void)state;
	assert_string_equal(registries_conf_alias(conf, "fedora"),
			    "registry.fedoraproject.org/fedora");
	assert_string_equal(registries_conf_alias(conf, "my/app"), "a.test/app");
	assert_null(registries_conf_alias(conf, "app"));
	assert_ok(registries_conf_add(conf, next, strlen(next), "n.conf", true, &err), &err);
	assert_null(registries_conf_alias(conf, "fedora")); /* taken away again */
	assert_string_equal(registries_conf_alias(conf, "mine"), "a.test/mine");
}

/* --- files ---------------------------------------------------------------------------------------
 */

static const char a_table[] = "[[registry]]\nprefix = 'a.test'\nlocation = '%s'\n";

static void put_table(const char *dir, const char *name, const char *location)
{
	cleanup_free char *text = xasprintf(a_table, location);

	put_file(dir, name, text);
}

static void loaded(const char *image, const char *want)
{
	cleanup(registries_conf_free_ptr) struct registries_conf *conf = NULL;
	struct error err = {0};

	assert_ok(registries_conf_load(&conf, &err), &err);
	expect(conf, image, want);
}

static int set_up(void **state)
{
	int rc = scratch_set_up(state);

	unsetenv("CONTAINERS_REGISTRIES_CONF");
	setenv("XDG_CONFIG_HOME", *state, 1);
	setenv("XDG_CACHE_HOME", *state, 1);
	return rc;
}

static void c17_the_files_of_the_user_count(void **state)
{
	loaded("a.test/i", "-");
	put_table(*state, "containers/registries.conf.d/10.conf", "ten.test");
	loaded("a.test/i", "ten.test/i"); /* also beside the system's file */
	put_table(*state, "containers/registries.conf", "main.test");
	loaded("a.test/i", "ten.test/i");
	put_table(*state, "containers/registries.conf.d/20.conf", "twenty.test");
	put_table(*state, "containers/registries.conf.d/30.conf.bak", "no.test");
	loaded("a.test/i", "twenty.test/i");
}

static void c17_one_file_may_stand_for_all(void **state)
{
	cleanup(registries_conf_free_ptr) struct registries_conf *conf = NULL;
	struct error err = {0};

	put_table(*state, "containers/registries.conf", "main.test");
	put_table(*state, "containers/registries.conf.d/10.conf", "ten.test");
	put_table(*state, "only.conf", "only.test");
	setenv("CONTAINERS_REGISTRIES_CONF", "only.conf", 1);
	loaded("a.test/i", "only.test/i");
	setenv("CONTAINERS_REGISTRIES_CONF", "none.conf", 1);
	assert_int_equal(registries_conf_load(&conf, &err), -1);
	assert_error(&err, ERR_USAGE, "there is no none.conf");
}

static void c17_files_with_errors_are_named(void **state)
{
	cleanup(registries_conf_free_ptr) struct registries_conf *conf = NULL;
	struct error err = {0};

	put_file(*state, "containers/registries.conf", "a = 1\n\nb");
	assert_int_equal(registries_conf_load(&conf, &err), -1);
	assert_error(&err, ERR_INVALID, "containers/registries.conf: line 3: ");
	put_file(*state, "containers/registries.conf", "");
	put_file(*state, "containers/registries.conf.d/x.conf", "[registries.block]\n");
	assert_int_equal(registries_conf_load(&conf, &err), -1);
	assert_error(&err, ERR_INVALID,
		     "registries.conf.d/x.conf: registries: the form of version 1");
	assert_null(conf);
}

static void c17_short_names_that_podman_was_told(void **state)
{
	cleanup(registries_conf_free_ptr) struct registries_conf *conf = NULL;
	struct error err = {0};

	scratch_drop_root(*state);
	put_file(*state, "containers/registries.conf", "[aliases]\na = 'one.test/a'\n");
	put_file(*state, "containers/short-name-aliases.conf", "[aliases]\na = 'told.test/a'\n");
	assert_ok(registries_conf_load(&conf, &err), &err);
	assert_string_equal(registries_conf_alias(conf, "a"), "told.test/a");
}

static void c17_names_that_somebody_else_was_told_are_left_aside(void **state)
{
	cleanup(registries_conf_free_ptr) struct registries_conf *conf = NULL;
	struct error err = {0};

	scratch_drop_root(*state);
	put_file(*state, "containers/registries.conf", "[aliases]\na = 'one.test/a'\n");
	put_file(*state, "containers/short-name-aliases.conf", "[aliases]\na = 'told.test/a'\n");
	assert_int_equal(chmod("containers/short-name-aliases.conf", 0), 0);
	assert_ok(registries_conf_load(&conf, &err), &err);
	assert_string_equal(registries_conf_alias(conf, "a"), "one.test/a");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(c17_mirrors_come_before_the_location),
		cmocka_unit_test(c17_the_longest_prefix_counts),
		cmocka_unit_test(c17_a_star_is_any_number_of_subdomains),
		cmocka_unit_test(c17_mirrors_may_be_for_digests_or_tags_only),
		cmocka_unit_test(c17_docker_io_is_normalised_first),
		cmocka_unit_test(c17_blocked_is_blocked),
		cmocka_unit_test(c17_what_it_becomes_must_be_an_image),
		cmocka_unit_test(c17_of_one_prefix_the_first_in_a_file_and_the_last_file_count),
		cmocka_unit_test(c17_version_1_blocks_and_is_insecure),
		cmocka_unit_test(c17_short_names),
		cmocka_unit_test_setup_teardown(c17_the_files_of_the_user_count, set_up,
						scratch_tear_down),
		cmocka_unit_test_setup_teardown(c17_one_file_may_stand_for_all, set_up,
						scratch_tear_down),
		cmocka_unit_test_setup_teardown(c17_files_with_errors_are_named, set_up,
						scratch_tear_down),
		cmocka_unit_test_setup_teardown(c17_short_names_that_podman_was_told, set_up,
						scratch_tear_down),
		cmocka_unit_test_setup_teardown(
			c17_names_that_somebody_else_was_told_are_left_aside, set_up,
			scratch_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
