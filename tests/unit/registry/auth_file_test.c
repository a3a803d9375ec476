/* SPDX-License-Identifier: Apache-2.0 */
/* Files of credentials (C13, C15): which entry is meant, what it says, and writing it. */
#include "registry/auth_file.h"

#include <stdlib.h>

#include "pkg/base/alloc.h"
#include "pkg/base/secret.h"
#include "tests/support/cmocka.h"
#include "tests/support/memory_search.h"

static struct auth_file *parse_as(const char *json, enum auth_file_format format)
{
	struct auth_file *f = NULL;
	struct error err = {0};

	assert_ok(auth_file_parse(json, strlen(json), format, &f, &err), &err);
	return f;
}

static struct auth_file *parse(const char *json)
{
	return parse_as(json, AUTH_FILE_CURRENT);
}

/* The file has an entry whose password is this; NULL: none. */
static void finds_in(const struct auth_file *f, const char *host, const char *path,
		     const char *password)
{
	cleanup(credential_release) struct credential c = {0};
	struct error err = {0};
	int rc = auth_file_find(f, host, path, &c, &err);

	if (rc < 0)
		assert_ok(rc, &err);
	if (rc != (password == NULL))
		fail_msg("%s %s: %s", host, path ? path : "", rc ? "not found" : c.password);
	if (password && strcmp(c.password, password) != 0)
		fail_msg("%s %s: %s, not %s", host, path ? path : "", c.password, password);
}

/* --- keys -------------------------------------------------------------------------------------- */

#define ENTRY(key, password) "\"" key "\":{\"username\":\"u\",\"password\":\"" password "\"}"

static void c13_the_most_specific_key_counts(void **state)
{
	cleanup(auth_file_free_ptr) struct auth_file *f =
		parse("{\"auths\":{" ENTRY("h.io/team", "team") "," ENTRY("h.io", "host") "," ENTRY(
			"h.io/team/a/deep", "deep") "," ENTRY("h.io/team/a",
							      "a") "," ENTRY("other.io/team",
									     "other") "}}");

	(void)state;
	finds_in(f, "h.io", "x", "host");
	finds_in(f, "h.io", NULL, "host");
	finds_in(f, "h.io", "team/b", "team");
	finds_in(f, "h.io", "team", "team");
	finds_in(f, "h.io", "team/a", "a");
	finds_in(f, "h.io", "team/ab", "team");
	finds_in(f, "h.io", "team/a/deeper", "a");
	finds_in(f, "h.io", "team/a/deep/er", "deep");
	finds_in(f, "h.io", "teams/a", "host");
	finds_in(f, "H.IO", "Team", "host");
	finds_in(f, "other.io", "team/x", "other");
	finds_in(f, "other.io", "x", NULL);
	finds_in(f, "other.io", NULL, NULL);
}

static void c13_hosts_are_whole_with_their_port(void **state)
{
	cleanup(auth_file_free_ptr) struct auth_file *f =
		parse("{\"auths\":{" ENTRY("h.io", "a") "," ENTRY("h.io:5000", "b") "," ENTRY(
			"[::1]:5000", "c") "," ENTRY("localhost:5000", "d") "}}");

	(void)state;
	finds_in(f, "h.io", NULL, "a");
	finds_in(f, "h.io:5000", NULL, "b");
	finds_in(f, "h.io:443", NULL, NULL);
	finds_in(f, "h.i", NULL, NULL);
	finds_in(f, "xh.io", NULL, NULL);
	finds_in(f, "h.io.evil", NULL, NULL);
	finds_in(f, "[::1]:5000", "x", "c");
	finds_in(f, "localhost:5000", "x", "d");
	finds_in(f, "127.0.0.1:5000", "x", NULL);
}

static void c13_urls_are_keys_too(void **state)
{
	static const char *const keys[] = {"https://h.io",     "http://h.io",	 "https://h.io/",
					   "https://h.io/v1/", "http://h.io/v1", "https://h.io/v2/",
					   "HTTPS://h.io/v2",  "h.io/",		 "h.io/v1/"};
	static const char *const others[] = {"https://h.io/v1/access-token",
					     "https://h.io/team",
					     "https://h.io:80/v1/",
					     "ftp://h.io",
					     "https://",
					     "https://h.io.evil/v1/",
					     "https://evil/h.io/",
					     "/"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		cleanup_free char *json =
			xasprintf("{\"auths\":{\"%s\":{\"username\":\"u\",\"password\":\"p\"}}}",
				  keys[i]);
		cleanup(auth_file_free_ptr) struct auth_file *f = parse(json);

		finds_in(f, "h.io", "team/x", "p");
	}
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		cleanup_free char *json =
			xasprintf("{\"auths\":{\"%s\":{\"username\":\"u\",\"password\":\"p\"}}}",
				  others[i]);
		cleanup(auth_file_free_ptr) struct auth_file *f = parse(json);

		finds_in(f, "h.io", "team/x", NULL);
	}
}

static void c13_a_host_counts_before_a_url(void **state)
{
	cleanup(auth_file_free_ptr) struct auth_file *f =
		parse("{\"auths\":{" ENTRY("h.io/", "slash") "," ENTRY(
			"https://h.io/v1/",
			"url") "," ENTRY("h.io", "host") "," ENTRY("H.io", "late") "}}");

	(void)state;
	finds_in(f, "h.io", "x", "host");
}

static void c13_dockers_own_host_has_many_names(void **state)
{
	static const char *const keys[] = {"https://index.docker.io/v1/",
					   "index.docker.io",
					   "docker.io",
					   "registry-1.docker.io",
					   "https://index.docker.io",
					   "https://registry-1.docker.io/v2/",
					   "docker.io/library"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		cleanup_free char *json = xasprintf(
			"{\"auths\":{\"https://index.docker.io/v1/access-token\":{\"auth\":\"eDp4\"},"
			"\"%s\":{\"username\":\"u\",\"password\":\"p\"}}}",
			keys[i]);
		cleanup(auth_file_free_ptr) struct auth_file *f = parse(json);

		finds_in(f, "docker.io", "library/alpine", "p");
		finds_in(f, "registry-1.docker.io", "library/alpine", "p");
		finds_in(f, "auth.docker.io", "library/alpine", NULL);
		finds_in(f, "hub.docker.io", "library/alpine", NULL);
	}
}

static void c13_entries_without_anything_do_not_count(void **state)
{
	cleanup(auth_file_free_ptr) struct auth_file *f = parse(
		"{\"auths\":{\"h.io/a\":{},\"h.io\":{\"auth\":\"\",\"email\":\"x\"},\"null.io\":null,"
		"\"h.io/b\":{\"username\":\"u\"}," ENTRY("https://h.io", "p") "}}");
	cleanup(auth_file_free_ptr) struct auth_file *none = parse("{}"),
						     *null = parse("{\"auths\":null}");

	(void)state;
	finds_in(f, "h.io", "a", "p");
	finds_in(f, "h.io", "b/c", "p");
	finds_in(f, "null.io", "a", NULL);
	finds_in(none, "h.io", "a", NULL);
	finds_in(null, "h.io", "a", NULL);
}

static void c13_the_legacy_form_has_nothing_around_it(void **state)
{
	static const char json[] = "{" ENTRY("https://index.docker.io/v1/", "hub") "," ENTRY(
		"h.io", "host") "," ENTRY("h.io/team", "path") ",\"credsStore\":\"x\"}";
	cleanup(auth_file_free_ptr) struct auth_file *f = parse_as(json, AUTH_FILE_LEGACY);
	cleanup(auth_file_free_ptr) struct auth_file *other = parse(json);
	struct auth_file_helper helper;
	struct error err = {0};

	(void)state;
	finds_in(f, "docker.io", "library/x", "hub");
	finds_in(f, "h.io", "team/x", "host");
	assert_int_equal(auth_file_helper(f, "h.io", &helper, &err), 1);
	finds_in(other, "docker.io", "library/x", NULL);
}

/* --- values ------------------------------------------------------------------------------------ */

static void c13_what_an_entry_may_say(void **state)
{
	static const struct {
		const char *entry;
		const char *user, *password, *identity, *registry;
	} cases[] = {
		{"{\"auth\":\"dTpw\"}", "u", "p", NULL, NULL},
		{"{\"auth\":\"dTphOmI6\"}", "u", "a:b:", NULL, NULL},
		{"{\"auth\":\"dTpwAAA=\"}", "u", "p", NULL, NULL},
		{"{\"auth\":\"dT\\npw\\r\\n\"}", "u", "p", NULL, NULL},
		{"{\"auth\":\"dTpw\",\"username\":\"x\",\"password\":\"y\"}", "u", "p", NULL, NULL},
		{"{\"username\":\"x\",\"password\":\"y\",\"email\":7}", "x", "y", NULL, NULL},
		{"{\"auth\":\"\",\"username\":\"x\",\"password\":\"y\"}", "x", "y", NULL, NULL},
		{"{\"auth\":\"dTo=\",\"identitytoken\":\"i t\"}", "u", "", "i t", NULL},
		{"{\"identitytoken\":\"it\"}", NULL, NULL, "it", NULL},
		{"{\"registrytoken\":\"rt\"}", NULL, NULL, NULL, "rt"},
		{"{\"auth\":\"dTpw\",\"identitytoken\":\"i\",\"registrytoken\":\"r\"}", "u", "p",
		 "i", "r"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup_free char *json = xasprintf("{\"auths\":{\"h\":%s}}", cases[i].entry);
		cleanup(auth_file_free_ptr) struct auth_file *f = parse(json);
		cleanup(credential_release) struct credential c = {0};
		struct error err = {0};

		assert_ok(auth_file_find(f, "h", "a", &c, &err), &err);
#define SAME(got, want)                                                             \
	do {                                                                        \
		if (!(got) != !(want) || ((got) && strcmp((got), (want)) != 0))     \
			fail_msg("%s: %s is %s, not %s", cases[i].entry, #got,      \
				 (got) ? (got) : "none", (want) ? (want) : "none"); \
	} while (0)
		SAME(c.user, cases[i].user);
		SAME(c.password, cases[i].password);
		SAME(c.identity_token, cases[i].identity);
		SAME(c.registry_token, cases[i].registry);
#undef SAME
	}
}

static void c13_entries_that_make_no_sense_are_named_and_not_shown(void **state)
{
	static const char *const cases[][2] = {
		{"\"SECRET\"", "config.auths.h.io: not an object"},
		{"[\"SECRET\"]", "config.auths.h.io: not an object"},
		{"{\"auth\":7}", "config.auths.h.io.auth: not a string"},
		{"{\"auth\":\"SECRET!\"}", "config.auths.h.io.auth: no base64"},
		{"{\"auth\":\"SECRETS\"}", "config.auths.h.io.auth: no base64"},
		{"{\"auth\":\"\\n\"}", "config.auths.h.io.auth: no base64"},
		{"{\"auth\":\"U0VDUkVU\"}", "config.auths.h.io.auth: no colon"},
		{"{\"auth\":\"OlNFQ1JFVA==\"}", "config.auths.h.io.auth: no user name"},
		{"{\"auth\":\"dTpTRUNSRVQAeA==\"}", "config.auths.h.io.auth: a NUL"},
		{"{\"username\":\"SECRET:x\",\"password\":\"SECRET\"}", "a colon in the user"},
		{"{\"username\":7,\"password\":\"SECRET\"}", "h.io.username: not a string"},
		{"{\"password\":[\"SECRET\"]}", "h.io.password: not a string"},
		{"{\"identitytoken\":[\"SECRET\"]}", "h.io.identitytoken: not a string"},
		{"{\"registrytoken\":\"SECRET\\r\\nX: y\"}", "characters that no header may have"},
		{"{\"auth\":\"dTpw\",\"Auth\":\"SECRET\"}", "'auth' and 'Auth'"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup_free char *json =
			xasprintf("{\"auths\":{\"h.io\":%s,\"good.io\":{\"auth\":\"dTpw\"}}}",
				  cases[i][0]);
		cleanup(auth_file_free_ptr) struct auth_file *f = parse(json);
		struct credential c = {0};
		struct error err = {0};

		assert_int_equal(auth_file_find(f, "h.io", "a", &c, &err), -1);
		assert_error(&err, ERR_INVALID, cases[i][1]);
		assert_null(strstr(err.cause, "SECRET"));
		assert_null(c.user);
		/* Who is somebody else is not in the way. */
		finds_in(f, "good.io", "a", "p");
		finds_in(f, "other.io", "a", NULL);
	}
}

static void c15_malformed_files_are_no_files_without_entries(void **state)
{
	static const char *const cases[][2] = {
		{"", "config: empty"},
		{"{", "config: line 1 column "},
		{"{\"auths\":{\"h\":{\"auth\":\"SECRET\"}}", "config: line 1 column "},
		{"{\"auths\":\n\n SECRET}", "config: line 3 column "},
		{"{\"auths\":{\"h\":1,\"h\":\"SECRET\"}}", "config: line 1 column "},
		{"{} SECRET", "config: line 1 column "},
		{"[\"SECRET\"]", "config: not an object"},
		{"\"SECRET\"", "config"},
		{"{\"auths\":[\"SECRET\"]}", "config.auths: not an object"},
		{"{\"auths\":\"SECRET\"}", "config.auths: not an object"},
		{"{\"auths\":{},\"Auths\":{}}", "'auths' and 'Auths'"},
		{"\xef\xbb\xbf{}", "byte order mark"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct auth_file *f;
		struct error err = {0};

		if (auth_file_parse(cases[i][0], strlen(cases[i][0]), AUTH_FILE_CURRENT, &f, &err)
		    == 0)
			fail_msg("'%s' was taken", cases[i][0]);
		assert_error(&err, ERR_INVALID, cases[i][1]);
		assert_null(strstr(err.cause, "SECRET"));
	}
}

/* --- helpers ----------------------------------------------------------------------------------- */

static void helper_is(const char *json, const char *host, const char *name, const char *servers)
{
	cleanup(auth_file_free_ptr) struct auth_file *f = parse(json);
	cleanup_buffer struct buffer got = {0};
	struct auth_file_helper h;
	struct error err = {0};
	int rc = auth_file_helper(f, host, &h, &err);

	if (rc < 0)
		assert_ok(rc, &err);
	if (rc > 0) {
		if (name)
			fail_msg("no helper for %s in %s", host, json);
		return;
	}
	assert_non_null(name);
	assert_string_equal(h.name, name);
	for (size_t i = 0; i < h.n_servers; i++)
		buffer_printf(&got, "%s%s", i ? " " : "", h.servers[i]);
	assert_string_equal((char *)got.data, servers);
}

static void c13_a_helper_for_the_host_counts_before_the_one_for_all(void **state)
{
	static const char json[] = "{\"credsStore\":\"all\",\"credHelpers\":{\"h.io\":\"one\","
				   "\"none.io\":\"\",\"https://url.io/v1/\":\"url\","
				   "\"h.io/team\":\"never\"}}";

	(void)state;
	helper_is(json, "h.io", "one", "h.io");
	helper_is(json, "H.IO", "one", "H.IO");
	helper_is(json, "url.io", "url", "url.io");
	helper_is(json, "x.io:5000", "all", "x.io:5000");
	helper_is(json, "none.io", NULL, NULL);
	helper_is("{}", "h.io", NULL, NULL);
	helper_is("{\"credHelpers\":{},\"credsStore\":null}", "h.io", NULL, NULL);
	helper_is("{\"credsStore\":\"\"}", "h.io", NULL, NULL);
}

static void c13_helpers_know_dockers_own_host_by_two_names(void **state)
{
	(void)state;
	helper_is("{\"credsStore\":\"a\"}", "docker.io", "a",
		  "https://index.docker.io/v1/ docker.io");
	helper_is("{\"credsStore\":\"a\"}", "registry-1.docker.io", "a",
		  "https://index.docker.io/v1/ docker.io");
	helper_is("{\"credHelpers\":{\"docker.io\":\"b\"}}", "docker.io", "b",
		  "docker.io https://index.docker.io/v1/");
	helper_is("{\"credHelpers\":{\"index.docker.io\":\"b\"}}", "docker.io", "b",
		  "index.docker.io https://index.docker.io/v1/ docker.io");
}

static void c14_names_of_helpers_are_no_paths(void **state)
{
	static const char *const names[] = {"../x",	 "/bin/sh", "a b",    "a;b",
					    "a\\u000ab", "$x",	    "\\u00e4"};
	static const char *const forms[] = {"{\"credsStore\":\"%s\"}",
					    "{\"credHelpers\":{\"h.io\":\"%s\"}}"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names) * ARRAY_SIZE(forms); i++) {
		cleanup_buffer struct buffer json = {0};
		const char *form = forms[i % 2], *mark = strstr(form, "%s");
		cleanup(auth_file_free_ptr) struct auth_file *f = NULL;
		struct auth_file_helper h;
		struct error err = {0};

		buffer_add(&json, form, (size_t)(mark - form));
		buffer_printf(&json, "%s%s", names[i / 2], mark + 2);
		f = parse((char *)json.data);
		assert_int_equal(auth_file_helper(f, "h.io", &h, &err), -1);
		assert_error(&err, ERR_INVALID, "is no name of a helper");
	}
}

static void c14_helpers_of_the_wrong_type_are_refused(void **state)
{
	static const char *const cases[] = {"{\"credsStore\":7}", "{\"credHelpers\":7}",
					    "{\"credHelpers\":{\"h.io\":7}}"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup(auth_file_free_ptr) struct auth_file *f = parse(cases[i]);
		struct auth_file_helper h;
		struct error err = {0};

		assert_int_equal(auth_file_helper(f, "h.io", &h, &err), -1);
		assert_error(&err, ERR_INVALID, "config.cred");
	}
}

/* --- writing ----------------------------------------------------------------------------------- */

static struct credential somebody = {.user = (char *)"u", .password = (char *)"p:w"};

static void writes(const char *before, enum auth_file_format format, const char *host,
		   const struct credential *c, const char *after)
{
	cleanup(auth_file_free_ptr) struct auth_file *f = before ? parse_as(before, format) : NULL;
	cleanup_secret_buffer struct buffer text = {0};
	char *to;

	assert_int_equal(auth_file_write(f, host, c, &text), c || strcmp(before, after) != 0);
	/* compared without white space */
	to = (char *)text.data;
	for (const char *p = to; *p; p++)
		if (*p != ' ' && *p != '\n')
			*to++ = *p;
	*to = 0;
	assert_string_equal((char *)text.data, after);
}

static void login_changes_nothing_but_the_entry(void **state)
{
	(void)state;
	writes(NULL, AUTH_FILE_CURRENT, "h.io", &somebody,
	       "{\"auths\":{\"h.io\":{\"auth\":\"dTpwOnc=\"}}}");
	writes("{\"x\":1.5,\"y\":[true,null]}", AUTH_FILE_CURRENT, "h.io", &somebody,
	       "{\"x\":1.5,\"y\":[true,null],\"auths\":{\"h.io\":{\"auth\":\"dTpwOnc=\"}}}");
	writes("{\"auths\":{\"a\":{\"auth\":\"SECRET\",\"email\":\"e\"},\"H.io\":{},\"h.io/t\":{},"
	       "\"https://h.io/v1/\":{\"auth\":\"x\"},\"h.io:1\":{}},\"credsStore\":\"s\"}",
	       AUTH_FILE_CURRENT, "h.io", &somebody,
	       "{\"auths\":{\"a\":{\"auth\":\"SECRET\",\"email\":\"e\"},\"h.io/t\":{},\"h.io:1\":{},"
	       "\"h.io\":{\"auth\":\"dTpwOnc=\"}},\"credsStore\":\"s\"}");
}

static void dockers_own_host_is_written_as_docker_does(void **state)
{
	(void)state;
	writes("{\"auths\":{\"docker.io\":{\"auth\":\"x\"},\"index.docker.io\":{}}}",
	       AUTH_FILE_CURRENT, "docker.io", &somebody,
	       "{\"auths\":{\"https://index.docker.io/v1/\":{\"auth\":\"dTpwOnc=\"}}}");
}

static void logout_takes_every_entry_of_the_host(void **state)
{
	(void)state;
	writes("{\"auths\":{\"h.io\":{},\"https://h.io\":{},\"h.io/t\":{},\"x\":{}}}",
	       AUTH_FILE_CURRENT, "h.io", NULL, "{\"auths\":{\"h.io/t\":{},\"x\":{}}}");
	writes("{\"auths\":{\"x\":{}}}", AUTH_FILE_CURRENT, "h.io", NULL, "{\"auths\":{\"x\":{}}}");
	writes("{\"h.io\":{\"auth\":\"x\"},\"x\":{}}", AUTH_FILE_LEGACY, "h.io", NULL,
	       "{\"x\":{}}");
}

static void what_a_helper_has_leaves_an_empty_entry(void **state)
{
	struct credential nobody = {0};

	(void)state;
	writes("{\"credsStore\":\"s\",\"auths\":{}}", AUTH_FILE_CURRENT, "h.io", &nobody,
	       "{\"credsStore\":\"s\",\"auths\":{\"h.io\":{}}}");
}

static void what_is_written_is_found_again(void **state)
{
	cleanup_secret_buffer struct buffer text = {0};
	struct auth_file *f;
	struct error err = {0};

	(void)state;
	auth_file_write(NULL, "docker.io", &somebody, &text);
	assert_ok(auth_file_parse(text.data, text.len, AUTH_FILE_CURRENT, &f, &err), &err);
	finds_in(f, "docker.io", "library/x", "p:w");
	auth_file_free(f);
}

static void nothing_of_a_file_stays_in_memory(void **state)
{
	enum { LEN = 400 };
	struct credential c = {.user = xstrdup("u"), .password = memory_secret(1, LEN)}, found;
	struct buffer text = {0}, again = {0};
	struct auth_file *f;
	struct error err = {0};

	(void)state;
	auth_file_write(NULL, "h.io", &c, &text);
	assert_ok(auth_file_parse(text.data, text.len, AUTH_FILE_CURRENT, &f, &err), &err);
	auth_file_write(f, "x.io", &c, &again);
	secret_buffer_release(&again);
	secret_buffer_release(&text);
	assert_ok(auth_file_find(f, "h.io", "a", &found, &err), &err);
	auth_file_free(f);
	assert_string_equal(found.password, c.password);
	assert_int_equal(memory_search(1, LEN), 2);
	credential_release(&found);
	credential_release(&c);
	assert_int_equal(memory_search(1, LEN / 2), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(c13_the_most_specific_key_counts),
		cmocka_unit_test(c13_hosts_are_whole_with_their_port),
		cmocka_unit_test(c13_urls_are_keys_too),
		cmocka_unit_test(c13_a_host_counts_before_a_url),
		cmocka_unit_test(c13_dockers_own_host_has_many_names),
		cmocka_unit_test(c13_entries_without_anything_do_not_count),
		cmocka_unit_test(c13_the_legacy_form_has_nothing_around_it),
		cmocka_unit_test(c13_what_an_entry_may_say),
		cmocka_unit_test(c13_entries_that_make_no_sense_are_named_and_not_shown),
		cmocka_unit_test(c15_malformed_files_are_no_files_without_entries),
		cmocka_unit_test(c13_a_helper_for_the_host_counts_before_the_one_for_all),
		cmocka_unit_test(c13_helpers_know_dockers_own_host_by_two_names),
		cmocka_unit_test(c14_names_of_helpers_are_no_paths),
		cmocka_unit_test(c14_helpers_of_the_wrong_type_are_refused),
		cmocka_unit_test(login_changes_nothing_but_the_entry),
		cmocka_unit_test(dockers_own_host_is_written_as_docker_does),
		cmocka_unit_test(logout_takes_every_entry_of_the_host),
		cmocka_unit_test(what_a_helper_has_leaves_an_empty_entry),
		cmocka_unit_test(what_is_written_is_found_again),
		cmocka_unit_test(nothing_of_a_file_stays_in_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
