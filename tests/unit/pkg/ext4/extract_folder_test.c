/* SPDX-License-Identifier: Apache-2.0 */
/* Folders of an extraction: depth, modes that shut the owner out, times, what the host hands down. */
#include "pkg/ext4/extract.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "tests/support/cmocka.h"
#include "tests/support/extraction.h"
#include "tests/support/scratch.h"

/* A descriptor of what is `depth` folders of a name below a path. */
static int open_deep(const char *path, const char *name, size_t depth)
{
	int at = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), below;

	for (size_t i = 0; i < depth && at >= 0; i++) {
		below = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		close(at);
		at = below;
	}
	assert_true(at >= 0);
	return at;
}

/* The node of each folder is found from the one before, not from the root. */
static void fill_deep(struct extraction *x, const char *name, size_t depth)
{
	struct ext4_meta folder = {.mode = S_IFDIR | 0755, .mtime = {5, 0}};
	struct ext4_meta file = {.mode = S_IFREG | 0640};
	struct ext4_writer *w = x->edit->w;
	struct ext4_node *at = ext4_writer_root(w), *leaf, *link;

	for (size_t i = 0; i < depth; i++)
		assert_ok(ext4_writer_make(w, at, name, strlen(name), &folder, &at, &x->err),
			  &x->err);
	assert_ok(ext4_writer_make(w, at, "leaf", 4, &file, &leaf, &x->err), &x->err);
	assert_ok(ext4_writer_link(w, ext4_writer_root(w), "z", 1, leaf, &link, &x->err), &x->err);
}

static void paths_are_as_long_as_they_like_with_few_descriptors(void **state)
{
	enum { DEPTH = 3000, FILES = 24 };
	static const char name[] = "a-folder-with-a-name-of-middle-length-0123456789";
	struct extraction *x = *state;
	struct rlimit old, few;
	struct stat leaf, z;
	int rc, fd;

	fill_deep(x, name, DEPTH);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	few = old;
	few.rlim_cur = FILES;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	rc = extraction_run(x);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_ok(rc, &x->err);
	fd = open_deep("out", name, DEPTH);
	assert_int_equal(fstatat(fd, "leaf", &leaf, 0), 0);
	assert_int_equal(leaf.st_mode, S_IFREG | 0640);
	assert_int_equal(stat("out/z", &z), 0);
	assert_int_equal(z.st_ino, leaf.st_ino);
	assert_int_equal(fstat(fd, &z), 0);
	assert_int_equal(z.st_mtim.tv_sec, 5);
	close(fd);
}

/* The name of the longest chain that still fits into one piece, and its neighbours. */
static void links_are_found_at_every_length_of_path(void **state)
{
	struct extraction *x = *state;
	struct ext4_meta folder = {.mode = S_IFDIR | 0755}, file = {.mode = S_IFREG | 0644};
	struct ext4_node *at, *leaf, *link;
	char name[256], last[16];
	struct stat a, z;

	memset(name, 'n', sizeof(name));
	at = ext4_writer_root(x->edit->w);
	for (int i = 0; i < 17; i++)
		assert_ok(ext4_writer_make(x->edit->w, at, name, i == 15 ? 1 : 255, &folder, &at,
					   &x->err),
			  &x->err);
	/* 15 * 256 + 2 + 256 bytes; around 4000 and 4096 in steps of the names made below */
	at = ext4_node_parent(at);
	for (size_t n = 1; n <= 255; n += 2) {
		struct ext4_node *dir;

		memset(name, 'x', n);
		assert_ok(ext4_writer_make(x->edit->w, at, name, n, &folder, &dir, &x->err),
			  &x->err);
		assert_ok(ext4_writer_make(x->edit->w, dir, "leaf", 4, &file, &leaf, &x->err),
			  &x->err);
		snprintf(last, sizeof(last), "z%03zu", n);
		assert_ok(ext4_writer_link(x->edit->w, ext4_writer_root(x->edit->w), last,
					   strlen(last), leaf, &link, &x->err),
			  &x->err);
	}
	assert_ok(extraction_run(x), &x->err);
	assert_int_equal(stat("out/z001", &a), 0);
	assert_int_equal(a.st_nlink, 2);
	assert_int_equal(stat("out/z255", &z), 0);
	assert_int_equal(z.st_nlink, 2);
}

static void folders_of_every_mode_hold_what_they_held(void **state)
{
	struct extraction *x = *state;
	char name[64], below[96];
	struct stat st;

	for (unsigned mode = 0; mode < 8; mode++) {
		snprintf(name, sizeof(name), "d%u", mode);
		extraction_make(x, name, S_IFDIR | 01000 | mode << 6);
		snprintf(below, sizeof(below), "%s/sub", name);
		extraction_make(x, below, S_IFDIR | mode << 6);
		snprintf(below, sizeof(below), "%s/sub/f", name);
		edit_file(x->edit->w, below, name);
		extraction_meta(x, name,
				(struct ext4_meta){.mode = 01000 | mode << 6, .mtime = {mode, 9}});
	}
	scratch_drop_root(x->scratch);
	assert_ok(extraction_run(x), &x->err);
	for (unsigned mode = 0; mode < 8; mode++) {
		snprintf(name, sizeof(name), "out/d%u", mode);
		assert_int_equal(lstat(name, &st), 0);
		assert_int_equal(st.st_mode, S_IFDIR | 01000 | mode << 6);
		assert_int_equal(st.st_mtim.tv_sec, mode);
		assert_int_equal(st.st_mtim.tv_nsec, 9);
		assert_int_equal(chmod(name, 0700), 0);
		snprintf(below, sizeof(below), "%s/sub", name);
		assert_int_equal(scratch_mode(below), S_IFDIR | mode << 6);
		assert_int_equal(chmod(below, 0700), 0);
		snprintf(below, sizeof(below), "%s/sub/f", name);
		assert_true(scratch_exists(below));
	}
}

static void a_root_that_shuts_its_owner_out_comes_last(void **state)
{
	struct extraction *x = *state;

	extraction_make(x, "d", S_IFDIR);
	edit_file(x->edit->w, "d/f", "text");
	edit_link(x->edit->w, "e", "d/f");
	extraction_meta(x, "", (struct ext4_meta){.mode = 0});
	scratch_drop_root(x->scratch);
	assert_ok(extraction_run(x), &x->err);
	assert_int_equal(scratch_mode("out"), S_IFDIR);
	assert_int_equal(chmod("out", 0700), 0);
	assert_int_equal(scratch_mode("out/d"), S_IFDIR);
	assert_true(scratch_exists("out/e"));
}

/* user::rwx, user:1000:rwx, group::rwx, mask::rwx, other::r-x, as xattr(7) has them */
static const uint8_t default_acl[] = {2,   0,	0,   0,	  1,   0,   7,	0,   255, 255, 255,
				      255, 2,	0,   7,	  0,   232, 3,	0,   0,	  4,   0,
				      7,   0,	255, 255, 255, 255, 16, 0,   7,	  0,   255,
				      255, 255, 255, 32,  0,   5,   0,	255, 255, 255, 255};

static void what_the_folder_would_hand_down_is_not(void **state)
{
	struct extraction *x = *state;

	edit_dir(x->edit->w, "d");
	edit_file(x->edit->w, "d/f", "text");
	edit_finish(steal(&x->edit->w));
	scratch_mkdir("out", 02770);
	if (setxattr("out", "system.posix_acl_default", default_acl, sizeof(default_acl), 0) < 0)
		skip();
	assert_ok(extraction_into(&x->edit->v->volume, "out", &x->lost, &x->err), &x->err);
	assert_int_equal(getxattr("out", "system.posix_acl_default", NULL, 0), -1);
	assert_int_equal(getxattr("out/d", "system.posix_acl_default", NULL, 0), -1);
	assert_int_equal(getxattr("out/d", "system.posix_acl_access", NULL, 0), -1);
	assert_int_equal(getxattr("out/d/f", "system.posix_acl_access", NULL, 0), -1);
	assert_int_equal(scratch_mode("out"), S_IFDIR | 0755);
	assert_int_equal(scratch_mode("out/d"), S_IFDIR | 0755);
	assert_int_equal(scratch_mode("out/d/f"), S_IFREG | 0644);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define WITH_TREE(f) cmocka_unit_test_setup_teardown(f, extraction_set_up, extraction_tear_down)
		WITH_TREE(paths_are_as_long_as_they_like_with_few_descriptors),
		WITH_TREE(links_are_found_at_every_length_of_path),
		WITH_TREE(folders_of_every_mode_hold_what_they_held),
		WITH_TREE(a_root_that_shuts_its_owner_out_comes_last),
		WITH_TREE(what_the_folder_would_hand_down_is_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
