/* SPDX-License-Identifier: Apache-2.0 */
/* Names found through the index, with as few blocks as it takes; indexes made to do harm. */
#include "pkg/ext4/directory_index.h"

#include <stdio.h>
#include <stdlib.h>

#include "pkg/base/alloc.h"
#include "tests/support/cmocka.h"
#include "tests/support/dir_model.h"

/* n names of some length, which depend on nothing but n. */
static void start(struct dir_model *m, size_t n, size_t len)
{
	struct ext4_dir_entry *entries = xcalloc(n, sizeof(*entries));

	for (size_t i = 0; i < n; i++) {
		char *name = xcalloc(len + 16, 1);
		size_t used = (size_t)sprintf(name, "%zu", i);

		memset(name + used, '-', len > used ? len - used : 0);
		entries[i] = (struct ext4_dir_entry){name, (uint8_t)(len > used ? len : used),
						     EXT4_DIR_REGULAR, (uint32_t)(12 + i)};
	}
	dir_model_init(m);
	dir_model_list(m, entries, n);
	dir_model_encode(m);
	for (size_t i = 0; i < n; i++)
		free((char *)(uintptr_t)entries[i].name);
	free(entries);
}

/* 0 and its inode; 1 = there is none; -1. */
static int look_up(struct dir_index *index, const char *name, size_t len, uint32_t *ret,
		   struct error *err)
{
	uint32_t hash = ext4_dir_hash(&index->source->owner, name, len, NULL);
	struct dir_path path;

	if (dir_index_find(index, hash, &path, err) < 0)
		return -1;
	for (;;) {
		cleanup(dir_leaf_release) struct dir_leaf leaf = {.n = 0};

		if (dir_leaf_read(index, &path, &leaf, err) < 0)
			return -1;
		for (size_t i = 0; i < leaf.n; i++) {
			*ret = leaf.names[i].entry.inode;
			if (leaf.names[i].entry.name_len == len
			    && memcmp(leaf.names[i].entry.name, name, len) == 0)
				return 0;
		}
		if (!dir_path_continues(&path, hash))
			return 1;
		if (dir_index_next(index, &path, err) < 0)
			return -1;
	}
}

/* Look every name up; 0, 1 = no index, -1 = the first error. */
static int look_all_up(const struct dir_model *m, size_t *found, struct error *err)
{
	cleanup(dir_index_release) struct dir_index index = {0};
	int rc = dir_index_open(&m->source, &index, err);

	for (size_t i = 0; rc == 0 && i < m->n; i++) {
		uint32_t inode = 0;

		rc = look_up(&index, m->names[i].name, m->names[i].len, &inode, err);
		*found += rc == 0 && inode == m->names[i].inode;
		rc = rc < 0 ? -1 : 0;
	}
	return rc;
}

static void every_name_is_found(void **state)
{
	static const size_t sizes[][2] = {{100, 50}, {3000, 10}, {20000, 255}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct error err = {0};
		struct dir_model m;
		size_t found = 0;

		start(&m, sizes[i][0], sizes[i][1]);
		assert_ok(look_all_up(&m, &found, &err), &err);
		assert_int_equal(found, m.n);
		/* each block of the index once, then leaves */
		assert_int_equal(m.reads,
				 m.n + 1
					 + (dir_model_levels(&m) ? (m.source.blocks + 509) / 510
								 : 0));
		dir_model_release(&m);
	}
}

static void what_is_not_there_is_not_found(void **state)
{
	cleanup(dir_index_release) struct dir_index index = {0};
	struct error err = {0};
	struct dir_model m;
	uint32_t inode;

	(void)state;
	start(&m, 3000, 10);
	assert_int_equal(dir_index_open(&m.source, &index, &err), 0);
	for (int i = 0; i < 1000; i++) {
		char name[16];
		size_t len = (size_t)sprintf(name, "no-%d", i);

		assert_int_equal(look_up(&index, name, len, &inode, &err), 1);
	}
	dir_model_release(&m);
}

static void a_directory_without_an_index_is_a_list(void **state)
{
	struct error err = {0};
	struct dir_model m;
	size_t found = 0;

	(void)state;
	start(&m, 10, 10);
	assert_int_equal(m.source.blocks, 1);
	assert_int_equal(look_all_up(&m, &found, &err), 1);
	dir_model_release(&m);
}

static void an_index_of_another_kind_is_a_list(void **state)
{
	/* reserved, hash, length, levels, flags */
	static const size_t bytes[] = {24, 28, 29, 30, 31};
	struct error err = {0};
	struct dir_model m;
	size_t found = 0;

	(void)state;
	start(&m, 3000, 10);
	for (size_t i = 0; i < ARRAY_SIZE(bytes); i++) {
		uint8_t *at = m.blocks + bytes[i], before = *at;

		*at = 5;
		dir_model_sign(&m);
		if (bytes[i] == 24 || bytes[i] == 29) /* then it has the checksum of a leaf */
			ext4_dir_set_checksum(m.source.owner.seed, m.blocks, false, 0);
		assert_int_equal(look_all_up(&m, &found, &err), 1);
		*at = before;
		memset(m.blocks + 4084, 0, 12);
		dir_model_sign(&m);
	}
	assert_ok(look_all_up(&m, &found, &err), &err);
	dir_model_release(&m);
}

/* --- damage ----------------------------------------------------------------------------------- */

static void put16(struct dir_model *m, uint32_t block, size_t offset, uint16_t v)
{
	put_le16(m->blocks + (size_t)block * EXT4_BLOCK_BYTES + offset, v);
}

static void put32(struct dir_model *m, uint32_t block, size_t offset, uint32_t v)
{
	put_le32(m->blocks + (size_t)block * EXT4_BLOCK_BYTES + offset, v);
}

static void limit_is_wrong(struct dir_model *m)
{
	put16(m, 1, 8, 509);
	put16(m, 1, 10, 500);
}
static void count_is_zero(struct dir_model *m)
{
	put16(m, 0, 34, 0);
}
static void block_is_outside(struct dir_model *m)
{
	put32(m, 1, 12, m->source.blocks);
}
static void block_is_the_root(struct dir_model *m)
{
	put32(m, 0, 36, 0);
}
static void node_is_its_own_child(struct dir_model *m)
{
	m->blocks[30] = 2;
	put16(m, 0, 34, 1);
	for (size_t i = 0; i < 510; i++)
		put32(m, 1, 12 + 8 * i, 1);
}
static void hashes_descend(struct dir_model *m)
{
	put32(m, 1, 24, 0xfffffff0);
}
static void node_is_a_leaf(struct dir_model *m)
{
	put32(m, 0, 36, m->source.blocks - 1);
}
static void leaf_is_a_node(struct dir_model *m)
{
	m->blocks[30] = 0;
}
static void name_is_in_another_leaf(struct dir_model *m)
{
	uint32_t one = get_le32(m->blocks + 4096 + 20), other = get_le32(m->blocks + 4096 + 28);

	put32(m, 1, 20, other);
	put32(m, 1, 28, one);
}
static void dot_is_another(struct dir_model *m)
{
	put32(m, 0, 0, 12);
}
static void dotdot_is_another(struct dir_model *m)
{
	put32(m, 0, 12, 12);
}
static void leaf_has_a_dot(struct dir_model *m)
{
	uint8_t *at = m->blocks + (size_t)(m->source.blocks - 1) * EXT4_BLOCK_BYTES;

	at[6] = 1;
	at[8] = '.';
}
static void checksum_is_wrong(struct dir_model *m)
{
	m->blocks[5 * EXT4_BLOCK_BYTES + 4092] ^= 1;
}

static void damage_is_told(void **state)
{
	static const struct {
		void (*harm)(struct dir_model *);
		const char *what;
	} cases[] = {
		{limit_is_wrong, "impossible length"},
		{count_is_zero, "impossible length"},
		{block_is_outside, "leads nowhere"},
		{block_is_the_root, "leads nowhere"},
		{node_is_its_own_child, "two ways"},
		{hashes_descend, "not sorted"},
		{node_is_a_leaf, "no index where"},
		{leaf_is_a_node, "an index where"},
		{name_is_in_another_leaf, "hash does not lead"},
		{dot_is_another, "wrong . or .."},
		{dotdot_is_another, "wrong . or .."},
		{leaf_has_a_dot, "one more ."},
		{checksum_is_wrong, "wrong checksum"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct error err = {0};
		struct dir_model m;
		size_t found = 0;

		start(&m, 8000, 255);
		assert_int_equal(dir_model_levels(&m), 1);
		cases[i].harm(&m);
		if (cases[i].harm != checksum_is_wrong)
			dir_model_sign(&m);
		assert_int_equal(look_all_up(&m, &found, &err), -1);
		assert_error(&err, ERR_INCONSISTENT, cases[i].what);
		dir_model_release(&m);
	}
}

/* The same goes for edits: names taken away, set and added all over it. */
static int edit_some(struct dir_model *m, struct error *err)
{
	struct ext4_dir_entry changes[60] = {0};
	char names[20][200];

	for (size_t i = 0; i < 60; i++) {
		const struct dir_model_name *old = &m->names[i * (m->n / 60)];

		memset(names[i % 20], (int)('a' + i % 20), sizeof(names[0]));
		if (i < 20)
			changes[i] = (struct ext4_dir_entry){names[i], sizeof(names[0]),
							     EXT4_DIR_REGULAR, 99};
		else
			changes[i] = (struct ext4_dir_entry){old->name, old->len, old->type,
							     i < 40 ? 98 : 0};
	}
	{
		struct ext4_dir_edit edit;
		int rc = ext4_dir_edit(&m->source, changes, 60, &edit, err);

		ext4_dir_edit_release(&edit);
		return rc;
	}
}

static void every_failing_read_is_reported(void **state)
{
	struct dir_model m;
	struct error err = {0};

	(void)state;
	start(&m, 8000, 255);
	for (m.fail_read = 1;; m.fail_read++) {
		int rc;

		error_clear(&err);
		m.reads = 0;
		rc = edit_some(&m, &err);
		if (rc == 0)
			break;
		assert_int_equal(rc, -1);
		assert_error(&err, ERR_SYSTEM, "injected fault");
	}
	assert_in_range(m.fail_read, 40, 70);
	dir_model_release(&m);
}

/* Under the address sanitizer: whatever is there, each call ends. */
static void damage_of_any_kind_is_an_error_or_does_not_matter(void **state)
{
	static const size_t sizes[][2] = {{300, 20}, {7000, 255}};
	size_t good = 0, bad = 0;

	(void)state;
	srand(1);
	for (size_t round = 0; round < 400; round++) {
		struct error err = {0};
		struct dir_model m;
		size_t found = 0;
		int rc;

		start(&m, sizes[round % 20 == 0][0], sizes[round % 20 == 0][1]);
		for (int i = rand() % 6; i >= 0; i--) {
			size_t block =
				rand() % 3 ? (size_t)rand() % 2 : (size_t)rand() % m.source.blocks;
			size_t offset = (size_t)rand() % (rand() % 2 ? 64 : 4096);

			m.blocks[block * EXT4_BLOCK_BYTES + offset] =
				(uint8_t)(rand() % 3 ? rand() % 4 : rand());
		}
		dir_model_sign(&m);
		rc = look_all_up(&m, &found, &err);
		if (rc >= 0)
			rc = edit_some(&m, &err);
		if (rc < 0)
			assert_int_equal(err.kind, ERR_INCONSISTENT);
		good += rc >= 0;
		bad += rc < 0;
		dir_model_release(&m);
	}
	assert_true(good > 20 && bad > 20);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_name_is_found),
		cmocka_unit_test(what_is_not_there_is_not_found),
		cmocka_unit_test(a_directory_without_an_index_is_a_list),
		cmocka_unit_test(an_index_of_another_kind_is_a_list),
		cmocka_unit_test(damage_is_told),
		cmocka_unit_test(every_failing_read_is_reported),
		cmocka_unit_test(damage_of_any_kind_is_an_error_or_does_not_matter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
