/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Indexes as deep as they get: 132 million leaves, of which only those exist that are asked for.
 */
#include "pkg/ext4/directory_edit.h"

#include <stdio.h>
#include <stdlib.h>

#include "pkg/base/alloc.h"
#include "tests/support/cmocka.h"

enum { ROOT_LIMIT = 507, NODE_LIMIT = 510, LONG = 250 };

/*
 * Every node holds NODE_LIMIT pointers, the root ROOT_LIMIT. Blocks are numbered level by level; a
 * leaf holds names as given.
 */
struct deep {
	struct ext4_dir_source source;
	unsigned levels; /* between root and leaves */
	const struct ext4_dir_entry *names;
	size_t n; /* of each leaf */
};

/* Blocks of a level, 0 is the root's. */
static uint64_t level_blocks(unsigned level)
{
	uint64_t n = 1;

	for (unsigned i = 0; i < level; i++)
		n *= i ? NODE_LIMIT : ROOT_LIMIT;
	return n;
}

static uint64_t first_of(unsigned level)
{
	uint64_t first = 0;

	for (unsigned i = 0; i < level; i++)
		first += level_blocks(i);
	return first;
}

static uint32_t hash_of(unsigned level, uint64_t at)
{
	return (uint32_t)((at << 32) / level_blocks(level)) & ~1U;
}

static int read_block(void *arg, uint32_t logical, uint8_t *ret, struct error *err)
{
	const struct deep *d = arg;
	struct dir_pointer pointers[NODE_LIMIT];
	struct dir_name names[16];
	unsigned level = 0;
	uint64_t at;

	(void)err;
	memset(ret, 0, EXT4_BLOCK_BYTES);
	while (logical >= first_of(level + 1))
		level++;
	at = logical - first_of(level);
	for (size_t i = 0; i < NODE_LIMIT; i++) {
		uint64_t below = at * NODE_LIMIT + i;

		pointers[i] = (struct dir_pointer){hash_of(level + 1, below),
						   (uint32_t)(first_of(level + 1) + below)};
	}
	for (size_t i = 0; i < d->n; i++)
		dir_name_set(&names[i], &d->source.owner, &d->names[i]);
	if (level == 0)
		dir_put_root(ret, &d->source.owner, d->levels, pointers, ROOT_LIMIT);
	else if (level <= d->levels)
		dir_put_node(ret, &d->source.owner, logical, pointers, NODE_LIMIT);
	else
		dir_put_leaf(ret, &d->source.owner, logical, names, d->n);
	return 0;
}

/* In place of the real one, see directory_hash.c: all names at one place. */
uint32_t ext4_dir_hash(const struct ext4_dir_owner *owner, const char *name, size_t name_len,
		       uint32_t *ret_minor)
{
	(void)owner;
	(void)name_len;
	if (ret_minor)
		*ret_minor = (uint8_t)name[0];
	return 0x80000000;
}

static struct deep make(unsigned levels, const struct ext4_dir_entry *names, size_t n)
{
	return (struct deep){.source = {.read = read_block,
					.blocks = (uint32_t)first_of(levels + 2),
					.owner = {.inode = 11, .parent = 2, .seed = 3}},
			     .levels = levels,
			     .names = names,
			     .n = n};
}

static void fill(char names[32][LONG], struct ext4_dir_entry *ret)
{
	for (size_t i = 0; i < 32; i++) {
		memset(names[i], (int)('A' + i), LONG);
		ret[i] = (struct ext4_dir_entry){names[i], LONG, EXT4_DIR_REGULAR, 12};
	}
}

/* One name too many for a leaf, and for all that leads to it. */
static int overflow(unsigned levels, struct ext4_dir_edit *ret, uint32_t *ret_blocks,
		    struct error *err)
{
	struct ext4_dir_entry entries[32];
	char names[32][LONG];
	struct deep d;

	fill(names, entries);
	d = make(levels, entries, 15);
	d.source.arg = &d;
	*ret_blocks = d.source.blocks;
	return ext4_dir_edit(&d.source, entries + 15, 1, ret, err);
}

static const uint8_t *new_block(const struct ext4_dir_edit *e, size_t i)
{
	return e->added.data + i * EXT4_BLOCK_BYTES;
}

static void a_full_root_becomes_a_level(unsigned levels)
{
	struct ext4_dir_edit e;
	struct error err = {0};
	const uint8_t *root;
	uint32_t blocks;

	assert_ok(overflow(levels, &e, &blocks, &err), &err);
	/* a leaf and a node of each level, and two for what was the root */
	assert_int_equal(e.added.len / EXT4_BLOCK_BYTES, 1 + levels + 2);
	assert_int_equal(e.n, 1 + levels + 1);
	assert_int_equal(e.numbers[e.n - 1], 0);
	root = e.changed.data + (e.n - 1) * EXT4_BLOCK_BYTES;
	assert_int_equal(root[30], levels + 1);
	assert_int_equal(get_le16(root + 34), 2);
	assert_int_equal(get_le32(root + 36), blocks + levels + 1);
	assert_int_equal(get_le32(root + 44), blocks + levels + 2);
	assert_int_equal(get_le16(new_block(&e, levels + 1) + 10)
				 + get_le16(new_block(&e, levels + 2) + 10),
			 ROOT_LIMIT + 1);
	/* the leaf that was parted is the one with the hash, and goes on in the next */
	assert_true(get_le32(new_block(&e, 0)) == 12);
	for (size_t i = 0; i < e.added.len / EXT4_BLOCK_BYTES; i++)
		assert_true(ext4_dir_checksum_holds(3, new_block(&e, i), EXT4_BLOCK_BYTES, true,
						    blocks + i));
	ext4_dir_edit_release(&e);
}

static void levels_are_added_up_to_three(void **state)
{
	(void)state;
	a_full_root_becomes_a_level(0);
	a_full_root_becomes_a_level(1);
}

static void a_full_index_is_no_space(void **state)
{
	struct ext4_dir_edit e;
	struct error err = {0};
	uint32_t blocks;

	(void)state;
	assert_int_equal(overflow(2, &e, &blocks, &err), -1);
	assert_error(&err, ERR_NO_SPACE, "its index is full");
	ext4_dir_edit_release(&e);
}

static void names_are_still_changed_in_a_full_index(void **state)
{
	struct ext4_dir_entry entries[32];
	struct error err = {0};
	struct ext4_dir_edit e;
	char names[32][LONG];
	struct deep d;

	(void)state;
	fill(names, entries);
	d = make(2, entries, 15);
	d.source.arg = &d;
	entries[16] = entries[3];
	entries[16].inode = 77;
	assert_ok(ext4_dir_edit(&d.source, entries + 16, 1, &e, &err), &err);
	assert_int_equal(e.n, 1);
	assert_int_equal(e.added.len, 0);
	ext4_dir_edit_release(&e);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(levels_are_added_up_to_three),
		cmocka_unit_test(a_full_index_is_no_space),
		cmocka_unit_test(names_are_still_changed_in_a_full_index),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
