/* SPDX-License-Identifier: Apache-2.0 */
/* Containers of a real pool: names, places, labels, what a new one is. */
#include "pkg/snapshot/snapshot.h"

#include "pkg/base/alloc.h"
#include "tests/support/cmocka.h"
#include "tests/support/snapshot_pool.h"

static struct error err;

static void a_name_is_taken_once_and_free_after_removal(void **state)
{
	struct snapshots *s = snapshot_pool_write("");

	(void)state;
	snapshot_pool_add_layer(s, 1, 0);
	assert_ok(snapshot_pool_add_container(s, "web", 1, &err), &err);
	assert_int_equal(snapshot_pool_add_container(s, "web", 1, &err), -1);
	assert_error(&err, ERR_BUSY, "web");
	assert_ok(snapshots_remove_container(s, "web", &err), &err);
	assert_int_equal(snapshots_remove_container(s, "web", &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "web");
	assert_ok(snapshot_pool_add_container(s, "web", 1, &err), &err);
	snapshots_close(s);
	snapshot_pool_check();
}

static void a_container_gets_another_name_and_keeps_the_rest(void **state)
{
	struct snapshots *s = snapshot_pool_write("");
	const struct record_entry *e;
	uint32_t thin_id;

	(void)state;
	snapshot_pool_add_layer(s, 1, 0);
	assert_ok(snapshot_pool_add_container(s, "web", 1, &err), &err);
	assert_ok(snapshot_pool_add_container(s, "db", 1, &err), &err);
	thin_id = record_find_container(snapshots_record(s), "web")->thin_id;
	assert_int_equal(snapshots_rename_container(s, "none", "x", &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "none");
	assert_int_equal(snapshots_rename_container(s, "web", "db", &err), -1);
	assert_error(&err, ERR_BUSY, "db");
	assert_int_equal(snapshots_rename_container(s, "web", "web", &err), -1);
	assert_error(&err, ERR_BUSY, "web");
	assert_ok(snapshots_rename_container(s, "web", "front", &err), &err);
	snapshots_close(s);
	s = snapshot_pool_write("");
	assert_null(record_find_container(snapshots_record(s), "web"));
	e = record_find_container(snapshots_record(s), "front");
	assert_int_equal(e->thin_id, thin_id);
	assert_int_equal(e->n_labels, 1);
	assert_ok(snapshot_pool_add_container(s, "web", 1, &err), &err);
	snapshots_close(s);
	snapshot_pool_check();
}

static void the_place_of_a_container_is_kept_and_changes(void **state)
{
	struct container_spec spec = {.name = "tmp",
				      .chain_id = snapshot_pool_digest(1),
				      .image = "x",
				      .manifest = snapshot_pool_digest(50),
				      .created = "2026-01-01T00:00:00Z",
				      .temporary = true};
	struct snapshots *s = snapshot_pool_write("");
	const struct record_entry *e;

	(void)state;
	snapshot_pool_add_layer(s, 1, 0);
	assert_ok(snapshot_pool_add_container(s, "web", 1, &err), &err);
	assert_ok(snapshot_pool_add_container(s, "db", 1, &err), &err);
	assert_ok(snapshots_create_container(s, &spec, &err), &err);
	assert_ok(snapshots_set_place(s, "web", RECORD_IN_FILE, NULL, &err), &err);
	assert_ok(snapshots_set_place(s, "db", RECORD_IN_FOLDER, "/home/\"me\"/rootfs", &err),
		  &err);
	assert_int_equal(snapshots_set_place(s, "none", RECORD_IN_FILE, NULL, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "none");
	snapshots_close(s);
	s = snapshot_pool_write("");
	e = record_find_container(snapshots_record(s), "web");
	assert_int_equal(e->place, RECORD_IN_FILE);
	assert_null(e->folder);
	assert_false(e->temporary);
	e = record_find_container(snapshots_record(s), "db");
	assert_int_equal(e->place, RECORD_IN_FOLDER);
	assert_string_equal(e->folder, "/home/\"me\"/rootfs");
	e = record_find_container(snapshots_record(s), "tmp");
	assert_int_equal(e->place, RECORD_IN_POOL);
	assert_true(e->temporary);
	assert_ok(snapshots_set_place(s, "db", RECORD_IN_POOL, NULL, &err), &err);
	assert_null(record_find_container(snapshots_record(s), "db")->folder);
	snapshots_close(s);
	snapshot_pool_check();
}

static void a_container_differs_from_its_layer_only_in_the_uuid(void **state)
{
	struct snapshots *s = snapshot_pool_write("");
	const struct record_entry *e;
	struct digest id = snapshot_pool_digest(1);
	struct thin_volume *layer, *container;
	uint8_t a[4096], b[4096];

	(void)state;
	snapshot_pool_add_layer(s, 1, 0);
	assert_ok(snapshot_pool_add_container(s, "web", 1, &err), &err);
	e = snapshots_find_layer(s, &id);
	assert_ok(thin_pool_open_volume(snapshots_pool(s), e->thin_id, SNAPSHOT_POOL_BASE_BYTES,
					false, &layer, &err),
		  &err);
	e = record_find_container(snapshots_record(s), "web");
	assert_ok(thin_pool_open_volume(snapshots_pool(s), e->thin_id, SNAPSHOT_POOL_BASE_BYTES,
					false, &container, &err),
		  &err);
	for (uint64_t at = 0; at < SNAPSHOT_POOL_BASE_BYTES; at += sizeof(a)) {
		assert_ok(thin_volume_read(layer, a, sizeof(a), at, &err), &err);
		assert_ok(thin_volume_read(container, b, sizeof(b), at, &err), &err);
		if (at == 0) {
			assert_memory_not_equal(a + 1024 + 104, b + 1024 + 104, 16); /* s_uuid */
			continue;
		}
		assert_memory_equal(a, b, sizeof(a));
	}
	thin_volume_close(layer);
	thin_volume_close(container);
	snapshots_close(s);
}

/* Keys that become one in JSON once made the record unreadable, and with it the pool. */
static void labels_that_json_would_change_are_refused(void **state)
{
	static struct record_label cases[][2] = {
		{{(char *)"\xff", (char *)"1"}, {(char *)"\xfe", (char *)"2"}},
		{{(char *)"a", (char *)"1"}, {(char *)"a", (char *)"2"}},
		{{(char *)"a", (char *)"1"}, {(char *)"b", (char *)"\xc3"}},
	};
	struct record_label fine[] = {{(char *)"a", (char *)"\xc3\xa9"}, {(char *)"A", (char *)""}};
	struct container_spec spec = {.name = "web", .image = "x", .created = "now", .n_labels = 2};
	struct snapshots *s = snapshot_pool_write("");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		spec.labels = cases[i];
		assert_int_equal(snapshots_create_container(s, &spec, &err), -1);
		assert_error(&err, ERR_USAGE, "label '");
		assert_int_equal(snapshot_pool_count(s), 2);
	}
	spec.labels = fine;
	assert_ok(snapshots_create_container(s, &spec, &err), &err);
	snapshots_close(s);
	s = snapshot_pool_write("");
	assert_int_equal(record_find_container(snapshots_record(s), "web")->n_labels, 2);
	snapshots_close(s);
	snapshot_pool_check();
}

static void a_folder_that_json_would_change_is_refused(void **state)
{
	struct snapshots *s = snapshot_pool_write("");

	(void)state;
	snapshot_pool_add_layer(s, 1, 0);
	assert_ok(snapshot_pool_add_container(s, "web", 1, &err), &err);
	assert_int_equal(snapshots_set_place(s, "web", RECORD_IN_FOLDER, "/tmp/\xff", &err), -1);
	assert_error(&err, ERR_UNSUPPORTED, "not UTF-8");
	assert_int_equal(record_find_container(snapshots_record(s), "web")->place, RECORD_IN_POOL);
	snapshots_close(s);
}

static void a_container_needs_its_layer(void **state)
{
	struct snapshots *s = snapshot_pool_write("");

	(void)state;
	assert_int_equal(snapshot_pool_add_container(s, "web", 7, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "top layer");
	assert_int_equal(snapshot_pool_count(s), 2);
	snapshots_close(s);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, snapshot_pool_make, snapshot_pool_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_name_is_taken_once_and_free_after_removal),
		CASE(a_container_gets_another_name_and_keeps_the_rest),
		CASE(the_place_of_a_container_is_kept_and_changes),
		CASE(a_container_differs_from_its_layer_only_in_the_uuid),
		CASE(labels_that_json_would_change_are_refused),
		CASE(a_folder_that_json_would_change_is_refused),
		CASE(a_container_needs_its_layer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
