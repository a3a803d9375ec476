/* SPDX-License-Identifier: Apache-2.0 */
/* A root folder and its pool: names, sessions, what is refused, the check. */
#include "oci/store.h"

#include <stdlib.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/thin/file/engine.h"
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

/* Another handle on the same root. */
static struct store *open_again(const char *pool, unsigned data_percent, unsigned metadata_percent)
{
	struct store_options options = {.root = f.root,
					.pool = pool,
					.engine = THIN_ENGINE_FILE,
					.verb = "again",
					.lock_timeout_ms = 100,
					.min_free_data_percent = data_percent,
					.min_free_metadata_percent = metadata_percent};
	struct store *s;

	assert_ok(store_open(&options, &s, &err), &err);
	return s;
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
	cleanup(store_close_ptr) struct store *s = open_again("other", 0, 0);
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
	cleanup(store_close_ptr) struct store *s = open_again("default", 0, 0);
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

/* --- the check -------------------------------------------------------------------------------- */

static void check(struct thin_findings *ret)
{
	*ret = (struct thin_findings){0};
	assert_ok(store_pool_check(f.store, ret, &err), &err);
}

static void ids_of_the_pool_and_of_the_record_are_compared(void **state)
{
	cleanup(thin_pool_close_ptr) struct thin_pool *pool = NULL;
	struct thin_file_open how = {.mode = THIN_FILE_WRITE, .verb = "test"};
	struct thin_findings findings;
	struct record r;

	(void)state;
	store_fixture_layers(&f, "ab");
	check(&findings);
	assert_int_equal(findings.total, 0);
	/* Device 77 is nobody's, and that of the last layer is gone. */
	assert_ok(thin_file_open(store_pool_dir(f.store), &how, &pool, &err), &err);
	assert_ok(record_load(pool, &r, &err), &err);
	assert_ok(thin_pool_create_thin(pool, 77, &err), &err);
	assert_ok(thin_pool_delete(pool, r.entries[r.n - 1].thin_id, &err), &err);
	assert_ok(record_store(&r, pool, r.transaction_id + 1, &err), &err);
	assert_ok(thin_pool_commit(pool, r.transaction_id, &err), &err);
	thin_pool_close(steal(&pool));
	check(&findings);
	assert_int_equal(findings.total, 2);
	assert_string_equal(findings.items[0].kind, "unrecorded");
	assert_string_equal(findings.items[0].where, "thin 77");
	assert_string_equal(findings.items[1].kind, "missing");
	thin_findings_release(&findings);
	record_release(&r);
}

static void a_pool_without_a_record_is_a_finding(void **state)
{
	cleanup(thin_pool_close_ptr) struct thin_pool *pool = NULL;
	struct thin_file_open how = {.mode = THIN_FILE_WRITE, .verb = "test"};
	struct thin_findings findings;

	(void)state;
	assert_ok(thin_file_open(store_pool_dir(f.store), &how, &pool, &err), &err);
	assert_ok(thin_pool_delete(pool, RECORD_THIN_ID, &err), &err);
	assert_ok(thin_pool_commit(pool, 5, &err), &err);
	thin_pool_close(steal(&pool));
	check(&findings);
	assert_int_equal(findings.total, 1);
	assert_string_equal(findings.items[0].kind, "record");
	thin_findings_release(&findings);
}

/* No damage: opening for writing ends it. */
static void a_removal_cut_short_is_no_finding(void **state)
{
	struct digest chain[] = {store_fixture_chain_id("ab")};
	struct thin_findings findings;
	struct snapshots *s;

	(void)state;
	store_fixture_layers(&f, "ab");
	assert_ok(store_write(f.store, &s, &err), &err);
	assert_ok(snapshots_intend_removal(s, chain, 1, &err), &err);
	snapshots_close(s);
	check(&findings);
	assert_int_equal(findings.total, 0);
	assert_ok(store_read(f.store, &s, &err), &err);
	assert_null(snapshots_find_readable(s, &chain[0]));
	snapshots_close(s);
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
		CASE(ids_of_the_pool_and_of_the_record_are_compared),
		CASE(a_pool_without_a_record_is_a_finding),
		CASE(a_removal_cut_short_is_no_finding),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
