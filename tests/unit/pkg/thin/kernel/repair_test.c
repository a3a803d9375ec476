/* SPDX-License-Identifier: Apache-2.0 */
/* Repair of a pool on block devices, which the real kernel has run and runs again. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/base/fdio.h"
#include "pkg/thin/file/format.h"
#include "pkg/thin/kernel/engine.h"
#include "pkg/thin/kernel/make_device.h"
#include "pkg/thin/volume.h"
#include "tests/support/cmocka.h"
#include "tests/support/lab.h"
#include "tests/support/scratch.h"

enum { BLOCK = 64 << 10, SIZE = 64 * BLOCK, WAIT_MS = 5000, META_BLOCKS = 512 };

static struct error err;
static const char *dir;
static char *device;

static struct thin_pool *open_pool(enum thin_mode mode)
{
	struct thin_open how = {.engine = THIN_ENGINE_KERNEL,
				.mode = mode,
				.verb = "test",
				.lock_timeout_ms = WAIT_MS};
	struct thin_pool *pool;

	assert_ok(thin_open(dir, &how, &pool, &err), &err);
	return pool;
}

static void write_block(struct thin_pool *pool, uint32_t id, uint64_t block, int byte)
{
	cleanup(thin_volume_close_ptr) struct thin_volume *v = NULL;
	char bytes[BLOCK];

	memset(bytes, byte, sizeof(bytes));
	assert_ok(thin_pool_open_volume(pool, id, SIZE, true, &v, &err), &err);
	assert_ok(thin_volume_write(v, bytes, sizeof(bytes), block * BLOCK, &err), &err);
}

static int read_block(struct thin_pool *pool, uint32_t id, uint64_t block)
{
	cleanup(thin_volume_close_ptr) struct thin_volume *v = NULL;
	char bytes[BLOCK];

	assert_ok(thin_pool_open_volume(pool, id, SIZE, false, &v, &err), &err);
	assert_ok(thin_volume_read(v, bytes, sizeof(bytes), block * BLOCK, &err), &err);
	return bytes[BLOCK - 1];
}

static void deactivate(void)
{
	assert_ok(thin_kernel_deactivate(dir, WAIT_MS, &err), &err);
}

static int set_up(void **state)
{
	struct thin_device_params params = {.uuid = {0x4c, 0xac},
					    .pool = "test",
					    .block_bytes = BLOCK,
					    .metadata_bytes = META_BLOCKS * TF_BLOCK_BYTES};
	struct thin_pool *pool;

	if (scratch_set_up(state) < 0)
		return -1;
	dir = *state;
	if (lab_may_skip())
		return 0;
	device = lab_loop_new(64 << 20);
	params.data_device = device;
	assert_ok(thin_device_create(dir, &params, &err), &err);
	pool = open_pool(THIN_WRITE);
	assert_ok(thin_pool_create_thin(pool, 0, &err), &err);
	write_block(pool, 0, 0, 'a');
	assert_ok(thin_pool_create_thin(pool, 1, &err), &err);
	write_block(pool, 1, 3, 'b');
	assert_ok(thin_pool_commit(pool, 1, &err), &err);
	thin_pool_close(pool);
	deactivate();
	return 0;
}

static int tear_down(void **state)
{
	if (!lab_may_skip()) {
		deactivate();
		lab_loop_free(device);
	}
	return scratch_tear_down(state);
}

/* --- the metadata on the device ------------------------------------------------------------------ */

static uint8_t *read_metadata(void)
{
	cleanup(thin_place_release) struct thin_place place = {0};
	cleanup_fd int fd = open(device, O_RDONLY | O_CLOEXEC);
	uint8_t *bytes = xmalloc(META_BLOCKS * TF_BLOCK_BYTES);

	assert_ok(thin_place_load(dir, &place, &err), &err);
	/* Nobody told this page cache of what went past it. */
	assert_int_equal(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
	assert_ok(fdio_pread(fd, bytes, META_BLOCKS * TF_BLOCK_BYTES, place.metadata_start, device,
			     &err),
		  &err);
	return bytes;
}

static void put_metadata(const uint8_t *metadata, uint64_t block)
{
	cleanup(thin_place_release) struct thin_place place = {0};
	cleanup_fd int fd = open(device, O_WRONLY | O_CLOEXEC);
	uint64_t at = block * TF_BLOCK_BYTES;

	assert_ok(thin_place_load(dir, &place, &err), &err);
	assert_ok(fdio_pwrite(fd, metadata + at, TF_BLOCK_BYTES, place.metadata_start + at, device,
			      &err),
		  &err);
	assert_int_equal(fsync(fd), 0);
}

/* The bitmap of the metadata says that nothing is in use, with a sum that holds. */
static void spoil_counts(void)
{
	cleanup_free uint8_t *metadata = read_metadata();
	struct tf_superblock sb;
	uint64_t bitmap;

	tf_superblock_unpack(metadata, &sb);
	bitmap = get_le64(metadata + sb.metadata_sm.bitmap_root * TF_BLOCK_BYTES + TF_INDEX_HEADER);
	memset(metadata + bitmap * TF_BLOCK_BYTES, 0, TF_BLOCK_BYTES);
	tf_block_seal(metadata + bitmap * TF_BLOCK_BYTES, TF_BITMAP, bitmap);
	put_metadata(metadata, bitmap);
}

static void spoil_tree(void)
{
	cleanup_free uint8_t *metadata = read_metadata();
	struct tf_superblock sb;

	tf_superblock_unpack(metadata, &sb);
	metadata[sb.mapping_root * TF_BLOCK_BYTES + 40] ^= 1;
	put_metadata(metadata, sb.mapping_root);
}

static void set_needs_check(void)
{
	cleanup_free uint8_t *metadata = read_metadata();
	struct tf_superblock sb;

	tf_superblock_unpack(metadata, &sb);
	sb.flags |= 1;
	tf_superblock_pack(&sb, metadata);
	tf_block_seal(metadata, TF_SUPERBLOCK, 0);
	put_metadata(metadata, 0);
}

/* @ret_unrepairable: of the findings, whose number is returned. */
static uint64_t repair(bool dry_run, enum thin_repair_outcome want, uint64_t *ret_unrepairable)
{
	cleanup(thin_findings_release) struct thin_findings found = {0};
	struct thin_repair_how how = {.lock_timeout_ms = WAIT_MS, .dry_run = dry_run};
	enum thin_repair_outcome outcome;
	cleanup_free char *copy = xasprintf("%s/repair", dir);

	assert_ok(thin_kernel_repair(dir, &how, &outcome, &found, &err), &err);
	assert_int_equal(outcome, want);
	assert_false(scratch_exists(copy));
	*ret_unrepairable = found.unrepairable;
	return found.total;
}

/* What was there is there, and the kernel takes more. */
static void expect_whole(void)
{
	struct thin_pool *pool = open_pool(THIN_WRITE);

	assert_int_equal(read_block(pool, 0, 0), 'a');
	assert_int_equal(read_block(pool, 1, 3), 'b');
	assert_ok(thin_pool_create_snap(pool, 2, 1, &err), &err);
	write_block(pool, 2, 3, 'c');
	write_block(pool, 2, 4, 'd');
	assert_ok(thin_pool_commit(pool, 2, &err), &err);
	assert_int_equal(read_block(pool, 1, 3), 'b');
	thin_pool_close(pool);
}

/* --- tests ---------------------------------------------------------------------------------------- */

static void a_sound_pool_is_left_as_it_is(void **state)
{
	cleanup_free uint8_t *before = NULL, *after = NULL;
	uint64_t unrepairable;
	(void)state;

	lab_need("thin-pool");
	before = read_metadata();
	assert_int_equal(repair(false, THIN_REPAIR_CLEAN, &unrepairable), 0);
	after = read_metadata();
	assert_memory_equal(before, after, META_BLOCKS * TF_BLOCK_BYTES);
	expect_whole();
}

static void counts_that_are_wrong_are_made_anew(void **state)
{
	cleanup_free uint8_t *before = NULL, *after = NULL;
	uint64_t unrepairable;
	(void)state;

	lab_need("thin-pool");
	spoil_counts();
	before = read_metadata();
	assert_true(repair(true, THIN_REPAIR_POSSIBLE, &unrepairable) > 0);
	assert_int_equal(unrepairable, 0);
	after = read_metadata();
	assert_memory_equal(before, after, META_BLOCKS * TF_BLOCK_BYTES);
	assert_true(repair(false, THIN_REPAIR_DONE, &unrepairable) > 0);
	assert_int_equal(unrepairable, 0);
	assert_int_equal(repair(false, THIN_REPAIR_CLEAN, &unrepairable), 0);
	expect_whole();
}

static void the_mark_of_the_kernel_goes(void **state)
{
	uint64_t unrepairable;
	(void)state;

	lab_need("thin-pool");
	set_needs_check();
	assert_int_equal(repair(false, THIN_REPAIR_DONE, &unrepairable), 1);
	expect_whole();
}

static void damage_to_a_tree_is_refused_and_nothing_changes(void **state)
{
	cleanup_free uint8_t *before = NULL, *after = NULL;
	uint64_t unrepairable;
	(void)state;

	lab_need("thin-pool");
	spoil_counts();
	spoil_tree();
	before = read_metadata();
	assert_true(repair(false, THIN_REPAIR_REFUSED, &unrepairable) > 0);
	assert_true(unrepairable > 0);
	after = read_metadata();
	assert_memory_equal(before, after, META_BLOCKS * TF_BLOCK_BYTES);
}

static void a_pool_in_the_kernel_is_busy(void **state)
{
	struct thin_repair_how how = {.lock_timeout_ms = 0};
	struct thin_findings found = {0};
	enum thin_repair_outcome outcome;
	struct thin_pool *pool;
	(void)state;

	lab_need("thin-pool");
	pool = open_pool(THIN_READ);
	assert_int_equal(thin_kernel_repair(dir, &how, &outcome, &found, &err), -1);
	assert_error(&err, ERR_BUSY, "'thinpull pool deactivate'");
	thin_pool_close(pool);
	pool = open_pool(THIN_WRITE);
	assert_int_equal(thin_kernel_repair(dir, &how, &outcome, &found, &err), -1);
	assert_error(&err, ERR_BUSY, "in use by");
	thin_pool_close(pool);
}

static void what_a_killed_repair_left_is_in_nobodys_way(void **state)
{
	cleanup_free char *copy = NULL, *meta = NULL;
	uint64_t unrepairable;
	(void)state;

	lab_need("thin-pool");
	copy = xasprintf("%s/repair", dir);
	meta = xasprintf("%s/meta", copy);
	scratch_mkdir(copy, 0700);
	scratch_write(meta, "half a copy");
	spoil_counts();
	assert_true(repair(false, THIN_REPAIR_DONE, &unrepairable) > 0);
	expect_whole();
}

static void lvm_repairs_its_own(void **state)
{
	struct thin_place place = {.kind = THIN_PLACE_LVM,
				   .uuid = {1},
				   .vg = (char[]){"vg"},
				   .lv = (char[]){"pool"},
				   .lvm_uuid = (char[]){"LVM-nobodys-tpool"}};
	struct thin_repair_how how = {.lock_timeout_ms = 0};
	struct thin_findings found = {0};
	enum thin_repair_outcome outcome;
	cleanup_free char *other = NULL;
	(void)state;

	lab_need("thin-pool");
	other = xasprintf("%s/lvm", dir);
	scratch_mkdir(other, 0700);
	assert_ok(thin_place_store(other, &place, &err), &err);
	assert_int_equal(thin_kernel_repair(other, &how, &outcome, &found, &err), -1);
	assert_error(&err, ERR_UNSUPPORTED, "lvconvert --repair vg/pool");
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_sound_pool_is_left_as_it_is),
		TEST(counts_that_are_wrong_are_made_anew),
		TEST(the_mark_of_the_kernel_goes),
		TEST(damage_to_a_tree_is_refused_and_nothing_changes),
		TEST(a_pool_in_the_kernel_is_busy),
		TEST(what_a_killed_repair_left_is_in_nobodys_way),
		TEST(lvm_repairs_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
