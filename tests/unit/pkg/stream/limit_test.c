/* SPDX-License-Identifier: Apache-2.0 */
/* So many bytes and not one more, wherever the pieces end. */
#include "tests/support/cmocka.h"

#include "pkg/base/alloc.h"
#include "pkg/stream/stream_internal.h"
#include "tests/support/pieces.h"

static const char text[] = "0123456789abcdefghijklmnopqrstuvwxyz";
enum { TEXT_BYTES = sizeof(text) - 1 };

static void as_many_as_allowed_pass_in_pieces_of_every_size(void **state)
{
	(void)state;
	for (size_t piece = 1; piece <= TEXT_BYTES + 1; piece++) {
		struct stream *inner = pieces_stream(
			&(struct pieces){.data = text, .len = TEXT_BYTES, .piece = piece});
		cleanup(stream_close_ptr) struct stream *s = stream_limit(&inner, TEXT_BYTES);
		cleanup_buffer struct buffer out = {0};
		struct error err = {0};

		assert_null(inner);
		assert_ok(stream_read_all(s, 100, &out, &err), &err);
		assert_int_equal(out.len, TEXT_BYTES);
		assert_memory_equal(out.data, text, TEXT_BYTES);
		assert_ok(stream_finish(s, &err), &err);
	}
}

static void one_more_is_refused_and_stays_so(void **state)
{
	(void)state;
	for (size_t piece = 1; piece <= TEXT_BYTES; piece++) {
		struct stream *inner = pieces_stream(
			&(struct pieces){.data = text, .len = TEXT_BYTES, .piece = piece});
		cleanup(stream_close_ptr) struct stream *s = stream_limit(&inner, TEXT_BYTES - 1);
		struct error err = {0};
		uint8_t byte[TEXT_BYTES];
		size_t n;

		for (int twice = 0; twice < 2; twice++) {
			error_clear(&err);
			assert_int_equal(stream_finish(s, &err), -1);
			assert_error(&err, ERR_INVALID, "more than the allowed 35 bytes");
		}
		assert_int_equal(stream_read(s, byte, sizeof(byte), &n, &err), -1);
	}
}

static void nothing_may_be_allowed(void **state)
{
	struct error err = {0};

	(void)state;
	for (size_t len = 0; len < 2; len++) {
		struct stream *inner = stream_from_memory("x", len);
		cleanup(stream_close_ptr) struct stream *s = stream_limit(&inner, 0);

		assert_int_equal(stream_finish(s, &err), len ? -1 : 0);
	}
}

static void errors_and_ends_below_come_through(void **state)
{
	int finished = 0, released = 0;
	struct stream *broken =
		pieces_stream(&(struct pieces){.data = text, .len = 4, .piece = 3, .fails = true});
	struct stream *bad_end = pieces_stream(
		&(struct pieces){.finished = &finished, .released = &released, .finish_rc = -1});
	struct stream *s = stream_limit(&broken, 100);
	struct error err = {0};

	(void)state;
	assert_int_equal(stream_finish(s, &err), -1);
	assert_error(&err, ERR_NETWORK, "connection lost");
	stream_close(s);
	s = stream_limit(&bad_end, 100);
	error_clear(&err);
	assert_int_equal(stream_finish(s, &err), -1);
	assert_error(&err, ERR_NETWORK, "finish failed");
	assert_int_equal(finished, 1);
	stream_close(s);
	assert_int_equal(released, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_many_as_allowed_pass_in_pieces_of_every_size),
		cmocka_unit_test(one_more_is_refused_and_stays_so),
		cmocka_unit_test(nothing_may_be_allowed),
		cmocka_unit_test(errors_and_ends_below_come_through),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
