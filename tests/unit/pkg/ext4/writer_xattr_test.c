/* SPDX-License-Identifier: Apache-2.0 */
/* Extended attributes, wherever they fit. */
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

static void check_one(struct edit *f, const char *path, const char *name, size_t len)
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
	struct edit *f = *state;
	struct ext4_xattr none = {0};

	edit_file(f->w, "f", "content");
	edit_dir(f->w, "d");
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		edit_xattr(f->w, "f", "user.x", lengths[i]);
		edit_xattr(f->w, "d", "trusted.y", lengths[ARRAY_SIZE(lengths) - 1 - i]);
		/* and once more, in the same session */
		edit_xattr(f->w, "", "user.z", lengths[i]);
		edit_xattr(f->w, "", "user.z", 100);
		edit_next_layer(f);
		check_one(f, "f", "user.x", lengths[i]);
		check_one(f, "d", "trusted.y", lengths[ARRAY_SIZE(lengths) - 1 - i]);
		check_one(f, "", "user.z", 100);
	}
	assert_ok(ext4_writer_set_xattrs(f->w, edit_find(f->w, "f"), &none, 0, &f->err), &f->err);
	none = (struct ext4_xattr){"nonsense.x", "", 0};
	assert_int_equal(ext4_writer_set_xattrs(f->w, edit_find(f->w, "f"), &none, 1, &f->err), -1);
	assert_error(&f->err, ERR_UNSUPPORTED, "nonsense.x");
}

/* An entry with a suffix of one byte takes 20 bytes: of 88 in the inode, of 4,060 in a block. */
static void each_place_is_filled_to_the_last_byte(void **state)
{
	static const struct {
		size_t len;
		unsigned blocks, inodes;
	} steps[] = {{68, 0, 0},   {69, 1, 0},	 {4040, 1, 0},	 {4041, 2, 1},
		     {4096, 2, 1}, {4097, 3, 1}, {65536, 17, 1}, {65535, 17, 1},
		     {4040, 1, 0}, {68, 0, 0},	 {65536, 17, 1}};
	struct edit *f = *state;
	uint32_t inodes, inodes_now;
	uint64_t blocks;

	edit_file(f->w, "f", "");
	edit_next_session(f);
	blocks = edit_free_blocks(f->v, &inodes);
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		edit_xattr(f->w, "f", "user.v", steps[i].len);
		edit_next_layer(f);
		check_one(f, "f", "user.v", steps[i].len);
		assert_int_equal(blocks - edit_free_blocks(f->v, &inodes_now), steps[i].blocks);
		assert_int_equal(inodes - inodes_now, steps[i].inodes);
	}
	assert_ok(ext4_writer_set_xattrs(f->w, edit_find(f->w, "f"), NULL, 0, &f->err), &f->err);
	edit_next_layer(f);
	assert_int_equal(edit_free_blocks(f->v, &inodes_now), blocks);
	assert_int_equal(inodes_now, inodes);
}

/* As many as names fit: 4 in the inode, 203 in the block. */
static void names_fill_a_block_too(void **state)
{
	enum { MOST = 207 };
	struct ext4_xattr list[MOST + 1];
	char names[MOST + 1][16];
	struct edit *f = *state;

	for (size_t i = 0; i <= MOST; i++) {
		snprintf(names[i], sizeof(names[i]), "user.%03zu", i);
		list[i] = (struct ext4_xattr){names[i], "", 0};
	}
	edit_file(f->w, "f", "");
	assert_ok(ext4_writer_set_xattrs(f->w, edit_find(f->w, "f"), list, MOST, &f->err), &f->err);
	edit_next_layer(f);
	assert_int_equal(ext4_writer_set_xattrs(f->w, edit_find(f->w, "f"), list, MOST + 1,
						&f->err),
			 -1);
	assert_error(&f->err, ERR_NO_SPACE, "user.207");
	list[0] = (struct ext4_xattr){"user.large", names, 65537};
	assert_int_equal(ext4_writer_set_xattrs(f->w, edit_find(f->w, "f"), list, 1, &f->err), -1);
	assert_error(&f->err, ERR_NO_SPACE, "user.large");
}

static void setting_what_is_there_touches_nothing(void **state)
{
	struct edit *f = *state;
	struct ext4_meta meta = {.mode = 0644};

	edit_file(f->w, "f", "content");
	edit_xattr(f->w, "f", "user.x", 3000);
	edit_next_layer(f);
	memory_volume_reset_counts(f->v);
	edit_xattr(f->w, "f", "user.x", 3000);
	assert_ok(ext4_writer_set_meta(f->w, edit_find(f->w, "f"), &meta, &f->err), &f->err);
	edit_finish(steal(&f->w));
	assert_int_equal(f->v->counts.dirty_blocks, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, edit_set_up, edit_tear_down)
	static const struct CMUnitTest tests[] = {
		TEST(xattrs_move_between_inode_block_and_ea_inode),
		TEST(each_place_is_filled_to_the_last_byte),
		TEST(names_fill_a_block_too),
		TEST(setting_what_is_there_touches_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
