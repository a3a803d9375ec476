/* SPDX-License-Identifier: Apache-2.0 */
/* Layers and containers of a real pool on the file engine, and the record that goes with them. */
#include "pkg/snapshot/snapshot.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/ext4/base.h"
#include "pkg/snapshot/record_text.h"
#include "pkg/thin/engine.h"
#include "pkg/thin/file/engine.h"
#include "pkg/thin/file/fsck.h"
#include "tests/support/cmocka.h"

#define BASE_BYTES (UINT64_C(32) << 20)

static char dir[64];
static struct error err;

static struct digest digest_n(unsigned n)
{
	struct digest d;

	digest_of(DIGEST_SHA256, &n, sizeof(n), &d);
	return d;
}

static struct thin_pool *open_pool(enum thin_file_mode mode)
{
	struct thin_file_open how = {.mode = mode, .verb = "test", .lock_timeout_ms = 100};
	struct thin_pool *pool;

	assert_ok(thin_file_open(dir, &how, &pool, &err), &err);
	return pool;
}

/* Is a layer still wanted? Those whose number is in the text are. */
static int wanted(const struct digest *chain_id, void *arg, struct error *e)
{
	(void)e;
	for (const char *n = arg; *n; n++) {
		struct digest d = digest_n((unsigned)(*n - '0'));

		if (digest_equal(&d, chain_id))
			return 1;
	}
	return 0;
}

static struct snapshots *open_writable(const char *wanted_layers)
{
	struct thin_pool *pool = open_pool(THIN_FILE_WRITE);
	struct snapshots *s;
	char arg[16];

	snprintf(arg, sizeof(arg), "%s", wanted_layers);
	assert_ok(snapshots_open_writable(&pool, wanted, arg, &s, &err), &err);
	assert_null(pool);
	return s;
}

static int make_pool(void **state)
{
	struct thin_file_params params = {.data_bytes = 256 << 20, .block_bytes = 64 << 10};
	struct thin_pool *pool;
	struct snapshots *s;

	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/thinpull-snapshot-XXXXXX");
	assert_non_null(mkdtemp(dir));
	assert_ok(thin_file_create(dir, &params, &err), &err);
	pool = open_pool(THIN_FILE_WRITE);
	assert_ok(snapshots_create(&pool, BASE_BYTES, 0, &s, &err), &err);
	snapshots_close(s);
	return 0;
}

static int remove_pool(void **state)
{
	static const char *const names[] = {"meta", "data", "owner"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char path[128];

		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		unlink(path);
	}
	assert_int_equal(rmdir(dir), 0);
	return 0;
}

static void check_pool(void)
{
	struct thin_findings findings = {0};

	assert_ok(thin_file_check(dir, 100, &findings, &err), &err);
	if (findings.total)
		fail_msg("%s: %s", findings.items[0].where, findings.items[0].text);
	thin_findings_release(&findings);
}

/* A layer n on layer `parent` (0: on the base), with its number written somewhere in it. */
static void add_layer(struct snapshots *s, unsigned n, unsigned parent)
{
	struct digest parent_id = digest_n(parent);
	struct layer_identity identity = {.chain_id = digest_n(n),
					  .diff_id = digest_n(100 + n),
					  .content_bytes = n};
	struct snapshot *snap;

	assert_ok(snapshot_prepare(s, parent ? &parent_id : NULL, &snap, &err), &err);
	assert_ok(thin_volume_write(snapshot_volume(snap), &n, sizeof(n),
				    n * 65536 + BASE_BYTES / 2, &err),
		  &err);
	assert_ok(snapshot_commit(&snap, &identity, &err), &err);
	assert_null(snap);
}

static bool has_layer(const struct snapshots *s, unsigned n)
{
	struct digest d = digest_n(n);

	return snapshots_find_layer(s, &d) != NULL;
}

static size_t count_devices(struct snapshots *s)
{
	struct thin_device *devices;
	size_t n;

	assert_ok(thin_pool_devices(snapshots_pool(s), &devices, &n, &err), &err);
	free(devices);
	return n;
}

static int create_container(struct snapshots *s, const char *name, unsigned layer)
{
	struct record_label label = {.key = (char[]){"k"}, .value = (char[]){"v \"1\""}};
	struct container_spec spec = {
		.name = name,
		.chain_id = digest_n(layer),
		.image = "docker.io/library/x:1",
		.manifest = digest_n(50),
		.created = "2026-01-01T00:00:00Z",
		.labels = &label,
		.n_labels = 1,
	};

	return snapshots_create_container(s, &spec, &err);
}

/* --- tests ------------------------------------------------------------------------------------ */

static void a_new_pool_holds_the_record_and_the_base(void **state)
{
	struct digest none = {0};
	struct snapshots *s = open_writable("");

	(void)state;
	assert_int_equal(count_devices(s), 2);
	assert_int_equal(snapshots_record(s)->base_bytes, BASE_BYTES);
	assert_non_null(snapshots_find_layer(s, &none));
	snapshots_close(s);
	check_pool();
}

static void committed_layers_and_containers_are_there_after_opening_again(void **state)
{
	struct snapshots *s = open_writable("");
	const struct record_entry *e;

	(void)state;
	add_layer(s, 1, 0);
	add_layer(s, 2, 1);
	assert_ok(create_container(s, "web", 2), &err);
	snapshots_close(s);
	check_pool();
	s = open_writable("");
	assert_true(has_layer(s, 1) && has_layer(s, 2));
	e = record_find_container(snapshots_record(s), "web");
	assert_non_null(e);
	assert_string_equal(e->image, "docker.io/library/x:1");
	assert_int_equal(e->n_labels, 1);
	assert_string_equal(e->labels[0].value, "v \"1\"");
	assert_int_equal(e->size_bytes, BASE_BYTES);
	snapshots_close(s);
}

static void an_aborted_layer_leaves_the_pool_as_it_was(void **state)
{
	struct snapshots *s = open_writable("");
	struct thin_pool_status before, after;
	struct snapshot *snap;
	static uint8_t junk[1 << 20];

	(void)state;
	add_layer(s, 1, 0);
	assert_ok(thin_pool_status(snapshots_pool(s), &before, &err), &err);
	assert_ok(snapshot_prepare(s, NULL, &snap, &err), &err);
	memset(junk, 7, sizeof(junk));
	assert_ok(thin_volume_write(snapshot_volume(snap), junk, sizeof(junk), 0, &err), &err);
	snapshot_abort(snap);
	assert_ok(thin_pool_status(snapshots_pool(s), &after, &err), &err);
	assert_int_equal(before.data_used_blocks, after.data_used_blocks);
	assert_int_equal(before.metadata_used_blocks, after.metadata_used_blocks);
	assert_int_equal(before.transaction_id, after.transaction_id);
	assert_int_equal(count_devices(s), 3);
	/* The session goes on. */
	add_layer(s, 2, 1);
	snapshots_close(s);
	check_pool();
}

static void a_session_that_ends_early_leaves_nothing(void **state)
{
	struct snapshots *s = open_writable("");
	struct snapshot *snap;

	(void)state;
	assert_ok(snapshot_prepare(s, NULL, &snap, &err), &err);
	assert_ok(thin_volume_write(snapshot_volume(snap), "x", 1, 0, &err), &err);
	snapshot_abort(snap);
	snapshots_close(s);
	s = open_writable("");
	assert_int_equal(count_devices(s), 2);
	snapshots_close(s);
	check_pool();
}

static void a_snapshot_needs_its_parent(void **state)
{
	struct snapshots *s = open_writable("");
	struct digest d = digest_n(9);
	struct snapshot *snap;

	(void)state;
	assert_int_equal(snapshot_prepare(s, &d, &snap, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "parent layer");
	snapshots_close(s);
}

static void a_name_is_taken_once_and_free_after_removal(void **state)
{
	struct snapshots *s = open_writable("");

	(void)state;
	add_layer(s, 1, 0);
	assert_ok(create_container(s, "web", 1), &err);
	assert_int_equal(create_container(s, "web", 1), -1);
	assert_error(&err, ERR_BUSY, "web");
	assert_ok(snapshots_remove_container(s, "web", &err), &err);
	assert_int_equal(snapshots_remove_container(s, "web", &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "web");
	assert_ok(create_container(s, "web", 1), &err);
	snapshots_close(s);
	check_pool();
}

static void a_container_gets_another_name_and_keeps_the_rest(void **state)
{
	struct snapshots *s = open_writable("");
	const struct record_entry *e;
	uint32_t thin_id;

	(void)state;
	add_layer(s, 1, 0);
	assert_ok(create_container(s, "web", 1), &err);
	assert_ok(create_container(s, "db", 1), &err);
	thin_id = record_find_container(snapshots_record(s), "web")->thin_id;
	assert_int_equal(snapshots_rename_container(s, "none", "x", &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "none");
	assert_int_equal(snapshots_rename_container(s, "web", "db", &err), -1);
	assert_error(&err, ERR_BUSY, "db");
	assert_int_equal(snapshots_rename_container(s, "web", "web", &err), -1);
	assert_error(&err, ERR_BUSY, "web");
	assert_ok(snapshots_rename_container(s, "web", "front", &err), &err);
	snapshots_close(s);
	s = open_writable("");
	assert_null(record_find_container(snapshots_record(s), "web"));
	e = record_find_container(snapshots_record(s), "front");
	assert_int_equal(e->thin_id, thin_id);
	assert_ok(create_container(s, "web", 1), &err);
	snapshots_close(s);
	check_pool();
}

static void the_place_of_a_container_is_kept_and_changes(void **state)
{
	struct container_spec spec = {.name = "tmp",
				      .chain_id = digest_n(1),
				      .image = "x",
				      .manifest = digest_n(50),
				      .created = "2026-01-01T00:00:00Z",
				      .temporary = true};
	struct snapshots *s = open_writable("");
	const struct record_entry *e;

	(void)state;
	add_layer(s, 1, 0);
	assert_ok(create_container(s, "web", 1), &err);
	assert_ok(create_container(s, "db", 1), &err);
	assert_ok(snapshots_create_container(s, &spec, &err), &err);
	assert_ok(snapshots_set_place(s, "web", RECORD_IN_FILE, NULL, &err), &err);
	assert_ok(snapshots_set_place(s, "db", RECORD_IN_FOLDER, "/home/\"me\"/rootfs", &err),
		  &err);
	assert_int_equal(snapshots_set_place(s, "none", RECORD_IN_FILE, NULL, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "none");
	snapshots_close(s);
	s = open_writable("");
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
	check_pool();
}

static void a_place_that_makes_no_sense_is_refused(void **state)
{
	static const char *const places[] = {
		"\"place\":\"moon\"",
		"\"place\":\"folder\"",
		"\"place\":\"folder\",\"folder\":\"rel\"",
		"\"place\":\"file\",\"folder\":\"/x\"",
		"\"folder\":\"/x\"",
		"\"temporary\":1",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		cleanup_free char *text = xasprintf(
			"{\"base_bytes\":1,\"entries\":[{\"id\":1,\"kind\":\"container\",\"state\":"
			"\"ready\",\"size_bytes\":1,\"name\":\"a\",\"image\":\"b\",\"created\":\"c\","
			"\"read_only\":false,%s}]}",
			places[i]);
		struct record r = {0};

		assert_int_equal(record_text_parse(text, strlen(text), &r, &err), -1);
		assert_int_equal(err.kind, ERR_INCONSISTENT);
		record_release(&r);
	}
}

static void a_container_differs_from_its_layer_only_in_the_uuid(void **state)
{
	struct snapshots *s = open_writable("");
	const struct record_entry *e;
	struct digest id = digest_n(1);
	struct thin_volume *layer, *container;
	uint8_t a[4096], b[4096];

	(void)state;
	add_layer(s, 1, 0);
	assert_ok(create_container(s, "web", 1), &err);
	e = snapshots_find_layer(s, &id);
	assert_ok(thin_pool_open_volume(snapshots_pool(s), e->thin_id, BASE_BYTES, false, &layer,
					&err),
		  &err);
	e = record_find_container(snapshots_record(s), "web");
	assert_ok(thin_pool_open_volume(snapshots_pool(s), e->thin_id, BASE_BYTES, false,
					&container, &err),
		  &err);
	for (uint64_t at = 0; at < BASE_BYTES; at += sizeof(a)) {
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

static void layers_are_removed_from_the_top_only(void **state)
{
	struct digest both[2] = {digest_n(2), digest_n(1)};
	struct snapshots *s = open_writable("");

	(void)state;
	add_layer(s, 1, 0);
	add_layer(s, 2, 1);
	assert_ok(snapshots_intend_removal(s, &both[1], 1, &err), &err);
	assert_int_equal(snapshots_remove_layers(s, &both[1], 1, &err), -1);
	assert_error(&err, ERR_BUSY, "made from the layer");
	snapshots_close(s);
	s = open_writable("1");
	assert_ok(snapshots_intend_removal(s, both, 2, &err), &err);
	assert_ok(snapshots_remove_layers(s, both, 2, &err), &err);
	assert_int_equal(count_devices(s), 2);
	snapshots_close(s);
	check_pool();
}

static void a_removal_that_was_cut_short_is_ended_by_the_next_writer(void **state)
{
	struct digest both[2] = {digest_n(2), digest_n(1)};
	struct snapshots *s = open_writable("");

	(void)state;
	add_layer(s, 1, 0);
	add_layer(s, 2, 1);
	assert_ok(snapshots_intend_removal(s, both, 2, &err), &err);
	assert_false(has_layer(s, 1) || has_layer(s, 2));
	snapshots_close(s);
	s = open_writable("");
	assert_int_equal(count_devices(s), 2);
	assert_int_equal(snapshots_record(s)->n, 1);
	snapshots_close(s);
	check_pool();
}

static void a_removal_whose_image_is_still_named_is_undone(void **state)
{
	struct digest both[2] = {digest_n(2), digest_n(1)};
	struct snapshots *s = open_writable("");

	(void)state;
	add_layer(s, 1, 0);
	add_layer(s, 2, 1);
	assert_ok(snapshots_intend_removal(s, both, 2, &err), &err);
	snapshots_close(s);
	s = open_writable("12");
	assert_true(has_layer(s, 1) && has_layer(s, 2));
	snapshots_close(s);
	s = open_writable("");
	assert_true(has_layer(s, 1) && has_layer(s, 2));
	snapshots_close(s);
	check_pool();
}

/* Spoil one copy of the record: the other one must do, as long as its transaction did commit. */
static void a_copy_of_a_transaction_that_never_committed_is_passed_over(void **state)
{
	struct thin_pool *pool;
	struct record record;
	struct snapshots *s = open_writable("");
	uint64_t transaction;

	(void)state;
	add_layer(s, 1, 0);
	transaction = snapshots_record(s)->transaction_id;
	snapshots_close(s);
	pool = open_pool(THIN_FILE_WRITE);
	assert_ok(record_load(pool, &record, &err), &err);
	record_add(&record, 77)->kind = RECORD_LAYER;
	/* Device 0 is written in place, and the process dies before the commit. */
	assert_ok(record_store(&record, pool, transaction + 1, &err), &err);
	record_release(&record);
	thin_pool_close(pool);
	s = open_writable("");
	assert_int_equal(snapshots_record(s)->transaction_id, transaction);
	assert_null(record_find_id(snapshots_record(s), 77));
	assert_true(has_layer(s, 1));
	add_layer(s, 2, 1);
	snapshots_close(s);
	s = open_writable("");
	assert_true(has_layer(s, 2));
	snapshots_close(s);
}

static void readers_see_what_was_committed_while_a_writer_works(void **state)
{
	struct snapshots *s = open_writable("");
	struct thin_pool *pool;
	struct snapshots *reader;
	struct snapshot *snap;

	(void)state;
	add_layer(s, 1, 0);
	assert_ok(snapshot_prepare(s, NULL, &snap, &err), &err);
	pool = open_pool(THIN_FILE_READ);
	assert_ok(snapshots_open(&pool, &reader, &err), &err);
	assert_true(has_layer(reader, 1));
	assert_int_equal(count_devices(reader), 3);
	snapshots_close(reader);
	snapshot_abort(snap);
	snapshots_close(s);
}

/* --- a reader that writers overtake ----------------------------------------------------------- */

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
		struct snapshots *s = open_writable("");
		char name[16];

		snprintf(name, sizeof(name), "box%u", o->commits);
		assert_ok(create_container(s, name, 1), &err);
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
	struct snapshots *s = open_writable("");

	(void)state;
	add_layer(s, 1, 0);
	snapshots_close(s);
	for (unsigned commits = 1; commits <= 5; commits++) {
		struct overtaken o = {{&ops}, open_pool(THIN_FILE_READ), commits};
		struct thin_pool *pool = &o.base;
		struct snapshots *reader;

		assert_ok(snapshots_open(&pool, &reader, &err), &err);
		assert_true(has_layer(reader, 1));
		/* One commit leaves the copy that was newest at first. */
		if (commits > 1)
			assert_non_null(record_find_container(snapshots_record(reader), "box1"));
		snapshots_close(reader);
		s = open_writable("");
		for (unsigned i = 1; i <= commits; i++) {
			char name[16];

			snprintf(name, sizeof(name), "box%u", i);
			assert_ok(snapshots_remove_container(s, name, &err), &err);
		}
		snapshots_close(s);
	}
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, make_pool, remove_pool)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_new_pool_holds_the_record_and_the_base),
		CASE(committed_layers_and_containers_are_there_after_opening_again),
		CASE(an_aborted_layer_leaves_the_pool_as_it_was),
		CASE(a_session_that_ends_early_leaves_nothing),
		CASE(a_snapshot_needs_its_parent),
		CASE(a_name_is_taken_once_and_free_after_removal),
		CASE(a_container_gets_another_name_and_keeps_the_rest),
		CASE(the_place_of_a_container_is_kept_and_changes),
		CASE(a_place_that_makes_no_sense_is_refused),
		CASE(a_container_differs_from_its_layer_only_in_the_uuid),
		CASE(layers_are_removed_from_the_top_only),
		CASE(a_removal_that_was_cut_short_is_ended_by_the_next_writer),
		CASE(a_removal_whose_image_is_still_named_is_undone),
		CASE(a_copy_of_a_transaction_that_never_committed_is_passed_over),
		CASE(readers_see_what_was_committed_while_a_writer_works),
		CASE(writers_that_overtake_a_reader_do_not_harm_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
