/* SPDX-License-Identifier: Apache-2.0 */
/* crc32c and the seeds of inodes: published values, and the same as libext2fs reckons them. */
#include "pkg/ext4/checksum.h"

#include <ext2fs/ext2fs.h>

#include "pkg/base/bytes.h"
#include "tests/support/cmocka.h"

static void the_published_value_comes_out(void **state)
{
	uint8_t zeros[32] = {0}, ones[32], ascending[32];

	(void)state;
	/* "check" of CRC-32C, then RFC 3720 B.4; those invert at the end, ext4 does not. */
	assert_int_equal(~ext4_crc32c(~0U, "123456789", 9), 0xe3069283);
	memset(ones, 0xff, sizeof(ones));
	for (uint8_t i = 0; i < sizeof(ascending); i++)
		ascending[i] = i;
	assert_int_equal(~ext4_crc32c(~0U, zeros, sizeof(zeros)), 0x8a9136aa);
	assert_int_equal(~ext4_crc32c(~0U, ones, sizeof(ones)), 0x62a8ab43);
	assert_int_equal(~ext4_crc32c(~0U, ascending, sizeof(ascending)), 0x46dd794e);
}

static void a_sum_is_continued_at_any_place(void **state)
{
	uint8_t data[300];
	uint32_t whole;

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 31);
	whole = ext4_crc32c(0x12345678, data, sizeof(data));
	for (size_t cut = 0; cut <= sizeof(data); cut++)
		assert_int_equal(ext4_crc32c(ext4_crc32c(0x12345678, data, cut), data + cut,
					     sizeof(data) - cut),
				 whole);
}

/* Inode and generation as they are on disk: little-endian, in this order. */
static void a_seed_is_made_of_inode_and_generation(void **state)
{
	uint8_t bytes[8];

	(void)state;
	put_le32(bytes, 0x01020304);
	put_le32(bytes + 4, 0x0a0b0c0d);
	assert_int_equal(ext4_inode_seed(0xdeadbeef, 0x01020304, 0x0a0b0c0d),
			 ext2fs_crc32c_le(0xdeadbeef, bytes, 8));
	assert_int_not_equal(ext4_inode_seed(1, 2, 3), ext4_inode_seed(1, 3, 2));
	assert_int_not_equal(ext4_inode_seed(1, 2, 3), ext4_inode_seed(2, 2, 3));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_published_value_comes_out),
		cmocka_unit_test(a_sum_is_continued_at_any_place),
		cmocka_unit_test(a_seed_is_made_of_inode_and_generation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
