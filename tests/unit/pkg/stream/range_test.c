/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of a file, several at once. */
#include "tests/support/cmocka.h"

#include <unistd.h>

#include "pkg/stream/stream.h"
#include "tests/support/docker_save.h"

static void parts_are_read_at_the_same_time(void **state)
{
	cleanup_buffer struct buffer bytes = {0}, a = {0}, b = {0}, none = {0};
	struct stream *one, *two, *nothing;
	struct error err = {0};
	const uint8_t *p;
	size_t n;
	int fd;

	(void)state;
	buffer_printf(&bytes, "0123456789");
	fd = save_fd(&bytes);
	one = stream_from_range(fd, 2, 3, "x");
	two = stream_from_range(fd, 0, 10, "x");
	nothing = stream_from_range(fd, 100, 0, "x");
	assert_ok(stream_peek(one, &p, &n, &err), &err);
	assert_ok(stream_read_all(two, 10, &a, &err), &err);
	assert_ok(stream_read_all(one, 10, &b, &err), &err);
	assert_ok(stream_read_all(nothing, 10, &none, &err), &err);
	assert_string_equal((char *)a.data, "0123456789");
	assert_string_equal((char *)b.data, "234");
	assert_int_equal(none.len, 0);
	stream_close(one);
	stream_close(two);
	stream_close(nothing);
	close(fd);
}

static void a_file_that_ends_before_is_an_error(void **state)
{
	cleanup_buffer struct buffer bytes = {0}, out = {0};
	struct error err = {0};
	struct stream *s;
	int fd;

	(void)state;
	buffer_printf(&bytes, "0123456789");
	fd = save_fd(&bytes);
	s = stream_from_range(fd, 8, 3, "x.tar");
	assert_int_equal(stream_read_all(s, 10, &out, &err), -1);
	assert_error(&err, ERR_INVALID, "x.tar ends at byte 10, 1 are missing");
	stream_close(s);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts_are_read_at_the_same_time),
		cmocka_unit_test(a_file_that_ends_before_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
