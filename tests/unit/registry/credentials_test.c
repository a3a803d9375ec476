/* SPDX-License-Identifier: Apache-2.0 */
/* Which of all places decides (C13 to C15). */
#include "registry/credentials.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "tests/support/auth_home.h"
#include "tests/support/cmocka.h"
#include "tests/support/fake_helper.h"

static struct auth_home home;
static struct fake_helper helper;

static int start(void **state)
{
	(void)state;
	auth_home_start(&home);
	fake_helper_start(&helper);
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

/* What is found has this password, and is from a place with this end; NULL: nothing is. */
static void finds(const char *host, const char *authfile, const char *password, const char *where)
{
	cleanup(credential_release) struct credential c = {0};
	struct error err = {0};
	int rc = credentials_find(host, "team/x", authfile, &c, &err);

	if (rc < 0)
		assert_ok(rc, &err);
	if (!password) {
		assert_int_equal(rc, 1);
		return;
	}
	assert_int_equal(rc, 0);
	assert_string_equal(c.password, password);
	if (strlen(c.where) < strlen(where)
	    || strcmp(c.where + strlen(c.where) - strlen(where), where) != 0)
		fail_msg("found in %s, not %s", c.where, where);
}

#define FILE_WITH(password) \
	"{\"auths\":{\"h.io\":{\"username\":\"u\",\"password\":\"" password "\"}}}"

static void c13_the_first_place_that_knows_the_host_decides(void **state)
{
	static const char *const names[] = {".dockercfg", ".docker/config.json",
					    ".config/containers/auth.json",
					    "run/containers/auth.json"};
	cleanup_free char *named = path_of("named");

	(void)state;
	finds("h.io", NULL, NULL, NULL);
	auth_home_put(&home, names[0], "{\"h.io\":{\"username\":\"u\",\"password\":\"0\"}}");
	finds("h.io", NULL, "0", names[0]);
	auth_home_put(&home, names[1], FILE_WITH("1"));
	finds("h.io", NULL, "1", names[1]);
	auth_home_put(&home, names[2], FILE_WITH("2"));
	finds("h.io", NULL, "2", names[2]);
	auth_home_put(&home, names[3], FILE_WITH("3"));
	finds("h.io", NULL, "3", names[3]);
	setenv("DOCKER_AUTH_CONFIG", FILE_WITH("4"), 1);
	finds("h.io", NULL, "4", "DOCKER_AUTH_CONFIG");
	auth_home_put(&home, "named", FILE_WITH("5"));
	finds("h.io", named, "5", "named");
	setenv("REGISTRY_AUTH_FILE", named, 1);
	finds("h.io", NULL, "5", "named");
}

static void c13_a_place_that_does_not_know_it_leads_to_the_next(void **state)
{
	(void)state;
	auth_home_put(&home, "run/containers/auth.json",
		      "{\"auths\":{\"other.io\":{\"auth\":\"dTpw\"},\"h.io\":{}}}");
	auth_home_put(&home, ".config/containers/auth.json", "");
	auth_home_put(&home, ".docker/config.json", FILE_WITH("docker"));
	finds("h.io", NULL, "docker", ".docker/config.json");
	finds("other.io", NULL, "p", "run/containers/auth.json");
	finds("unknown.io", NULL, NULL, NULL);
}

static void c13_helpers_come_before_entries(void **state)
{
	(void)state;
	auth_home_put(&home, ".docker/config.json",
		      "{\"credHelpers\":{\"h.io\":\"deaf\",\"empty.io\":\"none\"},"
		      "\"credsStore\":\"good\",\"auths\":{"
		      "\"h.io\":{\"username\":\"u\",\"password\":\"entry\"},"
		      "\"empty.io\":{\"username\":\"u\",\"password\":\"entry\"},"
		      "\"stored.io\":{\"username\":\"u\",\"password\":\"entry\"},"
		      "\"unstored.io\":{\"username\":\"u\",\"password\":\"entry\"}}}");
	finds("h.io", NULL, "p", "docker-credential-deaf");
	finds("empty.io", NULL, "entry", "config.json");
	finds("unstored.io", NULL, "entry", "config.json");
	setenv("FAKE_STORE", home.folder, 1);
	auth_home_put(&home, "stored.io", "{\"Username\":\"u\",\"Secret\":\"kept\"}");
	finds("stored.io", NULL, "kept", "docker-credential-good");
	finds("nobody.io", NULL, NULL, NULL);
}

static void c13_helpers_know_dockers_own_host_by_either_name(void **state)
{
	(void)state;
	setenv("FAKE_STORE", home.folder, 1);
	auth_home_put(&home, ".docker/config.json", "{\"credsStore\":\"good\"}");
	auth_home_put(&home, "docker.io", "{\"Username\":\"u\",\"Secret\":\"podman\"}");
	finds("registry-1.docker.io", NULL, "podman", "docker-credential-good");
	auth_home_put(&home, "https:__index.docker.io_v1_",
		      "{\"Username\":\"u\",\"Secret\":\"docker\"}");
	auth_home_put(&home, "https___index.docker.io_v1_",
		      "{\"Username\":\"u\",\"Secret\":\"docker\"}");
	finds("registry-1.docker.io", NULL, "docker", "docker-credential-good");
}

static void c14_c15_what_fails_is_not_anonymous(void **state)
{
	static const struct {
		const char *text;
		enum error_kind kind;
		const char *reason;
	} cases[] = {
		{"{\"credsStore\":\"fails\"}", ERR_SYSTEM, "the keychain is locked"},
		{"{\"credsStore\":\"missing\"}", ERR_USAGE, "docker-credential-missing"},
		{"{\"credsStore\":\"../x\"}", ERR_INVALID, "no name of a helper"},
		{"{\"credsStore\":\"leaks\"}", ERR_SYSTEM, "docker-credential-leaks get: failed"},
		{"{\"auths\":{\"h.io\":{\"auth\":\"SECRET!\"}}}", ERR_INVALID, "no base64"},
		{"{\"auths\":SECRET", ERR_INVALID, "line 1"},
	};

	(void)state;
	auth_home_put(&home, ".dockercfg", "{\"h.io\":{\"auth\":\"dTpw\"}}");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct credential c = {0};
		struct error err = {0};
		char text[1024];

		auth_home_put(&home, ".docker/config.json", cases[i].text);
		assert_int_equal(credentials_find("h.io", "x", NULL, &c, &err), -1);
		assert_error(&err, cases[i].kind, cases[i].reason);
		assert_error(&err, cases[i].kind, "credentials for h.io: ");
		assert_error(&err, cases[i].kind, ".docker/config.json: ");
		assert_int_equal(err.detail, ERR_DETAIL_AUTH_FILE);
		error_text(&err, text, sizeof(text));
		assert_null(strstr(text, "SECRET"));
		assert_null(c.where);
	}
}

static void c15_what_is_malformed_behind_the_one_that_decides_is_not_read(void **state)
{
	(void)state;
	auth_home_put(&home, "run/containers/auth.json", FILE_WITH("p"));
	auth_home_put(&home, ".docker/config.json", "{");
	finds("h.io", NULL, "p", "auth.json");
}

static void a_file_that_is_named_must_be_there(void **state)
{
	struct credential c = {0};
	struct error err = {0};

	(void)state;
	assert_int_equal(credentials_find("h.io", "x", "/does/not/exist", &c, &err), -1);
	assert_error(&err, ERR_USAGE, "/does/not/exist");
	setenv("REGISTRY_AUTH_FILE", "/does/not/exist/either", 1);
	assert_int_equal(credentials_find("h.io", "x", NULL, &c, &err), -1);
	assert_error(&err, ERR_USAGE, "/does/not/exist/either");
}

static void looking_leaves_the_process_as_it_was(void **state)
{
	(void)state;
	auth_home_put(&home, ".docker/config.json", FILE_WITH("p"));
	finds("h.io", NULL, "p", "config.json");
	assert_int_equal(prctl(PR_GET_DUMPABLE), 1);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)
	const struct CMUnitTest tests[] = {
		TEST(c13_the_first_place_that_knows_the_host_decides),
		TEST(c13_a_place_that_does_not_know_it_leads_to_the_next),
		TEST(c13_helpers_come_before_entries),
		TEST(c13_helpers_know_dockers_own_host_by_either_name),
		TEST(c14_c15_what_fails_is_not_anonymous),
		TEST(c15_what_is_malformed_behind_the_one_that_decides_is_not_read),
		TEST(a_file_that_is_named_must_be_there),
		TEST(looking_leaves_the_process_as_it_was),
	};

	signal(SIGPIPE, SIG_IGN); /* as the program does */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
