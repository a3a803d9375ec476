/* SPDX-License-Identifier: Apache-2.0 */
/* References: rule C1. */
#include "registry/reference.h"

#include <stdlib.h>

#include "pkg/base/alloc.h"
#include "tests/support/cmocka.h"

#define HEX	 "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9"
#define TEN	 "0123456789"
#define LONG_TAG TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN "01234567" /* 128 characters */

static void c01_references_have_one_normal_form(void **state)
{
	static const char *const cases[][2] = {
		{"alpine", "docker.io/library/alpine:latest"},
		{"alpine:3.20", "docker.io/library/alpine:3.20"},
		{"docker://alpine:3.20", "docker.io/library/alpine:3.20"},
		{"library/alpine", "docker.io/library/alpine:latest"},
		{"grafana/grafana:11", "docker.io/grafana/grafana:11"},
		{"docker.io/alpine", "docker.io/library/alpine:latest"},
		{"docker.io/grafana/grafana", "docker.io/grafana/grafana:latest"},
		{"index.docker.io/alpine", "docker.io/library/alpine:latest"},
		{"Docker.IO/alpine", "docker.io/library/alpine:latest"},
		{"docker.io/library/alpine:latest", "docker.io/library/alpine:latest"},
		{"quay.io/a/b/c:1", "quay.io/a/b/c:1"},
		{"quay.io/a", "quay.io/a:latest"},
		{"gcr.io/a-b/c_d/e__f/g.h/i--j/k---l", "gcr.io/a-b/c_d/e__f/g.h/i--j/k---l:latest"},
		{"localhost/x", "localhost/x:latest"},
		{"localhost:5000/x:y", "localhost:5000/x:y"},
		{"localhost:5000", "docker.io/library/localhost:5000"},
		{"127.0.0.1:5000/x", "127.0.0.1:5000/x:latest"},
		{"[::1]:5000/x", "[::1]:5000/x:latest"},
		{"[2001:db8::1]/x/y:z", "[2001:db8::1]/x/y:z"},
		{"myhost:443/x", "myhost:443/x:latest"},
		{"MyHost/x", "MyHost/x:latest"},
		{"my-host.example.com/x", "my-host.example.com/x:latest"},
		{"x-n--fiqs8s.example/x", "x-n--fiqs8s.example/x:latest"},
		{"a", "docker.io/library/a:latest"},
		{"0", "docker.io/library/0:latest"},
		{"a:A_b.c-d", "docker.io/library/a:A_b.c-d"},
		{"a:_", "docker.io/library/a:_"},
		{"a:" LONG_TAG, "docker.io/library/a:" LONG_TAG},
		{"alpine@sha256:" HEX, "docker.io/library/alpine@sha256:" HEX},
		{"alpine:3@sha256:" HEX, "docker.io/library/alpine:3@sha256:" HEX},
		{"quay.io:443/a/b@sha512:" HEX HEX, "quay.io:443/a/b@sha512:" HEX HEX},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup_free char *name = NULL, *again = NULL;
		struct reference r;
		struct error err = {0};

		assert_ok(reference_parse(cases[i][0], &r, &err), &err);
		name = reference_name(&r);
		reference_release(&r);
		assert_string_equal(name, cases[i][1]);
		/* What one prints, the others take. */
		assert_ok(reference_parse(name, &r, &err), &err);
		again = reference_name(&r);
		reference_release(&r);
		assert_string_equal(again, name);
	}
}

static void c01_parts_are_taken_apart(void **state)
{
	struct reference r;
	struct error err = {0};
	char text[DIGEST_TEXT_BYTES];

	(void)state;
	assert_ok(reference_parse("docker://[::1]:5000/a/b:c@sha256:" HEX, &r, &err), &err);
	assert_string_equal(r.domain, "[::1]:5000");
	assert_string_equal(r.path, "a/b");
	assert_string_equal(r.tag, "c");
	assert_string_equal(digest_format(&r.digest, text), "sha256:" HEX);
	assert_string_equal(reference_api_host(&r), "[::1]:5000");
	reference_release(&r);
	assert_ok(reference_parse("alpine@sha256:" HEX, &r, &err), &err);
	assert_null(r.tag);
	assert_string_equal(reference_api_host(&r), "registry-1.docker.io");
	assert_string_equal(reference_domain_of("registry-1.docker.io"), "docker.io");
	assert_string_equal(reference_domain_of("quay.io:5000"), "quay.io:5000");
	reference_release(&r);
	assert_ok(reference_parse("alpine", &r, &err), &err);
	assert_int_equal(r.digest.algorithm, DIGEST_NONE);
	reference_release(&r);
}

static void refused(const char *text, const char *reason)
{
	struct reference r;
	struct error err = {0};

	if (reference_parse(text, &r, &err) == 0) {
		reference_release(&r);
		fail_msg("'%s' was taken", text);
	}
	assert_error(&err, ERR_USAGE, reason);
}

static const char *const malformed[][2] = {
	{"", "is expected"},
	{"-alpine", "start with '-'"},
	{"--help", "start with '-'"},
	{"al pine", "no spaces"},
	{"alpine ", "no spaces"},
	{"alpine\n", "control characters"},
	{"alp\x1bine", "control characters"},
	{"https://quay.io/a/b", "is a URL, the reference is 'quay.io/a/b'"},
	{"oci://x", "is a URL"},
	{"docker://", "not a valid image name"},
	{"Alpine", "'Alpine': the name of an image must be in lower case: 'alpine'"},
	{"quay.io/Alpine", "lower case"},
	{"a/B", "lower case"},
	{"alpine:", "'' is not a valid tag: letters, digits"},
	{"alpine:-x", "not a valid tag"},
	{"alpine:.x", "not a valid tag"},
	{"alpine:x/y", "no valid port"},
	{"quay.io/alpine:a:b", "not a valid tag"},
	{"alpine:a+b", "not a valid tag"},
	{"alpine:" LONG_TAG "9", "not a valid tag"},
	{"quay.io/", "not a valid image name: a to z and digits"},
	{"/alpine", "not a valid image name"},
	{"quay.io//alpine", "not a valid image name"},
	{"quay.io/alpine/", "not a valid image name"},
	{"quay.io/../alpine", "not a valid image name"},
	{"quay.io/./alpine", "not a valid image name"},
	{"quay.io/a..b", "not a valid image name"},
	{"quay.io/a_-b", "not a valid image name"},
	{"quay.io/a___b", "not a valid image name"},
	{"quay.io/.a", "not a valid image name"},
	{"quay.io/a.", "not a valid image name"},
	{"quay.io/-a", "not a valid image name"},
	{"quay.io/a%2fb", "not a valid image name"},
	{"quay.io/a?b", "not a valid image name"},
	{"quay.io/a#b", "not a valid image name"},
	{"quay.io/\xc3\xa9", "not a valid image name"},
	{".io/a", "not a registry host"},
	{"quay..io/a", "not a registry host"},
	{"quay.io./a", "not a registry host"},
	{"-quay.io/a", "start with '-'"},
	{"x.-quay.io/a", "not a registry host"},
	{"quay-.io/a", "not a registry host"},
	{"me@quay.io/a", "no user name"},
	{"me:secret@quay.io/a", "no user name in it: --creds"},
	{"quay.io:/a", "port"},
	{"quay.io:0/a", "port"},
	{"quay.io:65536/a", "port"},
	{"quay.io:123456/a", "port"},
	{"quay.io:5x/a", "port"},
	{"quay.io:5:6/a", "not a registry host"},
	{"[::1/a", "not a registry host"},
	{"[::1]:5000", "a registry without the name of an image"},
	{"[::1]", "a registry without the name of an image"},
	{"[]:5000/a", "not a registry host"},
	{"[fe80::1%eth0]:5000/a", "not a registry host"},
	{"[::1]x:5000/a", "not a registry host"},
	{"quay_io.example/a", "not a registry host"},
	{HEX, "64 hex digits"},
	{HEX ":latest", "64 hex digits"},
	{"alpine@", "not a digest"},
	{"alpine@sha256:abc", "not a digest"},
	{"alpine@sha256:" HEX "@sha256:" HEX, "not a digest"},
	{"alpine@sha256:../../../etc/passwd", "not a digest"},
	{"alpine@blake3:" HEX, "not known"},
	{"alpine@" HEX, "not a digest"},
	{"@sha256:" HEX, "not a valid image name"},
	{":latest", "not a valid image name"},
};

static void c01_malformed_references_are_usage_errors(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(malformed); i++)
		refused(malformed[i][0], malformed[i][1]);
}

static void c01_a_name_has_at_most_255_characters(void **state)
{
	char text[300];
	struct reference r;
	struct error err = {0};

	(void)state;
	memset(text, 'a', sizeof(text));
	memcpy(text, "quay.io/", 8);
	text[255] = '\0';
	assert_ok(reference_parse(text, &r, &err), &err);
	reference_release(&r);
	text[255] = 'a';
	text[256] = '\0';
	refused(text, "more than 255");
}

static void a_long_text_is_refused_at_once(void **state)
{
	cleanup_free char *text = xmalloc(100001);

	(void)state;
	memset(text, 'a', 100000);
	text[100000] = '\0';
	refused(text, "more than 1024");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(c01_references_have_one_normal_form),
		cmocka_unit_test(c01_parts_are_taken_apart),
		cmocka_unit_test(c01_malformed_references_are_usage_errors),
		cmocka_unit_test(c01_a_name_has_at_most_255_characters),
		cmocka_unit_test(a_long_text_is_refused_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
