/* SPDX-License-Identifier: Apache-2.0 */
/* One directory block that may hold any bytes: which names come out, and which damage is told. */
#include "pkg/ext4/directory.h"

#include "pkg/base/alloc.h"
#include "pkg/base/bytes.h"
#include "tests/support/cmocka.h"

enum { BLOCK = 4096 };

static uint8_t block[BLOCK];

/* An entry; returns where the next one is. */
static size_t put(size_t at, uint32_t inode, size_t rec_len, const char *name, size_t name_len,
		  uint8_t type)
{
	put_le32(block + at, inode);
	put_le16(block + at + 4, (uint16_t)rec_len);
	block[at + 6] = (uint8_t)name_len;
	block[at + 7] = type;
	memcpy(block + at + 8, name, strlen(name));
	return at + rec_len;
}

/* Names of a block of so many bytes joined by '|', or the error. */
static int names(size_t bytes, char *text, struct error *err)
{
	struct ext4_dir_cursor c = {.block = block, .block_bytes = bytes};
	struct ext4_dir_entry e;
	int rc;

	*text = '\0';
	error_clear(err);
	while ((rc = ext4_dir_next(&c, &e, err)) == 0) {
		strncat(text, e.name, e.name_len);
		strcat(text, "|");
	}
	return rc;
}

static void unused_entries_are_left_out(void **state)
{
	struct error err = {0};
	char text[100];
	size_t at;

	(void)state;
	memset(block, 0, sizeof(block));
	at = put(0, 12, 12, "a", 1, EXT4_DIR_REGULAR);
	at = put(at, 0, 20, "gone", 4, EXT4_DIR_REGULAR);
	at = put(at, 13, 16, "longer", 6, EXT4_DIR_DIRECTORY);
	put(at, 0, BLOCK - at, "", 0, 0xde);
	assert_int_equal(names(BLOCK, text, &err), 1);
	assert_string_equal(text, "a|longer|");
}

static void types_that_mean_nothing_are_unknown(void **state)
{
	struct ext4_dir_cursor c = {.block = block, .block_bytes = BLOCK};
	struct ext4_dir_entry e;
	struct error err = {0};

	(void)state;
	for (unsigned type = 0; type < 256; type++) {
		memset(block, 0, sizeof(block));
		put(0, 12, BLOCK, "a", 1, (uint8_t)type);
		c.offset = 0;
		assert_ok(ext4_dir_next(&c, &e, &err), &err);
		assert_int_equal(e.type, type < EXT4_DIR_TYPES ? type : EXT4_DIR_UNKNOWN);
		assert_int_equal(ext4_dir_next(&c, &e, &err), 1);
	}
}

static void damage_is_told_with_its_place(void **state)
{
	static const struct {
		uint32_t inode;
		size_t rec_len;
		const char *name;
		size_t name_len;
		const char *why;
	} cases[] = {
		{12, 0, "a", 1, "impossible length at byte 12"},
		{12, 8, "a", 1, "impossible length at byte 12"},
		{12, 14, "a", 1, "impossible length at byte 12"},
		{12, BLOCK - 8, "a", 1, "impossible length at byte 12"},
		{12, 65532, "a", 1, "impossible length at byte 12"},
		{0, 0, "", 0, "impossible length at byte 12"},
		{12, 12, "a", 0, "a name of impossible length"},
		{12, 12, "abcde", 5, "a name of impossible length"},
		{12, BLOCK - 12, "a/b", 3, "a name with '/' or NUL"},
		{12, BLOCK - 12, "a", 2, "a name with '/' or NUL"},
		{12, BLOCK - 12 - 8, "a", 1, "an entry without room at byte 4088"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct error err = {0};
		char text[5000];

		memset(block, 0, sizeof(block));
		put(put(0, 11, 12, "ok", 2, 1), cases[i].inode, cases[i].rec_len, cases[i].name,
		    cases[i].name_len, 1);
		assert_int_equal(names(BLOCK, text, &err), -1);
		assert_error(&err, ERR_INCONSISTENT, cases[i].why);
	}
}

/* Of an entry that is not used nothing is looked at. */
static void an_unused_entry_may_hold_nonsense(void **state)
{
	struct error err = {0};
	char text[100];

	(void)state;
	memset(block, 0, sizeof(block));
	put(0, 0, BLOCK, "a/\xff", 255, 99);
	assert_int_equal(names(BLOCK, text, &err), 1);
	assert_string_equal(text, "");
}

static void a_block_of_64_kib_is_one_entry_in_two_notations(void **state)
{
	static const uint16_t lengths[] = {0, 65535};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		cleanup_free uint8_t *large = xcalloc(1, 65536);
		struct ext4_dir_cursor c = {.block = large, .block_bytes = 65536};
		struct ext4_dir_entry e;
		struct error err = {0};

		put_le32(large, 12);
		put_le16(large + 4, lengths[i]);
		large[6] = 1;
		large[8] = 'x';
		assert_ok(ext4_dir_next(&c, &e, &err), &err);
		assert_int_equal(ext4_dir_next(&c, &e, &err), 1);
		assert_int_equal(c.offset, 65536);
	}
}

static void a_leaf_has_its_checksum_in_a_tail_of_fixed_form(void **state)
{
	(void)state;
	memset(block, 0, sizeof(block));
	put(put(0, 12, 12, "a", 1, 1), 0, BLOCK - 24, "", 0, 0);
	ext4_dir_set_checksum(7, block, false, 3);
	assert_true(ext4_dir_checksum_holds(7, block, BLOCK, false, 3));
	assert_true(ext4_dir_checksum_holds(7, block, BLOCK, true, 3)); /* a leaf of an index */
	assert_false(ext4_dir_checksum_holds(8, block, BLOCK, false, 3));
	assert_int_equal(block[BLOCK - 5], 0xde);
	for (size_t i = BLOCK - 12; i < BLOCK; i++) {
		block[i] ^= 1;
		assert_false(ext4_dir_checksum_holds(7, block, BLOCK, false, 3));
		block[i] ^= 1;
	}
}

/* What is behind the entries in use is not covered, their number is. */
static void an_index_has_its_checksum_behind_the_last_place(void **state)
{
	const size_t limit = (BLOCK - 8 - 8) / 8, tail = 8 + limit * 8;

	(void)state;
	memset(block, 0, sizeof(block));
	put_le16(block + 4, BLOCK); /* an unused entry: a node */
	put_le16(block + 8, (uint16_t)limit);
	put_le16(block + 10, 3);
	ext4_dir_set_checksum(7, block, true, 1);
	assert_true(ext4_dir_checksum_holds(7, block, BLOCK, true, 1));
	assert_int_not_equal(get_le32(block + tail + 4), 0);
	block[8 + 3 * 8] ^= 1; /* the first place that is not in use */
	assert_true(ext4_dir_checksum_holds(7, block, BLOCK, true, 1));
	block[8 + 3 * 8 - 1] ^= 1;
	assert_false(ext4_dir_checksum_holds(7, block, BLOCK, true, 1));
	block[8 + 3 * 8 - 1] ^= 1;
	put_le16(block + 10, (uint16_t)(limit + 1)); /* more than there is room for */
	assert_false(ext4_dir_checksum_holds(7, block, BLOCK, true, 1));
	put_le16(block + 10, 3);
	put_le16(block + 8, (uint16_t)(limit + 1)); /* a tail outside of the block */
	assert_false(ext4_dir_checksum_holds(7, block, BLOCK, true, 1));
	put_le16(block + 8, 0xffff);
	assert_false(ext4_dir_checksum_holds(7, block, BLOCK, true, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unused_entries_are_left_out),
		cmocka_unit_test(types_that_mean_nothing_are_unknown),
		cmocka_unit_test(damage_is_told_with_its_place),
		cmocka_unit_test(an_unused_entry_may_hold_nonsense),
		cmocka_unit_test(a_block_of_64_kib_is_one_entry_in_two_notations),
		cmocka_unit_test(a_leaf_has_its_checksum_in_a_tail_of_fixed_form),
		cmocka_unit_test(an_index_has_its_checksum_behind_the_last_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
