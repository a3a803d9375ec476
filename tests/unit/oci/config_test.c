/* SPDX-License-Identifier: Apache-2.0 */
/* Configs: rules B6, B15, B16; hostile ones F54, F56. */
#include "oci/config.h"

#include <stdio.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/base/log.h"
#include "tests/support/cmocka.h"
#include "tests/support/replace.h"

#define HEX63 "94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9"
#define IDS   "\"sha256:1" HEX63 "\",\"sha256:2" HEX63 "\""
#define GOOD                                                                                 \
	"{\"os\":\"linux\",\"architecture\":\"amd64\",\"created\":\"2024-01-02T03:04:05Z\"," \
	"\"config\":{\"Cmd\":null},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[" IDS "]}}"

static int parse(const char *json, struct oci_config *ret, struct error *err)
{
	return oci_config_parse(json, strlen(json), "config", ret, err);
}

static void refused(const char *from, const char *to, const char *reason)
{
	cleanup_free char *json = replaced(GOOD, from, to);
	struct oci_config c;
	struct error err = {0};

	if (parse(json, &c, &err) == 0)
		fail_msg("%s was taken", json);
	assert_error(&err, ERR_INVALID, reason);
}

static struct oci_config good(const char *from, const char *to)
{
	cleanup_free char *json = replaced(GOOD, from, to);
	struct oci_config c;
	struct error err = {0};

	assert_ok(parse(json, &c, &err), &err);
	return c;
}

static void a_config_has_platform_and_diff_ids(void **state)
{
	struct oci_config c = good("amd64", "x86_64");
	char text[DIGEST_TEXT_BYTES];

	(void)state;
	assert_string_equal(c.platform.os, "linux");
	assert_string_equal(c.platform.architecture, "amd64");
	assert_string_equal(c.created, "2024-01-02T03:04:05Z");
	assert_int_equal(c.n_diff_ids, 2);
	assert_string_equal(digest_format(&c.diff_ids[1], text), "sha256:2" HEX63);
	oci_config_release(&c);
	assert_null(c.diff_ids);
}

static void what_is_optional_may_be_missing(void **state)
{
	struct oci_config c = good("\"created\":\"2024-01-02T03:04:05Z\",", "");

	(void)state;
	assert_null(c.created);
	oci_config_release(&c);
	c = good("\"os\":\"linux\",", "");
	assert_string_equal(c.platform.os, "");
	oci_config_release(&c);
	c = good(",\"diff_ids\":[" IDS "]", "");
	assert_int_equal(c.n_diff_ids, 0);
	oci_config_release(&c);
	c = good("[" IDS "]", "null");
	assert_int_equal(c.n_diff_ids, 0);
	oci_config_release(&c);
}

static void b06_rootfs_type_must_be_layers(void **state)
{
	(void)state;
	refused("\"layers\"", "\"\"", "config.rootfs.type");
	refused("\"layers\"", "\"foo\"", "config.rootfs.type: 'foo'");
	refused("\"type\":\"layers\",", "", "config.rootfs.type: missing");
	refused(",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[" IDS "]}", "",
		"config.rootfs: missing");
}

static void f54_strange_diff_ids_are_refused(void **state)
{
	(void)state;
	refused("\"sha256:1" HEX63 "\"", "null", "config.rootfs.diff_ids[0]: not a string");
	refused("\"sha256:2" HEX63 "\"", "\"sha256:2\"", "config.rootfs.diff_ids[1]");
	refused("[" IDS "]", "{}", "config.rootfs.diff_ids: not an array");
	refused("[" IDS "]", "\"x\"", "config.rootfs.diff_ids: not an array");
}

static void f54_the_same_diff_id_twice_is_legal(void **state)
{
	struct oci_config c = good("sha256:2", "sha256:1");

	(void)state;
	assert_int_equal(c.n_diff_ids, 2);
	oci_config_release(&c);
}

static void f54_an_unknown_algorithm_is_unsupported(void **state)
{
	cleanup_free char *json = replaced(GOOD, "sha256:2", "blake3:2");
	struct oci_config c;
	struct error err = {0};

	(void)state;
	assert_int_equal(parse(json, &c, &err), -1);
	assert_error(&err, ERR_UNSUPPORTED, "config.rootfs.diff_ids[1]");
}

static void f56_wrong_types_are_refused(void **state)
{
	(void)state;
	refused("\"linux\"", "7", "config.os: not a string");
	refused("\"amd64\"", "[\"amd64\"]", "config.architecture: not a string");
	refused("\"2024-01-02T03:04:05Z\"", "2024", "config.created: not a string");
	refused("\"linux\"", "\"012345678901234567890123456789012\"", "config.os: longer");
}

static void b06_layers_and_diff_ids_must_be_as_many(void **state)
{
	struct oci_config c = good("amd64", "amd64");
	struct oci_platform want = {"linux", "amd64", ""};
	struct error err = {0};

	(void)state;
	assert_ok(oci_config_check(&c, 2, &want, &err), &err);
	assert_int_equal(oci_config_check(&c, 1, &want, &err), -1);
	assert_error(&err, ERR_INVALID, "1 layers, the config 2 diff_ids");
	assert_int_equal(oci_config_check(&c, 3, &want, &err), -1);
	assert_error(&err, ERR_INVALID, "3 layers, the config 2 diff_ids");
	oci_config_release(&c);
}

static void b15_other_systems_than_linux_are_unsupported(void **state)
{
	struct oci_config c = good("linux", "windows");
	struct oci_platform want = {"windows", "amd64", ""};
	struct error err = {0};

	(void)state;
	assert_int_equal(oci_config_check(&c, 2, &want, &err), -1);
	assert_error(&err, ERR_UNSUPPORTED, "windows");
	oci_config_release(&c);
}

static char warned[256];

static void sink(enum log_level level, const char *text)
{
	if (level == LOG_LEVEL_WARNING)
		snprintf(warned, sizeof(warned), "%s", text);
}

static void b16_another_architecture_is_warned_about(void **state)
{
	struct oci_config c = good("amd64", "s390x");
	struct oci_platform want = {"linux", "amd64", ""};
	struct error err = {0};

	(void)state;
	log_set_sink(sink, LOG_LEVEL_DEBUG);
	assert_ok(oci_config_check(&c, 2, &want, &err), &err);
	log_set_sink(NULL, LOG_LEVEL_DEBUG);
	assert_string_equal(warned, "the image is for linux/s390x, wanted is linux/amd64");
	oci_config_release(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_config_has_platform_and_diff_ids),
		cmocka_unit_test(what_is_optional_may_be_missing),
		cmocka_unit_test(b06_rootfs_type_must_be_layers),
		cmocka_unit_test(f54_strange_diff_ids_are_refused),
		cmocka_unit_test(f54_the_same_diff_id_twice_is_legal),
		cmocka_unit_test(f54_an_unknown_algorithm_is_unsupported),
		cmocka_unit_test(f56_wrong_types_are_refused),
		cmocka_unit_test(b06_layers_and_diff_ids_must_be_as_many),
		cmocka_unit_test(b15_other_systems_than_linux_are_unsupported),
		cmocka_unit_test(b16_another_architecture_is_warned_about),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
