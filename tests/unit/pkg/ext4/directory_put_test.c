/* SPDX-License-Identifier: Apache-2.0 */
/* Single blocks, byte by byte where it is the format that says so. */
#include <stdlib.h>

#include "pkg/base/alloc.h"
#include "pkg/ext4/directory_internal.h"
#include "tests/support/cmocka.h"

static const struct ext4_dir_owner owner = {.inode = 11, .parent = 2, .seed = 77};

static struct dir_name name_of(const char *name, uint32_t inode)
{
	struct ext4_dir_entry entry = {name, (uint8_t)strlen(name), EXT4_DIR_REGULAR, inode};
	struct dir_name ret;

	dir_name_set(&ret, &owner, &entry);
	return ret;
}

static void names_sort_by_hash_then_by_bytes(void **state)
{
	struct dir_name a = name_of("a", 1), b = name_of("b", 1), ab;

	(void)state;
	a.hash = 2;
	b.hash = 4;
	assert_true(dir_name_compare(&a, &b) < 0);
	b.hash = 2;
	a.minor = 9;
	b.minor = 8;
	assert_true(dir_name_compare(&a, &b) > 0);
	b.minor = 9;
	assert_true(dir_name_compare(&a, &b) < 0);
	ab = a;
	ab.entry.name = "ab";
	ab.entry.name_len = 2;
	assert_true(dir_name_compare(&a, &ab) < 0);
	assert_true(dir_name_compare(&ab, &b) < 0);
	b = a;
	b.entry.inode = 5;
	assert_int_equal(dir_name_compare(&a, &b), 0);
}

static void the_last_entry_of_a_leaf_reaches_to_the_tail(void **state)
{
	struct dir_name names[] = {name_of("one", 12), name_of("three", 13)};
	uint8_t block[EXT4_BLOCK_BYTES] = {0};

	(void)state;
	assert_int_equal(dir_names_bytes(names, 2), 12 + 16);
	dir_put_leaf(block, &owner, 3, names, 2);
	assert_int_equal(get_le32(block), 12);
	assert_int_equal(get_le16(block + 4), 12);
	assert_memory_equal(block + 6, "\3\1one", 5);
	assert_int_equal(get_le32(block + 12), 13);
	assert_int_equal(get_le16(block + 16), 4096 - 12 - 12);
	assert_int_equal(block[4084 + 7], 0xde);
	assert_true(ext4_dir_checksum_holds(owner.seed, block, sizeof(block), true, 3));
}

static void a_leaf_may_be_empty(void **state)
{
	uint8_t block[EXT4_BLOCK_BYTES] = {0};
	struct ext4_dir_cursor c = {.block = block, .block_bytes = sizeof(block)};
	struct ext4_dir_entry entry;
	struct error err = {0};

	(void)state;
	dir_put_leaf(block, &owner, 3, NULL, 0);
	assert_int_equal(get_le16(block + 4), 4084);
	assert_true(ext4_dir_checksum_holds(owner.seed, block, sizeof(block), true, 3));
	assert_int_equal(ext4_dir_next(&c, &entry, &err), 1);
}

static void a_list_starts_with_the_dots(void **state)
{
	struct dir_name name = name_of("one", 12);
	uint8_t block[EXT4_BLOCK_BYTES] = {0}, empty[EXT4_BLOCK_BYTES] = {0};

	(void)state;
	dir_put_linear(block, &owner, &name, 1);
	assert_memory_equal(block + 6, "\1\2.", 3);
	assert_int_equal(get_le32(block + 12), 2);
	assert_int_equal(get_le16(block + 16), 12);
	assert_memory_equal(block + 18, "\2\2..", 4);
	assert_int_equal(get_le16(block + 28), 4084 - 24);
	dir_put_linear(empty, &owner, NULL, 0);
	assert_int_equal(get_le16(empty + 16), 4084 - 12);
	assert_true(ext4_dir_checksum_holds(owner.seed, empty, sizeof(empty), false, 0));
}

static void an_index_says_how_long_it_is_instead_of_its_first_hash(void **state)
{
	static const struct dir_pointer pointers[] = {{0x10, 5}, {0x21, 6}};
	uint8_t root[EXT4_BLOCK_BYTES] = {0}, node[EXT4_BLOCK_BYTES] = {0};

	(void)state;
	dir_put_root(root, &owner, 1, pointers, 2);
	assert_int_equal(get_le16(root + 16), 4096 - 12);
	assert_memory_equal(root + 24, "\0\0\0\0\1\10\1\0", 8);
	assert_int_equal(get_le16(root + 32), 507);
	assert_int_equal(get_le16(root + 34), 2);
	assert_int_equal(get_le32(root + 36), 5);
	assert_int_equal(get_le32(root + 40), 0x21);
	assert_int_equal(get_le32(root + 44), 6);
	assert_true(ext4_dir_checksum_holds(owner.seed, root, sizeof(root), true, 0));
	dir_put_node(node, &owner, 9, pointers, 2);
	assert_int_equal(get_le32(node), 0);
	assert_int_equal(get_le16(node + 4), 4096);
	assert_int_equal(get_le16(node + 8), 510);
	assert_int_equal(get_le32(node + 20), 6);
	assert_true(ext4_dir_checksum_holds(owner.seed, node, sizeof(node), true, 9));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_sort_by_hash_then_by_bytes),
		cmocka_unit_test(the_last_entry_of_a_leaf_reaches_to_the_tail),
		cmocka_unit_test(a_leaf_may_be_empty),
		cmocka_unit_test(a_list_starts_with_the_dots),
		cmocka_unit_test(an_index_says_how_long_it_is_instead_of_its_first_hash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
