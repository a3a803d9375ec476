/* SPDX-License-Identifier: Apache-2.0 */
/* The writer call by call: what is refused, what is kept, what a layer touches. */
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

static void an_untouched_file_system_only_gets_its_uuid(void **state)
{
	struct edit *f = *state;
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
	struct edit *f = *state;
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
	edit_next_layer(f);
	assert_non_null(edit_find(f->w, "..."));
}

static void the_root_stays(void **state)
{
	struct edit *f = *state;

	assert_int_equal(ext4_writer_remove(f->w, ext4_writer_root(f->w), &f->err), -1);
	assert_error(&f->err, ERR_INVALID, "root");
}

static void marks_last_for_one_session(void **state)
{
	struct edit *f = *state;
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
	struct edit *f = *state;
	uint32_t inode;

	edit_dir(f->w, "d");
	inode = ext4_node_inode(edit_file(f->w, "d/a", "content"));
	edit_next_layer(f);
	assert_int_equal(ext4_node_inode(edit_link(f->w, "b", "d/a")), inode);
	edit_next_layer(f);
	edit_remove(f->w, "d");
	edit_next_layer(f);
	assert_int_equal(ext4_node_inode(edit_find(f->w, "b")), inode);
	assert_null(edit_find(f->w, "d"));
	assert_int_equal(edit_stat(f->v, inode).links, 1);
}

static void a_directory_cannot_be_linked(void **state)
{
	struct edit *f = *state;
	struct ext4_node *dir = edit_dir(f->w, "d"), *node;

	assert_int_equal(ext4_writer_link(f->w, ext4_writer_root(f->w), "e", 1, dir, &node,
					  &f->err),
			 -1);
	assert_error(&f->err, ERR_INVALID, "directory");
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

static void removing_everything_gives_everything_back(void **state)
{
	struct edit *f = *state;
	uint32_t inodes_before, inodes;
	uint64_t before = edit_free_blocks(f->v, &inodes_before);
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
	edit_next_layer(f);
	assert_true(edit_free_blocks(f->v, &inodes) < before);
	edit_remove(f->w, "d");
	edit_next_layer(f);
	assert_int_equal(edit_free_blocks(f->v, &inodes), before);
	assert_int_equal(inodes, inodes_before);
}

static void long_symlinks_can_be_read_in_the_same_session(void **state)
{
	struct edit *f = *state;
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
		edit_next_layer(f);
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
		{{INT32_MIN, 1}, {INT32_MIN, 0}},
		{{(int64_t)INT32_MIN + 1, 1}, {(int64_t)INT32_MIN + 1, 1}},
		{{(int64_t)INT32_MIN - 1, 1}, {INT32_MIN, 0}},
		{{INT64_MIN, 0}, {INT32_MIN, 0}},
		{{INT32_MAX, 999999999}, {INT32_MAX, 999999999}},
		{{(int64_t)INT32_MAX + 1, 2}, {(int64_t)INT32_MAX + 1, 2}},
		{{4294967296, 3}, {4294967296, 3}},
		{{15032385534, 4}, {15032385534, 4}},
		{{15032385535, 4}, {15032385535, 0}},
		{{15032385536, 4}, {15032385535, 0}},
		{{INT64_MAX, 4}, {15032385535, 0}},
	};
	struct edit *f = *state;
	struct ext4_node *node;
	char name[8];

	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		struct ext4_meta meta = {.mode = 0600, .mtime = times[i].in};

		snprintf(name, sizeof(name), "%zu", i);
		node = edit_file(f->w, name, "");
		assert_ok(ext4_writer_set_meta(f->w, node, &meta, &f->err), &f->err);
	}
	edit_next_layer(f);
	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		struct ext4_stat st;

		snprintf(name, sizeof(name), "%zu", i);
		st = edit_stat(f->v, ext4_node_inode(edit_find(f->w, name)));
		assert_int_equal(st.meta.mtime.sec, times[i].out.sec);
		assert_int_equal(st.meta.mtime.nsec, times[i].out.nsec);
	}
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
	struct edit *f = *state;
	char *dir = scratch_new();
	char path[256];

	edit_dir(f->w, "d");
	edit_bytes(f->w, "d/f", 100000, 1);
	edit_file(f->w, "d/xattrs", "x");
	edit_xattr(f->w, "d/xattrs", "user.x", 3000);
	edit_next_layer(f);
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
	struct edit *f = *state;
	char *dir = scratch_new();
	cleanup_free char *output = NULL;
	char path[512];
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
	memset(path, '/', 63);
	path[63] = 0;
	edit_symlink(f->w, "long", path);
	edit_link(f->w, "hard", "d/file-number-1999");
	edit_xattr(f->w, "hard", "user.x", 50000);
	edit_next_layer(f);
	for (int i = 0; i < 2000; i += 3) {
		snprintf(path, sizeof(path), "d/file-number-%d", i);
		edit_remove(f->w, path);
	}
	edit_next_layer(f);
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
#define TEST(name) cmocka_unit_test_setup_teardown(name, edit_set_up, edit_tear_down)
	static const struct CMUnitTest tests[] = {
		TEST(an_untouched_file_system_only_gets_its_uuid),
		TEST(names_that_cannot_be_are_refused),
		TEST(the_root_stays),
		TEST(marks_last_for_one_session),
		TEST(links_are_counted_over_layers),
		TEST(a_directory_cannot_be_linked),
		cmocka_unit_test(running_out_says_of_what),
		TEST(removing_everything_gives_everything_back),
		TEST(long_symlinks_can_be_read_in_the_same_session),
		TEST(times_are_clamped_and_keep_nanoseconds),
		cmocka_unit_test(a_small_layer_reads_and_writes_little),
		cmocka_unit_test(what_is_not_ours_is_refused),
		TEST(damage_is_told_where_it_is),
		TEST(the_kernel_reads_what_was_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
