/* SPDX-License-Identifier: Apache-2.0 */
/* The config and manifest of an image whose layers became one. */
#include "oci/squash.h"

#include <string.h>

#include "oci/config.h"
#include "oci/manifest.h"
#include "oci/runconfig.h"
#include "tests/support/cmocka.h"

#define HEX63 "94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9"
#define TWO                                                                                                     \
	"{\"created\":\"2024-05-06T07:08:09Z\",\"architecture\":\"arm64\",\"variant\":\"v8\",\"os\":\"linux\"," \
	"\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:1" HEX63 "\",\"sha256:2" HEX63                  \
	"\"]},"                                                                                                 \
	"\"history\":[{\"created_by\":\"a\",\"x\":1.5},{\"created_by\":\"b\",\"empty_layer\":true},"            \
	"{\"created_by\":\"c\",\"empty_layer\":false},3],"                                                      \
	"\"config\":{\"Cmd\":[\"/bin/sh\"],\"Odd\":[null,-7]}}"

static struct error err;
static struct digest diff_id;
static struct squashed s;

static int begin(void **state)
{
	(void)state;
	error_clear(&err);
	s = (struct squashed){0};
	digest_of(DIGEST_SHA256, "x", 1, &diff_id);
	return 0;
}

static int end(void **state)
{
	(void)state;
	squashed_release(&s);
	return 0;
}

static int squash_text(const char *config)
{
	struct buffer text = {.data = (uint8_t *)(uintptr_t)config, .len = strlen(config)};

	return squash(&text, &diff_id, 12345, &s, &err);
}

static void expect_described(const struct oci_descriptor *d, const struct buffer *bytes)
{
	struct digest got;

	digest_of(DIGEST_SHA256, bytes->data, bytes->len, &got);
	assert_true(digest_equal(&got, &d->digest));
	assert_int_equal(d->size_bytes, bytes->len);
}

static void the_documents_are_those_of_an_image_of_one_layer(void **state)
{
	struct oci_manifest m;
	struct oci_config c;

	(void)state;
	assert_ok(squash_text(TWO), &err);
	expect_described(&s.manifest, &s.manifest_bytes);
	expect_described(&s.config, &s.config_bytes);
	assert_ok(oci_manifest_parse(s.manifest_bytes.data, s.manifest_bytes.len, "m", &m, &err),
		  &err);
	assert_true(digest_equal(&m.config.digest, &s.config.digest));
	assert_int_equal(m.n_layers, 1);
	assert_true(digest_equal(&m.layers[0].digest, &diff_id));
	assert_int_equal(m.layers[0].size_bytes, 12345);
	oci_manifest_release(&m);
	assert_ok(oci_config_parse(s.config_bytes.data, s.config_bytes.len, "c", &c, &err), &err);
	assert_int_equal(c.n_diff_ids, 1);
	assert_true(digest_equal(&c.diff_ids[0], &diff_id));
	assert_string_equal(c.platform.architecture, "arm64");
	oci_config_release(&c);
}

static void what_it_says_of_running_stays_and_the_last_step_has_the_layer(void **state)
{
	struct oci_runconfig run;

	(void)state;
	assert_ok(squash_text(TWO), &err);
	buffer_add(&s.config_bytes, "", 1);
	assert_non_null(strstr((char *)s.config_bytes.data,
			       "\"config\":{\"Cmd\":[\"/bin/sh\"],\"Odd\":[null,-7]}"));
	s.config_bytes.len--;
	assert_ok(oci_runconfig_parse(s.config_bytes.data, s.config_bytes.len, "c", &run, &err),
		  &err);
	assert_string_equal(run.created, "2024-05-06T07:08:09Z");
	assert_int_equal(run.n_history, 4);
	for (size_t i = 0; i < 3; i++) {
		assert_true(run.history[i].empty_layer);
		assert_int_equal(run.history[i].created_by[0], "abc"[i]);
	}
	assert_false(run.history[3].empty_layer);
	assert_string_equal(run.history[3].created, "2024-05-06T07:08:09Z");
	oci_runconfig_release(&run);
}

static void squashed_again_it_is_the_same(void **state)
{
	struct squashed first;

	(void)state;
	assert_ok(squash_text(TWO), &err);
	first = s;
	s = (struct squashed){0};
	assert_ok(squash(&first.config_bytes, &diff_id, 12345, &s, &err), &err);
	assert_true(digest_equal(&s.config.digest, &first.config.digest));
	assert_true(digest_equal(&s.manifest.digest, &first.manifest.digest));
	squashed_release(&first);
}

static void a_config_that_is_none_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"[]",
		"{\"os\":1}",
		"{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]},\"history\":3}",
		"{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]},\"created\":3}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(squash_text(bad[i]), -1);
		assert_int_equal(err.kind, ERR_INVALID);
		assert_int_equal(s.config_bytes.len, 0);
	}
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		CASE(the_documents_are_those_of_an_image_of_one_layer),
		CASE(what_it_says_of_running_stays_and_the_last_step_has_the_layer),
		CASE(squashed_again_it_is_the_same),
		CASE(a_config_that_is_none_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
