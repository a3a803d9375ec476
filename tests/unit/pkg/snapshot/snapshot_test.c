/* SPDX-License-Identifier: Apache-2.0 */
/* Layers and containers of a real pool on the file engine, and the record that goes with them. */
#include "pkg/snapshot/snapshot.h"

#include "tests/support/cmocka.h"
#include "tests/support/snapshot_pool.h"

static struct error err;

static void a_new_pool_holds_the_record_and_the_base(void **state)
{
	struct digest none = {0};
	struct snapshots *s = snapshot_pool_write("");

	(void)state;
	assert_int_equal(snapshot_pool_count(s), 2);
	assert_int_equal(snapshots_record(s)->base_bytes, SNAPSHOT_POOL_BASE_BYTES);
	assert_non_null(snapshots_find_layer(s, &none));
	snapshots_close(s);
	snapshot_pool_check();
}

static void committed_layers_and_containers_are_there_after_opening_again(void **state)
{
	struct snapshots *s = snapshot_pool_write("");
	const struct record_entry *e;

	(void)state;
	snapshot_pool_add_layer(s, 1, 0);
	snapshot_pool_add_layer(s, 2, 1);
	assert_ok(snapshot_pool_add_container(s, "web", 2, &err), &err);
	snapshots_close(s);
	snapshot_pool_check();
	s = snapshot_pool_write("");
	assert_true(snapshot_pool_has_layer(s, 1) && snapshot_pool_has_layer(s, 2));
	e = record_find_container(snapshots_record(s), "web");
	assert_non_null(e);
	assert_string_equal(e->image, "docker.io/library/x:1");
	assert_int_equal(e->n_labels, 1);
	assert_string_equal(e->labels[0].value, "v \"1\"");
	assert_int_equal(e->size_bytes, SNAPSHOT_POOL_BASE_BYTES);
	snapshots_close(s);
}

static void an_aborted_layer_leaves_the_pool_as_it_was(void **state)
{
	struct snapshots *s = snapshot_pool_write("");
	struct thin_pool_status before, after;
	struct digest chain = snapshot_pool_digest(5);
	struct snapshot *snap;
	static uint8_t junk[1 << 20];

	(void)state;
	snapshot_pool_add_layer(s, 1, 0);
	assert_ok(thin_pool_status(snapshots_pool(s), &before, &err), &err);
	assert_ok(snapshot_prepare(s, NULL, &chain, &snap, &err), &err);
	memset(junk, 7, sizeof(junk));
	assert_ok(thin_volume_write(snapshot_volume(snap), junk, sizeof(junk), 0, &err), &err);
	snapshot_abort(snap);
	assert_ok(thin_pool_status(snapshots_pool(s), &after, &err), &err);
	assert_int_equal(before.data_used_blocks, after.data_used_blocks);
	assert_int_equal(before.metadata_used_blocks, after.metadata_used_blocks);
	assert_int_equal(before.transaction_id, after.transaction_id);
	assert_int_equal(snapshot_pool_count(s), 3);
	/* The session goes on. */
	snapshot_pool_add_layer(s, 2, 1);
	snapshots_close(s);
	snapshot_pool_check();
}

/* More than JSON's integers hold once made the record unreadable, and with it the pool. */
static void an_absurd_sum_of_sizes_is_recorded_as_the_most_there_can_be(void **state)
{
	struct layer_identity identity = {.chain_id = snapshot_pool_digest(1),
					  .diff_id = snapshot_pool_digest(101),
					  .content_bytes = UINT64_MAX};
	struct snapshots *s = snapshot_pool_write("");
	struct snapshot *snap;

	(void)state;
	assert_ok(snapshot_prepare(s, NULL, &identity.chain_id, &snap, &err), &err);
	assert_ok(snapshot_commit(&snap, &identity, NULL, &err), &err);
	snapshots_close(s);
	s = snapshot_pool_write("");
	assert_int_equal(snapshots_find_layer(s, &identity.chain_id)->content_bytes,
			 SNAPSHOT_CONTENT_MAX);
	snapshots_close(s);
}

static void a_session_that_ends_early_leaves_nothing(void **state)
{
	struct snapshots *s = snapshot_pool_write("");
	struct digest chain = snapshot_pool_digest(5);
	struct snapshot *snap;

	(void)state;
	assert_ok(snapshot_prepare(s, NULL, &chain, &snap, &err), &err);
	assert_ok(thin_volume_write(snapshot_volume(snap), "x", 1, 0, &err), &err);
	snapshot_abort(snap);
	snapshots_close(s);
	s = snapshot_pool_write("");
	assert_int_equal(snapshot_pool_count(s), 2);
	snapshots_close(s);
	snapshot_pool_check();
}

static void a_snapshot_needs_its_parent(void **state)
{
	struct snapshots *s = snapshot_pool_write("");
	struct digest d = snapshot_pool_digest(9), chain = snapshot_pool_digest(5);
	struct snapshot *snap;

	(void)state;
	assert_int_equal(snapshot_prepare(s, &d, &chain, &snap, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "parent layer");
	snapshots_close(s);
}

static void layers_are_removed_from_the_top_only(void **state)
{
	struct digest both[2] = {snapshot_pool_digest(2), snapshot_pool_digest(1)};
	struct snapshots *s = snapshot_pool_write("");

	(void)state;
	snapshot_pool_add_layer(s, 1, 0);
	snapshot_pool_add_layer(s, 2, 1);
	assert_ok(snapshots_intend_removal(s, &both[1], 1, &err), &err);
	assert_int_equal(snapshots_remove_layers(s, &both[1], 1, &err), -1);
	assert_error(&err, ERR_BUSY, "made from the layer");
	snapshots_close(s);
	s = snapshot_pool_write("1");
	assert_ok(snapshots_intend_removal(s, both, 2, &err), &err);
	assert_ok(snapshots_remove_layers(s, both, 2, &err), &err);
	assert_int_equal(snapshot_pool_count(s), 2);
	snapshots_close(s);
	snapshot_pool_check();
}

static void a_removal_that_was_cut_short_is_ended_by_the_next_writer(void **state)
{
	struct digest both[2] = {snapshot_pool_digest(2), snapshot_pool_digest(1)};
	struct snapshots *s = snapshot_pool_write("");

	(void)state;
	snapshot_pool_add_layer(s, 1, 0);
	snapshot_pool_add_layer(s, 2, 1);
	assert_ok(snapshots_intend_removal(s, both, 2, &err), &err);
	assert_false(snapshot_pool_has_layer(s, 1) || snapshot_pool_has_layer(s, 2));
	snapshots_close(s);
	s = snapshot_pool_write("");
	assert_int_equal(snapshot_pool_count(s), 2);
	assert_int_equal(snapshots_record(s)->n, 1);
	snapshots_close(s);
	snapshot_pool_check();
}

static void a_removal_whose_image_is_still_named_is_undone(void **state)
{
	struct digest both[2] = {snapshot_pool_digest(2), snapshot_pool_digest(1)};
	struct snapshots *s = snapshot_pool_write("");

	(void)state;
	snapshot_pool_add_layer(s, 1, 0);
	snapshot_pool_add_layer(s, 2, 1);
	assert_ok(snapshots_intend_removal(s, both, 2, &err), &err);
	snapshots_close(s);
	s = snapshot_pool_write("12");
	assert_true(snapshot_pool_has_layer(s, 1) && snapshot_pool_has_layer(s, 2));
	snapshots_close(s);
	s = snapshot_pool_write("");
	assert_true(snapshot_pool_has_layer(s, 1) && snapshot_pool_has_layer(s, 2));
	snapshots_close(s);
	snapshot_pool_check();
}

static void readers_see_what_was_committed_while_a_writer_works(void **state)
{
	struct snapshots *s = snapshot_pool_write("");
	struct thin_pool *pool;
	struct digest chain = snapshot_pool_digest(5);
	struct snapshots *reader;
	struct snapshot *snap;

	(void)state;
	snapshot_pool_add_layer(s, 1, 0);
	assert_ok(snapshot_prepare(s, NULL, &chain, &snap, &err), &err);
	pool = snapshot_pool_open(THIN_FILE_READ);
	assert_ok(snapshots_open(&pool, &reader, &err), &err);
	assert_true(snapshot_pool_has_layer(reader, 1));
	assert_int_equal(snapshot_pool_count(reader), 3);
	snapshots_close(reader);
	snapshot_abort(snap);
	snapshots_close(s);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, snapshot_pool_make, snapshot_pool_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_new_pool_holds_the_record_and_the_base),
		CASE(committed_layers_and_containers_are_there_after_opening_again),
		CASE(an_aborted_layer_leaves_the_pool_as_it_was),
		CASE(an_absurd_sum_of_sizes_is_recorded_as_the_most_there_can_be),
		CASE(a_session_that_ends_early_leaves_nothing),
		CASE(a_snapshot_needs_its_parent),
		CASE(layers_are_removed_from_the_top_only),
		CASE(a_removal_that_was_cut_short_is_ended_by_the_next_writer),
		CASE(a_removal_whose_image_is_still_named_is_undone),
		CASE(readers_see_what_was_committed_while_a_writer_works),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
