/* SPDX-License-Identifier: Apache-2.0 */
/* From one layout folder into another, by a source that breaks where it is told to. */
#include "oci/mirror.h"

#include <stdlib.h>
#include <string.h>

#include "oci/layout.h"
#include "pkg/base/alloc.h"
#include "tests/support/cmocka.h"
#include "tests/support/layout_folder.h"

static const struct oci_platform amd64 = {"linux", "amd64", ""};

/* Counts what is asked for, and fails at some of it. */
struct counting {
	struct source source;
	struct source *inner;
	unsigned fetches, cuts; /* so many bodies of blobs are cut */
};

static char *from, *to;
static struct counting counting;
static struct layout_writer *out;
static struct mirror_result result;
static struct error err;

static int resolve(struct source *s, struct oci_descriptor *ret, struct buffer *ret_bytes,
		   struct error *e)
{
	return source_resolve(((struct counting *)s)->inner, ret, ret_bytes, e);
}

static int fetch(struct source *s, const struct oci_descriptor *d, struct stream **ret,
		 struct error *e)
{
	struct counting *c = (struct counting *)s;
	bool is_document = d->media_type == MEDIA_MANIFEST || d->media_type == MEDIA_INDEX;

	c->fetches += !is_document;
	if (is_document || !c->cuts)
		return source_fetch(c->inner, d, ret, e);
	c->cuts--;
	return error_set(e, ERR_NETWORK, "cut");
}

static int begin(void **state)
{
	(void)state;
	from = make_folder();
	to = make_folder();
	layout_begin(from);
	out = NULL;
	counting = (struct counting){0};
	error_clear(&err);
	assert_ok(layout_writer_open(to, &out, &err), &err);
	return 0;
}

static int end(void **state)
{
	(void)state;
	layout_writer_close(out);
	remove_folder(from);
	remove_folder(to);
	return 0;
}

static void list(const char *digest, const char *type)
{
	cleanup_free char *entry = layout_entry(from, digest, type, "");

	layout_index(from, entry);
}

static const char *index_of(const char *entries)
{
	cleanup_free char *text =
		xasprintf("{\"schemaVersion\":2,\"mediaType\":\"%s\",\"manifests\":[%s]}",
			  LAYOUT_INDEX, entries);

	return layout_blob(from, text);
}

static size_t events;
static enum unpack_step last_step;

static void count_event(const struct unpack_event *event, void *arg)
{
	assert_ptr_equal(arg, &events);
	events++;
	last_step = event->step;
}

static int mirror(const struct oci_platform *platform)
{
	static const struct source_ops ops = {resolve, fetch, NULL, NULL};
	struct mirror_options options = {platform, "name", 1, count_event, &events};
	int rc;

	events = 0;
	counting.source.ops = &ops;
	counting.source.name = from;
	assert_ok(oci_layout_open(from, &counting.inner, &err), &err);
	rc = mirror_image(&counting.source, out, &options, &result, &err);
	source_close(counting.inner);
	return rc;
}

/* A source finds the image there, whole. */
static void expect_there(const char *digest)
{
	cleanup_free char *ref = xasprintf("%s:name", to);
	cleanup(source_close_ptr) struct source *s = NULL;
	struct oci_descriptor d;
	char text[DIGEST_TEXT_BYTES];

	assert_ok(oci_layout_open(ref, &s, &err), &err);
	assert_ok(source_resolve(s, &d, NULL, &err), &err);
	assert_string_equal(digest_format(&d.digest, text), digest);
	assert_string_equal(digest_format(&result.digest, text), digest);
}

static void expect_nothing_named(void)
{
	cleanup_free char *ref = xasprintf("%s:name", to);
	struct source *s = NULL;
	struct error ignored = {0};

	assert_int_equal(oci_layout_open(ref, &s, &ignored), -1);
}

static void an_image_is_copied_and_then_is_there(void **state)
{
	const char *image = layout_image(from, "m");

	(void)state;
	list(image, LAYOUT_MANIFEST);
	assert_ok(mirror(&amd64), &err);
	expect_there(image);
	assert_int_equal(result.n_blobs, 2);
	assert_int_equal(result.n_fetched, 2);
	assert_int_equal(last_step, UNPACK_DONE);
	assert_true(events >= 6);
	assert_ok(mirror(&amd64), &err);
	assert_int_equal(result.n_fetched, 0);
	assert_int_equal(counting.fetches, 2);
}

static void an_index_comes_whole_or_as_one_platform(void **state)
{
	cleanup_free char *one = xstrdup(layout_image(from, "one"));
	cleanup_free char *two = xstrdup(layout_image(from, "two"));
	cleanup_free char *first =
		layout_entry(from, one, LAYOUT_MANIFEST,
			     ",\"platform\":{\"os\":\"linux\",\"architecture\":\"amd64\"}");
	cleanup_free char *second =
		layout_entry(from, two, LAYOUT_MANIFEST,
			     ",\"platform\":{\"os\":\"unknown\",\"architecture\":\"unknown\"}");
	/* The same image twice is copied once. */
	cleanup_free char *entries = xasprintf("%s,%s,%s", first, second, first);
	cleanup_free char *index = xstrdup(index_of(entries));

	(void)state;
	list(index, LAYOUT_INDEX);
	assert_ok(mirror(&amd64), &err);
	expect_there(one);
	assert_ok(mirror(NULL), &err);
	expect_there(index);
	assert_int_equal(result.n_blobs, 4);
	assert_int_equal(result.n_fetched, 2);
}

static void artifacts_are_copied_too(void **state)
{
	cleanup_free char *data = layout_entry(from, layout_blob(from, "data"), "text/plain", "");
	cleanup_free char *config = layout_entry(from, layout_blob(from, "{}"),
						 "application/vnd.oci.empty.v1+json", "");
	cleanup_free char *text =
		xasprintf("{\"schemaVersion\":2,\"mediaType\":\"%s\",\"config\":%s,"
			  "\"layers\":[%s]}",
			  LAYOUT_MANIFEST, config, data);
	const char *artifact = layout_blob(from, text);

	(void)state;
	list(artifact, LAYOUT_MANIFEST);
	assert_ok(mirror(&amd64), &err);
	expect_there(artifact);
	assert_int_equal(result.n_blobs, 2);
}

static void b17_f57_indexes_end_somewhere(void **state)
{
	cleanup_free char *digest = xstrdup(layout_image(from, "m"));
	const char *type = LAYOUT_MANIFEST;

	(void)state;
	for (int depth = 1; depth <= 5; depth++) {
		cleanup_free char *entry = layout_entry(from, digest, type, "");

		free(digest);
		digest = xstrdup(index_of(entry));
		type = LAYOUT_INDEX;
	}
	list(digest, LAYOUT_INDEX);
	assert_int_equal(mirror(NULL), -1);
	assert_error(&err, ERR_INVALID, "nested more than 4");
	expect_nothing_named();
}

static void what_is_no_manifest_is_not_copied(void **state)
{
	cleanup_free char *entry = layout_entry(from, layout_blob(from, "x"), "text/plain", "");

	(void)state;
	list(index_of(entry), LAYOUT_INDEX);
	assert_int_equal(mirror(NULL), -1);
	assert_error(&err, ERR_UNSUPPORTED, "the index lists a text/plain");
	expect_nothing_named();
}

static void a_blob_that_is_not_to_be_had_leaves_no_name(void **state)
{
	const char *image = layout_image(from, "m");

	(void)state;
	list(image, LAYOUT_MANIFEST);
	counting.cuts = 1; /* before the first byte: the source itself has tried again */
	assert_int_equal(mirror(&amd64), -1);
	assert_error(&err, ERR_NETWORK, "blob 1/2 sha256:");
	expect_nothing_named();
	assert_ok(mirror(&amd64), &err);
	expect_there(image);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		CASE(an_image_is_copied_and_then_is_there),
		CASE(an_index_comes_whole_or_as_one_platform),
		CASE(artifacts_are_copied_too),
		CASE(b17_f57_indexes_end_somewhere),
		CASE(what_is_no_manifest_is_not_copied),
		CASE(a_blob_that_is_not_to_be_had_leaves_no_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
