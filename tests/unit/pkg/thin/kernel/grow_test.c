/* SPDX-License-Identifier: Apache-2.0 */
/* A pool that the real kernel runs grows while it is in use, or stays as it was. */
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/thin/kernel/devmap.h"
#include "pkg/thin/kernel/engine.h"
#include "pkg/thin/kernel/table.h"
#include "pkg/thin/volume.h"
#include "tests/support/cmocka.h"
#include "tests/support/lab.h"
#include "tests/support/lab_pool.h"

#define MIB (UINT64_C(1) << 20)

static struct error err;

static uint64_t file_bytes(const char *name)
{
	cleanup_free char *path = xasprintf("%s/%s", lab_pool_dir(), name);
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return (uint64_t)st.st_size;
}

/* The kernel, its files and its table agree on that. */
static void expect_sizes(struct thin_pool *pool, uint64_t data_bytes, uint64_t metadata_bytes)
{
	cleanup(thin_kernel_setup_release) struct thin_kernel_setup setup = {0};
	struct thin_pool_status st;

	assert_ok(thin_pool_status(pool, &st, &err), &err);
	assert_int_equal(st.data_total_blocks * st.block_bytes, data_bytes);
	assert_int_equal(st.metadata_total_blocks * 4096, metadata_bytes);
	assert_int_equal(file_bytes("data"), data_bytes);
	assert_int_equal(file_bytes("meta"), metadata_bytes);
	assert_ok(thin_kernel_setup(pool, &setup, &err), &err);
	assert_int_equal(setup.low_water_blocks, st.data_total_blocks / 5);
}

static void data_and_metadata_grow_under_who_has_a_device_open(void **state)
{
	cleanup(thin_pool_close_ptr) struct thin_pool *pool = NULL;
	cleanup(thin_volume_close_ptr) struct thin_volume *v = NULL;
	char block[LAB_BLOCK];
	uint64_t meta;
	(void)state;

	lab_need("thin-pool");
	pool = lab_pool_open(THIN_WRITE);
	meta = file_bytes("meta");
	assert_ok(thin_pool_open_volume(pool, 1, LAB_SIZE, true, &v, &err), &err);
	assert_ok(thin_kernel_grow(pool, 2 * LAB_DATA, 0, &err), &err);
	expect_sizes(pool, 2 * LAB_DATA, meta);
	assert_ok(thin_kernel_grow(pool, 0, meta + MIB, &err), &err);
	expect_sizes(pool, 2 * LAB_DATA, meta + MIB);
	assert_ok(thin_kernel_grow(pool, 3 * LAB_DATA, meta + 2 * MIB, &err), &err);
	expect_sizes(pool, 3 * LAB_DATA, meta + 2 * MIB);
	memset(block, 9, sizeof(block));
	assert_ok(thin_volume_write(v, block, sizeof(block), 9 * LAB_BLOCK, &err), &err);
	assert_ok(thin_volume_read(v, block, sizeof(block), 4 * LAB_BLOCK, &err), &err);
	assert_int_equal(block[0], 2);
}

static void it_is_as_large_the_next_time(void **state)
{
	struct thin_pool *pool;
	uint64_t meta;
	(void)state;

	lab_need("thin-pool");
	meta = file_bytes("meta");
	pool = lab_pool_open(THIN_WRITE);
	assert_ok(thin_kernel_grow(pool, 2 * LAB_DATA, meta + MIB, &err), &err);
	thin_pool_close(pool);
	assert_ok(thin_kernel_deactivate(lab_pool_dir(), 1000, &err), &err);
	pool = lab_pool_open(THIN_WRITE);
	expect_sizes(pool, 2 * LAB_DATA, meta + MIB);
	assert_int_equal(lab_pool_read(pool, 1, 4), 2);
	thin_pool_close(pool);
}

static void sizes_are_whole_blocks_and_never_smaller(void **state)
{
	cleanup(thin_pool_close_ptr) struct thin_pool *pool = NULL;
	uint64_t meta;
	(void)state;

	lab_need("thin-pool");
	pool = lab_pool_open(THIN_WRITE);
	meta = file_bytes("meta");
	assert_int_equal(thin_kernel_grow(pool, LAB_DATA - LAB_BLOCK, 0, &err), -1);
	assert_error(&err, ERR_USAGE, "bytes of data, and never shrinks");
	assert_int_equal(thin_kernel_grow(pool, 2 * LAB_DATA, meta - 4096, &err), -1);
	assert_error(&err, ERR_USAGE, "bytes of metadata, and never shrinks");
	expect_sizes(pool, LAB_DATA, meta);
	assert_ok(thin_kernel_grow(pool, 0, 0, &err), &err);
	assert_ok(thin_kernel_grow(pool, LAB_DATA + LAB_BLOCK - 1, meta + 4095, &err), &err);
	expect_sizes(pool, LAB_DATA, meta);
	assert_ok(thin_kernel_grow(pool, LAB_DATA + 2 * LAB_BLOCK - 1, 0, &err), &err);
	expect_sizes(pool, LAB_DATA + LAB_BLOCK, meta);
}

static void who_only_reads_may_not(void **state)
{
	cleanup(thin_pool_close_ptr) struct thin_pool *pool = NULL;
	(void)state;

	lab_need("thin-pool");
	pool = lab_pool_open(THIN_READ);
	assert_int_equal(thin_kernel_grow(pool, 2 * LAB_DATA, 0, &err), -1);
	assert_error(&err, ERR_BUSY, "open for reading");
}

/* Files may have so many bytes and not more. */
static void set_file_limit(rlim_t bytes)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void files_that_cannot_grow_leave_the_pool_as_it_was(void **state)
{
	cleanup(thin_pool_close_ptr) struct thin_pool *pool = NULL;
	uint64_t meta;
	(void)state;

	lab_need("thin-pool");
	pool = lab_pool_open(THIN_WRITE);
	meta = file_bytes("meta");
	signal(SIGXFSZ, SIG_IGN);
	set_file_limit(3 * LAB_DATA);
	assert_int_equal(thin_kernel_grow(pool, 4 * LAB_DATA, meta + MIB, &err), -1);
	assert_error(&err, ERR_NO_SPACE, "data");
	set_file_limit(RLIM_INFINITY);
	signal(SIGXFSZ, SIG_DFL);
	expect_sizes(pool, LAB_DATA, meta);
	assert_ok(thin_kernel_grow(pool, 4 * LAB_DATA, meta + MIB, &err), &err);
	expect_sizes(pool, 4 * LAB_DATA, meta + MIB);
}

/* As if its metadata could not be written any more. */
static void make_read_only(void)
{
	const uint8_t uuid[THIN_UUID_BYTES] = {0x4c, 0xab};
	cleanup_free char *type = NULL, *params = NULL, *changed = NULL;
	struct kernel_pool_table table;
	struct devmap_target target;
	struct kernel_names names;

	kernel_names_part(uuid, "pool", &names);
	assert_ok(devmap_table(names.uuid, &target, &type, &params, &err), &err);
	assert_ok(kernel_pool_table_parse(params, &table, &err), &err);
	table.read_only = true;
	changed = kernel_pool_table_format(&table);
	target.type = "thin-pool";
	target.params = changed;
	assert_ok(devmap_reload(names.uuid, &target, 1, 0, &err), &err);
	assert_ok(devmap_suspend(names.uuid, DEVMAP_NOFLUSH | DEVMAP_NOLOCKFS, &err), &err);
	assert_ok(devmap_resume(names.uuid, &err), &err);
}

/* Longer files than the metadata know of are no damage: activated anew, it grows. */
static void a_kernel_that_does_not_take_the_new_size_is_told_of(void **state)
{
	struct thin_pool_status st;
	struct thin_pool *pool;
	uint64_t meta;
	(void)state;

	lab_need("thin-pool");
	pool = lab_pool_open(THIN_WRITE);
	meta = file_bytes("meta");
	make_read_only();
	assert_int_equal(thin_kernel_grow(pool, 2 * LAB_DATA, meta + MIB, &err), -1);
	assert_error(&err, ERR_INCONSISTENT, "did not take the new size");
	assert_int_equal(err.detail, ERR_DETAIL_POOL_READ_ONLY);
	assert_ok(thin_pool_status(pool, &st, &err), &err);
	assert_int_equal(st.data_total_blocks * LAB_BLOCK, LAB_DATA);
	thin_pool_close(pool);
	assert_ok(thin_kernel_deactivate(lab_pool_dir(), 1000, &err), &err);
	pool = lab_pool_open(THIN_WRITE);
	assert_int_equal(lab_pool_read(pool, 1, 4), 2);
	assert_ok(thin_kernel_grow(pool, 2 * LAB_DATA, meta + MIB, &err), &err);
	expect_sizes(pool, 2 * LAB_DATA, meta + MIB);
	thin_pool_close(pool);
}

#define IN_LAB(test) cmocka_unit_test_setup_teardown(test, lab_pool_set_up, lab_pool_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_LAB(data_and_metadata_grow_under_who_has_a_device_open),
		IN_LAB(it_is_as_large_the_next_time),
		IN_LAB(sizes_are_whole_blocks_and_never_smaller),
		IN_LAB(who_only_reads_may_not),
		IN_LAB(files_that_cannot_grow_leave_the_pool_as_it_was),
		IN_LAB(a_kernel_that_does_not_take_the_new_size_is_told_of),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
