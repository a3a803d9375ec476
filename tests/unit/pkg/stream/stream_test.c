/* SPDX-License-Identifier: Apache-2.0 */
/* What all streams share. */
#include "tests/support/cmocka.h"

#include "pkg/base/alloc.h"
#include "tests/support/pieces.h"

static const char text[] = "0123456789abcdefghijklmnopqrstuvwxyz";
enum { TEXT_BYTES = sizeof(text) - 1 };

static struct stream *text_stream(size_t piece)
{
	return pieces_stream(&(struct pieces){.data = text, .len = TEXT_BYTES, .piece = piece});
}

static void the_same_bytes_are_lent_until_taken(void **state)
{
	cleanup(stream_close_ptr) struct stream *s = text_stream(10);
	const uint8_t *a, *b;
	struct error err = {0};
	size_t n, m;

	(void)state;
	assert_ok(stream_peek(s, &a, &n, &err), &err);
	assert_ok(stream_peek(s, &b, &m, &err), &err);
	assert_ptr_equal(a, b);
	assert_int_equal(n, 10);
	assert_int_equal(m, 10);
	stream_advance(s, 4);
	assert_ok(stream_peek(s, &b, &m, &err), &err);
	assert_ptr_equal(a + 4, b);
	assert_int_equal(m, 6);
}

static void read_is_short_only_at_the_end(void **state)
{
	(void)state;
	for (size_t piece = 1; piece <= TEXT_BYTES; piece++) {
		cleanup(stream_close_ptr) struct stream *s = text_stream(piece);
		struct error err = {0};
		char buf[TEXT_BYTES];
		size_t n;

		assert_ok(stream_read(s, buf, 20, &n, &err), &err);
		assert_int_equal(n, 20);
		assert_memory_equal(buf, text, 20);
		assert_ok(stream_read(s, buf, sizeof(buf), &n, &err), &err);
		assert_int_equal(n, TEXT_BYTES - 20);
		assert_memory_equal(buf, text + 20, n);
		assert_ok(stream_read(s, buf, sizeof(buf), &n, &err), &err);
		assert_int_equal(n, 0);
		assert_ok(stream_finish(s, &err), &err);
	}
}

static void read_all_refuses_more_than_it_may(void **state)
{
	(void)state;
	for (size_t max = TEXT_BYTES - 1; max <= TEXT_BYTES; max++) {
		cleanup(stream_close_ptr) struct stream *s = text_stream(7);
		cleanup_buffer struct buffer out = {0};
		struct error err = {0};

		assert_int_equal(stream_read_all(s, max, &out, &err), max == TEXT_BYTES ? 0 : -1);
		if (max < TEXT_BYTES)
			assert_error(&err, ERR_INVALID, "more than 35 bytes");
	}
}

static void finish_drains_and_finishes_once(void **state)
{
	int finished = 0, released = 0;
	struct stream *s = pieces_stream(&(struct pieces){.data = text,
							  .len = TEXT_BYTES,
							  .piece = 5,
							  .finished = &finished,
							  .released = &released});
	struct error err = {0};

	(void)state;
	assert_ok(stream_finish(s, &err), &err);
	assert_ok(stream_finish(s, &err), &err);
	assert_int_equal(finished, 1);
	stream_close(s);
	assert_int_equal(released, 1);
}

static void a_failure_of_finish_is_repeated(void **state)
{
	cleanup(stream_close_ptr) struct stream *s =
		pieces_stream(&(struct pieces){.data = text, .piece = 1, .finish_rc = -1});
	const uint8_t *p;
	struct error err = {0};
	size_t n;

	(void)state;
	for (int i = 0; i < 2; i++) {
		error_clear(&err);
		assert_int_equal(stream_finish(s, &err), -1);
		assert_error(&err, ERR_NETWORK, "finish failed");
	}
	assert_int_equal(stream_peek(s, &p, &n, &err), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_bytes_are_lent_until_taken),
		cmocka_unit_test(read_is_short_only_at_the_end),
		cmocka_unit_test(read_all_refuses_more_than_it_may),
		cmocka_unit_test(finish_drains_and_finishes_once),
		cmocka_unit_test(a_failure_of_finish_is_repeated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
