/* SPDX-License-Identifier: Apache-2.0 */
/* The two copies of the record in a real pool, and finding things in it. */
#include "pkg/snapshot/record.h"

#include <stdio.h>

#include "pkg/base/alloc.h"
#include "pkg/thin/engine.h"
#include "tests/support/cmocka.h"
#include "tests/support/snapshot_pool.h"

static struct error err;

/* Spoil one copy of the record: the other one must do, as long as its transaction did commit. */
static void a_copy_of_a_transaction_that_never_committed_is_passed_over(void **state)
{
	struct thin_pool *pool;
	struct record record;
	struct snapshots *s = snapshot_pool_write("");
	uint64_t transaction;

	(void)state;
	snapshot_pool_add_layer(s, 1, 0);
	transaction = snapshots_record(s)->transaction_id;
	snapshots_close(s);
	pool = snapshot_pool_open(THIN_FILE_WRITE);
	assert_ok(record_load(pool, &record, &err), &err);
	record_add(&record, 77)->kind = RECORD_LAYER;
	/* Device 0 is written in place, and the process dies before the commit. */
	assert_ok(record_store(&record, pool, transaction + 1, &err), &err);
	record_release(&record);
	thin_pool_close(pool);
	s = snapshot_pool_write("");
	assert_int_equal(snapshots_record(s)->transaction_id, transaction);
	assert_null(record_find_id(snapshots_record(s), 77));
	assert_true(snapshot_pool_has_layer(s, 1));
	snapshot_pool_add_layer(s, 2, 1);
	snapshots_close(s);
	s = snapshot_pool_write("");
	assert_true(snapshot_pool_has_layer(s, 2));
	snapshots_close(s);
}

/* A pool for reading; before a volume is opened, a writer makes some commits, once. */
struct overtaken {
	struct thin_pool base;
	struct thin_pool *inner;
	unsigned commits;
};

static struct thin_pool *inner_of(struct thin_pool *pool)
{
	return ((struct overtaken *)pool)->inner;
}

static int overtaken_status(struct thin_pool *pool, struct thin_pool_status *ret, struct error *e)
{
	return thin_pool_status(inner_of(pool), ret, e);
}

static int overtaken_open_volume(struct thin_pool *pool, uint32_t id, uint64_t size_bytes,
				 bool writable, struct thin_volume **ret, struct error *e)
{
	struct overtaken *o = (struct overtaken *)pool;

	for (; o->commits > 0; o->commits--) {
		struct snapshots *s = snapshot_pool_write("");
		char name[16];

		snprintf(name, sizeof(name), "box%u", o->commits);
		assert_ok(snapshot_pool_add_container(s, name, 1, &err), &err);
		snapshots_close(s);
	}
	return thin_pool_open_volume(o->inner, id, size_bytes, writable, ret, e);
}

static void overtaken_close(struct thin_pool *pool)
{
	thin_pool_close(inner_of(pool));
}

static void writers_that_overtake_a_reader_do_not_harm_it(void **state)
{
	static const struct thin_pool_ops ops = {
		.status = overtaken_status,
		.open_volume = overtaken_open_volume,
		.close = overtaken_close,
	};
	struct snapshots *s = snapshot_pool_write("");

	(void)state;
	snapshot_pool_add_layer(s, 1, 0);
	snapshots_close(s);
	for (unsigned commits = 1; commits <= 5; commits++) {
		struct overtaken o = {{&ops}, snapshot_pool_open(THIN_FILE_READ), commits};
		struct thin_pool *pool = &o.base;
		struct snapshots *reader;

		assert_ok(snapshots_open(&pool, &reader, &err), &err);
		assert_true(snapshot_pool_has_layer(reader, 1));
		/* One commit leaves the copy that was newest at first. */
		if (commits > 1)
			assert_non_null(record_find_container(snapshots_record(reader), "box1"));
		snapshots_close(reader);
		s = snapshot_pool_write("");
		for (unsigned i = 1; i <= commits; i++) {
			char name[16];

			snprintf(name, sizeof(name), "box%u", i);
			assert_ok(snapshots_remove_container(s, name, &err), &err);
		}
		snapshots_close(s);
	}
}

/* --- damaged copies --------------------------------------------------------------------------- */

#define COPY_BYTES (UINT64_C(64) << 20)

/* Store the record with this mark in it, as one transaction; which copy it went to. */
static unsigned store(uint64_t mark)
{
	struct thin_pool *pool = snapshot_pool_open(THIN_FILE_WRITE);
	struct thin_pool_status status;
	struct record r;
	unsigned slot;

	assert_ok(thin_pool_status(pool, &status, &err), &err);
	assert_ok(record_load(pool, &r, &err), &err);
	r.base_inodes = mark;
	assert_ok(record_store(&r, pool, status.transaction_id + 1, &err), &err);
	assert_ok(thin_pool_commit(pool, status.transaction_id + 1, &err), &err);
	slot = r.slot;
	record_release(&r);
	thin_pool_close(pool);
	return slot;
}

/* Change a byte of a copy, as a disk would. */
static void damage(unsigned slot, uint64_t at)
{
	struct thin_pool *pool = snapshot_pool_open(THIN_FILE_WRITE);
	struct thin_pool_status status;
	struct thin_volume *volume;
	uint8_t byte;

	assert_ok(thin_pool_status(pool, &status, &err), &err);
	assert_ok(thin_pool_open_volume(pool, RECORD_THIN_ID, 2 * COPY_BYTES, true, &volume, &err),
		  &err);
	assert_ok(thin_volume_read(volume, &byte, 1, slot * COPY_BYTES + at, &err), &err);
	byte ^= 0x40;
	assert_ok(thin_volume_write(volume, &byte, 1, slot * COPY_BYTES + at, &err), &err);
	thin_volume_close(volume);
	assert_ok(thin_pool_commit(pool, status.transaction_id, &err), &err);
	thin_pool_close(pool);
}

static int load(struct record *ret)
{
	struct thin_pool *pool = snapshot_pool_open(THIN_FILE_READ);
	int rc = record_load(pool, ret, &err);

	thin_pool_close(pool);
	return rc;
}

static void a_damaged_copy_is_passed_over_for_the_one_before(void **state)
{
	/* magic, version, transaction id, length (too much, and too little), hash, what is zero, JSON */
	static const uint64_t places[] = {0,  15, 16, 24, 31,	32,   36,
					  39, 40, 71, 72, 4095, 4096, 4200};

	(void)state;
	store(1000);
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		unsigned newest = store(2000 + i);
		struct record r;

		damage(newest, places[i]);
		assert_ok(load(&r), &err);
		assert_int_equal(r.slot, 1 - newest);
		assert_int_equal(r.base_inodes, 1000);
		record_release(&r);
	}
}

static void without_a_good_copy_there_is_no_record(void **state)
{
	unsigned newest = store(1);
	struct record r;

	(void)state;
	damage(newest, 4096);
	damage(1 - newest, 4096);
	assert_int_equal(load(&r), -1);
	assert_error(&err, ERR_INCONSISTENT, "no valid record");
}

static void a_pool_without_device_0_is_not_ours(void **state)
{
	struct thin_pool *pool = snapshot_pool_open(THIN_FILE_WRITE);
	struct record r;

	(void)state;
	assert_ok(thin_pool_delete(pool, RECORD_THIN_ID, &err), &err);
	assert_int_equal(record_load(pool, &r, &err), -1);
	assert_error(&err, ERR_INCONSISTENT, "not made by thinpull");
	thin_pool_close(pool);
}

/* --- entries ---------------------------------------------------------------------------------- */

static void ids_are_kept_in_order_and_the_lowest_free_one_is_found(void **state)
{
	static const uint32_t ids[] = {3, 1, 7, 2, THIN_ID_MAX, 5};
	struct record r = {0};

	(void)state;
	assert_int_equal(record_free_id(&r), 1);
	for (size_t i = 0; i < sizeof(ids) / sizeof(*ids); i++)
		record_add(&r, ids[i]);
	for (size_t i = 1; i < r.n; i++)
		assert_true(r.entries[i - 1].thin_id < r.entries[i].thin_id);
	assert_int_equal(record_free_id(&r), 4);
	assert_null(record_find_id(&r, 4));
	assert_null(record_find_id(&r, 0));
	assert_int_equal(record_find_id(&r, THIN_ID_MAX)->thin_id, THIN_ID_MAX);
	record_remove(&r, 4); /* is not there */
	record_remove(&r, 1);
	assert_int_equal(r.n, 5);
	assert_int_equal(record_free_id(&r), 1);
	record_release(&r);
	assert_int_equal(r.n, 0);
}

static void only_what_is_ready_is_found_by_name_or_chain(void **state)
{
	struct digest one = snapshot_pool_digest(1), two = snapshot_pool_digest(2);
	struct record r = {0};
	struct record_entry *e = record_add(&r, 1);

	(void)state;
	*e = (struct record_entry){.thin_id = 1, .kind = RECORD_LAYER, .chain_id = one};
	e->layout_version = 2;
	e = record_add(&r, 2);
	e->kind = RECORD_CONTAINER;
	e->name = xstrdup("web");
	e->chain_id = two;
	assert_int_equal(record_find_layer(&r, &one, 2)->thin_id, 1);
	assert_null(record_find_layer(&r, &one, 1)); /* another layout */
	assert_null(record_find_layer(&r, &two, 2)); /* a container's */
	assert_int_equal(record_find_container(&r, "web")->thin_id, 2);
	assert_null(record_find_container(&r, "we"));
	for (enum record_state state_ = RECORD_CREATING; state_ <= RECORD_DELETING; state_++) {
		record_find_id(&r, 1)->state = state_;
		record_find_id(&r, 2)->state = state_;
		assert_null(record_find_layer(&r, &one, 2));
		assert_null(record_find_container(&r, "web"));
	}
	record_release(&r);
}

static void what_stands_on_a_layer_is_found_but_for_the_exception(void **state)
{
	struct digest one = snapshot_pool_digest(1), two = snapshot_pool_digest(2);
	struct record r = {0};
	struct record_entry *e = record_add(&r, 1);

	(void)state;
	e->chain_id = one;
	assert_null(record_entry_on(&r, &one, NULL)); /* not on itself */
	e = record_add(&r, 2);
	e->chain_id = two;
	e->parent = one;
	assert_int_equal(record_entry_on(&r, &one, NULL)->thin_id, 2);
	assert_null(record_entry_on(&r, &one, &two));
	e = record_add(&r, 3);
	e->kind = RECORD_CONTAINER;
	e->chain_id = two;
	assert_int_equal(record_entry_on(&r, &two, &two)->thin_id, 3);
	record_release(&r);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, snapshot_pool_make, snapshot_pool_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_copy_of_a_transaction_that_never_committed_is_passed_over),
		CASE(writers_that_overtake_a_reader_do_not_harm_it),
		CASE(a_damaged_copy_is_passed_over_for_the_one_before),
		CASE(without_a_good_copy_there_is_no_record),
		CASE(a_pool_without_device_0_is_not_ours),
		cmocka_unit_test(ids_are_kept_in_order_and_the_lowest_free_one_is_found),
		cmocka_unit_test(only_what_is_ready_is_found_by_name_or_chain),
		cmocka_unit_test(what_stands_on_a_layer_is_found_but_for_the_exception),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
