/* SPDX-License-Identifier: Apache-2.0 */
/* Where credentials are looked for (C13), and files that are not as they should be (C15). */
#include "registry/auth_places.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "tests/support/auth_home.h"
#include "tests/support/cmocka.h"
#include "tests/support/scratch.h"

static struct auth_home home;

static int start(void **state)
{
	(void)state;
	auth_home_start(&home);
	return 0;
}

static int stop(void **state)
{
	int rc = getuid() == 0 ? seteuid(0) | setegid(0) : 0;

	(void)state;
	auth_home_stop(&home);
	return rc;
}

/* The names of the places, a space between; HOME is shown as ~. */
static void places_are(const char *authfile, const char *want)
{
	cleanup_buffer struct buffer got = {0};
	struct auth_places p;
	size_t len = strlen(home.folder);

	auth_places_list(authfile, &p);
	for (size_t i = 0; i < p.n; i++) {
		const char *name = auth_place_name(&p.items[i]);

		buffer_printf(&got, "%s%s%s", i ? " " : "",
			      !strncmp(name, home.folder, len) ? "~" : "",
			      !strncmp(name, home.folder, len) ? name + len : name);
		assert_int_equal(p.items[i].format == AUTH_FILE_LEGACY,
				 strstr(name, ".dockercfg") != NULL);
		assert_int_equal(p.items[i].is_named, strchr(want, ' ') == NULL);
	}
	auth_places_release(&p);
	assert_string_equal(got.data ? (char *)got.data : "", want);
}

static void c13_places_come_in_their_order(void **state)
{
	(void)state;
	places_are(NULL, "~/run/containers/auth.json ~/.config/containers/auth.json "
			 "~/.docker/config.json ~/.dockercfg");
	setenv("DOCKER_AUTH_CONFIG", "{}", 1);
	setenv("XDG_CONFIG_HOME", "/xdg", 1);
	setenv("DOCKER_CONFIG", "/docker", 1);
	places_are(NULL, "DOCKER_AUTH_CONFIG ~/run/containers/auth.json "
			 "/xdg/containers/auth.json /docker/config.json ~/.dockercfg");
}

static void c13_a_named_file_is_the_only_one(void **state)
{
	(void)state;
	setenv("DOCKER_AUTH_CONFIG", "{}", 1);
	setenv("REGISTRY_AUTH_FILE", "/registry", 1);
	places_are(NULL, "/registry");
	places_are("relative", "relative");
	setenv("REGISTRY_AUTH_FILE", "", 1);
	unsetenv("DOCKER_AUTH_CONFIG");
	places_are(NULL, "~/run/containers/auth.json ~/.config/containers/auth.json "
			 "~/.docker/config.json ~/.dockercfg");
}

static void c13_folders_that_are_not_absolute_do_not_count(void **state)
{
	cleanup_free char *run = xasprintf("/run/containers/%u/auth.json", getuid());
	cleanup_free char *all = xasprintf("%s /docker/config.json", run);

	(void)state;
	setenv("XDG_RUNTIME_DIR", "run", 1);
	setenv("XDG_CONFIG_HOME", "xdg", 1);
	setenv("HOME", "home", 1);
	unsetenv("XDG_RUNTIME_DIR");
	setenv("DOCKER_CONFIG", "/docker", 1);
	places_are(NULL, all);
}

static int read_place(const char *name, bool is_named, struct error *err)
{
	cleanup_free char *path = xasprintf("%s/%s", home.folder, name);
	struct auth_place place = {.path = path, .is_named = is_named};
	struct auth_file *f = NULL;
	int rc = auth_place_read(&place, &f, err);

	if (rc == 0)
		auth_file_free(f);
	return rc;
}

static void c15_what_is_not_there_is_nothing_unless_it_is_named(void **state)
{
	static const char *const names[] = {"missing", "no/such/folder", "file/below"};

	(void)state;
	auth_home_put(&home, "file", "{}");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct error err = {0};

		assert_int_equal(read_place(names[i], false, &err), 1);
		assert_int_equal(read_place(names[i], true, &err), -1);
		assert_error(&err, ERR_USAGE, names[i]);
	}
}

static void c15_links_are_followed(void **state)
{
	cleanup_free char *link = xasprintf("%s/link", home.folder);
	struct error err = {0};

	(void)state;
	auth_home_put(&home, "elsewhere/real", "{\"auths\":{}}");
	assert_int_equal(symlink("elsewhere/real", link), 0);
	assert_ok(read_place("link", false, &err), &err);
	unlink(link);
	assert_int_equal(symlink("nowhere", link), 0);
	assert_int_equal(read_place("link", false, &err), 1);
	unlink(link);
	assert_int_equal(symlink("link", link), 0);
	assert_int_equal(read_place("link", false, &err), -1);
	assert_error(&err, ERR_SYSTEM, "link");
}

static void c15_the_mode_is_not_looked_at(void **state)
{
	cleanup_free char *path = xasprintf("%s/open", home.folder);
	struct error err = {0};

	(void)state;
	auth_home_put(&home, "open", "{}");
	chmod(path, 0666);
	assert_ok(read_place("open", false, &err), &err);
}

static void c15_an_empty_file_is_nothing(void **state)
{
	struct error err = {0};

	(void)state;
	auth_home_put(&home, "empty", "");
	assert_int_equal(read_place("empty", false, &err), 1);
	assert_int_equal(read_place("empty", true, &err), 1);
}

static void c15_malformed_is_not_anonymous(void **state)
{
	char *large = xmalloc((1 << 20) + 2);
	cleanup_free char *fifo = xasprintf("%s/fifo", home.folder);
	struct error err = {0};

	(void)state;
	auth_home_put(&home, "bad", "{\"auths\": SECRET");
	assert_int_equal(read_place("bad", false, &err), -1);
	assert_error(&err, ERR_INVALID, "/bad: config: line 1");
	assert_null(strstr(err.cause, "SECRET"));
	memset(large, ' ', (1 << 20) + 1);
	large[(1 << 20) + 1] = 0;
	auth_home_put(&home, "large", large);
	free(large);
	assert_int_equal(read_place("large", false, &err), -1);
	assert_error(&err, ERR_INVALID, "/large has more than");
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_int_equal(read_place("fifo", false, &err), -1);
	assert_error(&err, ERR_INVALID, "/fifo is no regular file");
	assert_int_equal(read_place("", false, &err), -1);
	assert_error(&err, ERR_INVALID, "is no regular file");
}

static void what_may_not_be_read_is_passed_over_unless_it_is_named(void **state)
{
	cleanup_free char *path = xasprintf("%s/closed", home.folder);
	struct error err = {0};

	(void)state;
	auth_home_put(&home, "closed/file", "{}");
	assert_int_equal(chmod(path, 0), 0);
	scratch_drop_root(home.folder);
	assert_int_equal(read_place("closed/file", false, &err), 1);
	assert_int_equal(read_place("closed/file", true, &err), -1);
	assert_error(&err, ERR_SYSTEM, "closed/file");
	chmod(path, 0700); /* so that it can be removed */
}

static void the_environment_holds_a_file_too(void **state)
{
	struct auth_place place = {.text = "{\"auths\":{\"h\":{\"auth\":\"dTpw\"}}}"};
	struct auth_place bad = {.text = "{\"auths\":SECRET}"};
	struct auth_file *f;
	struct error err = {0};

	(void)state;
	assert_ok(auth_place_read(&place, &f, &err), &err);
	auth_file_free(f);
	assert_int_equal(auth_place_read(&bad, &f, &err), -1);
	assert_error(&err, ERR_INVALID, "DOCKER_AUTH_CONFIG: config: line 1");
	assert_null(strstr(err.cause, "SECRET"));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)
	const struct CMUnitTest tests[] = {
		TEST(c13_places_come_in_their_order),
		TEST(c13_a_named_file_is_the_only_one),
		TEST(c13_folders_that_are_not_absolute_do_not_count),
		TEST(c15_what_is_not_there_is_nothing_unless_it_is_named),
		TEST(c15_links_are_followed),
		TEST(c15_the_mode_is_not_looked_at),
		TEST(c15_an_empty_file_is_nothing),
		TEST(c15_malformed_is_not_anonymous),
		TEST(the_environment_holds_a_file_too),
		/* the last: root is dropped */
		TEST(what_may_not_be_read_is_passed_over_unless_it_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
