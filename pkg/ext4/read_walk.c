/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole tree, depth first without recursion: each directory on the way down has its sorted
 * names on a stack.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/base/interrupt.h"
#include "pkg/ext4/read_internal.h"

/* Names that wait on the stack; a guest could fill a large volume with nothing else. */
static const size_t NAMES_BYTES_MAX = 1ULL << 30;

struct name {
	size_t at; /* in the text of its level */
	uint32_t inode;
	uint8_t len;
};

/* A directory on the way down. */
struct level {
	struct name *names;
	size_t n, room, next;
	struct buffer text;
	size_t path_len; /* of the directory itself */
};

struct walk {
	struct ext4_reader *r;
	struct level *levels;
	size_t depth, room;
	size_t names_bytes;
	uint64_t budget; /* directory blocks: each belongs to one directory only */
	uint8_t *seen;	 /* one bit for each inode, set for directories */
	struct buffer path;
};

static void level_release(struct walk *w, struct level *l)
{
	w->names_bytes -= l->text.len + l->n * sizeof(l->names[0]);
	free(l->names);
	buffer_release(&l->text);
}

static void walk_release(struct walk *w)
{
	w->r->mapped_left = w->r->values_left = UINT64_MAX;
	while (w->depth > 0)
		level_release(w, &w->levels[--w->depth]);
	free(w->levels);
	free(w->seen);
	buffer_release(&w->path);
}

/* Adds to the level on top of the stack. */
static int add_name(const struct ext4_dirent *entry, void *arg, struct error *err)
{
	struct walk *w = arg;
	struct level *l = &w->levels[w->depth - 1];

	w->names_bytes += entry->name_len + sizeof(l->names[0]);
	ALLOC_GROW(l->names, l->n + 1, l->room);
	l->names[l->n++] = (struct name){.at = l->text.len,
					 .inode = entry->inode,
					 .len = (uint8_t)entry->name_len};
	buffer_add(&l->text, entry->name, entry->name_len);
	if (w->names_bytes > NAMES_BYTES_MAX)
		return error_set(err, ERR_UNSUPPORTED, "too many names to walk in order");
	return 0;
}

static int compare(const void *pa, const void *pb, void *arg)
{
	const struct name *a = pa, *b = pb;
	const uint8_t *text = arg;
	int rc = memcmp(text + a->at, text + b->at, a->len < b->len ? a->len : b->len);

	return rc ? rc : (int)a->len - (int)b->len;
}

static int sort(struct level *l, struct error *err)
{
	if (l->n == 0)
		return 0;
	qsort_r(l->names, l->n, sizeof(l->names[0]), compare, l->text.data);
	for (size_t i = 1; i < l->n; i++)
		if (compare(&l->names[i - 1], &l->names[i], l->text.data) == 0)
			return error_set(err, ERR_INCONSISTENT, "a name is there twice: %.*s",
					 (int)l->names[i].len,
					 (const char *)l->text.data + l->names[i].at);
	return 0;
}

static int enter(struct walk *w, const struct read_inode *dir, struct error *err)
{
	uint32_t bit = dir->stat.inode;

	if (w->seen[bit / 8] >> (bit % 8) & 1) {
		error_set(err, ERR_INCONSISTENT, "directory with two names");
		return read_error(dir, err);
	}
	w->seen[bit / 8] = (uint8_t)(w->seen[bit / 8] | 1U << (bit % 8));
	ALLOC_GROW(w->levels, w->depth + 1, w->room);
	w->levels[w->depth++] = (struct level){.path_len = w->path.len};
	if (read_directory(w->r, dir, add_name, w, &w->budget, err) < 0)
		return -1;
	if (sort(&w->levels[w->depth - 1], err) < 0)
		return read_error(dir, err);
	return 0;
}

static void set_path(struct walk *w, const struct level *l, const struct name *name)
{
	w->path.len = l->path_len;
	if (l->path_len)
		buffer_add(&w->path, "/", 1);
	buffer_add(&w->path, l->text.data + name->at, name->len);
}

static int visit(struct walk *w, uint32_t inode, ext4_walk_fn *fn, void *arg, struct error *err)
{
	struct read_inode in;
	int rc;

	if (read_inode(w->r, inode, &in, err) < 0)
		return -1;
	if (in.flags & EXT4_EA_INODE_FL) {
		error_set(err, ERR_INCONSISTENT, "an attribute value with a name");
		return read_error(&in, err);
	}
	rc = fn((const char *)w->path.data, &in.stat, arg, err);
	if (rc < 0)
		return rc;
	return read_is(&in, LINUX_S_IFDIR) ? enter(w, &in, err) : 0;
}

/* The next name of the innermost directory that has one left. */
static int step(struct walk *w, ext4_walk_fn *fn, void *arg, struct error *err)
{
	struct level *l = &w->levels[w->depth - 1];

	if (l->next == l->n) {
		level_release(w, l);
		w->depth--;
		return 0;
	}
	if (interrupt_check(err) < 0)
		return -1;
	set_path(w, l, &l->names[l->next]);
	return visit(w, l->names[l->next++].inode, fn, arg, err);
}

int ext4_reader_walk(struct ext4_reader *r, ext4_walk_fn *fn, void *arg, struct error *err)
{
	cleanup(walk_release) struct walk w = {.r = r, .budget = r->blocks};
	int rc;

	r->mapped_left = r->values_left = r->blocks;
	w.seen = xcalloc(r->fs->super->s_inodes_count / 8 + 1ULL, 1);
	buffer_add(&w.path, "", 0);
	rc = visit(&w, EXT4_ROOT_INODE, fn, arg, err);
	if (rc >= 0 && w.depth == 0)
		rc = error_set(err, ERR_INCONSISTENT, "the root is not a directory");
	while (rc >= 0 && w.depth > 0)
		rc = step(&w, fn, arg, err);
	if (rc < 0)
		read_failed(err);
	return rc < 0 ? rc : 0;
}
