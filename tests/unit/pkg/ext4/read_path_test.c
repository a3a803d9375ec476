/* SPDX-License-Identifier: Apache-2.0 */
/* Paths in a tree that a guest may have made: A37, and the hostile ones of F58. */
#include "pkg/ext4/read_path.h"

#include <stdio.h>
#include <sys/stat.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "tests/support/cmocka.h"
#include "tests/support/ext4_edit.h"

struct fixture {
	struct edit *edit;
	struct ext4_reader *r;
	struct error err;
};

/*
 *   etc/passwd          "root\n"          abs -> /etc/passwd      up -> ../../../etc/passwd
 *   a/b/c/deep          "deep\n"          a/back -> b/..          a/b/root -> /
 *   empty               ""                dangling -> nowhere     into -> etc/
 */
static void fill(struct ext4_writer *w)
{
	edit_dir(w, "etc");
	edit_file(w, "etc/passwd", "root\n");
	edit_symlink(w, "abs", "/etc/passwd");
	edit_symlink(w, "up", "../../../etc/passwd");
	edit_dir(w, "a");
	edit_dir(w, "a/b");
	edit_dir(w, "a/b/c");
	edit_file(w, "a/b/c/deep", "deep\n");
	edit_symlink(w, "a/back", "b/..");
	edit_symlink(w, "a/b/root", "/");
	edit_file(w, "empty", "");
	edit_symlink(w, "dangling", "nowhere");
	edit_symlink(w, "into", "etc/");
}

static int set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	edit_set_up((void **)&f->edit);
	fill(f->edit->w);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	ext4_reader_close(f->r);
	edit_tear_down((void **)&f->edit);
	free(f);
	return 0;
}

static struct ext4_reader *reader(struct fixture *f)
{
	if (f->r)
		return f->r;
	edit_next_session(f->edit);
	assert_ok(ext4_reader_open(&f->edit->v->volume, &f->r, &f->err), &f->err);
	return f->r;
}

static void holds(struct fixture *f, const char *path, const char *content)
{
	cleanup_buffer struct buffer b = {0};

	assert_ok(ext4_reader_read_file(reader(f), path, 100, &b, &f->err), &f->err);
	buffer_add(&b, "", 0);
	assert_string_equal((const char *)b.data, content);
}

static void refused(struct fixture *f, const char *path, enum error_kind kind, const char *reason)
{
	cleanup_buffer struct buffer b = {0};

	if (ext4_reader_read_file(reader(f), path, 100, &b, &f->err) == 0)
		fail_msg("%s was read", path);
	assert_error(&f->err, kind, reason);
	assert_int_equal(b.len, 0);
}

static void a_path_may_have_dots_and_many_slashes(void **state)
{
	struct fixture *f = *state;

	holds(f, "etc/passwd", "root\n");
	holds(f, "/etc/passwd", "root\n");
	holds(f, "//etc/.//./passwd", "root\n");
	holds(f, "a/b/../../etc/passwd", "root\n");
	holds(f, "a/b/c/deep", "deep\n");
	holds(f, "empty", "");
}

static void dot_dot_ends_at_the_root(void **state)
{
	struct fixture *f = *state;

	holds(f, "../../etc/passwd", "root\n");
	holds(f, "a/../../../../etc/passwd", "root\n");
}

static void a37_links_start_at_the_root_inside(void **state)
{
	struct fixture *f = *state;

	holds(f, "abs", "root\n");
	holds(f, "up", "root\n");
	holds(f, "into/passwd", "root\n");
	holds(f, "a/b/root/a/b/c/deep", "deep\n");
	holds(f, "a/b/root/../etc/passwd", "root\n");
	holds(f, "a/back/b/c/deep", "deep\n");
}

static void the_root_has_many_names(void **state)
{
	static const char *const names[] = {"", "/", ".", "..", "a/..", "a/b/root", "a/b/root/"};
	struct fixture *f = *state;
	uint32_t inode;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		assert_ok(ext4_reader_resolve(reader(f), names[i], &inode, &f->err), &f->err);
		assert_int_equal(inode, EXT4_ROOT_INODE);
	}
}

static void what_is_missing_is_not_found(void **state)
{
	struct fixture *f = *state;
	char name[300];

	refused(f, "nothing", ERR_NOT_FOUND, "nothing: no such file");
	refused(f, "etc/nothing", ERR_NOT_FOUND, "etc/nothing: no such file: nothing");
	refused(f, "dangling", ERR_NOT_FOUND, "no such file: nowhere");
	refused(f, "dangling/x", ERR_NOT_FOUND, "no such file: nowhere");
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	refused(f, name, ERR_NOT_FOUND, "no such file");
}

static void a_file_is_no_folder(void **state)
{
	struct fixture *f = *state;

	refused(f, "etc/passwd/x", ERR_INVALID, "a file where a folder should be");
	refused(f, "etc/passwd/", ERR_INVALID, "a file where a folder should be");
	refused(f, "etc/passwd/..", ERR_INVALID, "a file where a folder should be");
	refused(f, "abs/.", ERR_INVALID, "a file where a folder should be");
}

static void f58_only_regular_files_are_read(void **state)
{
	static const uint32_t types[] = {S_IFIFO, S_IFCHR, S_IFBLK, S_IFSOCK};
	struct fixture *f = *state;
	struct ext4_writer *w = f->edit->w;
	struct ext4_node *node;

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		struct ext4_meta meta = {.mode = types[i] | 0666, .rdev_major = 1, .rdev_minor = 5};
		char name[2] = {(char)('0' + i), '\0'};

		assert_ok(ext4_writer_make(w, ext4_writer_root(w), name, 1, &meta, &node, &f->err),
			  &f->err);
	}
	refused(f, "etc", ERR_INVALID, "etc: not a regular file");
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		char name[2] = {(char)('0' + i), '\0'};

		refused(f, name, ERR_INVALID, "not a regular file");
	}
}

static void f58_large_and_sparse_files_are_not_read(void **state)
{
	struct fixture *f = *state;
	struct ext4_writer *w = f->edit->w;
	struct ext4_node *node;

	edit_bytes(w, "fits", 100, 1);
	edit_bytes(w, "over", 101, 1);
	node = edit_file(w, "huge", "");
	assert_ok(ext4_writer_data_end(w, node, 10ULL << 30, &f->err), &f->err);
	refused(f, "over", ERR_INVALID, "over: 101 bytes, at most 100 are read");
	refused(f, "huge", ERR_INVALID, "huge: 10737418240 bytes");
}

/* link-0 -> x, link-1 -> link-0, ... */
static void a37_forty_links_are_followed_and_no_more(void **state)
{
	struct fixture *f = *state;
	char name[20], target[20] = "etc/passwd";

	for (int i = 1; i <= 41; i++) {
		snprintf(name, sizeof(name), "link-%d", i);
		edit_symlink(f->edit->w, name, target);
		memcpy(target, name, sizeof(target));
	}
	holds(f, "link-40", "root\n");
	refused(f, "link-41", ERR_INVALID, "link-41: more than 40 symlinks");
}

static void a37_loops_end(void **state)
{
	struct fixture *f = *state;

	edit_symlink(f->edit->w, "self", "self");
	edit_symlink(f->edit->w, "ping", "pong/x");
	edit_symlink(f->edit->w, "pong", "/ping/y");
	refused(f, "self", ERR_INVALID, "more than 40 symlinks");
	refused(f, "ping", ERR_INVALID, "more than 40 symlinks");
}

/* A link of 4,000 characters may lead through a large folder 400 times. */
static void walks_through_a_large_folder_are_bounded(void **state)
{
	static const char turn[] = "/l/d/../..";
	struct fixture *f = *state;
	cleanup_buffer struct buffer target = {0};
	char name[120];

	edit_dir(f->edit->w, "l");
	for (int i = 0; i < 3000; i++) {
		snprintf(name, sizeof(name), "l/%0100d", i);
		edit_symlink(f->edit->w, name, "x");
	}
	edit_dir(f->edit->w, "l/d");
	for (int i = 1; i <= 400; i++) {
		buffer_add(&target, turn, strlen(turn));
		if (i == 10)
			edit_symlink(f->edit->w, "short", (const char *)target.data);
	}
	edit_symlink(f->edit->w, "long", (const char *)target.data);
	holds(f, "short/etc/passwd", "root\n");
	refused(f, "long/etc/passwd", ERR_INCONSISTENT, "more blocks than there are");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_path_may_have_dots_and_many_slashes),
		TEST(dot_dot_ends_at_the_root),
		TEST(a37_links_start_at_the_root_inside),
		TEST(the_root_has_many_names),
		TEST(what_is_missing_is_not_found),
		TEST(a_file_is_no_folder),
		TEST(f58_only_regular_files_are_read),
		TEST(f58_large_and_sparse_files_are_not_read),
		TEST(a37_forty_links_are_followed_and_no_more),
		TEST(a37_loops_end),
		TEST(walks_through_a_large_folder_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
