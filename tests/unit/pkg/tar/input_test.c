/* SPDX-License-Identifier: Apache-2.0 */
/* The stream in blocks: offsets and ends, in pieces of any size. */
#include "tests/support/cmocka.h"

#include "pkg/base/alloc.h"
#include "pkg/tar/tar_internal.h"
#include "tests/support/pieces.h"

enum { BYTES = 1300 };

static uint8_t data[BYTES];

static struct tar_input input(size_t piece, bool fails)
{
	for (size_t i = 0; i < BYTES; i++)
		data[i] = (uint8_t)(i * 7);
	return (struct tar_input){.stream = pieces_stream(&(struct pieces){.data = data,
									   .len = BYTES,
									   .piece = piece,
									   .fails = fails})};
}

static void blocks_are_whole_but_the_last(void **state)
{
	static const size_t expected[] = {512, 512, 276, 0, 0};

	(void)state;
	for (size_t piece = 1; piece <= BYTES; piece += piece < 20 ? 1 : 97) {
		struct tar_input in = input(piece, false);
		struct error err = {0};

		for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
			uint8_t block[TAR_BLOCK_BYTES];
			uint64_t before = in.offset;
			size_t len;

			assert_ok(tar_input_block(&in, block, &len, &err), &err);
			assert_int_equal(len, expected[i]);
			assert_int_equal(in.offset, before + len);
			assert_memory_equal(block, data + before, len);
		}
		assert_false(in.failed);
		stream_close(in.stream);
	}
}

static void a_peek_lends_no_more_than_asked_and_counts_when_taken(void **state)
{
	struct tar_input in = input(100, false);
	const uint8_t *p;
	struct error err = {0};
	size_t len;

	(void)state;
	assert_ok(tar_input_peek(&in, 30, &p, &len, &err), &err);
	assert_int_equal(len, 30);
	assert_int_equal(in.offset, 0);
	assert_ok(tar_input_peek(&in, UINT64_MAX, &p, &len, &err), &err);
	assert_int_equal(len, 70); /* the rest of the piece */
	assert_int_equal(in.offset, 30);
	assert_memory_equal(p, data + 30, len);
	tar_input_take(&in);
	tar_input_take(&in);
	assert_int_equal(in.offset, 100);
	stream_close(in.stream);
}

static void skipping_ends_where_the_stream_does(void **state)
{
	static const uint64_t wanted[] = {0, 1, 512, 1299, 1300, 1301, UINT64_MAX};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
		for (size_t piece = 1; piece <= BYTES; piece = piece * 5 + 2) {
			struct tar_input in = input(piece, false);
			uint64_t skipped, expected = wanted[i] < BYTES ? wanted[i] : BYTES;
			struct error err = {0};

			assert_ok(tar_input_skip(&in, wanted[i], &skipped, &err), &err);
			assert_int_equal(skipped, expected);
			assert_int_equal(in.offset, expected);
			stream_close(in.stream);
		}
}

static void a_failing_stream_is_remembered(void **state)
{
	struct tar_input in = input(100, true);
	uint8_t block[TAR_BLOCK_BYTES];
	uint64_t skipped;
	struct error err = {0};
	size_t len;

	(void)state;
	assert_ok(tar_input_skip(&in, 1000, &skipped, &err), &err);
	assert_false(in.failed);
	assert_int_equal(tar_input_block(&in, block, &len, &err), -1);
	assert_error(&err, ERR_NETWORK, "connection lost");
	assert_true(in.failed);
	assert_int_equal(tar_input_skip(&in, 1, &skipped, &err), -1);
	stream_close(in.stream);
}

static void zeros_are_told_from_all_else(void **state)
{
	uint8_t block[TAR_BLOCK_BYTES] = {0};

	(void)state;
	assert_true(tar_is_zero(block, sizeof(block)));
	assert_true(tar_is_zero(block, 1));
	assert_true(tar_is_zero(NULL, 0));
	for (size_t i = 0; i < sizeof(block); i++) {
		block[i] = 1;
		assert_false(tar_is_zero(block, sizeof(block)));
		assert_true(tar_is_zero(block, i));
		block[i] = 0;
	}
}

static void padding_ends_at_the_next_block(void **state)
{
	(void)state;
	assert_int_equal(tar_padding(0), 0);
	assert_int_equal(tar_padding(1), 511);
	assert_int_equal(tar_padding(511), 1);
	assert_int_equal(tar_padding(512), 0);
	assert_int_equal(tar_padding(INT64_MAX - 512), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks_are_whole_but_the_last),
		cmocka_unit_test(a_peek_lends_no_more_than_asked_and_counts_when_taken),
		cmocka_unit_test(skipping_ends_where_the_stream_does),
		cmocka_unit_test(a_failing_stream_is_remembered),
		cmocka_unit_test(zeros_are_told_from_all_else),
		cmocka_unit_test(padding_ends_at_the_next_block),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
