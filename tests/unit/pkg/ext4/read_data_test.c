/* SPDX-License-Identifier: Apache-2.0 */
/* Contents of files and symlinks: holes, ends, what is preallocated, and inodes that lie. */
#include "pkg/ext4/read.h"

#include <ext2fs/ext2fs.h>

#include "pkg/base/alloc.h"
#include "pkg/base/bytes.h"
#include "pkg/ext4/extents.h"
#include "tests/support/cmocka.h"
#include "tests/support/ext4_reading.h"

enum { BLOCK = 4096, SIZE_AT = 4, FLAGS_AT = 32, IBLOCK_AT = 40, SIZE_HIGH_AT = 108 };

static void set_size(uint32_t inode, uint64_t size)
{
	uint8_t bytes[4];

	put_le32(bytes, (uint32_t)size);
	ext4_sample_poke_inode(&sample, inode, SIZE_AT, bytes, 4);
	put_le32(bytes, (uint32_t)(size >> 32));
	ext4_sample_poke_inode(&sample, inode, SIZE_HIGH_AT, bytes, 4);
}

static void set_extents(uint32_t inode, const struct ext4_extent *extents, size_t n)
{
	uint8_t iblock[EXT4_IBLOCK_BYTES], unused[1];

	ext4_extents_encode(extents, n, 0, NULL, iblock, unused);
	for (size_t i = 0; i < n; i++)
		if (extents[i].unwritten) /* which we never write: 32,768 more for the length */
			iblock[12 + 12 * i + 5] |= 0x80;
	ext4_sample_poke_inode(&sample, inode, IBLOCK_AT, iblock, sizeof(iblock));
}

/* Where the only block of "a" is. */
static uint64_t block_of_a(void)
{
	uint8_t raw[12];

	assert_ok(thin_volume_read(&sample.v->volume, raw, sizeof(raw),
				   sample.inode_table * BLOCK + (reading_find("a") - 1) * 256
					   + IBLOCK_AT + 12,
				   &err),
		  &err);
	return get_le32(raw + 8);
}

static int read_at(const char *name, void *buf, size_t len, uint64_t offset, size_t *ret_n)
{
	error_clear(&err);
	return ext4_reader_read(reader, reading_find(name), buf, len, offset, ret_n, &err);
}

static void reading_ends_with_the_file(void **state)
{
	char buf[20];
	size_t n;

	(void)state;
	assert_ok(read_at("a", buf, sizeof(buf), 0, &n), &err);
	assert_int_equal(n, 10);
	assert_memory_equal(buf, "abcdefghij", 10);
	assert_ok(read_at("a", buf, 3, 8, &n), &err);
	assert_int_equal(n, 2);
	assert_memory_equal(buf, "ij", 2);
	assert_ok(read_at("a", buf, 3, 10, &n), &err);
	assert_int_equal(n, 0);
	assert_ok(read_at("a", buf, 3, UINT64_MAX, &n), &err);
	assert_int_equal(n, 0);
	assert_ok(read_at("a", NULL, 0, 0, &n), &err);
	assert_int_equal(n, 0);
}

/* Before, between and behind what is mapped there are zeros. */
static void holes_are_zeros(void **state)
{
	uint64_t block = block_of_a();
	struct ext4_extent extents[] = {{.logical = 1, .physical = block, .len = 1},
					{.logical = 3, .physical = block, .len = 1}};
	static uint8_t got[5 * BLOCK], want[5 * BLOCK];
	uint64_t offset, len;
	size_t n;

	(void)state;
	set_extents(reading_find("a"), extents, 2);
	set_size(reading_find("a"), 4 * BLOCK + 100);
	reading_reopen();
	memset(want, 0, sizeof(want));
	memcpy(want + BLOCK, "abcdefghij", 10);
	memcpy(want + 3 * BLOCK, "abcdefghij", 10);
	for (size_t at = 0; at < 4 * BLOCK + 100; at += 1021) {
		memset(got, 0xee, sizeof(got));
		assert_ok(read_at("a", got, sizeof(got), at, &n), &err);
		assert_int_equal(n, 4 * BLOCK + 100 - at);
		assert_memory_equal(got, want + at, n);
		assert_int_equal(got[n], 0xee);
	}
	assert_ok(ext4_reader_next_data(reader, reading_find("a"), 0, &offset, &len, &err), &err);
	assert_int_equal(offset, BLOCK);
	assert_int_equal(len, BLOCK);
	assert_ok(ext4_reader_next_data(reader, reading_find("a"), BLOCK + 7, &offset, &len, &err),
		  &err);
	assert_int_equal(offset, BLOCK + 7);
	assert_int_equal(len, BLOCK - 7);
	assert_ok(ext4_reader_next_data(reader, reading_find("a"), 2 * BLOCK, &offset, &len, &err),
		  &err);
	assert_int_equal(offset, 3 * BLOCK);
	assert_int_equal(ext4_reader_next_data(reader, reading_find("a"), 4 * BLOCK, &offset, &len,
					       &err),
			 1);
	assert_int_equal(ext4_reader_next_data(reader, reading_find("a"), 1 << 20, &offset, &len,
					       &err),
			 1);
}

/* fallocate(2) maps blocks without content, also behind the end of the file. */
static void what_is_preallocated_is_no_data(void **state)
{
	uint64_t block = block_of_a(), offset, len;
	struct ext4_extent extents[] = {
		{.logical = 0, .physical = block, .len = 1, .unwritten = true},
		{.logical = 1, .physical = block, .len = 1},
		{.logical = 9, .physical = block, .len = 1}};
	uint8_t got[2 * BLOCK];
	size_t n;

	(void)state;
	set_extents(reading_find("a"), extents, 3);
	set_size(reading_find("a"), BLOCK + 5);
	reading_reopen();
	assert_ok(read_at("a", got, sizeof(got), 0, &n), &err);
	assert_int_equal(n, BLOCK + 5);
	assert_int_equal(got[0], 0);
	assert_memory_equal(got + BLOCK, "abcde", 5);
	assert_ok(ext4_reader_next_data(reader, reading_find("a"), 0, &offset, &len, &err), &err);
	assert_int_equal(offset, BLOCK);
	assert_int_equal(len, 5); /* not to the end of the block */
	set_size(reading_find("a"), 8 * BLOCK);
	reading_reopen();
	assert_int_equal(ext4_reader_next_data(reader, reading_find("a"), 2 * BLOCK, &offset, &len,
					       &err),
			 1);
}

static void ranges_that_touch_are_one(void **state)
{
	uint64_t offset, len;

	(void)state;
	/* 500 extents, one for each block */
	assert_ok(ext4_reader_next_data(reader, reading_find("big"), 5, &offset, &len, &err), &err);
	assert_int_equal(offset, 5);
	assert_int_equal(len, EXT4_SAMPLE_BIG_EXTENTS * BLOCK - 5 - 5);
}

/* Ask twice for the ranges of "a", of which there is room for one. */
static int ask_twice(const char *path, const struct ext4_stat *st, void *arg, struct error *e)
{
	uint64_t offset, len;
	int *asked = arg;

	if (strcmp(path, "a") != 0)
		return 0;
	for (*asked = 0; *asked < 2; ++*asked)
		if (ext4_reader_next_data(reader, st->inode, 0, &offset, &len, e) < 0)
			return -1;
	return 0;
}

/* Whether written or only reserved: or files that share them would be walked through for ever. */
static void what_the_files_of_a_walk_map_is_counted(void **state)
{
	(void)state;
	for (int unwritten = 0; unwritten <= 1; unwritten++) {
		struct ext4_extent e = {.physical = 100, .len = 3000, .unwritten = unwritten};
		uint64_t offset, len;
		int asked;

		set_extents(reading_find("a"), &e, 1);
		set_size(reading_find("a"), 3000 * BLOCK);
		reading_reopen();
		assert_int_equal(ext4_reader_walk(reader, ask_twice, &asked, &err), -1);
		assert_error(&err, ERR_INCONSISTENT, "inode 11: files share blocks");
		assert_int_equal(asked, 1);
		for (int i = 0; i < 5; i++) /* outside a walk nothing adds up */
			assert_int_equal(ext4_reader_next_data(reader, reading_find("a"), 0,
							       &offset, &len, &err),
					 unwritten);
	}
}

/* As e2fsck makes lost+found. */
static void twelve_blocks_need_no_extents(void **state)
{
	uint8_t iblock[EXT4_IBLOCK_BYTES] = {0}, flags[4] = {0}, got[12 * BLOCK];
	uint64_t block = block_of_a(), offset, len;
	size_t n;

	(void)state;
	for (size_t i = 0; i < 12; i++)
		if (i != 3) /* a hole */
			put_le32(iblock + 4 * i, (uint32_t)block);
	ext4_sample_poke_inode(&sample, reading_find("a"), IBLOCK_AT, iblock, sizeof(iblock));
	ext4_sample_poke_inode(&sample, reading_find("a"), FLAGS_AT, flags, sizeof(flags));
	set_size(reading_find("a"), 12 * BLOCK);
	reading_reopen();
	assert_ok(read_at("a", got, sizeof(got), 0, &n), &err);
	assert_int_equal(n, sizeof(got));
	for (size_t i = 0; i < 12; i++)
		assert_memory_equal(got + i * BLOCK, i == 3 ? "\0\0" : "ab", 2);
	assert_ok(read_at("a", got, 20, 11 * BLOCK + 1, &n), &err);
	assert_memory_equal(got, "bcdefghij", 9);
	assert_ok(ext4_reader_next_data(reader, reading_find("a"), 0, &offset, &len, &err), &err);
	assert_int_equal(len, 3 * BLOCK);
	assert_ok(ext4_reader_next_data(reader, reading_find("a"), len, &offset, &len, &err), &err);
	assert_int_equal(offset, 4 * BLOCK);
	assert_int_equal(len, 8 * BLOCK);
	put_le32(iblock, 1 << 20);
	ext4_sample_poke_inode(&sample, reading_find("a"), IBLOCK_AT, iblock, sizeof(iblock));
	reading_reopen();
	assert_int_equal(read_at("a", got, 1, 0, &n), -1);
	assert_error(&err, ERR_INCONSISTENT, "out of the file system");
}

static void data_that_is_kept_otherwise_is_unsupported(void **state)
{
	static const uint32_t flags[] = {0, EXT4_EXTENTS_FL | EXT4_INLINE_DATA_FL,
					 EXT4_EXTENTS_FL | EXT4_ENCRYPT_FL};
	uint64_t offset, len;
	char buf[10];
	size_t n;

	(void)state;
	/* of the numbers of blocks the first one that leads to more numbers */
	ext4_sample_poke_inode(&sample, reading_find("a"), IBLOCK_AT + 48, "\x01", 1);
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		uint8_t bytes[4];

		put_le32(bytes, flags[i]);
		ext4_sample_poke_inode(&sample, reading_find("a"), FLAGS_AT, bytes, 4);
		reading_reopen();
		assert_int_equal(read_at("a", buf, 10, 0, &n), -1);
		assert_error(&err, ERR_UNSUPPORTED, "inode 11: data that is inline");
		assert_int_equal(ext4_reader_next_data(reader, reading_find("a"), 0, &offset, &len,
						       &err),
				 -1);
	}
}

static void other_types_have_no_content(void **state)
{
	cleanup_buffer struct buffer target = {0};
	uint64_t offset, len;
	char buf[10];
	size_t n;

	(void)state;
	assert_int_equal(read_at("d", buf, 10, 0, &n), -1);
	assert_error(&err, ERR_INVALID, "is not a regular file");
	assert_int_equal(ext4_reader_next_data(reader, reading_find("fifo"), 0, &offset, &len,
					       &err),
			 -1);
	assert_error(&err, ERR_INVALID, "is not a regular file");
	assert_int_equal(ext4_reader_readlink(reader, reading_find("a"), &target, &err), -1);
	assert_error(&err, ERR_INVALID, "is not a symlink");
}

static int link_is(const char *name, const char *expected)
{
	cleanup_buffer struct buffer target = {0};

	error_clear(&err);
	if (ext4_reader_readlink(reader, reading_find(name), &target, &err) < 0)
		return -1;
	assert_int_equal(target.len, strlen(expected));
	assert_memory_equal(target.data, expected, target.len);
	return 0;
}

static void symlinks_are_in_the_inode_or_in_a_block(void **state)
{
	cleanup_free char *longest = xcalloc(1, 2001);

	(void)state;
	assert_ok(link_is("link", "../to/somewhere"), &err);
	for (size_t i = 0; i < 2000; i++)
		longest[i] = (char)('a' + i % 26);
	assert_ok(link_is("slow", longest), &err);
	set_size(reading_find("slow"), 30); /* short, and in a block all the same */
	reading_reopen();
	longest[30] = '\0';
	assert_ok(link_is("slow", longest), &err);
}

static void symlinks_of_impossible_content_are_damage(void **state)
{
	static const uint64_t sizes[] = {0, 4096};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		set_size(reading_find("slow"), sizes[i]);
		reading_reopen();
		assert_int_equal(link_is("slow", ""), -1);
		assert_error(&err, ERR_INCONSISTENT,
			     i ? "symlink of 4096 bytes" : "symlink of 0 bytes");
	}
	ext4_sample_poke_inode(&sample, reading_find("link"), IBLOCK_AT + 3, "", 1);
	reading_reopen();
	assert_int_equal(link_is("link", ""), -1);
	assert_error(&err, ERR_INCONSISTENT, "symlink with NUL");
	set_size(reading_find("link"), 60); /* would go on into other fields of the inode */
	reading_reopen();
	assert_int_equal(link_is("link", ""), -1);
	/* "../to/somewhere": no number of a block here */
	assert_error(&err, ERR_INCONSISTENT, "an extent out of the file system");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(reading_ends_with_the_file, reading_begin,
						reading_end),
		cmocka_unit_test_setup_teardown(holes_are_zeros, reading_begin, reading_end),
		cmocka_unit_test_setup_teardown(what_is_preallocated_is_no_data, reading_begin,
						reading_end),
		cmocka_unit_test_setup_teardown(ranges_that_touch_are_one, reading_begin,
						reading_end),
		cmocka_unit_test_setup_teardown(what_the_files_of_a_walk_map_is_counted,
						reading_begin, reading_end),
		cmocka_unit_test_setup_teardown(twelve_blocks_need_no_extents, reading_begin,
						reading_end),
		cmocka_unit_test_setup_teardown(data_that_is_kept_otherwise_is_unsupported,
						reading_begin, reading_end),
		cmocka_unit_test_setup_teardown(other_types_have_no_content, reading_begin,
						reading_end),
		cmocka_unit_test_setup_teardown(symlinks_are_in_the_inode_or_in_a_block,
						reading_begin, reading_end),
		cmocka_unit_test_setup_teardown(symlinks_of_impossible_content_are_damage,
						reading_begin, reading_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
