/* SPDX-License-Identifier: Apache-2.0 */
/* Fetching documents as a whole: rules B7, B8, B10. */
#include "oci/source.h"

#include <stdlib.h>

#include "oci/manifest.h"
#include "pkg/base/alloc.h"
#include "tests/support/cmocka.h"

/* Hands out `data`; the first `failures` fetches fail. */
struct fake {
	struct source source;
	const char *data;
	size_t len;
	unsigned failures, fetches;
	enum error_kind failure;
};

static int fake_resolve(struct source *s, struct oci_descriptor *ret, struct buffer *ret_bytes,
			struct error *err)
{
	(void)s;
	(void)ret;
	(void)ret_bytes;
	return error_set(err, ERR_NOT_FOUND, "nothing to resolve");
}

static int fake_fetch(struct source *s, const struct oci_descriptor *d, struct stream **ret,
		      struct error *err)
{
	struct fake *f = (struct fake *)s;

	(void)d;
	f->fetches++;
	if (f->failures > 0) {
		f->failures--;
		return error_set(err, f->failure, "scripted failure");
	}
	*ret = stream_from_memory(f->data, f->len);
	return 0;
}

static void fake_close(struct source *s)
{
	((struct fake *)s)->fetches = 1000;
}

static const struct source_ops fake_ops = {fake_resolve, fake_fetch, fake_close, NULL};

static struct fake make_fake(const char *data)
{
	return (struct fake){.source = {.ops = &fake_ops},
			     .data = data,
			     .len = strlen(data),
			     .failure = ERR_NETWORK};
}

static struct oci_descriptor describe(const char *data)
{
	struct oci_descriptor d = {.size_bytes = strlen(data)};

	digest_of(DIGEST_SHA256, data, strlen(data), &d.digest);
	return d;
}

static void fetch_fails(struct fake *f, const struct oci_descriptor *d, enum error_kind kind,
			const char *reason)
{
	struct buffer bytes = {0};
	struct error err = {0};

	assert_int_equal(source_fetch_document(&f->source, d, &bytes, &err), -1);
	assert_error(&err, kind, reason);
	buffer_release(&bytes);
}

static void a_document_comes_as_a_whole(void **state)
{
	struct oci_descriptor d = describe("content");
	struct fake f = make_fake("content");
	struct buffer bytes = {0};
	struct error err = {0};

	(void)state;
	buffer_add(&bytes, "old", 3);
	assert_ok(source_fetch_document(&f.source, &d, &bytes, &err), &err);
	assert_string_equal((char *)bytes.data, "content");
	buffer_release(&bytes);
}

static void b08_more_or_fewer_bytes_fail_even_if_the_digest_matches(void **state)
{
	struct oci_descriptor d = describe("content");
	struct fake f = make_fake("content");

	(void)state;
	d.size_bytes = 8;
	fetch_fails(&f, &d, ERR_VERIFICATION, "only 7 bytes");
	d.size_bytes = 6;
	fetch_fails(&f, &d, ERR_VERIFICATION, "more than the expected 6");
}

static void f65_other_bytes_of_the_same_size_fail(void **state)
{
	struct oci_descriptor d = describe("content");
	struct fake f = make_fake("CONTENT");

	(void)state;
	fetch_fails(&f, &d, ERR_VERIFICATION, "is expected");
	assert_int_equal(f.fetches, 1);
}

static void b10_f48_more_than_4_mib_is_refused_before_anything_is_asked(void **state)
{
	struct oci_descriptor d = describe("content");
	struct fake f = make_fake("content");

	(void)state;
	d.size_bytes = OCI_DOCUMENT_MAX_BYTES + 1;
	fetch_fails(&f, &d, ERR_INVALID, "at most 4194304");
	d.size_bytes = UINT64_MAX;
	fetch_fails(&f, &d, ERR_INVALID, "at most 4194304");
	assert_int_equal(f.fetches, 0);
}

static void b10_exactly_4_mib_is_taken(void **state)
{
	struct oci_descriptor d;
	struct buffer bytes = {0};
	struct error err = {0};
	struct fake f;
	char *data = xmalloc(OCI_DOCUMENT_MAX_BYTES + 1);

	(void)state;
	memset(data, 'x', OCI_DOCUMENT_MAX_BYTES);
	data[OCI_DOCUMENT_MAX_BYTES] = '\0';
	d = describe(data);
	f = make_fake(data);
	assert_ok(source_fetch_document(&f.source, &d, &bytes, &err), &err);
	assert_int_equal(bytes.len, OCI_DOCUMENT_MAX_BYTES);
	buffer_release(&bytes);
	free(data);
}

static void b07_content_of_an_unknown_algorithm_is_not_fetched(void **state)
{
	struct oci_descriptor d = {.size_bytes = 7};
	struct fake f = make_fake("content");

	(void)state;
	fetch_fails(&f, &d, ERR_UNSUPPORTED, "unknown algorithm");
	assert_int_equal(f.fetches, 0);
}

static void a_broken_connection_is_tried_again_twice(void **state)
{
	struct oci_descriptor d = describe("content");
	struct fake f = make_fake("content");
	struct buffer bytes = {0};
	struct error err = {0};

	(void)state;
	f.failures = 2;
	assert_ok(source_fetch_document(&f.source, &d, &bytes, &err), &err);
	assert_string_equal((char *)bytes.data, "content");
	buffer_release(&bytes);
	f = make_fake("content");
	f.failures = 3;
	fetch_fails(&f, &d, ERR_NETWORK, "scripted failure");
	assert_int_equal(f.fetches, 3);
}

static void other_failures_are_final(void **state)
{
	struct oci_descriptor d = describe("content");
	struct fake f = make_fake("content");

	(void)state;
	f.failures = 1;
	f.failure = ERR_NOT_FOUND;
	fetch_fails(&f, &d, ERR_NOT_FOUND, "scripted failure");
	assert_int_equal(f.fetches, 1);
}

static void b19_f59_the_urls_of_a_foreign_layer_are_not_followed(void **state)
{
	struct oci_descriptor d = describe("content");
	struct fake f = make_fake("content");
	cleanup(stream_close_ptr) struct stream *in = NULL;
	struct error err = {0};
	char text[256];

	(void)state;
	d.media_type = MEDIA_LAYER_FOREIGN;
	f.failures = 2;
	f.failure = ERR_NOT_FOUND;
	assert_int_equal(source_fetch(&f.source, &d, &in, &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	error_text(&err, text, sizeof(text));
	assert_string_equal(text, "a foreign layer, whose urls are not followed: scripted failure");
	d.media_type = MEDIA_LAYER;
	assert_int_equal(source_fetch(&f.source, &d, &in, &err), -1);
	error_text(&err, text, sizeof(text));
	assert_string_equal(text, "scripted failure");
	d.media_type = MEDIA_LAYER_FOREIGN;
	assert_ok(source_fetch(&f.source, &d, &in, &err), &err);
}

static void b19_the_urls_make_a_layer_foreign_whatever_its_type(void **state)
{
	char *urls[] = {(char *)(uintptr_t) "https://example.com/layer"};
	const struct oci_strings list = {urls, 1};
	struct oci_descriptor d = describe("content");
	struct fake f = make_fake("content");
	cleanup(stream_close_ptr) struct stream *in = NULL;
	struct error err = {0};

	(void)state;
	d.media_type = MEDIA_LAYER;
	d.urls = &list;
	f.failures = 2;
	f.failure = ERR_NOT_FOUND;
	assert_int_equal(source_fetch(&f.source, &d, &in, &err), -1);
	assert_int_equal(err.detail, ERR_DETAIL_FOREIGN);
	f.source.asks_urls = true; /* it has done so itself, and says more */
	assert_int_equal(source_fetch(&f.source, &d, &in, &err), -1);
	assert_int_equal(err.detail, ERR_DETAIL_NONE);
}

static void closing_reaches_the_implementation(void **state)
{
	struct fake f = make_fake("");

	(void)state;
	source_close(&f.source);
	assert_int_equal(f.fetches, 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_document_comes_as_a_whole),
		cmocka_unit_test(b08_more_or_fewer_bytes_fail_even_if_the_digest_matches),
		cmocka_unit_test(f65_other_bytes_of_the_same_size_fail),
		cmocka_unit_test(b10_f48_more_than_4_mib_is_refused_before_anything_is_asked),
		cmocka_unit_test(b10_exactly_4_mib_is_taken),
		cmocka_unit_test(b07_content_of_an_unknown_algorithm_is_not_fetched),
		cmocka_unit_test(a_broken_connection_is_tried_again_twice),
		cmocka_unit_test(other_failures_are_final),
		cmocka_unit_test(b19_f59_the_urls_of_a_foreign_layer_are_not_followed),
		cmocka_unit_test(b19_the_urls_make_a_layer_foreign_whatever_its_type),
		cmocka_unit_test(closing_reaches_the_implementation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
