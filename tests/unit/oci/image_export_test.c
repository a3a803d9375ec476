/* SPDX-License-Identifier: Apache-2.0 */
/* Containers and images as tars of images: which config, which name, again and again. */
#include "oci/image_export.h"

#include <string.h>

#include "pkg/base/alloc.h"
#include "pkg/base/buffer.h"
#include "pkg/base/cleanup.h"
#include "tests/support/cmocka.h"
#include "tests/support/layout_folder.h"
#include "tests/support/store_fixture.h"

static struct store_fixture f;
static struct error err;
static struct buffer tar;

static int begin(void **state)
{
	(void)state;
	error_clear(&err);
	store_fixture_init(&f);
	store_fixture_image(&f, "docker.io/library/then:1", "ab",
			    ",\"config\":{\"Cmd\":[\"/bin/then\"]}");
	store_fixture_container(&f, "docker.io/library/then:1", "box");
	return 0;
}

static int end(void **state)
{
	(void)state;
	buffer_release(&tar);
	store_fixture_release(&f);
	return 0;
}

static int append(const void *data, size_t len, void *arg, struct error *e)
{
	(void)e;
	buffer_add(arg, data, len);
	return 0;
}

static int export(const char *name, bool is_container)
{
	buffer_clear(&tar);
	error_clear(&err);
	return image_export(f.store, name, is_container, append, &tar, &err);
}

static bool says(const char *text)
{
	return memmem(tar.data, tar.len, text, strlen(text)) != NULL;
}

static void an_image_has_its_config_and_its_name(void **state)
{
	(void)state;
	assert_ok(export("docker.io/library/then:1", false), &err);
	assert_true(says("/bin/then"));
	assert_true(says("\"docker.io/library/then:1\""));
	assert_true(says("all layers in one"));
}

static void a_container_has_the_config_of_the_image_it_was_made_from(void **state)
{
	(void)state;
	store_fixture_image(&f, "docker.io/library/now:1", "ab",
			    ",\"config\":{\"Cmd\":[\"/bin/now\"]}");
	assert_ok(store_tag_image(f.store, "docker.io/library/then:1", "kept", &err), &err);
	assert_ok(store_tag_image(f.store, "docker.io/library/now:1", "docker.io/library/then:1",
				  &err),
		  &err);
	assert_ok(export("box", true), &err);
	assert_true(says("/bin/then"));
	assert_false(says("/bin/now"));
	assert_true(says("\"RepoTags\": null"));
}

static void the_same_bytes_come_again(void **state)
{
	cleanup_buffer struct buffer first = {0};

	(void)state;
	assert_ok(export("box", true), &err);
	buffer_add(&first, tar.data, tar.len);
	assert_ok(export("box", true), &err);
	assert_int_equal(first.len, tar.len);
	assert_memory_equal(first.data, tar.data, tar.len);
}

/* An image whose only layer is kept; its bytes are never looked into. */
static struct digest put_kept(const char *layer)
{
	struct content_image image = {.ref = (char[]){"docker.io/library/kept:1"},
				      .platform = (char[]){"linux/amd64"},
				      .created = (char[]){"2026-01-02T03:04:05Z"},
				      .pool = (char[]){"default"}};
	cleanup_buffer struct buffer config = {0}, manifest = {0};
	char text[DIGEST_TEXT_BYTES];
	struct content *content;
	struct digest d, l;

	assert_ok(store_content(f.store, &content, &err), &err);
	digest_of(DIGEST_SHA256, layer, strlen(layer), &l);
	assert_ok(content_put(content, &l, layer, strlen(layer), &err), &err);
	buffer_printf(
		&config,
		"{\"os\":\"linux\",\"architecture\":\"amd64\",\"rootfs\":{\"type\":\"layers\","
		"\"diff_ids\":[\"%s\"]}}",
		digest_format(&l, text));
	digest_of(DIGEST_SHA256, config.data, config.len, &d);
	assert_ok(content_put(content, &d, config.data, config.len, &err), &err);
	buffer_printf(&manifest,
		      "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"application/"
		      "vnd.docker.container.image.v1+json\",\"digest\":\"%s\",\"size\":%zu},",
		      digest_format(&d, text), config.len);
	buffer_printf(&manifest,
		      "\"layers\":[{\"mediaType\":\"application/vnd.docker.image.rootfs.diff.tar\","
		      "\"digest\":\"%s\",\"size\":%zu}]}",
		      digest_format(&l, text), strlen(layer));
	digest_of(DIGEST_SHA256, manifest.data, manifest.len, &image.manifest);
	image.target = image.manifest;
	image.manifest_bytes = manifest.len;
	assert_ok(content_put(content, &image.manifest, manifest.data, manifest.len, &err), &err);
	assert_ok(content_set_image(content, &image, &err), &err);
	return l;
}

static void an_image_whose_blobs_are_kept_is_as_it_was_pulled(void **state)
{
	char text[DIGEST_TEXT_BYTES];
	struct digest layer = put_kept("these are the bytes of the layer");

	(void)state;
	assert_ok(export("docker.io/library/kept:1", false), &err);
	assert_true(says("these are the bytes of the layer"));
	assert_true(says(digest_hex(&layer, text)));
	assert_false(says("all layers in one"));
}

static void a_kept_blob_that_is_damaged_is_told(void **state)
{
	struct digest layer = put_kept("these are the bytes of the layer");
	char hex[DIGEST_TEXT_BYTES];
	cleanup_free char *name = xasprintf("content/blobs/sha256/%s", digest_hex(&layer, hex));

	(void)state;
	put_file(f.root, name, "These are the bytes of the layer");
	assert_int_equal(export("docker.io/library/kept:1", false), -1);
	assert_error(&err, ERR_VERIFICATION, "layer 1/1 sha256:");
}

static void what_is_not_there_is_not_found(void **state)
{
	(void)state;
	assert_int_equal(export("nobody", true), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_int_equal(export("docker.io/library/nothing:1", false), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_int_equal(tar.len, 0);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		CASE(an_image_has_its_config_and_its_name),
		CASE(a_container_has_the_config_of_the_image_it_was_made_from),
		CASE(the_same_bytes_come_again),
		CASE(an_image_whose_blobs_are_kept_is_as_it_was_pulled),
		CASE(a_kept_blob_that_is_damaged_is_told),
		CASE(what_is_not_there_is_not_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
