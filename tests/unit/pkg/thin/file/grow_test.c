/* SPDX-License-Identifier: Apache-2.0 */
/* More room: over the borders of bitmaps, when nothing is left, cut at any write, refused. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/thin/file/pool_internal.h"
#include "tests/support/cmocka.h"
#include "tests/support/thin_fixture.h"

#define BLOCK ((uint64_t)FIXTURE_BLOCK)
#define MIB   (UINT64_C(1) << 20)

static struct thin_fixture f;
static struct error err;

static int grow(uint64_t data_blocks, uint64_t metadata_bytes)
{
	error_clear(&err);
	return thin_file_grow(f.pool, data_blocks * BLOCK, metadata_bytes, &err);
}

static uint64_t length(const char *name)
{
	cleanup_free char *path = xasprintf("%s/%s", f.dir, name);
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return (uint64_t)st.st_size;
}

static void expect_sizes(uint64_t data_blocks, uint64_t metadata_bytes)
{
	struct thin_pool_status s = thin_fixture_status(&f);

	assert_int_equal(s.data_total_blocks, data_blocks);
	assert_int_equal(s.metadata_total_blocks * 4096, metadata_bytes);
	assert_int_equal(length("data"), data_blocks * BLOCK);
	assert_int_equal(length("meta"), metadata_bytes);
}

/* A bitmap has 16320 blocks: 63.75 MiB of metadata. */
static void both_grow_over_the_borders_of_bitmaps(void **state)
{
	(void)state;
	thin_fixture_init(&f, 16300, 60 * MIB);
	thin_fixture_create(&f, 1);
	for (int i = 1; i <= 3; i++) {
		assert_ok(grow(16300 + (uint64_t)i * 16320, (60 + 70 * (uint64_t)i) * MIB), &err);
		thin_fixture_write(&f, 1, (uint64_t)i << 30, 3 * BLOCK, 1);
		thin_fixture_commit(&f);
		thin_fixture_check(&f);
		thin_fixture_reopen(&f);
		expect_sizes(16300 + (uint64_t)i * 16320, (60 + 70 * (uint64_t)i) * MIB);
	}
	/* To the border exactly, and by the one block behind it. */
	assert_ok(grow(5 * 16320, 0), &err);
	thin_fixture_commit(&f);
	assert_ok(grow(5 * 16320 + 1, 0), &err);
	thin_fixture_commit(&f);
	thin_fixture_check(&f);
	assert_int_equal(thin_fixture_status(&f).data_used_blocks, 9);
	thin_fixture_expect(&f, 1, UINT64_C(2) << 30, 3 * BLOCK, 1);
	thin_fixture_release(&f);
}

static void full_data_takes_more_in_the_same_transaction(void **state)
{
	struct thin_volume *v;

	(void)state;
	thin_fixture_init(&f, 32, 0);
	thin_fixture_create(&f, 1);
	thin_fixture_write(&f, 1, 0, 32 * BLOCK, 1);
	assert_string_equal(thin_fixture_status(&f).mode, "out_of_data_space");
	assert_ok(thin_pool_open_volume(f.pool, 1, 99 * BLOCK, true, &v, &err), &err);
	assert_int_equal(thin_volume_write(v, "x", 1, 40 * BLOCK, &err), -1);
	assert_int_equal(err.kind, ERR_NO_SPACE);
	assert_ok(grow(40, 0), &err);
	assert_ok(thin_volume_write(v, "x", 1, 40 * BLOCK, &err), &err);
	thin_volume_close(v);
	assert_string_equal(thin_fixture_status(&f).mode, "rw");
	thin_fixture_commit(&f);
	thin_fixture_check(&f);
	expect_sizes(40, 2 * MIB);
	thin_fixture_release(&f);
}

static void full_metadata_takes_more(void **state)
{
	struct tf_pool *p;
	uint8_t *block;
	uint64_t nr;
	uint32_t id = 1;

	(void)state;
	thin_fixture_init(&f, 100, 2 * MIB);
	for (; thin_pool_create_thin(f.pool, id, &err) == 0; id++)
		if (id % 10 == 0)
			thin_fixture_commit(&f);
	assert_int_equal(err.kind, ERR_NO_SPACE);
	thin_fixture_commit(&f);
	assert_ok(grow(0, 3 * MIB), &err);
	thin_fixture_create(&f, id);
	thin_fixture_commit(&f);
	thin_fixture_check(&f);
	thin_fixture_reopen(&f);
	expect_sizes(100, 3 * MIB);
	/* With not even the reserve left new metadata must bring all that growing takes. */
	p = tf_pool_of(f.pool);
	while (tf_spacemap_available(&p->tx.metadata))
		assert_ok(tf_tx_new_block(&p->tx, TF_NODE, &nr, &block, &err), &err);
	assert_int_equal(grow(200, 0), -1);
	assert_error(&err, ERR_NO_SPACE, "0 are free or new");
	assert_int_equal(grow(0, 3 * MIB + 20 * 4096), -1);
	assert_error(&err, ERR_NO_SPACE, "20 are free or new");
	expect_sizes(100, 3 * MIB);
	assert_ok(grow(200, 4 * MIB), &err);
	thin_fixture_commit(&f);
	expect_sizes(200, 4 * MIB);
	thin_fixture_release(&f);
}

static void sizes_that_cannot_be_are_refused(void **state)
{
	(void)state;
	thin_fixture_init(&f, 100, 3 * MIB);
	assert_int_equal(grow(99, 0), -1);
	assert_error(&err, ERR_USAGE,
		     "the pool has 6553600 bytes of data and cannot shrink to 6488064");
	assert_int_equal(thin_file_grow(f.pool, 1, 0, &err), -1);
	assert_error(&err, ERR_USAGE, "cannot shrink to 1");
	assert_int_equal(grow(200, 3 * MIB - 1), -1);
	assert_error(&err, ERR_USAGE,
		     "the pool has 3145728 bytes of metadata and cannot shrink to 3145727");
	assert_int_equal(grow(0, UINT64_C(16) << 30), -1);
	assert_error(&err, ERR_USAGE, "the format has at most 17045913600");
	assert_int_equal(thin_file_grow(f.pool, UINT64_MAX, 0, &err), -1);
	assert_error(&err, ERR_USAGE, "a pool cannot have");
	assert_int_equal(grow((UINT64_C(1) << 40) + 1, 0), -1);
	assert_error(&err, ERR_USAGE, "a pool cannot have");
	/* Much more data than the metadata has room to count. */
	assert_int_equal(grow(UINT64_C(16320) * 600, 0), -1);
	assert_error(&err, ERR_NO_SPACE, "growing takes");
	/* Parts of blocks are none; and the same again is fine. */
	assert_ok(thin_file_grow(f.pool, 101 * BLOCK - 1, 3 * MIB + 4095, &err), &err);
	assert_int_equal(tf_pool_of(f.pool)->tx.data.n_dirty, 0);
	expect_sizes(100, 3 * MIB);
	thin_fixture_commit(&f);
	thin_fixture_check(&f);
	thin_fixture_release(&f);
}

/* The metadata file is raised first: it must get its length back, and the handle stays good. */
static void a_host_that_refuses_leaves_the_lengths(void **state)
{
	struct rlimit old, limit;

	(void)state;
	thin_fixture_init(&f, 100, 2 * MIB);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	limit = (struct rlimit){.rlim_cur = 32 * MIB, .rlim_max = old.rlim_max};
	signal(SIGXFSZ, SIG_IGN);
	assert_ok(grow(200, 0), &err);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(grow(1000, 8 * MIB), -1);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	signal(SIGXFSZ, SIG_DFL);
	assert_error(&err, ERR_NO_SPACE, "File too large");
	assert_int_equal(err.sys, EFBIG);
	expect_sizes(200, 2 * MIB); /* what was grown before is not lost */
	thin_fixture_create(&f, 1);
	thin_fixture_commit(&f);
	thin_fixture_check(&f);
	expect_sizes(200, 2 * MIB);
	thin_fixture_release(&f);
}

/* ---- cut ---- */

struct cut {
	unsigned left;
	bool kill;
};

static int before(void *context, enum tf_io io, uint64_t at)
{
	struct cut *cut = context;

	(void)at;
	if (cut->left) {
		cut->left--;
		return 0;
	}
	/* After the superblock it is there, though not known to be durable. */
	if (cut->kill)
		_exit(io == TF_IO_SUPERBLOCK_SYNC ? 3 : 2);
	return EIO;
}

static int grow_and_commit(struct cut *cut)
{
	tf_pool_set_fault_hook(f.pool, (struct tf_fault_hook){before, cut});
	if (grow(40000, 80 * MIB) < 0)
		return -1;
	return thin_pool_commit(f.pool, 2, &err);
}

static void a_growth_that_is_refused_anywhere_did_not_happen(void **state)
{
	int rc = -1;

	(void)state;
	thin_fixture_init(&f, 100, 2 * MIB);
	thin_fixture_create(&f, 1);
	thin_fixture_write(&f, 1, 0, 50 * BLOCK, 1);
	thin_fixture_commit(&f);
	for (unsigned left = 0; rc < 0; left++) {
		struct cut cut = {.left = left};

		rc = grow_and_commit(&cut);
		tf_pool_set_fault_hook(f.pool, (struct tf_fault_hook){0});
		thin_fixture_close(&f);
		if (rc < 0) {
			assert_int_equal(length("data"), 100 * BLOCK);
			assert_int_equal(length("meta"), 2 * MIB);
		}
		thin_fixture_open(&f, THIN_FILE_WRITE);
		thin_fixture_check(&f);
		assert_true(rc == 0 || left < 30);
	}
	expect_sizes(40000, 80 * MIB);
	thin_fixture_expect(&f, 1, 0, 50 * BLOCK, 1);
	thin_fixture_release(&f);
}

static int killed_at(unsigned left)
{
	pid_t pid;
	int status;

	thin_fixture_close(&f);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct cut cut = {.left = left, .kill = true};

		thin_fixture_open(&f, THIN_FILE_WRITE);
		_exit(grow_and_commit(&cut) == 0 ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	thin_fixture_open(&f, THIN_FILE_WRITE);
	return WEXITSTATUS(status);
}

/* The next one who opens it puts the lengths right. */
static void a_growth_that_is_killed_anywhere_happened_or_not(void **state)
{
	int how = 2;
	unsigned left = 0;

	(void)state;
	thin_fixture_init(&f, 100, 2 * MIB);
	thin_fixture_create(&f, 1);
	thin_fixture_write(&f, 1, 0, 50 * BLOCK, 1);
	thin_fixture_commit(&f);
	for (; how == 2; left++) {
		how = killed_at(left);
		expect_sizes(how == 2 ? 100 : 40000, (how == 2 ? 2 : 80) * MIB);
		thin_fixture_check(&f);
		thin_fixture_expect(&f, 1, 0, 50 * BLOCK, 1);
	}
	assert_int_equal(how, 3);
	assert_true(left > 4);
	thin_fixture_release(&f);
}

/* ---- others ---- */

static void a_reader_sees_the_old_size_and_then_the_new_one(void **state)
{
	struct thin_fixture reader;

	(void)state;
	thin_fixture_init(&f, 100, 2 * MIB);
	thin_fixture_create(&f, 1);
	thin_fixture_write(&f, 1, 0, 50 * BLOCK, 1);
	thin_fixture_commit(&f);
	reader = (struct thin_fixture){.dir = f.dir};
	thin_fixture_open(&reader, THIN_FILE_READ);
	assert_ok(grow(40000, 80 * MIB), &err);
	assert_int_equal(thin_fixture_status(&reader).data_total_blocks, 100);
	thin_fixture_expect(&reader, 1, 0, 50 * BLOCK, 1);
	thin_fixture_write(&f, 1, 50 * BLOCK, 100 * BLOCK, 1); /* behind the old end, too */
	thin_fixture_commit(&f);
	assert_int_equal(thin_fixture_status(&reader).data_total_blocks, 40000);
	thin_fixture_expect(&reader, 1, 0, 150 * BLOCK, 1);
	assert_int_equal(thin_file_grow(reader.pool, 50000 * BLOCK, 0, &err), -1);
	assert_error(&err, ERR_INVALID, "open for reading only");
	thin_fixture_close(&reader);
	thin_fixture_release(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_grow_over_the_borders_of_bitmaps),
		cmocka_unit_test(full_data_takes_more_in_the_same_transaction),
		cmocka_unit_test(full_metadata_takes_more),
		cmocka_unit_test(sizes_that_cannot_be_are_refused),
		cmocka_unit_test(a_host_that_refuses_leaves_the_lengths),
		cmocka_unit_test(a_growth_that_is_refused_anywhere_did_not_happen),
		cmocka_unit_test(a_growth_that_is_killed_anywhere_happened_or_not),
		cmocka_unit_test(a_reader_sees_the_old_size_and_then_the_new_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
