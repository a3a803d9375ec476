/* SPDX-License-Identifier: Apache-2.0 */
/*
 * On a pool whose changes are each durable at once: ended or failed at every step, pool and record
 * fit together again, and what was there before is whole.
 */
#include <stdio.h>
#include <stdlib.h>

#include "pkg/base/alloc.h"
#include "pkg/snapshot/snapshot.h"
#include "tests/support/cmocka.h"
#include "tests/support/snapshot_pool.h"
#include "tests/support/step_pool.h"

enum { MOST_STEPS = 200 };

static struct error err;

static struct snapshots *begin(const char *wanted)
{
	struct thin_pool *pool = step_pool_open(snapshot_pool_dir());
	struct snapshots *s;

	assert_ok(snapshot_pool_begin(&pool, wanted, &s, &err), &err);
	return s;
}

/* What is begun is left as it is at the end of a process. */
static void end(struct snapshots *s)
{
	snapshots_close(s);
}

/* --- what must hold at all times ---------------------------------------------------------------- */

static size_t count(struct snapshots *s, enum record_state state)
{
	const struct record *r = snapshots_record(s);
	size_t n = 0;

	for (size_t i = 0; i < r->n; i++)
		n += r->entries[i].state == state;
	return n;
}

static void check_ids(struct snapshots *s, size_t unended)
{
	const struct record *r = snapshots_record(s);
	struct thin_device *devices;
	size_t n;

	assert_ok(thin_pool_devices(snapshots_pool(s), &devices, &n, &err), &err);
	for (size_t i = 0; i < n; i++)
		if (devices[i].id != RECORD_THIN_ID && !record_find_id(r, devices[i].id))
			fail_msg("thin %u is in the pool, not in the record", devices[i].id);
	assert_int_equal(r->n - count(s, RECORD_READY), unended);
	if (!unended)
		assert_int_equal(n, r->n + 1);
	free(devices);
}

/* --- scenes ----------------------------------------------------------------------------------- */

struct scene {
	const char *wanted; /* layers that an image names when it is mended */
	void (*before)(struct snapshots *s);
	int (*run)(struct snapshots *s, struct error *err);
	/* After mending: is it as before, as after, or something between that may be? */
	void (*check)(struct snapshots *s);
};

static void one_layer(struct snapshots *s)
{
	snapshot_pool_add_layer(s, 1, 0);
}

static void has_first_layer(struct snapshots *s)
{
	snapshot_pool_check_layer(s, 1);
}

static int pull(struct snapshots *s, struct error *e)
{
	if (snapshot_pool_try_layer(s, 2, 1, 3, e) < 0 || snapshots_go_on(s, e) < 0)
		return -1;
	return snapshot_pool_try_layer(s, 3, 2, 0, e) < 0 ? -1 : 0;
}

static void has_lower_layers(struct snapshots *s)
{
	snapshot_pool_check_layer(s, 1);
	if (snapshot_pool_has_layer(s, 3))
		snapshot_pool_check_layer(s, 3);
	if (snapshot_pool_has_layer(s, 2))
		snapshot_pool_check_layer(s, 2);
	else
		assert_false(snapshot_pool_has_layer(s, 3));
}

static const struct scene pulling = {"123", one_layer, pull, has_lower_layers};

static int make_container(struct snapshots *s, struct error *e)
{
	return snapshot_pool_add_container(s, "web", 1, e);
}

static const struct scene creating = {"1", one_layer, make_container, has_first_layer};

static void one_container(struct snapshots *s)
{
	one_layer(s);
	assert_ok(make_container(s, &err), &err);
}

static int remove_container(struct snapshots *s, struct error *e)
{
	return snapshots_remove_container(s, "web", e);
}

static const struct scene removing = {"1", one_container, remove_container, has_first_layer};

static void three_layers(struct snapshots *s)
{
	snapshot_pool_add_layer(s, 1, 0);
	snapshot_pool_add_layer(s, 2, 1);
	snapshot_pool_add_layer(s, 3, 2);
}

static int remove_layers(struct snapshots *s, struct error *e)
{
	struct digest both[] = {snapshot_pool_digest(3), snapshot_pool_digest(2)};

	if (snapshots_intend_removal(s, both, 2, e) < 0)
		return -1;
	return snapshots_remove_layers(s, both, 2, e);
}

static const struct scene forgetting = {"1", three_layers, remove_layers, has_lower_layers};
/* The image was still named: what is whole is kept. */
static const struct scene forgetting_wanted = {"123", three_layers, remove_layers,
					       has_lower_layers};

static const struct scene *const scenes[] = {&pulling, &creating, &removing, &forgetting,
					     &forgetting_wanted};

/* --- ended at every step ------------------------------------------------------------------------ */

static void start(const struct scene *scene)
{
	struct snapshots *s;

	snapshot_pool_make(NULL);
	s = begin("");
	scene->before(s);
	end(s);
}

static void finish(const struct scene *scene)
{
	struct snapshots *s = begin(scene->wanted);

	check_ids(s, 0);
	scene->check(s);
	end(s);
	snapshot_pool_check();
	snapshot_pool_remove(NULL);
}

/* Did the kill come before it was over? */
static bool run_to(const struct scene *scene, unsigned step)
{
	struct snapshots *s;

	start(scene);
	s = begin(scene->wanted);
	step_pool_set_fault(STEP_KILL, step);
	(void)!scene->run(s, &err);
	end(s);
	error_clear(&err);
	return step_pool_clear_fault();
}

static unsigned kill_at_every_step(const struct scene *scene)
{
	unsigned step = 1;

	for (; run_to(scene, step); step++) {
		finish(scene);
		assert_true(step < MOST_STEPS);
	}
	finish(scene);
	return step - 1;
}

static void a_kill_at_any_step_leaves_what_the_next_writer_mends(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(scenes); i++)
		assert_true(kill_at_every_step(scenes[i]) >= 4);
}

/* Mending that is killed, too. */
static bool mend_to(const struct scene *scene, unsigned step)
{
	struct thin_pool *pool = step_pool_open(snapshot_pool_dir());
	struct snapshots *s = NULL;

	step_pool_set_fault(STEP_KILL, step);
	if (snapshot_pool_begin(&pool, scene->wanted, &s, &err) == 0)
		end(s);
	error_clear(&err);
	return step_pool_clear_fault();
}

static void mending_that_is_killed_is_ended_by_the_next_writer(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(scenes); i++) {
		for (unsigned step = 1, mending = 1; run_to(scenes[i], step); mending++) {
			if (!mend_to(scenes[i], mending)) {
				mending = 0;
				step += 2;
			}
			finish(scenes[i]);
		}
		finish(scenes[i]);
	}
}

/* --- failed at every step ----------------------------------------------------------------------- */

/* The session goes on, and takes back what it had begun. */
static bool fail_at(const struct scene *scene, unsigned step)
{
	struct snapshots *s;
	bool hit;

	start(scene);
	s = begin(scene->wanted);
	step_pool_set_fault(STEP_FAIL, step);
	(void)!scene->run(s, &err);
	hit = step_pool_clear_fault();
	error_clear(&err);
	assert_int_equal(count(s, RECORD_CREATING), 0);
	assert_ok(snapshots_go_on(s, &err), &err);
	snapshot_pool_add_layer(s, 7, 1);
	end(s);
	return hit;
}

static void a_failure_at_any_step_is_taken_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(scenes); i++) {
		unsigned step = 1;

		for (; fail_at(scenes[i], step); step++)
			finish(scenes[i]);
		finish(scenes[i]);
		assert_true(step > 4);
	}
}

/* --- several at once ---------------------------------------------------------------------------- */

static void what_another_session_makes_is_left_alone(void **state)
{
	struct digest parent = snapshot_pool_digest(1), chain = snapshot_pool_digest(2);
	struct layer_identity identity = {.chain_id = chain, .diff_id = chain};
	struct snapshots *a = begin(""), *b;
	struct snapshot *snap;

	(void)state;
	one_layer(a);
	assert_int_equal(snapshot_prepare(a, &parent, &chain, &snap, &err), 0);
	b = begin("");
	check_ids(b, 1);
	assert_ok(snapshot_pool_add_container(b, "web", 1, &err), &err);
	end(b);
	assert_ok(snapshot_commit(&snap, &identity, NULL, &err), &err);
	assert_true(snapshot_pool_has_layer(a, 2));
	assert_non_null(record_find_container(snapshots_record(a), "web"));
	check_ids(a, 0);
	end(a);
	snapshot_pool_check();
}

static void a_session_that_ends_takes_back_what_it_said_it_would_make(void **state)
{
	struct snapshots *s = begin("");

	(void)state;
	assert_int_equal(snapshot_pool_try_layer(s, 1, 0, 2, &err), 0);
	check_ids(s, 1);
	end(s);
	s = begin("");
	check_ids(s, 0);
	assert_int_equal(snapshots_record(s)->n, 2);
	end(s);
}

/* One commit for the intent, and one for each layer. */
static void the_commit_of_a_layer_carries_the_intent_of_the_next(void **state)
{
	struct snapshots *s = begin(""), *other;

	(void)state;
	assert_int_equal(snapshot_pool_try_layer(s, 1, 0, 2, &err), 0);
	assert_ok(snapshots_rest(&s, &err), &err);
	other = begin("");
	check_ids(other, 1);
	end(other);
	assert_ok(snapshots_go_on(s, &err), &err);
	assert_int_equal(snapshot_pool_try_layer(s, 2, 1, 3, &err), 0);
	assert_int_equal(snapshot_pool_try_layer(s, 3, 2, 0, &err), 0);
	assert_int_equal(snapshots_commits(s), 4);
	check_ids(s, 0);
	end(s);
}

/* A reader keeps the kernel from deleting. */
static void a_layer_that_is_read_is_deleted_later(void **state)
{
	struct digest chain = snapshot_pool_digest(3);
	struct snapshots *s = begin("");
	const struct record_entry *e;
	struct thin_volume *volume;

	(void)state;
	three_layers(s);
	e = snapshots_find_layer(s, &chain);
	assert_ok(thin_pool_open_volume(snapshots_pool(s), e->thin_id, e->size_bytes, false,
					&volume, &err),
		  &err);
	assert_ok(remove_layers(s, &err), &err);
	check_ids(s, 1);
	assert_false(snapshot_pool_has_layer(s, 3) || snapshot_pool_has_layer(s, 2));
	assert_ok(snapshots_rest(&s, &err), &err);
	assert_ok(snapshots_go_on(s, &err), &err);
	check_ids(s, 1);
	thin_volume_close(volume);
	assert_ok(snapshots_rest(&s, &err), &err);
	assert_ok(snapshots_go_on(s, &err), &err);
	check_ids(s, 0);
	end(s);
	snapshot_pool_check();
}

static void a_container_in_use_stays_as_it_was(void **state)
{
	struct snapshots *s = begin("");
	const struct record_entry *e;
	struct thin_volume *volume;

	(void)state;
	one_container(s);
	e = record_find_container(snapshots_record(s), "web");
	assert_ok(thin_pool_open_volume(snapshots_pool(s), e->thin_id, e->size_bytes, false,
					&volume, &err),
		  &err);
	assert_int_equal(remove_container(s, &err), -1);
	assert_error(&err, ERR_BUSY, "is open");
	check_ids(s, 0);
	assert_non_null(record_find_container(snapshots_record(s), "web"));
	thin_volume_close(volume);
	assert_ok(remove_container(s, &err), &err);
	check_ids(s, 0);
	end(s);
}

/* Two removals of one layer, of which the first was cut short: only one of its ids may stay. */
static void a_removal_cut_short_does_not_come_back_beside_a_new_layer(void **state)
{
	struct digest chain = snapshot_pool_digest(3);
	struct snapshots *s = begin("");
	struct thin_volume *volume;
	const struct record_entry *e;

	(void)state;
	three_layers(s);
	e = snapshots_find_layer(s, &chain);
	assert_ok(thin_pool_open_volume(snapshots_pool(s), e->thin_id, e->size_bytes, false,
					&volume, &err),
		  &err);
	assert_ok(remove_layers(s, &err), &err);
	snapshot_pool_add_layer(s, 2, 1);
	assert_ok(snapshots_go_on(s, &err), &err);
	snapshot_pool_add_layer(s, 3, 2);
	thin_volume_close(volume);
	end(s);
	s = begin("123");
	check_ids(s, 0);
	snapshot_pool_check_layer(s, 3);
	assert_int_equal(snapshots_record(s)->n, 4);
	end(s);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, snapshot_pool_make, snapshot_pool_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_kill_at_any_step_leaves_what_the_next_writer_mends),
		cmocka_unit_test(mending_that_is_killed_is_ended_by_the_next_writer),
		cmocka_unit_test(a_failure_at_any_step_is_taken_back),
		CASE(what_another_session_makes_is_left_alone),
		CASE(a_session_that_ends_takes_back_what_it_said_it_would_make),
		CASE(the_commit_of_a_layer_carries_the_intent_of_the_next),
		CASE(a_layer_that_is_read_is_deleted_later),
		CASE(a_container_in_use_stays_as_it_was),
		CASE(a_removal_cut_short_does_not_come_back_beside_a_new_layer),
	};

	/* Hundreds of pools, of which none is about power cuts. */
	setenv("TMPDIR", "/dev/shm", 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
