/* SPDX-License-Identifier: Apache-2.0 */
/* Each image once, with all of its names. */
#include "oci/archive_images.h"

#include "tests/support/cmocka.h"

#define MANIFEST(digit, annotations)                                                           \
	"{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"size\":1,\"digest\":" \
	"\"sha256:" digit "000000000000000000000000000000000000000000000000000000000000000\"," \
	"\"annotations\":{" annotations "}}"
#define REF "\"org.opencontainers.image.ref.name\":"

static void b22_entries_of_one_digest_are_one_image(void **state)
{
	static const char json[] =
		"{\"schemaVersion\":2,\"manifests\":[" MANIFEST("1", REF "\"a\"") "," MANIFEST("2", "\"vnd.docker.reference.type\":\"attestation-manifest\"") "," MANIFEST(
			"3", REF
			"\"c\",\"io.containerd.image.name\":\"x/c:1\"") "," MANIFEST("1", REF
										     "\"b\"") "," MANIFEST("1",
													   REF
													   "\"a\"") "]}";
	struct oci_archive_images images;
	struct oci_index index;
	struct error err = {0};

	(void)state;
	assert_ok(oci_index_parse(json, strlen(json), "index.json", &index, &err), &err);
	oci_archive_images_of_index(&index, &images);
	assert_int_equal(images.n, 2);
	assert_int_equal(images.items[0].index, 0);
	assert_int_equal(images.items[0].names.n, 2);
	assert_string_equal(images.items[0].names.items[1], "b");
	assert_int_equal(images.items[1].index, 2);
	assert_int_equal(images.items[1].names.n, 1);
	assert_string_equal(images.items[1].names.items[0], "x/c:1");
	oci_archive_images_release(&images);
	oci_index_release(&index);
}

static void b24_images_of_docker_have_their_tags(void **state)
{
	static const char json[] = "[{\"Config\":\"a\",\"RepoTags\":[\"x:1\",\"x:1\",\"y:1\"]},"
				   "{\"Config\":\"b\"}]";
	struct oci_archive_images images;
	struct docker_manifest m;
	struct error err = {0};

	(void)state;
	assert_ok(docker_manifest_parse(json, strlen(json), &m, &err), &err);
	oci_archive_images_of_docker(&m, &images);
	assert_int_equal(images.n, 2);
	assert_int_equal(images.items[0].names.n, 2);
	assert_int_equal(images.items[1].index, 1);
	assert_int_equal(images.items[1].names.n, 0);
	oci_archive_images_release(&images);
	docker_manifest_release(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(b22_entries_of_one_digest_are_one_image),
		cmocka_unit_test(b24_images_of_docker_have_their_tags),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
