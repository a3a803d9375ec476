/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors: rules B7, B9, B13, and the hostile digests of F53. */
#include "oci/descriptor.h"

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "tests/support/cmocka.h"
#include "tests/support/replace.h"

#define HEX64 "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9"
#define TYPE  "application/vnd.oci.image.layer.v1.tar+gzip"
/* HEX64 is the sum of the 11 bytes "hello world". */
#define GOOD "{\"mediaType\":\"" TYPE "\",\"digest\":\"sha256:" HEX64 "\",\"size\":11}"

static int parse(const char *json, struct oci_descriptor *ret, struct error *err)
{
	cleanup(jdoc_free_ptr) struct jdoc *doc = NULL;

	assert_ok(jdoc_parse(json, strlen(json), "d", &doc, err), err);
	return oci_descriptor_parse(jdoc_root(doc), ret, err);
}

static struct oci_descriptor good(const char *json)
{
	struct oci_descriptor d;
	struct error err = {0};

	assert_ok(parse(json, &d, &err), &err);
	return d;
}

static void refused(const char *from, const char *to, enum error_kind kind, const char *reason)
{
	cleanup_free char *json = replaced(GOOD, from, to);
	struct oci_descriptor d;
	struct error err = {0};

	if (parse(json, &d, &err) == 0)
		fail_msg("%s was taken", json);
	assert_error(&err, kind, reason);
}

static void a_descriptor_has_type_digest_and_size(void **state)
{
	struct oci_descriptor d = good(GOOD);
	char text[DIGEST_TEXT_BYTES];

	(void)state;
	assert_int_equal(d.media_type, MEDIA_LAYER);
	assert_string_equal(d.media_type_text, TYPE);
	assert_string_equal(digest_format(&d.digest, text), "sha256:" HEX64);
	assert_int_equal(d.size_bytes, 11);
	assert_false(d.has_platform);
	assert_false(d.is_attestation);
}

static void b07_what_is_required_must_be_there(void **state)
{
	(void)state;
	refused("\"mediaType\":\"" TYPE "\",", "", ERR_INVALID, "d.mediaType: missing");
	refused(",\"size\":11", "", ERR_INVALID, "d.size: missing");
	refused("\"digest\":\"sha256:" HEX64 "\",", "", ERR_INVALID, "d.digest: missing");
	refused(":11", ":null", ERR_INVALID, "d.size: missing");
}

static void b07_negative_size_is_refused(void **state)
{
	(void)state;
	refused(":11", ":-1", ERR_INVALID, "d.size: negative");
}

static void b07_f52_size_must_be_an_integer(void **state)
{
	(void)state;
	refused(":11", ":11.0", ERR_INVALID, "d.size: not an integer");
	refused(":11", ":1e3", ERR_INVALID, "d.size: not an integer");
	refused(":11", ":\"11\"", ERR_INVALID, "d.size: not an integer");
	refused(":11", ":[11]", ERR_INVALID, "d.size: not an integer");
}

static void b07_f53_malformed_digests_are_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"sha256:",
		":" HEX64,
		HEX64,
		"sha256:../../../etc/passwd",
		"sha256:..%2f..%2fetc",
		"sha256:B94D27B9934D3E08A52E52D7DA7DABFAC484EFE37A5380EE9088F7ACE2EFCDE9",
		"SHA256:" HEX64,
		"sha256:b94d27",
		"sha256:" HEX64 "0",
		"sha512:" HEX64,
		"sha256:" HEX64 " ",
		"sha256:" HEX64 "/x",
		"sha256+:" HEX64,
		"sha256/../x:" HEX64,
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		refused("sha256:" HEX64, bad[i], ERR_INVALID, "d.digest");
}

static void b07_an_unknown_algorithm_can_be_listed_but_not_verified(void **state)
{
	cleanup_free char *json = replaced(GOOD, "sha256:", "blake3:");
	cleanup(jdoc_free_ptr) struct jdoc *doc = NULL;
	struct oci_descriptor d = good(json);
	struct error err = {0};

	(void)state;
	assert_int_equal(d.digest.algorithm, DIGEST_NONE);
	assert_ok(jdoc_parse(json, strlen(json), "d", &doc, &err), &err);
	assert_int_equal(oci_descriptor_check_digest(jdoc_root(doc), &d, &err), -1);
	assert_error(&err, ERR_UNSUPPORTED, "blake3");
}

static void b07_sha512_is_known(void **state)
{
	cleanup_free char *json = replaced(GOOD, "sha256:" HEX64, "sha512:" HEX64 HEX64);

	(void)state;
	assert_int_equal(good(json).digest.algorithm, DIGEST_SHA512);
}

static void b09_data_must_have_size_and_digest(void **state)
{
	cleanup_free char *json = replaced(GOOD, ":11", ":11,\"data\":\"aGVsbG8gd29ybGQ=\"");

	(void)state;
	good(json);
	refused(":11", ":11,\"data\":\"aGVsbG8gd29ybGU=\"", ERR_VERIFICATION, "d.data: does not");
	refused(":11", ":10,\"data\":\"aGVsbG8gd29ybGQ=\"", ERR_VERIFICATION, "d.data: 11 bytes");
	refused(":11", ":11,\"data\":\"\"", ERR_VERIFICATION, "d.data: 0 bytes");
	refused(":11", ":11,\"data\":\"aGVsbG8gd29ybGQ\"", ERR_INVALID, "d.data: not base64");
	refused(":11", ":11,\"data\":7", ERR_INVALID, "d.data: not a string");
}

static void a_platform_is_normalised(void **state)
{
	cleanup_free char *json =
		replaced(GOOD, ":11",
			 ":11,\"platform\":{\"os\":\"linux\",\"architecture\":\"aarch64\"}");
	struct oci_descriptor d = good(json);

	(void)state;
	assert_true(d.has_platform);
	assert_string_equal(d.platform.architecture, "arm64");
}

static void a_platform_of_empty_texts_is_none(void **state)
{
	cleanup_free char *json =
		replaced(GOOD, ":11", ":11,\"platform\":{\"os\":\"\",\"architecture\":\"\"}");

	(void)state;
	assert_false(good(json).has_platform);
}

static void strange_platforms_are_refused(void **state)
{
	(void)state;
	refused(":11", ":11,\"platform\":\"linux\"", ERR_INVALID, "d.platform: not an object");
	refused(":11", ":11,\"platform\":{\"os\":1}", ERR_INVALID, "d.platform.os: not a string");
	refused(":11", ":11,\"platform\":{\"os\":\"0123456789012345678901234567890123\"}",
		ERR_INVALID, "d.platform.os: longer");
}

static void b13_attestations_are_known_by_platform_or_annotation(void **state)
{
	cleanup_free char *by_platform =
		replaced(GOOD, ":11",
			 ":11,\"platform\":{\"os\":\"unknown\",\"architecture\":\"unknown\"}");
	cleanup_free char *by_annotation =
		replaced(GOOD, ":11",
			 ":11,\"annotations\":{\"vnd.docker.reference.type\":"
			 "\"attestation-manifest\"}");

	(void)state;
	assert_true(good(by_platform).is_attestation);
	assert_true(good(by_annotation).is_attestation);
}

static void b20_b21_unknown_members_are_ignored(void **state)
{
	cleanup_free char *json =
		replaced(GOOD, ":11",
			 ":11,\"artifactType\":\"x/y\",\"annotations\":{\"a\":\"b\"},\"x\":[1,{}],"
			 "\"urls\":[\"file:///etc/shadow\"]");

	(void)state;
	good(json);
}

static void long_media_types_are_cut(void **state)
{
	char type[300];
	cleanup_free char *json = NULL;
	struct oci_descriptor d;

	(void)state;
	memset(type, 'x', sizeof(type) - 1);
	type[sizeof(type) - 1] = '\0';
	json = replaced(GOOD, TYPE, type);
	d = good(json);
	assert_int_equal(d.media_type, MEDIA_UNKNOWN);
	assert_int_equal(strlen(d.media_type_text), sizeof(d.media_type_text) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_descriptor_has_type_digest_and_size),
		cmocka_unit_test(b07_what_is_required_must_be_there),
		cmocka_unit_test(b07_negative_size_is_refused),
		cmocka_unit_test(b07_f52_size_must_be_an_integer),
		cmocka_unit_test(b07_f53_malformed_digests_are_refused),
		cmocka_unit_test(b07_an_unknown_algorithm_can_be_listed_but_not_verified),
		cmocka_unit_test(b07_sha512_is_known),
		cmocka_unit_test(b09_data_must_have_size_and_digest),
		cmocka_unit_test(a_platform_is_normalised),
		cmocka_unit_test(a_platform_of_empty_texts_is_none),
		cmocka_unit_test(strange_platforms_are_refused),
		cmocka_unit_test(b13_attestations_are_known_by_platform_or_annotation),
		cmocka_unit_test(b20_b21_unknown_members_are_ignored),
		cmocka_unit_test(long_media_types_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
