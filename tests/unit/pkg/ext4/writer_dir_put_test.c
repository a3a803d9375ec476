/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One large directory, changed by session after session, some of them the kernel's: e2fsck,
 * debugfs, the kernel and our reader agree with a list of names.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/ext4/read.h"
#include "pkg/ext4/writer.h"
#include "tests/support/cmocka.h"
#include "tests/support/colliding_names.h"
#include "tests/support/e2fsprogs.h"
#include "tests/support/ext4_edit.h"
#include "tests/support/htree_dump.h"
#include "tests/support/own_mounts.h"

static const uint64_t MIB = 1 << 20;

/* What should be in /d. */
struct name {
	char *name;
	uint32_t inode;
	bool dir;
};

struct list {
	struct name *items;
	size_t n, room;
	unsigned made; /* names so far */
	uint64_t random;
};

static uint32_t below(struct list *l, uint32_t n)
{
	l->random = l->random * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((l->random >> 33) % n);
}

static void list_release(struct list *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->items[i].name);
	free(l->items);
	*l = (struct list){0};
}

static char *new_name(struct list *l, size_t len_max)
{
	size_t len_min = len_max > 250 ? 200 : 8;
	size_t len = len_min + below(l, (uint32_t)(len_max - len_min + 1));
	char *name = xcalloc(len + 1, 1);

	memset(name, 'x', len);
	memcpy(name, "0000000", 7);
	for (unsigned i = 0, n = l->made++; n; n /= 10)
		name[6 - i++] = (char)('0' + n % 10);
	return name;
}

static void list_add(struct list *l, char *name, uint32_t inode, bool dir)
{
	ALLOC_GROW(l->items, l->n + 1, l->room);
	l->items[l->n++] = (struct name){name, inode, dir};
}

static void list_drop(struct list *l, size_t at)
{
	free(l->items[at].name);
	l->items[at] = l->items[--l->n];
}

/* --- our changes ------------------------------------------------------------------------------ */

static void add(struct ext4_writer *w, struct list *l, char *name, bool dir)
{
	struct ext4_meta meta = {.mode = dir ? S_IFDIR | 0755 : S_IFREG | 0644};
	struct ext4_node *node;
	struct error err = {0};

	assert_ok(ext4_writer_make(w, edit_find(w, "d"), name, strlen(name), &meta, &node, &err),
		  &err);
	list_add(l, name, ext4_node_inode(node), dir);
}

static struct ext4_node *find(struct ext4_writer *w, const char *name)
{
	struct ext4_node *node;
	struct error err = {0};

	assert_ok(ext4_writer_lookup(w, edit_find(w, "d"), name, strlen(name), &node, &err), &err);
	return node;
}

static void drop(struct ext4_writer *w, struct list *l, size_t at)
{
	struct error err = {0};

	assert_int_equal(ext4_node_inode(find(w, l->items[at].name)), l->items[at].inode);
	assert_ok(ext4_writer_remove(w, find(w, l->items[at].name), &err), &err);
	list_drop(l, at);
}

/* What the sessions of a run are like. */
struct habit {
	uint64_t seed;
	size_t len_max;
	unsigned first, sessions, changes; /* at most in each session */
	unsigned removed;		   /* percent */
};

static void change(struct ext4_writer *w, struct list *l, const struct habit *h, unsigned n)
{
	while (n--) {
		size_t at = below(l, (uint32_t)l->n + 1);
		unsigned what = below(l, 100);

		if (at < l->n && what < h->removed) {
			drop(w, l, at);
		} else if (at < l->n && what < h->removed + 10) {
			char *name = xstrdup(l->items[at].name);

			drop(w, l, at);
			add(w, l, name, what % 3 == 0);
		} else {
			add(w, l, new_name(l, h->len_max), what % 10 == 0);
		}
		if (below(l, 20) == 0)
			assert_null(find(w, "not there"));
	}
}

/* --- the judges ------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct name *)a)->name, ((const struct name *)b)->name);
}

static int take_entry(const struct ext4_dirent *entry, void *arg, struct error *err)
{
	(void)err;
	list_add(arg, xstrndup(entry->name, entry->name_len), entry->inode, false);
	return 0;
}

static void assert_same(struct list *l, struct list *found)
{
	qsort(l->items, l->n, sizeof(l->items[0]), by_name);
	qsort(found->items, found->n, sizeof(found->items[0]), by_name);
	assert_int_equal(l->n, found->n);
	for (size_t i = 0; i < l->n; i++) {
		assert_string_equal(l->items[i].name, found->items[i].name);
		assert_int_equal(l->items[i].inode, found->items[i].inode);
	}
	list_release(found);
}

static uint32_t dir_inode(struct memory_volume *v)
{
	cleanup(ext4_reader_close_ptr) struct ext4_reader *r = NULL;
	struct error err = {0};
	uint32_t dir;

	assert_ok(ext4_reader_open(&v->volume, &r, &err), &err);
	assert_ok(ext4_reader_lookup(r, EXT4_ROOT_INODE, "d", 1, &dir, &err), &err);
	return dir;
}

/* By our reader, by debugfs and by e2fsck. */
static unsigned judge(struct memory_volume *v, struct list *l)
{
	cleanup(ext4_reader_close_ptr) struct ext4_reader *r = NULL;
	uint32_t dir = dir_inode(v), links = 2;
	struct list found = {0};
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
		list_add(&found, xstrdup(dump.names[i].name), dump.names[i].inode, false);
	assert_same(l, &found);
	levels = dump.levels;
	htree_dump_release(&dump);
	return levels;
}

/* Two volumes with the same sessions, one of them with nothing ever in memory. */
struct twins {
	struct memory_volume *with, *without;
	struct ext4_tree *tree;
};

static struct twins twins_new(uint64_t size_bytes, uint64_t inodes)
{
	struct twins t = {edit_base(size_bytes, inodes), edit_base(size_bytes, inodes),
			  ext4_tree_new()};
	struct ext4_writer *w = edit_open(t.with, t.tree);

	edit_dir(w, "d");
	edit_finish(w);
	memory_volume_free(t.without);
	t.without = memory_volume_snapshot(t.with);
	return t;
}

static void twins_free(struct twins *t)
{
	ext4_tree_free(t->tree);
	memory_volume_free(t->with);
	memory_volume_free(t->without);
}

static struct list list_copy(const struct list *l)
{
	struct list copy = *l;

	copy.items = xcalloc(l->room + 1, sizeof(copy.items[0]));
	for (size_t i = 0; i < l->n; i++) {
		copy.items[i] = l->items[i];
		copy.items[i].name = xstrdup(l->items[i].name);
	}
	return copy;
}

/* One session on both: the same bytes. */
static void session(struct twins *t, struct list *l, const struct habit *h, unsigned n)
{
	struct ext4_tree *fresh = ext4_tree_new();
	struct list copy = list_copy(l);
	struct ext4_writer *w = edit_open(t->with, t->tree);

	change(w, l, h, n);
	edit_finish(w);
	w = edit_open(t->without, fresh);
	change(w, &copy, h, n);
	edit_finish(w);
	ext4_tree_free(fresh);
	list_release(&copy);
	assert_int_equal(memory_volume_differ(t->with, t->without), 0);
}

static void random_sessions_agree_with_a_list(void **state)
{
	static const struct habit habits[] = {
		{1, 60, 2000, 8, 150, 30},
		{2, 255, 1500, 8, 300, 20},
		{3, 250, 3000, 6, 900, 60},
		{4, 120, 20, 10, 40, 10},
	};
	unsigned rounds = getenv("THINPULL_ROUNDS") ? (unsigned)atoi(getenv("THINPULL_ROUNDS")) : 1;

	(void)state;
	for (unsigned round = 0; round < rounds; round++)
		for (size_t i = 0; i < ARRAY_SIZE(habits); i++) {
			const struct habit *h = &habits[i];
			struct twins t = twins_new(64 * MIB, 8000);
			struct list l = {.random = h->seed + 100 * round};

			session(&t, &l, &(struct habit){0, h->len_max, 0, 0, 0, 0}, h->first);
			for (unsigned k = 0; k < h->sessions; k++) {
				session(&t, &l, h, 1 + below(&l, h->changes));
				if (k % 2)
					judge(t.with, &l);
			}
			twins_free(&t);
			list_release(&l);
		}
}

/* Long names: from one block to 1,500 and a level of nodes, in steps of a tenth. */
static void a_directory_grows_over_many_sessions(void **state)
{
	static const struct habit h = {.len_max = 255};
	struct twins t = twins_new(128 * MIB, 20000);
	struct list l = {.random = 9};
	unsigned levels = 0, sessions = 0;

	(void)state;
	while (l.n < 11000) {
		session(&t, &l, &h, 1 + (unsigned)l.n / 8);
		if (sessions++ % 12 == 0)
			levels = judge(t.with, &l);
	}
	levels = judge(t.with, &l);
	assert_int_equal(levels, 1);
	assert_true(sessions > 50);
	twins_free(&t);
	list_release(&l);
}

/* --- names that collide ------------------------------------------------------------------------ */

static void names_of_one_hash_come_and_go(void **state)
{
	static const struct habit h = {.len_max = 60};
	size_t n;
	char **names = colliding_names_load(&n);
	struct memory_volume *v = edit_base(64 * MIB, 8000);
	struct ext4_tree *tree = ext4_tree_new();
	struct ext4_writer *w = edit_open(v, tree);
	struct list l = {.random = 5};

	(void)state;
	edit_dir(w, "d");
	change(w, &l, &h, 3000);
	for (size_t i = 0; i < n; i++) {
		if (i % 9 == 0) { /* a few in each session, nothing known of the others */
			edit_finish(w);
			ext4_tree_free(tree);
			tree = ext4_tree_new();
			w = edit_open(v, tree);
		}
		add(w, &l, xstrdup(names[i]), false);
	}
	edit_finish(w);
	judge(v, &l);
	w = edit_open(v, tree);
	for (size_t i = l.n; i-- > 3000;)
		if (i % 3)
			drop(w, &l, i);
	edit_finish(w);
	judge(v, &l);
	ext4_tree_free(tree);
	memory_volume_free(v);
	colliding_names_free(names);
	list_release(&l);
}

/* --- the kernel -------------------------------------------------------------------------------- */

/* Names are looked up, made and removed by the kernel: leaves that are not sorted, holes, gaps. */
static void kernel_changes(struct memory_volume **v, struct list *l, const struct habit *h,
			   unsigned n)
{
	char *dir = scratch_new();
	cleanup_free char *image = xasprintf("%s/image", dir), *at = xasprintf("%s/m/d", dir);
	struct stat st;
	int fd;

	memory_volume_dump(*v, image);
	assert_int_equal(command_run(NULL, "cd '%s' && mkdir m && mount -o loop image m", dir), 0);
	fd = open(at, O_RDONLY | O_DIRECTORY);
	assert_true(fd >= 0);
	for (size_t i = 0; i < l->n; i++) {
		assert_int_equal(fstatat(fd, l->items[i].name, &st, 0), 0);
		assert_int_equal(st.st_ino, l->items[i].inode);
	}
	while (n--) {
		size_t victim = below(l, (uint32_t)l->n);
		char *name;

		if (below(l, 100) < h->removed) {
			bool folder = l->items[victim].dir;

			assert_int_equal(unlinkat(fd, l->items[victim].name,
						  folder ? AT_REMOVEDIR : 0),
					 0);
			list_drop(l, victim);
			continue;
		}
		name = new_name(l, h->len_max);
		assert_int_equal(mkdirat(fd, name, 0755), 0);
		assert_int_equal(fstatat(fd, name, &st, 0), 0);
		list_add(l, name, (uint32_t)st.st_ino, true);
	}
	close(fd);
	assert_int_equal(command_run(NULL, "umount '%s/m'", dir), 0);
	memory_volume_free(*v);
	*v = memory_volume_load(image, 0);
	scratch_free(dir);
}

static void the_kernel_and_the_writer_take_turns(void **state)
{
	static const struct habit habits[] = {
		{11, 60, 2000, 4, 200, 30},
		{12, 250, 2000, 4, 600, 40},
		{13, 255, 8000, 2, 1500, 30},
	};

	(void)state;
	if (!can_loop_mount())
		skip();
	for (size_t i = 0; i < ARRAY_SIZE(habits); i++) {
		const struct habit *h = &habits[i];
		struct twins t = twins_new(64 * MIB, 16000);
		struct list l = {.random = h->seed};

		session(&t, &l, &(struct habit){0, h->len_max, 0, 0, 0, 0}, h->first);
		for (unsigned k = 0; k < h->sessions; k++) {
			kernel_changes(&t.with, &l, h, h->changes);
			memory_volume_free(t.without);
			t.without = memory_volume_snapshot(t.with);
			ext4_tree_free(t.tree);
			t.tree = ext4_tree_new();
			session(&t, &l, h, h->changes / 3);
			session(&t, &l, h, h->changes);
			judge(t.with, &l);
		}
		kernel_changes(&t.with, &l, h, 0);
		twins_free(&t);
		list_release(&l);
	}
}

/* The kernel empties whole leaves and leaves them where they are. */
static void what_the_kernel_emptied_is_edited(void **state)
{
	static const struct habit none = {.len_max = 100}, all = {.len_max = 100, .removed = 100};
	struct twins t = twins_new(64 * MIB, 8000);
	struct list l = {.random = 21};

	(void)state;
	if (can_loop_mount()) {
		session(&t, &l, &none, 3000);
		kernel_changes(&t.with, &l, &all, (unsigned)l.n - 10);
		assert_int_equal(l.n, 10);
		memory_volume_free(t.without);
		t.without = memory_volume_snapshot(t.with);
		ext4_tree_free(t.tree);
		t.tree = ext4_tree_new();
		session(&t, &l, &none, 30);
		judge(t.with, &l);
		assert_true(edit_stat(t.with, dir_inode(t.with)).size_bytes > 20 * 4096);
		/* names in most of its leaves, and still few of them: made anew */
		session(&t, &l, &none, 200);
		judge(t.with, &l);
		assert_true(edit_stat(t.with, dir_inode(t.with)).size_bytes < 20 * 4096);
	}
	twins_free(&t);
	list_release(&l);
}

/* --- cost and faults --------------------------------------------------------------------------- */

static void print_counts(const char *what, const struct memory_volume *v)
{
	print_message("%s: read %llu KiB in %llu calls, %llu pool blocks written to\n", what,
		      (unsigned long long)v->counts.bytes_read / 1024,
		      (unsigned long long)v->counts.reads,
		      (unsigned long long)v->counts.dirty_blocks);
}

/* One layer with nothing in memory; what it took is checked. */
static struct memory_volume *small_layer(struct memory_volume *base, const char *what,
					 const char *gone, const char *made)
{
	struct memory_volume *v = memory_volume_snapshot(base);
	struct ext4_tree *tree = ext4_tree_new();
	struct ext4_writer *w = edit_open(v, tree);

	if (gone)
		edit_remove(w, gone);
	if (made)
		edit_bytes(w, made, 8192, 3);
	edit_finish(w);
	ext4_tree_free(tree);
	print_counts(what, v);
	assert_true(v->counts.bytes_read < 512 * 1024);
	assert_in_range(v->counts.dirty_blocks, 1, 8);
	return v;
}

static struct memory_volume *large_directory(const char *format)
{
	struct memory_volume *v = edit_base(65536 * MIB, 0);
	struct ext4_tree *tree = ext4_tree_new();
	struct ext4_writer *w = edit_open(v, tree);

	edit_dir(w, "d");
	for (int i = 0; i < 50000; i++) {
		cleanup_free char *name = xasprintf("d/%d-%s", i, format);

		edit_file(w, name, "content");
	}
	edit_finish(w);
	ext4_tree_free(tree);
	return v;
}

/*
 * A file is added, removed, replaced; then some that all belong into one leaf, until it is parted,
 * and with it, where names are long, the node above it.
 */
static void one_file_among_50000_in_one_directory(void **state)
{
	char long_name[241] = {0};
	const char *formats[] = {"the-name-of-this-file", long_name};
	size_t n;
	char **names = colliding_names_load(&n);

	(void)state;
	memset(long_name, 'n', sizeof(long_name) - 1);
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		struct memory_volume *v[] = {large_directory(formats[i]), [7] = NULL};
		cleanup_free char *old = xasprintf("d/4711-%s", formats[i]);
		cleanup_free char *other = xasprintf("d/12345-%s", formats[i]);
		uint64_t size = edit_stat(v[0], dir_inode(v[0])).size_bytes;

		v[1] = small_layer(v[0], "added", NULL, "d/one more");
		v[2] = small_layer(v[1], "removed", old, NULL);
		v[3] = small_layer(v[2], "replaced", other, other);
		for (size_t k = 4; k < ARRAY_SIZE(v); k++) {
			cleanup_free char *name = xasprintf("d/%s", names[k]);

			v[k] = small_layer(v[k - 1], "added", NULL, name);
		}
		size = edit_stat(v[7], dir_inode(v[7])).size_bytes - size;
		assert_int_equal(size, 4096 * (1 + i));
		assert_true(e2fsck_is_clean(v[7]));
		for (size_t k = 0; k < ARRAY_SIZE(v); k++)
			memory_volume_free(v[k]);
	}
	colliding_names_free(names);
}

static int try_session(struct memory_volume *v, const struct list *l, struct error *err)
{
	static const uint8_t uuid[16] = {1};
	static const struct ext4_meta meta = {.mode = S_IFREG | 0644};
	cleanup(ext4_tree_free_ptr) struct ext4_tree *tree = ext4_tree_new();
	cleanup(ext4_writer_abort_ptr) struct ext4_writer *w = NULL;
	struct ext4_node *dir, *node;
	char name[200];

	if (ext4_writer_open(&v->volume, tree, uuid, &w, err) < 0
	    || ext4_writer_lookup(w, ext4_writer_root(w), "d", 1, &dir, err) < 0)
		return -1;
	for (size_t i = 0; i < 60; i++) {
		const char *old = l->items[i * 10].name;

		memset(name, (int)('a' + i % 26), sizeof(name));
		if (ext4_writer_make(w, dir, name, 8 + 3 * i, &meta, &node, err) < 0
		    || ext4_writer_lookup(w, dir, old, strlen(old), &node, err) < 0)
			return -1;
		if (i % 2 && ext4_writer_remove(w, node, err) < 0)
			return -1;
	}
	return ext4_writer_finish(&w, err);
}

static void fail_everywhere(bool reads)
{
	static const struct habit h = {.len_max = 250};
	struct twins t = twins_new(64 * MIB, 8000);
	struct list l = {.random = 31};
	struct error err = {0};
	uint64_t n = 1;

	session(&t, &l, &h, 2500);
	for (int rc = -1; rc < 0; n++) {
		struct memory_volume *v = memory_volume_snapshot(t.with);

		*(reads ? &v->fail_read : &v->fail_write) = n;
		error_clear(&err);
		rc = try_session(v, &l, &err);
		if (rc < 0)
			assert_error(&err, ERR_SYSTEM, "injected fault");
		else
			assert_true(e2fsck_is_clean(v));
		memory_volume_free(v);
	}
	print_message("%s that failed: %llu\n", reads ? "reads" : "writes",
		      (unsigned long long)n - 2);
	assert_true(n > 60);
	twins_free(&t);
	list_release(&l);
}

static void every_failing_read_is_reported(void **state)
{
	(void)state;
	fail_everywhere(true);
}

static void every_failing_write_is_reported(void **state)
{
	(void)state;
	fail_everywhere(false);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_sessions_agree_with_a_list),
		cmocka_unit_test(a_directory_grows_over_many_sessions),
		cmocka_unit_test(names_of_one_hash_come_and_go),
		cmocka_unit_test(the_kernel_and_the_writer_take_turns),
		cmocka_unit_test(what_the_kernel_emptied_is_edited),
		cmocka_unit_test(one_file_among_50000_in_one_directory),
		cmocka_unit_test(every_failing_read_is_reported),
		cmocka_unit_test(every_failing_write_is_reported),
	};

	own_mounts();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
