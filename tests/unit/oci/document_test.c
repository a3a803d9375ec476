/* SPDX-License-Identifier: Apache-2.0 */
/* Which kind of document bytes are, and that one is never taken for two. */
#include "oci/document.h"

#include <string.h>

#include "pkg/base/alloc.h"
#include "tests/support/cmocka.h"

#define OCI_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define OCI_INDEX    "application/vnd.oci.image.index.v1+json"
#define SCHEMA1	     "application/vnd.docker.distribution.manifest.v1+json"

static struct error err;

static int sniff(const char *json, enum oci_media_type *ret, char *text, size_t size)
{
	error_clear(&err);
	return oci_document_sniff(json, strlen(json), "document", ret, text, size, &err);
}

static int check(const char *json, enum oci_media_type kind)
{
	struct jdoc *doc;
	int rc;

	error_clear(&err);
	assert_ok(jdoc_parse(json, strlen(json), "document", &doc, &err), &err);
	rc = oci_document_check(jdoc_root(doc), kind, &err);
	jdoc_free(doc);
	return rc;
}

static void the_kind_is_told_by_the_type_or_by_the_members(void **state)
{
	static const struct {
		const char *json;
		enum oci_media_type kind;
		const char *text;
	} cases[] = {
		{"{\"mediaType\":\"" OCI_MANIFEST "\"}", MEDIA_MANIFEST, OCI_MANIFEST},
		{"{\"mediaType\":\"" OCI_INDEX "\",\"layers\":[]}", MEDIA_INDEX, OCI_INDEX},
		{"{\"mediaType\":\"" SCHEMA1 "\"}", MEDIA_SCHEMA1, SCHEMA1},
		{"{\"mediaType\":\"text/html\",\"layers\":[]}", MEDIA_UNKNOWN, "text/html"},
		{"{\"manifests\":[]}", MEDIA_INDEX, ""},
		{"{\"layers\":[]}", MEDIA_MANIFEST, ""},
		{"{\"fsLayers\":[]}", MEDIA_SCHEMA1, ""},
		{"{\"fsLayers\":[],\"layers\":[]}", MEDIA_SCHEMA1, ""},
		{"{\"manifests\":[],\"layers\":[]}", MEDIA_UNKNOWN, ""},
		{"{\"manifests\":null,\"layers\":[]}", MEDIA_MANIFEST, ""},
		{"{}", MEDIA_UNKNOWN, ""},
		{"{\"Layers\":[]}", MEDIA_UNKNOWN, ""}, /* the wrong case is no member */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		enum oci_media_type kind;
		char text[100];

		assert_ok(sniff(cases[i].json, &kind, text, sizeof(text)), &err);
		assert_int_equal(kind, cases[i].kind);
		assert_string_equal(text, cases[i].text);
	}
}

static void a_long_type_is_cut_and_what_is_no_json_refused(void **state)
{
	static const char *const bad[] = {"",
					  "[",
					  "{\"mediaType\":7}",
					  "{\"layers\":{}}",
					  "{\"manifests\":\"x\"}",
					  "[1]",
					  "{\"a\":1,\"a\":2}"};
	enum oci_media_type kind;
	char text[8];

	(void)state;
	assert_ok(sniff("{\"mediaType\":\"" OCI_INDEX "\"}", &kind, text, sizeof(text)), &err);
	assert_int_equal(kind, MEDIA_INDEX);
	assert_string_equal(text, "applica");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(sniff(bad[i], &kind, text, sizeof(text)), -1);
		assert_error(&err, ERR_INVALID, "document");
	}
}

static void b04_a_document_is_of_one_kind_only(void **state)
{
	static const struct {
		const char *members;
		bool index, manifest;
	} cases[] = {
		{"", true, true},
		{",\"manifests\":[]", true, false},
		{",\"config\":{}", false, true},
		{",\"layers\":[]", false, true},
		{",\"fsLayers\":[]", false, false},
		{",\"manifests\":null", true, false}, /* null is a member, too */
		{",\"mediaType\":\"" OCI_INDEX "\"", true, false},
		{",\"mediaType\":\"" OCI_MANIFEST "\"", false, true},
		{",\"mediaType\":\"application/vnd.docker.distribution.manifest.list.v2+json\"",
		 true, false},
		{",\"mediaType\":\"application/vnd.docker.distribution.manifest.v2+json\"", false,
		 true},
		{",\"mediaType\":\"text/html\"", false, false},
		{",\"mediaType\":\"\"", false, false},
		{",\"mediaType\":3", false, false},
		{",\"history\":[],\"subject\":{}", true, true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup_free char *json = xasprintf("{\"schemaVersion\":2%s}", cases[i].members);

		if (check(json, MEDIA_INDEX) != (cases[i].index ? 0 : -1)
		    || check(json, MEDIA_MANIFEST) != (cases[i].manifest ? 0 : -1))
			fail_msg("%s", json);
	}
}

static void b05_schema_1_is_named_wherever_it_shows(void **state)
{
	static const char *const cases[] = {
		"{\"schemaVersion\":1}", "{\"schemaVersion\":2,\"mediaType\":\"" SCHEMA1 "\"}",
		"{\"mediaType\":\"application/vnd.docker.distribution.manifest.v1+prettyjws\",\"schemaVersion\":1}"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(check(cases[i], MEDIA_MANIFEST), -1);
		assert_error(&err, ERR_UNSUPPORTED, "document: a docker schema 1 manifest");
	}
}

static void b06_the_version_is_2(void **state)
{
	static const char *const versions[] = {"0", "3", "-2", "2.0", "\"2\"", "null", "20"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		cleanup_free char *json = xasprintf("{\"schemaVersion\":%s}", versions[i]);

		assert_int_equal(check(json, MEDIA_MANIFEST), -1);
		assert_error(&err, ERR_INVALID, "document.schemaVersion");
	}
	assert_int_equal(check("{}", MEDIA_INDEX), -1);
}

static void each_kind_has_a_type_to_write(void **state)
{
	(void)state;
	assert_string_equal(oci_document_default_type(MEDIA_MANIFEST), OCI_MANIFEST);
	assert_string_equal(oci_document_default_type(MEDIA_INDEX), OCI_INDEX);
	assert_string_equal(oci_document_default_type(MEDIA_SCHEMA1), SCHEMA1);
	assert_int_equal(oci_media_type_parse(oci_document_default_type(MEDIA_SCHEMA1)),
			 MEDIA_SCHEMA1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_kind_is_told_by_the_type_or_by_the_members),
		cmocka_unit_test(a_long_type_is_cut_and_what_is_no_json_refused),
		cmocka_unit_test(b04_a_document_is_of_one_kind_only),
		cmocka_unit_test(b05_schema_1_is_named_wherever_it_shows),
		cmocka_unit_test(b06_the_version_is_2),
		cmocka_unit_test(each_kind_has_a_type_to_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
