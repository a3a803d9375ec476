/* SPDX-License-Identifier: Apache-2.0 */
/* Blobs: rules B8, C3; F59, F64. */
#include "registry/blob.h"

#include <stdlib.h>

#include "oci/spool.h"
#include "pkg/base/alloc.h"
#include "registry/source.h"
#include "tests/support/cmocka.h"
#include "tests/support/fake_registry.h"
#include "tests/support/scratch.h"

enum { BLOB_BYTES = 100000 };

static struct fake_registry server;
static struct oci_descriptor blob; /* of the bytes that are served */

static int start(void **state)
{
	cleanup_free uint8_t *bytes = xmalloc(BLOB_BYTES);

	(void)state;
	fake_registry_start(&server);
	for (size_t i = 0; i < BLOB_BYTES; i++)
		bytes[i] = (uint8_t)(i * i % 251);
	blob.size_bytes = BLOB_BYTES;
	blob.media_type = MEDIA_LAYER;
	digest_of(DIGEST_SHA256, bytes, BLOB_BYTES, &blob.digest);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	fake_registry_stop(&server);
	return 0;
}

/* Fetch and verify the blob of a repository. */
static int fetch(const char *path, const struct oci_descriptor *d, struct error *err)
{
	struct http_options http = {.connect_ms = 3000};
	struct session_options options = {.http = &http, .tries = 2, .backoff_ms = 10};
	cleanup_free char *text = xasprintf("127.0.0.1:%u/%s", server.port, path);
	cleanup(session_free_ptr) struct session *s = NULL;
	cleanup(stream_close_ptr) struct stream *in = NULL;
	struct reference ref;

	assert_ok(reference_parse(text, &ref, err), err);
	s = session_new(&ref, &options);
	reference_release(&ref);
	if (blob_fetch(s, d, &in, err) < 0
	    || stream_verify(&in, &d->digest, d->size_bytes, "blob", err) < 0)
		return -1;
	return stream_finish(in, err);
}

static void fails(const char *path, const struct oci_descriptor *d, enum error_kind kind,
		  const char *reason)
{
	struct error err = {0};

	if (fetch(path, d, &err) == 0)
		fail_msg("%s was taken", path);
	assert_error(&err, kind, reason);
}

static void c03_blobs_come_whole(void **state)
{
	static const char *const paths[] = {"ok",    "chunked",	 "close",
					    "hop-2", "resets-1", "fails-503-1"};
	struct error err = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		assert_ok(fetch(paths[i], &blob, &err), &err);
}

static void b08_f64_another_announced_size_fails_before_anything_is_read(void **state)
{
	(void)state;
	fails("size-99999", &blob, ERR_VERIFICATION, "offers 99999 bytes");
	fails("size-100001", &blob, ERR_VERIFICATION, "offers 100001 bytes");
	fails("size-0", &blob, ERR_VERIFICATION, "offers 0 bytes");
}

static void b08_f64_an_endless_body_is_read_to_its_size_only(void **state)
{
	(void)state;
	fails("endless", &blob, ERR_VERIFICATION, "more than the expected 100000");
}

static void f64_a_cut_body_is_a_network_error(void **state)
{
	(void)state;
	fails("cut-9", &blob, ERR_NETWORK, "cut after 50000 of 100000");
	fails("chunkcut", &blob, ERR_NETWORK, "cut after 1000");
}

static void f65_other_content_fails_verification(void **state)
{
	struct oci_descriptor other = blob;

	(void)state;
	other.digest.bytes[0] ^= 1;
	fails("ok", &other, ERR_VERIFICATION, "is expected");
}

static void f59_a_foreign_layer_is_only_asked_of_the_registry(void **state)
{
	struct oci_descriptor foreign = blob;
	struct error err = {0};

	(void)state;
	foreign.media_type = MEDIA_LAYER_FOREIGN;
	assert_ok(fetch("ok", &foreign, &err), &err);
	fails("status-404", &foreign, ERR_NOT_FOUND, "/v2/status-404/blobs/sha256:");
}

static void no_progress(size_t i, uint64_t bytes, void *arg)
{
	(void)i;
	(void)bytes;
	(void)arg;
}

/* Fetch the blob of a repository by way of the spool. */
static int spool(const char *path, struct error *err)
{
	cleanup_free char *text = xasprintf("127.0.0.1:%u/%s", server.port, path);
	cleanup(source_close_ptr) struct source *source = NULL;
	cleanup(spool_close_ptr) struct spool *s = NULL;
	cleanup(stream_close_ptr) struct stream *in = NULL;
	char *dir = scratch_new();
	int rc;

	assert_ok(registry_source_open(text, &source, err), err);
	s = spool_open(dir, source, &blob, 1, 1, no_progress, NULL);
	rc = spool_take(s, &in, NULL, err);
	scratch_free(dir);
	return rc;
}

static void f64_a_cut_body_is_fetched_anew_by_the_spool(void **state)
{
	struct error err = {0};

	(void)state;
	assert_ok(spool("cut-2/spool", &err), &err);
	assert_int_equal(spool("cut-9/spool", &err), -1);
	assert_error(&err, ERR_NETWORK, "tried 3 times");
}

/* What the spool asks to have all of the blob. */
static void c10_what_is_missing_is_asked_for_and_what_answers_is_looked_at(void **state)
{
	/* Each of them cuts the blob first, and answers the range in another way. */
	static const char *const answers[] = {
		"range-good",  "range-any",   "range-ignored", "range-200",
		"range-416",   "range-none",  "range-start",   "range-first",
		"range-end",   "range-total", "range-more",    "range-less",
		"range-words", "range-unit",  "range-wrong",   "rangecut-50000",
	};
	struct error err = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++)
		if (spool(answers[i], &err) < 0)
			fail_msg("%s: %s", answers[i], err.cause);
}

/* Whether a range is answered by what is missing (1), by all (0), or refused (-1). */
static int asks_from(const char *path, uint64_t at, struct error *err)
{
	cleanup_free char *text = xasprintf("127.0.0.1:%u/%s", server.port, path);
	cleanup(source_close_ptr) struct source *source = NULL;
	cleanup(stream_close_ptr) struct stream *in = NULL;
	cleanup_buffer struct buffer got = {0};
	struct byte_range range = {at, blob.size_bytes - at};

	assert_ok(registry_source_open(text, &source, err), err);
	if (source_fetch_range(source, &blob, &range, &in, err) < 0
	    || stream_read_all(in, BLOB_BYTES + 1, &got, err) < 0)
		return -1;
	assert_int_equal(got.len, range.bytes);
	if (range.bytes == BLOB_BYTES)
		return 0;
	assert_int_equal(range.offset, at);
	for (size_t i = 0; i < got.len; i++)
		if (got.data[i] != (uint8_t)((at + i) * (at + i) % 251))
			fail_msg("%s: byte %zu from %llu on", path, i, (unsigned long long)at);
	return 1;
}

static void c10_only_the_right_range_is_taken(void **state)
{
	static const struct {
		const char *path;
		int rc;
	} cases[] = {
		{"range-good/a", 1},
		{"range-any/a", 1},
		{"range-ignored/a", 0},
		{"range-200/a", 0},
	};
	static const char *const wrong[] = {
		"range-416/b",	 "range-none/b",  "range-start/b", "range-first/b", "range-end/b",
		"range-total/b", "range-words/b", "range-more/b",  "range-less/b",  "range-unit/b",
	};
	static const uint64_t offsets[] = {1, 777, 50000, BLOB_BYTES - 1};
	struct error err = {0};

	(void)state;
	for (size_t o = 0; o < ARRAY_SIZE(offsets); o++)
		for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
			if (asks_from(cases[i].path, offsets[o], &err) != cases[i].rc)
				fail_msg("%s from %llu on", cases[i].path,
					 (unsigned long long)offsets[o]);
	/* All of it is asked for then; the first time that is cut. */
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		assert_int_equal(asks_from(wrong[i], 50000, &err), -1);
		assert_error(&err, ERR_NETWORK, "cut after 50000 of 100000");
		error_clear(&err);
		assert_int_equal(asks_from(wrong[i], 50000, &err), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(c03_blobs_come_whole),
		cmocka_unit_test(b08_f64_another_announced_size_fails_before_anything_is_read),
		cmocka_unit_test(b08_f64_an_endless_body_is_read_to_its_size_only),
		cmocka_unit_test(f64_a_cut_body_is_a_network_error),
		cmocka_unit_test(f64_a_cut_body_is_fetched_anew_by_the_spool),
		cmocka_unit_test(c10_what_is_missing_is_asked_for_and_what_answers_is_looked_at),
		cmocka_unit_test(c10_only_the_right_range_is_taken),
		cmocka_unit_test(f65_other_content_fails_verification),
		cmocka_unit_test(f59_a_foreign_layer_is_only_asked_of_the_registry),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
