/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks of the inode table by their number, in an open hash. */
#include "pkg/ext4/inode_table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "pkg/base/alloc.h"

enum {
	INODES_IN_BLOCK = EXT4_BLOCK_BYTES / EXT4_INODE_BYTES,
	FIRST_SLOTS = 1024,
	MAX_BLOCKS = 8192, /* 32 MiB, 131,072 inodes */
};

struct ext4_table_block {
	uint64_t number;
	uint32_t first_inode;
	uint16_t changed, checked; /* one bit for each inode */
	struct ext4_raw_inode inode[INODES_IN_BLOCK];
};

void ext4_inode_table_init(struct ext4_inode_table *t, struct ext4_groups *groups)
{
	*t = (struct ext4_inode_table){.groups = groups,
				       .n_slots = FIRST_SLOTS,
				       .max_blocks = MAX_BLOCKS};
	t->slots = xcalloc(t->n_slots, sizeof(struct ext4_table_block *));
	t->written = xcalloc(groups->n, sizeof(uint8_t *));
}

static void drop_blocks(struct ext4_inode_table *t)
{
	for (size_t i = 0; i < t->n_slots; i++) {
		free(t->slots[i]);
		t->slots[i] = NULL;
	}
	t->n_blocks = 0;
	t->last = NULL;
}

void ext4_inode_table_release(struct ext4_inode_table *t)
{
	if (!t->slots)
		return;
	drop_blocks(t);
	for (uint32_t i = 0; i < t->groups->n; i++)
		free(t->written[i]);
	free(t->written);
	free(t->slots);
	*t = (struct ext4_inode_table){0};
}

static struct ext4_table_block **slot_of(const struct ext4_inode_table *t, uint64_t number)
{
	size_t i = (size_t)(number * 0x9e3779b97f4a7c15u >> 32) & (t->n_slots - 1);

	while (t->slots[i] && t->slots[i]->number != number)
		i = (i + 1) & (t->n_slots - 1);
	return &t->slots[i];
}

static void grow_slots(struct ext4_inode_table *t)
{
	struct ext4_table_block **old = t->slots;
	size_t n_old = t->n_slots;

	t->n_slots *= 2;
	t->slots = xcalloc(t->n_slots, sizeof(struct ext4_table_block *));
	for (size_t i = 0; i < n_old; i++)
		if (old[i])
			*slot_of(t, old[i]->number) = old[i];
	free(old);
}

static uint32_t inodes_per_group(const struct ext4_inode_table *t)
{
	return t->groups->fs->super->s_inodes_per_group;
}

/* Remember that a block has content now, whatever the bitmap said when the session started. */
static void note_written(struct ext4_inode_table *t, uint32_t first_inode)
{
	uint32_t group = (first_inode - 1) / inodes_per_group(t);
	uint32_t block = (first_inode - 1) % inodes_per_group(t) / INODES_IN_BLOCK;

	if (!t->written[group])
		t->written[group] = xcalloc(inodes_per_group(t) / INODES_IN_BLOCK / 8 + 1, 1);
	map_set(t->written[group], block, 1, true);
}

static bool is_empty(const struct ext4_inode_table *t, uint32_t first_inode)
{
	uint32_t group = (first_inode - 1) / inodes_per_group(t);
	uint32_t block = (first_inode - 1) % inodes_per_group(t) / INODES_IN_BLOCK;

	if (t->written[group] && map_test(t->written[group], block))
		return false;
	return ext4_groups_inode_block_was_empty(t->groups, first_inode);
}

static int compare_blocks(const void *a, const void *b)
{
	const struct ext4_table_block *x = *(struct ext4_table_block *const *)a;
	const struct ext4_table_block *y = *(struct ext4_table_block *const *)b;

	return x->number < y->number ? -1 : x->number > y->number;
}

/* An inode without mode and links is free and stays all zeros, without checksum. */
static void set_checksums(const struct ext4_inode_table *t, struct ext4_table_block *b)
{
	for (uint32_t i = 0; i < INODES_IN_BLOCK; i++)
		if (b->changed >> i & 1 && (b->inode[i].i.i_mode || b->inode[i].i.i_links_count))
			(void)ext2fs_inode_csum_set(t->groups->fs, b->first_inode + i,
						    &b->inode[i].i);
}

int ext4_inode_table_flush(struct ext4_inode_table *t, struct error *err)
{
	cleanup_free struct ext4_table_block **list = NULL;
	size_t n = 0;

	list = xcalloc(t->n_blocks + 1, sizeof(struct ext4_table_block *));
	for (size_t i = 0; i < t->n_slots; i++)
		if (t->slots[i] && t->slots[i]->changed)
			list[n++] = t->slots[i];
	qsort(list, n, sizeof(struct ext4_table_block *), compare_blocks);
	for (size_t i = 0; i < n; i++) {
		set_checksums(t, list[i]);
		list[i]->changed = 0;
		note_written(t, list[i]->first_inode);
		if (block_store_append(t->groups->store, list[i]->number, 1, list[i]->inode, err)
		    < 0)
			return -1;
	}
	return 0;
}

static int load_block(struct ext4_inode_table *t, uint64_t number, uint32_t first_inode,
		      struct ext4_table_block **ret, struct error *err)
{
	cleanup_free struct ext4_table_block *b = NULL;

	if (t->n_blocks >= t->max_blocks) {
		if (ext4_inode_table_flush(t, err) < 0)
			return -1;
		drop_blocks(t);
	}
	b = xmalloc(sizeof(*b));
	b->number = number;
	b->first_inode = first_inode;
	b->changed = b->checked = 0;
	if (is_empty(t, first_inode))
		memset(b->inode, 0, sizeof(b->inode));
	else if (block_store_read(t->groups->store, number, 1, b->inode, err) < 0)
		return error_wrap(err, "inode table at inode %u", first_inode);
	if ((t->n_blocks + 1) * 2 > t->n_slots)
		grow_slots(t);
	*ret = *slot_of(t, number) = steal(&b);
	t->n_blocks++;
	return 0;
}

/* Find or read the block of an inode; t->last is it afterwards. */
static int fetch(struct ext4_inode_table *t, uint32_t inode, struct error *err)
{
	ext2_filsys fs = t->groups->fs;
	uint32_t first = (inode - 1) / INODES_IN_BLOCK * INODES_IN_BLOCK + 1;
	uint32_t group, index;
	uint64_t number;

	if (inode == 0 || inode > fs->super->s_inodes_count)
		return error_set(err, ERR_INCONSISTENT, "ext4: there is no inode %u", inode);
	if (t->last && t->last->first_inode == first)
		return 0;
	group = (first - 1) / inodes_per_group(t);
	index = (first - 1) % inodes_per_group(t);
	number = ext2fs_inode_table_loc(fs, group) + index / INODES_IN_BLOCK;
	t->last = *slot_of(t, number);
	if (!t->last)
		return load_block(t, number, first, &t->last, err);
	return 0;
}

int ext4_inode_table_get(struct ext4_inode_table *t, uint32_t inode, struct ext4_raw_inode **ret,
			 struct error *err)
{
	uint32_t bit = (inode - 1) % INODES_IN_BLOCK;
	struct ext4_raw_inode *raw;

	if (fetch(t, inode, err) < 0)
		return -1;
	raw = &t->last->inode[bit];
	if (!(t->last->checked >> bit & 1)) {
		if (!ext2fs_inode_csum_verify(t->groups->fs, inode, &raw->i))
			return error_set(err, ERR_INCONSISTENT, "ext4: bad checksum of inode %u",
					 inode);
		t->last->checked |= (uint16_t)(1u << bit);
	}
	if (ext4_raw_links(raw) == 0)
		return error_set(err, ERR_INCONSISTENT, "ext4: inode %u is not in use", inode);
	*ret = raw;
	return 0;
}

int ext4_inode_table_make(struct ext4_inode_table *t, uint32_t inode, struct ext4_raw_inode **ret,
			  struct error *err)
{
	uint32_t bit = (inode - 1) % INODES_IN_BLOCK;

	if (fetch(t, inode, err) < 0)
		return -1;
	*ret = &t->last->inode[bit];
	memset(*ret, 0, sizeof(**ret));
	t->last->checked |= (uint16_t)(1u << bit);
	t->last->changed |= (uint16_t)(1u << bit);
	return 0;
}

void ext4_inode_table_changed(struct ext4_inode_table *t, uint32_t inode)
{
	uint32_t bit = (inode - 1) % INODES_IN_BLOCK;

	assert(t->last && t->last->first_inode == inode - bit);
	t->last->changed |= (uint16_t)(1u << bit);
}
