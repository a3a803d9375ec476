/* SPDX-License-Identifier: Apache-2.0 */
/* Logins and logouts as files and helpers see them: what changes, and what must not. */
#include "registry/auth_store.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/base/log.h"
#include "registry/credentials.h"
#include "tests/support/auth_home.h"
#include "tests/support/cmocka.h"
#include "tests/support/fake_helper.h"
#include "tests/support/scratch.h"

static struct auth_home home;
static struct fake_helper helper;
static char warnings[1000];

static const struct credential somebody = {.user = (char *)"u", .password = (char *)"SECRET:p"};

static void keep_warning(enum log_level level, const char *text)
{
	if (level == LOG_LEVEL_WARNING)
		strncat(warnings, text, sizeof(warnings) - strlen(warnings) - 1);
}

static int start(void **state)
{
	(void)state;
	auth_home_start(&home);
	fake_helper_start(&helper);
	warnings[0] = 0;
	log_set_sink(keep_warning, LOG_LEVEL_DEBUG);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	fake_helper_stop(&helper);
	auth_home_stop(&home);
	return 0;
}

static char *path_of(const char *name)
{
	return xasprintf("%s/%s", home.folder, name);
}

static char *read_file(const char *name)
{
	cleanup_free char *path = path_of(name);
	size_t len;

	return scratch_read(path, &len);
}

static bool exists(const char *name)
{
	cleanup_free char *path = path_of(name);

	return scratch_exists(path);
}

/* Kept, in a place with this end; it is what is found then. */
static void keeps(const char *host, const char *authfile, const char *where)
{
	cleanup(credential_release) struct credential found = {0};
	cleanup_free char *put = NULL;
	struct error err = {0};

	assert_ok(auth_store_put(host, &somebody, authfile, &put, &err), &err);
	if (strlen(put) < strlen(where) || strcmp(put + strlen(put) - strlen(where), where) != 0)
		fail_msg("kept in %s, not in %s", put, where);
	assert_ok(credentials_find(host, "a/b", authfile, &found, &err), &err);
	assert_string_equal(found.user, "u");
	assert_string_equal(found.password, "SECRET:p");
	assert_string_equal(found.where, put);
}

/* Forgotten, in so many places; nothing is found then. */
static void forgets(const char *host, const char *authfile, size_t n)
{
	struct credential found = {0};
	struct auth_store_list list = {0};
	struct error err = {0};

	assert_ok(auth_store_remove(host, authfile, &list, &err), &err);
	assert_int_equal(list.n, n);
	auth_store_list_release(&list);
	assert_int_equal(credentials_find(host, "a/b", authfile, &found, &err), 1);
}

/* --- files ------------------------------------------------------------------------------------- */

static void without_any_file_dockers_is_made(void **state)
{
	cleanup_free char *path = path_of(".docker/config.json"), *folder = path_of(".docker");
	cleanup_free char *text = NULL;

	(void)state;
	keeps("h.io", NULL, ".docker/config.json");
	assert_int_equal(scratch_mode(path) & 07777, 0600);
	assert_int_equal(scratch_mode(folder) & 07777, 0700);
	text = read_file(".docker/config.json");
	assert_string_equal(text, "{\n  \"auths\": {\n    \"h.io\": {\n      \"auth\": "
				  "\"dTpTRUNSRVQ6cA==\"\n    }\n  }\n}\n");
	forgets("h.io", NULL, 1);
	forgets("h.io", NULL, 0);
}

static void the_first_file_that_is_there_is_taken(void **state)
{
	static const char *const names[] = {".docker/config.json", ".config/containers/auth.json",
					    "run/containers/auth.json"};

	(void)state;
	auth_home_put(&home, ".dockercfg", "{}");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		auth_home_put(&home, names[i], "{\"auths\":{}}");
		keeps("h.io", NULL, names[i]);
	}
	forgets("h.io", NULL, 3);
}

static void a_named_file_is_made_where_it_is_named(void **state)
{
	cleanup_free char *named = path_of("new/folder/auth.json");

	(void)state;
	auth_home_put(&home, ".docker/config.json", "{}");
	keeps("h.io", named, "new/folder/auth.json");
	forgets("h.io", named, 1);
	setenv("REGISTRY_AUTH_FILE", named, 1);
	keeps("h.io", NULL, "new/folder/auth.json");
	{
		cleanup_free char *docker = read_file(".docker/config.json");

		assert_string_equal(docker, "{}");
	}
}

static void what_else_is_there_stays(void **state)
{
	cleanup_free char *after = NULL;

	(void)state;
	auth_home_put(
		&home, ".docker/config.json",
		"{\"detachKeys\":\"ctrl-e\",\"auths\":{\"x\":{\"auth\":\"dTpw\"},"
		"\"https://h.io/v1/\":{\"auth\":\"b2xkOm9sZA==\"},\"h.io/team\":{}},\"n\":7}");
	keeps("h.io", NULL, "config.json");
	forgets("h.io", NULL, 1);
	after = read_file(".docker/config.json");
	assert_string_equal(after, "{\n  \"detachKeys\": \"ctrl-e\",\n  \"auths\": {\n    \"x\": "
				   "{\n      \"auth\": \"dTpw\"\n    },\n    \"h.io/team\": {}\n  "
				   "},\n  \"n\": 7\n}\n");
}

static void a_file_that_anybody_may_read_is_closed(void **state)
{
	cleanup_free char *path = path_of(".docker/config.json");

	(void)state;
	auth_home_put(&home, ".docker/config.json", "{}");
	assert_int_equal(chmod(path, 0666), 0);
	keeps("h.io", NULL, "config.json");
	assert_int_equal(scratch_mode(path) & 07777, 0600);
}

static void behind_a_link_the_file_is_changed(void **state)
{
	cleanup_free char *link = path_of(".docker/config.json"), *text = NULL;

	(void)state;
	auth_home_put(&home, "dotfiles/docker.json", "{\"x\":1}");
	auth_home_put(&home, ".docker/other", "");
	assert_int_equal(symlink("../dotfiles/docker.json", link), 0);
	keeps("h.io", NULL, "config.json");
	text = read_file("dotfiles/docker.json");
	assert_non_null(strstr(text, "dTpTRUNSRVQ6cA=="));
	{
		char to[100] = "";

		assert_int_equal(readlink(link, to, sizeof(to) - 1), 23);
		assert_string_equal(to, "../dotfiles/docker.json");
	}
}

/* As docker does: who keeps such files elsewhere finds it there. */
static void c15_behind_a_link_to_nothing_the_file_is_made(void **state)
{
	cleanup_free char *link = path_of(".docker/config.json"), *more = path_of("more"),
			  *text = NULL;
	char to[100] = "";

	(void)state;
	auth_home_put(&home, ".docker/other", "");
	assert_int_equal(symlink("../more", link), 0);
	assert_int_equal(symlink("dotfiles/docker.json", more), 0);
	keeps("h.io", NULL, "config.json");
	text = read_file("dotfiles/docker.json");
	assert_non_null(strstr(text, "dTpTRUNSRVQ6cA=="));
	assert_int_equal(readlink(link, to, sizeof(to) - 1), 7);
	assert_string_equal(to, "../more");
}

static void c15_a_link_to_itself_is_an_error_that_names_it(void **state)
{
	cleanup_free char *link = path_of(".docker/config.json"), *put = NULL;
	struct error err = {0};

	(void)state;
	auth_home_put(&home, ".docker/other", "");
	assert_int_equal(symlink("config.json", link), 0);
	assert_int_equal(auth_store_put("h.io", &somebody, NULL, &put, &err), -1);
	assert_error(&err, ERR_SYSTEM, ".docker/config.json: Too many levels");
	assert_int_equal(err.detail, ERR_DETAIL_AUTH_FILE);
}

static void root_leaves_a_file_to_its_owner(void **state)
{
	cleanup_free char *path = path_of(".docker/config.json");
	struct stat st;

	(void)state;
	if (geteuid() != 0)
		skip();
	auth_home_put(&home, ".docker/config.json", "{}");
	assert_int_equal(chown(path, 1234, 5678), 0);
	keeps("h.io", NULL, "config.json");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_uid, 1234);
	assert_int_equal(st.st_gid, 5678);
}

static void c15_what_is_malformed_is_left_alone(void **state)
{
	static const char *const cases[] = {"{\"auths\":", "[]", "{\"Auths\":{}}"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *where = NULL;
		struct error err = {0};
		cleanup_free char *after = NULL;

		auth_home_put(&home, ".docker/config.json", cases[i]);
		assert_int_equal(auth_store_put("h.io", &somebody, NULL, &where, &err), -1);
		assert_error(&err, ERR_INVALID, "keep credentials for h.io: ");
		assert_error(&err, ERR_INVALID, ".docker/config.json");
		assert_null(where);
		after = read_file(".docker/config.json");
		assert_string_equal(after, cases[i]);
	}
}

static void without_a_home_there_is_no_place(void **state)
{
	char *where = NULL;
	struct error err = {0};

	(void)state;
	setenv("HOME", "", 1);
	setenv("XDG_RUNTIME_DIR", "/does/not/exist", 1);
	assert_int_equal(auth_store_put("h.io", &somebody, NULL, &where, &err), -1);
	assert_error(&err, ERR_USAGE, "HOME is not set");
}

static void nothing_is_made_to_forget(void **state)
{
	(void)state;
	forgets("h.io", NULL, 0);
	assert_false(exists(".docker"));
	assert_false(exists("run"));
	assert_false(exists(".config"));
}

static void the_old_form_is_forgotten_in_too(void **state)
{
	cleanup_free char *after = NULL;

	(void)state;
	auth_home_put(&home, ".dockercfg",
		      "{\"https://index.docker.io/v1/\":{\"auth\":\"dTpw\"},\"x\":{}}");
	forgets("docker.io", NULL, 1);
	after = read_file(".dockercfg");
	assert_string_equal(after, "{\n  \"x\": {}\n}\n");
}

static void what_the_environment_holds_is_warned_of(void **state)
{
	struct auth_store_list list = {0};
	char *where = NULL;
	struct error err = {0};

	(void)state;
	setenv("DOCKER_AUTH_CONFIG", "{\"auths\":{\"h.io\":{\"auth\":\"dTpTRUNSRVQ=\"}}}", 1);
	assert_ok(auth_store_put("h.io", &somebody, NULL, &where, &err), &err);
	assert_non_null(strstr(warnings, "for h.io in DOCKER_AUTH_CONFIG come first"));
	assert_null(strstr(warnings, "SECRET"));
	free(where);
	warnings[0] = 0;
	assert_ok(auth_store_remove("h.io", NULL, &list, &err), &err);
	assert_non_null(strstr(warnings, "DOCKER_AUTH_CONFIG"));
	auth_store_list_release(&list);
	warnings[0] = 0;
	assert_ok(auth_store_remove("x.io", NULL, &list, &err), &err);
	assert_string_equal(warnings, "");
	auth_store_list_release(&list);
}

/* --- helpers ----------------------------------------------------------------------------------- */

static void a_helper_gets_the_password_and_the_file_none(void **state)
{
	cleanup_free char *text = NULL, *after = NULL;

	(void)state;
	auth_home_put(&home, ".docker/config.json",
		      "{\"auths\":{\"h.io\":{\"auth\":\"b2xkOm9sZA==\"}},\"credsStore\":\"good\"}");
	keeps("h.io", NULL, "docker-credential-good");
	text = read_file(".docker/config.json");
	assert_string_equal(text, "{\n  \"auths\": {\n    \"h.io\": {}\n  },\n  \"credsStore\": "
				  "\"good\"\n}\n");
	forgets("h.io", NULL, 2);
	after = read_file(".docker/config.json");
	assert_string_equal(after, "{\n  \"auths\": {},\n  \"credsStore\": \"good\"\n}\n");
}

static void dockers_own_host_is_kept_by_its_url_and_forgotten_by_either_name(void **state)
{
	cleanup_free char *kept = NULL, *other = NULL;

	(void)state;
	auth_home_put(&home, ".docker/config.json", "{\"credsStore\":\"good\"}");
	keeps("docker.io", NULL, "docker-credential-good");
	kept = fake_helper_read(&helper, "https___index.docker.io_v1_");
	assert_non_null(strstr(kept, "SECRET:p"));
	other = xasprintf("%s/docker.io", helper.folder);
	scratch_write(other, "{\"Secret\":\"x\"}");
	forgets("docker.io", NULL, 2);
}

static void a_helper_that_fails_leaves_the_file_as_it_was(void **state)
{
	char *where = NULL;
	cleanup_free char *after = NULL;
	struct auth_store_list list = {0};
	struct error err = {0};

	(void)state;
	auth_home_put(&home, ".docker/config.json", "{\"credsStore\":\"fails\"}");
	assert_int_equal(auth_store_put("h.io", &somebody, NULL, &where, &err), -1);
	assert_error(&err, ERR_SYSTEM, "docker-credential-fails store: failed with status 1");
	after = read_file(".docker/config.json");
	assert_string_equal(after, "{\"credsStore\":\"fails\"}");
	assert_int_equal(auth_store_remove("h.io", NULL, &list, &err), -1);
	assert_error(&err, ERR_SYSTEM, "forget credentials for h.io: ");
	assert_error(&err, ERR_SYSTEM, "docker-credential-fails get");
}

/* --- at the same time -------------------------------------------------------------------------- */

static void logins_at_the_same_time_are_all_kept(void **state)
{
	enum { MANY = 12 };
	pid_t pids[MANY];

	(void)state;
	for (int i = 0; i < MANY; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			cleanup_free char *host = xasprintf("h%d.io", i);
			char *where;
			struct error err = {0};

			_exit(auth_store_put(host, &somebody, NULL, &where, &err) == 0 ? 0 : 1);
		}
	}
	for (int i = 0; i < MANY; i++) {
		int status;

		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	for (int i = 0; i < MANY; i++) {
		cleanup(credential_release) struct credential found = {0};
		cleanup_free char *host = xasprintf("h%d.io", i);
		struct error err = {0};

		assert_ok(credentials_find(host, NULL, NULL, &found, &err), &err);
	}
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)
	const struct CMUnitTest tests[] = {
		TEST(without_any_file_dockers_is_made),
		TEST(the_first_file_that_is_there_is_taken),
		TEST(a_named_file_is_made_where_it_is_named),
		TEST(what_else_is_there_stays),
		TEST(a_file_that_anybody_may_read_is_closed),
		TEST(behind_a_link_the_file_is_changed),
		TEST(c15_behind_a_link_to_nothing_the_file_is_made),
		TEST(c15_a_link_to_itself_is_an_error_that_names_it),
		TEST(root_leaves_a_file_to_its_owner),
		TEST(c15_what_is_malformed_is_left_alone),
		TEST(without_a_home_there_is_no_place),
		TEST(nothing_is_made_to_forget),
		TEST(the_old_form_is_forgotten_in_too),
		TEST(what_the_environment_holds_is_warned_of),
		TEST(a_helper_gets_the_password_and_the_file_none),
		TEST(dockers_own_host_is_kept_by_its_url_and_forgotten_by_either_name),
		TEST(a_helper_that_fails_leaves_the_file_as_it_was),
		TEST(logins_at_the_same_time_are_all_kept),
	};

	signal(SIGPIPE, SIG_IGN); /* as the program does */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
