/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes of a device: runs of blocks of each kind, reuse without a trace, ranges that are mapped. */
#include "pkg/thin/volume.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/thin/file/pool_internal.h"
#include "tests/support/cmocka.h"
#include "tests/support/thin_fixture.h"

#define BLOCK ((uint64_t)FIXTURE_BLOCK)

static void mapped_ranges_are_found_and_merged(void **state)
{
	struct thin_fixture f;
	struct error err = {0};
	struct thin_volume *v;
	uint64_t at, len;

	(void)state;
	thin_fixture_init(&f, 3000, 0);
	thin_fixture_create(&f, 1);
	thin_fixture_write(&f, 1, 700 * BLOCK, 700 * BLOCK, 1); /* several leaves */
	thin_fixture_write(&f, 1, 5 * BLOCK + 7, 1, 1);
	thin_fixture_write(&f, 1, 6 * BLOCK, BLOCK, 1);
	thin_fixture_write(&f, 1, 2000 * BLOCK, BLOCK, 1);
	assert_int_equal(thin_pool_open_volume(f.pool, 1, 2000 * BLOCK + 4096, false, &v, &err), 0);
	assert_int_equal(thin_volume_next_mapped(v, 0, &at, &len, &err), 0);
	assert_int_equal(at, 5 * BLOCK);
	assert_int_equal(len, 2 * BLOCK);
	assert_int_equal(thin_volume_next_mapped(v, 5 * BLOCK + 100, &at, &len, &err), 0);
	assert_int_equal(at, 5 * BLOCK + 100);
	assert_int_equal(len, 2 * BLOCK - 100);
	assert_int_equal(thin_volume_next_mapped(v, 7 * BLOCK, &at, &len, &err), 0);
	assert_int_equal(at, 700 * BLOCK);
	assert_int_equal(len, 700 * BLOCK);
	assert_int_equal(thin_volume_next_mapped(v, 1400 * BLOCK, &at, &len, &err), 0);
	assert_int_equal(at, 2000 * BLOCK);
	assert_int_equal(len, 4096);
	assert_int_equal(thin_volume_next_mapped(v, 2000 * BLOCK + 4096, &at, &len, &err), 1);
	thin_volume_close(v);
	/* A smaller view of the same device ends before. */
	assert_int_equal(thin_pool_open_volume(f.pool, 1, 1400 * BLOCK, false, &v, &err), 0);
	assert_int_equal(thin_volume_next_mapped(v, 1399 * BLOCK, &at, &len, &err), 0);
	assert_int_equal(len, BLOCK);
	thin_volume_close(v);
	assert_int_equal(thin_pool_open_volume(f.pool, 1, 600 * BLOCK, false, &v, &err), 0);
	assert_int_equal(thin_volume_next_mapped(v, 7 * BLOCK, &at, &len, &err), 1);
	thin_volume_close(v);
	thin_fixture_release(&f);
}

enum { LONG_RUN = 1200000 };

/* Open for reading with nothing in memory, as long as `f` is used. */
static struct thin_volume *fresh_volume(struct thin_fixture *f, uint32_t id, uint64_t bytes)
{
	struct thin_volume *v;
	struct error err = {0};

	thin_fixture_close(f);
	thin_fixture_open(f, THIN_FILE_READ);
	assert_ok(thin_pool_open_volume(f->pool, id, bytes, false, &v, &err), &err);
	return v;
}

static void assert_next(struct thin_volume *v, uint64_t from, uint64_t at, uint64_t len)
{
	uint64_t got_at, got_len;
	struct error err = {0};

	assert_ok(thin_volume_next_mapped(v, from, &got_at, &got_len, &err), &err);
	assert_int_equal(got_at, at);
	assert_int_equal(got_len, len);
}

/* 1 TiB with few blocks: what is not mapped costs nothing. */
static void a_large_sparse_volume_is_walked_in_a_few_reads(void **state)
{
	static const uint64_t size = (UINT64_C(1) << 40) - 512, last = (UINT64_C(1) << 24) - 1;
	struct thin_volume *v;
	struct thin_fixture f;
	struct error err = {0};
	uint64_t at, len;

	(void)state;
	thin_fixture_init(&f, 3000, 0);
	thin_fixture_create(&f, 1);
	for (uint64_t i = 0; i < 1000; i++)
		thin_fixture_map(&f, 1, i * i * 16, 1);
	thin_fixture_map(&f, 1, last, 1);
	thin_fixture_commit(&f);
	v = fresh_volume(&f, 1, size);
	for (uint64_t i = 0, from = 0; i < 1000; i++, from = at + BLOCK)
		assert_next(v, from, (at = i * i * 16 * BLOCK), BLOCK);
	/* The last block is cut like the volume. */
	assert_next(v, at + BLOCK, last * BLOCK, BLOCK - 512);
	assert_next(v, size - 1, size - 1, 1);
	assert_int_equal(thin_volume_next_mapped(v, size, &at, &len, &err), 1);
	/* Two for the device, a root and its leaves. */
	assert_in_range(tf_pool_metadata_reads(f.pool), 7, 3 + 1000 / 84);
	thin_volume_close(v);
	thin_fixture_release(&f);
}

/* However its blocks came about and however long it is. */
static void a_long_run_is_one_range_in_bounded_memory(void **state)
{
	struct thin_volume *v;
	struct thin_fixture f;

	(void)state;
	thin_fixture_init(&f, LONG_RUN + 10000, 0);
	thin_fixture_create(&f, 1);
	thin_fixture_map(&f, 1, 100, LONG_RUN);
	thin_fixture_snap(&f, 2, 1);
	for (uint64_t i = 0; i < 1000; i++)
		thin_fixture_map(&f, 2, 100 + i * 1000, 1);
	thin_fixture_commit(&f);
	v = fresh_volume(&f, 2, UINT64_C(1) << 40);
	assert_next(v, 0, 100 * BLOCK, LONG_RUN * BLOCK);
	assert_in_range(tf_pool_of(f.pool)->tx.cache.n_blocks, 1, 4096 + 10);
	thin_volume_close(v);
	/* What is behind the volume's end is not looked at. */
	v = fresh_volume(&f, 2, 200 * BLOCK);
	assert_next(v, 0, 100 * BLOCK, 100 * BLOCK);
	assert_in_range(tf_pool_metadata_reads(f.pool), 1, 6);
	thin_volume_close(v);
	thin_fixture_release(&f);
}

enum { STEP = 1000, STEPS = 6, RUN = 300, MOVES_SEEN = 40, TIME_LIMIT_S = 60 };

/* In each state the device has one run of blocks, each time in another place. */
static void move_for_ever(const char *dir, int ready)
{
	struct thin_fixture f = {.dir = xstrdup(dir)};
	struct error err = {0};
	struct thin_volume *v;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	thin_fixture_open(&f, THIN_FILE_WRITE);
	thin_fixture_create(&f, 1);
	for (uint64_t i = 0;; i++) {
		if (thin_pool_open_volume(f.pool, 1, STEP * STEPS * BLOCK, true, &v, &err) < 0
		    || thin_volume_discard(v, 0, STEP * STEPS * BLOCK, &err) < 0)
			_exit(1);
		thin_volume_close(v);
		thin_fixture_map(&f, 1, i % STEPS * STEP, RUN);
		thin_fixture_commit(&f);
		if (i == 0 && write(ready, "", 1) != 1)
			_exit(1);
	}
}

static void look_at_moving_run(struct thin_volume *v)
{
	uint64_t at, len, last = UINT64_MAX;
	time_t started = time(NULL);
	struct error err = {0};
	unsigned moves = 0;

	while (moves < MOVES_SEEN) {
		assert_true(time(NULL) - started < TIME_LIMIT_S);
		if (thin_volume_next_mapped(v, 0, &at, &len, &err) < 0) {
			assert_error(&err, ERR_BUSY, "all the time");
			err = (struct error){0};
			continue;
		}
		assert_int_equal(at % (STEP * BLOCK), 0);
		assert_int_equal(len, RUN * BLOCK);
		moves += at != last;
		last = at;
	}
}

static void a_range_is_of_one_state_while_a_writer_commits(void **state)
{
	struct thin_volume *v;
	struct thin_fixture f;
	int ready[2];
	char byte;
	pid_t pid;

	(void)state;
	thin_fixture_init(&f, 3000, 0);
	thin_fixture_close(&f);
	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		move_for_ever(f.dir, ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	v = fresh_volume(&f, 1, STEP * STEPS * BLOCK);
	look_at_moving_run(v);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	thin_volume_close(v);
	close(ready[0]);
	close(ready[1]);
	thin_fixture_release(&f);
}

static void second_write_to_a_copied_block_stays_in_place(void **state)
{
	struct thin_fixture f;

	(void)state;
	thin_fixture_init(&f, 2, 0); /* room for the block and one copy, not for another */
	thin_fixture_create(&f, 1);
	thin_fixture_write(&f, 1, 0, BLOCK, 1);
	thin_fixture_write(&f, 1, 0, BLOCK, 1);
	thin_fixture_snap(&f, 2, 1);
	thin_fixture_write(&f, 2, 0, 10, 2);
	assert_int_equal(thin_fixture_status(&f).data_used_blocks, 2);
	thin_fixture_write(&f, 2, 10, 10, 2);
	thin_fixture_commit(&f);
	thin_fixture_write(&f, 2, 20, 10, 2);
	thin_fixture_expect(&f, 2, 0, 30, 2);
	thin_fixture_expect(&f, 2, 30, BLOCK - 30, 1);
	thin_fixture_expect(&f, 1, 0, BLOCK, 1);
	thin_fixture_release(&f);
}

static void reused_blocks_show_nothing_of_their_past(void **state)
{
	struct thin_fixture f;

	(void)state;
	thin_fixture_init(&f, 16, 0);
	for (uint32_t round = 1; round < 5; round++) {
		thin_fixture_create(&f, round);
		thin_fixture_write(&f, round, 0, 16 * BLOCK, round);
		thin_fixture_commit(&f);
		thin_fixture_delete(&f, round);
		thin_fixture_create(&f, round + 100);
		thin_fixture_commit(&f);
		thin_fixture_write(&f, round + 100, 5 * BLOCK + 1000, 10, 9);
		thin_fixture_expect(&f, round + 100, 5 * BLOCK, 1000, 0);
		thin_fixture_expect(&f, round + 100, 5 * BLOCK + 1010, BLOCK - 1010, 0);
		thin_fixture_delete(&f, round + 100);
		thin_fixture_commit(&f);
	}
	thin_fixture_release(&f);
}

static int refuse_punch(void *context, enum tf_io io, uint64_t at)
{
	(void)context;
	(void)at;
	return io == TF_IO_DATA_PUNCH ? EOPNOTSUPP : 0;
}

static void without_holes_blocks_are_zeroed_by_writing(void **state)
{
	struct thin_fixture f;

	(void)state;
	thin_fixture_init(&f, 16, 0);
	tf_pool_set_fault_hook(f.pool, (struct tf_fault_hook){.before = refuse_punch});
	thin_fixture_create(&f, 1);
	thin_fixture_write(&f, 1, 0, 16 * BLOCK, 1);
	thin_fixture_commit(&f);
	thin_fixture_delete(&f, 1);
	thin_fixture_commit(&f);
	assert_int_equal(thin_fixture_sectors(&f, "data"), 16 * BLOCK / 512);
	thin_fixture_create(&f, 2);
	thin_fixture_write(&f, 2, BLOCK / 2, 10, 2);
	thin_fixture_expect(&f, 2, 0, BLOCK / 2, 0);
	thin_fixture_expect(&f, 2, BLOCK / 2 + 10, BLOCK / 2 - 10, 0);
	/* Copying a mostly empty block must not let the past through either. */
	thin_fixture_snap(&f, 3, 2);
	thin_fixture_write(&f, 3, BLOCK / 4, 10, 3);
	thin_fixture_expect(&f, 3, 0, BLOCK / 4, 0);
	thin_fixture_expect(&f, 3, BLOCK / 2, 10, 2);
	thin_fixture_expect(&f, 3, BLOCK / 2 + 10, BLOCK / 2 - 10, 0);
	thin_fixture_release(&f);
}

/* Writes and reads across private, shared and unmapped blocks at once, in any alignment. */
static void runs_of_all_kinds_are_written_and_read_in_one_call(void **state)
{
	static const size_t starts[] = {0, 1, 4096, FIXTURE_BLOCK - 1};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(starts); i++) {
		struct thin_fixture f;
		size_t at = starts[i], len = 10 * BLOCK - 2 * at;

		thin_fixture_init(&f, 100, 0);
		thin_fixture_create(&f, 1);
		thin_fixture_write(&f, 1, 2 * BLOCK, 2 * BLOCK, 1);
		thin_fixture_snap(&f, 2, 1);			/* 2 and 3 are shared */
		thin_fixture_write(&f, 1, 6 * BLOCK, BLOCK, 1); /* 6 is private */
		thin_fixture_commit(&f);
		thin_fixture_write(&f, 1, at, len, 2);
		thin_fixture_expect(&f, 1, at, len, 2);
		thin_fixture_expect(&f, 1, 0, at, 0);
		thin_fixture_expect(&f, 1, at + len, at, 0);
		thin_fixture_expect(&f, 2, 0, 2 * BLOCK, 0);
		thin_fixture_expect(&f, 2, 2 * BLOCK, 2 * BLOCK, 1);
		thin_fixture_expect(&f, 2, 4 * BLOCK, 8 * BLOCK, 0);
		assert_int_equal(thin_fixture_device(&f, 1).mapped_blocks, 10);
		thin_fixture_commit(&f);
		thin_fixture_check(&f);
		thin_fixture_release(&f);
	}
}

/* More blocks than are mapped in one step. */
static void a_long_write_is_mapped_in_steps(void **state)
{
	struct thin_fixture f;

	(void)state;
	thin_fixture_init(&f, 3000, 0);
	thin_fixture_create(&f, 1);
	thin_fixture_write(&f, 1, 100, 2500 * BLOCK, 1);
	thin_fixture_expect(&f, 1, 100, 2500 * BLOCK, 1);
	assert_int_equal(thin_fixture_device(&f, 1).mapped_blocks, 2501);
	thin_fixture_commit(&f);
	thin_fixture_check(&f);
	thin_fixture_release(&f);
}

static int refuse_writes(void *context, enum tf_io io, uint64_t at)
{
	(void)at;
	return *(bool *)context && io == TF_IO_DATA_WRITE ? EIO : 0;
}

/* New blocks that could not be filled are given back, and the transaction goes on. */
static void a_failed_write_maps_nothing(void **state)
{
	struct thin_fixture f;
	struct thin_volume *v;
	struct error err = {0};
	bool refuse = true;

	(void)state;
	thin_fixture_init(&f, 100, 0);
	tf_pool_set_fault_hook(f.pool,
			       (struct tf_fault_hook){.before = refuse_writes, .context = &refuse});
	thin_fixture_create(&f, 1);
	assert_ok(thin_pool_open_volume(f.pool, 1, 10 * BLOCK, true, &v, &err), &err);
	assert_int_equal(thin_volume_write(v, "x", 1, 5, &err), -1);
	assert_error(&err, ERR_SYSTEM, "write thin 1");
	assert_int_equal(thin_fixture_status(&f).data_used_blocks, 0);
	assert_int_equal(thin_fixture_device(&f, 1).mapped_blocks, 0);
	refuse = false;
	assert_ok(thin_volume_write(v, "x", 1, 5, &err), &err);
	thin_volume_close(v);
	thin_fixture_commit(&f);
	thin_fixture_check(&f);
	assert_int_equal(thin_fixture_status(&f).data_used_blocks, 1);
	thin_fixture_release(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mapped_ranges_are_found_and_merged),
		cmocka_unit_test(a_large_sparse_volume_is_walked_in_a_few_reads),
		cmocka_unit_test(a_long_run_is_one_range_in_bounded_memory),
		cmocka_unit_test(a_range_is_of_one_state_while_a_writer_commits),
		cmocka_unit_test(second_write_to_a_copied_block_stays_in_place),
		cmocka_unit_test(reused_blocks_show_nothing_of_their_past),
		cmocka_unit_test(without_holes_blocks_are_zeroed_by_writing),
		cmocka_unit_test(runs_of_all_kinds_are_written_and_read_in_one_call),
		cmocka_unit_test(a_long_write_is_mapped_in_steps),
		cmocka_unit_test(a_failed_write_maps_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
