/* SPDX-License-Identifier: Apache-2.0 */
/* Reading ahead in a thread: same bytes, errors in their place, no hang and no leak. */
#include "tests/support/cmocka.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "tests/support/gzip.h"
#include "tests/support/pieces.h"

enum { LARGE_BYTES = 5 * 1000 * 1000 + 17 };

static uint8_t *large;

static int make_large(void **state)
{
	uint32_t random = 7;

	(void)state;
	large = xmalloc(LARGE_BYTES);
	for (size_t i = 0; i < LARGE_BYTES; i++) {
		random = random * 1103515245 + 12345;
		large[i] = (uint8_t)(random >> 27);
	}
	return 0;
}

static int free_large(void **state)
{
	(void)state;
	free(large);
	return 0;
}

static void nap(long ms)
{
	nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

static void the_same_bytes_come_out_in_every_size_of_ring(void **state)
{
	static const size_t rings[] = {0, 1, 512 * 1024, 3 << 20, 16 << 20};
	static const size_t pieces[] = {511, 65536, 1 << 18, 1 << 20, 1 << 24};

	(void)state;
	for (size_t r = 0; r < ARRAY_SIZE(rings); r++) {
		for (size_t p = 0; p < ARRAY_SIZE(pieces); p++) {
			int finished = 0;
			cleanup(stream_close_ptr) struct stream *s =
				pieces_stream(&(struct pieces){.data = large,
							       .len = LARGE_BYTES,
							       .piece = pieces[p],
							       .finished = &finished});
			cleanup_buffer struct buffer out = {0};
			struct error err = {0};

			assert_ok(stream_async(&s, rings[r], &err), &err);
			assert_ok(stream_read_all(s, SIZE_MAX, &out, &err), &err);
			assert_int_equal(out.len, LARGE_BYTES);
			assert_memory_equal(out.data, large, LARGE_BYTES);
			assert_int_equal(finished, 0);
			assert_ok(stream_finish(s, &err), &err);
			assert_int_equal(finished, 1);
		}
	}
}

static void an_empty_stream_just_ends(void **state)
{
	cleanup(stream_close_ptr) struct stream *s = stream_from_memory("", 0);
	struct error err = {0};
	const uint8_t *p;
	size_t n;

	(void)state;
	assert_ok(stream_async(&s, 0, &err), &err);
	assert_int_equal(stream_peek(s, &p, &n, &err), 1);
	assert_int_equal(stream_peek(s, &p, &n, &err), 1);
	assert_ok(stream_finish(s, &err), &err);
}

static void an_error_comes_after_the_bytes_before_it(void **state)
{
	static const size_t lengths[] = {0, 1, 256 * 1024, 256 * 1024 + 1, LARGE_BYTES};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		cleanup(stream_close_ptr) struct stream *s = pieces_stream(&(struct pieces){
			.data = large, .len = lengths[i], .piece = 100000, .fails = true});
		cleanup_buffer struct buffer out = {0};
		struct error err = {0};

		assert_ok(stream_async(&s, 0, &err), &err);
		assert_int_equal(stream_read_all(s, SIZE_MAX, &out, &err), -1);
		assert_error(&err, ERR_NETWORK, "connection lost");
		assert_int_equal(out.len, lengths[i]);
		error_clear(&err);
		assert_int_equal(stream_finish(s, &err), -1);
		assert_error(&err, ERR_NETWORK, "connection lost");
	}
}

static void a_failing_finish_below_comes_through(void **state)
{
	cleanup(stream_close_ptr) struct stream *s = pieces_stream(
		&(struct pieces){.data = large, .len = 9, .piece = 2, .finish_rc = -1});
	struct error err = {0};

	(void)state;
	assert_ok(stream_async(&s, 0, &err), &err);
	assert_int_equal(stream_finish(s, &err), -1);
	assert_error(&err, ERR_NETWORK, "finish failed");
}

static void closing_early_stops_the_thread(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++) {
		int released = 0;
		struct stream *s = pieces_stream(&(struct pieces){
			.data = large, .len = LARGE_BYTES, .piece = 1000, .released = &released});
		struct error err = {0};
		const uint8_t *p;
		size_t n;

		assert_ok(stream_async(&s, 0, &err), &err);
		if (i % 4 == 1)
			assert_ok(stream_peek(s, &p, &n, &err), &err);
		if (i % 4 == 2)
			nap(5); /* the ring is full, the thread waits */
		stream_close(s);
		assert_int_equal(released, 1);
	}
}

static void the_thread_reads_ahead_but_not_beyond_the_ring(void **state)
{
	enum { TAKEN = 8 << 20, RING = 1 << 20 };
	int fd = memfd_create("async-test", MFD_CLOEXEC);
	cleanup(stream_close_ptr) struct stream *s = NULL;
	struct error err = {0};
	const uint8_t *p;
	off_t offset;
	size_t n;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 64 << 20), 0);
	s = stream_from_fd(fd, "zeros");
	assert_ok(stream_async(&s, RING, &err), &err);
	for (size_t total = 0; total < TAKEN; total += n) {
		assert_ok(stream_peek(s, &p, &n, &err), &err);
		stream_advance(s, n);
	}
	nap(50);
	offset = lseek(fd, 0, SEEK_CUR);
	/* The slot taken last is given back with the next call. */
	assert_true(offset > TAKEN && offset <= TAKEN + RING);
}

static void gunzip_fills_the_ring_directly(void **state)
{
	cleanup_buffer struct buffer in = {0}, out = {0};
	cleanup(stream_close_ptr) struct stream *s = NULL;
	struct error err = {0};
	struct digest d;

	(void)state;
	for (int i = 0; i < 3; i++)
		gzip_put_member(&in, large, LARGE_BYTES / 3);
	for (int i = 0; i < 3; i++)
		buffer_add(&out, large, LARGE_BYTES / 3);
	digest_of(DIGEST_SHA256, out.data, out.len, &d);
	s = pieces_stream(&(struct pieces){.data = in.data, .len = in.len, .piece = 70001});
	assert_ok(stream_decompress(&s, STREAM_GZIP, LARGE_BYTES, &err), &err);
	assert_ok(stream_async(&s, 1 << 20, &err), &err);
	assert_ok(stream_verify(&s, &d, STREAM_SIZE_UNKNOWN, "DiffID", &err), &err);
	assert_ok(stream_async(&s, 1 << 20, &err), &err);
	assert_ok(stream_finish(s, &err), &err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_bytes_come_out_in_every_size_of_ring),
		cmocka_unit_test(an_empty_stream_just_ends),
		cmocka_unit_test(an_error_comes_after_the_bytes_before_it),
		cmocka_unit_test(a_failing_finish_below_comes_through),
		cmocka_unit_test(closing_early_stops_the_thread),
		cmocka_unit_test(the_thread_reads_ahead_but_not_beyond_the_ring),
		cmocka_unit_test(gunzip_fills_the_ring_directly),
	};

	return cmocka_run_group_tests(tests, make_large, free_large);
}
