/* SPDX-License-Identifier: Apache-2.0 */
/* Another UUID by itself: as the writer gives it, nothing else changed, nothing that is not ours. */
#include "pkg/ext4/superblock.h"

#include <ext2fs/ext2_fs.h>
#include <stddef.h>
#include <string.h>

#include "pkg/base/alloc.h"
#include "pkg/ext4/checksum.h"
#include "tests/support/cmocka.h"
#include "tests/support/e2fsprogs.h"
#include "tests/support/ext4_edit.h"

static const uint8_t other[16] = {0xde, 0xad, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14};

static struct ext2_super_block superblock(struct memory_volume *v)
{
	struct ext2_super_block sb;
	struct error err = {0};

	assert_ok(thin_volume_read(&v->volume, &sb, sizeof(sb), SUPERBLOCK_OFFSET, &err), &err);
	return sb;
}

/* @seal: the checksum is right. */
static void put(struct memory_volume *v, struct ext2_super_block *sb, bool seal)
{
	struct error err = {0};

	if (seal)
		sb->s_checksum = ext4_crc32c(~UINT32_C(0), sb,
					     offsetof(struct ext2_super_block, s_checksum));
	assert_ok(thin_volume_write(&v->volume, sb, sizeof(*sb), SUPERBLOCK_OFFSET, &err), &err);
}

static void it_is_what_the_writer_would_write(void **state)
{
	cleanup(memory_volume_free_ptr) struct memory_volume *a = NULL, *b = NULL;
	cleanup(ext4_tree_free_ptr) struct ext4_tree *tree = ext4_tree_new();
	struct edit *f = *state;
	struct ext4_writer *w;
	struct error err = {0};

	edit_file(f->w, "a", "x");
	edit_finish(steal(&f->w));
	a = memory_volume_snapshot(f->v);
	b = memory_volume_snapshot(f->v);
	assert_ok(ext4_set_uuid(&a->volume, other, &err), &err);
	assert_int_equal(a->counts.bytes_written, EXT4_BLOCK_BYTES);
	assert_int_equal(a->counts.bytes_read, EXT4_BLOCK_BYTES);
	assert_true(e2fsck_is_clean(a));
	assert_memory_equal(superblock(a).s_uuid, other, sizeof(other));
	assert_ok(ext4_writer_open(&b->volume, tree, other, &w, &err), &err);
	assert_ok(ext4_writer_finish(&w, &err), &err);
	assert_int_equal(memory_volume_differ(a, b), 0);
}

static void expect_refused(struct memory_volume *v, const char *why)
{
	cleanup(memory_volume_free_ptr) struct memory_volume *before = memory_volume_snapshot(v);
	struct error err = {0};

	assert_int_equal(ext4_set_uuid(&v->volume, other, &err), -1);
	assert_error(&err, ERR_INCONSISTENT, why);
	assert_int_equal(memory_volume_differ(v, before), 0);
}

static void what_is_damaged_foreign_or_in_use_is_refused(void **state)
{
	struct edit *f = *state;
	struct ext2_super_block good, sb;

	edit_finish(steal(&f->w));
	good = superblock(f->v);
	sb = good;
	sb.s_magic++;
	put(f->v, &sb, true);
	expect_refused(f->v, "damaged");
	sb = good;
	sb.s_mtime++;
	put(f->v, &sb, false);
	expect_refused(f->v, "damaged");
	sb = good;
	sb.s_feature_incompat |= EXT4_FEATURE_INCOMPAT_INLINE_DATA;
	put(f->v, &sb, true);
	expect_refused(f->v, "not a file system of ours");
	sb = good;
	sb.s_state = 0;
	put(f->v, &sb, true);
	expect_refused(f->v, "not clean");
	put(f->v, &good, true);
}

static void a_volume_that_fails_says_so(void **state)
{
	struct edit *f = *state;
	struct error err = {0};

	edit_finish(steal(&f->w));
	f->v->fail_read = 1;
	assert_int_equal(ext4_set_uuid(&f->v->volume, other, &err), -1);
	f->v->fail_read = 0;
	f->v->fail_write = 1;
	assert_int_equal(ext4_set_uuid(&f->v->volume, other, &err), -1);
	f->v->fail_write = 0;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, edit_set_up, edit_tear_down)
	static const struct CMUnitTest tests[] = {
		TEST(it_is_what_the_writer_would_write),
		TEST(what_is_damaged_foreign_or_in_use_is_refused),
		TEST(a_volume_that_fails_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
