/* SPDX-License-Identifier: Apache-2.0 */
/* From a reference to an image: rules B4, B6, B13 to B18, F57. */
#include "oci/image.h"

#include <stdlib.h>

#include "oci/layout.h"
#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "tests/support/cmocka.h"
#include "tests/support/layout_folder.h"

static const struct oci_platform amd64 = {"linux", "amd64", ""};

static int make_layout(void **state)
{
	char *dir = make_folder();

	layout_begin(dir);
	*state = dir;
	return 0;
}

static int remove_layout(void **state)
{
	remove_folder(*state);
	return 0;
}

/* Store an index of these entries; its digest. */
static const char *store_index(const char *dir, const char *entries)
{
	cleanup_free char *text = xasprintf("{\"schemaVersion\":2,\"mediaType\":\"%s\","
					    "\"manifests\":[%s]}",
					    LAYOUT_INDEX, entries);

	return layout_blob(dir, text);
}

/* Make the document the only one of the layout. */
static void list(const char *dir, const char *digest, const char *type)
{
	cleanup_free char *entry = layout_entry(dir, digest, type, "");

	layout_index(dir, entry);
}

static int resolve(const char *dir, struct oci_image *ret, struct error *err)
{
	cleanup(source_close_ptr) struct source *s = NULL;

	if (oci_layout_open(dir, &s, err) < 0)
		return -1;
	return oci_image_resolve(s, &amd64, NULL, ret, err);
}

static void fails(const char *dir, enum error_kind kind, const char *reason)
{
	struct oci_image image;
	struct error err = {0};

	assert_int_equal(resolve(dir, &image, &err), -1);
	assert_error(&err, kind, reason);
}

/* Resolves to the manifest, after n documents. */
static void succeeds(const char *dir, const char *manifest, size_t n)
{
	struct oci_image image;
	struct error err = {0};
	char text[DIGEST_TEXT_BYTES];

	assert_ok(resolve(dir, &image, &err), &err);
	assert_string_equal(digest_format(&image.descriptor.digest, text), manifest);
	assert_int_equal(image.n_documents, n);
	assert_int_equal(image.manifest.n_layers, 1);
	assert_int_equal(image.config.n_diff_ids, 1);
	for (size_t i = 0; i < n; i++) {
		struct digest d;

		digest_of(DIGEST_SHA256, image.documents[i].bytes.data,
			  image.documents[i].bytes.len, &d);
		assert_true(digest_equal(&d, &image.documents[i].digest));
	}
	assert_true(digest_equal(&image.documents[0].digest, &image.target.digest));
	oci_image_release(&image);
}

static void b16_a_single_manifest_is_the_image(void **state)
{
	const char *manifest = layout_image(*state, "m");

	list(*state, manifest, LAYOUT_MANIFEST);
	succeeds(*state, manifest, 2);
}

static void b13_an_index_leads_to_the_manifest_of_the_platform(void **state)
{
	cleanup_free char *manifest = xstrdup(layout_image(*state, "m"));
	cleanup_free char *other = xstrdup(layout_image(*state, "other"));
	cleanup_free char *one =
		layout_entry(*state, other, LAYOUT_MANIFEST,
			     ",\"platform\":{\"os\":\"linux\",\"architecture\":\"s390x\"}");
	cleanup_free char *two =
		layout_entry(*state, manifest, LAYOUT_MANIFEST,
			     ",\"platform\":{\"os\":\"linux\",\"architecture\":\"amd64\"}");
	cleanup_free char *both = xasprintf("%s,%s", one, two);

	list(*state, store_index(*state, both), LAYOUT_INDEX);
	succeeds(*state, manifest, 3);
	list(*state, store_index(*state, one), LAYOUT_INDEX);
	fails(*state, ERR_NOT_FOUND, "there is linux/s390x");
}

static void b17_f57_indexes_may_be_nested_four_deep(void **state)
{
	cleanup_free char *manifest = xstrdup(layout_image(*state, "m"));
	const char *digest = manifest, *type = LAYOUT_MANIFEST;

	for (size_t depth = 1; depth <= 5; depth++) {
		cleanup_free char *entry = layout_entry(*state, digest, type, "");

		digest = store_index(*state, entry);
		type = LAYOUT_INDEX;
		list(*state, digest, type);
		if (depth <= 4)
			succeeds(*state, manifest, depth + 2);
		else
			fails(*state, ERR_INVALID, "nested more than 4");
	}
}

/* What is read as it is must be the document of this digest. */
static void expect_raw(const char *dir, const struct oci_platform *want, const char *digest)
{
	cleanup(source_close_ptr) struct source *s = NULL;
	cleanup_buffer struct buffer bytes = {0};
	struct oci_descriptor d;
	struct error err = {0};
	struct digest got;
	char text[DIGEST_TEXT_BYTES];

	assert_ok(oci_layout_open(dir, &s, &err), &err);
	assert_ok(oci_image_read_raw(s, want, NULL, &d, &bytes, &err), &err);
	assert_string_equal(digest_format(&d.digest, text), digest);
	digest_of(DIGEST_SHA256, bytes.data, bytes.len, &got);
	assert_true(digest_equal(&got, &d.digest));
}

static void documents_are_read_as_they_are(void **state)
{
	cleanup_free char *manifest = xstrdup(layout_image(*state, "m"));
	cleanup_free char *entry =
		layout_entry(*state, manifest, LAYOUT_MANIFEST,
			     ",\"platform\":{\"os\":\"linux\",\"architecture\":\"amd64\"}");
	cleanup_free char *index = xstrdup(store_index(*state, entry));
	cleanup_free char *artifact = xstrdup(layout_blob(*state, "{\"schemaVersion\":2}"));
	static const struct oci_platform arm64 = {"linux", "arm64", ""};
	cleanup(source_close_ptr) struct source *s = NULL;
	cleanup_buffer struct buffer bytes = {0};
	struct oci_descriptor d;
	struct error err = {0};

	list(*state, index, LAYOUT_INDEX);
	expect_raw(*state, NULL, index);
	expect_raw(*state, &amd64, manifest);
	assert_ok(oci_layout_open(*state, &s, &err), &err);
	assert_int_equal(oci_image_read_raw(s, &arm64, NULL, &d, &bytes, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "linux/amd64");
	list(*state, manifest, LAYOUT_MANIFEST);
	expect_raw(*state, &arm64, manifest); /* not an index: there is no choice */
	list(*state, artifact, LAYOUT_MANIFEST);
	expect_raw(*state, NULL, artifact);
}

static void b17_an_empty_index_has_no_image(void **state)
{
	list(*state, store_index(*state, ""), LAYOUT_INDEX);
	fails(*state, ERR_NOT_FOUND, "no image");
}

static void b04_the_descriptors_type_must_be_what_the_bytes_are(void **state)
{
	cleanup_free char *manifest = xstrdup(layout_image(*state, "m"));
	cleanup_free char *entry = layout_entry(*state, manifest, LAYOUT_MANIFEST, "");

	list(*state, manifest, LAYOUT_INDEX);
	fails(*state, ERR_INVALID, "calls itself");
	list(*state, store_index(*state, entry), LAYOUT_MANIFEST);
	fails(*state, ERR_INVALID, "calls itself");
}

static void b05_schema_1_and_other_things_are_named(void **state)
{
	const char *blob = layout_blob(*state, "{\"schemaVersion\":1,\"fsLayers\":[]}");
	cleanup_free char *thing = NULL;

	list(*state, blob, "application/vnd.docker.distribution.manifest.v2+json");
	fails(*state, ERR_UNSUPPORTED, "schema 1");
	list(*state, blob, "application/vnd.docker.distribution.manifest.v1+prettyjws");
	fails(*state, ERR_NOT_FOUND, "manifest.v1+prettyjws");
	thing = layout_entry(*state, blob, "application/vnd.example.thing", "");
	layout_index(*state, thing);
	fails(*state, ERR_NOT_FOUND, "no image in the layout, only application/vnd.example.thing");
	list(*state, store_index(*state, thing), LAYOUT_INDEX);
	fails(*state, ERR_NOT_FOUND, "no image in the index, only application/vnd.example.thing");
}

static const char *manifest_with_config(const char *dir, const char *config_text)
{
	cleanup_free char *config = layout_entry(dir, layout_blob(dir, config_text),
						 "application/vnd.oci.image.config.v1+json", "");
	cleanup_free char *text =
		xasprintf("{\"schemaVersion\":2,\"config\":%s,\"layers\":[]}", config);

	return layout_blob(dir, text);
}

static void b06_diff_ids_must_be_as_many_as_layers(void **state)
{
	list(*state,
	     manifest_with_config(*state, "{\"os\":\"linux\",\"rootfs\":{\"type\":\"layers\","
					  "\"diff_ids\":[\"sha256:0000000000000000000000000000"
					  "000000000000000000000000000000000000\"]}}"),
	     LAYOUT_MANIFEST);
	fails(*state, ERR_INVALID, "0 layers, the config 1 diff_ids");
}

static void b15_an_image_for_another_system_is_unsupported(void **state)
{
	list(*state,
	     manifest_with_config(*state, "{\"os\":\"windows\",\"architecture\":\"amd64\","
					  "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]}}"),
	     LAYOUT_MANIFEST);
	fails(*state, ERR_UNSUPPORTED, "windows");
}

static void a_damaged_config_fails_verification(void **state)
{
	cleanup_free char *dir = xstrdup(*state);
	const char *manifest, *config;
	cleanup_free char *name = NULL;

	config = layout_blob(dir, "{\"rootfs\":{\"type\":\"layers\"}}");
	manifest = manifest_with_config(dir, "{\"rootfs\":{\"type\":\"layers\"}}");
	name = xasprintf("blobs/sha256/%s", strchr(config, ':') + 1);
	put_file(dir, name, "{\"rootfs\":{\"type\":\"LAYERS\"}}");
	list(dir, manifest, LAYOUT_MANIFEST);
	fails(dir, ERR_VERIFICATION, config);
}

/* A source whose bytes come along with the reference. */
struct prompt {
	struct source source;
	struct source *inner;
	const char *bytes;
};

static int prompt_resolve(struct source *s, struct oci_descriptor *ret, struct buffer *ret_bytes,
			  struct error *err)
{
	struct prompt *p = (struct prompt *)s;

	if (source_resolve(p->inner, ret, ret_bytes, err) < 0)
		return -1;
	if (p->bytes)
		buffer_add(ret_bytes, p->bytes, strlen(p->bytes));
	return p->bytes ? 0 : source_fetch_document(p->inner, ret, ret_bytes, err);
}

static int prompt_fetch(struct source *s, const struct oci_descriptor *d, struct stream **ret,
			struct error *err)
{
	if (d->media_type == MEDIA_MANIFEST)
		return error_set(err, ERR_SYSTEM, "asked for what came along");
	return source_fetch(((struct prompt *)s)->inner, d, ret, err);
}

static void b18_bytes_that_come_along_are_used_and_verified(void **state)
{
	static const struct source_ops ops = {.resolve = prompt_resolve, .fetch = prompt_fetch};
	struct prompt p = {.source = {.ops = &ops}};
	struct oci_image image;
	struct error err = {0};

	list(*state, layout_image(*state, "m"), LAYOUT_MANIFEST);
	assert_ok(oci_layout_open(*state, &p.inner, &err), &err);
	assert_ok(oci_image_resolve(&p.source, &amd64, NULL, &image, &err), &err);
	assert_int_equal(image.n_documents, 2);
	oci_image_release(&image);
	p.bytes = "{}";
	assert_int_equal(oci_image_resolve(&p.source, &amd64, NULL, &image, &err), -1);
	assert_error(&err, ERR_VERIFICATION, "size and digest");
	source_close(p.inner);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_layout, remove_layout)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(b16_a_single_manifest_is_the_image),
		TEST(b13_an_index_leads_to_the_manifest_of_the_platform),
		TEST(b17_f57_indexes_may_be_nested_four_deep),
		TEST(documents_are_read_as_they_are),
		TEST(b17_an_empty_index_has_no_image),
		TEST(b04_the_descriptors_type_must_be_what_the_bytes_are),
		TEST(b05_schema_1_and_other_things_are_named),
		TEST(b06_diff_ids_must_be_as_many_as_layers),
		TEST(b15_an_image_for_another_system_is_unsupported),
		TEST(a_damaged_config_fails_verification),
		TEST(b18_bytes_that_come_along_are_used_and_verified),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
