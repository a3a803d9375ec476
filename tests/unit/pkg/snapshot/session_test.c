/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions that lend the pool to others, and what they find when they get it back. */
#include "pkg/snapshot/snapshot.h"

#include <pthread.h>
#include <stdlib.h>

#include "pkg/base/cleanup.h"
#include "tests/support/cmocka.h"
#include "tests/support/snapshot_pool.h"
#include "tests/support/step_pool.h"

static struct error err;

static struct snapshots *begin(void)
{
	struct thin_pool *pool = step_pool_open(snapshot_pool_dir());
	struct snapshots *s;

	assert_ok(snapshot_pool_begin(&pool, "", &s, &err), &err);
	return s;
}

/* The file engine keeps its lock, so a session ends where others may have the pool. */
static void a_session_whose_engine_keeps_the_lock_is_closed_for_a_rest(void **state)
{
	struct snapshots *s = snapshot_pool_write("");

	(void)state;
	assert_ok(snapshots_rest(&s, &err), &err);
	assert_null(s);
	s = snapshot_pool_write("");
	assert_ok(snapshots_go_on(s, &err), &err);
	snapshots_close(s);
}

static void a_rested_session_sees_what_others_did(void **state)
{
	struct snapshots *a = begin(), *b;

	(void)state;
	snapshot_pool_add_layer(a, 1, 0);
	assert_ok(snapshots_rest(&a, &err), &err);
	b = begin();
	snapshot_pool_add_layer(b, 2, 1);
	snapshots_close(b);
	assert_false(snapshot_pool_has_layer(a, 2));
	assert_ok(snapshots_go_on(a, &err), &err);
	assert_true(snapshot_pool_has_layer(a, 2));
	snapshot_pool_add_layer(a, 3, 2);
	snapshots_close(a);
	snapshot_pool_check();
}

/* The record is of an earlier transaction then, which is still the newest there is. */
static void a_pool_whose_transaction_id_somebody_else_moved_goes_on_from_there(void **state)
{
	struct snapshots *s = begin();
	uint64_t before, after;

	(void)state;
	snapshot_pool_add_layer(s, 1, 0);
	assert_ok(thin_pool_transaction_id(snapshots_pool(s), &before, &err), &err);
	snapshots_close(s);
	step_pool_move_transaction_id(snapshot_pool_dir(), before + 40);
	s = begin();
	snapshot_pool_check_layer(s, 1);
	snapshot_pool_add_layer(s, 2, 1);
	assert_ok(thin_pool_transaction_id(snapshots_pool(s), &after, &err), &err);
	assert_int_equal(after, before + 42);
	snapshots_close(s);
	s = begin();
	snapshot_pool_check_layer(s, 2);
	snapshots_close(s);
}

/* What was written meanwhile is whole either way; who moved it is told. */
static void a_transaction_id_that_moves_under_a_session_is_an_error(void **state)
{
	struct snapshots *s = begin();
	uint64_t id;

	(void)state;
	snapshot_pool_add_layer(s, 1, 0);
	assert_ok(thin_pool_transaction_id(snapshots_pool(s), &id, &err), &err);
	step_pool_move_transaction_id(snapshot_pool_dir(), id + 5);
	assert_int_equal(snapshot_pool_add_container(s, "web", 1, &err), -1);
	assert_error(&err, ERR_INCONSISTENT, "somebody else");
	/* After the roll back it is known. */
	error_clear(&err);
	assert_ok(snapshot_pool_add_container(s, "web", 1, &err), &err);
	snapshots_close(s);
	snapshot_pool_check();
}

static void *make_the_same(void *arg)
{
	struct snapshots *s = arg;
	struct error own = {0};
	int *result = malloc(sizeof(*result));

	*result = snapshot_pool_try_layer(s, 2, 1, 0, &own);
	snapshots_close(s);
	return result;
}

static void a_layer_that_another_one_makes_is_waited_for_and_made_once(void **state)
{
	struct digest parent = snapshot_pool_digest(1), chain = snapshot_pool_digest(2);
	struct layer_identity identity = {.chain_id = chain, .diff_id = chain};
	struct snapshots *a = begin(), *b;
	cleanup_free int *result = NULL;
	struct snapshot *snap;
	pthread_t thread;
	unsigned makes;

	(void)state;
	snapshot_pool_add_layer(a, 1, 0);
	makes = step_pool_makes();
	assert_int_equal(snapshot_prepare(a, &parent, &chain, &snap, &err), 0);
	b = begin();
	assert_int_equal(pthread_create(&thread, NULL, make_the_same, b), 0);
	/* The lock is free once the other one waits. */
	assert_ok(snapshots_go_on(a, &err), &err);
	assert_ok(snapshot_commit(&snap, &identity, NULL, &err), &err);
	assert_ok(snapshots_rest(&a, &err), &err);
	assert_int_equal(pthread_join(thread, (void **)&result), 0);
	assert_int_equal(*result, 1);
	assert_int_equal(step_pool_makes(), makes + 1);
	snapshots_close(a);
	snapshot_pool_check();
}

static void a_layer_whose_maker_gives_up_is_made_by_who_waited(void **state)
{
	struct digest parent = snapshot_pool_digest(1), chain = snapshot_pool_digest(2);
	struct snapshots *a = begin(), *b;
	cleanup_free int *result = NULL;
	struct snapshot *snap;
	pthread_t thread;

	(void)state;
	snapshot_pool_add_layer(a, 1, 0);
	assert_int_equal(snapshot_prepare(a, &parent, &chain, &snap, &err), 0);
	b = begin();
	assert_int_equal(pthread_create(&thread, NULL, make_the_same, b), 0);
	assert_ok(snapshots_go_on(a, &err), &err);
	snapshot_abort(snap);
	snapshots_close(a);
	assert_int_equal(pthread_join(thread, (void **)&result), 0);
	assert_int_equal(*result, 0);
	a = begin();
	snapshot_pool_check_layer(a, 2);
	snapshots_close(a);
	snapshot_pool_check();
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, snapshot_pool_make, snapshot_pool_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_session_whose_engine_keeps_the_lock_is_closed_for_a_rest),
		CASE(a_rested_session_sees_what_others_did),
		CASE(a_pool_whose_transaction_id_somebody_else_moved_goes_on_from_there),
		CASE(a_transaction_id_that_moves_under_a_session_is_an_error),
		CASE(a_layer_that_another_one_makes_is_waited_for_and_made_once),
		CASE(a_layer_whose_maker_gives_up_is_made_by_who_waited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
