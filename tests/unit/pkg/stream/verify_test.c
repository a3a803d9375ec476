/* SPDX-License-Identifier: Apache-2.0 */
/* Size and digest: what holds passes, and what does not is never seen to end well. */
#include "tests/support/cmocka.h"

#include "pkg/base/alloc.h"
#include "tests/support/pieces.h"

static const char text[] = "0123456789abcdefghijklmnopqrstuvwxyz";
enum { TEXT_BYTES = sizeof(text) - 1 };

static struct stream *text_stream(size_t piece)
{
	return pieces_stream(&(struct pieces){.data = text, .len = TEXT_BYTES, .piece = piece});
}

static struct digest text_digest(enum digest_algorithm algorithm)
{
	struct digest d;

	digest_of(algorithm, text, TEXT_BYTES, &d);
	return d;
}

static void size_and_digest_that_hold_are_passed(void **state)
{
	(void)state;
	for (size_t piece = 1; piece <= TEXT_BYTES; piece++) {
		for (int a = DIGEST_SHA256; a <= DIGEST_SHA512; a++) {
			cleanup(stream_close_ptr) struct stream *s = text_stream(piece);
			struct digest d = text_digest((enum digest_algorithm)a);
			cleanup_buffer struct buffer out = {0};
			struct error err = {0};

			assert_ok(stream_verify(&s, &d, TEXT_BYTES, "blob", &err), &err);
			assert_ok(stream_verify(&s, &d, STREAM_SIZE_UNKNOWN, "DiffID", &err), &err);
			assert_ok(stream_read_all(s, 100, &out, &err), &err);
			assert_ok(stream_finish(s, &err), &err);
			assert_memory_equal(out.data, text, TEXT_BYTES);
		}
	}
}

static void digest_mismatch_is_reported_even_if_reader_stops_early(void **state)
{
	cleanup(stream_close_ptr) struct stream *s = text_stream(10);
	struct digest d = text_digest(DIGEST_SHA256);
	const uint8_t *p;
	struct error err = {0};
	size_t n;

	(void)state;
	d.bytes[31] ^= 1;
	assert_ok(stream_verify(&s, &d, TEXT_BYTES, "blob", &err), &err);
	assert_ok(stream_peek(s, &p, &n, &err), &err);
	assert_int_equal(stream_finish(s, &err), -1);
	assert_error(&err, ERR_VERIFICATION, "blob is sha256:");
}

static void the_end_is_never_seen_without_a_matching_digest(void **state)
{
	cleanup(stream_close_ptr) struct stream *s = text_stream(10);
	struct digest d = text_digest(DIGEST_SHA256);
	cleanup_buffer struct buffer out = {0};
	struct error err = {0};

	(void)state;
	d.bytes[0] ^= 1;
	assert_ok(stream_verify(&s, &d, STREAM_SIZE_UNKNOWN, "blob", &err), &err);
	assert_int_equal(stream_read_all(s, 100, &out, &err), -1);
	assert_error(&err, ERR_VERIFICATION, "is expected");
}

static void a_longer_stream_is_refused_before_its_end(void **state)
{
	cleanup(stream_close_ptr) struct stream *s = pieces_stream(
		&(struct pieces){.data = text, .len = TEXT_BYTES, .piece = 1, .fails = true});
	struct digest d;
	cleanup_buffer struct buffer out = {0};
	struct error err = {0};

	(void)state;
	digest_of(DIGEST_SHA256, text, 10, &d);
	assert_ok(stream_verify(&s, &d, 10, "blob", &err), &err);
	assert_int_equal(stream_read_all(s, 100, &out, &err), -1);
	assert_error(&err, ERR_VERIFICATION, "blob has more than the expected 10 bytes");
	assert_int_equal(out.len, 10);
}

static void a_shorter_stream_is_refused_even_if_the_digest_would_match(void **state)
{
	cleanup(stream_close_ptr) struct stream *s = text_stream(9);
	struct digest d = text_digest(DIGEST_SHA256);
	struct error err = {0};

	(void)state;
	assert_ok(stream_verify(&s, &d, TEXT_BYTES + 1, "blob", &err), &err);
	assert_int_equal(stream_finish(s, &err), -1);
	assert_error(&err, ERR_VERIFICATION, "blob has only 36 bytes, 37 are expected");
}

static void no_digest_verifies_nothing(void **state)
{
	int released = 0;
	struct stream *s = pieces_stream(&(struct pieces){.released = &released});
	struct error err = {0};

	(void)state;
	assert_int_equal(stream_verify(&s, &(struct digest){0}, 0, "blob", &err), -1);
	assert_error(&err, ERR_VERIFICATION, "blob has no digest");
	assert_null(s);
	assert_int_equal(released, 1);
}

static void an_error_below_is_not_a_mismatch(void **state)
{
	cleanup(stream_close_ptr) struct stream *s =
		pieces_stream(&(struct pieces){.data = text, .len = 5, .piece = 2, .fails = true});
	struct digest d = text_digest(DIGEST_SHA256);
	struct error err = {0};

	(void)state;
	assert_ok(stream_verify(&s, &d, TEXT_BYTES, "blob", &err), &err);
	assert_int_equal(stream_finish(s, &err), -1);
	assert_error(&err, ERR_NETWORK, "connection lost");
}

/* What is asked for may be nothing, and only nothing is that. */
static void an_empty_stream_has_a_digest_too(void **state)
{
	struct error err = {0};
	struct digest d;

	(void)state;
	digest_of(DIGEST_SHA256, "", 0, &d);
	for (size_t len = 0; len < 2; len++) {
		cleanup(stream_close_ptr) struct stream *s = stream_from_memory("x", len);

		assert_ok(stream_verify(&s, &d, 0, "blob", &err), &err);
		assert_int_equal(stream_finish(s, &err), len ? -1 : 0);
	}
	assert_error(&err, ERR_VERIFICATION, "more than the expected 0 bytes");
}

static void finishing_reaches_what_is_below(void **state)
{
	int finished = 0, released = 0;
	struct stream *s = pieces_stream(&(struct pieces){.data = text,
							  .len = TEXT_BYTES,
							  .piece = 10,
							  .finished = &finished,
							  .released = &released,
							  .finish_rc = -1});
	struct digest d = text_digest(DIGEST_SHA256);
	struct error err = {0};

	(void)state;
	assert_ok(stream_verify(&s, &d, TEXT_BYTES, "blob", &err), &err);
	assert_int_equal(stream_finish(s, &err), -1);
	assert_error(&err, ERR_NETWORK, "finish failed");
	assert_int_equal(finished, 1);
	stream_close(s);
	assert_int_equal(released, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(size_and_digest_that_hold_are_passed),
		cmocka_unit_test(digest_mismatch_is_reported_even_if_reader_stops_early),
		cmocka_unit_test(the_end_is_never_seen_without_a_matching_digest),
		cmocka_unit_test(a_longer_stream_is_refused_before_its_end),
		cmocka_unit_test(a_shorter_stream_is_refused_even_if_the_digest_would_match),
		cmocka_unit_test(no_digest_verifies_nothing),
		cmocka_unit_test(an_error_below_is_not_a_mismatch),
		cmocka_unit_test(an_empty_stream_has_a_digest_too),
		cmocka_unit_test(finishing_reaches_what_is_below),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
