/* SPDX-License-Identifier: Apache-2.0 */
/* The writer call by call: what is refused, what is kept, what a layer touches. */
#include "pkg/ext4/writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "pkg/base/alloc.h"
#include "pkg/ext4/base.h"
#include "pkg/ext4/io.h"
#include "pkg/ext4/read.h"
#include "tests/support/cmocka.h"
#include "tests/support/e2fsprogs.h"
#include "tests/support/ext4_edit.h"

static const uint64_t MIB = 1 << 20;

/* Most tests: one volume, one tree. */
struct fixture {
	struct memory_volume *v;
	struct ext4_tree *tree;
	struct ext4_writer *w;
	struct error err;
};

static int set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	f->v = edit_base(64 * MIB, 0);
	f->tree = ext4_tree_new();
	f->w = edit_open(f->v, f->tree);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	ext4_writer_abort(f->w);
	ext4_tree_free(f->tree);
	memory_volume_free(f->v);
	free(f);
	return 0;
}

/* End the session, start the next one on the same volume. */
static void next_session(struct fixture *f)
{
	edit_finish(steal(&f->w));
	f->w = edit_open(f->v, f->tree);
}

/* End the session, check, start the next one on a snapshot with nothing cached. */
static void next_layer(struct fixture *f)
{
	struct memory_volume *parent = f->v;

	edit_finish(steal(&f->w));
	assert_true(e2fsck_is_clean(f->v));
	f->v = memory_volume_snapshot(parent);
	memory_volume_free(parent);
	ext4_tree_free(f->tree);
	f->tree = ext4_tree_new();
	f->w = edit_open(f->v, f->tree);
}

static uint64_t free_blocks(struct memory_volume *v, uint32_t *ret_inodes)
{
	ext2_filsys fs;
	struct error err = {0};
	uint64_t n;

	assert_ok(ext4_io_open(&v->volume, EXT4_IO_READ, &fs, &err), &err);
	n = ext2fs_free_blocks_count(fs->super);
	*ret_inodes = fs->super->s_free_inodes_count;
	ext4_io_close(fs);
	return n;
}

static struct ext4_stat stat_of(struct memory_volume *v, uint32_t inode)
{
	cleanup(ext4_reader_close_ptr) struct ext4_reader *r = NULL;
	struct ext4_stat st;
	struct error err = {0};

	assert_ok(ext4_reader_open(&v->volume, &r, &err), &err);
	assert_ok(ext4_reader_stat(r, inode, &st, &err), &err);
	return st;
}

static void an_untouched_file_system_only_gets_its_uuid(void **state)
{
	struct fixture *f = *state;
	uint8_t uuid[16];

	memory_volume_reset_counts(f->v);
	edit_finish(steal(&f->w));
	assert_int_equal(f->v->counts.dirty_blocks, 1);
	assert_int_equal(f->v->counts.bytes_written, 4096);
	assert_ok(thin_volume_read(&f->v->volume, uuid, sizeof(uuid), 1024 + 0x68, &f->err),
		  &f->err);
	assert_int_equal(uuid[0], 0xa1);
	assert_true(e2fsck_is_clean(f->v));
}

static void names_that_cannot_be_are_refused(void **state)
{
	static const struct {
		const char *name;
		size_t len;
	} bad[] = {{"", 0}, {".", 1}, {"..", 2}, {"a/b", 3}, {"a\0b", 3}};
	struct fixture *f = *state;
	struct ext4_meta meta = {.mode = S_IFREG};
	struct ext4_node *root = ext4_writer_root(f->w), *node;
	char name[256];

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(ext4_writer_make(f->w, root, bad[i].name, bad[i].len, &meta, &node,
						  &f->err),
				 -1);
		assert_error(&f->err, ERR_INVALID, "name");
	}
	memset(name, 'n', sizeof(name));
	assert_int_equal(ext4_writer_make(f->w, root, name, 256, &meta, &node, &f->err), -1);
	assert_error(&f->err, ERR_INVALID, "256 bytes");
	assert_ok(ext4_writer_make(f->w, root, name, 255, &meta, &node, &f->err), &f->err);
	assert_ok(ext4_writer_make(f->w, root, "...", 3, &meta, &node, &f->err), &f->err);
	assert_int_equal(ext4_writer_make(f->w, root, "...", 3, &meta, &node, &f->err), -1);
	assert_error(&f->err, ERR_INVALID, "there already");
	assert_int_equal(ext4_writer_make(f->w, node, "x", 1, &meta, &node, &f->err), -1);
	assert_error(&f->err, ERR_INVALID, "not a directory");
	next_layer(f);
	assert_non_null(edit_find(f->w, "..."));
}

static void the_root_stays(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(ext4_writer_remove(f->w, ext4_writer_root(f->w), &f->err), -1);
	assert_error(&f->err, ERR_INVALID, "root");
}

static void marks_last_for_one_session(void **state)
{
	struct fixture *f = *state;
	struct ext4_node *node = edit_file(f->w, "a", "x");

	assert_int_equal(ext4_node_mark(f->w, node), 0);
	ext4_node_set_mark(f->w, node, 3);
	assert_int_equal(ext4_node_mark(f->w, node), 3);
	edit_finish(steal(&f->w));
	f->w = edit_open(f->v, f->tree);
	assert_ptr_equal(edit_find(f->w, "a"), node);
	assert_int_equal(ext4_node_mark(f->w, node), 0);
}

static void links_are_counted_over_layers(void **state)
{
	struct fixture *f = *state;
	uint32_t inode;

	edit_dir(f->w, "d");
	inode = ext4_node_inode(edit_file(f->w, "d/a", "content"));
	next_layer(f);
	assert_int_equal(ext4_node_inode(edit_link(f->w, "b", "d/a")), inode);
	next_layer(f);
	edit_remove(f->w, "d");
	next_layer(f);
	assert_int_equal(ext4_node_inode(edit_find(f->w, "b")), inode);
	assert_null(edit_find(f->w, "d"));
	assert_int_equal(stat_of(f->v, inode).links, 1);
}

static void a_directory_cannot_be_linked(void **state)
{
	struct fixture *f = *state;
	struct ext4_node *dir = edit_dir(f->w, "d"), *node;

	assert_int_equal(ext4_writer_link(f->w, ext4_writer_root(f->w), "e", 1, dir, &node,
					  &f->err),
			 -1);
	assert_error(&f->err, ERR_INVALID, "directory");
}

static void the_65001st_link_is_refused(void **state)
{
	struct fixture *f = *state;
	struct ext4_node *root = ext4_writer_root(f->w), *node, *file = edit_file(f->w, "f", "x");
	struct ext4_node *dir = edit_dir(f->w, "d");
	uint32_t inode = ext4_node_inode(file);
	char name[16];

	for (int i = 1; i < 65000; i++) {
		int n = snprintf(name, sizeof(name), "%d", i);

		assert_ok(ext4_writer_link(f->w, dir, name, (size_t)n, file, &node, &f->err),
			  &f->err);
	}
	assert_int_equal(ext4_writer_link(f->w, root, "g", 1, file, &node, &f->err), -1);
	assert_error(&f->err, ERR_NO_SPACE, "link");
	next_layer(f);
	assert_int_equal(stat_of(f->v, inode).links, 65000);
	edit_remove(f->w, "d");
	next_layer(f);
	assert_int_equal(stat_of(f->v, inode).links, 1);
}

static void subdirectories_beyond_65000_are_not_counted(void **state)
{
	struct fixture *f = *state;
	struct ext4_meta meta = {.mode = S_IFDIR | 0755};
	struct ext4_node *node, *root;
	char name[16];

	ext4_writer_abort(steal(&f->w));
	ext4_tree_free(f->tree);
	memory_volume_free(f->v);
	f->v = edit_base(512 * MIB, 70000);
	f->tree = ext4_tree_new();
	f->w = edit_open(f->v, f->tree);
	root = ext4_writer_root(f->w);
	for (int i = 1; i <= 64998; i++) {
		int n = snprintf(name, sizeof(name), "%d", i);

		assert_ok(ext4_writer_make(f->w, root, name, (size_t)n, &meta, &node, &f->err),
			  &f->err);
	}
	next_session(f);
	assert_int_equal(stat_of(f->v, EXT4_ROOT_INODE).links, 65000);
	edit_dir(f->w, "more");
	next_layer(f);
	assert_int_equal(stat_of(f->v, EXT4_ROOT_INODE).links, 1);
	edit_remove(f->w, "5");
	edit_remove(f->w, "6");
	next_session(f);
	assert_int_equal(stat_of(f->v, EXT4_ROOT_INODE).links, 64999);
}

static void running_out_says_of_what(void **state)
{
	struct memory_volume *v = edit_base(16 * MIB, 64);
	struct ext4_tree *tree = ext4_tree_new();
	struct ext4_writer *w = edit_open(v, tree);
	struct ext4_meta meta = {.mode = S_IFREG};
	struct ext4_node *node = NULL;
	struct error err = {0};
	cleanup_free uint8_t *data = xmalloc(MIB);
	char name[16];
	int rc = 0, made = 0;

	(void)state;
	while (rc == 0) {
		int n = snprintf(name, sizeof(name), "%d", made++);

		rc = ext4_writer_make(w, ext4_writer_root(w), name, (size_t)n, &meta, &node, &err);
	}
	assert_error(&err, ERR_NO_SPACE, "inode");
	assert_in_range(made, 50, 64);
	edit_fill(data, MIB, 1);
	node = edit_find(w, "0");
	for (uint64_t at = 0; rc != 0 || at == 0; at += MIB) {
		rc = ext4_writer_data(w, node, data, MIB, at, &err);
		if (rc < 0)
			break;
		rc = -1;
		assert_true(at < 16 * MIB);
	}
	assert_error(&err, ERR_NO_SPACE, "block");
	ext4_writer_abort(w);
	ext4_tree_free(tree);
	memory_volume_free(v);
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
	left = free_blocks(base, &inodes);
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
	assert_int_equal(free_blocks(v, &inodes), 0);
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
	assert_true(free_blocks(v, &inodes) > left);
	ext4_tree_free(tree);
	memory_volume_free(v);
	memory_volume_free(base);
}

static void removing_everything_gives_everything_back(void **state)
{
	struct fixture *f = *state;
	uint32_t inodes_before, inodes;
	uint64_t before = free_blocks(f->v, &inodes_before);
	struct ext4_xattr big = {"user.big", NULL, 20000};
	cleanup_free uint8_t *value = xmalloc(20000);
	cleanup_free char *target = xcalloc(4096, 1);
	struct ext4_node *node;

	edit_fill(value, 20000, 3);
	big.value = value;
	memset(target, 't', 4095);
	edit_dir(f->w, "d");
	edit_dir(f->w, "d/e");
	edit_bytes(f->w, "d/e/file", 1000000, 7);
	edit_symlink(f->w, "d/e/link", target);
	edit_link(f->w, "d/hard", "d/e/file");
	node = edit_file(f->w, "d/attrs", "x");
	assert_ok(ext4_writer_set_xattrs(f->w, node, &big, 1, &f->err), &f->err);
	next_layer(f);
	assert_true(free_blocks(f->v, &inodes) < before);
	edit_remove(f->w, "d");
	next_layer(f);
	assert_int_equal(free_blocks(f->v, &inodes), before);
	assert_int_equal(inodes, inodes_before);
}

/* The iterative removal, and paths of any depth. */
static void a_very_deep_tree_can_be_made_and_removed(void **state)
{
	enum { DEPTH = 3000 };
	struct fixture *f = *state;
	struct ext4_meta meta = {.mode = S_IFDIR | 0755};
	struct ext4_node *at = ext4_writer_root(f->w);
	uint32_t inodes_before, inodes;

	(void)free_blocks(f->v, &inodes_before);
	for (int i = 0; i < DEPTH; i++)
		assert_ok(ext4_writer_make(f->w, at, "d", 1, &meta, &at, &f->err), &f->err);
	next_layer(f);
	(void)free_blocks(f->v, &inodes);
	assert_int_equal(inodes_before - inodes, DEPTH);
	edit_remove(f->w, "d");
	next_layer(f);
	(void)free_blocks(f->v, &inodes);
	assert_int_equal(inodes, inodes_before);
}

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
	assert_int_equal(stat_of(v, inode).used_bytes, used);
}

static void pieces_of_any_size_and_gaps_make_the_file(void **state)
{
	enum { SIZE = 70000 };
	static const struct {
		size_t at, len;
	} pieces[] = {{10, 1},	      {11, 100},     {4000, 200}, {4200, 4096 + 3992},
		      {12288, 4096},  {20480, 1},    {20481, 0},  {24575, 2},
		      {32768, 20000}, {65536, 4096}, {69632, 100}};
	struct fixture *f = *state;
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
	next_layer(f);
	/* blocks 0-3, 5, 6, 8-12, 16, 17 */
	check_content(f->v, inode, want, SIZE, 13 * 4096);
}

static void zeros_become_holes(void **state)
{
	struct fixture *f = *state;
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
	next_layer(f);
	check_content(f->v, ext4_node_inode(edit_find(f->w, "a")), data, MIB, 4096);
	data[600000] = 0;
	check_content(f->v, ext4_node_inode(edit_find(f->w, "b")), data, MIB, 0);
}

static void a_sparse_file_may_be_larger_than_the_volume(void **state)
{
	static const uint64_t max = UINT64_C(0xffffffff) * 4096;
	struct fixture *f = *state;
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
	next_layer(f);
	/* 1,000 extents: three leaves of the tree */
	node = edit_find(f->w, "s");
	assert_int_equal(stat_of(f->v, ext4_node_inode(node)).size_bytes, max);
	edit_remove(f->w, "s");
	next_layer(f);
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
	struct fixture *f = *state;
	cleanup_free char *extents = NULL;

	edit_bytes(f->w, "small", 100, 2);
	edit_bytes(f->w, "large", 10 * MIB, 1);
	next_layer(f);
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

static void long_symlinks_can_be_read_in_the_same_session(void **state)
{
	struct fixture *f = *state;
	static const size_t lengths[] = {1, 59, 60, 61, 4095};
	char target[4097] = "";
	char *got;
	struct ext4_meta meta = {0};
	struct ext4_node *node, *root = ext4_writer_root(f->w);

	memset(target, 'z', 4096);
	for (int layer = 0; layer < 2; layer++) {
		for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
			char name[] = {(char)('a' + i), 0};

			if (layer == 0)
				assert_ok(ext4_writer_symlink(f->w, root, name, 1, target,
							      lengths[i], &meta, &node, &f->err),
					  &f->err);
			assert_ok(ext4_writer_readlink(f->w, edit_find(f->w, name), &got, &f->err),
				  &f->err);
			assert_int_equal(strlen(got), lengths[i]);
			assert_memory_equal(got, target, lengths[i]);
			free(got);
		}
		next_layer(f);
		root = ext4_writer_root(f->w);
	}
	assert_int_equal(ext4_writer_symlink(f->w, root, "x", 1, target, 4096, &meta, &node,
					     &f->err),
			 -1);
	assert_error(&f->err, ERR_INVALID, "4096");
	assert_int_equal(ext4_writer_symlink(f->w, root, "x", 1, target, 0, &meta, &node, &f->err),
			 -1);
}

static void times_are_clamped_and_keep_nanoseconds(void **state)
{
	static const struct {
		struct ext4_time in, out;
	} times[] = {
		{{0, 0}, {0, 0}},
		{{-1, 500000000}, {-1, 500000000}},
		{{INT32_MIN, 1}, {INT32_MIN, 1}},
		{{(int64_t)INT32_MIN - 1, 1}, {INT32_MIN, 0}},
		{{INT64_MIN, 0}, {INT32_MIN, 0}},
		{{INT32_MAX, 999999999}, {INT32_MAX, 999999999}},
		{{(int64_t)INT32_MAX + 1, 2}, {(int64_t)INT32_MAX + 1, 2}},
		{{4294967296, 3}, {4294967296, 3}},
		{{15032385535, 4}, {15032385535, 4}},
		{{15032385536, 4}, {15032385535, 0}},
		{{INT64_MAX, 4}, {15032385535, 0}},
	};
	struct fixture *f = *state;
	struct ext4_node *node;
	char name[8];

	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		struct ext4_meta meta = {.mode = 0600, .mtime = times[i].in};

		snprintf(name, sizeof(name), "%zu", i);
		node = edit_file(f->w, name, "");
		assert_ok(ext4_writer_set_meta(f->w, node, &meta, &f->err), &f->err);
	}
	next_layer(f);
	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		struct ext4_stat st;

		snprintf(name, sizeof(name), "%zu", i);
		st = stat_of(f->v, ext4_node_inode(edit_find(f->w, name)));
		assert_int_equal(st.meta.mtime.sec, times[i].out.sec);
		assert_int_equal(st.meta.mtime.nsec, times[i].out.nsec);
	}
}

static void a_directory_grows_into_an_index_and_shrinks_again(void **state)
{
	enum { NAMES = 20000, KEPT = 17 };
	struct fixture *f = *state;
	struct ext4_meta meta = {.mode = S_IFREG | 0644};
	struct ext4_node *dir = edit_dir(f->w, "d"), *node;
	uint32_t inodes_before, inodes;
	uint64_t before;
	char name[64];

	next_layer(f);
	before = free_blocks(f->v, &inodes_before);
	dir = edit_find(f->w, "d");
	for (int i = 0; i < 3000; i++) {
		int n = snprintf(name, sizeof(name), "a name of some length %d", i);

		assert_ok(ext4_writer_make(f->w, dir, name, (size_t)n, &meta, &node, &f->err),
			  &f->err);
		if (i == KEPT) {
			next_layer(f);
			assert_int_equal(
				stat_of(f->v, ext4_node_inode(edit_find(f->w, "d"))).size_bytes,
				4096);
			dir = edit_find(f->w, "d");
		}
	}
	next_layer(f);
	assert_true(stat_of(f->v, ext4_node_inode(edit_find(f->w, "d"))).size_bytes > 20 * 4096);
	for (int i = KEPT; i < 3000; i++) {
		snprintf(name, sizeof(name), "d/a name of some length %d", i);
		edit_remove(f->w, name);
	}
	next_layer(f);
	assert_int_equal(stat_of(f->v, ext4_node_inode(edit_find(f->w, "d"))).size_bytes, 4096);
	assert_non_null(edit_find(f->w, "d/a name of some length 0"));
	assert_null(edit_find(f->w, "d/a name of some length 17"));
	assert_int_equal(free_blocks(f->v, &inodes), before);
	assert_int_equal(inodes_before - inodes, KEPT);
}

static void twenty_thousand_names_of_any_length(void **state)
{
	enum { NAMES = 20000 };
	struct memory_volume *v = edit_base(256 * MIB, 30000);
	struct ext4_tree *tree = ext4_tree_new(), *fresh = ext4_tree_new();
	struct ext4_writer *w = edit_open(v, tree);
	struct ext4_meta meta = {.mode = S_IFREG | 0644};
	struct ext4_node *dir = edit_dir(w, "d"), *node, **list;
	struct error err = {0};
	char name[256];
	size_t n;

	(void)state;
	memset(name, '-', sizeof(name));
	for (int i = 0; i < NAMES; i++) {
		snprintf(name, sizeof(name), "%d", i);
		name[strlen(name)] = '+';
		assert_ok(ext4_writer_make(w, dir, name, (size_t)(i % 250 + 6), &meta, &node, &err),
			  &err);
	}
	edit_finish(w);
	assert_true(e2fsck_is_clean(v));
	w = edit_open(v, fresh);
	assert_ok(ext4_writer_list(w, edit_find(w, "d"), &list, &n, &err), &err);
	assert_int_equal(n, NAMES);
	free(list);
	edit_remove(w, "d");
	edit_finish(w);
	assert_true(e2fsck_is_clean(v));
	ext4_tree_free(tree);
	ext4_tree_free(fresh);
	memory_volume_free(v);
}

static void set_one(struct fixture *f, const char *path, const char *name, size_t len)
{
	cleanup_free uint8_t *value = xmalloc(len + 1);
	struct ext4_xattr xattr = {name, value, len};

	edit_fill(value, len, (uint32_t)len);
	assert_ok(ext4_writer_set_xattrs(f->w, edit_find(f->w, path), &xattr, 1, &f->err), &f->err);
}

struct one_xattr {
	const char *name;
	size_t len;
	unsigned n;
};

static int check_xattr(const struct ext4_xattr *xattr, void *arg, struct error *err)
{
	struct one_xattr *want = arg;
	cleanup_free uint8_t *value = xmalloc(want->len + 1);

	(void)err;
	edit_fill(value, want->len, (uint32_t)want->len);
	assert_string_equal(xattr->name, want->name);
	assert_int_equal(xattr->value_len, want->len);
	assert_memory_equal(xattr->value, value, want->len);
	want->n++;
	return 0;
}

static void check_one(struct fixture *f, const char *path, const char *name, size_t len)
{
	cleanup(ext4_reader_close_ptr) struct ext4_reader *r = NULL;
	struct one_xattr want = {name, len, 0};

	assert_ok(ext4_reader_open(&f->v->volume, &r, &f->err), &f->err);
	assert_ok(ext4_reader_xattrs(r, ext4_node_inode(edit_find(f->w, path)), check_xattr, &want,
				     &f->err),
		  &f->err);
	assert_int_equal(want.n, 1);
}

static void xattrs_move_between_inode_block_and_ea_inode(void **state)
{
	static const size_t lengths[] = {0, 20, 3000, 65536, 3000, 40, 65536, 5000, 0, 10};
	struct fixture *f = *state;
	struct ext4_xattr none = {0};

	edit_file(f->w, "f", "content");
	edit_dir(f->w, "d");
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		set_one(f, "f", "user.x", lengths[i]);
		set_one(f, "d", "trusted.y", lengths[ARRAY_SIZE(lengths) - 1 - i]);
		/* and once more, in the same session */
		set_one(f, "", "user.z", lengths[i]);
		set_one(f, "", "user.z", 100);
		next_layer(f);
		check_one(f, "f", "user.x", lengths[i]);
		check_one(f, "d", "trusted.y", lengths[ARRAY_SIZE(lengths) - 1 - i]);
		check_one(f, "", "user.z", 100);
	}
	assert_ok(ext4_writer_set_xattrs(f->w, edit_find(f->w, "f"), &none, 0, &f->err), &f->err);
	none = (struct ext4_xattr){"nonsense.x", "", 0};
	assert_int_equal(ext4_writer_set_xattrs(f->w, edit_find(f->w, "f"), &none, 1, &f->err), -1);
	assert_error(&f->err, ERR_UNSUPPORTED, "nonsense.x");
}

static void setting_what_is_there_touches_nothing(void **state)
{
	struct fixture *f = *state;
	struct ext4_meta meta = {.mode = 0644};

	edit_file(f->w, "f", "content");
	set_one(f, "f", "user.x", 3000);
	next_layer(f);
	memory_volume_reset_counts(f->v);
	set_one(f, "f", "user.x", 3000);
	assert_ok(ext4_writer_set_meta(f->w, edit_find(f->w, "f"), &meta, &f->err), &f->err);
	edit_finish(steal(&f->w));
	assert_int_equal(f->v->counts.dirty_blocks, 1);
}

static void freed_blocks_are_not_used_again_in_the_session(void **state)
{
	struct fixture *f = *state;
	cleanup_free char *old = NULL, *new = NULL;

	edit_bytes(f->w, "f", 64 * 4096, 1);
	next_layer(f);
	old = debugfs_output(f->v, "blocks /f");
	edit_remove(f->w, "f");
	edit_bytes(f->w, "f", 64 * 4096, 2);
	next_layer(f);
	new = debugfs_output(f->v, "blocks /f");
	assert_string_not_equal(old, new);
	/* the next session takes them */
	edit_remove(f->w, "f");
	edit_bytes(f->w, "f", 64 * 4096, 2);
	next_layer(f);
	free(new);
	new = debugfs_output(f->v, "blocks /f");
	assert_string_equal(old, new);
}

/* 50,000 files on 64 GiB, then 8 KiB in a directory of its own, with nothing cached. */
static void a_small_layer_reads_and_writes_little(void **state)
{
	struct memory_volume *base = edit_base(65536 * MIB, 0), *v;
	struct ext4_tree *tree = ext4_tree_new();
	struct ext4_writer *w = edit_open(base, tree);
	char name[32];

	(void)state;
	for (int i = 0; i < 50000; i++) {
		if (i % 1000 == 0) {
			snprintf(name, sizeof(name), "t%d", i / 1000);
			edit_dir(w, name);
		}
		if (i % 20 == 0) {
			snprintf(name, sizeof(name), "t%d/d%d", i / 1000, i / 20);
			edit_dir(w, name);
		}
		snprintf(name, sizeof(name), "t%d/d%d/%d", i / 1000, i / 20, i);
		edit_file(w, name, "content");
	}
	edit_finish(w);
	ext4_tree_free(tree);

	v = memory_volume_snapshot(base);
	tree = ext4_tree_new();
	w = edit_open(v, tree);
	edit_remove(w, "t7/d350/7019");
	edit_bytes(w, "t7/d350/7019", 4096, 1);
	edit_bytes(w, "t7/d351/new", 4096, 2);
	edit_finish(w);
	print_message("read %llu KiB in %llu calls, %llu pool blocks written to, %llu copied\n",
		      (unsigned long long)v->counts.bytes_read / 1024,
		      (unsigned long long)v->counts.reads,
		      (unsigned long long)v->counts.dirty_blocks,
		      (unsigned long long)v->counts.copied_blocks);
	assert_true(v->counts.bytes_read < 512 * 1024);
	assert_in_range(v->counts.dirty_blocks, 1, 8);
	assert_true(e2fsck_is_clean(v));
	ext4_tree_free(tree);
	memory_volume_free(v);
	memory_volume_free(base);
}

static void what_is_not_ours_is_refused(void **state)
{
	struct memory_volume *v = memory_volume_new(16 * MIB, 0);
	struct ext4_tree *tree = ext4_tree_new();
	static const uint8_t uuid[16];
	char *dir = scratch_new();
	struct ext4_writer *w;
	struct error err = {0};
	char path[256];

	(void)state;
	assert_int_equal(ext4_writer_open(&v->volume, tree, uuid, &w, &err), -1);
	assert_int_equal(err.kind, ERR_INCONSISTENT);
	memory_volume_free(v);
	snprintf(path, sizeof(path), "%s/image", dir);
	assert_int_equal(command_run(NULL, "mke2fs -q -F -t ext4 '%s' 64M", path), 0);
	v = memory_volume_load(path, 0);
	assert_int_equal(ext4_writer_open(&v->volume, tree, uuid, &w, &err), -1);
	assert_error(&err, ERR_INCONSISTENT, "not a file system of ours");
	memory_volume_free(v);
	ext4_tree_free(tree);
	scratch_free(dir);
}

/* Damage that keeps all checksums, as debugfs makes it, met while removing "d". */
static void damage_is_told_where_it_is(void **state)
{
	static const struct {
		const char *request, *error;
		enum error_kind kind;
	} damage[] = {
		{"ln d d/loop", "wrong . or ..", ERR_INCONSISTENT},
		{"ln / d/loop", "an entry that cannot be", ERR_INCONSISTENT},
		{"unlink d/f", NULL, ERR_NONE},
		{"ln <11> d/nothing", "inode 11 is not in use", ERR_INCONSISTENT},
		{"sif d/f links_count 0", "not in use", ERR_INCONSISTENT},
		{"sif d/f flags 0", "has no extents", ERR_UNSUPPORTED},
		{"sif d flags 0", "has no extents", ERR_UNSUPPORTED},
		{"sif d mode 0100644", "none of a directory", ERR_INCONSISTENT},
		{"sif d size 0", "wrong size", ERR_INCONSISTENT},
		{"sif d size 8192", "wrong size", ERR_INCONSISTENT},
		{"freei d/f", "free inodes", ERR_INCONSISTENT},
		{"punch d/f 0 5", NULL, ERR_NONE},
		{"sif d/f extra_isize 28", "28 extra bytes", ERR_UNSUPPORTED},
		{"sif d/xattrs file_acl 99999999", "xattr block", ERR_INCONSISTENT},
		{"sif d/xattrs file_acl 100", "", ERR_INCONSISTENT},
		{"ssv state 0", "not clean", ERR_INCONSISTENT},
		{"ssv state 3", "not clean", ERR_INCONSISTENT},
		{"ssv feature_incompat 0x12345", "", ERR_UNSUPPORTED},
		{"set_bg 0 free_blocks_count 1", "bad descriptor", ERR_INCONSISTENT},
		{"set_bg 0 inode_table 99999999", "bad descriptor", ERR_INCONSISTENT},
	};
	struct fixture *f = *state;
	char *dir = scratch_new();
	char path[256];

	edit_dir(f->w, "d");
	edit_bytes(f->w, "d/f", 100000, 1);
	edit_file(f->w, "d/xattrs", "x");
	set_one(f, "d/xattrs", "user.x", 3000);
	next_layer(f);
	snprintf(path, sizeof(path), "%s/image", dir);
	for (size_t i = 0; i < ARRAY_SIZE(damage); i++) {
		cleanup(ext4_tree_free_ptr) struct ext4_tree *tree = ext4_tree_new();
		cleanup(ext4_writer_abort_ptr) struct ext4_writer *w = NULL;
		struct ext4_node *d = NULL;
		struct error err = {0};
		struct memory_volume *v;
		static const uint8_t uuid[16];

		memory_volume_dump(f->v, path);
		assert_int_equal(command_run(NULL, "debugfs -w -R '%s' '%s'", damage[i].request,
					     path),
				 0);
		v = memory_volume_load(path, 0);
		if (ext4_writer_open(&v->volume, tree, uuid, &w, &err) == 0
		    && ext4_writer_lookup(w, ext4_writer_root(w), "d", 1, &d, &err) == 0
		    && ext4_writer_remove(w, d, &err) == 0 && ext4_writer_finish(&w, &err) == 0
		    && damage[i].error)
			fail_msg("not noticed: %s", damage[i].request);
		if (damage[i].error)
			assert_error(&err, damage[i].kind, damage[i].error);
		else
			assert_ok(err.kind, &err);
		memory_volume_free(v);
	}
	scratch_free(dir);
}

/* The kernel has the last word. */
static void the_kernel_reads_what_was_written(void **state)
{
	struct fixture *f = *state;
	char *dir = scratch_new();
	cleanup_free char *output = NULL;
	char path[64];
	int status;

	if (!can_loop_mount()) {
		scratch_free(dir);
		skip();
	}
	edit_dir(f->w, "d");
	for (int i = 0; i < 2000; i++) {
		snprintf(path, sizeof(path), "d/file-number-%d", i);
		edit_bytes(f->w, path, (size_t)i % 100 * 100, (uint32_t)i);
	}
	edit_symlink(f->w, "short", "d/file-number-7");
	memset(path, '/', sizeof(path));
	path[63] = 0;
	edit_symlink(f->w, "long", path);
	edit_link(f->w, "hard", "d/file-number-1999");
	set_one(f, "hard", "user.x", 50000);
	next_layer(f);
	for (int i = 0; i < 2000; i += 3) {
		snprintf(path, sizeof(path), "d/file-number-%d", i);
		edit_remove(f->w, path);
	}
	next_layer(f);
	edit_finish(steal(&f->w));
	snprintf(path, sizeof(path), "%s/image", dir);
	memory_volume_dump(f->v, path);
	status = command_run(
		&output,
		"cd '%s' && mkdir m && mount -o loop image m || exit 9; cd m && { "
		"ls d | wc -l; readlink short; readlink long | wc -c;"
		"stat -c '%%h %%s' hard d/file-number-1999;"
		"for i in $(seq 1 3 1999); do stat -c %%s d/file-number-$i; done | wc -l;"
		"test -e d/file-number-3 || echo gone;"
		"python3 -c 'import os; print(len(os.getxattr(\"hard\", \"user.x\")))';"
		"touch d/new && rm -r d && echo removed; cd ..; umount m; }"
		"&& e2fsck -fn image >/dev/null 2>&1 && echo clean",
		dir);
	scratch_free(dir);
	if (status == 9)
		skip();
	assert_string_equal(output, "1333\nd/file-number-7\n64\n2 9900\n2 9900\n667\ngone\n50000\n"
				    "removed\nclean\n");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	static const struct CMUnitTest tests[] = {
		TEST(an_untouched_file_system_only_gets_its_uuid),
		TEST(names_that_cannot_be_are_refused),
		TEST(the_root_stays),
		TEST(marks_last_for_one_session),
		TEST(links_are_counted_over_layers),
		TEST(a_directory_cannot_be_linked),
		TEST(the_65001st_link_is_refused),
		TEST(subdirectories_beyond_65000_are_not_counted),
		cmocka_unit_test(running_out_says_of_what),
		cmocka_unit_test(a_file_system_can_be_filled_to_the_last_block),
		TEST(removing_everything_gives_everything_back),
		TEST(a_very_deep_tree_can_be_made_and_removed),
		TEST(pieces_of_any_size_and_gaps_make_the_file),
		TEST(zeros_become_holes),
		TEST(a_sparse_file_may_be_larger_than_the_volume),
		TEST(a_file_has_as_few_extents_as_can_be),
		cmocka_unit_test(pieces_change_no_byte),
		TEST(long_symlinks_can_be_read_in_the_same_session),
		TEST(times_are_clamped_and_keep_nanoseconds),
		TEST(a_directory_grows_into_an_index_and_shrinks_again),
		cmocka_unit_test(twenty_thousand_names_of_any_length),
		TEST(xattrs_move_between_inode_block_and_ea_inode),
		TEST(setting_what_is_there_touches_nothing),
		TEST(freed_blocks_are_not_used_again_in_the_session),
		cmocka_unit_test(a_small_layer_reads_and_writes_little),
		cmocka_unit_test(what_is_not_ours_is_refused),
		TEST(damage_is_told_where_it_is),
		TEST(the_kernel_reads_what_was_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
