/* SPDX-License-Identifier: Apache-2.0 */
/* Content of files: pieces, holes, extents, and a file system that gets full. */
#include "pkg/ext4/writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "pkg/base/alloc.h"
#include "pkg/ext4/base.h"
#include "pkg/ext4/read.h"
#include "tests/support/cmocka.h"
#include "tests/support/e2fsprogs.h"
#include "tests/support/ext4_edit.h"

static const uint64_t MIB = 1 << 20;

/* Write some pieces; then compare all of the file with what they should give. */
static void check_content(struct memory_volume *v, uint32_t inode, const uint8_t *want, size_t size,
			  uint64_t used)
{
	cleanup(ext4_reader_close_ptr) struct ext4_reader *r = NULL;
	cleanup_free uint8_t *got = xcalloc(size + 1, 1);
	struct error err = {0};
	size_t at = 0, n = 1;

	assert_ok(ext4_reader_open(&v->volume, &r, &err), &err);
	for (; n; at += n)
		assert_ok(ext4_reader_read(r, inode, got + at, size + 1 - at, at, &n, &err), &err);
	assert_int_equal(at, size);
	assert_memory_equal(got, want, size);
	assert_int_equal(edit_stat(v, inode).used_bytes, used);
}

static void pieces_of_any_size_and_gaps_make_the_file(void **state)
{
	enum { SIZE = 70000 };
	static const struct {
		size_t at, len;
	} pieces[] = {{10, 1},	      {11, 100},     {4000, 200}, {4200, 4096 + 3992},
		      {12288, 4096},  {20480, 1},    {20481, 0},  {24575, 2},
		      {32768, 20000}, {65536, 4096}, {69632, 100}};
	struct edit *f = *state;
	struct ext4_node *node = edit_find(f->w, "");
	struct ext4_meta meta = {.mode = S_IFREG};
	cleanup_free uint8_t *data = xmalloc(SIZE), *want = xcalloc(SIZE, 1);
	uint32_t inode;

	edit_fill(data, SIZE, 5);
	assert_ok(ext4_writer_make(f->w, node, "f", 1, &meta, &node, &f->err), &f->err);
	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
		size_t at = pieces[i].at;

		memcpy(want + at, data + at, pieces[i].len);
		assert_ok(ext4_writer_data(f->w, node, data + at, pieces[i].len, at, &f->err),
			  &f->err);
	}
	assert_int_equal(ext4_writer_data(f->w, node, data, 1, 10, &f->err), -1);
	assert_error(&f->err, ERR_INVALID, "comes after");
	assert_int_equal(ext4_writer_data_end(f->w, node, 69000, &f->err), -1);
	assert_error(&f->err, ERR_INVALID, "in a file of");
	assert_ok(ext4_writer_data_end(f->w, node, SIZE, &f->err), &f->err);
	inode = ext4_node_inode(node);
	edit_next_layer(f);
	/* blocks 0-3, 5, 6, 8-12, 16, 17 */
	check_content(f->v, inode, want, SIZE, 13 * 4096);
}

static void zeros_become_holes(void **state)
{
	struct edit *f = *state;
	struct ext4_meta meta = {.mode = S_IFREG};
	struct ext4_node *root = ext4_writer_root(f->w), *a, *b;
	cleanup_free uint8_t *data = xcalloc(MIB, 1);

	data[600000] = 1;
	assert_ok(ext4_writer_make(f->w, root, "a", 1, &meta, &a, &f->err), &f->err);
	assert_ok(ext4_writer_data(f->w, a, data, MIB, 0, &f->err), &f->err);
	assert_ok(ext4_writer_data_end(f->w, a, MIB, &f->err), &f->err);
	/* A length without any data at all. */
	assert_ok(ext4_writer_make(f->w, root, "b", 1, &meta, &b, &f->err), &f->err);
	assert_ok(ext4_writer_data_end(f->w, b, MIB, &f->err), &f->err);
	edit_next_layer(f);
	check_content(f->v, ext4_node_inode(edit_find(f->w, "a")), data, MIB, 4096);
	data[600000] = 0;
	check_content(f->v, ext4_node_inode(edit_find(f->w, "b")), data, MIB, 0);
}

static void a_sparse_file_may_be_larger_than_the_volume(void **state)
{
	static const uint64_t max = UINT64_C(0xffffffff) * 4096;
	struct edit *f = *state;
	struct ext4_meta meta = {.mode = S_IFREG};
	struct ext4_node *node;

	assert_ok(ext4_writer_make(f->w, ext4_writer_root(f->w), "s", 1, &meta, &node, &f->err),
		  &f->err);
	for (uint64_t at = 0; at < max; at += max / 1000 + 1)
		assert_ok(ext4_writer_data(f->w, node, "x", 1, at, &f->err), &f->err);
	assert_int_equal(ext4_writer_data(f->w, node, "x", 1, max, &f->err), -1);
	assert_error(&f->err, ERR_NO_SPACE, "larger than ext4");
	assert_int_equal(ext4_writer_data_end(f->w, node, max + 1, &f->err), -1);
	assert_error(&f->err, ERR_NO_SPACE, "larger than ext4");
	assert_ok(ext4_writer_data_end(f->w, node, max, &f->err), &f->err);
	edit_next_layer(f);
	/* 1,000 extents: three leaves of the tree */
	node = edit_find(f->w, "s");
	assert_int_equal(edit_stat(f->v, ext4_node_inode(node)).size_bytes, max);
	edit_remove(f->w, "s");
	edit_next_layer(f);
}

static unsigned count_text(const char *text, const char *part)
{
	unsigned n = 0;

	while ((text = strstr(text, part))) {
		text++;
		n++;
	}
	return n;
}

static void a_file_has_as_few_extents_as_can_be(void **state)
{
	struct edit *f = *state;
	cleanup_free char *extents = NULL;

	edit_bytes(f->w, "small", 100, 2);
	edit_bytes(f->w, "large", 10 * MIB, 1);
	edit_next_layer(f);
	/* The first chunk stands alone between metadata, all else follows it. */
	extents = debugfs_output(f->v, "ex /large");
	assert_int_equal(count_text(extents, "\n 0/ 0"), 2);
	assert_non_null(strstr(extents, "-  2559"));
}

/* Decompressors hand out pieces as they like. */
static void pieces_change_no_byte(void **state)
{
	enum { SIZE = 3000000 };
	static const size_t sizes[] = {SIZE, 1000, 65536, 100001};
	struct memory_volume *volumes[ARRAY_SIZE(sizes)];
	cleanup_free uint8_t *data = xmalloc(SIZE);
	struct ext4_meta meta = {.mode = S_IFREG};
	struct error err = {0};

	(void)state;
	edit_fill(data, SIZE, 1);
	for (size_t at = 50000; at < SIZE; at += 500000)
		memset(data + at, 0, 30000);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct ext4_tree *tree = ext4_tree_new();
		struct ext4_writer *w;
		struct ext4_node *node;

		/* So small that the file meets metadata and the last chunks. */
		volumes[i] = edit_base(9 * MIB, 100);
		w = edit_open(volumes[i], tree);
		assert_ok(ext4_writer_make(w, ext4_writer_root(w), "f", 1, &meta, &node, &err),
			  &err);
		for (size_t at = 0; at < SIZE; at += sizes[i]) {
			size_t len = SIZE - at < sizes[i] ? SIZE - at : sizes[i];

			assert_ok(ext4_writer_data(w, node, data + at, len, at, &err), &err);
		}
		assert_ok(ext4_writer_data_end(w, node, SIZE, &err), &err);
		edit_finish(w);
		ext4_tree_free(tree);
		assert_int_equal(memory_volume_differ(volumes[0], volumes[i]), 0);
	}
	assert_true(e2fsck_is_clean(volumes[0]));
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		memory_volume_free(volumes[i]);
}

/* A file over all free blocks but some, and one of one block. 0, or -1 when there was no room. */
static int fill_up(struct memory_volume *v, uint64_t blocks, struct error *err)
{
	static const uint8_t uuid[16];
	struct ext4_meta meta = {.mode = S_IFREG};
	cleanup(ext4_tree_free_ptr) struct ext4_tree *tree = ext4_tree_new();
	cleanup(ext4_writer_abort_ptr) struct ext4_writer *w = NULL;
	size_t size = (size_t)blocks * 4096;
	cleanup_free uint8_t *data = xmalloc(size);
	struct ext4_node *dir, *node;

	edit_fill(data, size, 2);
	assert_ok(ext4_writer_open(&v->volume, tree, uuid, &w, err), err);
	dir = edit_find(w, "d");
	if (ext4_writer_make(w, dir, "y", 1, &meta, &node, err) < 0
	    || ext4_writer_data(w, node, data, size, 0, err) < 0
	    || ext4_writer_data_end(w, node, size, err) < 0
	    || ext4_writer_make(w, dir, "z", 1, &meta, &node, err) < 0
	    || ext4_writer_data(w, node, "x", 1, 0, err) < 0
	    || ext4_writer_data_end(w, node, 1, err) < 0)
		return -1;
	return ext4_writer_finish(&w, err);
}

static void a_file_system_can_be_filled_to_the_last_block(void **state)
{
	struct memory_volume *base = edit_base(16 * MIB, 64), *v = NULL;
	struct ext4_tree *tree = ext4_tree_new();
	struct ext4_writer *w = edit_open(base, tree);
	struct error err = {0};
	uint32_t inodes;
	uint64_t left;

	(void)state;
	edit_dir(w, "d");
	edit_bytes(w, "d/x", 1, 1);
	edit_finish(w);
	ext4_tree_free(tree);
	left = edit_free_blocks(base, &inodes);
	/* Less and less, until there is room for the blocks of the extent tree, too. */
	for (uint64_t n = left - 1;; n--) {
		assert_true(n > left - 5);
		v = memory_volume_snapshot(base);
		if (fill_up(v, n, &err) == 0)
			break;
		assert_error(&err, ERR_NO_SPACE, "blocks");
		memory_volume_free(v);
	}
	assert_true(e2fsck_is_clean(v));
	assert_int_equal(edit_free_blocks(v, &inodes), 0);
	tree = ext4_tree_new();
	w = edit_open(v, tree);
	edit_remove(w, "d/x");
	edit_bytes(w, "d/w", 1, 1);
	edit_finish(w);
	assert_true(e2fsck_is_clean(v));
	w = edit_open(v, tree);
	edit_remove(w, "d");
	edit_finish(w);
	assert_true(e2fsck_is_clean(v));
	assert_true(edit_free_blocks(v, &inodes) > left);
	ext4_tree_free(tree);
	memory_volume_free(v);
	memory_volume_free(base);
}

static void freed_blocks_are_not_used_again_in_the_session(void **state)
{
	struct edit *f = *state;
	cleanup_free char *old = NULL, *new = NULL;

	edit_bytes(f->w, "f", 64 * 4096, 1);
	edit_next_layer(f);
	old = debugfs_output(f->v, "blocks /f");
	edit_remove(f->w, "f");
	edit_bytes(f->w, "f", 64 * 4096, 2);
	edit_next_layer(f);
	new = debugfs_output(f->v, "blocks /f");
	assert_string_not_equal(old, new);
	/* the next session takes them */
	edit_remove(f->w, "f");
	edit_bytes(f->w, "f", 64 * 4096, 2);
	edit_next_layer(f);
	free(new);
	new = debugfs_output(f->v, "blocks /f");
	assert_string_equal(old, new);
}

/* An extent has at most 128 MiB. */
static void a_file_of_several_full_extents(void **state)
{
	struct memory_volume *v = edit_base(1024 * MIB, 0);
	struct ext4_tree *tree = ext4_tree_new();
	struct ext4_writer *w = edit_open(v, tree);
	struct ext4_meta meta = {.mode = S_IFREG};
	cleanup_free uint8_t *data = xmalloc(MIB);
	struct ext4_node *node;
	struct error err = {0};

	(void)state;
	edit_fill(data, MIB, 1);
	assert_ok(ext4_writer_make(w, ext4_writer_root(w), "f", 1, &meta, &node, &err), &err);
	for (uint64_t at = 0; at < 300 * MIB; at += MIB)
		assert_ok(ext4_writer_data(w, node, data, MIB, at, &err), &err);
	assert_ok(ext4_writer_data_end(w, node, 300 * MIB, &err), &err);
	edit_finish(w);
	assert_true(e2fsck_is_clean(v));
	w = edit_open(v, tree);
	edit_remove(w, "f");
	edit_finish(w);
	assert_true(e2fsck_is_clean(v));
	ext4_tree_free(tree);
	memory_volume_free(v);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, edit_set_up, edit_tear_down)
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_system_can_be_filled_to_the_last_block),
		TEST(pieces_of_any_size_and_gaps_make_the_file),
		TEST(zeros_become_holes),
		TEST(a_sparse_file_may_be_larger_than_the_volume),
		TEST(a_file_has_as_few_extents_as_can_be),
		cmocka_unit_test(a_file_of_several_full_extents),
		cmocka_unit_test(pieces_change_no_byte),
		TEST(freed_blocks_are_not_used_again_in_the_session),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
