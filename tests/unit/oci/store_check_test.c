/* SPDX-License-Identifier: Apache-2.0 */
/* Findings in a pool: of its record against its ids, and none where nothing is wrong. */
#include "oci/store.h"

#include <stdlib.h>

#include "pkg/base/alloc.h"
#include "pkg/thin/file/engine.h"
#include "pkg/thin/file/fsck.h"
#include "tests/support/cmocka.h"
#include "tests/support/store_fixture.h"

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
		CASE(ids_of_the_pool_and_of_the_record_are_compared),
		CASE(a_pool_without_a_record_is_a_finding),
		CASE(a_removal_cut_short_is_no_finding),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
