/* SPDX-License-Identifier: Apache-2.0 */
/* The list of images as JSON: what each entry must have, and what a damaged one costs. */
#include "oci/content_internal.h"

#include <stdio.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/fdio.h"
#include "tests/support/cmocka.h"
#include "tests/support/layout_folder.h"
#include "tests/support/replace.h"
#include "tests/support/scratch.h"

#define DIGEST_A "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ENTRY                                                                                  \
	"{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"" DIGEST_A \
	"\",\"size\":7,\"annotations\":{\"org.opencontainers.image.ref.name\":\"one\","        \
	"\"thinpull.target\":\"" DIGEST_A                                                      \
	"\",\"thinpull.platform\":\"linux/amd64\",\"thinpull.created\":\"now\","               \
	"\"thinpull.pool\":\"default\"}}"
#define INDEX "{\"schemaVersion\":2,\"manifests\":[" ENTRY "]}"

static char *dir;
static struct content *c;
static struct error err;

static int begin(void **state)
{
	(void)state;
	error_clear(&err);
	dir = scratch_new();
	assert_ok(content_open(dir, &c, &err), &err);
	return 0;
}

static int end(void **state)
{
	(void)state;
	content_close(c);
	scratch_free(dir);
	return 0;
}

static int count(size_t *ret)
{
	struct content_image *images;
	int rc;

	error_clear(&err);
	rc = content_images(c, &images, ret, &err);
	if (rc == 0)
		content_images_free(images, *ret);
	return rc;
}

static void an_entry_is_read_as_it_was_written(void **state)
{
	struct content_image *images;
	char text[DIGEST_TEXT_BYTES];
	size_t n;

	(void)state;
	put_file(dir, "index.json", INDEX);
	assert_ok(content_images(c, &images, &n, &err), &err);
	assert_int_equal(n, 1);
	assert_string_equal(images->ref, "one");
	assert_string_equal(digest_format(&images->manifest, text), DIGEST_A);
	assert_int_equal(images->manifest_bytes, 7);
	assert_string_equal(images->platform, "linux/amd64");
	assert_string_equal(images->created, "now");
	assert_string_equal(images->pool, "default");
	content_images_free(images, n);
}

/* The file is ours: whatever is wrong with it is not the image's fault. */
static void each_part_that_is_missing_or_wrong_is_inconsistent(void **state)
{
	static const char *const changes[][2] = {
		{"\"manifests\":[", "\"manifest\":["},
		{"\"manifests\":[", "\"manifests\":[1,"},
		{"\"manifests\":[", "\"manifests\":[{},"},
		{"\"mediaType\":", "\"type\":"},
		{"\"digest\":\"sha256:aa", "\"digest\":\"sha256:a"},
		{"\"size\":7", "\"size\":-7"},
		{"\"size\":7,", ""},
		{"\"annotations\"", "\"notes\""},
		{"image.ref.name", "image.ref.nam"},
		{"thinpull.target\":\"sha256:aa", "thinpull.target\":\"md5:aa"},
		{"thinpull.platform", "thinpull.Platform"},
		{"thinpull.created\":\"now\"", "thinpull.created\":7"},
		{"thinpull.pool", "pool"},
	};
	size_t n;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		cleanup_free char *text = replaced(INDEX, changes[i][0], changes[i][1]);

		put_file(dir, "index.json", text);
		if (count(&n) != -1)
			fail_msg("'%s' is taken", changes[i][1]);
		assert_error(&err, ERR_INCONSISTENT, "content");
	}
	put_file(dir, "index.json", "");
	assert_int_equal(count(&n), -1);
	assert_int_equal(err.kind, ERR_INCONSISTENT);
	/* Nothing is written over it either. */
	assert_int_equal(content_remove_image(c, "one", "default", &err), -1);
	assert_int_equal(err.kind, ERR_INCONSISTENT);
}

static void a_list_that_is_gone_is_told(void **state)
{
	cleanup_free char *path = xasprintf("%s/index.json", dir);
	struct digest generation;
	size_t n;

	(void)state;
	assert_int_equal(unlink(path), 0);
	assert_int_equal(count(&n), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_int_equal(content_generation(c, &generation, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "content");
}

static struct content_image image_of(const char *manifest_text, const char *ref, const char *pool)
{
	struct content_image image = {.ref = (char *)(uintptr_t)ref,
				      .pool = (char *)(uintptr_t)pool};

	digest_of(DIGEST_SHA256, manifest_text, strlen(manifest_text), &image.manifest);
	image.target = image.manifest;
	assert_ok(content_put(c, &image.manifest, manifest_text, strlen(manifest_text), &err),
		  &err);
	return image;
}

/* Others read the list: its descriptors say what the manifests are. */
static void the_type_of_a_manifest_is_its_own_or_the_specifications(void **state)
{
	static const char *const docker = "application/vnd.docker.distribution.manifest.v2+json";
	cleanup_free char *path = xasprintf("%s/index.json", dir);
	cleanup_free char *with = xasprintf("{\"mediaType\":\"%s\"}", docker);
	cleanup_buffer struct buffer text = {0};
	struct content_image a = image_of(with, "a", "default"), b = image_of("{}", "b", "default");

	(void)state;
	assert_ok(content_set_image(c, &a, &err), &err);
	assert_ok(content_set_image(c, &b, &err), &err);
	assert_ok(fdio_read_file(path, 10000, &text, &err), &err);
	assert_non_null(strstr((char *)text.data, docker));
	assert_non_null(strstr((char *)text.data, "application/vnd.oci.image.manifest.v1+json"));
}

static void what_is_not_said_is_empty(void **state)
{
	struct content_image image = image_of("{}", "a", NULL), *images;
	size_t n;

	(void)state;
	assert_ok(content_set_image(c, &image, &err), &err);
	assert_ok(content_set_image(c, &image, &err), &err); /* the same once more */
	assert_ok(content_images(c, &images, &n, &err), &err);
	assert_int_equal(n, 1);
	assert_string_equal(images->platform, "");
	assert_string_equal(images->created, "");
	assert_string_equal(images->pool, "");
	content_images_free(images, n);
}

static void the_list_is_sorted_by_reference_and_pool(void **state)
{
	static const char *const expected[][2] = {{"a", "one"},
						  {"a", "two"},
						  {"b", "one"},
						  {"b", "zero"}};
	struct content_image *images;
	size_t n;

	(void)state;
	for (size_t i = ARRAY_SIZE(expected); i-- > 0;) {
		struct content_image image = image_of("{}", expected[i][0], expected[i][1]);

		assert_ok(content_set_image(c, &image, &err), &err);
	}
	assert_ok(content_images(c, &images, &n, &err), &err);
	assert_int_equal(n, ARRAY_SIZE(expected));
	for (size_t i = 0; i < n; i++) {
		assert_string_equal(images[i].ref, expected[i][0]);
		assert_string_equal(images[i].pool, expected[i][1]);
	}
	content_images_free(images, n);
	assert_int_equal(content_remove_image(c, "a", "three", &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "no image a");
	assert_ok(content_remove_image(c, "a", "two", &err), &err);
	assert_ok(count(&n), &err);
	assert_int_equal(n, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_entry_is_read_as_it_was_written, begin, end),
		cmocka_unit_test_setup_teardown(each_part_that_is_missing_or_wrong_is_inconsistent,
						begin, end),
		cmocka_unit_test_setup_teardown(a_list_that_is_gone_is_told, begin, end),
		cmocka_unit_test_setup_teardown(
			the_type_of_a_manifest_is_its_own_or_the_specifications, begin, end),
		cmocka_unit_test_setup_teardown(what_is_not_said_is_empty, begin, end),
		cmocka_unit_test_setup_teardown(the_list_is_sorted_by_reference_and_pool, begin,
						end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
