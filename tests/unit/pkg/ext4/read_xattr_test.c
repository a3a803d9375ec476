/* SPDX-License-Identifier: Apache-2.0 */
/* Attributes from inode, block and inodes of their own: sorted, and nothing that does not fit. */
#include "pkg/ext4/read.h"

#include "pkg/base/alloc.h"
#include "pkg/base/bytes.h"
#include "pkg/ext4/checksum.h"
#include "pkg/ext4/xattr.h"
#include "tests/support/cmocka.h"
#include "tests/support/ext4_reading.h"

static int list(const struct ext4_xattr *x, void *arg, struct error *e)
{
	(void)e;
	buffer_printf(arg, "%s=%zu%c ", x->name, x->value_len,
		      x->value_len ? *(const char *)x->value : '-');
	return 0;
}

static int attributes(const char *name, const char *expected)
{
	cleanup_buffer struct buffer text = {0};
	int rc;

	error_clear(&err);
	rc = ext4_reader_xattrs(reader, reading_find(name), list, &text, &err);
	if (rc == 0)
		assert_string_equal(text.data ? (char *)text.data : "", expected);
	return rc;
}

static void all_three_places_are_read_and_sorted(void **state)
{
	(void)state;
	assert_ok(
		attributes(
			"x",
			"security.capability=20s user.large=9000l user.middle=900m user.none=0- "),
		&err);
	assert_ok(attributes("a", ""), &err);
	assert_ok(attributes("link", ""), &err);
}

static int stop(const struct ext4_xattr *x, void *arg, struct error *e)
{
	(void)x;
	(void)e;
	return --*(int *)arg == 0 ? -5 : 0;
}

static void what_a_callback_says_ends_it(void **state)
{
	(void)state;
	for (int left = 1; left <= 4; left++) {
		int n = left;

		assert_int_equal(ext4_reader_xattrs(reader, reading_find("x"), stop, &n, &err), -5);
		assert_int_equal(n, 0);
	}
	assert_int_equal(ext4_reader_xattrs(reader, reading_find("x"), stop, &(int){5}, &err), 0);
}

/* The inode of the large value: the last one before "x" got its block, found by its size. */
static uint32_t value_inode(void)
{
	for (uint32_t i = 11; i <= sample.inodes; i++) {
		uint8_t raw[256];

		assert_ok(thin_volume_read(&sample.v->volume, raw, sizeof(raw),
					   sample.inode_table * 4096 + (i - 1) * 256, &err),
			  &err);
		if (get_le32(raw + 4) == 9000 && (get_le32(raw + 32) & 0x200000))
			return i;
	}
	fail_msg("no inode with a value");
	return 0;
}

static void a_separate_value_must_be_the_one_it_was_made_for(void **state)
{
	uint32_t value = value_inode();
	uint8_t bytes[4];

	(void)state;
	put_le32(bytes, 8999); /* another size */
	ext4_sample_poke_inode(&sample, value, 4, bytes, 4);
	reading_reopen();
	assert_int_equal(attributes("x", ""), -1);
	assert_error(&err, ERR_INCONSISTENT, "does not hold the attribute it should");
	put_le32(bytes, 9000);
	ext4_sample_poke_inode(&sample, value, 4, bytes, 4);
	put_le32(bytes, 0x80000); /* an ordinary file */
	ext4_sample_poke_inode(&sample, value, 32, bytes, 4);
	reading_reopen();
	assert_int_equal(attributes("x", ""), -1);
	assert_error(&err, ERR_INCONSISTENT, "does not hold the attribute it should");
}

static void other_bytes_in_a_separate_value_are_told(void **state)
{
	uint8_t raw[256], other = 'L';
	uint32_t value = value_inode();

	(void)state;
	assert_ok(thin_volume_read(&sample.v->volume, raw, sizeof(raw),
				   sample.inode_table * 4096 + (value - 1) * 256, &err),
		  &err);
	/* the first extent of the root: at 12, its block at 20 */
	assert_ok(thin_volume_write(&sample.v->volume, &other, 1,
				    (uint64_t)get_le32(raw + 40 + 20) * 4096, &err),
		  &err);
	reading_reopen();
	assert_int_equal(attributes("x", ""), -1);
	assert_error(&err, ERR_INCONSISTENT, "attribute value with a wrong hash");
}

static void a_block_that_is_not_there_is_damage(void **state)
{
	uint8_t number[4];

	(void)state;
	put_le32(number, 1 << 20);
	ext4_sample_poke_inode(&sample, reading_find("a"), 104, number, 4);
	reading_reopen();
	assert_int_equal(attributes("a", ""), -1);
	assert_error(&err, ERR_INCONSISTENT, "inode 11: attribute block 1048576 does not exist");
	put_le32(number, 3000); /* there, and no attributes in it */
	ext4_sample_poke_inode(&sample, reading_find("a"), 104, number, 4);
	reading_reopen();
	assert_int_equal(attributes("a", ""), -1);
	assert_int_equal(err.kind, ERR_INCONSISTENT);
}

/* The block of "x" now has many attributes, whose values are all in the one inode that there is. */
static void share_one_value(size_t n)
{
	static uint8_t value[9000] = {'l'}, block[4096];
	uint32_t inode = value_inode();
	struct ext4_xattr list[30];
	struct ext4_xattr_plan plan;
	uint8_t seed[4];

	assert_true(n <= ARRAY_SIZE(list));
	for (size_t i = 0; i < n; i++)
		list[i] = (struct ext4_xattr){xasprintf("user.n%zu", i), value, sizeof(value)};
	assert_ok(thin_volume_read(&sample.v->volume, seed, 4, 1024 + 0x270, &err), &err);
	assert_ok(ext4_xattr_plan(list, n, get_le32(seed), &plan, &err), &err);
	for (size_t i = 0; i < n; i++) {
		assert_true(plan.items[i].separate);
		plan.items[i].place = EXT4_XATTR_IN_BLOCK;
		plan.items[i].value_inode = inode;
	}
	ext4_xattr_encode_block(&plan, get_le32(seed), 0, block);
	ext4_sample_poke_block(&sample, SAMPLE_XATTRS, reading_find("x"), 0, 0, block,
			       sizeof(block));
	ext4_xattr_plan_release(&plan);
	for (size_t i = 0; i < n; i++)
		free((char *)(uintptr_t)list[i].name);
}

static int count_value(const struct ext4_xattr *x, void *arg, struct error *e)
{
	(void)e;
	*(size_t *)arg += x->value_len == 9000;
	return 0;
}

/* As if all the names of the tree were this inode's. */
static int ask_for_x(const char *path, const struct ext4_stat *st, void *arg, struct error *e)
{
	(void)path;
	(void)st;
	return ext4_reader_xattrs(reader, reading_find("x"), count_value, arg, e);
}

/* 30 values of three blocks, for more than 300 names: a volume of 4096 blocks has no room for it. */
static void values_that_files_share_are_counted_in_a_walk(void **state)
{
	size_t values = 0;

	(void)state;
	share_one_value(30);
	reading_reopen();
	assert_int_equal(ext4_reader_walk(reader, ask_for_x, &values, &err), -1);
	assert_error(&err, ERR_UNSUPPORTED, "files share attributes");
	assert_int_equal(values, 4096 / 3 / 30 * 30);
	for (int i = 0; i < 100; i++) /* outside a walk nothing adds up */
		assert_ok(ask_for_x(NULL, NULL, &values, &err), &err);
	share_one_value(2);
	reading_reopen();
	assert_ok(ext4_reader_walk(reader, ask_for_x, &values, &err), &err);
}

/* The block of "x" says something else than its checksum. */
static void a_block_with_a_wrong_checksum_is_told(void **state)
{
	uint32_t x = reading_find("x");

	(void)state;
	ext4_sample_poke_block(&sample, SAMPLE_XATTRS, x, 0, 4000, "!", 1);
	assert_int_equal(attributes("x", ""), -1);
	assert_error(&err, ERR_INCONSISTENT, "attribute block with a wrong checksum");
}

/* In the inode and in the block: system calls would show one of them. */
static void a_name_in_two_places_is_damage(void **state)
{
	uint8_t area[96];
	uint32_t x = reading_find("x");

	(void)state;
	/* an entry "user.middle" without a value behind the fields of the inode */
	memset(area, 0, sizeof(area));
	put_le32(area, 0xea020000);
	area[4] = 6;
	area[5] = 1;
	memcpy(area + 20, "middle", 6);
	ext4_sample_poke_inode(&sample, x, 160, area, sizeof(area));
	reading_reopen();
	assert_int_equal(attributes("x", ""), -1);
	assert_error(&err, ERR_INCONSISTENT, "attribute user.middle is there twice");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(all_three_places_are_read_and_sorted, reading_begin,
						reading_end),
		cmocka_unit_test_setup_teardown(what_a_callback_says_ends_it, reading_begin,
						reading_end),
		cmocka_unit_test_setup_teardown(a_separate_value_must_be_the_one_it_was_made_for,
						reading_begin, reading_end),
		cmocka_unit_test_setup_teardown(other_bytes_in_a_separate_value_are_told,
						reading_begin, reading_end),
		cmocka_unit_test_setup_teardown(a_block_that_is_not_there_is_damage, reading_begin,
						reading_end),
		cmocka_unit_test_setup_teardown(values_that_files_share_are_counted_in_a_walk,
						reading_begin, reading_end),
		cmocka_unit_test_setup_teardown(a_block_with_a_wrong_checksum_is_told,
						reading_begin, reading_end),
		cmocka_unit_test_setup_teardown(a_name_in_two_places_is_damage, reading_begin,
						reading_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
