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

static struct thin_pool_status status_of(const struct thin_fixture *f)
{
	struct thin_pool_status status;
	struct error err = {0};

	assert_int_equal(thin_pool_status(f->pool, &status, &err), 0);
	return status;
}

static void create(struct thin_fixture *f, uint32_t id)
{
	struct error err = {0};

	assert_int_equal(thin_pool_create_thin(f->pool, id, &err), 0);
}

static void snap(struct thin_fixture *f, uint32_t id, uint32_t origin)
{
	struct error err = {0};

	assert_int_equal(thin_pool_create_snap(f->pool, id, origin, &err), 0);
}

static void delete_thin(struct thin_fixture *f, uint32_t id)
{
	struct error err = {0};

	assert_int_equal(thin_pool_delete(f->pool, id, &err), 0);
}

static struct thin_device device_of(struct thin_fixture *f, uint32_t id)
{
	struct thin_device device;
	struct error err = {0};

	assert_int_equal(thin_pool_device(f->pool, id, &device, &err), 0);
	return device;
}

static void new_pool_is_empty_and_small(void **state)
{
	struct thin_fixture f;
	struct thin_pool_status s;

	(void)state;
	thin_fixture_init(&f, 100 * 16384, 0); /* 100 GiB */
	s = status_of(&f);
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
	create(&f, 7);
	thin_fixture_write(&f, 7, 3 * BLOCK + 100, 5 * BLOCK, 1);
	thin_fixture_expect(&f, 7, 3 * BLOCK + 100, 5 * BLOCK, 1);
	thin_fixture_commit(&f);
	thin_fixture_reopen(&f);
	thin_fixture_expect(&f, 7, 3 * BLOCK + 100, 5 * BLOCK, 1);
	thin_fixture_expect(&f, 7, 3 * BLOCK, 100, 0);
	thin_fixture_expect(&f, 7, 8 * BLOCK + 100, BLOCK - 100, 0);
	thin_fixture_expect(&f, 7, 0, 3 * BLOCK, 0);
	thin_fixture_expect(&f, 7, UINT64_C(1) << 39, BLOCK, 0);
	assert_int_equal(device_of(&f, 7).mapped_blocks, 6);
	assert_int_equal(status_of(&f).data_used_blocks, 6);
	assert_int_equal(status_of(&f).transaction_id, 1);
	thin_fixture_check(&f);
	thin_fixture_release(&f);
}

static void snapshot_and_origin_do_not_see_each_others_writes(void **state)
{
	struct thin_fixture f;

	(void)state;
	thin_fixture_init(&f, 1000, 0);
	create(&f, 1);
	thin_fixture_write(&f, 1, 0, 10 * BLOCK, 1);
	snap(&f, 2, 1);
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
	assert_int_equal(device_of(&f, 1).mapped_blocks, 10);
	assert_int_equal(device_of(&f, 2).mapped_blocks, 11);
	assert_int_equal(device_of(&f, 1).snapshotted_time, 1);
	assert_int_equal(device_of(&f, 2).creation_time, 1);
	/* 10 shared, of which 2 + 2 were copied, and one of its own. */
	assert_int_equal(status_of(&f).data_used_blocks, 15);
	thin_fixture_commit(&f);
	thin_fixture_check(&f);
	thin_fixture_release(&f);
}

static void second_write_to_a_copied_block_stays_in_place(void **state)
{
	struct thin_fixture f;

	(void)state;
	thin_fixture_init(&f, 2, 0); /* room for the block and one copy, not for another */
	create(&f, 1);
	thin_fixture_write(&f, 1, 0, BLOCK, 1);
	thin_fixture_write(&f, 1, 0, BLOCK, 1);
	snap(&f, 2, 1);
	thin_fixture_write(&f, 2, 0, 10, 2);
	assert_int_equal(status_of(&f).data_used_blocks, 2);
	thin_fixture_write(&f, 2, 10, 10, 2);
	thin_fixture_commit(&f);
	thin_fixture_write(&f, 2, 20, 10, 2);
	thin_fixture_expect(&f, 2, 0, 30, 2);
	thin_fixture_expect(&f, 2, 30, BLOCK - 30, 1);
	thin_fixture_expect(&f, 1, 0, BLOCK, 1);
	thin_fixture_release(&f);
}

static void deleting_gives_blocks_back(void **state)
{
	struct thin_fixture f;
	struct thin_pool_status before;

	(void)state;
	thin_fixture_init(&f, 3000, 0);
	create(&f, 1);
	thin_fixture_write(&f, 1, 0, 500 * BLOCK, 1);
	thin_fixture_commit(&f);
	before = status_of(&f);
	snap(&f, 2, 1);
	thin_fixture_write(&f, 2, 100 * BLOCK, 500 * BLOCK, 2);
	thin_fixture_commit(&f);
	thin_fixture_check(&f);
	assert_int_equal(status_of(&f).data_used_blocks, 1000);
	delete_thin(&f, 2);
	thin_fixture_commit(&f);
	thin_fixture_check(&f);
	assert_int_equal(status_of(&f).data_used_blocks, 500);
	assert_int_equal(status_of(&f).metadata_used_blocks, before.metadata_used_blocks);
	/* The host got the space back as well. */
	assert_true(thin_fixture_sectors(&f, "data") < 510 * BLOCK / 512);
	thin_fixture_expect(&f, 1, 0, 500 * BLOCK, 1);
	delete_thin(&f, 1);
	thin_fixture_commit(&f);
	thin_fixture_check(&f);
	assert_int_equal(status_of(&f).data_used_blocks, 0);
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
	create(&f, 1);
	thin_fixture_write(&f, 1, 0, 4 * BLOCK, 1);
	thin_fixture_commit(&f);
	before = status_of(&f);
	snap(&f, 2, 1);
	thin_fixture_write(&f, 2, 0, 20 * BLOCK, 2);
	create(&f, 3);
	assert_int_equal(thin_pool_abort(f.pool, &err), 0);
	assert_int_equal(status_of(&f).data_used_blocks, before.data_used_blocks);
	assert_int_equal(status_of(&f).metadata_used_blocks, before.metadata_used_blocks);
	assert_int_equal(status_of(&f).thin_count, 1);
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
	create(&f, 1);
	thin_fixture_write(&f, 1, 0, 4 * BLOCK, 1);
	thin_fixture_reopen(&f);
	assert_int_equal(status_of(&f).thin_count, 0);
	assert_int_equal(thin_fixture_sectors(&f, "data"), 0);
	thin_fixture_check(&f);
	thin_fixture_release(&f);
}

static void devices_are_listed_in_order(void **state)
{
	struct thin_fixture f;
	struct error err = {0};
	cleanup_free struct thin_device *list = NULL;
	size_t n;

	(void)state;
	thin_fixture_init(&f, 1000, 8 << 20);
	/* Enough to split the leaves of both trees, in an order that is not theirs. */
	for (uint32_t i = 0; i < 700; i++)
		create(&f, i * 193 % 701);
	thin_fixture_commit(&f);
	thin_fixture_check(&f);
	assert_int_equal(thin_pool_devices(f.pool, &list, &n, &err), 0);
	assert_int_equal(n, 700);
	for (size_t i = 1; i < n; i++)
		assert_true(list[i - 1].id < list[i].id);
	assert_int_equal(status_of(&f).thin_count, 700);
	for (uint32_t i = 0; i < 700; i++) {
		delete_thin(&f, i * 193 % 701);
		if (i % 97 == 0) {
			thin_fixture_commit(&f);
			thin_fixture_check(&f);
		}
	}
	thin_fixture_commit(&f);
	thin_fixture_check(&f);
	assert_int_equal(status_of(&f).thin_count, 0);
	thin_fixture_release(&f);
}

static void mistakes_are_refused_and_change_nothing(void **state)
{
	struct thin_fixture f;
	struct error err = {0};
	struct thin_volume *v;
	struct thin_device device;

	(void)state;
	thin_fixture_init(&f, 1000, 0);
	create(&f, 1);
	assert_int_equal(thin_pool_create_thin(f.pool, 1, &err), -1);
	assert_int_equal(err.kind, ERR_INCONSISTENT);
	assert_int_equal(thin_pool_create_snap(f.pool, 1, 1, &err), -1);
	assert_int_equal(err.kind, ERR_INCONSISTENT);
	assert_int_equal(thin_pool_create_snap(f.pool, 2, 9, &err), -1);
	assert_int_equal(err.kind, ERR_INCONSISTENT);
	assert_int_equal(thin_pool_delete(f.pool, 9, &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_int_equal(thin_pool_device(f.pool, 9, &device, &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_int_equal(thin_pool_open_volume(f.pool, 9, 512, false, &v, &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_int_equal(thin_pool_create_thin(f.pool, THIN_ID_MAX + 1, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_int_equal(thin_pool_open_volume(f.pool, 1, 1 << 20, true, &v, &err), 0);
	assert_int_equal(thin_pool_delete(f.pool, 1, &err), -1);
	assert_int_equal(err.kind, ERR_BUSY);
	assert_int_equal(thin_volume_write(v, "x", 1, 1 << 20, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	thin_volume_close(v);
	thin_fixture_commit(&f);
	assert_int_equal(thin_pool_commit(f.pool, 0, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_int_equal(status_of(&f).thin_count, 1);
	create(&f, THIN_ID_MAX);
	thin_fixture_commit(&f);
	thin_fixture_check(&f);
	thin_fixture_release(&f);
}

static void mapped_ranges_are_found_and_merged(void **state)
{
	struct thin_fixture f;
	struct error err = {0};
	struct thin_volume *v;
	uint64_t at, len;

	(void)state;
	thin_fixture_init(&f, 3000, 0);
	create(&f, 1);
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

static void full_data_is_no_space_and_harmless(void **state)
{
	struct thin_fixture f;
	struct error err = {0};
	struct thin_volume *v;
	cleanup_free uint8_t *bytes = xcalloc(20, BLOCK);

	(void)state;
	thin_fixture_init(&f, 32, 0);
	create(&f, 1);
	thin_fixture_write(&f, 1, 0, 20 * BLOCK, 1);
	thin_fixture_commit(&f);
	assert_int_equal(thin_pool_open_volume(f.pool, 1, 100 * BLOCK, true, &v, &err), 0);
	assert_int_equal(thin_volume_write(v, bytes, 20 * BLOCK, 20 * BLOCK, &err), -1);
	assert_int_equal(err.kind, ERR_NO_SPACE);
	thin_volume_close(v);
	assert_string_equal(status_of(&f).mode, "out_of_data_space");
	/* What fitted is there, and the transaction can still be used. */
	assert_int_equal(status_of(&f).data_used_blocks, 32);
	delete_thin(&f, 1);
	/* Freed, but the last commit still has them. */
	create(&f, 2);
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
		delete_thin(&f, i);
	thin_fixture_commit(&f);
	thin_fixture_check(&f);
	create(&f, 1);
	thin_fixture_commit(&f);
	thin_fixture_release(&f);
}

static void pool_grows_while_it_holds_data(void **state)
{
	struct thin_fixture f;
	struct error err = {0};

	(void)state;
	thin_fixture_init(&f, 100, 2 << 20);
	create(&f, 1);
	thin_fixture_write(&f, 1, 0, 100 * BLOCK, 1);
	thin_fixture_commit(&f);
	assert_int_equal(thin_file_grow(f.pool, 50 * BLOCK, 0, &err), -1);
	assert_int_equal(err.kind, ERR_USAGE);
	/* Forgotten growth leaves the files as they were. */
	assert_int_equal(thin_file_grow(f.pool, 40000 * BLOCK, 100 << 20, &err), 0);
	thin_fixture_reopen(&f);
	assert_int_equal(status_of(&f).data_total_blocks, 100);
	assert_int_equal(status_of(&f).metadata_total_blocks, 512);
	assert_int_equal(thin_file_grow(f.pool, 40000 * BLOCK, 100 << 20, &err), 0);
	thin_fixture_write(&f, 1, 100 * BLOCK, 100 * BLOCK, 1);
	thin_fixture_commit(&f);
	thin_fixture_check(&f);
	thin_fixture_reopen(&f);
	assert_int_equal(status_of(&f).data_total_blocks, 40000);
	assert_int_equal(status_of(&f).metadata_total_blocks, 25600);
	thin_fixture_expect(&f, 1, 0, 200 * BLOCK, 1);
	thin_fixture_release(&f);
}

static void reused_blocks_show_nothing_of_their_past(void **state)
{
	struct thin_fixture f;

	(void)state;
	thin_fixture_init(&f, 16, 0);
	for (uint32_t round = 1; round < 5; round++) {
		create(&f, round);
		thin_fixture_write(&f, round, 0, 16 * BLOCK, round);
		thin_fixture_commit(&f);
		delete_thin(&f, round);
		create(&f, round + 100);
		thin_fixture_commit(&f);
		thin_fixture_write(&f, round + 100, 5 * BLOCK + 1000, 10, 9);
		thin_fixture_expect(&f, round + 100, 5 * BLOCK, 1000, 0);
		thin_fixture_expect(&f, round + 100, 5 * BLOCK + 1010, BLOCK - 1010, 0);
		delete_thin(&f, round + 100);
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
	create(&f, 1);
	thin_fixture_write(&f, 1, 0, 16 * BLOCK, 1);
	thin_fixture_commit(&f);
	delete_thin(&f, 1);
	thin_fixture_commit(&f);
	assert_int_equal(thin_fixture_sectors(&f, "data"), 16 * BLOCK / 512);
	create(&f, 2);
	thin_fixture_write(&f, 2, BLOCK / 2, 10, 2);
	thin_fixture_expect(&f, 2, 0, BLOCK / 2, 0);
	thin_fixture_expect(&f, 2, BLOCK / 2 + 10, BLOCK / 2 - 10, 0);
	/* Copying a mostly empty block must not let the past through either. */
	snap(&f, 3, 2);
	thin_fixture_write(&f, 3, BLOCK / 4, 10, 3);
	thin_fixture_expect(&f, 3, 0, BLOCK / 4, 0);
	thin_fixture_expect(&f, 3, BLOCK / 2, 10, 2);
	thin_fixture_expect(&f, 3, BLOCK / 2 + 10, BLOCK / 2 - 10, 0);
	thin_fixture_release(&f);
}

static void change_superblock(const struct thin_fixture *f, size_t at, uint32_t value)
{
	cleanup_free char *path = xasprintf("%s/meta", f->dir);
	cleanup_fd int fd = open(path, O_RDWR);
	uint8_t block[TF_BLOCK_BYTES];

	assert_int_equal(pread(fd, block, sizeof(block), 0), sizeof(block));
	put_le32(block + at, value);
	tf_block_seal(block, TF_SUPERBLOCK, 0);
	assert_int_equal(pwrite(fd, block, sizeof(block), 0), sizeof(block));
}

static enum error_kind open_kind(const struct thin_fixture *f, enum thin_file_mode mode)
{
	struct thin_file_open how = {.mode = mode, .verb = "test"};
	struct thin_pool *pool;
	struct error err = {0};

	if (thin_file_open(f->dir, &how, &pool, &err) < 0)
		return err.kind;
	thin_pool_close(pool);
	return ERR_NONE;
}

static void flags_and_damage_decide_who_may_open(void **state)
{
	struct thin_fixture f;

	(void)state;
	thin_fixture_init(&f, 100, 0);
	thin_fixture_close(&f);
	change_superblock(&f, 4, 1); /* needs_check */
	assert_int_equal(open_kind(&f, THIN_FILE_WRITE), ERR_INCONSISTENT);
	thin_fixture_open(&f, THIN_FILE_READ);
	assert_string_equal(status_of(&f).mode, "needs_check");
	thin_fixture_close(&f);
	change_superblock(&f, 4, 0);
	change_superblock(&f, 360, 2); /* incompat */
	assert_int_equal(open_kind(&f, THIN_FILE_READ), ERR_UNSUPPORTED);
	change_superblock(&f, 360, 0);
	change_superblock(&f, 356, 2); /* compat_ro */
	assert_int_equal(open_kind(&f, THIN_FILE_READ), ERR_NONE);
	assert_int_equal(open_kind(&f, THIN_FILE_WRITE), ERR_UNSUPPORTED);
	change_superblock(&f, 356, 0);
	change_superblock(&f, 32, 1); /* magic */
	assert_int_equal(open_kind(&f, THIN_FILE_WRITE), ERR_INCONSISTENT);
	change_superblock(&f, 32, TF_MAGIC);
	change_superblock(&f, 44, TF_TIME_MAX);
	thin_fixture_open(&f, THIN_FILE_WRITE);
	create(&f, 1);
	assert_int_equal(thin_pool_create_snap(f.pool, 2, 1, &(struct error){0}), -1);
	thin_fixture_release(&f);
}

static void create_refuses_what_the_format_cannot_hold(void **state)
{
	static const struct thin_file_params bad[] = {
		{.data_bytes = 1 << 30, .block_bytes = 4096},
		{.data_bytes = 1 << 30, .block_bytes = 100 * 1024},
		{.data_bytes = 1 << 30, .block_bytes = 0},
		{.data_bytes = 1000, .block_bytes = 65536},
		{.data_bytes = 1 << 30, .block_bytes = 65536, .metadata_bytes = 4096},
		{.data_bytes = 1 << 30, .block_bytes = 65536, .metadata_bytes = UINT64_C(1) << 40},
	};
	char dir[] = "/tmp/thin-test-XXXXXX";
	struct thin_fixture f;
	struct error err = {0};

	(void)state;
	assert_non_null(mkdtemp(dir));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(thin_file_create(dir, &bad[i], &err), -1);
		assert_int_equal(err.kind, ERR_USAGE);
	}
	assert_int_equal(rmdir(dir), 0); /* nothing was left behind */
	thin_fixture_init(&f, 100, 0);
	assert_int_equal(thin_file_create(f.dir,
					  &(struct thin_file_params){.data_bytes = 1 << 30,
								     .block_bytes = 65536},
					  &err),
			 -1);
	assert_int_equal(err.kind, ERR_BUSY);
	thin_fixture_release(&f);
	assert_int_equal(open_kind(&f, THIN_FILE_READ), ERR_NOT_FOUND);
	assert_int_equal(thin_file_metadata_bytes(UINT64_C(100) << 30, 65536), 78643200);
	assert_int_equal(thin_file_metadata_bytes(0, 65536), 2 << 20);
	assert_int_equal(thin_file_metadata_bytes(UINT64_MAX, 65536), UINT64_C(17045913600));
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
		create(&f[i], 1);
		thin_fixture_write(&f[i], 1, 0, 50 * BLOCK, 1);
		thin_fixture_commit(&f[i]);
		if (i) /* a new session, or an aborted one, makes no difference */
			thin_fixture_reopen(&f[i]);
		snap(&f[i], 2, 1);
		thin_fixture_write(&f[i], 2, 5 * BLOCK, 3 * BLOCK, 2);
		if (i) {
			assert_int_equal(thin_pool_abort(f[i].pool, &(struct error){0}), 0);
			snap(&f[i], 2, 1);
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
		cmocka_unit_test(second_write_to_a_copied_block_stays_in_place),
		cmocka_unit_test(deleting_gives_blocks_back),
		cmocka_unit_test(abort_forgets_the_transaction),
		cmocka_unit_test(closing_without_commit_is_an_abort),
		cmocka_unit_test(devices_are_listed_in_order),
		cmocka_unit_test(mistakes_are_refused_and_change_nothing),
		cmocka_unit_test(mapped_ranges_are_found_and_merged),
		cmocka_unit_test(full_data_is_no_space_and_harmless),
		cmocka_unit_test(full_metadata_is_refused_before_harm_and_deleting_helps),
		cmocka_unit_test(pool_grows_while_it_holds_data),
		cmocka_unit_test(reused_blocks_show_nothing_of_their_past),
		cmocka_unit_test(without_holes_blocks_are_zeroed_by_writing),
		cmocka_unit_test(flags_and_damage_decide_who_may_open),
		cmocka_unit_test(create_refuses_what_the_format_cannot_hold),
		cmocka_unit_test(same_calls_give_the_same_pool),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
