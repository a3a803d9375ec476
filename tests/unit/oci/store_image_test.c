/* SPDX-License-Identifier: Apache-2.0 */
/* Images and containers of a store: what is found, made and removed, and what that leaves. */
#include "oci/store_internal.h"

#include <stdlib.h>

#include "pkg/base/alloc.h"
#include "tests/support/cmocka.h"
#include "tests/support/store_fixture.h"

static struct store_fixture f;
static struct error err;

static int begin(void **state)
{
	(void)state;
	store_fixture_init(&f);
	store_fixture_image(&f, "docker.io/library/one:1", "abc", "");
	store_fixture_image(&f, "two", "abd", "");
	return 0;
}

static int end(void **state)
{
	(void)state;
	store_fixture_release(&f);
	return 0;
}

/* Which of these layers are in the pool, of the last one up: "abc" asks for a, ab, abc. */
static void assert_layers(const char *layers, size_t n)
{
	cleanup(snapshots_close_ptr) struct snapshots *s = NULL;

	assert_ok(store_read(f.store, &s, &err), &err);
	for (size_t i = 1; layers[i - 1]; i++) {
		cleanup_free char *part = xstrndup(layers, i);
		struct digest d = store_fixture_chain_id(part);

		if ((snapshots_find_layer(s, &d) != NULL) != (i <= n))
			fail_msg("layer %s is %s", part, i <= n ? "gone" : "there");
	}
}

static size_t count_blobs(void)
{
	cleanup_free char *command =
		xasprintf("exit $(ls %s/content/blobs/sha256 | wc -l)", f.root);

	return (size_t)(system(command) >> 8);
}

/* --- images ----------------------------------------------------------------------------------- */

static void an_image_is_known_by_its_recorded_reference(void **state)
{
	struct content_image *image;

	(void)state;
	assert_ok(store_find_image(f.store, "two", &image, &err), &err);
	assert_string_equal(image->ref, "two");
	assert_string_equal(image->pool, "default");
	content_images_free(image, 1);
	assert_int_equal(store_find_image(f.store, "one:1", &image, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "no image one:1");
}

static void the_layers_of_an_image_come_lowest_first(void **state)
{
	struct content_image *image;
	struct digest *chain, top = store_fixture_chain_id("abd"),
			      low = store_fixture_chain_id("a");
	size_t n;

	(void)state;
	assert_ok(store_find_image(f.store, "two", &image, &err), &err);
	assert_ok(store_image_chain(f.store, &image->manifest, &chain, &n, &err), &err);
	assert_int_equal(n, 3);
	assert_true(digest_equal(&chain[0], &low) && digest_equal(&chain[2], &top));
	free(chain);
	content_images_free(image, 1);
	top.bytes[0] ^= 1; /* what no content has */
	assert_int_equal(store_image_chain(f.store, &top, &chain, &n, &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
}

static void a_layer_is_wanted_while_an_image_of_this_pool_names_it(void **state)
{
	struct digest ab = store_fixture_chain_id("ab"), abc = store_fixture_chain_id("abc"),
		      none = store_fixture_chain_id("b");

	(void)state;
	assert_int_equal(store_layer_wanted(&ab, f.store, &err), 1);
	assert_int_equal(store_layer_wanted(&abc, f.store, &err), 1);
	assert_int_equal(store_layer_wanted(&none, f.store, &err), 0);
	assert_ok(store_remove_image(f.store, "docker.io/library/one:1", &err), &err);
	assert_int_equal(store_layer_wanted(&abc, f.store, &err), 0);
	assert_int_equal(store_layer_wanted(&ab, f.store, &err), 1);
}

static void removing_an_image_leaves_what_others_need(void **state)
{
	size_t blobs = count_blobs();

	(void)state;
	assert_ok(store_remove_image(f.store, "two", &err), &err);
	assert_layers("abd", 2);
	assert_layers("abc", 3);
	assert_int_equal(count_blobs(), blobs - 2);
	assert_int_equal(store_remove_image(f.store, "two", &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "no image two");
	assert_ok(store_remove_image(f.store, "docker.io/library/one:1", &err), &err);
	assert_layers("abc", 0);
	assert_int_equal(count_blobs(), 0);
}

static void an_image_that_is_part_of_another_gives_back_nothing(void **state)
{
	(void)state;
	store_fixture_image(&f, "part", "ab", "");
	assert_ok(store_remove_image(f.store, "part", &err), &err);
	assert_layers("abc", 3);
	/* And the other way round: the part keeps what it has. */
	store_fixture_image(&f, "part", "ab", "");
	assert_ok(store_remove_image(f.store, "two", &err), &err);
	assert_ok(store_remove_image(f.store, "docker.io/library/one:1", &err), &err);
	assert_layers("abc", 2);
}

/* Of a pull that has not ended, or of one that was killed. */
static void a_layer_that_others_stand_on_stays(void **state)
{
	(void)state;
	store_fixture_layers(&f, "abce");
	assert_ok(store_remove_image(f.store, "docker.io/library/one:1", &err), &err);
	assert_layers("abce", 4);
}

static void an_image_of_a_container_is_busy_under_its_last_reference(void **state)
{
	(void)state;
	store_fixture_container(&f, "two", "box");
	assert_int_equal(store_remove_image(f.store, "two", &err), -1);
	assert_error(&err, ERR_BUSY, "container box was made from two");
	assert_ok(store_tag_image(f.store, "two", "three", &err), &err);
	assert_ok(store_remove_image(f.store, "two", &err), &err);
	assert_layers("abd", 3);
	assert_int_equal(store_remove_image(f.store, "three", &err), -1);
	assert_int_equal(err.kind, ERR_BUSY);
	assert_ok(store_remove_container(f.store, "box", false, &err), &err);
	assert_ok(store_remove_image(f.store, "three", &err), &err);
	assert_layers("abd", 2);
}

/* --- containers ------------------------------------------------------------------------------- */

static char *create(const char *ref, const char *name, int expected)
{
	struct store_container_options options = {.name = name, .read_only = true};
	char *made = NULL;

	error_clear(&err);
	if (store_create_container(f.store, ref, &options, &made, &err) != expected)
		fail_msg("create %s: %s", name, err.cause);
	return made;
}

static void a_name_is_made_of_the_last_word_of_the_reference(void **state)
{
	static const char *const cases[][2] = {
		{"docker.io/library/one:1", "one-"},
		{"oci:/srv/My images/x.y:v1", "x-"},
		{"host:5000/a/__--b@sha256:0", "b-"},
		{"docker.io/library/UPPER", "image-"},
		{"x/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		 "aaaaaaaaaaaaaaaaa-"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup_free char *name = NULL;
		size_t len = strlen(cases[i][1]);

		store_fixture_image(&f, cases[i][0], "a", "");
		name = create(cases[i][0], NULL, 0);
		assert_int_equal(strncmp(name, cases[i][1], len), 0);
		assert_int_equal(strlen(name), len + 6);
		assert_int_equal(strspn(name + len, "0123456789abcdef"), 6);
		assert_true(store_is_name(name));
	}
}

static void what_is_no_name_is_refused(void **state)
{
	(void)state;
	create("two", "-v", -1);
	assert_error(&err, ERR_USAGE, "\"-v\" is no name for a container");
	create("two", "", -1);
	assert_int_equal(err.kind, ERR_USAGE);
	create("nothing", "box", -1);
	assert_error(&err, ERR_NOT_FOUND, "no image nothing");
	free(create("two", "box", 0));
	create("two", "box", -1);
	assert_error(&err, ERR_BUSY, "box");
}

static void a_container_is_told_from_an_image(void **state)
{
	bool is;

	(void)state;
	store_fixture_container(&f, "two", "box");
	assert_ok(store_is_container(f.store, "box", &is, &err), &err);
	assert_true(is);
	assert_ok(store_is_container(f.store, "two", &is, &err), &err);
	assert_false(is);
	assert_int_equal(store_remove_container(f.store, "two", false, &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
}

static void no_container_is_made_below_the_guard(void **state)
{
	struct store_options options = {.root = f.root,
					.pool = "default",
					.engine = THIN_ENGINE_FILE,
					.verb = "test",
					.min_free_data_percent = 100};
	struct store_container_options o = {.name = "box"};
	struct store *s;
	char *name;

	(void)state;
	assert_ok(store_open(&options, &s, &err), &err);
	assert_int_equal(store_create_container(s, "two", &o, &name, &err), -1);
	assert_error(&err, ERR_NO_SPACE, "must stay free");
	store_close(s);
	free(create("two", "box", 0));
}

/* --- other pools ------------------------------------------------------------------------------ */

static void another_pool_has_images_of_its_own(void **state)
{
	struct store_options options = {.root = f.root,
					.pool = "second",
					.engine = THIN_ENGINE_FILE,
					.verb = "test"};
	struct store_pool_params params = {.data_bytes = 64 << 20, .base_bytes = 16 << 20};
	struct store_fixture other = {.root = f.root};
	struct content_image *image;
	bool is;

	(void)state;
	assert_ok(store_open(&options, &other.store, &err), &err);
	assert_ok(store_is_container(other.store, "box", &is, &err), &err); /* no pool yet */
	assert_false(is);
	assert_ok(store_pool_create(other.store, &params, &err), &err);
	assert_int_equal(store_find_image(other.store, "two", &image, &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_int_equal(store_remove_image(other.store, "two", &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	store_close(other.store);
	assert_layers("abd", 3);
}

/* --- volumes ---------------------------------------------------------------------------------- */

/* The byte that the top layer of what is called so has written. */
static char top_of(const char *name)
{
	struct snapshots *session;
	struct thin_volume *volume;
	char mark;

	assert_ok(store_open_volume(f.store, name, &session, &volume, &err), &err);
	assert_ok(thin_volume_read(volume, &mark, 1, UINT64_C(300) * STORE_FIXTURE_BLOCK, &err),
		  &err);
	thin_volume_close(volume);
	snapshots_close(session);
	return mark;
}

static void the_volume_of_a_name_is_opened(void **state)
{
	(void)state;
	store_fixture_container(&f, "two", "box");
	store_fixture_write(&f, "box", 300, 1);
	assert_int_equal(top_of("box"), 'w');
	assert_int_equal(top_of("two"), 'd');
	assert_int_equal(top_of("docker.io/library/one:1"), 'c');
	store_fixture_container(&f, "docker.io/library/one:1", "two"); /* a container goes first */
	store_fixture_write(&f, "two", 300, 1);
	assert_int_equal(top_of("two"), 'w');
}

static void what_has_no_volume_is_told_apart(void **state)
{
	struct digest top[] = {store_fixture_chain_id("abd")};
	struct snapshots *session;
	struct thin_volume *volume;

	(void)state;
	assert_int_equal(store_open_volume(f.store, "none", &session, &volume, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "no container and no image none");
	assert_ok(store_write(f.store, &session, &err), &err);
	assert_ok(snapshots_intend_removal(session, top, 1, &err), &err);
	assert_ok(snapshots_remove_layers(session, top, 1, &err), &err);
	snapshots_close(session);
	assert_int_equal(store_open_volume(f.store, "two", &session, &volume, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "pull it again");
}

/* While an image names its layers their removal has not ended. */
static void an_image_is_readable_until_it_is_gone(void **state)
{
	struct digest top[] = {store_fixture_chain_id("abd")};
	struct snapshots *session;

	(void)state;
	assert_ok(store_write(f.store, &session, &err), &err);
	assert_ok(snapshots_intend_removal(session, top, 1, &err), &err);
	snapshots_close(session);
	assert_int_equal(top_of("two"), 'd');
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(an_image_is_known_by_its_recorded_reference),
		CASE(the_layers_of_an_image_come_lowest_first),
		CASE(a_layer_is_wanted_while_an_image_of_this_pool_names_it),
		CASE(removing_an_image_leaves_what_others_need),
		CASE(an_image_that_is_part_of_another_gives_back_nothing),
		CASE(a_layer_that_others_stand_on_stays),
		CASE(an_image_of_a_container_is_busy_under_its_last_reference),
		CASE(a_name_is_made_of_the_last_word_of_the_reference),
		CASE(what_is_no_name_is_refused),
		CASE(a_container_is_told_from_an_image),
		CASE(no_container_is_made_below_the_guard),
		CASE(another_pool_has_images_of_its_own),
		CASE(the_volume_of_a_name_is_opened),
		CASE(what_has_no_volume_is_told_apart),
		CASE(an_image_is_readable_until_it_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
