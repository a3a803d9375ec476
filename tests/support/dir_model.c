/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/dir_model.h"

#include <stdlib.h>
#include <string.h>

#include "pkg/base/alloc.h"
#include "tests/support/cmocka.h"

/* Leaves in the order of the index. */
struct leaves {
	struct dir_pointer *items;
	size_t n, room, empty;
};

static const uint8_t *block_of(const struct dir_model *m, uint32_t logical)
{
	return m->blocks + (size_t)logical * EXT4_BLOCK_BYTES;
}

static int read_block(void *arg, uint32_t logical, uint8_t *ret, struct error *err)
{
	struct dir_model *m = arg;

	assert_true(logical < m->source.blocks);
	m->reads++;
	if (m->fail_read && m->reads >= m->fail_read)
		return error_set(err, ERR_SYSTEM, "injected fault");
	memcpy(ret, block_of(m, logical), EXT4_BLOCK_BYTES);
	return 0;
}

void dir_model_init(struct dir_model *m)
{
	*m = (struct dir_model){
		.source = {.read = read_block,
			   .arg = m,
			   .owner = {.inode = 11, .parent = 2, .seed = 5, .hash_seed = {1, 2, 3}}},
	};
}

void dir_model_release(struct dir_model *m)
{
	free(m->blocks);
	free(m->names);
	*m = (struct dir_model){0};
}

/* --- the list --------------------------------------------------------------------------------- */

static int compare(const void *pa, const void *pb)
{
	const struct dir_model_name *a = pa, *b = pb;
	int rc = memcmp(a->name, b->name, a->len < b->len ? a->len : b->len);

	return rc ? rc : a->len - b->len;
}

void dir_model_list(struct dir_model *m, const struct ext4_dir_entry *changes, size_t n)
{
	size_t before = m->n, left = 0;

	for (size_t i = 0; i < n; i++) {
		struct dir_model_name key = {.len = changes[i].name_len,
					     .type = changes[i].type,
					     .inode = changes[i].inode};
		struct dir_model_name *old;

		memcpy(key.name, changes[i].name, key.len);
		old = before ? bsearch(&key, m->names, before, sizeof(key), compare) : NULL;
		if (old) {
			*old = key;
			continue;
		}
		ALLOC_GROW(m->names, m->n + 1, m->room);
		m->names[m->n++] = key;
	}
	for (size_t i = 0; i < m->n; i++)
		if (m->names[i].inode)
			m->names[left++] = m->names[i];
	m->n = left;
	if (left)
		qsort(m->names, left, sizeof(m->names[0]), compare);
}

void dir_model_encode(struct dir_model *m)
{
	struct ext4_dir_entry *entries = xcalloc(m->n + 1, sizeof(*entries));
	struct buffer blocks = {0};
	struct error err = {0};
	bool indexed;

	for (size_t i = 0; i < m->n; i++)
		entries[i] = (struct ext4_dir_entry){m->names[i].name, m->names[i].len,
						     m->names[i].type, m->names[i].inode};
	assert_ok(ext4_dir_encode(&m->source.owner, entries, m->n, &blocks, &indexed, &err), &err);
	free(entries);
	free(m->blocks);
	m->source.blocks = (uint32_t)(blocks.len / EXT4_BLOCK_BYTES);
	m->blocks = blocks.data;
}

int dir_model_edit(struct dir_model *m, const struct ext4_dir_entry *changes, size_t n,
		   struct error *err)
{
	cleanup(ext4_dir_edit_release) struct ext4_dir_edit edit = {0};
	size_t before = (size_t)m->source.blocks * EXT4_BLOCK_BYTES;
	int rc = ext4_dir_edit(&m->source, changes, n, &edit, err);

	dir_model_list(m, changes, n);
	if (rc != 0)
		return rc;
	m->changed = edit.n;
	m->added = edit.added.len / EXT4_BLOCK_BYTES;
	for (size_t i = 0; i < edit.n; i++) {
		assert_true(edit.numbers[i] < m->source.blocks);
		memcpy(m->blocks + (size_t)edit.numbers[i] * EXT4_BLOCK_BYTES,
		       edit.changed.data + i * EXT4_BLOCK_BYTES, EXT4_BLOCK_BYTES);
	}
	m->blocks = xrealloc(m->blocks, before + edit.added.len, 1);
	if (edit.added.len)
		memcpy(m->blocks + before, edit.added.data, edit.added.len);
	m->source.blocks += (uint32_t)m->added;
	return 0;
}

/* --- the index -------------------------------------------------------------------------------- */

static void walk(const struct dir_model *m, const uint8_t *pointers, unsigned levels,
		 uint32_t first, uint8_t *seen, struct leaves *ret)
{
	size_t n = get_le16(pointers + 2);

	assert_in_range(n, 1, get_le16(pointers));
	for (size_t i = 0; i < n; i++) {
		struct dir_pointer at = {i ? get_le32(pointers + 8 * i) : first,
					 get_le32(pointers + 8 * i + 4)};

		assert_true(at.block < m->source.blocks && !seen[at.block]);
		seen[at.block] = 1;
		if (levels) {
			walk(m, block_of(m, at.block) + 8, levels - 1, at.hash, seen, ret);
			continue;
		}
		assert_true(ret->n == 0 || ret->items[ret->n - 1].hash <= at.hash);
		ALLOC_GROW(ret->items, ret->n + 1, ret->room);
		ret->items[ret->n++] = at;
	}
}

unsigned dir_model_levels(const struct dir_model *m)
{
	return m->blocks[30];
}

static struct leaves walk_all(const struct dir_model *m)
{
	uint8_t *seen = xcalloc(m->source.blocks, 1);
	struct leaves leaves = {0};

	seen[0] = 1;
	walk(m, m->blocks + 32, dir_model_levels(m), 0, seen, &leaves);
	for (uint32_t i = 0; i < m->source.blocks; i++)
		assert_true(seen[i]);
	free(seen);
	return leaves;
}

static bool is_empty(const struct dir_model *m, uint32_t logical)
{
	const uint8_t *block = block_of(m, logical);

	return get_le32(block) == 0 && get_le16(block + 4) == EXT4_BLOCK_BYTES - 12;
}

size_t dir_model_leaves(const struct dir_model *m, size_t *ret_empty)
{
	struct leaves leaves = walk_all(m);

	*ret_empty = 0;
	for (size_t i = 0; i < leaves.n; i++)
		*ret_empty += is_empty(m, leaves.items[i].block);
	free(leaves.items);
	return leaves.n;
}

/* --- names ------------------------------------------------------------------------------------ */

/* Does a lookup by hash come to a leaf? */
static bool leads_to(const struct leaves *leaves, size_t leaf, uint32_t hash)
{
	size_t low = 0, high = leaves->n;

	while (high - low > 1) {
		size_t middle = (low + high) / 2;

		if (leaves->items[middle].hash <= hash)
			low = middle;
		else
			high = middle;
	}
	while (low < leaf && (leaves->items[low + 1].hash & ~1U) == hash)
		low++;
	return low == leaf;
}

static size_t add_names(const struct dir_model *m, const uint8_t *block,
			const struct leaves *leaves, size_t leaf, struct dir_model_name *ret,
			size_t room)
{
	struct ext4_dir_cursor c = {.block = block, .block_bytes = EXT4_BLOCK_BYTES};
	struct ext4_dir_entry e;
	struct error err = {0};
	size_t n = 0;
	int rc;

	while ((rc = ext4_dir_next(&c, &e, &err)) == 0) {
		if (!leaves && ext4_dir_is_dot(&e))
			continue;
		assert_true(n < room);
		ret[n] = (struct dir_model_name){.len = e.name_len,
						 .type = e.type,
						 .inode = e.inode};
		memcpy(ret[n++].name, e.name, e.name_len);
		if (leaves)
			assert_true(leads_to(leaves, leaf,
					     ext4_dir_hash(&m->source.owner, e.name, e.name_len,
							   NULL)));
	}
	assert_int_equal(rc, 1);
	return n;
}

static void same_names(const struct dir_model *m, struct dir_model_name *found, size_t n)
{
	assert_int_equal(n, m->n);
	if (n)
		qsort(found, n, sizeof(*found), compare);
	for (size_t i = 0; i < n; i++)
		assert_memory_equal(&found[i], &m->names[i], sizeof(*found));
}

void dir_model_check(struct dir_model *m)
{
	struct dir_model_name *found = xcalloc(m->n + 1, sizeof(*found));
	bool indexed = m->source.blocks > 1;
	struct leaves leaves = {0};
	size_t n = 0;

	for (uint32_t i = 0; i < m->source.blocks; i++)
		assert_true(ext4_dir_checksum_holds(m->source.owner.seed, block_of(m, i),
						    EXT4_BLOCK_BYTES, indexed, i));
	if (indexed)
		leaves = walk_all(m);
	else
		n = add_names(m, m->blocks, NULL, 0, found, m->n);
	for (size_t i = 0; i < leaves.n; i++)
		n += add_names(m, block_of(m, leaves.items[i].block), &leaves, i, found + n,
			       m->n - n);
	same_names(m, found, n);
	free(leaves.items);
	free(found);
}

void dir_model_sign(struct dir_model *m)
{
	for (uint32_t i = 0; i < m->source.blocks; i++) {
		uint8_t *block = m->blocks + (size_t)i * EXT4_BLOCK_BYTES;
		bool root = i == 0 && get_le32(block + 24) == 0 && block[29] == 8;
		bool node = i > 0 && get_le32(block) == 0 && get_le16(block + 4) == 4096;
		size_t offset = root ? 32 : 8, limit = get_le16(block + offset);

		/* as long as it has room for a checksum */
		if ((root || node)
		    && (get_le16(block + offset + 2) > limit
			|| offset + limit * 8 + 8 > EXT4_BLOCK_BYTES))
			continue;
		ext4_dir_set_checksum(m->source.owner.seed, block, true, i);
	}
}
