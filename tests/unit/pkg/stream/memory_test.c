/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes in memory as a stream: lent where they lie, once. */
#include "tests/support/cmocka.h"

#include "pkg/stream/stage.h"

static void the_bytes_are_lent_without_a_copy(void **state)
{
	static const char text[] = "0123456789";
	cleanup(stream_close_ptr) struct stream *s = stream_from_memory(text, 10);
	const uint8_t *p;
	struct error err = {0};
	size_t n;

	(void)state;
	assert_ok(stream_peek(s, &p, &n, &err), &err);
	assert_ptr_equal(p, text);
	assert_int_equal(n, 10);
	stream_advance(s, 3);
	assert_ok(stream_peek(s, &p, &n, &err), &err);
	assert_ptr_equal(p, text + 3);
	assert_int_equal(n, 7);
	stream_advance(s, 7);
	for (int twice = 0; twice < 2; twice++)
		assert_int_equal(stream_peek(s, &p, &n, &err), 1);
	assert_ok(stream_finish(s, &err), &err);
}

static void they_can_be_copied_part_by_part(void **state)
{
	cleanup(stream_close_ptr) struct stream *s = stream_from_memory("0123456789", 10);
	struct error err = {0};
	uint8_t buf[8];
	size_t n;

	(void)state;
	assert_ok(stream_read_some(s, buf, 8, &n, &err), &err);
	assert_int_equal(n, 8);
	assert_ok(stream_read_some(s, buf, 8, &n, &err), &err);
	assert_int_equal(n, 2);
	assert_memory_equal(buf, "89", 2);
	assert_int_equal(stream_read_some(s, buf, 8, &n, &err), 1);
}

static void nothing_is_a_stream_that_ends(void **state)
{
	cleanup(stream_close_ptr) struct stream *s = stream_from_memory(NULL, 0);
	const uint8_t *p;
	struct error err = {0};
	size_t n;

	(void)state;
	assert_int_equal(stream_peek(s, &p, &n, &err), 1);
	assert_ok(stream_finish(s, &err), &err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_bytes_are_lent_without_a_copy),
		cmocka_unit_test(they_can_be_copied_part_by_part),
		cmocka_unit_test(nothing_is_a_stream_that_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
