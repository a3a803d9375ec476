/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Directories where many names have one hash, as an attacker may choose them: whatever the order
 * they come and go in, e2fsck, the reader and the kernel find just those that are there.
 */
#include "tests/support/cmocka.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/fdio.h"
#include "pkg/ext4/read.h"
#include "tests/support/colliding_names.h"
#include "tests/support/e2fsprogs.h"
#include "tests/support/ext4_edit.h"
#include "tests/support/own_mounts.h"

enum { LAYERS = 6, USUAL = 600, NAMES_MAX = 1000 };

/* Names of one directory, /d: first those of one hash, then others. */
struct folder {
	char *names[NAMES_MAX];
	bool there[NAMES_MAX];
	size_t n, n_one_hash;
	uint32_t random;
};

static struct folder *folder_new(uint32_t seed)
{
	struct folder *f = xcalloc(1, sizeof(*f));
	char **one_hash = colliding_names_load(&f->n_one_hash);

	f->random = seed;
	for (; f->n < f->n_one_hash; f->n++)
		f->names[f->n] = one_hash[f->n];
	free(one_hash);
	for (int i = 0; i < USUAL; i++)
		f->names[f->n++] = xasprintf("a usual name, number %d", i);
	return f;
}

static void folder_free(struct folder *f)
{
	for (size_t i = 0; i < f->n; i++)
		free(f->names[i]);
	free(f);
}

static uint32_t below(struct folder *f, size_t n)
{
	f->random = f->random * 1664525 + 1013904223;
	return (uint32_t)((f->random >> 8) % n);
}

/* Make it if it is not there, remove it if it is. */
static void toggle(struct folder *f, struct ext4_writer *w, size_t i)
{
	cleanup_free char *path = xasprintf("d/%s", f->names[i]);

	if (f->there[i])
		edit_remove(w, path);
	else
		edit_file(w, path, "");
	f->there[i] = !f->there[i];
}

/* --- what others find --------------------------------------------------------------------------
 */

static void assert_writer_finds(const struct folder *f, struct memory_volume *v)
{
	struct ext4_tree *tree = ext4_tree_new();
	struct ext4_writer *w = edit_open(v, tree);

	for (size_t i = 0; i < f->n; i++) {
		cleanup_free char *path = xasprintf("d/%s", f->names[i]);

		if (!edit_find(w, path) == f->there[i])
			fail_msg("the writer is wrong about %s", path);
	}
	ext4_writer_abort(w);
	ext4_tree_free(tree);
}

static void assert_reader_finds(const struct folder *f, struct memory_volume *v)
{
	cleanup(ext4_reader_close_ptr) struct ext4_reader *r = NULL;
	struct error err = {0};
	uint32_t dir, inode;

	assert_ok(ext4_reader_open(&v->volume, &r, &err), &err);
	assert_ok(ext4_reader_lookup(r, EXT4_ROOT_INODE, "d", 1, &dir, &err), &err);
	for (size_t i = 0; i < f->n_one_hash; i++) {
		int rc = ext4_reader_lookup(r, dir, f->names[i], strlen(f->names[i]), &inode, &err);

		if ((rc == 0) != f->there[i])
			fail_msg("the reader is wrong about %s", f->names[i]);
		error_clear(&err);
	}
}

static void assert_kernel_finds(const struct folder *f, struct memory_volume *v)
{
	char *dir = scratch_new();
	cleanup_free char *image = xasprintf("%s/image", dir), *d = xasprintf("%s/m/d", dir);
	cleanup_fd int fd = -1;
	struct stat st;

	memory_volume_dump(v, image);
	assert_int_equal(command_run(NULL, "cd '%s' && mkdir m && mount -o loop image m", dir), 0);
	fd = open(d, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	for (size_t i = 0; i < f->n; i++)
		if ((fstatat(fd, f->names[i], &st, 0) == 0) != f->there[i])
			fail_msg("the kernel is wrong about %s", f->names[i]);
	close(steal_fd(&fd));
	assert_int_equal(command_run(NULL, "umount '%s/m'", dir), 0);
	scratch_free(dir);
}

static void assert_all_find(const struct folder *f, struct memory_volume *v)
{
	assert_true(e2fsck_is_clean(v));
	assert_writer_finds(f, v);
	assert_reader_finds(f, v);
}

/* --- the tests --------------------------------------------------------------------------------
 */

static void all_names_have_one_hash(void **state)
{
	struct folder *f = folder_new(1);
	uint32_t seed[4];

	(void)state;
	colliding_names_seed(seed);
	assert_true(f->n_one_hash >= 60);
	for (size_t i = 0; i < f->n_one_hash; i++) {
		size_t len = strlen(f->names[i]);

		/* the longest a marker can take away has 251 */
		assert_in_range(len, 240, 251);
		assert_int_equal(strspn(f->names[i], "-abcdefghijklmnopqrstuvwxyz012345"), len);
		assert_int_equal(colliding_names_hash(seed, f->names[i]),
				 colliding_names_hash(seed, f->names[0]));
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(f->names[i], f->names[k]);
	}
	folder_free(f);
}

static struct memory_volume *next_layer(struct memory_volume *v)
{
	struct memory_volume *next = memory_volume_snapshot(v);

	memory_volume_free(v);
	return next;
}

static void they_may_come_all_at_once_and_go_one_by_one(void **state)
{
	struct folder *f = folder_new(2);
	struct memory_volume *v = edit_base(64 << 20, 0);
	struct ext4_tree *tree = ext4_tree_new();
	struct ext4_writer *w = edit_open(v, tree);

	(void)state;
	edit_dir(w, "d");
	for (size_t i = 0; i < f->n; i++)
		toggle(f, w, i);
	edit_finish(w);
	assert_all_find(f, v);
	if (can_loop_mount())
		assert_kernel_finds(f, v);
	for (size_t gone = 0; gone < f->n_one_hash; gone += 7) {
		v = next_layer(v);
		w = edit_open(v, tree);
		toggle(f, w, gone);
		edit_finish(w);
		assert_all_find(f, v);
	}
	ext4_tree_free(tree);
	memory_volume_free(v);
	folder_free(f);
}

/* Which of n names is the i-th to come. */
typedef size_t order_fn(size_t i, size_t n);

static size_t as_found(size_t i, size_t n)
{
	(void)n;
	return i;
}

static size_t backwards(size_t i, size_t n)
{
	return n - 1 - i;
}

/* 53 has no divisor in common with 78 and the like */
static size_t mixed(size_t i, size_t n)
{
	return i * 53 % n;
}

/* One layer: some new ones of that hash, some other names, and a few of each that go again. */
static void make_layer(struct folder *f, struct memory_volume *v, order_fn *order, size_t layer)
{
	struct ext4_tree *tree = ext4_tree_new();
	struct ext4_writer *w = edit_open(v, tree);
	size_t n = f->n_one_hash, from = n * layer / LAYERS, to = n * (layer + 1) / LAYERS;

	if (layer == 0)
		edit_dir(w, "d");
	for (size_t i = from; i < to; i++) {
		toggle(f, w, order(i, n));
		for (size_t k = below(f, 8); k > 0; k--)
			toggle(f, w, n + below(f, USUAL));
	}
	for (size_t k = 0; k < 4 && layer > 0; k++)
		toggle(f, w, order(below(f, to), n));
	edit_finish(w);
	ext4_tree_free(tree);
}

static void they_may_come_and_go_with_layers_in_any_order(void **state)
{
	static order_fn *const orders[] = {as_found, backwards, mixed};

	(void)state;
	for (size_t o = 0; o < ARRAY_SIZE(orders); o++) {
		struct folder *f = folder_new((uint32_t)o);
		struct memory_volume *v = edit_base(64 << 20, 0);

		for (size_t layer = 0; layer < LAYERS; layer++) {
			v = next_layer(v);
			make_layer(f, v, orders[o], layer);
			assert_all_find(f, v);
		}
		if (can_loop_mount())
			assert_kernel_finds(f, v);
		memory_volume_free(v);
		folder_free(f);
	}
}

/*
 * The last of them comes to a large directory, and one goes again, each in a layer with nothing in
 * memory: what is read are the leaves of that hash, not those of 20,000 other names.
 */
static void one_more_takes_the_leaves_of_its_hash_at_most(void **state)
{
	enum { OTHERS = 20000, BLOCK = 4096 };
	struct folder *f = folder_new(3);
	struct memory_volume *v = edit_base(512ULL << 20, 0);
	struct ext4_tree *tree = ext4_tree_new();
	struct ext4_writer *w = edit_open(v, tree);
	size_t last = f->n_one_hash - 1, leaves = f->n_one_hash / 13 + 1;
	size_t toggled[] = {last, last / 2};

	(void)state;
	edit_dir(w, "d");
	for (int i = 0; i < OTHERS; i++) {
		cleanup_free char *path = xasprintf("d/some other name, number %d", i);

		edit_file(w, path, "");
	}
	for (size_t i = 0; i < last; i++)
		toggle(f, w, i);
	edit_finish(w);
	ext4_tree_free(tree);
	for (size_t i = 0; i < ARRAY_SIZE(toggled); i++) {
		v = next_layer(v);
		tree = ext4_tree_new();
		w = edit_open(v, tree);
		toggle(f, w, toggled[i]);
		edit_finish(w);
		ext4_tree_free(tree);
		print_message("read %llu KiB, written %llu KiB\n",
			      (unsigned long long)v->counts.bytes_read / 1024,
			      (unsigned long long)v->counts.bytes_written / 1024);
		/* superblock and descriptors, bitmaps, inodes, the index; the directory has 240 leaves */
		assert_true(v->counts.bytes_read <= (leaves + 24) * BLOCK);
		assert_true(v->counts.bytes_written <= 12 * BLOCK);
		assert_all_find(f, v);
	}
	memory_volume_free(v);
	folder_free(f);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_names_have_one_hash),
		cmocka_unit_test(they_may_come_all_at_once_and_go_one_by_one),
		cmocka_unit_test(they_may_come_and_go_with_layers_in_any_order),
		cmocka_unit_test(one_more_takes_the_leaves_of_its_hash_at_most),
	};

	own_mounts();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
