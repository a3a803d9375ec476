/* SPDX-License-Identifier: Apache-2.0 */
/* Manifests for what has none; whole images are in archive_test.c (rule B24). */
#include "oci/archive_parts.h"

#include <unistd.h>

#include "oci/manifest.h"
#include "tests/support/cmocka.h"
#include "tests/support/docker_save.h"

static void the_same_tree_is_the_same_image(void **state)
{
	const struct oci_platform platform = {.os = "linux", .architecture = "amd64"};
	struct oci_archive_parts one, two;
	struct oci_manifest m;
	cleanup_buffer struct buffer tar = {0};
	struct error err = {0};
	struct digest digest;
	int fd;

	(void)state;
	save_layer("x", &tar, &digest);
	fd = save_fd(&tar);
	assert_ok(oci_archive_parts_tree(fd, tar.len, &platform, &one, &err), &err);
	assert_ok(oci_archive_parts_tree(fd, tar.len, &platform, &two, &err), &err);
	assert_true(digest_equal(&one.target.digest, &two.target.digest));
	assert_null(strstr((char *)one.config.data, "created"));
	assert_ok(oci_manifest_parse(one.manifest.data, one.manifest.len, "manifest", &m, &err),
		  &err);
	assert_true(digest_equal(&m.layers[0].digest, &digest));
	assert_int_equal(m.layers[0].size_bytes, tar.len);
	oci_manifest_release(&m);
	oci_archive_parts_release(&one);
	oci_archive_parts_release(&two);
	close(fd);
}

static void b24_layers_in_xz_are_refused_by_name(void **state)
{
	cleanup(oci_members_free_ptr) struct oci_members *members = NULL;
	cleanup_buffer struct buffer tar = {0}, config = {0}, layer = {0};
	char *layers[] = {(char *)"1.tar.xz"};
	struct docker_image image = {.config = (char *)"c.json", .layers = {layers, 1}};
	struct oci_archive_parts parts;
	struct error err = {0};
	struct digest digest;
	int fd;

	(void)state;
	save_layer("x", &layer, &digest);
	save_config(&digest, 1, &config);
	save_file(&tar, "c.json", config.data, config.len);
	save_file(&tar, "1.tar.xz", "\xfd\x37\x7a\x58\x5a\0 and so on", 16);
	fd = save_fd(&tar);
	assert_ok(oci_members_scan(fd, tar.len, "x", &members, &err), &err);
	assert_int_equal(oci_archive_parts_docker(members, &image, &parts, &err), -1);
	assert_error(&err, ERR_UNSUPPORTED, "layer 1/1: 1.tar.xz: a layer compressed with xz");
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_tree_is_the_same_image),
		cmocka_unit_test(b24_layers_in_xz_are_refused_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
