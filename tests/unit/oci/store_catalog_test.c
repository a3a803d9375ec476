/* SPDX-License-Identifier: Apache-2.0 */
/* Answers from the catalog: always what content and pool are now, wherever the index can live. */
#include "oci/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "pkg/base/alloc.h"
#include "tests/support/cmocka.h"
#include "tests/support/store_fixture.h"

static struct store_fixture f;
static struct error err;

static int begin(void **state)
{
	(void)state;
	store_fixture_init(&f);
	store_fixture_image(&f, "one", "abc", "");
	store_fixture_image(&f, "two", "abd", "");
	return 0;
}

static int end(void **state)
{
	(void)state;
	store_fixture_release(&f);
	return 0;
}

/* "ref layers size" of each image, one a line. */
static void assert_images(struct store *s, const char *expected)
{
	cleanup_buffer struct buffer text = {0};
	struct catalog_image *images;
	size_t n;

	assert_ok(store_images(s, &images, &n, &err), &err);
	buffer_add(&text, "", 0);
	for (size_t i = 0; i < n; i++)
		buffer_printf(&text, "%s %llu %llu\n", images[i].ref,
			      (unsigned long long)images[i].layers,
			      (unsigned long long)images[i].size_bytes);
	catalog_images_free(images, n);
	assert_string_equal(text.data ? (char *)text.data : "", expected);
}

/* "name image labels" of each container. */
static void assert_containers(struct store *s, const char *expected)
{
	cleanup_buffer struct buffer text = {0};
	struct catalog_container *list;
	size_t n;

	assert_ok(store_containers(s, &list, &n, &err), &err);
	for (size_t i = 0; i < n; i++)
		buffer_printf(&text, "%s %s %s%s\n", list[i].name, list[i].image, list[i].labels,
			      list[i].read_only ? " ro" : "");
	catalog_containers_free(list, n);
	assert_string_equal(text.data ? (char *)text.data : "", expected);
}

#define ONE "one 3 3294\n" /* 1000 and the letter, each */
#define TWO "two 3 3295\n"

static void images_have_the_sums_of_their_layers(void **state)
{
	(void)state;
	store_fixture_image(&f, "empty", "", "");
	assert_images(f.store, "empty 0 0\n" ONE TWO);
}

static void each_change_is_seen_by_whoever_asks(void **state)
{
	cleanup(store_close_ptr) struct store *other = store_fixture_open(&f, "default");

	(void)state;
	assert_images(other, ONE TWO);
	assert_containers(other, "");
	store_fixture_container(&f, "two", "box");
	assert_containers(other, "box two {}\n");
	assert_ok(store_remove_image(f.store, "one", &err), &err);
	assert_images(other, TWO);
	assert_ok(store_rename_container(other, "box", "new", &err), &err);
	assert_containers(f.store, "new two {}\n");
	assert_ok(store_remove_container(other, "new", false, &err), &err);
	assert_containers(f.store, "");
}

static void labels_and_flags_are_shown(void **state)
{
	struct record_label labels[] = {{(char[]){"b\"q\""}, (char[]){"1"}},
					{(char[]){"a"}, (char[]){""}}};
	struct store_container_options o = {.name = "box",
					    .read_only = true,
					    .labels = labels,
					    .n_labels = 2};
	cleanup_free char *name = NULL;

	(void)state;
	assert_ok(store_create_container(f.store, "one", &o, &name, &err), &err);
	assert_containers(f.store, "box one {\"b\\\"q\\\"\":\"1\",\"a\":\"\"} ro\n");
}

/* Nothing is lost with it. */
static void a_catalog_that_is_gone_or_damaged_is_made_anew(void **state)
{
	static const char *const how[] = {"rm", "sed -i s/SQLite/sqLITE/", "truncate -s 100"};

	(void)state;
	store_fixture_container(&f, "two", "box");
	for (size_t i = 0; i < ARRAY_SIZE(how); i++) {
		char command[300];

		assert_images(f.store, ONE TWO);
		store_close(f.store);
		snprintf(command, sizeof(command), "%s '%s/catalog.db'", how[i], f.root);
		assert_int_equal(system(command), 0);
		f.store = store_fixture_open(&f, "default");
		assert_images(f.store, ONE TWO);
		assert_containers(f.store, "box two {}\n");
	}
}

static void where_it_cannot_be_written_it_lives_in_memory(void **state)
{
	cleanup_free char *path = xasprintf("%s/catalog.db", f.root);

	(void)state;
	assert_int_equal(mkdir(path, 0700), 0);
	assert_images(f.store, ONE TWO);
	assert_ok(store_remove_image(f.store, "one", &err), &err);
	assert_images(f.store, TWO);
}

static void without_a_pool_there_is_nothing(void **state)
{
	cleanup(store_close_ptr) struct store *other = store_fixture_open(&f, "second");

	(void)state;
	assert_images(other, "");
	assert_containers(other, "");
	assert_images(f.store, ONE TWO);
}

/* It starts at the same transaction as the one before it. */
static void a_pool_made_anew_under_its_name_is_another_one(void **state)
{
	struct store_pool_params params = {.data_bytes = 256 << 20, .base_bytes = 32 << 20};
	cleanup(store_close_ptr) struct store *other = store_fixture_open(&f, "second");
	char command[300];

	(void)state;
	for (int round = 0; round < 2; round++) {
		struct snapshots *s;
		struct container_spec spec = {.name = round ? "new" : "old",
					      .image = "x",
					      .created = "now"};

		assert_ok(store_pool_create(other, &params, &err), &err);
		assert_ok(store_write(other, &s, &err), &err);
		assert_ok(snapshots_create_container(s, &spec, &err), &err);
		snapshots_close(s);
		assert_containers(other, round ? "new x {}\n" : "old x {}\n");
		snprintf(command, sizeof(command), "rm -r '%s'", store_pool_dir(other));
		assert_int_equal(system(command), 0);
	}
	assert_containers(other, "");
}

/* Between its intent and its end a removal may still be undone. */
static void a_removal_under_way_hides_no_image(void **state)
{
	struct digest top[] = {store_fixture_chain_id("abd")};
	struct snapshots *s;

	(void)state;
	assert_ok(store_write(f.store, &s, &err), &err);
	assert_ok(snapshots_intend_removal(s, top, 1, &err), &err);
	assert_images(f.store, ONE TWO);
	snapshots_close(s);
}

/* A record that was read just before a removal names what the pool has no more. */
static void a_container_that_went_since_the_record_was_read_is_no_error(void **state)
{
	struct snapshots *s;
	struct thin_pool *pool;

	(void)state;
	store_fixture_container(&f, "two", "box");
	store_fixture_container(&f, "two", "gone");
	assert_ok(store_write(f.store, &s, &err), &err);
	pool = snapshots_pool(s);
	for (size_t i = 0; i < snapshots_record(s)->n; i++) {
		const struct record_entry *e = &snapshots_record(s)->entries[i];

		if (e->name && strcmp(e->name, "gone") == 0)
			assert_ok(thin_pool_delete(pool, e->thin_id, &err), &err);
	}
	assert_ok(thin_pool_commit(pool, snapshots_record(s)->transaction_id + 1, &err), &err);
	snapshots_close(s);
	assert_containers(f.store, "box two {}\n");
	assert_images(f.store, ONE TWO);
}

static void an_image_without_its_config_is_an_error_that_names_it(void **state)
{
	struct catalog_image *images;
	char command[300];
	size_t n;

	(void)state;
	snprintf(command, sizeof(command), "rm '%s'/content/blobs/sha256/*", f.root);
	assert_int_equal(system(command), 0);
	assert_int_equal(store_images(f.store, &images, &n, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "image one");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(images_have_the_sums_of_their_layers),
		CASE(each_change_is_seen_by_whoever_asks),
		CASE(labels_and_flags_are_shown),
		CASE(a_catalog_that_is_gone_or_damaged_is_made_anew),
		CASE(where_it_cannot_be_written_it_lives_in_memory),
		CASE(without_a_pool_there_is_nothing),
		CASE(a_pool_made_anew_under_its_name_is_another_one),
		CASE(a_removal_under_way_hides_no_image),
		CASE(a_container_that_went_since_the_record_was_read_is_no_error),
		CASE(an_image_without_its_config_is_an_error_that_names_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
