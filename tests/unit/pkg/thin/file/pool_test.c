/* SPDX-License-Identifier: Apache-2.0 */
/* Pools as their users see them: devices, snapshots, bytes, commit, abort, refusals. */
#include "pkg/thin/pool.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "pkg/base/alloc.h"
#include "pkg/base/bytes.h"
#include "pkg/base/cleanup.h"
#include "pkg/thin/file/fault_internal.h"
#include "pkg/thin/file/format.h"
#include "tests/support/thin_fixture.h"

#define BLOCK ((uint64_t)FIXTURE_BLOCK)

static void new_pool_is_empty_and_small(void **state)
{
	struct thin_fixture f;
	struct thin_pool_status s;

	(void)state;
	thin_fixture_init(&f, 100 * 16384, 0); /* 100 GiB */
	s = thin_fixture_status(&f);
	assert_string_equal(s.engine, "file");
	assert_string_equal(s.mode, "rw");
	assert_int_equal(s.data_used_blocks, 0);
	assert_int_equal(s.data_total_blocks, 100 * 16384);
	assert_int_equal(s.metadata_total_blocks, 100 * 16384 * 48 / 4096);
	assert_int_equal(s.thin_count, 0);
	assert_int_equal(s.transaction_id, 0);
	assert_memory_equal(s.uuid, "0123456789abcde", 16);
	thin_fixture_check(&f);
	assert_true(thin_fixture_sectors(&f, "data") == 0);
	assert_true(thin_fixture_sectors(&f, "meta") < 2048); /* 1 MiB */
	thin_fixture_release(&f);
}

static void written_bytes_come_back_after_reopening(void **state)
{
	struct thin_fixture f;

	(void)state;
	thin_fixture_init(&f, 1000, 0);
	thin_fixture_create(&f, 7);
	thin_fixture_write(&f, 7, 3 * BLOCK + 100, 5 * BLOCK, 1);
	thin_fixture_expect(&f, 7, 3 * BLOCK + 100, 5 * BLOCK, 1);
	thin_fixture_commit(&f);
	thin_fixture_reopen(&f);
	thin_fixture_expect(&f, 7, 3 * BLOCK + 100, 5 * BLOCK, 1);
	thin_fixture_expect(&f, 7, 3 * BLOCK, 100, 0);
	thin_fixture_expect(&f, 7, 8 * BLOCK + 100, BLOCK - 100, 0);
	thin_fixture_expect(&f, 7, 0, 3 * BLOCK, 0);
	thin_fixture_expect(&f, 7, UINT64_C(1) << 39, BLOCK, 0);
	assert_int_equal(thin_fixture_device(&f, 7).mapped_blocks, 6);
	assert_int_equal(thin_fixture_status(&f).data_used_blocks, 6);
	assert_int_equal(thin_fixture_status(&f).transaction_id, 1);
	thin_fixture_check(&f);
	thin_fixture_release(&f);
}

static void snapshot_and_origin_do_not_see_each_others_writes(void **state)
{
	struct thin_fixture f;

	(void)state;
	thin_fixture_init(&f, 1000, 0);
	thin_fixture_create(&f, 1);
	thin_fixture_write(&f, 1, 0, 10 * BLOCK, 1);
	thin_fixture_snap(&f, 2, 1);
	thin_fixture_write(&f, 2, 2 * BLOCK + 5, 10, 2);
	thin_fixture_write(&f, 1, 4 * BLOCK, 2 * BLOCK, 3);
	thin_fixture_write(&f, 2, 9 * BLOCK + 50, BLOCK, 4);
	thin_fixture_expect(&f, 1, 0, 4 * BLOCK, 1);
	thin_fixture_expect(&f, 1, 4 * BLOCK, 2 * BLOCK, 3);
	thin_fixture_expect(&f, 1, 6 * BLOCK, 4 * BLOCK, 1);
	thin_fixture_expect(&f, 2, 0, 2 * BLOCK + 5, 1);
	thin_fixture_expect(&f, 2, 2 * BLOCK + 5, 10, 2);
	thin_fixture_expect(&f, 2, 2 * BLOCK + 15, 7 * BLOCK + 35, 1);
	thin_fixture_expect(&f, 2, 9 * BLOCK + 50, BLOCK, 4);
	thin_fixture_expect(&f, 2, 10 * BLOCK + 50, BLOCK - 50, 0);
	assert_int_equal(thin_fixture_device(&f, 1).mapped_blocks, 10);
	assert_int_equal(thin_fixture_device(&f, 2).mapped_blocks, 11);
	assert_int_equal(thin_fixture_device(&f, 1).snapshotted_time, 1);
	assert_int_equal(thin_fixture_device(&f, 2).creation_time, 1);
	/* 10 shared, of which 2 + 2 were copied, and one of its own. */
	assert_int_equal(thin_fixture_status(&f).data_used_blocks, 15);
	thin_fixture_commit(&f);
	thin_fixture_check(&f);
	thin_fixture_release(&f);
}

static void deleting_gives_blocks_back(void **state)
{
	struct thin_fixture f;
	struct thin_pool_status before;

	(void)state;
	thin_fixture_init(&f, 3000, 0);
	thin_fixture_create(&f, 1);
	thin_fixture_write(&f, 1, 0, 500 * BLOCK, 1);
	thin_fixture_commit(&f);
	before = thin_fixture_status(&f);
	thin_fixture_snap(&f, 2, 1);
	thin_fixture_write(&f, 2, 100 * BLOCK, 500 * BLOCK, 2);
	thin_fixture_commit(&f);
	thin_fixture_check(&f);
	assert_int_equal(thin_fixture_status(&f).data_used_blocks, 1000);
	thin_fixture_delete(&f, 2);
	thin_fixture_commit(&f);
	thin_fixture_check(&f);
	assert_int_equal(thin_fixture_status(&f).data_used_blocks, 500);
	assert_int_equal(thin_fixture_status(&f).metadata_used_blocks, before.metadata_used_blocks);
	/* The host got the space back as well. */
	assert_true(thin_fixture_sectors(&f, "data") < 510 * BLOCK / 512);
	thin_fixture_expect(&f, 1, 0, 500 * BLOCK, 1);
	thin_fixture_delete(&f, 1);
	thin_fixture_commit(&f);
	thin_fixture_check(&f);
	assert_int_equal(thin_fixture_status(&f).data_used_blocks, 0);
	assert_int_equal(thin_fixture_sectors(&f, "data"), 0);
	thin_fixture_release(&f);
}

static void abort_forgets_the_transaction(void **state)
{
	struct thin_fixture f;
	struct error err = {0};
	struct thin_pool_status before;

	(void)state;
	thin_fixture_init(&f, 1000, 0);
	thin_fixture_create(&f, 1);
	thin_fixture_write(&f, 1, 0, 4 * BLOCK, 1);
	thin_fixture_commit(&f);
	before = thin_fixture_status(&f);
	thin_fixture_snap(&f, 2, 1);
	thin_fixture_write(&f, 2, 0, 20 * BLOCK, 2);
	thin_fixture_create(&f, 3);
	assert_int_equal(thin_pool_abort(f.pool, &err), 0);
	assert_int_equal(thin_fixture_status(&f).data_used_blocks, before.data_used_blocks);
	assert_int_equal(thin_fixture_status(&f).metadata_used_blocks, before.metadata_used_blocks);
	assert_int_equal(thin_fixture_status(&f).thin_count, 1);
	assert_int_equal(thin_fixture_sectors(&f, "data"), 4 * BLOCK / 512);
	thin_fixture_expect(&f, 1, 0, 4 * BLOCK, 1);
	thin_fixture_write(&f, 1, 2 * BLOCK, 4 * BLOCK, 5);
	thin_fixture_commit(&f);
	thin_fixture_check(&f);
	thin_fixture_release(&f);
}

static void closing_without_commit_is_an_abort(void **state)
{
	struct thin_fixture f;

	(void)state;
	thin_fixture_init(&f, 1000, 0);
	thin_fixture_create(&f, 1);
	thin_fixture_write(&f, 1, 0, 4 * BLOCK, 1);
	thin_fixture_reopen(&f);
	assert_int_equal(thin_fixture_status(&f).thin_count, 0);
	assert_int_equal(thin_fixture_sectors(&f, "data"), 0);
	thin_fixture_check(&f);
	thin_fixture_release(&f);
}

static void full_data_is_no_space_and_harmless(void **state)
{
	struct thin_fixture f;
	struct error err = {0};
	struct thin_volume *v;
	cleanup_free uint8_t *bytes = xcalloc(20, BLOCK);

	(void)state;
	thin_fixture_init(&f, 32, 0);
	thin_fixture_create(&f, 1);
	thin_fixture_write(&f, 1, 0, 20 * BLOCK, 1);
	thin_fixture_commit(&f);
	assert_int_equal(thin_pool_open_volume(f.pool, 1, 100 * BLOCK, true, &v, &err), 0);
	assert_int_equal(thin_volume_write(v, bytes, 20 * BLOCK, 20 * BLOCK, &err), -1);
	assert_int_equal(err.kind, ERR_NO_SPACE);
	thin_volume_close(v);
	assert_string_equal(thin_fixture_status(&f).mode, "out_of_data_space");
	/* What fitted is there, and the transaction can still be used. */
	assert_int_equal(thin_fixture_status(&f).data_used_blocks, 32);
	thin_fixture_delete(&f, 1);
	/* Freed, but the last commit still has them. */
	thin_fixture_create(&f, 2);
	assert_int_equal(thin_pool_open_volume(f.pool, 2, 100 * BLOCK, true, &v, &err), 0);
	assert_int_equal(thin_volume_write(v, bytes, 20 * BLOCK, 0, &err), -1);
	assert_int_equal(err.kind, ERR_NO_SPACE);
	thin_volume_close(v);
	thin_fixture_commit(&f);
	thin_fixture_write(&f, 2, 0, 20 * BLOCK, 2);
	thin_fixture_commit(&f);
	thin_fixture_check(&f);
	thin_fixture_expect(&f, 2, 0, 20 * BLOCK, 2);
	thin_fixture_release(&f);
}

static void full_metadata_is_refused_before_harm_and_deleting_helps(void **state)
{
	struct thin_fixture f;
	struct error err = {0};
	uint32_t id = 1;

	(void)state;
	thin_fixture_init(&f, 100, 2 << 20);
	while (thin_pool_create_thin(f.pool, id, &err) == 0)
		if (++id % 10 == 0)
			thin_fixture_commit(&f);
	assert_int_equal(err.kind, ERR_NO_SPACE);
	assert_true(id > 300);
	thin_fixture_commit(&f);
	thin_fixture_check(&f);
	for (uint32_t i = 1; i < 100; i++)
		thin_fixture_delete(&f, i);
	thin_fixture_commit(&f);
	thin_fixture_check(&f);
	thin_fixture_create(&f, 1);
	thin_fixture_commit(&f);
	thin_fixture_release(&f);
}

static void pool_grows_while_it_holds_data(void **state)
{
	struct thin_fixture f;
	struct error err = {0};

	(void)state;
	thin_fixture_init(&f, 100, 2 << 20);
	thin_fixture_create(&f, 1);
	thin_fixture_write(&f, 1, 0, 100 * BLOCK, 1);
	thin_fixture_commit(&f);
	assert_int_equal(thin_file_grow(f.pool, 50 * BLOCK, 0, &err), -1);
	assert_int_equal(err.kind, ERR_USAGE);
	/* Forgotten growth leaves the files as they were. */
	assert_int_equal(thin_file_grow(f.pool, 40000 * BLOCK, 100 << 20, &err), 0);
	thin_fixture_reopen(&f);
	assert_int_equal(thin_fixture_status(&f).data_total_blocks, 100);
	assert_int_equal(thin_fixture_status(&f).metadata_total_blocks, 512);
	assert_int_equal(thin_file_grow(f.pool, 40000 * BLOCK, 100 << 20, &err), 0);
	thin_fixture_write(&f, 1, 100 * BLOCK, 100 * BLOCK, 1);
	thin_fixture_commit(&f);
	thin_fixture_check(&f);
	thin_fixture_reopen(&f);
	assert_int_equal(thin_fixture_status(&f).data_total_blocks, 40000);
	assert_int_equal(thin_fixture_status(&f).metadata_total_blocks, 25600);
	thin_fixture_expect(&f, 1, 0, 200 * BLOCK, 1);
	thin_fixture_release(&f);
}

static void same_calls_give_the_same_pool(void **state)
{
	struct thin_fixture f[2];
	uint8_t *meta[2];

	(void)state;
	for (int i = 0; i < 2; i++) {
		cleanup_free char *path = NULL;
		cleanup_fd int fd = -1;

		thin_fixture_init(&f[i], 1000, 2 << 20);
		thin_fixture_create(&f[i], 1);
		thin_fixture_write(&f[i], 1, 0, 50 * BLOCK, 1);
		thin_fixture_commit(&f[i]);
		if (i) /* a new session, or an aborted one, makes no difference */
			thin_fixture_reopen(&f[i]);
		thin_fixture_snap(&f[i], 2, 1);
		thin_fixture_write(&f[i], 2, 5 * BLOCK, 3 * BLOCK, 2);
		if (i) {
			assert_int_equal(thin_pool_abort(f[i].pool, &(struct error){0}), 0);
			thin_fixture_snap(&f[i], 2, 1);
			thin_fixture_write(&f[i], 2, 5 * BLOCK, 3 * BLOCK, 2);
		}
		thin_fixture_commit(&f[i]);
		path = xasprintf("%s/meta", f[i].dir);
		fd = open(path, O_RDONLY);
		meta[i] = xmalloc(2 << 20);
		assert_int_equal(pread(fd, meta[i], 2 << 20, 0), 2 << 20);
	}
	assert_memory_equal(meta[0], meta[1], 2 << 20);
	for (int i = 0; i < 2; i++) {
		free(meta[i]);
		thin_fixture_release(&f[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(new_pool_is_empty_and_small),
		cmocka_unit_test(written_bytes_come_back_after_reopening),
		cmocka_unit_test(snapshot_and_origin_do_not_see_each_others_writes),
		cmocka_unit_test(deleting_gives_blocks_back),
		cmocka_unit_test(abort_forgets_the_transaction),
		cmocka_unit_test(closing_without_commit_is_an_abort),
		cmocka_unit_test(full_data_is_no_space_and_harmless),
		cmocka_unit_test(full_metadata_is_refused_before_harm_and_deleting_helps),
		cmocka_unit_test(pool_grows_while_it_holds_data),
		cmocka_unit_test(same_calls_give_the_same_pool),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
