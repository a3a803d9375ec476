/* SPDX-License-Identifier: Apache-2.0 */
/* Buffers, and the allocation below them. */
#include "tests/support/cmocka.h"

#include <stdlib.h>

#include "pkg/base/alloc.h"
#include "pkg/base/buffer.h"

static void what_is_added_is_there_and_terminated(void **state)
{
	cleanup_buffer struct buffer b = {0};
	cleanup_free char *expected = xmalloc(10001);

	(void)state;
	for (size_t i = 0; i < 10000; i++) {
		expected[i] = (char)('a' + i % 26);
		buffer_add(&b, expected + i, 1);
		assert_int_equal(b.data[b.len], 0);
	}
	assert_int_equal(b.len, 10000);
	assert_memory_equal(b.data, expected, 10000);
	assert_true(b.room < 3 * b.len); /* doubles, no more */
}

static void adding_nothing_makes_an_empty_text(void **state)
{
	cleanup_buffer struct buffer b = {0};

	(void)state;
	buffer_add(&b, NULL, 0);
	assert_int_equal(b.len, 0);
	assert_string_equal((char *)b.data, "");
}

static void text_is_formatted_behind_what_is_there(void **state)
{
	cleanup_buffer struct buffer b = {0};

	(void)state;
	buffer_printf(&b, "%d-", 1);
	buffer_printf(&b, "%s", "");
	buffer_printf(&b, "%0*d", 300, 7);
	assert_int_equal(b.len, 302);
	assert_memory_equal(b.data, "1-000", 5);
}

static void reserved_room_counts_when_it_grew(void **state)
{
	cleanup_buffer struct buffer b = {0};

	(void)state;
	memcpy(buffer_reserve(&b, 100), "abc", 3);
	assert_int_equal(b.len, 0);
	buffer_grew(&b, 3);
	assert_string_equal((char *)b.data, "abc");
}

static void clear_keeps_and_release_gives_back(void **state)
{
	struct buffer b = {0};
	uint8_t *data;

	(void)state;
	buffer_clear(&b);
	buffer_add(&b, "abc", 3);
	data = b.data;
	buffer_clear(&b);
	assert_int_equal(b.len, 0);
	assert_ptr_equal(b.data, data);
	assert_string_equal((char *)b.data, "");
	buffer_release(&b);
	assert_null(b.data);
	assert_int_equal(b.room, 0);
	buffer_add(&b, "again", 5);
	assert_string_equal((char *)b.data, "again");
	buffer_release(&b);
	buffer_release(&b);
}

static void detach_hands_over_a_string(void **state)
{
	struct buffer b = {0};
	char *text = buffer_detach(&b);

	(void)state;
	assert_string_equal(text, "");
	free(text);
	buffer_add(&b, "abc", 3);
	text = buffer_detach(&b);
	assert_string_equal(text, "abc");
	assert_null(b.data);
	free(text);
}

static void stolen_is_empty(void **state)
{
	char *a = xstrdup("a"), *b = steal(&a);
	int fd = 7;

	(void)state;
	assert_null(a);
	assert_string_equal(b, "a");
	free(b);
	assert_int_equal(steal_fd(&fd), 7);
	assert_int_equal(fd, -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_added_is_there_and_terminated),
		cmocka_unit_test(adding_nothing_makes_an_empty_text),
		cmocka_unit_test(text_is_formatted_behind_what_is_there),
		cmocka_unit_test(reserved_room_counts_when_it_grew),
		cmocka_unit_test(clear_keeps_and_release_gives_back),
		cmocka_unit_test(detach_hands_over_a_string),
		cmocka_unit_test(stolen_is_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
