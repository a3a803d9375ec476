/* SPDX-License-Identifier: Apache-2.0 */
/* Names of directories block by block: what damage is told, and that work is bounded. */
#include "pkg/ext4/read.h"

#include "pkg/base/alloc.h"
#include "pkg/base/bytes.h"
#include "pkg/ext4/read_internal.h"
#include "tests/support/cmocka.h"
#include "tests/support/ext4_reading.h"

static int count(const struct ext4_dirent *entry, void *arg, struct error *e)
{
	(void)e;
	assert_true(entry->name_len > 0 && entry->name[0] != '.');
	(*(size_t *)arg)++;
	return 0;
}

static int names(uint32_t dir, size_t *ret)
{
	*ret = 0;
	error_clear(&err);
	return ext4_reader_dir(reader, dir, count, ret, &err);
}

static void all_names_but_the_dots_are_told(void **state)
{
	size_t n;

	(void)state;
	assert_ok(names(EXT4_ROOT_INODE, &n), &err);
	assert_int_equal(n, 10);
	assert_ok(names(reading_find("d"), &n), &err); /* an htree */
	assert_int_equal(n, EXT4_SAMPLE_NAMES);
	assert_ok(names(reading_find("empty"), &n), &err);
	assert_int_equal(n, 0);
	assert_int_equal(names(reading_find("a"), &n), -1);
	assert_error(&err, ERR_INVALID, "is not a directory");
}

static void a_name_is_found_in_its_exact_bytes_only(void **state)
{
	static const char *const absent[] = {"", "aa", "A", ".", "..", "a\0", "/a"};
	uint32_t inode;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(absent); i++) {
		size_t len = i == 5 ? 2 : strlen(absent[i]);

		assert_int_equal(ext4_reader_lookup(reader, EXT4_ROOT_INODE, absent[i], len, &inode,
						    &err),
				 -1);
		assert_error(&err, ERR_NOT_FOUND, "no such file");
	}
	assert_ok(ext4_reader_lookup(reader, EXT4_ROOT_INODE, "a tail", 1, &inode, &err), &err);
	assert_int_equal(inode, reading_find("a"));
}

static int stop(const struct ext4_dirent *entry, void *arg, struct error *e)
{
	(void)entry;
	(void)e;
	return --*(int *)arg == 0 ? -7 : 0;
}

static void what_a_callback_says_ends_it(void **state)
{
	(void)state;
	for (int left = 1; left <= 10; left++) {
		int n = left;

		assert_int_equal(ext4_reader_dir(reader, EXT4_ROOT_INODE, stop, &n, &err), -7);
		assert_int_equal(n, 0);
	}
	assert_int_equal(ext4_reader_dir(reader, EXT4_ROOT_INODE, stop, &(int){11}, &err), 0);
}

/* One lie each in the block of "e", whose only name is "f". */
static void damage_names_the_directory_and_the_block(void **state)
{
	static const struct {
		size_t at;
		const char *bytes;
		size_t len;
		const char *why;
	} cases[] = {
		{24, "\1\0\0\0", 4, "an inode that no name may lead to"},
		{24, "\xff\xff\xff\x7f", 4, "an inode that no name may lead to"},
		{32, ".", 1, "one more '.' or '..'"},
		{32, "/", 1, "a name with '/' or NUL"},
		{30, "", 1, "a name of impossible length"},
		{30, "\xff", 1, "a name with '/' or NUL"},
		{28, "\3\0", 2, "an entry of impossible length"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ext4_sample clean = ext4_sample_copy(&sample);
		struct memory_volume *v = sample.v;
		uint32_t e = reading_find("e");
		size_t n;

		ext4_reader_close(reader);
		sample = clean;
		ext4_sample_poke_block(&sample, SAMPLE_DIRECTORY, e, 0, cases[i].at, cases[i].bytes,
				       cases[i].len);
		ext4_sample_sign(&sample);
		assert_ok(ext4_reader_open(&sample.v->volume, &reader, &err), &err);
		assert_int_equal(names(e, &n), -1);
		assert_error(&err, ERR_INCONSISTENT, cases[i].why);
		assert_error(&err, ERR_INCONSISTENT, "inode ");
		assert_error(&err, ERR_INCONSISTENT, "block 0");
		ext4_reader_close(reader);
		memory_volume_free(sample.v);
		sample.v = v;
		assert_ok(ext4_reader_open(&sample.v->volume, &reader, &err), &err);
	}
}

static void a_wrong_checksum_is_told(void **state)
{
	uint32_t e = reading_find("e");
	size_t n;

	(void)state;
	ext4_sample_poke_block(&sample, SAMPLE_DIRECTORY, e, 0, 32, "g", 1);
	assert_int_equal(names(e, &n), -1);
	assert_error(&err, ERR_INCONSISTENT, "wrong checksum at block 0");
}

/* A directory has no holes: its size is what it maps. */
static void a_size_beyond_the_blocks_is_a_hole(void **state)
{
	uint8_t size[4];
	uint32_t e = reading_find("e");
	size_t n;

	(void)state;
	put_le32(size, 3 * 4096);
	ext4_sample_poke_inode(&sample, e, 4, size, 4);
	reading_reopen();
	assert_int_equal(names(e, &n), -1);
	assert_error(&err, ERR_INCONSISTENT, "a hole at block 1");
}

/* One block mapped many times would multiply the work. */
static void blocks_are_read_up_to_the_budget(void **state)
{
	struct read_inode dir;
	uint64_t budget = 2;
	size_t n = 0;

	(void)state;
	assert_ok(read_inode(reader, reading_find("d"), &dir, &err), &err);
	assert_int_equal(read_directory(reader, &dir, count, &n, &budget, &err), -1);
	assert_error(&err, ERR_INCONSISTENT, "more blocks than there are");
	budget = dir.stat.size_bytes / 4096 + 5;
	error_clear(&err);
	assert_ok(read_directory(reader, &dir, count, &n, &budget, &err), &err);
	assert_int_equal(budget, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(all_names_but_the_dots_are_told, reading_begin,
						reading_end),
		cmocka_unit_test_setup_teardown(a_name_is_found_in_its_exact_bytes_only,
						reading_begin, reading_end),
		cmocka_unit_test_setup_teardown(what_a_callback_says_ends_it, reading_begin,
						reading_end),
		cmocka_unit_test_setup_teardown(damage_names_the_directory_and_the_block,
						reading_begin, reading_end),
		cmocka_unit_test_setup_teardown(a_wrong_checksum_is_told, reading_begin,
						reading_end),
		cmocka_unit_test_setup_teardown(a_size_beyond_the_blocks_is_a_hole, reading_begin,
						reading_end),
		cmocka_unit_test_setup_teardown(blocks_are_read_up_to_the_budget, reading_begin,
						reading_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
