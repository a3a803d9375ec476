/* SPDX-License-Identifier: Apache-2.0 */
/* Tags and digests to descriptors: rules B1, B4, B5, B10, B18; F48, F64, F65. */
#include "registry/manifest.h"

#include <stdlib.h>

#include "oci/manifest.h"
#include "pkg/base/alloc.h"
#include "tests/support/cmocka.h"
#include "tests/support/fake_registry.h"

#define OCI "application/vnd.oci.image.manifest.v1+json"

static struct fake_registry server;
static char digest_text[DIGEST_TEXT_BYTES]; /* of the manifest that is served */

static int resolve_text(const char *text, struct oci_descriptor *ret, struct buffer *bytes,
			struct error *err)
{
	struct http_options http = {.connect_ms = 3000, .low_speed_s = 2};
	struct session_options options = {.http = &http, .tries = 3, .backoff_ms = 10};
	cleanup(session_free_ptr) struct session *s = NULL;
	struct reference ref;
	int rc;

	assert_ok(reference_parse(text, &ref, err), err);
	s = session_new(&ref, &options);
	rc = manifest_resolve(s, &ref, ret, bytes, err);
	reference_release(&ref);
	return rc;
}

static int resolve(const char *rest, struct oci_descriptor *ret, struct buffer *bytes,
		   struct error *err)
{
	cleanup_free char *text = xasprintf("127.0.0.1:%u/%s", server.port, rest);

	return resolve_text(text, ret, bytes, err);
}

static struct oci_descriptor good(const char *rest)
{
	struct buffer bytes = {0};
	struct oci_descriptor d;
	struct error err = {0};
	struct digest got;

	assert_ok(resolve(rest, &d, &bytes, &err), &err);
	digest_of(d.digest.algorithm, bytes.data, bytes.len, &got);
	assert_true(digest_equal(&d.digest, &got));
	assert_int_equal(d.size_bytes, bytes.len);
	buffer_release(&bytes);
	return d;
}

static void fails(const char *rest, enum error_kind kind, const char *reason)
{
	struct buffer bytes = {0};
	struct oci_descriptor d;
	struct error err = {0};

	if (resolve(rest, &d, &bytes, &err) == 0)
		fail_msg("%s was taken", rest);
	assert_error(&err, kind, reason);
	buffer_release(&bytes);
}

static int start(void **state)
{
	struct oci_descriptor d;

	(void)state;
	fake_registry_start(&server);
	d = good("ok:x");
	digest_format(&d.digest, digest_text);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	fake_registry_stop(&server);
	return 0;
}

static void b18_a_tag_becomes_a_descriptor(void **state)
{
	struct oci_descriptor d = good("ok:x");

	(void)state;
	assert_int_equal(d.media_type, MEDIA_MANIFEST);
	assert_string_equal(d.media_type_text, OCI);
	assert_int_equal(d.digest.algorithm, DIGEST_SHA256);
}

static void b18_a_digest_is_asked_for_and_verified(void **state)
{
	cleanup_free char *right = xasprintf("ok@%s", digest_text);
	cleanup_free char *both = xasprintf("ok:tag@%s", digest_text);
	cleanup_free char *sha512 = NULL;
	struct buffer bytes = {0};
	struct oci_descriptor d;
	struct error err = {0};
	char text[DIGEST_TEXT_BYTES];

	(void)state;
	good(right);
	good(both);
	fails("ok@sha256:0000000000000000000000000000000000000000000000000000000000000000",
	      ERR_VERIFICATION, "is expected");
	assert_ok(resolve("ok:x", &d, &bytes, &err), &err);
	digest_of(DIGEST_SHA512, bytes.data, bytes.len, &d.digest);
	sha512 = xasprintf("ok@%s", digest_format(&d.digest, text));
	buffer_release(&bytes);
	assert_int_equal(good(sha512).digest.algorithm, DIGEST_SHA512);
}

static void b18_f65_what_the_registry_says_of_the_digest_must_be_true(void **state)
{
	(void)state;
	good("said-none:x");
	good("said-unknown:x");
	good("said-sha512:x");
	fails("said-wrong:x", ERR_VERIFICATION, "Docker-Content-Digest says");
	fails("said-malformed:x", ERR_INVALID, "Docker-Content-Digest");
}

static void b04_f65_the_content_type_must_not_contradict_the_bytes(void **state)
{
	(void)state;
	assert_string_equal(good("type-none:x").media_type_text, OCI);
	assert_string_equal(good("type-plain:x").media_type_text, OCI);
	assert_string_equal(good("type-params:x").media_type_text, OCI);
	fails("type-index:x", ERR_INVALID, "the bytes say");
	fails("type-docker:x", ERR_INVALID, "the bytes say");
}

static void b05_schema_1_is_left_to_be_refused_by_name(void **state)
{
	(void)state;
	assert_int_equal(good("type-schema1:x").media_type, MEDIA_SCHEMA1);
}

static void what_is_no_document_is_refused(void **state)
{
	(void)state;
	fails("echo:x", ERR_INVALID, "manifest x");
}

static void b10_f48_endless_and_long_bodies_are_refused(void **state)
{
	(void)state;
	fails("long:x", ERR_INVALID, "at most 4194304");
	fails("endless:x", ERR_INVALID, "more than 4194304");
}

static void f64_a_cut_manifest_is_asked_for_again(void **state)
{
	(void)state;
	good("cut-2:x");
	fails("cut-3:x", ERR_NETWORK, "the body was cut");
}

static void refusals_are_passed_on(void **state)
{
	(void)state;
	fails("status-404:x", ERR_NOT_FOUND, "404 not found: MANIFEST_UNKNOWN");
	fails("status-403:x", ERR_UNAUTHORIZED, "403");
	/* The token server that this one names is nowhere. */
	fails("status-401:x", ERR_NETWORK, "token: https://auth.test/token");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(b18_a_tag_becomes_a_descriptor),
		cmocka_unit_test(b18_a_digest_is_asked_for_and_verified),
		cmocka_unit_test(b18_f65_what_the_registry_says_of_the_digest_must_be_true),
		cmocka_unit_test(b04_f65_the_content_type_must_not_contradict_the_bytes),
		cmocka_unit_test(b05_schema_1_is_left_to_be_refused_by_name),
		cmocka_unit_test(what_is_no_document_is_refused),
		cmocka_unit_test(b10_f48_endless_and_long_bodies_are_refused),
		cmocka_unit_test(f64_a_cut_manifest_is_asked_for_again),
		cmocka_unit_test(refusals_are_passed_on),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
