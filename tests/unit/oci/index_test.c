/* SPDX-License-Identifier: Apache-2.0 */
/* Indexes: rules B4, B6, B13, B15, B17. */
#include "oci/index.h"

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "tests/support/cmocka.h"
#include "tests/support/replace.h"

#define OCI   "application/vnd.oci.image."
#define HEX63 "94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9"
#define ENTRY_OF(type, nr, more) \
	"{\"mediaType\":\"" type "\",\"digest\":\"sha256:" nr HEX63 "\",\"size\":7" more "}"
#define ENTRY(nr, os, arch, more)            \
	ENTRY_OF(OCI "manifest.v1+json", nr, \
		 ",\"platform\":{\"os\":\"" os "\",\"architecture\":\"" arch "\"" more "}")
#define BARE(nr) ENTRY_OF(OCI "manifest.v1+json", nr, "")
#define INDEX(entries) \
	"{\"schemaVersion\":2,\"mediaType\":\"" OCI "index.v1+json\",\"manifests\":[" entries "]}"

static int parse(const char *json, struct oci_index *ret, struct error *err)
{
	return oci_index_parse(json, strlen(json), "index", ret, err);
}

static void refused(const char *json, enum error_kind kind, const char *reason)
{
	struct oci_index index;
	struct error err = {0};

	if (parse(json, &index, &err) == 0)
		fail_msg("%s was taken", json);
	assert_error(&err, kind, reason);
}

/* The first hex digit of the digest of the entry chosen; '-' and *err when none is. */
static char choose(const char *json, const char *wanted, struct error *err)
{
	const struct oci_descriptor *chosen;
	struct oci_platform want;
	struct oci_index index;
	char text[DIGEST_TEXT_BYTES], first = '-';

	assert_ok(oci_platform_parse(wanted, &want, err), err);
	assert_ok(parse(json, &index, err), err);
	if (oci_index_select(&index, &want, &chosen, err) == 0)
		first = digest_hex(&chosen->digest, text)[0];
	oci_index_release(&index);
	return first;
}

static void chosen(const char *json, const char *wanted, char expected)
{
	struct error err = {0};
	char got = choose(json, wanted, &err);

	if (got != expected)
		fail_msg("%s: entry %c, expected %c (%s)", wanted, got, expected, err.cause);
}

static void none_chosen(const char *json, const char *wanted, enum error_kind kind,
			const char *reason)
{
	struct error err = {0};

	assert_int_equal(choose(json, wanted, &err), '-');
	assert_error(&err, kind, reason);
}

static void an_index_has_entries_and_names(void **state)
{
	struct error err = {0};
	struct oci_index index;

	(void)state;
	assert_ok(
		parse(INDEX(ENTRY_OF(
			      OCI "manifest.v1+json", "a",
			      ",\"annotations\":{\"org.opencontainers.image.ref.name\":"
			      "\"3.20\",\"io.containerd.image.name\":\"x/y:3.20\"}") "," BARE("b")),
		      &index, &err),
		&err);
	assert_int_equal(index.n, 2);
	assert_string_equal(index.ref_names[0], "3.20");
	assert_string_equal(index.image_names[0], "x/y:3.20");
	assert_null(index.ref_names[1]);
	assert_null(index.image_names[1]);
	oci_index_release(&index);
	assert_int_equal(index.n, 0);
}

static void b01_media_type_may_be_missing_or_dockers(void **state)
{
	cleanup_free char *none =
		replaced(INDEX(BARE("a")), "\"mediaType\":\"" OCI "index.v1+json\",", "");
	cleanup_free char *docker =
		replaced(INDEX(BARE("a")), OCI "index.v1+json",
			 "application/vnd.docker.distribution.manifest.list.v2+json");

	(void)state;
	chosen(none, "linux/amd64", 'a');
	chosen(docker, "linux/amd64", 'a');
}

static void b04_f51_an_index_that_is_also_a_manifest_is_refused(void **state)
{
	static const char *const members[] = {"config", "layers", "fsLayers"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		cleanup_free char *more = xasprintf("{\"%s\":[],\"schema", members[i]);
		cleanup_free char *json = replaced(INDEX(BARE("a")), "{\"schema", more);

		refused(json, ERR_INVALID, members[i]);
	}
}

static void b04_an_index_that_calls_itself_a_manifest_is_refused(void **state)
{
	cleanup_free char *json = replaced(INDEX(""), "index.v1+json", "manifest.v1+json");

	(void)state;
	refused(json, ERR_INVALID, "calls itself");
}

static void b06_schema_version_must_be_2(void **state)
{
	cleanup_free char *three =
		replaced(INDEX(BARE("a")), "\"schemaVersion\":2", "\"schemaVersion\":3");
	cleanup_free char *none = replaced(INDEX(BARE("a")), "\"schemaVersion\":2,", "");

	(void)state;
	refused(three, ERR_INVALID, "schemaVersion");
	refused(none, ERR_INVALID, "schemaVersion: missing");
}

static void manifests_must_be_an_array_of_descriptors(void **state)
{
	(void)state;
	refused("{\"schemaVersion\":2}", ERR_INVALID, "index.manifests: missing");
	refused("{\"schemaVersion\":2,\"manifests\":{}}", ERR_INVALID, "not an array");
	refused(INDEX(BARE("a") ",7"), ERR_INVALID, "index.manifests[1]: not an object");
	refused(INDEX(BARE("a") ",{}"), ERR_INVALID, "index.manifests[1].mediaType: missing");
	refused(INDEX(BARE("../")), ERR_INVALID, "index.manifests[0].digest");
	refused("[]", ERR_INVALID, "not an object");
}

static void b13_the_best_match_is_chosen_not_the_first(void **state)
{
	static const char *json = INDEX(
		ENTRY("1", "linux", "arm", ",\"variant\":\"v6\"") "," ENTRY("2", "linux", "386", "") "," ENTRY(
			"3", "windows", "amd64",
			"") "," ENTRY("4", "linux", "amd64",
				      ",\"variant\":\"v2\"") "," ENTRY("5", "linux", "x86_64",
								       "") "," ENTRY("6", "linux",
										     "arm",
										     ",\"variant\":\"v7\"") "," ENTRY("7",
														      "linux",
														      "arm64",
														      ",\"variant\":\"v8\""));

	(void)state;
	chosen(json, "linux/amd64", '5');
	chosen(json, "linux/amd64/v3", '4');
	chosen(json, "linux/386", '2');
	chosen(json, "linux/arm64", '7');
	chosen(json, "linux/arm/v7", '6');
	chosen(json, "linux/arm/v6", '1');
	chosen(json, "windows/amd64", '3');
}

static void b13_of_equal_matches_the_first_is_chosen(void **state)
{
	(void)state;
	chosen(INDEX(ENTRY("1", "linux", "amd64", "") "," ENTRY("2", "linux", "amd64", "")),
	       "linux/amd64", '1');
}

static void b13_entries_without_a_platform_come_last(void **state)
{
	(void)state;
	chosen(INDEX(BARE("1") "," ENTRY("2", "linux", "386", "")), "linux/amd64", '2');
	chosen(INDEX(BARE("1") "," ENTRY("2", "linux", "s390x", "")), "linux/amd64", '1');
}

static void b13_attestations_and_unknown_types_are_never_chosen(void **state)
{
	(void)state;
	none_chosen(INDEX(ENTRY("1", "unknown", "unknown", "")), "linux/amd64", ERR_NOT_FOUND,
		    "no image in the index");
	none_chosen(INDEX(ENTRY_OF("application/vnd.example+json", "1", "")), "linux/amd64",
		    ERR_NOT_FOUND, "no image in the index");
	chosen(INDEX(ENTRY("1", "unknown", "unknown",
			   "") "," ENTRY_OF("application/vnd.example+json", "2", "") "," BARE("3")),
	       "linux/amd64", '3');
	none_chosen(INDEX(ENTRY("1", "unknown", "unknown", "")), "unknown/unknown", ERR_NOT_FOUND,
		    "no image");
}

#define SBOM ",\"artifactType\":\"x/sbom\""

static void b20_artifacts_without_a_platform_are_never_chosen(void **state)
{
	static const char type[] = ",\"artifactType\":\"" OCI "config.v1+json\"";
	cleanup_free char *image =
		xasprintf(INDEX("%.*s%s}"), (int)strlen(BARE("3")) - 1, BARE("3"), type);

	(void)state;
	chosen(INDEX(ENTRY_OF(OCI "manifest.v1+json", "1", SBOM) "," BARE("2")), "amd64", '2');
	none_chosen(INDEX(ENTRY_OF(OCI "manifest.v1+json", "1", SBOM)), "amd64", ERR_NOT_FOUND,
		    "no image in the index, only artifacts");
	/* An image may say so of itself. */
	chosen(image, "amd64", '3');
	chosen(INDEX(ENTRY_OF(OCI "manifest.v1+json", "1",
			      SBOM ",\"platform\":{\"os\":\"linux\",\"architecture\":\"amd64\"}")),
	       "amd64", '1');
}

static void b15_what_exists_is_listed(void **state)
{
	(void)state;
	none_chosen(INDEX(ENTRY("1", "linux", "s390x", "") "," ENTRY("2", "windows", "amd64", "")),
		    "linux/amd64", ERR_NOT_FOUND,
		    "no image for linux/amd64; there is linux/s390x, windows/amd64");
}

static void b17_an_index_in_an_index_can_be_chosen(void **state)
{
	(void)state;
	chosen(INDEX(ENTRY_OF(OCI "index.v1+json", "1", "")), "linux/amd64", '1');
}

static void b17_an_empty_index_has_no_image(void **state)
{
	(void)state;
	none_chosen(INDEX(""), "linux/amd64", ERR_NOT_FOUND, "no image");
}

static void b07_a_chosen_entry_must_have_a_known_digest(void **state)
{
	cleanup_free char *json = replaced(INDEX(BARE("1")), "sha256:", "blake3:");
	cleanup_free char *two = replaced(INDEX(BARE("1") "," ENTRY("2", "linux", "amd64", "")),
					  "sha256:1", "blake3:1");

	(void)state;
	none_chosen(json, "linux/amd64", ERR_UNSUPPORTED, "unknown algorithm");
	chosen(two, "linux/amd64", '2');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_index_has_entries_and_names),
		cmocka_unit_test(b01_media_type_may_be_missing_or_dockers),
		cmocka_unit_test(b04_f51_an_index_that_is_also_a_manifest_is_refused),
		cmocka_unit_test(b04_an_index_that_calls_itself_a_manifest_is_refused),
		cmocka_unit_test(b06_schema_version_must_be_2),
		cmocka_unit_test(manifests_must_be_an_array_of_descriptors),
		cmocka_unit_test(b13_the_best_match_is_chosen_not_the_first),
		cmocka_unit_test(b13_of_equal_matches_the_first_is_chosen),
		cmocka_unit_test(b13_entries_without_a_platform_come_last),
		cmocka_unit_test(b13_attestations_and_unknown_types_are_never_chosen),
		cmocka_unit_test(b20_artifacts_without_a_platform_are_never_chosen),
		cmocka_unit_test(b15_what_exists_is_listed),
		cmocka_unit_test(b17_an_index_in_an_index_can_be_chosen),
		cmocka_unit_test(b17_an_empty_index_has_no_image),
		cmocka_unit_test(b07_a_chosen_entry_must_have_a_known_digest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
