/* SPDX-License-Identifier: Apache-2.0 */
/* Second references and new names: what they stand for, and what stays when one of them goes. */
#include "oci/container.h"

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

static struct digest manifest_of(const char *ref)
{
	struct content_image *image;
	struct digest d;

	assert_ok(store_find_image(f.store, ref, &image, &err), &err);
	assert_string_equal(image->ref, ref);
	assert_string_equal(image->platform, "linux/amd64");
	assert_string_equal(image->created, "2026-01-02T03:04:05Z");
	d = image->manifest;
	content_images_free(image, 1);
	return d;
}

static bool has_layer(const char *letters)
{
	struct digest chain_id = store_fixture_chain_id(letters);
	struct snapshots *s;
	bool has;

	assert_ok(store_read(f.store, &s, &err), &err);
	has = snapshots_find_layer(s, &chain_id);
	snapshots_close(s);
	return has;
}

static size_t count_images(void)
{
	struct catalog_image *images;
	size_t n;

	assert_ok(store_images(f.store, &images, &n, &err), &err);
	catalog_images_free(images, n);
	return n;
}

static void two_references_stand_for_one_image(void **state)
{
	struct digest one = manifest_of("one"), again;

	(void)state;
	assert_ok(store_tag_image(f.store, "one", "again", &err), &err);
	again = manifest_of("again");
	assert_true(digest_equal(&one, &again));
	assert_int_equal(count_images(), 3);
	assert_ok(store_remove_image(f.store, "one", &err), &err);
	assert_true(has_layer("abc"));
	assert_ok(store_remove_image(f.store, "again", &err), &err);
	assert_false(has_layer("abc"));
	assert_true(has_layer("ab"));
}

static void a_reference_in_use_moves_to_the_new_image(void **state)
{
	struct digest one = manifest_of("one"), two;

	(void)state;
	assert_ok(store_tag_image(f.store, "one", "two", &err), &err);
	two = manifest_of("two");
	assert_true(digest_equal(&one, &two));
	assert_int_equal(count_images(), 2);
}

static void the_same_reference_again_changes_nothing(void **state)
{
	(void)state;
	assert_ok(store_tag_image(f.store, "one", "one", &err), &err);
	assert_int_equal(count_images(), 2);
	manifest_of("one");
}

static void what_is_not_there_gets_no_name(void **state)
{
	(void)state;
	assert_int_equal(store_tag_image(f.store, "none", "x", &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "no image none");
	assert_int_equal(count_images(), 2);
}

static void a_container_is_found_under_its_new_name(void **state)
{
	bool is;

	(void)state;
	store_fixture_container(&f, "one", "web");
	store_fixture_container(&f, "one", "db");
	assert_ok(store_rename_container(f.store, "web", "front", &err), &err);
	assert_ok(store_is_container(f.store, "web", &is, &err), &err);
	assert_false(is);
	assert_ok(store_is_container(f.store, "front", &is, &err), &err);
	assert_true(is);
	assert_int_equal(store_rename_container(f.store, "front", "db", &err), -1);
	assert_error(&err, ERR_BUSY, "db");
	assert_int_equal(store_rename_container(f.store, "front", "../x", &err), -1);
	assert_error(&err, ERR_USAGE, "not a name");
	assert_int_equal(store_rename_container(f.store, "web", "x", &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "web");
}

static void a_running_container_keeps_its_name(void **state)
{
	struct container *c;

	(void)state;
	store_fixture_container(&f, "one", "web");
	assert_ok(container_open(f.store, "web", &c, &err), &err);
	assert_ok(container_set_running(c, &err), &err);
	assert_int_equal(store_rename_container(f.store, "web", "front", &err), -1);
	assert_error(&err, ERR_BUSY, "running");
	container_close(c);
	assert_ok(store_rename_container(f.store, "web", "front", &err), &err);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		CASE(two_references_stand_for_one_image),
		CASE(a_reference_in_use_moves_to_the_new_image),
		CASE(the_same_reference_again_changes_nothing),
		CASE(what_is_not_there_gets_no_name),
		CASE(a_container_is_found_under_its_new_name),
		CASE(a_running_container_keeps_its_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
