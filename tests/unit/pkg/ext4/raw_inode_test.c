/* SPDX-License-Identifier: Apache-2.0 */
/* Fields of an inode: split numbers, times from 1901 to 2446, device numbers as the kernel packs them. */
#include "pkg/ext4/raw_inode.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "pkg/base/alloc.h"
#include "pkg/base/bytes.h"
#include "pkg/ext4/extents.h"
#include "tests/support/cmocka.h"

static struct ext4_raw_inode make(const struct ext4_meta *meta)
{
	struct ext4_raw_inode raw;

	memset(&raw, 0xee, sizeof(raw));
	ext4_raw_make(&raw, meta);
	return raw;
}

/* As fs/ext4/ext4.h decodes it. */
static int64_t seconds_of(uint32_t sec, uint32_t extra)
{
	return (int64_t)(int32_t)sec + ((int64_t)(extra & 3) << 32);
}

static void times_reach_from_1901_to_2446(void **state)
{
	static const struct {
		int64_t sec;
		uint32_t nsec;
		int64_t expected_sec;
		uint32_t expected_nsec;
	} cases[] = {
		{0, 0, 0, 0},
		{1, 999999999, 1, 999999999},
		{-1, 5, -1, 5},
		{INT32_MAX, 1, INT32_MAX, 1},
		{INT64_C(1) << 31, 2, INT64_C(1) << 31, 2},
		{INT64_C(1) << 32, 3, INT64_C(1) << 32, 3},
		{INT64_C(6442450944), 4, INT64_C(6442450944), 4},
		{INT32_MIN + 1, 7, INT32_MIN + 1, 7},
		{INT64_C(15032385534), 8, INT64_C(15032385534), 8},
		/* the ends have no fraction, as in the kernel */
		{INT32_MIN, 7, INT32_MIN, 0},
		{INT64_C(15032385535), 8, INT64_C(15032385535), 0},
		/* beyond: the nearest there is */
		{INT64_C(15032385536), 9, INT64_C(15032385535), 0},
		{INT64_MAX, 9, INT64_C(15032385535), 0},
		{INT64_C(-2147483649), 9, INT32_MIN, 0},
		{INT64_MIN, 9, INT32_MIN, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ext4_time t = {.sec = cases[i].sec, .nsec = cases[i].nsec};
		struct ext4_raw_inode raw = make(
			&(struct ext4_meta){.mode = S_IFREG, .mtime = t, .atime = t, .ctime = t});

		assert_true(seconds_of(raw.i.i_mtime, raw.i.i_mtime_extra)
			    == cases[i].expected_sec);
		assert_true(seconds_of(raw.i.i_atime, raw.i.i_atime_extra)
			    == cases[i].expected_sec);
		assert_true(seconds_of(raw.i.i_ctime, raw.i.i_ctime_extra)
			    == cases[i].expected_sec);
		assert_int_equal(raw.i.i_mtime_extra >> 2, cases[i].expected_nsec);
		assert_int_equal(ext4_time_fits(&t), t.sec == cases[i].expected_sec
							     && t.nsec == cases[i].expected_nsec);
	}
}

static void owners_have_32_bits_in_two_halves(void **state)
{
	struct ext4_raw_inode raw =
		make(&(struct ext4_meta){.mode = S_IFREG, .uid = 0x12345678, .gid = 0xfffffffe});

	(void)state;
	assert_int_equal(raw.i.i_uid, 0x5678);
	assert_int_equal(raw.i.osd2.linux2.l_i_uid_high, 0x1234);
	assert_int_equal(raw.i.i_gid, 0xfffe);
	assert_int_equal(raw.i.osd2.linux2.l_i_gid_high, 0xffff);
}

static void the_type_stays_when_permissions_change(void **state)
{
	struct ext4_raw_inode raw = make(&(struct ext4_meta){.mode = S_IFLNK | 07777});

	(void)state;
	assert_int_equal(ext4_raw_mode(&raw), S_IFLNK | 07777);
	ext4_raw_set_meta(&raw, &(struct ext4_meta){.mode = S_IFDIR | 0123});
	assert_int_equal(ext4_raw_mode(&raw), S_IFLNK | 0123);
}

static void device_numbers_are_packed_as_the_kernel_does(void **state)
{
	static const struct {
		uint32_t major, minor, first, second;
	} cases[] = {
		{5, 1, 0x0501, 0},     {255, 255, 0xffff, 0},	    {256, 0, 0, 0x10000},
		{0, 256, 0, 0x100000}, {8, 0x12345, 0, 0x12300845}, {4095, 0xfffff, 0, 0xffffffff},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ext4_raw_inode raw = make(&(struct ext4_meta){.mode = S_IFBLK,
								     .rdev_major = cases[i].major,
								     .rdev_minor = cases[i].minor});
		uint32_t word;

		assert_int_equal(raw.i.i_block[0], cases[i].first);
		assert_int_equal(raw.i.i_block[1], cases[i].second);
		/* new_decode_dev() and old_decode_dev() of linux/kdev_t.h */
		word = raw.i.i_block[0] ? raw.i.i_block[0] : raw.i.i_block[1];
		assert_int_equal(raw.i.i_block[0] ? word >> 8 : (word & 0xfff00) >> 8,
				 cases[i].major);
		assert_int_equal(raw.i.i_block[0] ? word & 0xff
						  : (word & 0xff) | (word >> 12 & 0xfff00),
				 cases[i].minor);
	}
}

static void only_files_and_folders_have_extents(void **state)
{
	static const uint32_t types[] = {S_IFREG, S_IFDIR, S_IFLNK, S_IFCHR,
					 S_IFBLK, S_IFIFO, S_IFSOCK};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		struct ext4_raw_inode raw = make(&(struct ext4_meta){.mode = types[i]});

		assert_int_equal(ext4_raw_has_extents(&raw), i < 2);
		assert_int_equal(get_le16(ext4_raw_iblock(&raw)) == 0xf30a, i < 2);
		assert_int_equal(ext4_raw_links(&raw), 1);
		assert_int_equal(raw.i.i_extra_isize, 32);
		assert_int_equal(raw.xattrs[0], 0);
	}
}

static void split_numbers_are_put_together(void **state)
{
	struct ext4_raw_inode raw = make(&(struct ext4_meta){.mode = S_IFREG});

	(void)state;
	ext4_raw_set_size(&raw, UINT64_C(0x123456789abc));
	assert_int_equal(raw.i.i_size, 0x56789abc);
	assert_int_equal(raw.i.i_size_high, 0x1234);
	assert_int_equal(ext4_raw_size(&raw), UINT64_C(0x123456789abc));
	ext4_raw_set_xattr_block(&raw, UINT64_C(0x123456789abc));
	assert_int_equal(raw.i.i_file_acl, 0x56789abc);
	assert_int_equal(ext4_raw_xattr_block(&raw), UINT64_C(0x123456789abc));
	ext4_raw_set_links(&raw, EXT4_LINKS_MAX);
	assert_int_equal(ext4_raw_links(&raw), 65000);
	ext4_raw_set_flag(&raw, EXT2_INDEX_FL, true);
	assert_true(ext4_raw_flag(&raw, EXT2_INDEX_FL) && ext4_raw_has_extents(&raw));
	ext4_raw_set_flag(&raw, EXT4_EXTENTS_FL, false);
	assert_true(ext4_raw_flag(&raw, EXT2_INDEX_FL) && !ext4_raw_has_extents(&raw));
}

static void blocks_are_counted_in_sectors_and_never_below_nothing(void **state)
{
	struct ext4_raw_inode raw = make(&(struct ext4_meta){.mode = S_IFREG});

	(void)state;
	ext4_raw_add_blocks(&raw, UINT64_C(1) << 30);
	assert_int_equal(raw.i.i_blocks, 0);
	assert_int_equal(raw.i.osd2.linux2.l_i_blocks_hi, 2);
	ext4_raw_drop_blocks(&raw, 1);
	assert_int_equal(raw.i.i_blocks, UINT32_MAX - 7);
	assert_int_equal(raw.i.osd2.linux2.l_i_blocks_hi, 1);
	ext4_raw_drop_blocks(&raw, UINT64_C(1) << 31);
	assert_int_equal(raw.i.i_blocks, 0);
	assert_int_equal(raw.i.osd2.linux2.l_i_blocks_hi, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_reach_from_1901_to_2446),
		cmocka_unit_test(owners_have_32_bits_in_two_halves),
		cmocka_unit_test(the_type_stays_when_permissions_change),
		cmocka_unit_test(device_numbers_are_packed_as_the_kernel_does),
		cmocka_unit_test(only_files_and_folders_have_extents),
		cmocka_unit_test(split_numbers_are_put_together),
		cmocka_unit_test(blocks_are_counted_in_sectors_and_never_below_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
