/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A node as a thin volume: what its pool is asked and told, and that no error of a write gets lost
 * on the way to a commit. The real kernel: tests/kernel/40_volume.sh.
 */
#include "pkg/thin/kernel/volume.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "tests/support/cmocka.h"
#include "tests/support/node_calls.h"
#include "tests/support/scratch.h"

enum { BLOCK = 64 << 10, BLOCKS = 100, SIZE = BLOCKS * BLOCK + 4096 };

static char *dir, *path;
static struct error err;
static struct thin_volume *volume;

/* The pool: what it says, and what it was told. */
static struct {
	struct kernel_range ranges[4];
	size_t n_ranges;
	unsigned asked, closed;
	struct error failed;
	bool unflushed, can_explain;
} pool;

static void explain(void *arg, struct error *e)
{
	assert_ptr_equal(arg, &pool);
	if (pool.can_explain)
		error_set(e, ERR_NO_SPACE, "the pool is full");
}

static int mapped(void *arg, struct kernel_range **ret, size_t *ret_n, struct error *e)
{
	assert_ptr_equal(arg, &pool);
	pool.asked++;
	if (pool.asked == 100)
		return error_set(e, ERR_BUSY, "not now");
	*ret = xmemdup(pool.ranges, sizeof(pool.ranges));
	*ret_n = pool.n_ranges;
	return 0;
}

static void closed(void *arg, struct thin_volume *v, const struct error *failed, bool unflushed)
{
	assert_ptr_equal(arg, &pool);
	assert_ptr_equal(v, volume);
	pool.closed++;
	pool.failed = *failed;
	pool.unflushed = unflushed;
}

static void open_volume(bool writable)
{
	struct kernel_volume_pool hooks = {.explain = explain,
					   .mapped = mapped,
					   .closed = closed,
					   .arg = &pool};

	assert_ok(kernel_volume_open(path, SIZE, BLOCK, writable, &hooks, &volume, &err), &err);
}

static int begin(void **state)
{
	(void)state;
	node_calls_reset();
	error_clear(&err);
	memset(&pool, 0, sizeof(pool));
	dir = scratch_new();
	path = xasprintf("%s/device", dir);
	close(open(path, O_WRONLY | O_CREAT | O_EXCL, 0600));
	assert_int_equal(truncate(path, SIZE), 0);
	open_volume(true);
	return 0;
}

static int end(void **state)
{
	(void)state;
	free(path);
	scratch_free(dir);
	return 0;
}

static void what_is_written_is_there_after_close(void **state)
{
	char text[4];

	(void)state;
	assert_int_equal(thin_volume_size(volume), SIZE);
	assert_int_equal(thin_volume_block_bytes(volume), BLOCK);
	assert_ok(thin_volume_write(volume, "abcd", 4, BLOCK - 2, &err), &err);
	assert_ok(thin_volume_write(volume, "end", 3, SIZE - 3, &err), &err);
	assert_int_equal(node_calls.count[NODE_WRITE], 0);
	thin_volume_close(volume);
	assert_int_equal(pool.closed, 1);
	assert_int_equal(pool.failed.kind, ERR_NONE);
	open_volume(false);
	assert_ok(thin_volume_read(volume, text, 4, BLOCK - 2, &err), &err);
	assert_memory_equal(text, "abcd", 4);
	assert_ok(thin_volume_read(volume, text, 3, SIZE - 3, &err), &err);
	assert_memory_equal(text, "end", 3);
	assert_int_equal(thin_volume_write(volume, "x", 1, 0, &err), -1);
	assert_error(&err, ERR_INVALID, "read-only");
	thin_volume_close(volume);
	assert_int_equal(pool.closed, 2);
	assert_false(pool.unflushed);
}

static void a_flush_writes_out_and_is_not_repeated(void **state)
{
	struct kernel_volume_counts counts;

	(void)state;
	assert_ok(kernel_volume_flush(volume, &err), &err);
	assert_int_equal(node_calls.count[NODE_SYNC], 0);
	assert_ok(thin_volume_write(volume, "x", 1, 0, &err), &err);
	assert_ok(kernel_volume_write_out(volume, &err), &err);
	assert_int_equal(node_calls.count[NODE_WRITE], 1);
	assert_int_equal(node_calls.count[NODE_SYNC], 0);
	assert_ok(kernel_volume_flush(volume, &err), &err);
	assert_ok(kernel_volume_flush(volume, &err), &err);
	assert_int_equal(node_calls.count[NODE_SYNC], 1);
	kernel_volume_counts(volume, &counts);
	assert_int_equal(counts.writes, 1);
	assert_int_equal(counts.flushes, 1);
	thin_volume_close(volume);
	assert_false(pool.unflushed);
}

static void who_closes_without_a_flush_says_so(void **state)
{
	(void)state;
	assert_ok(thin_volume_write(volume, "x", 1, 0, &err), &err);
	thin_volume_close(volume);
	assert_int_equal(pool.failed.kind, ERR_NONE);
	/* through the page cache nobody else's flush would reach it */
	assert_true(pool.unflushed || node_calls.count[NODE_SYNC] == 1);
}

static void a_write_that_fails_late_fails_the_flush_and_the_close(void **state)
{
	(void)state;
	node_calls.fail[NODE_WRITE] = 1;
	node_calls.once = true;
	assert_ok(thin_volume_write(volume, "x", 1, 0, &err), &err);
	assert_int_equal(kernel_volume_flush(volume, &err), -1);
	assert_error(&err, ERR_SYSTEM, "device");
	error_clear(&err);
	assert_int_equal(kernel_volume_flush(volume, &err), -1);
	assert_error(&err, ERR_SYSTEM, "device");
	thin_volume_close(volume);
	assert_int_equal(pool.failed.kind, ERR_SYSTEM);
}

static void a_write_that_fails_in_close_is_told_to_the_pool(void **state)
{
	(void)state;
	node_calls.fail[NODE_WRITE] = 1;
	assert_ok(thin_volume_write(volume, "x", 1, 0, &err), &err);
	thin_volume_close(volume);
	assert_error(&pool.failed, ERR_SYSTEM, "device");
}

static void a_flush_that_fails_is_not_tried_again(void **state)
{
	(void)state;
	node_calls.fail[NODE_SYNC] = 1;
	node_calls.once = true;
	assert_ok(thin_volume_write(volume, "x", 1, 0, &err), &err);
	assert_int_equal(kernel_volume_flush(volume, &err), -1);
	assert_error(&err, ERR_SYSTEM, "flush");
	error_clear(&err);
	assert_int_equal(kernel_volume_flush(volume, &err), -1);
	assert_error(&err, ERR_SYSTEM, "flush");
	thin_volume_close(volume);
	assert_error(&pool.failed, ERR_SYSTEM, "flush");
}

static void the_pool_explains_errors(void **state)
{
	(void)state;
	pool.can_explain = true;
	node_calls.fail[NODE_WRITE] = 1;
	assert_ok(thin_volume_write(volume, "x", 1, 0, &err), &err);
	assert_int_equal(kernel_volume_write_out(volume, &err), -1);
	assert_error(&err, ERR_NO_SPACE, "the pool is full");
	thin_volume_close(volume);
	assert_error(&pool.failed, ERR_NO_SPACE, "the pool is full");
}

static void assert_next(uint64_t from, uint64_t at, uint64_t len)
{
	uint64_t got_at, got_len;

	assert_ok(thin_volume_next_mapped(volume, from, &got_at, &got_len, &err), &err);
	assert_int_equal(got_at, at);
	assert_int_equal(got_len, len);
}

static void what_is_mapped_is_asked_once_for_each_state(void **state)
{
	uint64_t at, len;

	(void)state;
	assert_int_equal(thin_volume_next_mapped(volume, 0, &at, &len, &err), 1);
	pool.ranges[0] = (struct kernel_range){2, 3};
	pool.ranges[1] = (struct kernel_range){9, 1};
	pool.ranges[2] = (struct kernel_range){99, 2};
	pool.ranges[3] = (struct kernel_range){BLOCKS + 7, 5}; /* behind this volume's end */
	pool.n_ranges = 4;
	assert_int_equal(thin_volume_next_mapped(volume, 0, &at, &len, &err), 1);
	assert_int_equal(pool.asked, 1);
	assert_ok(thin_volume_write(volume, "x", 1, 2 * BLOCK, &err), &err);
	assert_next(0, 2 * BLOCK, 3 * BLOCK);
	assert_next(3 * BLOCK + 5, 3 * BLOCK + 5, 2 * BLOCK - 5);
	assert_next(5 * BLOCK, 9 * BLOCK, BLOCK);
	assert_next(10 * BLOCK, 99 * BLOCK, SIZE - 99 * BLOCK);
	assert_next(SIZE - 1, SIZE - 1, 1);
	assert_int_equal(pool.asked, 2);
	pool.n_ranges = 2;
	assert_ok(thin_volume_discard(volume, 99 * BLOCK, SIZE - 99 * BLOCK, &err), &err);
	assert_ok(thin_volume_write(volume, "y", 1, 2 * BLOCK, &err), &err);
	assert_int_equal(thin_volume_next_mapped(volume, 10 * BLOCK, &at, &len, &err), 1);
	assert_int_equal(pool.asked, 3);
	pool.asked = 99;
	assert_ok(thin_volume_write(volume, "z", 1, 2 * BLOCK, &err), &err);
	assert_int_equal(thin_volume_next_mapped(volume, 0, &at, &len, &err), -1);
	assert_error(&err, ERR_BUSY, "not now");
	thin_volume_close(volume);
}

static void what_is_discarded_reads_as_zeros(void **state)
{
	uint8_t *data = xaligned(4096, SIZE);

	(void)state;
	memset(data, 5, SIZE);
	assert_ok(thin_volume_write(volume, data, SIZE, 0, &err), &err);
	/* whole blocks of it; the last one is whole for who goes to the end */
	assert_ok(thin_volume_discard(volume, BLOCK - 1, BLOCK + 2, &err), &err);
	assert_ok(thin_volume_discard(volume, SIZE - BLOCK - 4097, BLOCK + 4097, &err), &err);
	thin_volume_close(volume);
	open_volume(false);
	assert_ok(thin_volume_read(volume, data, SIZE, 0, &err), &err);
	for (size_t i = 0; i < SIZE; i++)
		if (data[i] != (i / BLOCK == 1 || i / BLOCK >= BLOCKS - 1 ? 0 : 5))
			fail_msg("byte %zu is %d", i, data[i]);
	thin_volume_close(volume);
	free(data);
}

static void zeros_map_nothing(void **state)
{
	(void)state;
	assert_ok(thin_volume_zero(volume, 0, SIZE, &err), &err);
	thin_volume_close(volume);
	assert_int_equal(node_calls.count[NODE_WRITE], 0);
	assert_false(pool.unflushed);
}

/* Such blocks are larger than what is kept of the device in memory. */
static void large_blocks_are_written_in_parts(void **state)
{
	struct kernel_volume_pool none = {0};
	uint64_t at, len;

	(void)state;
	thin_volume_close(volume);
	assert_ok(kernel_volume_open(path, SIZE, KERNEL_VOLUME_WHOLE_BYTES * 2, true, &none,
				     &volume, &err),
		  &err);
	assert_ok(thin_volume_write(volume, "x", 1, SIZE / 2, &err), &err);
	assert_ok(thin_volume_next_mapped(volume, 3, &at, &len, &err), &err);
	assert_int_equal(at, 3);
	assert_int_equal(len, SIZE - 3);
	thin_volume_close(volume);
	assert_int_equal(node_calls.count[NODE_WRITE], 1);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(what_is_written_is_there_after_close),
		CASE(a_flush_writes_out_and_is_not_repeated),
		CASE(who_closes_without_a_flush_says_so),
		CASE(a_write_that_fails_late_fails_the_flush_and_the_close),
		CASE(a_write_that_fails_in_close_is_told_to_the_pool),
		CASE(a_flush_that_fails_is_not_tried_again),
		CASE(the_pool_explains_errors),
		CASE(what_is_mapped_is_asked_once_for_each_state),
		CASE(what_is_discarded_reads_as_zeros),
		CASE(zeros_map_nothing),
		CASE(large_blocks_are_written_in_parts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
