/* SPDX-License-Identifier: Apache-2.0 */
/* The catalog: keys, rebuilding, queries, and that a damaged file is made anew. */
#include "pkg/catalog/catalog.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "tests/support/cmocka.h"
#include "tests/support/scratch.h"

static char *dir, *path;
static struct catalog *catalog;
static struct error err;

static int open_fresh(void **state)
{
	(void)state;
	dir = scratch_new();
	path = xasprintf("%s/catalog.db", dir);
	assert_int_equal(catalog_open(path, &catalog, &err), 0);
	return 0;
}

static int close_it(void **state)
{
	(void)state;
	catalog_close(catalog);
	free(path);
	scratch_free(dir);
	return 0;
}

static bool is_current(const char *part, const char *key)
{
	bool current;

	assert_int_equal(catalog_is_current(catalog, part, key, &current, &err), 0);
	return current;
}

/* The structs own their strings, so they are not const. */
#define TEXT(s)   \
	(char[])  \
	{         \
		s \
	}

static const struct catalog_layer layers[] = {
	{.chain_id = TEXT("sha256:1"),
	 .diff_id = TEXT("sha256:d1"),
	 .thin_id = 2,
	 .content_bytes = 100},
	{.chain_id = TEXT("sha256:2"),
	 .diff_id = TEXT("sha256:d2"),
	 .parent = TEXT("sha256:1"),
	 .thin_id = 3,
	 .content_bytes = 20,
	 .mapped_bytes = 65536},
	{.chain_id = TEXT("sha256:3"),
	 .diff_id = TEXT("sha256:d3"),
	 .parent = TEXT("sha256:1"),
	 .thin_id = 4},
};

static const struct catalog_image images[] = {
	{.ref = TEXT("b"),
	 .digest = TEXT("sha256:b"),
	 .manifest = TEXT("m"),
	 .pool = TEXT("default"),
	 .chain_id = TEXT("sha256:2")},
	{.ref = TEXT("a"),
	 .digest = TEXT("sha256:a"),
	 .manifest = TEXT("m"),
	 .pool = TEXT("default")},
};

static const struct catalog_container containers[] = {
	{.name = TEXT("web"),
	 .image = TEXT("b"),
	 .labels = TEXT("{\"k\":\"v\"}"),
	 .thin_id = 5,
	 .size_bytes = 1 << 20,
	 .mapped_bytes = 131072,
	 .exclusive_bytes = 65536,
	 .read_only = true},
};

static void fill(void)
{
	assert_int_equal(catalog_rebuild_images(catalog, "k1", images, 2, &err), 0);
	assert_int_equal(catalog_rebuild_pool(catalog, "default", "p1", layers, 3, containers, 1,
					      &err),
			 0);
}

static void keys_tell_whether_a_part_is_current(void **state)
{
	(void)state;
	assert_false(is_current("images", "k1"));
	fill();
	assert_true(is_current("images", "k1"));
	assert_false(is_current("images", "k2"));
	assert_true(is_current("pool:default", "p1"));
	assert_false(is_current("pool:other", "p1"));
}

static void an_image_sums_up_the_layers_of_its_chain(void **state)
{
	struct catalog_image *list;
	size_t n;

	(void)state;
	fill();
	assert_int_equal(catalog_images(catalog, "default", &list, &n, &err), 0);
	assert_int_equal(n, 2);
	assert_string_equal(list[0].ref, "a");
	assert_int_equal(list[0].layers, 0);
	assert_int_equal(list[1].layers, 2);
	assert_int_equal(list[1].size_bytes, 120);
	catalog_images_free(list, n);
}

static void rebuilding_replaces_what_was_there(void **state)
{
	struct catalog_layer *list;
	size_t n;

	(void)state;
	fill();
	assert_int_equal(catalog_rebuild_pool(catalog, "default", "p2", layers, 1, NULL, 0, &err),
			 0);
	assert_int_equal(catalog_layers(catalog, "default", &list, &n, &err), 0);
	assert_int_equal(n, 1);
	assert_string_equal(list[0].chain_id, "sha256:1");
	assert_null(list[0].parent);
	catalog_layers_free(list, n);
}

static void a_rebuild_that_fails_changes_nothing(void **state)
{
	struct catalog_layer twice[2] = {layers[0], layers[0]};
	struct catalog_container *list;
	size_t n;

	(void)state;
	fill();
	assert_int_equal(catalog_rebuild_pool(catalog, "default", "p2", twice, 2, NULL, 0, &err),
			 -1);
	assert_true(is_current("pool:default", "p1"));
	assert_int_equal(catalog_containers(catalog, "default", &list, &n, &err), 0);
	assert_int_equal(n, 1);
	assert_string_equal(list[0].name, "web");
	assert_string_equal(list[0].labels, "{\"k\":\"v\"}");
	assert_int_equal(list[0].thin_id, 5);
	assert_int_equal(list[0].size_bytes, 1 << 20);
	assert_int_equal(list[0].mapped_bytes, 131072);
	assert_int_equal(list[0].exclusive_bytes, 65536);
	assert_true(list[0].read_only);
	catalog_containers_free(list, n);
}

static void *rebuild_elsewhere(void *arg)
{
	struct catalog *other;
	struct error e = {0};

	if (catalog_open(path, &other, &e) < 0)
		return NULL;
	*(bool *)arg = catalog_rebuild_images(other, "k2", images, 1, &e) == 0;
	catalog_close(other);
	return NULL;
}

static void what_is_current_stays_so_until_the_end_of_the_queries(void **state)
{
	struct catalog_image *list;
	pthread_t thread;
	bool done = false;
	size_t n;

	(void)state;
	fill();
	assert_int_equal(catalog_begin(catalog, &err), 0);
	assert_true(is_current("images", "k1"));
	assert_int_equal(pthread_create(&thread, NULL, rebuild_elsewhere, &done), 0);
	usleep(50000);
	assert_int_equal(catalog_images(catalog, "default", &list, &n, &err), 0);
	assert_int_equal(n, 2);
	catalog_images_free(list, n);
	catalog_end(catalog);
	pthread_join(thread, NULL);
	assert_true(done);
	assert_true(is_current("images", "k2"));
}

static void a_damaged_file_is_made_anew(void **state)
{
	FILE *f;

	(void)state;
	fill();
	catalog_close(catalog);
	f = fopen(path, "w");
	assert_non_null(f);
	for (unsigned i = 0; i < 5000; i++)
		fputs("no database", f);
	fclose(f);
	assert_int_equal(catalog_open(path, &catalog, &err), 0);
	assert_false(is_current("images", "k1"));
	fill();
	assert_true(is_current("images", "k1"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(keys_tell_whether_a_part_is_current, open_fresh,
						close_it),
		cmocka_unit_test_setup_teardown(an_image_sums_up_the_layers_of_its_chain,
						open_fresh, close_it),
		cmocka_unit_test_setup_teardown(rebuilding_replaces_what_was_there, open_fresh,
						close_it),
		cmocka_unit_test_setup_teardown(a_rebuild_that_fails_changes_nothing, open_fresh,
						close_it),
		cmocka_unit_test_setup_teardown(
			what_is_current_stays_so_until_the_end_of_the_queries, open_fresh,
			close_it),
		cmocka_unit_test_setup_teardown(a_damaged_file_is_made_anew, open_fresh, close_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
