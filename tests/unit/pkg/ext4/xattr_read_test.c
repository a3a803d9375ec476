/* SPDX-License-Identifier: Apache-2.0 */
/* Entries of attributes as they may stand in an inode or a block: every field can lie. */
#include "pkg/base/alloc.h"
#include "pkg/base/bytes.h"
#include "pkg/ext4/checksum.h"
#include "pkg/ext4/xattr.h"
#include "pkg/ext4/xattr_internal.h"
#include "tests/support/cmocka.h"

enum { AREA = 96 };

struct entry {
	uint8_t suffix_len, index;
	uint16_t offset;
	uint32_t inode, size;
	const char *suffix;
};

/* The area of an inode with these entries, up to the first of no length. */
static void put_area(uint8_t *area, const struct entry *entries)
{
	uint8_t *to = area + 4;

	memset(area, 0, AREA);
	put_le32(area, XATTR_MAGIC);
	for (; entries->suffix; entries++) {
		to[0] = entries->suffix_len;
		to[1] = entries->index;
		put_le16(to + 2, entries->offset);
		put_le32(to + 4, entries->inode);
		put_le32(to + 8, entries->size);
		memcpy(to + 16, entries->suffix, strlen(entries->suffix));
		to += xattr_padded(16 + (size_t)entries->suffix_len);
	}
	memcpy(area + AREA - 4, "data", 4);
}

static int first(const uint8_t *area, struct ext4_xattr_found *found, struct error *err)
{
	struct ext4_xattr_cursor c;

	error_clear(err);
	ext4_xattr_start_inode(&c, area, AREA);
	return ext4_xattr_next(&c, found, err);
}

static void an_entry_is_found_with_its_value(void **state)
{
	static const struct entry entries[] = {{1, XATTR_USER, AREA - 8, 0, 4, "a"},
					       {3, XATTR_SECURITY, 0, 7, 65536, "xyz"},
					       {0}};
	struct ext4_xattr_cursor c;
	struct ext4_xattr_found found;
	uint8_t area[AREA];
	struct error err = {0};

	(void)state;
	put_area(area, entries);
	ext4_xattr_start_inode(&c, area, AREA);
	assert_ok(ext4_xattr_next(&c, &found, &err), &err);
	assert_int_equal(found.suffix_len, 1);
	assert_memory_equal(found.value, "data", 4);
	assert_ok(ext4_xattr_next(&c, &found, &err), &err);
	assert_int_equal(found.index, XATTR_SECURITY);
	assert_int_equal(found.value_inode, 7);
	assert_null(found.value);
	assert_int_equal(found.value_len, 65536);
	assert_int_equal(ext4_xattr_next(&c, &found, &err), 1);
}

static void each_field_that_lies_is_damage(void **state)
{
	static const struct {
		struct entry e;
		const char *why;
	} cases[] = {
		{{255, XATTR_USER, 0, 0, 0, "a"}, "an entry without room at byte 0"},
		{{77, XATTR_USER, 0, 0, 0, "a"}, "an entry without room"},
		{{2, XATTR_USER, 0, 0, 0, "a"}, "a name with NUL"},
		{{1, XATTR_USER, AREA - 4, 0, 1, "a"}, "a value out of its area"},
		{{1, XATTR_USER, AREA - 8, 0, 5, "a"}, "a value out of its area"},
		{{1, XATTR_USER, 0, 0, AREA - 3, "a"}, "a value out of its area"},
		{{1, XATTR_USER, 0xffff, 0, 0, "a"}, "a value out of its area"},
		{{1, XATTR_USER, 0xffff, 0, 0xffffffff, "a"}, "a value out of its area"},
		{{1, XATTR_USER, 0, 7, 65537, "a"}, "a value of impossible size"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct entry entries[] = {cases[i].e, {0}};
		struct ext4_xattr_found found;
		uint8_t area[AREA];
		struct error err = {0};

		put_area(area, entries);
		assert_int_equal(first(area, &found, &err), -1);
		assert_error(&err, ERR_INCONSISTENT, cases[i].why);
	}
}

/* They may go on to the last byte, and then nothing says that they end. */
static void entries_need_an_end(void **state)
{
	static const struct entry entries[] = {{76, XATTR_USER, 0, 0, 0, "a"}, {0}};
	struct ext4_xattr_cursor c;
	struct ext4_xattr_found found;
	uint8_t area[AREA];
	struct error err = {0};

	(void)state;
	put_area(area, entries);
	memset(area + 20, 'a', 76);
	ext4_xattr_start_inode(&c, area, AREA);
	assert_ok(ext4_xattr_next(&c, &found, &err), &err);
	assert_int_equal(ext4_xattr_next(&c, &found, &err), -1);
	assert_error(&err, ERR_INCONSISTENT, "entries without an end at byte 92");
}

static void an_area_without_magic_is_empty(void **state)
{
	struct ext4_xattr_cursor c;
	struct ext4_xattr_found found;
	uint8_t area[AREA] = {1, 2, 3};
	struct error err = {0};

	(void)state;
	for (size_t len = 0; len <= AREA; len++) {
		ext4_xattr_start_inode(&c, area, len);
		assert_int_equal(ext4_xattr_next(&c, &found, &err), 1);
	}
	put_le32(area, XATTR_MAGIC); /* and with it, but no room for anything */
	for (size_t len = 0; len < 8; len++) {
		ext4_xattr_start_inode(&c, area, len);
		assert_int_equal(ext4_xattr_next(&c, &found, &err), 1);
	}
}

static void a_block_has_magic_one_block_and_a_checksum(void **state)
{
	struct ext4_xattr_cursor c;
	struct ext4_xattr_found found;
	uint8_t block[4096] = {0};
	struct error err = {0};

	(void)state;
	put_le32(block, XATTR_MAGIC);
	put_le32(block + 8, 1);
	put_le32(block + XATTR_CHECKSUM_AT, xattr_block_checksum(5, 99, block, sizeof(block)));
	assert_ok(ext4_xattr_start_block(&c, block, sizeof(block), 5, 99, &err), &err);
	assert_int_equal(ext4_xattr_next(&c, &found, &err), 1);
	assert_int_equal(ext4_xattr_start_block(&c, block, sizeof(block), 5, 98, &err), -1);
	assert_error(&err, ERR_INCONSISTENT, "wrong checksum"); /* of another place */
	assert_int_equal(ext4_xattr_start_block(&c, block, sizeof(block), 6, 99, &err), -1);
	block[4000] ^= 1;
	assert_int_equal(ext4_xattr_start_block(&c, block, sizeof(block), 5, 99, &err), -1);
	put_le32(block + 8, 2);
	assert_int_equal(ext4_xattr_start_block(&c, block, sizeof(block), 5, 99, &err), -1);
	assert_error(&err, ERR_INCONSISTENT, "without magic number");
}

static void names_get_their_prefix_or_are_not_shown(void **state)
{
	static const struct {
		uint8_t index;
		const char *suffix, *name;
	} cases[] = {
		{XATTR_USER, "a", "user.a"},
		{XATTR_TRUSTED, "b", "trusted.b"},
		{XATTR_SECURITY, "capability", "security.capability"},
		{XATTR_USER, "", NULL},	       /* no suffix where one must be */
		{XATTR_ACL_ACCESS, "x", NULL}, /* one where there is none */
		{0, "a", NULL},
		{5, "a", NULL},
		{7, "data", NULL},
		{8, "a", NULL},
		{255, "a", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ext4_xattr_found found = {.index = cases[i].index,
						 .suffix = cases[i].suffix,
						 .suffix_len = (uint8_t)strlen(cases[i].suffix)};
		cleanup_buffer struct buffer name = {0}, value = {0};
		struct error err = {0};

		assert_int_equal(ext4_xattr_decode(&found, "v", 1, &name, &value, &err),
				 cases[i].name ? 0 : 1);
		if (cases[i].name) {
			assert_string_equal((char *)name.data, cases[i].name);
			assert_int_equal(value.len, 1);
		}
	}
}

static void a_damaged_acl_is_an_error(void **state)
{
	struct ext4_xattr_found found = {.index = XATTR_ACL_ACCESS, .suffix = ""};
	cleanup_buffer struct buffer name = {0}, value = {0};
	struct error err = {0};

	(void)state;
	assert_int_equal(ext4_xattr_decode(&found, "\2\0\0\0", 4, &name, &value, &err), -1);
	assert_error(&err, ERR_INCONSISTENT, "not an ACL");
}

/* Kernels before 6.2 on machines with signed char summed up the name differently. */
static void a_separate_value_is_known_by_its_hash(void **state)
{
	static const char suffix[] = "n\xc3\xa9";
	struct ext4_xattr_found found = {.suffix = suffix, .suffix_len = 3};
	uint32_t crc = ext4_crc32c(9, "value", 5), hash = 0;
	uint8_t le[4];

	(void)state;
	put_le32(le, crc);
	found.hash = xattr_entry_hash(suffix, 3, le, 4);
	assert_true(ext4_xattr_separate_holds(&found, "value", 5, 9));
	assert_false(ext4_xattr_separate_holds(&found, "Value", 5, 9));
	assert_false(ext4_xattr_separate_holds(&found, "value", 5, 8));
	for (size_t i = 0; i < 3; i++) {
		int32_t c = (signed char)suffix[i];

		hash = (hash << 5) ^ (hash >> 27) ^ (uint32_t)c;
	}
	hash = (hash << 16) ^ (hash >> 16) ^ crc;
	assert_int_not_equal(hash, found.hash);
	found.hash = hash;
	assert_true(ext4_xattr_separate_holds(&found, "value", 5, 9));
	found.hash++;
	assert_false(ext4_xattr_separate_holds(&found, "value", 5, 9));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_entry_is_found_with_its_value),
		cmocka_unit_test(each_field_that_lies_is_damage),
		cmocka_unit_test(entries_need_an_end),
		cmocka_unit_test(an_area_without_magic_is_empty),
		cmocka_unit_test(a_block_has_magic_one_block_and_a_checksum),
		cmocka_unit_test(names_get_their_prefix_or_are_not_shown),
		cmocka_unit_test(a_damaged_acl_is_an_error),
		cmocka_unit_test(a_separate_value_is_known_by_its_hash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
