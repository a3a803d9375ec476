/* SPDX-License-Identifier: Apache-2.0 */
/* Modes, times and attributes of an extraction: what is kept, and that the rest is counted. */
#include "pkg/ext4/extract.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "tests/support/cmocka.h"
#include "tests/support/extraction.h"
#include "tests/support/scratch.h"

static void every_mode_is_kept(void **state)
{
	static const unsigned modes[] = {0,	0001,  0111,  0400,  0644,  0777, 01644,
					 02755, 02644, 04755, 04000, 06711, 07777};
	struct extraction *x = *state;
	char name[32];

	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		snprintf(name, sizeof(name), "f%04o", modes[i]);
		edit_file(x->edit->w, name, "content");
		extraction_meta(x, name, (struct ext4_meta){.mode = modes[i]});
		snprintf(name, sizeof(name), "d%04o", modes[i]);
		extraction_make(x, name, S_IFDIR | modes[i]);
		snprintf(name, sizeof(name), "p%04o", modes[i]);
		extraction_make(x, name, S_IFIFO | modes[i]);
	}
	assert_ok(extraction_run(x), &x->err);
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		snprintf(name, sizeof(name), "out/f%04o", modes[i]);
		assert_int_equal(scratch_mode(name), S_IFREG | modes[i]);
		snprintf(name, sizeof(name), "out/d%04o", modes[i]);
		assert_int_equal(scratch_mode(name), S_IFDIR | modes[i]);
		snprintf(name, sizeof(name), "out/p%04o", modes[i]);
		assert_int_equal(scratch_mode(name), S_IFIFO | modes[i]);
	}
	assert_int_equal(x->lost.of[EXT4_LOST_SETGID].n, 0);
}

/* chmod(2) says nothing about it. */
static void setgid_of_a_group_of_others_is_counted(void **state)
{
	struct extraction *x = *state;

	if (geteuid() != 0)
		skip();
	extraction_meta(x, "", (struct ext4_meta){.mode = 02755});
	extraction_make(x, "d", S_IFDIR | 02750);
	edit_finish(steal(&x->edit->w));
	scratch_mkdir("out", 0700);
	assert_int_equal(chown("out", 65534, 1), 0);
	scratch_drop_root(x->scratch);
	assert_ok(extraction_into(&x->edit->v->volume, "out", &x->lost, &x->err), &x->err);
	assert_int_equal(scratch_mode("out"), S_IFDIR | 0755);
	assert_int_equal(scratch_mode("out/d"), S_IFDIR | 02750);
	assert_int_equal(x->lost.of[EXT4_LOST_SETGID].n, 1);
	assert_string_equal(x->lost.of[EXT4_LOST_SETGID].first, "/");
}

static void times_are_kept_to_the_nanosecond(void **state)
{
	static const struct ext4_time times[] = {
		{0, 0},		 {1, 999999999}, {1600000000, 123456789},
		{-1, 250000000}, {-100, 0},	 {1LL << 33, 5}};
	static const struct ext4_time accessed = {1234567, 89};
	struct extraction *x = *state;
	char name[32];
	struct stat st;

	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		static const unsigned types[] = {S_IFREG, S_IFDIR, S_IFIFO, S_IFCHR};

		for (size_t k = 0; k <= ARRAY_SIZE(types); k++) {
			struct ext4_meta meta = {.mtime = times[i], .atime = accessed};

			snprintf(name, sizeof(name), "t%zu.%zu", i, k);
			if (k == ARRAY_SIZE(types))
				edit_symlink(x->edit->w, name, "target");
			else
				extraction_make(x, name, types[k] | 0700);
			meta.mode = 0700;
			extraction_meta(x, name, meta);
		}
	}
	assert_ok(extraction_run(x), &x->err);
	for (size_t i = 0; i < ARRAY_SIZE(times); i++)
		for (size_t k = 0; k < 5; k++) {
			snprintf(name, sizeof(name), "out/t%zu.%zu", i, k);
			assert_int_equal(lstat(name, &st), 0);
			assert_int_equal(st.st_mtim.tv_sec, times[i].sec);
			assert_int_equal(st.st_mtim.tv_nsec, times[i].nsec);
			assert_int_equal(st.st_atim.tv_sec, accessed.sec);
			assert_int_equal(st.st_atim.tv_nsec, accessed.nsec);
		}
}

static void assert_attribute(const char *path, const char *name, size_t len)
{
	cleanup_free uint8_t *want = xmalloc(len + 1), *got = xmalloc(len + 1);

	edit_fill(want, len, (uint32_t)len);
	assert_int_equal(lgetxattr(path, name, got, len + 1), len);
	assert_memory_equal(got, want, len);
}

static void attributes_of_users_are_kept(void **state)
{
	struct extraction *x = *state;

	edit_file(x->edit->w, "f", "text");
	edit_dir(x->edit->w, "d");
	extraction_make(x, "shut", S_IFDIR);
	edit_file(x->edit->w, "read-only", "text");
	extraction_meta(x, "read-only", (struct ext4_meta){.mode = 0400});
	edit_xattr(x->edit->w, "f", "user.some", 300);
	edit_xattr(x->edit->w, "d", "user.none", 0);
	edit_xattr(x->edit->w, "shut", "user.shut", 1);
	edit_xattr(x->edit->w, "read-only", "user.\xff\n", 10);
	edit_xattr(x->edit->w, "", "user.top", 20);
	assert_ok(extraction_run(x), &x->err);
	if (x->lost.of[EXT4_LOST_XATTR].n > 0)
		skip(); /* a host without any */
	assert_attribute("out/f", "user.some", 300);
	assert_attribute("out/d", "user.none", 0);
	assert_int_equal(chmod("out/shut", 0700), 0);
	assert_attribute("out/shut", "user.shut", 1);
	assert_attribute("out/read-only", "user.\xff\n", 10);
	assert_attribute("out", "user.top", 20);
}

/* Where one fits, the host has it; where none does, it is counted; nothing fails. */
static void what_is_too_large_for_the_host_is_counted(void **state)
{
	struct extraction *x = *state;
	bool kept;

	edit_file(x->edit->w, "f", "text");
	edit_file(x->edit->w, "g", "text");
	edit_xattr(x->edit->w, "f", "user.large", 60000);
	assert_ok(extraction_run(x), &x->err);
	kept = lgetxattr("out/f", "user.large", NULL, 0) == 60000;
	assert_int_equal(x->lost.of[EXT4_LOST_XATTR].n, kept ? 0 : 1);
	assert_string_equal(x->lost.of[EXT4_LOST_XATTR].first, kept ? "" : "user.large of f");
	assert_true(scratch_exists("out/g"));
}

static void what_belongs_to_the_system_is_counted_by_kind(void **state)
{
	static const uint8_t acl[] = {2,   0,	0,   0,	  1,   0,   6,	0,   255, 255, 255,
				      255, 2,	0,   4,	  0,   5,   0,	0,   0,	  4,   0,
				      4,   0,	255, 255, 255, 255, 16, 0,   4,	  0,   255,
				      255, 255, 255, 32,  0,   0,   0,	255, 255, 255, 255};
	const struct ext4_xattr many[] = {{"security.capability", "cap", 3},
					  {"security.ima", "ima", 3},
					  {"system.posix_acl_access", acl, sizeof(acl)},
					  {"trusted.overlay.opaque", "y", 1}};
	struct extraction *x = *state;
	struct ext4_writer *w = x->edit->w;

	edit_file(w, "f", "text");
	edit_file(w, "g", "text");
	assert_ok(ext4_writer_set_xattrs(w, edit_find(w, "f"), many, ARRAY_SIZE(many), &x->err),
		  &x->err);
	edit_xattr(w, "g", "security.capability", 20);
	edit_symlink(w, "link", "f");
	edit_xattr(w, "link", "user.on.link", 5);
	extraction_make(x, "pipe", S_IFIFO | 0644);
	edit_xattr(w, "pipe", "user.on.pipe", 5);
	assert_ok(extraction_run(x), &x->err);
	assert_int_equal(x->lost.of[EXT4_LOST_CAPABILITY].n, 2);
	assert_string_equal(x->lost.of[EXT4_LOST_CAPABILITY].first, "security.capability of f");
	assert_int_equal(x->lost.of[EXT4_LOST_ACL].n, 1);
	assert_string_equal(x->lost.of[EXT4_LOST_ACL].first, "system.posix_acl_access of f");
	assert_int_equal(x->lost.of[EXT4_LOST_XATTR].n, 4);
	assert_string_equal(x->lost.of[EXT4_LOST_XATTR].first, "security.ima of f");
	assert_int_equal(llistxattr("out/link", NULL, 0), 0);
	assert_int_equal(lgetxattr("out/g", "security.capability", NULL, 0), -1);
	assert_int_equal(lgetxattr("out/f", "system.posix_acl_access", NULL, 0), -1);
}

static void an_example_of_any_length_is_cut(void **state)
{
	struct extraction *x = *state;
	char name[256];

	memset(name, 'n', 255);
	name[255] = '\0';
	edit_file(x->edit->w, name, "text");
	edit_xattr(x->edit->w, name, "security.capability", 20);
	assert_ok(extraction_run(x), &x->err);
	assert_int_equal(strlen(x->lost.of[EXT4_LOST_CAPABILITY].first),
			 sizeof(x->lost.of[0].first) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define WITH_TREE(f) cmocka_unit_test_setup_teardown(f, extraction_set_up, extraction_tear_down)
		WITH_TREE(every_mode_is_kept),
		WITH_TREE(setgid_of_a_group_of_others_is_counted),
		WITH_TREE(times_are_kept_to_the_nanosecond),
		WITH_TREE(attributes_of_users_are_kept),
		WITH_TREE(what_is_too_large_for_the_host_is_counted),
		WITH_TREE(what_belongs_to_the_system_is_counted_by_kind),
		WITH_TREE(an_example_of_any_length_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
