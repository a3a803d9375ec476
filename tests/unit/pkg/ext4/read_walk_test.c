/* SPDX-License-Identifier: Apache-2.0 */
/* The whole tree in order, and trees that are none. */
#include "pkg/ext4/read.h"

#include <sys/stat.h>

#include "pkg/base/alloc.h"
#include "pkg/base/bytes.h"
#include "tests/support/cmocka.h"
#include "tests/support/ext4_edit.h"
#include "tests/support/ext4_reading.h"

struct visits {
	struct buffer paths; /* joined by NUL */
	size_t n, stop_at;   /* 0: never */
};

static int visit(const char *path, const struct ext4_stat *st, void *arg, struct error *e)
{
	struct visits *v = arg;

	(void)st;
	buffer_add(&v->paths, path, strlen(path) + 1);
	if (++v->n == v->stop_at) {
		error_set(e, ERR_BUSY, "that was enough");
		return -3;
	}
	return 0;
}

static void a_walk_ends_where_the_callback_says(void **state)
{
	(void)state;
	for (size_t n = 1; n < 310; n += 13) {
		struct visits v = {.stop_at = n};

		error_clear(&err);
		assert_int_equal(ext4_reader_walk(reader, visit, &v, &err), -3);
		assert_error(&err, ERR_BUSY, "that was enough");
		assert_int_equal(v.n, n);
		buffer_release(&v.paths);
	}
}

static int walk(size_t *ret_n)
{
	struct visits v = {0};
	int rc;

	error_clear(&err);
	rc = ext4_reader_walk(reader, visit, &v, &err);
	*ret_n = v.n;
	buffer_release(&v.paths);
	return rc;
}

static void each_name_is_visited_once(void **state)
{
	size_t n;

	(void)state;
	assert_ok(walk(&n), &err);
	assert_int_equal(n, 1 + 10 + EXT4_SAMPLE_NAMES + 1);
}

/* Names are unsigned bytes; a folder comes before what is in it, and "a.b" after all of "a". */
static void names_are_in_the_order_of_their_bytes(void **state)
{
	static const char *const made[] = {"b",	   "a.b", "a",	   "a/z",     "a/y",
					   "\xff", "A",	  "a/y/x", "\xc3\xa9"};
	static const char expected[] = "\0A\0a\0a/y\0a/y/x\0a/z\0a.b\0b\0\xc3\xa9\0\xff";
	struct memory_volume *v = edit_base(16 << 20, 0);
	struct ext4_tree *tree = ext4_tree_new();
	struct ext4_writer *w = edit_open(v, tree);
	struct ext4_reader *own;
	struct visits visits = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(made); i++)
		edit_dir(w, made[i]);
	edit_finish(w);
	ext4_tree_free(tree);
	assert_ok(ext4_reader_open(&v->volume, &own, &err), &err);
	assert_ok(ext4_reader_walk(own, visit, &visits, &err), &err);
	assert_int_equal(visits.paths.len, sizeof(expected));
	assert_memory_equal(visits.paths.data, expected, sizeof(expected));
	buffer_release(&visits.paths);
	ext4_reader_close(own);
	memory_volume_free(v);
}

/* Deeper than any recursion would like, and longer than PATH_MAX. */
static void depth_has_no_limit(void **state)
{
	enum { DEPTH = 3000 };
	struct memory_volume *v = edit_base(64 << 20, 0);
	struct ext4_tree *tree = ext4_tree_new();
	struct ext4_writer *w = edit_open(v, tree);
	struct ext4_node *at = ext4_writer_root(w);
	struct ext4_meta meta = {.mode = S_IFDIR | 0755};
	struct ext4_reader *own;
	struct visits visits = {0};

	(void)state;
	for (size_t i = 0; i < DEPTH; i++)
		assert_ok(ext4_writer_make(w, at, "deep", 4, &meta, &at, &err), &err);
	edit_finish(w);
	ext4_tree_free(tree);
	assert_ok(ext4_reader_open(&v->volume, &own, &err), &err);
	assert_ok(ext4_reader_walk(own, visit, &visits, &err), &err);
	assert_int_equal(visits.n, DEPTH + 1);
	buffer_release(&visits.paths);
	ext4_reader_close(own);
	memory_volume_free(v);
}

static void a_loop_of_directories_is_damage(void **state)
{
	uint32_t e = reading_find("e");
	uint8_t number[4];
	size_t n;

	(void)state;
	put_le32(number, e);
	ext4_sample_poke_block(&sample, SAMPLE_DIRECTORY, e, 0, 24, number, 4); /* e/f is e again */
	reading_reopen();
	assert_int_equal(walk(&n), -1);
	assert_error(&err, ERR_INCONSISTENT, "directory with two names");
}

/* What to do about it differs. */
static void damage_of_the_pool_is_told_from_damage_of_the_file_system(void **state)
{
	size_t n, reads;

	(void)state;
	sample.v->fail_kind = ERR_INCONSISTENT;
	for (reads = 1;; reads++) {
		sample.v->fail_read = reads;
		if (walk(&n) == 0)
			break;
		assert_error(&err, ERR_INCONSISTENT, "injected fault");
		assert_int_equal(err.detail, ERR_DETAIL_POOL);
	}
	assert_true(reads > 5);
	sample.v->fail_read = 0;
	ext4_sample_poke_block(&sample, SAMPLE_DIRECTORY, reading_find("d"), 0, 9, "!", 1);
	assert_int_equal(walk(&n), -1);
	assert_error(&err, ERR_INCONSISTENT, "damaged file system: inode");
	assert_int_equal(err.detail, ERR_DETAIL_FILE_SYSTEM);
}

static void a_name_twice_is_damage(void **state)
{
	size_t n;

	(void)state;
	/* The root has the names in no particular order, "chr" and "d" among them. */
	for (size_t at = 24; at < 4000; at++) {
		uint8_t found[12];
		uint64_t block = 0;

		for (size_t i = 0; i < sample.n; i++)
			if (sample.blocks[i].kind == SAMPLE_DIRECTORY
			    && sample.blocks[i].inode == EXT4_ROOT_INODE)
				block = sample.blocks[i].block;
		assert_ok(thin_volume_read(&sample.v->volume, found, 12, block * 4096 + at, &err),
			  &err);
		if (memcmp(found, "link", 4) == 0)
			ext4_sample_poke_block(&sample, SAMPLE_DIRECTORY, EXT4_ROOT_INODE, 0, at,
					       "fifo", 4);
	}
	reading_reopen();
	assert_int_equal(walk(&n), -1);
	assert_error(&err, ERR_INCONSISTENT, "a name is there twice: fifo");
}

static void a_value_of_an_attribute_has_no_name(void **state)
{
	uint8_t flags[4];
	size_t n;

	(void)state;
	put_le32(flags, 0x80000 | 0x200000); /* extents, EA_INODE */
	ext4_sample_poke_inode(&sample, reading_find("a"), 32, flags, 4);
	reading_reopen();
	assert_int_equal(walk(&n), -1);
	assert_error(&err, ERR_INCONSISTENT, "an attribute value with a name");
}

static void a_root_that_is_no_directory_is_damage(void **state)
{
	size_t n;

	(void)state;
	ext4_sample_poke_inode(&sample, EXT4_ROOT_INODE, 0, "\xa4\x81", 2); /* a file, 0644 */
	reading_reopen();
	assert_int_equal(walk(&n), -1);
	assert_error(&err, ERR_INCONSISTENT, "the root is not a directory");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_walk_ends_where_the_callback_says, reading_begin,
						reading_end),
		cmocka_unit_test_setup_teardown(each_name_is_visited_once, reading_begin,
						reading_end),
		cmocka_unit_test_setup_teardown(names_are_in_the_order_of_their_bytes,
						reading_begin, reading_end),
		cmocka_unit_test_setup_teardown(depth_has_no_limit, reading_begin, reading_end),
		cmocka_unit_test_setup_teardown(a_loop_of_directories_is_damage, reading_begin,
						reading_end),
		cmocka_unit_test_setup_teardown(
			damage_of_the_pool_is_told_from_damage_of_the_file_system, reading_begin,
			reading_end),
		cmocka_unit_test_setup_teardown(a_name_twice_is_damage, reading_begin, reading_end),
		cmocka_unit_test_setup_teardown(a_value_of_an_attribute_has_no_name, reading_begin,
						reading_end),
		cmocka_unit_test_setup_teardown(a_root_that_is_no_directory_is_damage,
						reading_begin, reading_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
