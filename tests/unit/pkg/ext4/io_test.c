/* SPDX-License-Identifier: Apache-2.0 */
/* libext2fs over a thin volume: several at once, errors that survive the way through it. */
#include "pkg/ext4/io.h"

#include <errno.h>

#include "pkg/base/alloc.h"
#include "pkg/ext4/base.h"
#include "tests/support/cmocka.h"
#include "tests/support/memory_volume.h"

#define MIB (1ULL << 20)

static struct memory_volume *make(uint64_t size)
{
	struct memory_volume *v = memory_volume_new(size, 0);
	struct ext4_base_params params = {0};
	struct error err = {0};

	if (ext4_base_create(&v->volume, &params, &err) < 0)
		fail_msg("%s", err.cause);
	return v;
}

static ext2_filsys open_fs(struct memory_volume *v, enum ext4_io_mode mode)
{
	struct error err = {0};
	ext2_filsys fs = NULL;

	if (ext4_io_open(&v->volume, mode, &fs, &err) < 0)
		fail_msg("%s", err.cause);
	return fs;
}

static void two_file_systems_are_open_at_once(void **state)
{
	struct memory_volume *a = make(16 * MIB), *b = make(256 * MIB);
	ext2_filsys fa = open_fs(a, EXT4_IO_READ), fb = open_fs(b, EXT4_IO_WRITE);

	(void)state;
	assert_int_equal(ext2fs_blocks_count(fa->super), 16 * MIB / 4096);
	assert_int_equal(ext2fs_blocks_count(fb->super), 256 * MIB / 4096);
	memory_volume_reset_counts(a);
	memory_volume_reset_counts(b);
	assert_int_equal(ext2fs_read_bitmaps(fb), 0);
	assert_int_equal(a->counts.reads, 0);
	assert_true(b->counts.reads > 0);
	ext4_io_close(fa);
	ext4_io_close(fb);
	memory_volume_free(a);
	memory_volume_free(b);
}

static void a_failed_read_comes_back_as_the_volumes_own_error(void **state)
{
	struct memory_volume *v = make(16 * MIB);
	ext2_filsys fs = open_fs(v, EXT4_IO_READ);
	struct error err = {0};
	errcode_t code;

	(void)state;
	v->fail_read = 1;
	v->fail_kind = ERR_BUSY;
	code = ext2fs_read_bitmaps(fs);
	assert_int_not_equal(code, 0);
	assert_int_equal(ext4_io_error(fs, code, &err, "read %s", "bitmaps"), -1);
	assert_int_equal(err.kind, ERR_BUSY);
	assert_string_equal(err.cause, "injected fault: read");
	assert_string_equal(err.context, "read bitmaps");
	ext4_io_close(fs);
	memory_volume_free(v);
}

static void every_failing_read_fails_the_open(void **state)
{
	struct memory_volume *v = make(16 * MIB);
	uint64_t n;

	(void)state;
	for (n = 1;; n++) {
		struct error err = {0};
		ext2_filsys fs = NULL;

		v->fail_read = n;
		if (ext4_io_open(&v->volume, EXT4_IO_READ, &fs, &err) == 0) {
			ext4_io_close(fs);
			break;
		}
		assert_int_equal(err.kind, ERR_SYSTEM);
		assert_int_equal(err.sys, EIO);
	}
	assert_true(n >= 3);
	memory_volume_free(v);
}

static void errors_of_libext2fs_have_kinds_and_words(void **state)
{
	static const struct {
		errcode_t code;
		enum error_kind kind;
	} cases[] = {{EXT2_ET_BLOCK_ALLOC_FAIL, ERR_NO_SPACE},
		     {EXT2_ET_UNSUPP_FEATURE, ERR_UNSUPPORTED},
		     {EXT2_ET_DIR_CORRUPTED, ERR_INCONSISTENT},
		     {EXT2_ET_NO_MEMORY, ERR_SYSTEM},
		     {EIO, ERR_INCONSISTENT}};
	struct memory_volume *v = make(16 * MIB);
	ext2_filsys fs = open_fs(v, EXT4_IO_READ);
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct error err = {0};

		ext4_io_error(fs, cases[i].code, &err, "try");
		assert_int_equal(err.kind, cases[i].kind);
		assert_null(strstr(err.cause, "Unknown"));
	}
	ext4_io_close(fs);
	memory_volume_free(v);
}

static void what_is_no_ext4_is_inconsistent(void **state)
{
	static const uint64_t sizes[] = {0, 1024, 2047, 2048, MIB};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct memory_volume *v = memory_volume_new(sizes[i], 0);
		struct error err = {0};
		ext2_filsys fs = NULL;

		assert_int_equal(ext4_io_open(&v->volume, EXT4_IO_READ, &fs, &err), -1);
		assert_int_equal(err.kind, ERR_INCONSISTENT);
		memory_volume_free(v);
	}
}

/* With a right checksum: whoever owns the volume can make one. */
static void a_superblock_larger_than_the_volume_is_refused_before_memory_is_spent(void **state)
{
	struct memory_volume *v = make(16 * MIB);
	ext2_filsys fs = open_fs(v, EXT4_IO_WRITE);
	struct error err = {0};

	(void)state;
	ext2fs_blocks_count_set(fs->super, 1ULL << 47);
	ext2fs_mark_super_dirty(fs);
	assert_int_equal(ext2fs_flush(fs), 0);
	ext4_io_close(fs);
	assert_int_equal(ext4_io_open(&v->volume, EXT4_IO_READ, &fs, &err), -1);
	assert_int_equal(err.kind, ERR_INCONSISTENT);
	assert_non_null(strstr(err.cause, "superblock says"));
	memory_volume_free(v);
}

/* libext2fs keeps a descriptor of each group in memory. */
static void groups_of_hardly_any_blocks_are_refused(void **state)
{
	struct memory_volume *v = make(16 * MIB);
	ext2_filsys fs = open_fs(v, EXT4_IO_WRITE);
	struct error err = {0};

	(void)state;
	fs->super->s_blocks_per_group = fs->super->s_clusters_per_group = 8;
	ext2fs_mark_super_dirty(fs);
	assert_int_equal(ext2fs_flush(fs), 0);
	ext4_io_close(fs);
	assert_int_equal(ext4_io_open(&v->volume, EXT4_IO_READ, &fs, &err), -1);
	assert_error(&err, ERR_INCONSISTENT, "the superblock says groups of 8 blocks");
	memory_volume_free(v);
}

static void zeros_map_no_pool_block_but_overwrite_one(void **state)
{
	struct memory_volume *v = make(16 * MIB);
	ext2_filsys fs = open_fs(v, EXT4_IO_WRITE);
	struct error err = {0};
	uint8_t zeros[2 * 4096] = {0}, ones[4096], got[4096];
	uint64_t mapped = v->counts.mapped_blocks;

	(void)state;
	memset(ones, 1, sizeof(ones));
	assert_int_equal(ext4_io_write_blocks(fs, 3000, 2, zeros, &err), 0);
	assert_int_equal(v->counts.mapped_blocks, mapped);
	assert_int_equal(ext4_io_write_blocks(fs, 3000, 1, ones, &err), 0);
	assert_int_equal(v->counts.mapped_blocks, mapped + 1);
	assert_int_equal(ext4_io_write_blocks(fs, 3000, 1, zeros, &err), 0);
	assert_int_equal(ext4_io_read_blocks(fs, 3000, 1, got, &err), 0);
	assert_memory_equal(got, zeros, sizeof(got));
	ext4_io_close(fs);
	memory_volume_free(v);
}

static void blocks_outside_the_volume_are_errors(void **state)
{
	struct memory_volume *v = make(16 * MIB);
	ext2_filsys fs = open_fs(v, EXT4_IO_WRITE);
	uint8_t buf[4096] = {1};
	struct error err = {0};

	(void)state;
	assert_int_equal(ext4_io_read_blocks(fs, 4096, 1, buf, &err), -1);
	assert_int_equal(ext4_io_read_blocks(fs, UINT64_MAX / 2, 1, buf, &err), -1);
	assert_int_equal(ext4_io_write_blocks(fs, UINT64_MAX, 1, buf, &err), -1);
	ext4_io_close(fs);
	memory_volume_free(v);
}

/* An edit writes the primary superblock and descriptors only. */
static void a_flush_after_opening_leaves_the_backups_alone(void **state)
{
	struct memory_volume *v = make(1024 * MIB);
	ext2_filsys fs = open_fs(v, EXT4_IO_WRITE);

	(void)state;
	memory_volume_reset_counts(v);
	fs->super->s_uuid[0] ^= 1;
	ext2fs_mark_super_dirty(fs);
	assert_int_equal(ext2fs_flush(fs), 0);
	assert_int_equal(v->counts.dirty_blocks, 1);
	assert_int_equal(fs->super->s_wtime, 1);
	ext4_io_close(fs);
	memory_volume_free(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_file_systems_are_open_at_once),
		cmocka_unit_test(a_failed_read_comes_back_as_the_volumes_own_error),
		cmocka_unit_test(every_failing_read_fails_the_open),
		cmocka_unit_test(errors_of_libext2fs_have_kinds_and_words),
		cmocka_unit_test(what_is_no_ext4_is_inconsistent),
		cmocka_unit_test(
			a_superblock_larger_than_the_volume_is_refused_before_memory_is_spent),
		cmocka_unit_test(groups_of_hardly_any_blocks_are_refused),
		cmocka_unit_test(zeros_map_no_pool_block_but_overwrite_one),
		cmocka_unit_test(blocks_outside_the_volume_are_errors),
		cmocka_unit_test(a_flush_after_opening_leaves_the_backups_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
