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
#include "tests/support/dir_list.h"
#include "tests/support/e2fsprogs.h"
#include "tests/support/ext4_edit.h"
#include "tests/support/own_mounts.h"

static const uint64_t MIB = 1 << 20;

static void random_sessions_agree_with_a_list(void **state)
{
	static const struct dir_habit habits[] = {
		{1, 60, 2000, 8, 150, 30},
		{2, 255, 1500, 8, 300, 20},
		{3, 250, 3000, 6, 900, 60},
		{4, 120, 20, 10, 40, 10},
	};
	unsigned rounds = getenv("THINPULL_ROUNDS") ? (unsigned)atoi(getenv("THINPULL_ROUNDS")) : 1;
	unsigned first = getenv("THINPULL_SEED") ? (unsigned)atoi(getenv("THINPULL_SEED")) : 0;

	(void)state;
	for (unsigned round = first; round < first + rounds; round++)
		for (size_t i = 0; i < ARRAY_SIZE(habits); i++) {
			const struct dir_habit *h = &habits[i];
			struct dir_twins t = dir_twins_new(64 * MIB, 8000);
			struct dir_list l = {.random = h->seed + 100 * round};

			dir_twins_session(&t, &l, &(struct dir_habit){0, h->len_max, 0, 0, 0, 0},
					  h->first);
			for (unsigned k = 0; k < h->sessions; k++) {
				dir_twins_session(&t, &l, h, 1 + dir_list_below(&l, h->changes));
				if (k % 2)
					dir_list_judge(t.with, &l);
			}
			dir_twins_free(&t);
			dir_list_release(&l);
		}
}

/* Long names: from one block to 1,500 and a level of nodes, in steps of a tenth. */
static void a_directory_grows_over_many_sessions(void **state)
{
	static const struct dir_habit h = {.len_max = 255};
	struct dir_twins t = dir_twins_new(128 * MIB, 20000);
	struct dir_list l = {.random = 9};
	unsigned levels = 0, sessions = 0;

	(void)state;
	while (l.n < 11000) {
		dir_twins_session(&t, &l, &h, 1 + (unsigned)l.n / 8);
		if (sessions++ % 12 == 0)
			levels = dir_list_judge(t.with, &l);
	}
	levels = dir_list_judge(t.with, &l);
	assert_int_equal(levels, 1);
	assert_true(sessions > 50);
	dir_twins_free(&t);
	dir_list_release(&l);
}

/* --- names that collide ------------------------------------------------------------------------ */

static void names_of_one_hash_come_and_go(void **state)
{
	static const struct dir_habit h = {.len_max = 60};
	size_t n;
	char **names = colliding_names_load(&n);
	struct memory_volume *v = edit_base(64 * MIB, 8000);
	struct ext4_tree *tree = ext4_tree_new();
	struct ext4_writer *w = edit_open(v, tree);
	struct dir_list l = {.random = 5};

	(void)state;
	edit_dir(w, "d");
	dir_list_change(w, &l, &h, 3000);
	for (size_t i = 0; i < n; i++) {
		if (i % 9 == 0) { /* a few in each session, nothing known of the others */
			edit_finish(w);
			ext4_tree_free(tree);
			tree = ext4_tree_new();
			w = edit_open(v, tree);
		}
		dir_list_make(w, &l, xstrdup(names[i]), false);
	}
	edit_finish(w);
	dir_list_judge(v, &l);
	w = edit_open(v, tree);
	for (size_t i = l.n; i-- > 3000;)
		if (i % 3)
			dir_list_remove(w, &l, i);
	edit_finish(w);
	dir_list_judge(v, &l);
	ext4_tree_free(tree);
	memory_volume_free(v);
	colliding_names_free(names);
	dir_list_release(&l);
}

/* --- the kernel -------------------------------------------------------------------------------- */

/* Names are looked up, made and removed by the kernel: leaves that are not sorted, holes, gaps. */
static void kernel_changes(struct memory_volume **v, struct dir_list *l, const struct dir_habit *h,
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
		size_t victim = dir_list_below(l, (uint32_t)l->n);
		char *name;

		if (dir_list_below(l, 100) < h->removed) {
			bool folder = l->items[victim].dir;

			assert_int_equal(unlinkat(fd, l->items[victim].name,
						  folder ? AT_REMOVEDIR : 0),
					 0);
			dir_list_drop(l, victim);
			continue;
		}
		name = dir_list_new_name(l, h->len_max);
		assert_int_equal(mkdirat(fd, name, 0755), 0);
		assert_int_equal(fstatat(fd, name, &st, 0), 0);
		dir_list_add(l, name, (uint32_t)st.st_ino, true);
	}
	close(fd);
	assert_int_equal(command_run(NULL, "umount '%s/m'", dir), 0);
	memory_volume_free(*v);
	*v = memory_volume_load(image, 0);
	scratch_free(dir);
}

static void the_kernel_and_the_writer_take_turns(void **state)
{
	static const struct dir_habit habits[] = {
		{11, 60, 2000, 4, 200, 30},
		{12, 250, 2000, 4, 600, 40},
		{13, 255, 8000, 2, 1500, 30},
	};

	(void)state;
	if (!can_loop_mount())
		skip();
	for (size_t i = 0; i < ARRAY_SIZE(habits); i++) {
		const struct dir_habit *h = &habits[i];
		struct dir_twins t = dir_twins_new(64 * MIB, 16000);
		struct dir_list l = {.random = h->seed};

		dir_twins_session(&t, &l, &(struct dir_habit){0, h->len_max, 0, 0, 0, 0}, h->first);
		for (unsigned k = 0; k < h->sessions; k++) {
			kernel_changes(&t.with, &l, h, h->changes);
			memory_volume_free(t.without);
			t.without = memory_volume_snapshot(t.with);
			ext4_tree_free(t.tree);
			t.tree = ext4_tree_new();
			dir_twins_session(&t, &l, h, h->changes / 3);
			dir_twins_session(&t, &l, h, h->changes);
			dir_list_judge(t.with, &l);
		}
		kernel_changes(&t.with, &l, h, 0);
		dir_twins_free(&t);
		dir_list_release(&l);
	}
}

/* The kernel empties whole leaves and leaves them where they are. */
static void what_the_kernel_emptied_is_edited(void **state)
{
	static const struct dir_habit none = {.len_max = 100},
				      all = {.len_max = 100, .removed = 100};
	struct dir_twins t = dir_twins_new(64 * MIB, 8000);
	struct dir_list l = {.random = 21};

	(void)state;
	if (can_loop_mount()) {
		dir_twins_session(&t, &l, &none, 3000);
		kernel_changes(&t.with, &l, &all, (unsigned)l.n - 10);
		assert_int_equal(l.n, 10);
		memory_volume_free(t.without);
		t.without = memory_volume_snapshot(t.with);
		ext4_tree_free(t.tree);
		t.tree = ext4_tree_new();
		dir_twins_session(&t, &l, &none, 30);
		dir_list_judge(t.with, &l);
		assert_true(edit_stat(t.with, dir_list_inode(t.with)).size_bytes > 20 * 4096);
		/* names in most of its leaves, and still few of them: made anew */
		dir_twins_session(&t, &l, &none, 200);
		dir_list_judge(t.with, &l);
		assert_true(edit_stat(t.with, dir_list_inode(t.with)).size_bytes < 20 * 4096);
	}
	dir_twins_free(&t);
	dir_list_release(&l);
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
		uint64_t size = edit_stat(v[0], dir_list_inode(v[0])).size_bytes;

		v[1] = small_layer(v[0], "added", NULL, "d/one more");
		v[2] = small_layer(v[1], "removed", old, NULL);
		v[3] = small_layer(v[2], "replaced", other, other);
		for (size_t k = 4; k < ARRAY_SIZE(v); k++) {
			cleanup_free char *name = xasprintf("d/%s", names[k]);

			v[k] = small_layer(v[k - 1], "added", NULL, name);
		}
		size = edit_stat(v[7], dir_list_inode(v[7])).size_bytes - size;
		assert_int_equal(size, 4096 * (1 + i));
		assert_true(e2fsck_is_clean(v[7]));
		for (size_t k = 0; k < ARRAY_SIZE(v); k++)
			memory_volume_free(v[k]);
	}
	colliding_names_free(names);
}

static int try_session(struct memory_volume *v, const struct dir_list *l, struct error *err)
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
	static const struct dir_habit h = {.len_max = 250};
	struct dir_twins t = dir_twins_new(64 * MIB, 8000);
	struct dir_list l = {.random = 31};
	struct error err = {0};
	uint64_t n = 1;

	dir_twins_session(&t, &l, &h, 2500);
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
	assert_true(n > 40);
	dir_twins_free(&t);
	dir_list_release(&l);
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
