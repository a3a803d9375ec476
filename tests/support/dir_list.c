/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/dir_list.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "pkg/base/alloc.h"
#include "pkg/ext4/read.h"
#include "tests/support/cmocka.h"
#include "tests/support/e2fsprogs.h"
#include "tests/support/ext4_edit.h"
#include "tests/support/htree_dump.h"

uint32_t dir_list_below(struct dir_list *l, uint32_t n)
{
	l->random = l->random * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((l->random >> 33) % n);
}

void dir_list_release(struct dir_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->items[i].name);
	free(l->items);
	*l = (struct dir_list){0};
}

char *dir_list_new_name(struct dir_list *l, size_t len_max)
{
	size_t len_min = len_max > 250 ? 200 : 8;
	size_t len = len_min + dir_list_below(l, (uint32_t)(len_max - len_min + 1));
	char *name = xcalloc(len + 1, 1);

	memset(name, 'x', len);
	memcpy(name, "0000000", 7);
	for (unsigned i = 0, n = l->made++; n; n /= 10)
		name[6 - i++] = (char)('0' + n % 10);
	return name;
}

void dir_list_add(struct dir_list *l, char *name, uint32_t inode, bool dir)
{
	ALLOC_GROW(l->items, l->n + 1, l->room);
	l->items[l->n++] = (struct dir_list_name){name, inode, dir};
}

void dir_list_drop(struct dir_list *l, size_t at)
{
	free(l->items[at].name);
	l->items[at] = l->items[--l->n];
}

/* --- our changes ------------------------------------------------------------------------------ */

void dir_list_make(struct ext4_writer *w, struct dir_list *l, char *name, bool dir)
{
	struct ext4_meta meta = {.mode = dir ? S_IFDIR | 0755 : S_IFREG | 0644};
	struct ext4_node *node;
	struct error err = {0};

	assert_ok(ext4_writer_make(w, edit_find(w, "d"), name, strlen(name), &meta, &node, &err),
		  &err);
	dir_list_add(l, name, ext4_node_inode(node), dir);
}

static struct ext4_node *find(struct ext4_writer *w, const char *name)
{
	struct ext4_node *node;
	struct error err = {0};

	assert_ok(ext4_writer_lookup(w, edit_find(w, "d"), name, strlen(name), &node, &err), &err);
	return node;
}

void dir_list_remove(struct ext4_writer *w, struct dir_list *l, size_t at)
{
	struct error err = {0};

	assert_int_equal(ext4_node_inode(find(w, l->items[at].name)), l->items[at].inode);
	assert_ok(ext4_writer_remove(w, find(w, l->items[at].name), &err), &err);
	dir_list_drop(l, at);
}

void dir_list_change(struct ext4_writer *w, struct dir_list *l, const struct dir_habit *h,
		     unsigned n)
{
	while (n--) {
		size_t at = dir_list_below(l, (uint32_t)l->n + 1);
		unsigned what = dir_list_below(l, 100);

		if (at < l->n && what < h->removed) {
			dir_list_remove(w, l, at);
		} else if (at < l->n && what < h->removed + 10) {
			char *name = xstrdup(l->items[at].name);

			dir_list_remove(w, l, at);
			dir_list_make(w, l, name, what % 3 == 0);
		} else {
			dir_list_make(w, l, dir_list_new_name(l, h->len_max), what % 10 == 0);
		}
		if (dir_list_below(l, 20) == 0)
			assert_null(find(w, "not there"));
	}
}

/* --- the judges ------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct dir_list_name *)a)->name,
		      ((const struct dir_list_name *)b)->name);
}

static int take_entry(const struct ext4_dirent *entry, void *arg, struct error *err)
{
	(void)err;
	dir_list_add(arg, xstrndup(entry->name, entry->name_len), entry->inode, false);
	return 0;
}

static void assert_same(struct dir_list *l, struct dir_list *found)
{
	qsort(l->items, l->n, sizeof(l->items[0]), by_name);
	qsort(found->items, found->n, sizeof(found->items[0]), by_name);
	assert_int_equal(l->n, found->n);
	for (size_t i = 0; i < l->n; i++) {
		assert_string_equal(l->items[i].name, found->items[i].name);
		assert_int_equal(l->items[i].inode, found->items[i].inode);
	}
	dir_list_release(found);
}

uint32_t dir_list_inode(struct memory_volume *v)
{
	cleanup(ext4_reader_close_ptr) struct ext4_reader *r = NULL;
	struct error err = {0};
	uint32_t dir;

	assert_ok(ext4_reader_open(&v->volume, &r, &err), &err);
	assert_ok(ext4_reader_lookup(r, EXT4_ROOT_INODE, "d", 1, &dir, &err), &err);
	return dir;
}

/* By our reader, by debugfs and by e2fsck. */
unsigned dir_list_judge(struct memory_volume *v, struct dir_list *l)
{
	cleanup(ext4_reader_close_ptr) struct ext4_reader *r = NULL;
	uint32_t dir = dir_list_inode(v), links = 2;
	struct dir_list found = {0};
	struct htree_dump dump;
	struct error err = {0};
	unsigned levels;

	assert_true(e2fsck_is_clean(v));
	assert_ok(ext4_reader_open(&v->volume, &r, &err), &err);
	assert_ok(ext4_reader_dir(r, dir, take_entry, &found, &err), &err);
	assert_same(l, &found);
	for (size_t i = 0; i < l->n; i++)
		links += l->items[i].dir;
	assert_int_equal(edit_stat(v, dir).links, links);
	if (edit_stat(v, dir).size_bytes == 4096)
		return 0;
	dump = htree_dump(v, "/d");
	for (size_t i = 0; i < dump.n; i++)
		dir_list_add(&found, xstrdup(dump.names[i].name), dump.names[i].inode, false);
	assert_same(l, &found);
	levels = dump.levels;
	htree_dump_release(&dump);
	return levels;
}

struct dir_twins dir_twins_new(uint64_t size_bytes, uint64_t inodes)
{
	struct dir_twins t = {edit_base(size_bytes, inodes), edit_base(size_bytes, inodes),
			      ext4_tree_new()};
	struct ext4_writer *w = edit_open(t.with, t.tree);

	edit_dir(w, "d");
	edit_finish(w);
	memory_volume_free(t.without);
	t.without = memory_volume_snapshot(t.with);
	return t;
}

void dir_twins_free(struct dir_twins *t)
{
	ext4_tree_free(t->tree);
	memory_volume_free(t->with);
	memory_volume_free(t->without);
}

static struct dir_list list_copy(const struct dir_list *l)
{
	struct dir_list copy = *l;

	copy.items = xcalloc(l->room + 1, sizeof(copy.items[0]));
	for (size_t i = 0; i < l->n; i++) {
		copy.items[i] = l->items[i];
		copy.items[i].name = xstrdup(l->items[i].name);
	}
	return copy;
}

void dir_twins_session(struct dir_twins *t, struct dir_list *l, const struct dir_habit *h,
		       unsigned n)
{
	struct ext4_tree *fresh = ext4_tree_new();
	struct dir_list copy = list_copy(l);
	struct ext4_writer *w = edit_open(t->with, t->tree);

	dir_list_change(w, l, h, n);
	edit_finish(w);
	w = edit_open(t->without, fresh);
	dir_list_change(w, &copy, h, n);
	edit_finish(w);
	ext4_tree_free(fresh);
	dir_list_release(&copy);
	assert_int_equal(memory_volume_differ(t->with, t->without), 0);
}
