/* SPDX-License-Identifier: Apache-2.0 */
/* A digest that no entry lists is asked for; the rest is in layout_test.c (rule B22). */
#include "oci/layout_choose.h"

#include "tests/support/cmocka.h"

static const char manifest[] = "{\"schemaVersion\":2,\"mediaType\":"
			       "\"application/vnd.oci.image.manifest.v1+json\"}";

static int read_manifest(void *arg, const struct digest *d, struct buffer *ret, struct error *err)
{
	(void)d;
	if (!arg)
		return error_set(err, ERR_NOT_FOUND, "it is not there");
	buffer_add(ret, arg, strlen(arg));
	return 0;
}

static int choose(const char *bytes, struct oci_descriptor *ret, struct error *err)
{
	struct oci_index index = {0};
	struct place place = {0};

	digest_of(DIGEST_SHA256, "x", 1, &place.digest);
	return layout_choose(&index, &place, read_manifest, (void *)bytes, ret, err);
}

static void b22_a_document_without_an_entry_is_found_by_its_digest(void **state)
{
	struct oci_descriptor d;
	struct error err = {0};

	(void)state;
	assert_ok(choose(manifest, &d, &err), &err);
	assert_int_equal(d.media_type, MEDIA_MANIFEST);
	assert_int_equal(d.size_bytes, strlen(manifest));
}

static void b22_one_that_is_none_or_not_there_is_refused(void **state)
{
	struct oci_descriptor d;
	struct error err = {0};

	(void)state;
	assert_int_equal(choose("{}", &d, &err), -1);
	assert_error(&err, ERR_INVALID, "neither a manifest nor an index");
	error_clear(&err);
	assert_int_equal(choose(NULL, &d, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "no sha256:2d71");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(b22_a_document_without_an_entry_is_found_by_its_digest),
		cmocka_unit_test(b22_one_that_is_none_or_not_there_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
