/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every read and every write of the making of a base and of editing sessions of all kinds fails
 * once, for good or only that time: the error says what was being done, and no session ends well.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "pkg/base/alloc.h"
#include "pkg/ext4/base.h"
#include "pkg/ext4/writer.h"
#include "tests/support/cmocka.h"
#include "tests/support/e2fsprogs.h"
#include "tests/support/ext4_edit.h"

enum { VOLUME_BYTES = 64 << 20, MANY = 2500, BIG_BYTES = 3 << 20, PIECES = 12 };

/* --- short forms that fail -------------------------------------------------------------------- */

#define TRY(call)                  \
	do {                       \
		if ((call) < 0)    \
			return -1; \
	} while (0)

/* The end of a path: everything is in the root or in one of its folders. */
static int find(struct ext4_writer *w, const char *path, struct ext4_node **ret, struct error *err)
{
	cleanup_free char *copy = xstrdup(path);
	struct ext4_node *at = ext4_writer_root(w);
	char *rest = copy, *name;

	while ((name = strsep(&rest, "/"))) {
		TRY(ext4_writer_lookup(w, at, name, strlen(name), &at, err));
		assert_non_null(at);
	}
	*ret = at;
	return 0;
}

static int make(struct ext4_writer *w, struct ext4_node *dir, const char *name, uint32_t mode,
		struct ext4_node **ret, struct error *err)
{
	struct ext4_meta meta = {.mode = mode, .rdev_major = 1, .rdev_minor = 3};

	return ext4_writer_make(w, dir, name, strlen(name), &meta, ret, err);
}

/* Content in pieces with holes between them, so many that the extents need a block. */
static int make_file(struct ext4_writer *w, struct ext4_node *dir, const char *name, size_t pieces,
		     size_t piece_bytes, struct error *err)
{
	cleanup_free uint8_t *data = xmalloc(piece_bytes + 1);
	struct ext4_node *node;
	uint64_t at = 0;

	edit_fill(data, piece_bytes, 1);
	TRY(make(w, dir, name, S_IFREG | 0644, &node, err));
	for (size_t i = 0; i < pieces; i++, at += piece_bytes + 8192)
		TRY(ext4_writer_data(w, node, data, piece_bytes, at, err));
	return ext4_writer_data_end(w, node, at, err);
}

/* One of each place: the inode, the block, an inode of its own. */
static int set_xattrs(struct ext4_writer *w, const char *path, size_t large, struct error *err)
{
	static const uint8_t value[20000] = {1};
	const struct ext4_xattr list[] = {{"user.large", value, large},
					  {"user.middle", value, 900},
					  {"user.small", value, 10}};
	struct ext4_node *node;

	TRY(find(w, path, &node, err));
	return ext4_writer_set_xattrs(w, node, list, ARRAY_SIZE(list), err);
}

static int remove_path(struct ext4_writer *w, const char *path, struct error *err)
{
	struct ext4_node *node;

	TRY(find(w, path, &node, err));
	return ext4_writer_remove(w, node, err);
}

static int make_many(struct ext4_writer *w, struct ext4_node *dir, int from, int to,
		     struct error *err)
{
	struct ext4_node *node;
	char name[32];

	for (int i = from; i < to; i++) {
		snprintf(name, sizeof(name), "a.name.like.others.%d", i);
		TRY(make(w, dir, name, S_IFREG | 0644, &node, err));
	}
	return 0;
}

/* --- sessions --------------------------------------------------------------------------------- */

typedef int session_fn(struct ext4_writer *w, struct error *err);

static int nothing(struct ext4_writer *w, struct error *err)
{
	(void)w;
	(void)err;
	return 0;
}

static int fill(struct ext4_writer *w, struct error *err)
{
	static const char target[1000] = {[0 ... 998] = 't'};
	struct ext4_meta meta = {.mode = S_IFLNK | 0777};
	struct ext4_node *root = ext4_writer_root(w), *dir, *node;

	TRY(make(w, root, "dir", S_IFDIR | 0755, &dir, err));
	TRY(make_file(w, dir, "big", 1, BIG_BYTES, err));
	TRY(make_file(w, dir, "pieces", PIECES, 4096, err));
	TRY(make_file(w, dir, "small", 1, 10, err));
	TRY(ext4_writer_symlink(w, dir, "link", 4, "small", 5, &meta, &node, err));
	TRY(ext4_writer_symlink(w, dir, "long", 4, target, 999, &meta, &node, err));
	TRY(find(w, "dir/small", &node, err));
	TRY(ext4_writer_link(w, root, "hard", 4, node, &node, err));
	TRY(make(w, dir, "device", S_IFCHR | 0600, &node, err));
	TRY(make(w, dir, "fifo", S_IFIFO | 0600, &node, err));
	TRY(set_xattrs(w, "dir/big", 9000, err));
	return set_xattrs(w, "dir", 5000, err);
}

static int big_directory(struct ext4_writer *w, struct error *err)
{
	struct ext4_node *dir;

	TRY(make(w, ext4_writer_root(w), "many", S_IFDIR | 0755, &dir, err));
	return make_many(w, dir, 0, MANY, err);
}

/* What a layer does to what is there: other content, metadata and attributes. */
static int change(struct ext4_writer *w, struct error *err)
{
	struct ext4_meta meta = {.mode = 0600, .uid = 7};
	struct ext4_node *dir, *node;
	cleanup_free struct ext4_node **list = NULL;
	cleanup_free char *target = NULL;
	size_t n;

	TRY(find(w, "dir", &dir, err));
	TRY(remove_path(w, "dir/pieces", err));
	TRY(make_file(w, dir, "pieces", PIECES * 2, 4096, err));
	TRY(set_xattrs(w, "dir/big", 20000, err));
	TRY(find(w, "dir/small", &node, err));
	TRY(ext4_writer_set_meta(w, node, &meta, err));
	TRY(ext4_writer_link(w, dir, "harder", 6, node, &node, err));
	TRY(find(w, "dir/long", &node, err));
	TRY(ext4_writer_readlink(w, node, &target, err));
	TRY(find(w, "dir/fifo", &node, err));
	TRY(ext4_writer_mode(w, node, &meta.mode, err));
	return ext4_writer_list(w, dir, &list, &n, err);
}

/* Whiteouts: a folder with all in it, and one name of an inode that has two. */
static int remove_all(struct ext4_writer *w, struct error *err)
{
	TRY(remove_path(w, "hard", err));
	return remove_path(w, "dir", err);
}

static int grow_big_directory(struct ext4_writer *w, struct error *err)
{
	struct ext4_node *dir;

	TRY(find(w, "many", &dir, err));
	TRY(remove_path(w, "many/a.name.like.others.77", err));
	return make_many(w, dir, MANY, MANY + 300, err);
}

static int remove_big_directory(struct ext4_writer *w, struct error *err)
{
	return remove_path(w, "many", err);
}

static int edit(struct memory_volume *v, session_fn *session, struct error *err)
{
	static const uint8_t uuid[16] = {9};
	cleanup(ext4_tree_free_ptr) struct ext4_tree *tree = ext4_tree_new();
	cleanup(ext4_writer_abort_ptr) struct ext4_writer *w = NULL;

	TRY(ext4_writer_open(&v->volume, tree, uuid, &w, err));
	TRY(session(w, err));
	return ext4_writer_finish(&w, err);
}

/* --- faults ----------------------------------------------------------------------------------- */

/* 0 when the n-th call was not reached any more. */
static int fail_at(struct memory_volume *parent, session_fn *session, bool reads, bool once,
		   uint64_t n)
{
	struct memory_volume *v = memory_volume_snapshot(parent);
	struct error err = {0};
	int rc, faults;

	*(reads ? &v->fail_read : &v->fail_write) = n;
	v->fail_once = once;
	rc = edit(v, session, &err);
	faults = v->faults > 0;
	if (faults) {
		assert_int_equal(rc, -1);
		assert_error(&err, ERR_SYSTEM, "injected fault");
		if (!err.context[0])
			fail_msg("call %llu: nobody says what was being done",
				 (unsigned long long)n);
	} else {
		assert_ok(rc, &err);
		assert_true(e2fsck_is_clean(v));
	}
	memory_volume_free(v);
	return faults;
}

static void fail_everywhere(struct memory_volume *parent, session_fn *session, uint64_t least)
{
	for (int how = 0; how < 4; how++) {
		uint64_t n = 1;

		while (fail_at(parent, session, how & 1, how & 2, n))
			n++;
		assert_true(n > least);
	}
}

static struct memory_volume *volume_with(session_fn *first, session_fn *second)
{
	struct memory_volume *v = edit_base(VOLUME_BYTES, 0);
	struct error err = {0};

	assert_ok(edit(v, first, &err), &err);
	assert_ok(edit(v, second, &err), &err);
	return v;
}

#define SESSION_TEST(name, before, session, least)                           \
	static void name(void **state)                                       \
	{                                                                    \
		struct memory_volume *parent = volume_with(nothing, before); \
                                                                             \
		(void)state;                                                 \
		fail_everywhere(parent, session, least);                     \
		memory_volume_free(parent);                                  \
	}

SESSION_TEST(filling_an_empty_one_fails_cleanly, nothing, fill, 2)
SESSION_TEST(a_big_directory_fails_cleanly, nothing, big_directory, 2)
SESSION_TEST(changes_fail_cleanly, fill, change, 3)
SESSION_TEST(removal_fails_cleanly, fill, remove_all, 3)
SESSION_TEST(a_growing_directory_fails_cleanly, big_directory, grow_big_directory, 3)
SESSION_TEST(removal_of_a_big_directory_fails_cleanly, big_directory, remove_big_directory, 3)

static void a_base_fails_cleanly(void **state)
{
	(void)state;
	for (int once = 0; once <= 1; once++)
		for (int reads = 0; reads <= 1; reads++)
			for (uint64_t n = 1, faults = 1; faults; n++) {
				struct memory_volume *v = memory_volume_new(VOLUME_BYTES, 0);
				struct ext4_base_params params = {0};
				struct error err = {0};
				int rc;

				*(reads ? &v->fail_read : &v->fail_write) = n;
				v->fail_once = once;
				rc = ext4_base_create(&v->volume, &params, &err);
				faults = v->faults;
				assert_int_equal(rc, faults ? -1 : 0);
				if (faults) {
					assert_error(&err, ERR_SYSTEM, "injected fault");
					assert_true(err.context[0] != '\0');
				}
				memory_volume_free(v);
			}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_base_fails_cleanly),
		cmocka_unit_test(filling_an_empty_one_fails_cleanly),
		cmocka_unit_test(a_big_directory_fails_cleanly),
		cmocka_unit_test(changes_fail_cleanly),
		cmocka_unit_test(removal_fails_cleanly),
		cmocka_unit_test(a_growing_directory_fails_cleanly),
		cmocka_unit_test(removal_of_a_big_directory_fails_cleanly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
