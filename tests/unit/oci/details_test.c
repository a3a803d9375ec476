/* SPDX-License-Identifier: Apache-2.0 */
/* All that is known of an image: documents, layers, names, containers. */
#include "oci/details.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "oci/layout.h"
#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/base/fdio.h"
#include "tests/support/cmocka.h"
#include "tests/support/layout_folder.h"
#include "tests/support/store_fixture.h"

#define BLOCK ((uint64_t)STORE_FIXTURE_BLOCK)
#define CONFIG                                                                                        \
	",\"config\":{\"Env\":[\"A=b\"],\"Cmd\":[\"/bin/sh\"]},\"created\":\"2025-05-05T00:00:00Z\"," \
	"\"history\":[{\"created_by\":\"x\"},{\"empty_layer\":true},{\"created_by\":\"y\"}]"

static struct store_fixture f;
static struct image_details d;
static struct error err;

static int begin(void **state)
{
	(void)state;
	store_fixture_init(&f);
	store_fixture_image(&f, "one", "ab", CONFIG);
	d = (struct image_details){0};
	return 0;
}

static int end(void **state)
{
	(void)state;
	image_details_release(&d);
	store_fixture_release(&f);
	return 0;
}

static void layers_are_named_as_blob_as_content_and_in_the_pool(void **state)
{
	struct digest a = store_fixture_diff_id('a'), ab = store_fixture_chain_id("ab");

	(void)state;
	assert_ok(image_details_read(f.store, "one", &d, &err), &err);
	assert_int_equal(d.n_layers, 2);
	assert_true(digest_equal(&d.layers[0].diff_id, &a));
	assert_true(digest_equal(&d.layers[0].blob->digest, &a));
	assert_int_equal(d.layers[0].blob->size_bytes, 500 + 'a');
	assert_true(digest_equal(&d.layers[1].chain_id, &ab));
	for (size_t i = 0; i < 2; i++) {
		assert_true(d.layers[i].in_pool);
		assert_true(d.layers[i].thin_id > 1);
		assert_int_equal(d.layers[i].content_bytes, 1000 + "ab"[i]);
	}
	assert_int_equal(d.layers[1].mapped_bytes, d.layers[0].mapped_bytes + BLOCK);
	assert_int_equal(d.mapped_bytes, d.layers[1].mapped_bytes + BLOCK);
	assert_int_equal(d.size_bytes, 2000 + 'a' + 'b');
}

static void the_config_is_there_as_it_was_pulled(void **state)
{
	(void)state;
	assert_ok(image_details_read(f.store, "one", &d, &err), &err);
	assert_string_equal(d.run.created, "2025-05-05T00:00:00Z");
	assert_int_equal(d.run.env.n, 1);
	assert_string_equal(d.run.cmd.items[0], "/bin/sh");
	assert_int_equal(d.run.n_history, 3);
	buffer_add(&d.config_json, "", 1);
	assert_non_null(strstr((char *)d.config_json.data, CONFIG));
}

static void all_names_and_containers_of_the_image_are_told(void **state)
{
	(void)state;
	store_fixture_image(&f, "two", "ab", "");
	store_fixture_container(&f, "two", "other");
	store_fixture_container(&f, "one", "web");
	assert_ok(store_tag_image(f.store, "one", "again", &err), &err);
	assert_ok(image_details_read(f.store, "again", &d, &err), &err);
	assert_string_equal(d.image->ref, "again");
	assert_int_equal(d.n_tags, 2);
	assert_string_equal(d.tags[0], "again");
	assert_string_equal(d.tags[1], "one");
	assert_int_equal(d.n_containers, 1);
	assert_string_equal(d.containers[0], "web");
}

static void expect_step(const struct image_step *step, const char *created_by, const char *layers)
{
	struct digest chain_id = store_fixture_chain_id(layers);

	if (created_by)
		assert_string_equal(step->history->created_by, created_by);
	else
		assert_true(!step->history || !step->history->created_by);
	assert_int_equal(step->layer != NULL, *layers != 0);
	if (step->layer)
		assert_true(digest_equal(&step->layer->chain_id, &chain_id));
}

static void history_and_layers_are_put_together_from_the_top(void **state)
{
	cleanup_free struct image_step *steps = NULL;
	size_t n;

	(void)state;
	assert_ok(image_details_read(f.store, "one", &d, &err), &err);
	steps = image_details_history(&d, &n);
	assert_int_equal(n, 3);
	expect_step(&steps[0], "y", "ab");
	expect_step(&steps[1], NULL, "");
	assert_true(steps[1].history->empty_layer);
	expect_step(&steps[2], "x", "a");
}

static void a_history_of_too_few_or_too_many_layers_is_shown_all_the_same(void **state)
{
	struct image_step *steps;
	size_t n;

	(void)state;
	store_fixture_image(&f, "few", "abc", ",\"history\":[{\"created_by\":\"x\"}]");
	assert_ok(image_details_read(f.store, "few", &d, &err), &err);
	steps = image_details_history(&d, &n);
	assert_int_equal(n, 3);
	expect_step(&steps[0], NULL, "abc");
	expect_step(&steps[1], NULL, "ab");
	expect_step(&steps[2], "x", "a");
	free(steps);
	image_details_release(&d);
	store_fixture_image(&f, "many", "a",
			    ",\"history\":[{\"created_by\":\"x\"},{\"created_by\":\"y\"}]");
	assert_ok(image_details_read(f.store, "many", &d, &err), &err);
	steps = image_details_history(&d, &n);
	assert_int_equal(n, 2);
	expect_step(&steps[0], "y", "");
	expect_step(&steps[1], "x", "a");
	free(steps);
}

static const struct oci_platform amd64 = {"linux", "amd64", ""};

/* Of an image in a layout folder, whose layers nobody has. */
static void fetch_elsewhere(struct store *store)
{
	cleanup(source_close_ptr) struct source *s = NULL;
	char *dir = make_folder();
	cleanup_free char *entry = NULL;

	layout_begin(dir);
	entry = layout_entry(dir, layout_image(dir, "m"), LAYOUT_MANIFEST, "");
	layout_index(dir, entry);
	assert_ok(oci_layout_open(dir, &s, &err), &err);
	assert_ok(image_details_fetch(store, s, &amd64, &d, &err), &err);
	remove_folder(dir);
}

static void an_image_elsewhere_is_told_without_pulling_it(void **state)
{
	struct catalog_image *images;
	size_t n;

	(void)state;
	fetch_elsewhere(f.store);
	assert_int_equal(strncmp(d.image->ref, "oci:/", 5), 0);
	assert_string_equal(d.image->platform, "linux/amd64");
	assert_null(d.image->pool);
	assert_null(d.image->created);
	assert_int_equal(d.n_layers, 1);
	assert_false(d.layers[0].in_pool);
	assert_true(d.config_json.len > 0);
	assert_int_equal(d.n_tags + d.n_containers, 0);
	assert_ok(store_images(f.store, &images, &n, &err), &err);
	assert_int_equal(n, 1);
	catalog_images_free(images, n);
}

static void an_image_elsewhere_needs_no_pool(void **state)
{
	struct store_options options = {.root = f.root, .pool = "none", .verb = "test"};
	cleanup(store_close_ptr) struct store *store = NULL;

	(void)state;
	assert_ok(store_open(&options, &store, &err), &err);
	fetch_elsewhere(store);
	assert_false(d.layers[0].in_pool);
	assert_false(store_pool_exists(store));
}

/* The documents of an image here, as a source that has nothing else. */
struct documents {
	struct source source;
	struct content *content;
	const struct content_image *image;
};

static int resolve(struct source *s, struct oci_descriptor *ret, struct buffer *ret_bytes,
		   struct error *e)
{
	const struct content_image *image = ((struct documents *)s)->image;

	(void)ret_bytes;
	(void)e;
	*ret = (struct oci_descriptor){.media_type = MEDIA_MANIFEST,
				       .digest = image->manifest,
				       .size_bytes = image->manifest_bytes};
	return 0;
}

static int no_fetch(struct source *s, const struct oci_descriptor *blob, struct stream **ret,
		    struct error *e)
{
	(void)s;
	(void)blob;
	(void)ret;
	return error_set(e, ERR_NETWORK, "asked for what is here");
}

static void layers_of_an_image_elsewhere_that_are_here_are_found(void **state)
{
	static const struct source_ops ops = {resolve, no_fetch, NULL, NULL};
	struct documents s = {.source = {.ops = &ops, .name = (char *)(uintptr_t) "elsewhere"}};
	struct content_image *image;

	(void)state;
	assert_ok(store_content(f.store, &s.content, &err), &err);
	assert_ok(store_find_image(f.store, "one", &image, &err), &err);
	s.image = image;
	assert_ok(image_details_fetch(f.store, &s.source, &amd64, &d, &err), &err);
	content_images_free(image, 1);
	assert_string_equal(d.image->ref, "elsewhere");
	assert_int_equal(d.n_layers, 2);
	for (size_t i = 0; i < 2; i++)
		assert_true(d.layers[i].in_pool);
	assert_int_equal(d.n_tags, 1);
	assert_string_equal(d.tags[0], "one");
}

static void an_image_may_have_no_layer_at_all(void **state)
{
	(void)state;
	store_fixture_image(&f, "scratch", "", "");
	assert_ok(image_details_read(f.store, "scratch", &d, &err), &err);
	assert_int_equal(d.n_layers, 0);
	assert_int_equal(d.mapped_bytes, 0);
}

static void what_is_not_there_is_not_found(void **state)
{
	(void)state;
	assert_int_equal(image_details_read(f.store, "none", &d, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "no image none");
	assert_null(d.image);
}

static void a_damaged_config_is_said_to_be_so(void **state)
{
	cleanup_free char *name = NULL;
	struct digest config;
	char hex[DIGEST_TEXT_BYTES];

	(void)state;
	assert_ok(image_details_read(f.store, "one", &d, &err), &err);
	config = d.manifest.config.digest;
	name = xasprintf("content/blobs/sha256/%s", digest_hex(&config, hex));
	put_file(f.root, name, "{}");
	image_details_release(&d);
	assert_int_equal(image_details_read(f.store, "one", &d, &err), -1);
	assert_error(&err, ERR_VERIFICATION, "image one");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		CASE(layers_are_named_as_blob_as_content_and_in_the_pool),
		CASE(the_config_is_there_as_it_was_pulled),
		CASE(all_names_and_containers_of_the_image_are_told),
		CASE(history_and_layers_are_put_together_from_the_top),
		CASE(a_history_of_too_few_or_too_many_layers_is_shown_all_the_same),
		CASE(an_image_elsewhere_is_told_without_pulling_it),
		CASE(an_image_elsewhere_needs_no_pool),
		CASE(layers_of_an_image_elsewhere_that_are_here_are_found),
		CASE(an_image_may_have_no_layer_at_all),
		CASE(what_is_not_there_is_not_found),
		CASE(a_damaged_config_is_said_to_be_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
