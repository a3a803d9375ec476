/* SPDX-License-Identifier: Apache-2.0 */
/* The data file: zeros where nothing was written, with holes and without; runs; the space of the host. */
#include "pkg/thin/file/data.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "tests/support/cmocka.h"
#include "tests/support/thin_tx.h"

enum { BLOCK = 65536, BLOCKS = 64 };

static struct tf_data d;
static struct error err;

static int begin(void **state)
{
	(void)state;
	error_clear(&err);
	d = (struct tf_data){.fd = memfd_create("data", MFD_CLOEXEC),
			     .name = "data",
			     .block_bytes = BLOCK};
	return ftruncate(d.fd, (off_t)BLOCK * BLOCKS);
}

static int end(void **state)
{
	(void)state;
	close(d.fd);
	return 0;
}

static void fill(uint64_t offset, size_t len, uint8_t with)
{
	cleanup_free uint8_t *bytes = xmalloc(len);

	memset(bytes, with, len);
	assert_ok(tf_data_write(&d, bytes, len, offset, &err), &err);
}

/* All of these bytes are the same; which. */
static int all_of(uint64_t offset, size_t len)
{
	cleanup_free uint8_t *bytes = xmalloc(len);

	assert_ok(tf_data_read(&d, bytes, len, offset, &err), &err);
	for (size_t i = 1; i < len; i++)
		if (bytes[i] != bytes[0])
			return -1;
	return bytes[0];
}

static uint64_t sectors(void)
{
	struct stat st;

	assert_int_equal(fstat(d.fd, &st), 0);
	return (uint64_t)st.st_blocks;
}

static void runs_that_follow_each_other_are_one(void **state)
{
	struct tf_runs runs = {0};

	(void)state;
	tf_runs_add(&runs, 5, 1);
	tf_runs_add(&runs, 6, 2);
	tf_runs_add(&runs, 4, 1); /* before: the order of adding counts */
	tf_runs_add(&runs, 10, 1);
	assert_int_equal(runs.n, 3);
	assert_int_equal(runs.items[0].n, 3);
	tf_runs_release(&runs);
	assert_int_equal(runs.n, 0);
}

static void zeroing_makes_a_hole(void **state)
{
	(void)state;
	fill(0, 4 * BLOCK, 7);
	assert_ok(tf_data_zero(&d, BLOCK + 10, 2 * BLOCK - 20, &err), &err);
	assert_int_equal(all_of(0, BLOCK + 10), 7);
	assert_int_equal(all_of(BLOCK + 10, 2 * BLOCK - 20), 0);
	assert_int_equal(all_of(3 * BLOCK - 10, BLOCK + 10), 7);
	assert_true(sectors() < 3 * BLOCK / 512);
	assert_ok(tf_data_zero(&d, 0, 0, &err), &err);
	assert_int_equal(all_of(0, 10), 7);
}

static int refuse(void *context, enum tf_io io, uint64_t at)
{
	(void)at;
	return io == *(enum tf_io *)context ? EIO : 0;
}

/* Also in pieces larger than one. */
static void without_holes_zeros_are_written(void **state)
{
	enum tf_io io = TF_IO_DATA_PUNCH;

	(void)state;
	d.hook = (struct tf_fault_hook){refuse, &io};
	fill(0, 20 * BLOCK, 7);
	assert_ok(tf_data_zero(&d, 100, 15 * BLOCK, &err), &err);
	assert_int_equal(all_of(0, 100), 7);
	assert_int_equal(all_of(100, 15 * BLOCK), 0);
	assert_int_equal(all_of(15 * BLOCK + 100, BLOCK), 7);
	tf_data_punch(&d, 0, 20); /* what does not work is left */
	assert_int_equal(all_of(15 * BLOCK + 100, BLOCK), 7);
}

static void a_copy_has_the_same_bytes_and_the_holes(void **state)
{
	uint64_t before;

	(void)state;
	fill(20 * BLOCK, 20 * BLOCK, 9); /* what the target held before */
	fill(BLOCK + 5000, 10, 1);
	fill(6 * BLOCK - 1, 2, 2);
	before = sectors();
	assert_ok(tf_data_copy(&d, 0, 20 * BLOCK, 10 * BLOCK, &err), &err);
	assert_int_equal(all_of(20 * BLOCK, BLOCK + 5000), 0);
	assert_int_equal(all_of(21 * BLOCK + 5000, 10), 1);
	assert_int_equal(all_of(21 * BLOCK + 5010, 5 * BLOCK - 5011), 0);
	assert_int_equal(all_of(26 * BLOCK - 1, 2), 2);
	assert_int_equal(all_of(26 * BLOCK + 1, 4 * BLOCK - 1), 0);
	assert_int_equal(all_of(30 * BLOCK, 10 * BLOCK), 9);
	assert_true(sectors() < before - 9 * (BLOCK / 512));
}

/* From any offset to any other, as a partly written block of a snapshot needs it. */
static void a_copy_need_not_be_aligned(void **state)
{
	static const size_t lens[] = {0, 1, 4095, 4096, 4097, 60000};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
		fill(0, BLOCK, 3);
		fill(BLOCK, BLOCK, 4);
		assert_ok(tf_data_copy(&d, 17, BLOCK + 23, lens[i], &err), &err);
		assert_int_equal(all_of(BLOCK, 23), 4);
		if (lens[i])
			assert_int_equal(all_of(BLOCK + 23, lens[i]), 3);
		assert_int_equal(all_of(BLOCK + 23 + lens[i], BLOCK - 23 - lens[i]), 4);
	}
}

static void refusals_are_errors_with_the_name_of_the_file(void **state)
{
	static enum tf_io io = TF_IO_DATA_WRITE;

	(void)state;
	fill(0, BLOCK, 1);
	d.hook = (struct tf_fault_hook){refuse, &io};
	assert_int_equal(tf_data_write(&d, "x", 1, 0, &err), -1);
	assert_error(&err, ERR_SYSTEM, "write data");
	assert_int_equal(tf_data_copy(&d, 0, 5 * BLOCK, BLOCK, &err), -1);
	io = TF_IO_DATA_SYNC;
	assert_int_equal(tf_data_sync(&d, &err), -1);
	assert_true(d.dirty);
	d.hook = (struct tf_fault_hook){0};
	assert_ok(tf_data_sync(&d, &err), &err);
	assert_false(d.dirty);
	d.hook = (struct tf_fault_hook){refuse, &io};
	assert_ok(tf_data_sync(&d, &err), &err); /* nothing to do */
	assert_int_equal(tf_data_read(&d, (char[1]){0}, 1, (uint64_t)BLOCK * BLOCKS, &err), -1);
}

static void only_what_the_map_calls_free_is_punched(void **state)
{
	struct thin_tx t;

	(void)state;
	thin_tx_init(&t, 100, BLOCKS);
	fill(0, (size_t)BLOCK * BLOCKS, 5);
	for (uint64_t block = 0; block < BLOCKS; block += 3)
		assert_ok(tf_spacemap_inc(&t.tx.data, block, &err), &err);
	tf_data_punch_if_free(&d, &t.tx.data, 0);
	tf_data_punch_if_free(&d, &t.tx.data, 1);
	tf_data_punch_if_free(&d, &t.tx.data, BLOCKS + 5); /* not there */
	assert_int_equal(all_of(0, BLOCK), 5);
	assert_int_equal(all_of(BLOCK, BLOCK), 0);
	assert_int_equal(all_of(2 * BLOCK, BLOCK), 5);
	assert_ok(tf_data_punch_free(&d, &t.tx.data, &err), &err);
	for (uint64_t block = 0; block < BLOCKS; block++)
		assert_int_equal(all_of(block * BLOCK, BLOCK), block % 3 ? 0 : 5);
	thin_tx_release(&t);
}

static void runs_are_punched_whole(void **state)
{
	struct tf_runs runs = {0};

	(void)state;
	fill(0, 10 * BLOCK, 5);
	tf_runs_add(&runs, 1, 2);
	tf_runs_add(&runs, 7, 1);
	tf_data_punch_runs(&d, &runs);
	for (uint64_t block = 0; block < 10; block++)
		assert_int_equal(all_of(block * BLOCK, BLOCK),
				 block == 1 || block == 2 || block == 7 ? 0 : 5);
	tf_runs_release(&runs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(runs_that_follow_each_other_are_one, begin, end),
		cmocka_unit_test_setup_teardown(zeroing_makes_a_hole, begin, end),
		cmocka_unit_test_setup_teardown(without_holes_zeros_are_written, begin, end),
		cmocka_unit_test_setup_teardown(a_copy_has_the_same_bytes_and_the_holes, begin,
						end),
		cmocka_unit_test_setup_teardown(a_copy_need_not_be_aligned, begin, end),
		cmocka_unit_test_setup_teardown(refusals_are_errors_with_the_name_of_the_file,
						begin, end),
		cmocka_unit_test_setup_teardown(only_what_the_map_calls_free_is_punched, begin,
						end),
		cmocka_unit_test_setup_teardown(runs_are_punched_whole, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
