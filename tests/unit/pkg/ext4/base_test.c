/* SPDX-License-Identifier: Apache-2.0 */
/* The empty file system: valid, small, the same everywhere, and left alone by a mount. */
#include "pkg/ext4/base.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "pkg/base/alloc.h"
#include "pkg/ext4/checksum.h"
#include "pkg/ext4/io.h"
#include "tests/support/e2fsprogs.h"
#include "tests/support/memory_volume.h"

#define MIB (1ULL << 20)
#define GIB (1ULL << 30)

static struct memory_volume *make(uint64_t size, uint64_t inodes)
{
	struct memory_volume *v = memory_volume_new(size, 0);
	struct ext4_base_params params = {.inodes = inodes};
	struct error err = {0};

	if (ext4_base_create(&v->volume, &params, &err) < 0)
		fail_msg("%s", err.cause);
	return v;
}

static void every_size_passes_e2fsck(void **state)
{
	static const uint64_t sizes[] = {8 * MIB,   9 * MIB + 12345,   16 * MIB, 128 * MIB,
					 129 * MIB, 2 * GIB + 3 * MIB, 64 * GIB, 1024 * GIB};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct memory_volume *v = make(sizes[i], 0);

		assert_true(e2fsck_is_clean(v));
		memory_volume_free(v);
	}
}

static void the_number_of_inodes_can_be_chosen(void **state)
{
	static const struct {
		uint64_t size, inodes;
	} cases[] = {{16 * MIB, 100}, {16 * MIB, 3000}, {GIB, 262144}, {4 * GIB, 16}};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct memory_volume *v = make(cases[i].size, cases[i].inodes);
		struct error err = {0};
		ext2_filsys fs;

		assert_true(e2fsck_is_clean(v));
		assert_int_equal(ext4_io_open(&v->volume, EXT4_IO_READ, &fs, &err), 0);
		assert_true(fs->super->s_inodes_count >= cases[i].inodes);
		ext4_io_close(fs);
		memory_volume_free(v);
	}
}

static void impossible_sizes_are_usage_errors(void **state)
{
	static const struct {
		uint64_t size, inodes;
	} cases[] = {{0, 0},
		     {4096, 0},
		     {8 * MIB - 1, 0},
		     {16 * MIB, 4097},
		     {65536 * GIB + 4096, 0},
		     {GIB, UINT64_MAX}};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct memory_volume *v = memory_volume_new(cases[i].size, 0x40000000);
		struct ext4_base_params params = {.inodes = cases[i].inodes};
		struct error err = {0};

		assert_int_equal(ext4_base_create(&v->volume, &params, &err), -1);
		assert_int_equal(err.kind, ERR_USAGE);
		memory_volume_free(v);
	}
}

/* The clock moves between the two, the addresses differ, and the pool's block size too. */
static void the_same_size_gives_the_same_bytes(void **state)
{
	struct memory_volume *a, *b;
	struct ext4_base_params params = {0};
	struct error err = {0};
	struct timespec second = {.tv_sec = 1, .tv_nsec = 100000000};

	(void)state;
	a = make(GIB, 0);
	nanosleep(&second, NULL);
	b = memory_volume_new(GIB, 1 << 20);
	setenv("E2FSPROGS_FAKE_TIME", "1234567", 1);
	setenv("SOURCE_DATE_EPOCH", "7654321", 1);
	setenv("MKE2FS_FIRST_META_BG", "1", 1);
	assert_int_equal(ext4_base_create(&b->volume, &params, &err), 0);
	unsetenv("E2FSPROGS_FAKE_TIME");
	unsetenv("SOURCE_DATE_EPOCH");
	unsetenv("MKE2FS_FIRST_META_BG");
	assert_int_equal(memory_volume_differ(a, b), 0);
	memory_volume_free(a);
	memory_volume_free(b);
}

static uint32_t content_crc(struct memory_volume *v)
{
	uint64_t offset = 0, len;
	uint32_t crc = 0;
	struct error err;

	for (; thin_volume_next_mapped(&v->volume, offset, &offset, &len, &err) == 0;
	     offset += len) {
		cleanup_free uint8_t *buf = xmalloc(len);

		assert_int_equal(thin_volume_read(&v->volume, buf, len, offset, &err), 0);
		crc = ext4_crc32c(crc, &offset, sizeof(offset));
		crc = ext4_crc32c(crc, buf, len);
	}
	return crc;
}

/*
 * Layers are shared by layout version: if this fails, the layout has changed (by us, or by another
 * libext2fs) and EXT4_LAYOUT_VERSION has to follow.
 */
static void the_bytes_are_those_of_layout_version_2(void **state)
{
	struct memory_volume *big = make(64 * GIB, 0), *small = make(16 * MIB, 0);

	(void)state;
	assert_int_equal(EXT4_LAYOUT_VERSION, 2);
	assert_int_equal(content_crc(big), 0x7476a82bu);
	assert_int_equal(content_crc(small), 0x2443a29fu);
	memory_volume_free(big);
	memory_volume_free(small);
}

static void an_empty_64_gib_costs_48_pool_blocks(void **state)
{
	struct memory_volume *v = make(64 * GIB, 0);

	(void)state;
	assert_true(v->counts.mapped_blocks <= 48);
	assert_true(v->counts.bytes_written < MIB);
	memory_volume_free(v);
}

static void the_superblock_says_what_the_layout_promises(void **state)
{
	struct memory_volume *v = make(64 * GIB, 0);
	struct ext2_inode_large root;
	struct error err = {0};
	ext2_filsys fs;
	dgrp_t g;

	(void)state;
	assert_int_equal(ext4_io_open(&v->volume, EXT4_IO_READ, &fs, &err), 0);
	assert_int_equal(fs->super->s_mtime, 0);
	assert_int_equal(fs->super->s_wtime, 1);
	assert_int_equal(fs->super->s_mkfs_time, 1);
	assert_int_equal(fs->super->s_kbytes_written, 0);
	assert_int_equal(fs->super->s_free_inodes_count, fs->super->s_inodes_count - 10);
	assert_int_equal(ext2fs_r_blocks_count(fs->super), 0);
	assert_true(fs->super->s_flags & EXT2_FLAGS_SIGNED_HASH);
	assert_false(fs->super->s_flags & EXT2_FLAGS_UNSIGNED_HASH);
	for (g = 0; g < fs->group_desc_count; g++) {
		assert_true(ext2fs_bg_flags_test(fs, g, EXT2_BG_INODE_ZEROED));
		assert_true(g == 0 || ext2fs_bg_flags_test(fs, g, EXT2_BG_INODE_UNINIT));
	}
	assert_int_equal(ext2fs_read_inode_full(fs, EXT2_ROOT_INO, (struct ext2_inode *)&root,
						sizeof(root)),
			 0);
	assert_int_equal(root.i_mode, 040755);
	assert_int_equal(root.i_links_count, 2);
	assert_int_equal(root.i_uid | root.i_gid, 0);
	assert_int_equal(root.i_mtime | root.i_ctime | root.i_atime | root.i_crtime, 0);
	assert_int_equal(root.i_generation, 0);
	ext4_io_close(fs);
	memory_volume_free(v);
}

/* Only the block of the superblock changes: no lazy init, no backup superblocks. */
static void a_mount_dirties_one_pool_block(void **state)
{
	struct memory_volume *before, *after;
	cleanup_free char *image = NULL;
	char *dir;
	uint64_t i, differ = 0;

	(void)state;
	if (!can_loop_mount())
		skip();
	before = make(16 * GIB, 0);
	dir = scratch_new();
	image = xasprintf("%s/image", dir);
	memory_volume_dump(before, image);
	assert_int_equal(
		command_run(NULL,
			    "cd '%s' && mkdir m && mount -o loop,noatime image m && sleep 2 && "
			    "ls m && umount m",
			    dir),
		0);
	after = memory_volume_load(image, 0);
	scratch_free(dir);
	for (i = 0; i < before->n_blocks; i++) {
		uint8_t a[64 * 1024], b[64 * 1024];
		struct error err;

		assert_int_equal(thin_volume_read(&before->volume, a, sizeof(a), i * sizeof(a),
						  &err),
				 0);
		assert_int_equal(thin_volume_read(&after->volume, b, sizeof(b), i * sizeof(b),
						  &err),
				 0);
		differ += memcmp(a, b, sizeof(a)) != 0;
	}
	assert_int_equal(differ, 1);
	memory_volume_free(before);
	memory_volume_free(after);
}

static void each_failing_write_is_reported_with_its_own_error(void **state)
{
	uint64_t n;
	int rc = -1;

	(void)state;
	for (n = 1; rc < 0; n++) {
		struct memory_volume *v = memory_volume_new(GIB, 0);
		struct ext4_base_params params = {0};
		struct error err = {0};

		v->fail_write = n;
		v->fail_kind = ERR_NO_SPACE;
		rc = ext4_base_create(&v->volume, &params, &err);
		if (rc < 0) {
			assert_int_equal(err.kind, ERR_NO_SPACE);
			assert_non_null(strstr(err.cause, "injected fault"));
		}
		memory_volume_free(v);
	}
	assert_true(n > 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_size_passes_e2fsck),
		cmocka_unit_test(the_number_of_inodes_can_be_chosen),
		cmocka_unit_test(impossible_sizes_are_usage_errors),
		cmocka_unit_test(the_same_size_gives_the_same_bytes),
		cmocka_unit_test(the_bytes_are_those_of_layout_version_2),
		cmocka_unit_test(an_empty_64_gib_costs_48_pool_blocks),
		cmocka_unit_test(the_superblock_says_what_the_layout_promises),
		cmocka_unit_test(a_mount_dirties_one_pool_block),
		cmocka_unit_test(each_failing_write_is_reported_with_its_own_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
