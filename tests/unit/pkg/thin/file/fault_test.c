/* SPDX-License-Identifier: Apache-2.0 */
/* Writes that fail, at every step: the last commit stays whole, and the handle says so. */
#include "pkg/thin/file/fault_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/thin/file/format.h"
#include "tests/support/cmocka.h"
#include "tests/support/thin_fixture.h"

#define BLOCK ((uint64_t)FIXTURE_BLOCK)

/* All writes and syncs of the given kinds fail after the first `left`. */
struct fault {
	unsigned kinds; /* bits 1 << enum tf_io */
	unsigned left;
	int sys;
	unsigned met;
};

static int before(void *context, enum tf_io io, uint64_t at)
{
	struct fault *fault = context;

	(void)at;
	if (!(fault->kinds >> io & 1))
		return 0;
	return fault->met++ < fault->left ? 0 : fault->sys;
}

static void arm(struct thin_fixture *f, struct fault *fault)
{
	tf_pool_set_fault_hook(f->pool, (struct tf_fault_hook){before, fault});
}

static struct thin_pool_status status_of(const struct thin_fixture *f)
{
	struct thin_pool_status status;
	struct error err = {0};

	assert_ok(thin_pool_status(f->pool, &status, &err), &err);
	return status;
}

/* Thin 1 with 8 blocks, committed. */
static void start(struct thin_fixture *f)
{
	struct error err = {0};

	thin_fixture_init(f, 200, 0);
	assert_ok(thin_pool_create_thin(f->pool, 1, &err), &err);
	thin_fixture_write(f, 1, 0, 8 * BLOCK, 1);
	thin_fixture_commit(f);
}

/* Touches all trees and both maps. */
static void work(struct thin_fixture *f)
{
	struct error err = {0};

	assert_ok(thin_pool_create_snap(f->pool, 2, 1, &err), &err);
	assert_ok(thin_pool_create_snap(f->pool, 3, 1, &err), &err);
	thin_fixture_write(f, 1, BLOCK / 2, 4 * BLOCK, 2);
	thin_fixture_write(f, 2, 100 * BLOCK, BLOCK, 3);
	assert_ok(thin_pool_delete(f->pool, 3, &err), &err);
}

static void expect_old_state(struct thin_fixture *f)
{
	thin_fixture_check(f);
	assert_int_equal(status_of(f).thin_count, 1);
	assert_int_equal(status_of(f).transaction_id, 1);
	assert_int_equal(status_of(f).data_used_blocks, 8);
	thin_fixture_expect(f, 1, 0, 8 * BLOCK, 1);
	assert_int_equal(thin_fixture_sectors(f, "data"), 8 * BLOCK / 512);
}

static void a_commit_cut_at_any_write_leaves_the_one_before(void **state)
{
	const unsigned all = 1 << TF_IO_DATA_SYNC | 1 << TF_IO_METADATA_WRITE
			     | 1 << TF_IO_METADATA_SYNC | 1 << TF_IO_SUPERBLOCK_WRITE
			     | 1 << TF_IO_SUPERBLOCK_SYNC;
	struct thin_device device;
	unsigned cuts = 0;

	(void)state;
	for (bool done = false; !done; cuts++) {
		struct fault fault = {.kinds = all, .left = cuts, .sys = EIO};
		struct thin_fixture f;
		struct error err = {0};

		start(&f);
		work(&f);
		arm(&f, &fault);
		done = thin_pool_commit(f.pool, 2, &err) == 0;
		if (!done) {
			assert_error(&err, ERR_SYSTEM, "commit of pool");
			/* Nothing but close is left. */
			assert_int_equal(thin_pool_create_thin(f.pool, 9, &err), -1);
			assert_error(&err, ERR_SYSTEM, "an earlier commit failed");
			assert_int_equal(thin_pool_device(f.pool, 1, &device, &err), -1);
			assert_int_equal(thin_pool_abort(f.pool, &err), -1);
			assert_int_equal(thin_pool_commit(f.pool, 3, &err), -1);
			thin_fixture_reopen(&f);
			expect_old_state(&f);
		}
		arm(&f, &(struct fault){0});
		if (!done) /* and life goes on */
			work(&f);
		thin_fixture_commit(&f);
		thin_fixture_check(&f);
		thin_fixture_expect(&f, 1, BLOCK / 2, 4 * BLOCK, 2);
		thin_fixture_expect(&f, 2, 0, 8 * BLOCK, 1);
		thin_fixture_release(&f);
	}
	assert_true(cuts > 12);
}

static void a_full_host_is_no_space_and_data_can_be_tried_again(void **state)
{
	struct fault fault = {.kinds = 1 << TF_IO_DATA_WRITE, .sys = ENOSPC};
	struct thin_fixture f;
	cleanup_free uint8_t *bytes = xcalloc(4, BLOCK);
	struct thin_volume *v;
	struct error err = {0};

	(void)state;
	start(&f);
	arm(&f, &fault);
	assert_ok(thin_pool_open_volume(f.pool, 1, 100 * BLOCK, true, &v, &err), &err);
	assert_int_equal(thin_volume_write(v, bytes, 4 * BLOCK, 50 * BLOCK, &err), -1);
	assert_error(&err, ERR_NO_SPACE, "/data");
	thin_volume_close(v);
	/* The blocks that could not be filled are not mapped, and not lost. */
	assert_int_equal(status_of(&f).data_used_blocks, 8);
	thin_fixture_expect(&f, 1, 50 * BLOCK, 4 * BLOCK, 0);
	fault.kinds = 0;
	thin_fixture_write(&f, 1, 50 * BLOCK, 4 * BLOCK, 5);
	thin_fixture_commit(&f);
	thin_fixture_check(&f);
	thin_fixture_expect(&f, 1, 50 * BLOCK, 4 * BLOCK, 5);
	thin_fixture_release(&f);
}

static void a_full_host_at_commit_leaves_the_commit_before(void **state)
{
	struct fault fault = {.kinds = 1 << TF_IO_METADATA_WRITE, .left = 3, .sys = ENOSPC};
	struct thin_fixture f;
	struct error err = {0};

	(void)state;
	start(&f);
	work(&f);
	arm(&f, &fault);
	assert_int_equal(thin_pool_commit(f.pool, 2, &err), -1);
	assert_error(&err, ERR_NO_SPACE, "/meta");
	thin_fixture_reopen(&f);
	expect_old_state(&f);
	thin_fixture_release(&f);
}

/* Flip a bit in the root of thin 1's mappings; a second time puts it right again. */
static void flip_bit(const struct thin_fixture *f)
{
	cleanup_free char *path = xasprintf("%s/meta", f->dir);
	cleanup_fd int fd = open(path, O_RDWR);
	uint8_t block[TF_BLOCK_BYTES];
	struct tf_superblock sb;
	off_t at;

	assert_int_equal(pread(fd, block, sizeof(block), 0), sizeof(block));
	tf_superblock_unpack(block, &sb);
	assert_int_equal(pread(fd, block, sizeof(block), (off_t)sb.mapping_root * TF_BLOCK_BYTES),
			 sizeof(block));
	at = (off_t)tf_node_value64(block, 0) * TF_BLOCK_BYTES + 100;
	assert_int_equal(pread(fd, block, 1, at), 1);
	block[0] ^= 1;
	assert_int_equal(pwrite(fd, block, 1, at), 1);
}

static void a_change_that_stops_half_way_can_only_be_aborted(void **state)
{
	struct thin_fixture f;
	struct error err = {0};

	(void)state;
	start(&f);
	thin_fixture_reopen(&f); /* with nothing in memory */
	flip_bit(&f);
	/* The details are gone already when the mappings turn out to be damaged. */
	assert_int_equal(thin_pool_delete(f.pool, 1, &err), -1);
	assert_error(&err, ERR_INCONSISTENT, "checksum");
	assert_int_equal(thin_pool_create_thin(f.pool, 5, &err), -1);
	assert_error(&err, ERR_INCONSISTENT, "an earlier change failed");
	assert_int_equal(thin_pool_commit(f.pool, 7, &err), -1);
	assert_error(&err, ERR_INCONSISTENT, "an earlier change failed");
	flip_bit(&f);
	assert_ok(thin_pool_abort(f.pool, &err), &err);
	expect_old_state(&f);
	assert_ok(thin_pool_delete(f.pool, 1, &err), &err);
	thin_fixture_commit(&f);
	thin_fixture_check(&f);
	thin_fixture_release(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_commit_cut_at_any_write_leaves_the_one_before),
		cmocka_unit_test(a_full_host_is_no_space_and_data_can_be_tried_again),
		cmocka_unit_test(a_full_host_at_commit_leaves_the_commit_before),
		cmocka_unit_test(a_change_that_stops_half_way_can_only_be_aborted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
