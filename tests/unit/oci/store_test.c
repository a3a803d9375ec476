/* SPDX-License-Identifier: Apache-2.0 */
/* A root folder and its pool: names, sessions, what is refused, who only looks. */
#include "oci/store.h"

#include <stdlib.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/thin/file/fsck.h"
#include "tests/support/cmocka.h"
#include "tests/support/scratch.h"
#include "tests/support/store_fixture.h"

#define MIB (UINT64_C(1) << 20)

static struct store_fixture f;
static struct error err;

static int begin(void **state)
{
	(void)state;
	store_fixture_init(&f);
	return 0;
}

static int end(void **state)
{
	(void)state;
	store_fixture_release(&f);
	return 0;
}

static bool is_there(const char *name)
{
	cleanup_free char *path = xasprintf("%s/%s", f.root, name);

	return access(path, F_OK) == 0;
}

/* --- names and folders ------------------------------------------------------------------------ */

static void names_start_with_a_letter_or_digit(void **state)
{
	static const char *const good[] = {"a", "0", "A_b-c.d", "x..y", "9-"};
	static const char *const bad[] = {"",	 ".",	"..",  "-a",  "_a",	 ".new-x",
					  "a/b", "a b", "a\n", "a:b", "\xc3\xa9"};
	char longest[STORE_NAME_MAX + 2];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_true(store_is_name(good[i]));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (store_is_name(bad[i]))
			fail_msg("'%s' is a name", bad[i]);
	memset(longest, 'n', sizeof(longest));
	longest[STORE_NAME_MAX + 1] = '\0';
	assert_false(store_is_name(longest));
	longest[STORE_NAME_MAX] = '\0';
	assert_true(store_is_name(longest));
}

static void a_pool_with_a_strange_name_is_refused(void **state)
{
	struct store_options options = {.root = f.root,
					.pool = "../x",
					.engine = THIN_ENGINE_FILE,
					.verb = "test"};
	struct store *s = NULL;

	(void)state;
	assert_int_equal(store_open(&options, &s, &err), -1);
	assert_error(&err, ERR_USAGE, "\"../x\" is no name for a pool");
	assert_null(s);
}

static void a_relative_root_stays_where_it_was_opened(void **state)
{
	cleanup_free char *before = getcwd(NULL, 0);
	struct store_options options = {.root = "deep/er",
					.pool = "p",
					.engine = THIN_ENGINE_FILE,
					.verb = "test"};
	struct store_pool_params params = {.data_bytes = 64 * MIB, .base_bytes = 16 * MIB};
	cleanup(store_close_ptr) struct store *s = NULL;

	(void)state;
	assert_int_equal(chdir(f.root), 0);
	assert_ok(store_open(&options, &s, &err), &err);
	assert_int_equal(chdir(before), 0);
	assert_int_equal(store_root(s)[0], '/');
	assert_string_equal(store_pool_name(s), "p");
	assert_ok(store_pool_create(s, &params, &err), &err);
	assert_true(is_there("deep/er/pools/p/meta"));
	assert_true(is_there("deep/er/spool"));
}

/* --- sessions --------------------------------------------------------------------------------- */

static void what_needs_a_pool_says_that_there_is_none(void **state)
{
	cleanup(store_close_ptr) struct store *s = store_fixture_open(&f, "other");
	struct thin_findings findings = {0};
	struct thin_pool_status status;
	struct snapshots *session;

	(void)state;
	assert_false(store_pool_exists(s));
	assert_int_equal(store_pool_status(s, &status, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "no pool other");
	assert_int_equal(store_read(s, &session, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "no pool other");
	assert_int_equal(store_write(s, &session, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "no pool other");
	assert_int_equal(store_pool_check(s, &findings, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "no pool other");
}

static void a_writer_is_told_of_the_one_before_it(void **state)
{
	cleanup(store_close_ptr) struct store *s = store_fixture_open(&f, "default");
	struct snapshots *first, *second;

	(void)state;
	assert_ok(store_write(f.store, &first, &err), &err);
	assert_int_equal(store_write(s, &second, &err), -1);
	assert_error(&err, ERR_BUSY, "pool default");
	assert_error(&err, ERR_BUSY, "test"); /* the verb of the first */
	assert_ok(store_read(s, &second, &err), &err);
	snapshots_close(second);
	snapshots_close(first);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_start_with_a_letter_or_digit),
		CASE(a_pool_with_a_strange_name_is_refused),
		CASE(a_relative_root_stays_where_it_was_opened),
		CASE(what_needs_a_pool_says_that_there_is_none),
		CASE(a_writer_is_told_of_the_one_before_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
