/* SPDX-License-Identifier: Apache-2.0 */
/* What goes out of the cache, and in how many calls. That it is right: volume_cache_test. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/thin/kernel/volume_cache.h"
#include "tests/support/cmocka.h"
#include "tests/support/scratch.h"

enum { KIB = 1024, UNIT = 64 * KIB, SIZE = 4 << 20, MEMORY = 2 << 20 };

static char *dir, *path;
static struct error err;
static struct kernel_node node;
static struct kernel_cache *cache;
static uint8_t *buf;

static int begin(void **state)
{
	(void)state;
	dir = scratch_new();
	path = xasprintf("%s/device", dir);
	close(open(path, O_WRONLY | O_CREAT | O_EXCL, 0600));
	assert_int_equal(truncate(path, SIZE), 0);
	buf = xaligned(NODE_ALIGN, SIZE);
	memset(buf, 7, SIZE);
	assert_ok(kernel_node_open(&node, path, true, SIZE, &err), &err);
	cache = kernel_cache_new(&node, SIZE, UNIT, MEMORY);
	return 0;
}

static int end(void **state)
{
	(void)state;
	kernel_cache_free(cache);
	kernel_node_close(&node);
	free(buf);
	free(path);
	scratch_free(dir);
	return 0;
}

static void put(const void *data, size_t len, uint64_t offset)
{
	assert_ok(kernel_cache_write(cache, data, len, offset, &err), &err);
}

static void write_out(void)
{
	assert_ok(kernel_cache_write_out(cache, &err), &err);
}

static void assert_calls(uint64_t reads, uint64_t writes, uint64_t bytes_written)
{
	assert_int_equal(node.counts.reads, reads);
	assert_int_equal(node.counts.writes, writes);
	assert_int_equal(node.counts.bytes_written, bytes_written);
}

static void whole_units_are_written_without_reading(void **state)
{
	(void)state;
	/* in pieces, as a writer of files does it, not aligned in memory */
	for (uint64_t at = 0; at < 256 * KIB; at += 4 * KIB)
		put(buf + 1, 4 * KIB, at);
	write_out();
	assert_calls(0, 1, 256 * KIB);
	write_out();
	assert_calls(0, 1, 256 * KIB);
}

static void a_part_of_a_unit_costs_one_read(void **state)
{
	(void)state;
	put("x", 1, 100);
	put("y", 1, 50000);
	assert_ok(kernel_cache_read(cache, buf, 4096, 20000, &err), &err);
	write_out();
	put("z", 1, 50001);
	write_out();
	write_out();
	assert_calls(1, 2, 2 * UNIT);
}

static void zeros_are_not_written_over_zeros(void **state)
{
	(void)state;
	memset(buf, 0, SIZE);
	put(buf, 1 << 20, 0);
	assert_ok(kernel_cache_zero(cache, 0, SIZE, &err), &err);
	put("x", 1, 7);
	put("", 1, 7);
	write_out();
	assert_calls(node.counts.reads, 0, 0);
}

static void zeros_are_written_over_something_else(void **state)
{
	(void)state;
	put(buf, SIZE, 0);
	assert_ok(kernel_cache_zero(cache, UNIT, 2 * UNIT, &err), &err);
	assert_ok(kernel_cache_zero(cache, 10 * UNIT + 5, 1, &err), &err);
	write_out();
	memset(buf, 0, SIZE);
	put(buf, UNIT, 20 * UNIT); /* whole: nothing is known of what is below */
	write_out();
	assert_ok(kernel_cache_read(cache, buf, SIZE, 0, &err), &err);
	for (size_t i = 0; i < SIZE; i++) {
		bool zero = i / UNIT == 1 || i / UNIT == 2 || i == 10 * UNIT + 5 || i / UNIT == 20;

		if (buf[i] != (zero ? 0 : 7))
			fail_msg("byte %zu is %d", i, buf[i]);
	}
}

/* Memory for 32 units, 64 are changed, at most 8 wait: most goes out on the way, in long runs. */
static void much_goes_out_early_with_its_neighbours(void **state)
{
	(void)state;
	for (size_t at = 0; at < SIZE; at += 16 * KIB)
		put(buf + 1, 16 * KIB, at);
	assert_ok(kernel_cache_write_out(cache, &err), &err);
	assert_int_equal(node.counts.reads, 0);
	assert_in_range(node.counts.writes, 4, 8);
	assert_int_equal(node.counts.bytes_written, SIZE);
}

static void what_lies_beside_a_forgotten_range_is_kept(void **state)
{
	(void)state;
	put("abc", 3, UNIT);
	put("def", 3, 3 * UNIT);
	assert_ok(kernel_cache_forget(cache, UNIT + 4096, 2 * UNIT, &err), &err);
	assert_calls(2, 2, 2 * UNIT);
	put("x", 1, 2 * UNIT);
	assert_ok(kernel_cache_forget(cache, 2 * UNIT, UNIT, &err), &err);
	write_out();
	assert_calls(3, 2, 2 * UNIT);
	assert_ok(kernel_cache_read(cache, buf, SIZE, 0, &err), &err);
	assert_memory_equal(buf + UNIT, "abc", 3);
	assert_memory_equal(buf + 3 * UNIT, "def", 3);
	assert_int_equal(buf[2 * UNIT], 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(whole_units_are_written_without_reading),
		CASE(a_part_of_a_unit_costs_one_read),
		CASE(zeros_are_not_written_over_zeros),
		CASE(zeros_are_written_over_something_else),
		CASE(much_goes_out_early_with_its_neighbours),
		CASE(what_lies_beside_a_forgotten_range_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
