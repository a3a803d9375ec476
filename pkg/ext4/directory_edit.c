/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names sorted by hash meet the leaves in the order of the index; then the index gets what the
 * leaves have become, from below.
 */
#include "pkg/ext4/directory_edit.h"

#include <stdlib.h>
#include <string.h>

#include "pkg/base/alloc.h"

/* Leaves that are all met and hold less than 3/8 of what they could are made anew. */
enum { SPARSE_PARTS = 3, SPARSE_OF = 8 };

struct edit {
	const struct ext4_dir_source *source;
	struct ext4_dir_edit *out;
	struct dir_index index;
	/* The leaf in hand. */
	struct dir_path path;
	struct dir_leaf *leaf;	/* names sorted; inode 0: gone. NULL: none in hand */
	struct dir_name *added; /* ascending */
	size_t n_added, added_room;
	bool changed;
	/* What was done so far. */
	size_t leaves, leaf_bytes, added_bytes;
};

static int damaged(const struct edit *e, const char *what, struct error *err)
{
	return error_set(err, ERR_INCONSISTENT, "directory block %u: %s",
			 dir_path_leaf(&e->path)->at.block, what);
}

void ext4_dir_edit_release(struct ext4_dir_edit *edit)
{
	free(edit->numbers);
	buffer_release(&edit->changed);
	buffer_release(&edit->added);
	*edit = (struct ext4_dir_edit){0};
}

static void release(struct edit *e)
{
	if (e->leaf)
		dir_leaf_release(e->leaf);
	free(e->leaf);
	free(e->added);
	dir_index_release(&e->index);
}

/* --- blocks to be written --------------------------------------------------------------------- */

static uint8_t *add_block(struct buffer *b)
{
	uint8_t *at = buffer_reserve(b, EXT4_BLOCK_BYTES);

	memset(at, 0, EXT4_BLOCK_BYTES);
	buffer_grew(b, EXT4_BLOCK_BYTES);
	return at;
}

/* Room for a block of the directory, good until the next one. @logical: 0 makes a new one. */
static uint8_t *put_block(struct edit *e, uint32_t *logical)
{
	struct ext4_dir_edit *out = e->out;

	if (*logical == 0) {
		*logical = e->source->blocks + (uint32_t)(out->added.len / EXT4_BLOCK_BYTES);
		return add_block(&out->added);
	}
	ALLOC_GROW(out->numbers, out->n + 1, out->room);
	out->numbers[out->n++] = *logical;
	return add_block(&out->changed);
}

/* --- leaves ----------------------------------------------------------------------------------- */

/* What is in the leaf in hand now, ascending. */
static size_t merge(const struct edit *e, struct dir_name *ret)
{
	size_t k = 0, n = 0;

	for (size_t i = 0; i < e->leaf->n; i++) {
		const struct dir_name *old = &e->leaf->names[i];

		while (k < e->n_added && dir_name_compare(&e->added[k], old) < 0)
			ret[n++] = e->added[k++];
		if (old->entry.inode)
			ret[n++] = *old;
	}
	while (k < e->n_added)
		ret[n++] = e->added[k++];
	return n;
}

/* How many names bring the bytes used up to a mark. */
static size_t names_up_to(const struct dir_name *list, size_t n, size_t mark, size_t *used)
{
	size_t i = 0;

	while (i < n && *used < mark)
		*used += dir_entry_bytes(list[i++].entry.name_len);
	return i;
}

/*
 * Write the names over the leaf in hand, and to new ones that follow it if they are too many. The
 * parts differ by less than two entries: none is empty, and all leave some room.
 */
static void put_names(struct edit *e, const struct dir_name *list, size_t n)
{
	size_t bytes = dir_names_bytes(list, n), room = DIR_LEAF_ROOM - DIR_LEAF_SLACK;
	size_t parts = bytes > DIR_LEAF_ROOM ? (bytes + room - 1) / room : 1, used = 0;
	struct dir_child *child = dir_path_leaf(&e->path);
	struct dir_pointer at = child->at;

	e->leaves++;
	e->leaf_bytes += bytes;
	child->more = xcalloc(parts, sizeof(*child->more));
	for (size_t i = 0; i < parts; i++) {
		size_t now = names_up_to(list, n, bytes * (i + 1) / parts, &used);
		uint8_t *block;

		if (i > 0)
			at = (struct dir_pointer){list->hash | (list->hash == list[-1].hash), 0};
		block = put_block(e, &at.block);
		dir_put_leaf(block, &e->source->owner, at.block, list, now);
		if (i > 0)
			child->more[child->n_more++] = at;
		list += now;
		n -= now;
	}
}

static void close_leaf(struct edit *e)
{
	cleanup_free struct dir_name *list = NULL;

	if (!e->leaf)
		return;
	if (e->changed) {
		list = xcalloc(e->leaf->n + e->n_added + 1, sizeof(*list));
		put_names(e, list, merge(e, list));
	}
	dir_leaf_release(e->leaf);
	free(steal(&e->leaf));
	e->n_added = 0;
	e->changed = false;
}

/* Take the leaf into the hand that e->path leads to. */
static int open_leaf(struct edit *e, struct error *err)
{
	e->leaf = xcalloc(1, sizeof(*e->leaf));
	if (dir_index_claim(&e->index, dir_path_leaf(&e->path)->at.block, err) < 0
	    || dir_leaf_read(&e->index, &e->path, e->leaf, err) < 0)
		return -1;
	qsort(e->leaf->names, e->leaf->n, sizeof(struct dir_name), dir_name_compare);
	for (size_t i = 1; i < e->leaf->n; i++)
		if (dir_name_compare(&e->leaf->names[i - 1], &e->leaf->names[i]) == 0)
			return damaged(e, "a name twice", err);
	return 0;
}

static int seek(struct edit *e, uint32_t hash, struct error *err)
{
	struct dir_path path;

	if (dir_index_find(&e->index, hash, &path, err) < 0)
		return -1;
	if (e->leaf && dir_path_leaf(&path) == dir_path_leaf(&e->path))
		return 0;
	close_leaf(e);
	e->path = path;
	return open_leaf(e, err);
}

/* --- names ------------------------------------------------------------------------------------ */

/* Changes that have one hash, sorted. */
struct group {
	const struct dir_name *changes;
	size_t n;
	bool *found; /* in a leaf */
};

/* The first name of the leaf in hand that has the hash, or a larger one. */
static size_t first_of(const struct dir_leaf *leaf, uint32_t hash)
{
	size_t low = 0, high = leaf->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (leaf->names[middle].hash < hash)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Change the names of a group that are in the leaf in hand. */
static int change_names(struct edit *e, const struct group *g, struct error *err)
{
	uint32_t hash = g->changes->hash;

	for (size_t i = first_of(e->leaf, hash); i < e->leaf->n && e->leaf->names[i].hash == hash;
	     i++) {
		struct ext4_dir_entry *old = &e->leaf->names[i].entry;
		const struct dir_name *new = bsearch(&e->leaf->names[i], g->changes, g->n,
						     sizeof(*new), dir_name_compare);

		if (!new)
			continue;
		if (g->found[new - g->changes])
			return damaged(e, "a name twice", err);
		g->found[new - g->changes] = true;
		old->inode = new->entry.inode;
		old->type = new->entry.type;
		e->changed = true;
	}
	return 0;
}

/* Names that were in none of the leaves of their hash belong into the last of them. */
static int add_names(struct edit *e, const struct group *g, struct error *err)
{
	for (size_t i = 0; i < g->n; i++) {
		if (g->found[i])
			continue;
		if (g->changes[i].entry.inode == 0)
			return damaged(e, "a name that was here is gone", err);
		ALLOC_GROW(e->added, e->n_added + 1, e->added_room);
		e->added[e->n_added++] = g->changes[i];
		e->added_bytes += dir_entry_bytes(g->changes[i].entry.name_len);
		e->changed = true;
	}
	return 0;
}

static int change_group(struct edit *e, const struct group *g, struct error *err)
{
	uint32_t hash = g->changes->hash;

	if (seek(e, hash, err) < 0 || change_names(e, g, err) < 0)
		return -1;
	while (dir_path_continues(&e->path, hash)) {
		close_leaf(e);
		if (dir_index_next(&e->index, &e->path, err) < 0 || open_leaf(e, err) < 0
		    || change_names(e, g, err) < 0)
			return -1;
	}
	return add_names(e, g, err);
}

static int change_all(struct edit *e, const struct dir_name *changes, size_t n, struct error *err)
{
	cleanup_free bool *found = xcalloc(n + 1, sizeof(*found));

	for (size_t i = 0, next; i < n; i = next) {
		struct group g = {.changes = changes + i, .found = found + i};

		for (next = i + 1; next < n && changes[next].hash == changes[i].hash;)
			next++;
		g.n = next - i;
		if (change_group(e, &g, err) < 0)
			return -1;
	}
	close_leaf(e);
	return 0;
}

/* --- index ------------------------------------------------------------------------------------ */

/* The pointers of a node with those that are new; NULL: there are no new ones. */
static struct dir_pointer *with_new(const struct dir_node *node, size_t *ret_n)
{
	struct dir_pointer *list;
	size_t n = node->n;

	for (size_t i = 0; i < node->n; i++)
		n += node->children[i].n_more;
	if (n == node->n)
		return NULL;
	list = xcalloc(n, sizeof(*list));
	*ret_n = n;
	n = 0;
	for (size_t i = 0; i < node->n; i++) {
		const struct dir_child *child = &node->children[i];

		list[n++] = child->at;
		for (size_t k = 0; k < child->n_more; k++)
			list[n++] = child->more[k];
	}
	return list;
}

/*
 * Spread pointers evenly over nodes, and make the list that of the nodes.
 * @first: block of the first node, 0 = a new one.
 */
static void put_nodes(struct edit *e, struct dir_pointer *list, size_t n, size_t nodes,
		      uint32_t first)
{
	for (size_t i = 0; i < nodes; i++) {
		size_t from = n * i / nodes, end = n * (i + 1) / nodes;
		struct dir_pointer at = {list[from].hash, i ? 0 : first};
		uint8_t *block = put_block(e, &at.block);

		dir_put_node(block, &e->source->owner, at.block, list + from, end - from);
		list[i] = at;
	}
}

/* Write the nodes that change, those below a node first; at most DIR_LEVELS_MAX deep. */
static void put_below(struct edit *e, struct dir_node *node)
{
	for (size_t i = 0; i < node->n; i++) {
		struct dir_child *child = &node->children[i];
		struct dir_pointer *list;
		size_t n, nodes;

		if (!child->node)
			continue;
		put_below(e, child->node);
		list = with_new(child->node, &n);
		if (!list)
			continue;
		nodes = (n + DIR_NODE_LIMIT - 1) / DIR_NODE_LIMIT;
		put_nodes(e, list, n, nodes, child->at.block);
		child->n_more = nodes - 1;
		memmove(list, list + 1, child->n_more * sizeof(*list));
		child->more = list;
	}
}

static int put_index(struct edit *e, struct error *err)
{
	unsigned levels = e->index.root->levels;
	struct ext4_dir_edit *out = e->out;
	cleanup_free struct dir_pointer *list = NULL;
	size_t n;

	put_below(e, e->index.root);
	list = with_new(e->index.root, &n);
	if (!list)
		return 0;
	for (; n > DIR_ROOT_LIMIT; levels++) {
		/* one node would do for a few more than the root holds, until the next leaf */
		size_t nodes = 1 + (n - 1) / DIR_NODE_LIMIT;

		nodes = nodes > 1 ? nodes : 2;
		put_nodes(e, list, n, nodes, 0);
		n = nodes;
	}
	if (levels >= DIR_LEVELS_MAX)
		return error_set(err, ERR_NO_SPACE, "a directory of %u blocks: its index is full",
				 e->source->blocks);
	ALLOC_GROW(out->numbers, out->n + 1, out->room);
	out->numbers[out->n++] = 0;
	dir_put_root(add_block(&out->changed), &e->source->owner, levels, list, n);
	return 0;
}

/* --- all -------------------------------------------------------------------------------------- */

/* Depends only on the directory and the changes: so does what is written. */
static bool better_anew(const struct edit *e)
{
	size_t blocks = e->source->blocks, room = e->leaves * DIR_LEAF_ROOM;

	if (e->added_bytes > blocks * EXT4_BLOCK_BYTES / 2)
		return true;
	return e->leaves > blocks / 2 && e->leaf_bytes * SPARSE_OF < room * SPARSE_PARTS;
}

int ext4_dir_edit(const struct ext4_dir_source *source, const struct ext4_dir_entry *changes,
		  size_t n, struct ext4_dir_edit *ret, struct error *err)
{
	cleanup(release) struct edit e = {.source = source, .out = ret};
	cleanup_free struct dir_name *sorted = xcalloc(n + 1, sizeof(*sorted));
	int rc;

	*ret = (struct ext4_dir_edit){0};
	for (size_t i = 0; i < n; i++)
		dir_name_set(&sorted[i], &source->owner, &changes[i]);
	qsort(sorted, n, sizeof(*sorted), dir_name_compare);
	rc = dir_index_open(source, &e.index, err);
	if (rc != 0)
		return rc;
	if (change_all(&e, sorted, n, err) < 0)
		return -1;
	return better_anew(&e) ? 1 : put_index(&e, err);
}
