/* SPDX-License-Identifier: Apache-2.0 */
/* Metadata blocks in memory: what is verified, what is written and when, and what is forgotten. */
#include "pkg/thin/file/cache.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "tests/support/cmocka.h"

enum { BLOCKS = 20000 };

static struct tf_cache c;
static struct error err;
static int fd;

static int begin(void **state)
{
	(void)state;
	error_clear(&err);
	fd = memfd_create("meta", MFD_CLOEXEC);
	assert_int_equal(ftruncate(fd, (off_t)BLOCKS * TF_BLOCK_BYTES), 0);
	tf_cache_init(&c, fd, "meta", BLOCKS);
	return 0;
}

static int end(void **state)
{
	(void)state;
	tf_cache_release(&c);
	tf_cache_release(&c); /* twice is once */
	close(fd);
	return 0;
}

static void put(uint64_t nr, enum tf_block_type type, uint8_t mark)
{
	uint8_t *block = tf_cache_new(&c, nr, type);

	if (type == TF_NODE)
		tf_node_init(block, TF_NODE_LEAF, 8);
	block[3000] = mark;
}

static int mark_of(uint64_t nr, enum tf_block_type type)
{
	const uint8_t *block;

	error_clear(&err);
	block = tf_cache_read(&c, nr, type, &err);
	return block ? block[3000] : -1;
}

static void fresh_blocks_are_on_disk_after_the_flush_only(void **state)
{
	uint8_t raw[TF_BLOCK_BYTES];

	(void)state;
	put(5, TF_BITMAP, 1);
	assert_true(tf_cache_is_fresh(&c, 5));
	assert_int_equal(mark_of(5, TF_BITMAP), 1);
	assert_int_equal(pread(fd, raw, sizeof(raw), 5 * TF_BLOCK_BYTES), sizeof(raw));
	assert_int_equal(raw[3000], 0);
	assert_ok(tf_cache_flush(&c, &err), &err);
	assert_int_equal(pread(fd, raw, sizeof(raw), 5 * TF_BLOCK_BYTES), sizeof(raw));
	assert_int_equal(raw[3000], 1);
	assert_ok(tf_block_verify(raw, TF_BITMAP, 5, &err), &err);
	assert_true(tf_cache_is_fresh(&c, 5)); /* until the superblock is down */
	tf_cache_committed(&c);
	assert_false(tf_cache_is_fresh(&c, 5));
	assert_int_equal(mark_of(5, TF_BITMAP), 1);
	tf_cache_clear(&c);
	assert_int_equal(mark_of(5, TF_BITMAP), 1); /* from disk */
}

static void a_block_is_one_thing_only(void **state)
{
	(void)state;
	put(5, TF_BITMAP, 1);
	assert_int_equal(mark_of(5, TF_NODE), -1);
	assert_error(&err, ERR_INCONSISTENT, "metadata block 5 of 20000 is used as two things");
	assert_int_equal(mark_of(0, TF_NODE), -1); /* the superblock */
	assert_error(&err, ERR_INCONSISTENT, "used as two things");
	assert_int_equal(mark_of(BLOCKS, TF_NODE), -1);
	assert_int_equal(mark_of(UINT64_MAX, TF_NODE), -1);
	assert_error(&err, ERR_INCONSISTENT, "used as two things");
}

static void what_is_read_is_verified(void **state)
{
	uint8_t byte = 1;

	(void)state;
	put(5, TF_BITMAP, 1);
	put(6, TF_NODE, 2);
	assert_ok(tf_cache_flush(&c, &err), &err);
	tf_cache_committed(&c);
	tf_cache_clear(&c);
	assert_int_equal(mark_of(5, TF_NODE), -1); /* its checksum is that of a bitmap */
	assert_int_equal(err.kind, ERR_INCONSISTENT);
	assert_int_equal(pwrite(fd, &byte, 1, 6 * TF_BLOCK_BYTES + 3500), 1);
	assert_int_equal(mark_of(6, TF_NODE), -1);
	assert_int_equal(err.kind, ERR_INCONSISTENT);
	assert_int_equal(mark_of(7, TF_NODE), -1); /* never written */
	assert_int_equal(c.n_blocks, 0);
}

/* Taken in one transaction and given back in it: nobody must find it on disk. */
static void what_is_forgotten_is_not_written(void **state)
{
	uint8_t raw[TF_BLOCK_BYTES];

	(void)state;
	put(5, TF_BITMAP, 1);
	put(6, TF_BITMAP, 2);
	tf_cache_forget(&c, 5);
	tf_cache_forget(&c, 99); /* not there */
	assert_ok(tf_cache_flush(&c, &err), &err);
	assert_int_equal(pread(fd, raw, sizeof(raw), 5 * TF_BLOCK_BYTES), sizeof(raw));
	assert_int_equal(raw[3000], 0);
	tf_cache_committed(&c);
	tf_cache_forget(&c, 6); /* clean: stays as it is */
	assert_int_equal(c.n_blocks, 1);
}

static void a_block_made_anew_is_zero(void **state)
{
	(void)state;
	put(5, TF_BITMAP, 1);
	assert_ok(tf_cache_flush(&c, &err), &err);
	tf_cache_committed(&c);
	assert_int_equal(tf_cache_new(&c, 5, TF_INDEX)[3000], 0);
	assert_true(tf_cache_is_fresh(&c, 5));
	assert_int_equal(c.n_blocks, 1);
	assert_int_equal(c.n_fresh, 1);
	tf_cache_edit(&c, 5)[3000] = 9;
	assert_int_equal(mark_of(5, TF_INDEX), 9);
}

struct order {
	uint64_t last, writes, syncs, stop_at;
};

static int note(void *context, enum tf_io io, uint64_t at)
{
	struct order *o = context;

	if (io == TF_IO_METADATA_SYNC) {
		o->syncs++;
		return 0;
	}
	assert_int_equal(io, TF_IO_METADATA_WRITE);
	assert_int_equal(o->syncs, 0);
	assert_true(at > o->last);
	o->last = at;
	return ++o->writes == o->stop_at ? ENOSPC : 0;
}

static void blocks_are_written_in_order_and_then_synced(void **state)
{
	struct order o = {0};

	(void)state;
	c.hook = (struct tf_fault_hook){note, &o};
	for (uint64_t i = 0; i < 1000; i++)
		put(1 + i * 7919 % 19999, TF_BITMAP, (uint8_t)i);
	assert_ok(tf_cache_flush(&c, &err), &err);
	assert_int_equal(o.writes, 1000);
	assert_int_equal(o.syncs, 1);
	tf_cache_committed(&c);
	assert_ok(tf_cache_flush(&c, &err), &err); /* nothing to do: no sync either */
	assert_int_equal(o.syncs, 1);
}

static void a_write_that_fails_ends_the_flush(void **state)
{
	struct order o = {.stop_at = 3};

	(void)state;
	c.hook = (struct tf_fault_hook){note, &o};
	for (uint64_t i = 1; i < 10; i++)
		put(i, TF_BITMAP, (uint8_t)i);
	assert_int_equal(tf_cache_flush(&c, &err), -1);
	assert_error(&err, ERR_NO_SPACE, "write meta");
	assert_int_equal(o.writes, 3);
	assert_int_equal(o.syncs, 0);
	assert_int_equal(c.n_fresh, 9);
}

/* More in a row than one system call takes. */
static void long_runs_are_written_whole(void **state)
{
	(void)state;
	for (uint64_t i = 1; i <= 2000; i++)
		put(i, TF_BITMAP, (uint8_t)(i * 3));
	assert_ok(tf_cache_flush(&c, &err), &err);
	tf_cache_committed(&c);
	tf_cache_clear(&c);
	assert_int_equal(c.n_blocks, 0);
	for (uint64_t i = 1; i <= 2000; i++)
		assert_int_equal(mark_of(i, TF_BITMAP), (uint8_t)(i * 3));
}

static void a_file_that_cannot_be_written_is_told(void **state)
{
	int before = c.fd;

	(void)state;
	put(5, TF_BITMAP, 1);
	c.fd = -1;
	assert_int_equal(tf_cache_flush(&c, &err), -1);
	assert_error(&err, ERR_SYSTEM, "write meta");
	error_clear(&err);
	assert_int_equal(mark_of(7, TF_BITMAP), -1);
	assert_int_equal(err.kind, ERR_SYSTEM);
	c.fd = before;
	assert_ok(tf_cache_flush(&c, &err), &err);
}

/* What is fresh never goes; of the rest, what was used lately stays longest. */
static void memory_is_bounded_by_dropping_clean_blocks(void **state)
{
	(void)state;
	for (uint64_t i = 1; i <= 6000; i++)
		put(i, TF_BITMAP, (uint8_t)i);
	tf_cache_trim(&c);
	assert_int_equal(c.n_blocks, 6000);
	assert_ok(tf_cache_flush(&c, &err), &err);
	tf_cache_committed(&c);
	put(7000, TF_BITMAP, 7);
	tf_cache_trim(&c); /* all were in use: all clean ones go */
	assert_int_equal(c.n_blocks, 1);
	assert_true(tf_cache_is_fresh(&c, 7000));
	for (uint64_t i = 1; i <= 6000; i++)
		assert_int_equal(mark_of(i, TF_BITMAP), (uint8_t)i);
	tf_cache_trim(&c);
	for (uint64_t i = 1; i <= 4100; i++)
		assert_int_equal(mark_of(i, TF_BITMAP), (uint8_t)i);
	assert_true(c.n_blocks <= 6001);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(fresh_blocks_are_on_disk_after_the_flush_only,
						begin, end),
		cmocka_unit_test_setup_teardown(a_block_is_one_thing_only, begin, end),
		cmocka_unit_test_setup_teardown(what_is_read_is_verified, begin, end),
		cmocka_unit_test_setup_teardown(what_is_forgotten_is_not_written, begin, end),
		cmocka_unit_test_setup_teardown(a_block_made_anew_is_zero, begin, end),
		cmocka_unit_test_setup_teardown(blocks_are_written_in_order_and_then_synced, begin,
						end),
		cmocka_unit_test_setup_teardown(a_write_that_fails_ends_the_flush, begin, end),
		cmocka_unit_test_setup_teardown(long_runs_are_written_whole, begin, end),
		cmocka_unit_test_setup_teardown(a_file_that_cannot_be_written_is_told, begin, end),
		cmocka_unit_test_setup_teardown(memory_is_bounded_by_dropping_clean_blocks, begin,
						end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
