/* SPDX-License-Identifier: Apache-2.0 */
/* Extraction as a whole: types and names, what it refuses, and that it touches nothing else. */
#include "pkg/ext4/extract.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/interrupt.h"
#include "tests/support/cmocka.h"
#include "tests/support/ext4_sample.h"
#include "tests/support/extraction.h"
#include "tests/support/scratch.h"

static void assert_content(const char *path, const char *want)
{
	cleanup_free char *got = scratch_read(path, NULL);

	assert_string_equal(got, want);
}

static void assert_target(const char *path, const char *want)
{
	char target[4096];
	ssize_t n = readlink(path, target, sizeof(target));

	assert_int_equal(n, strlen(want));
	assert_memory_equal(target, want, strlen(want));
}

/* --- what comes out --------------------------------------------------------------------------- */

static void the_sample_comes_out_whole(void **state)
{
	struct extraction *x = *state;
	struct ext4_sample s = ext4_sample_make();
	struct stat st;

	scratch_mkdir("out", 0700);
	assert_ok(extraction_into(&s.v->volume, "out", &x->lost, &x->err), &x->err);
	assert_content("out/a", "abcdefghij");
	assert_int_equal(stat("out/big", &st), 0);
	assert_int_equal(st.st_size, EXT4_SAMPLE_BIG_EXTENTS * 4096 - 5);
	assert_int_equal(stat("out/d/a.longer.name.0", &st), 0);
	assert_int_equal(st.st_nlink, EXT4_SAMPLE_NAMES);
	assert_target("out/link", "../to/somewhere");
	assert_int_equal(lstat("out/slow", &st), 0);
	assert_int_equal(st.st_size, 2000);
	assert_int_equal(scratch_mode("out/fifo"), S_IFIFO | 0600);
	assert_int_equal(scratch_mode("out/chr"), S_IFREG);
	assert_int_equal(scratch_mode("out/e/f"), S_IFDIR | 0755);
	assert_int_equal(scratch_mode("out/empty"), S_IFDIR | 0755);
	assert_int_equal(lstat("out/e/f", &st), 0);
	assert_int_equal(st.st_mtim.tv_sec, 1000000000);
	assert_int_equal(st.st_mtim.tv_nsec, 123456789);
	assert_int_equal(x->lost.of[EXT4_LOST_DEVICE].n, 1);
	assert_string_equal(x->lost.of[EXT4_LOST_DEVICE].first, "chr");
	assert_string_equal(x->lost.of[EXT4_LOST_CAPABILITY].first, "security.capability of x");
	assert_int_equal(x->lost.of[EXT4_LOST_OWNER].n, 0);
	memory_volume_free(s.v);
}

static void an_empty_file_system_is_an_empty_folder(void **state)
{
	struct extraction *x = *state;

	extraction_meta(x, "", (struct ext4_meta){.mode = S_IFDIR | 0751, .mtime = {77, 5}});
	assert_ok(extraction_run(x), &x->err);
	assert_int_equal(scratch_mode("out"), S_IFDIR | 0751);
	assert_int_equal(rmdir("out"), 0);
}

static void names_are_any_bytes(void **state)
{
	static const char *const names[] = {"new\nline", "tab\tbed",  "back\\slash", "\xff\xfe",
					    "\xc3\xa9",	 "e\xcc\x81", "A",	     "a",
					    "-rf",	 " ",	      "...",	     "..a",
					    "*",	 "C:"};
	struct extraction *x = *state;
	char longest[256], path[400];

	memset(longest, 'n', 255);
	longest[255] = '\0';
	edit_dir(x->edit->w, longest);
	snprintf(path, sizeof(path), "%s/%.40s", longest, longest);
	edit_file(x->edit->w, path, "below");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		edit_file(x->edit->w, names[i], names[i]);
	assert_ok(extraction_run(x), &x->err);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "out/%s", names[i]);
		assert_content(path, names[i]);
	}
	snprintf(path, sizeof(path), "out/%s/%.40s", longest, longest);
	assert_content(path, "below");
}

static void links_lead_where_they_led(void **state)
{
	static const char *const targets[] = {"/etc/passwd", "../../../..", ".", "gone/for/good",
					      "slash/",	     "\xff",	    "/"};
	struct extraction *x = *state;
	char path[32], name[32];

	for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
		snprintf(name, sizeof(name), "l%zu", i);
		edit_symlink(x->edit->w, name, targets[i]);
	}
	edit_symlink(x->edit->w, "dev", "/dev");
	edit_symlink(x->edit->w, "proc", "/proc");
	assert_ok(extraction_run(x), &x->err);
	for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
		snprintf(path, sizeof(path), "out/l%zu", i);
		assert_target(path, targets[i]);
	}
	assert_target("out/dev", "/dev");
}

static void the_mask_of_the_process_does_not_matter(void **state)
{
	struct extraction *x = *state;
	mode_t old;
	int rc;

	extraction_make(x, "d", S_IFDIR | 0775);
	extraction_make(x, "f", S_IFREG | 0666);
	extraction_make(x, "p", S_IFIFO | 0622);
	old = umask(0077);
	rc = extraction_run(x);
	umask(old);
	assert_ok(rc, &x->err);
	assert_int_equal(scratch_mode("out/d"), S_IFDIR | 0775);
	assert_int_equal(scratch_mode("out/f"), S_IFREG | 0666);
	assert_int_equal(scratch_mode("out/p"), S_IFIFO | 0622);
}

static void devices_are_empty_files_and_owners_are_ours(void **state)
{
	struct extraction *x = *state;
	struct stat st;

	extraction_make(x, "blk", S_IFBLK | 0660);
	extraction_make(x, "chr", S_IFCHR | 0666);
	extraction_make(x, "sock", S_IFSOCK | 0755);
	extraction_make(x, "file", S_IFREG | 0644);
	extraction_meta(x, "chr", (struct ext4_meta){.mode = 0666, .gid = 5, .mtime = {3, 4}});
	extraction_meta(x, "file", (struct ext4_meta){.mode = 0644, .uid = 1000});
	assert_ok(extraction_run(x), &x->err);
	assert_int_equal(lstat("out/chr", &st), 0);
	assert_int_equal(st.st_mode, S_IFREG);
	assert_int_equal(st.st_size, 0);
	assert_int_equal(st.st_mtim.tv_sec, 3);
	assert_int_equal(scratch_mode("out/blk"), S_IFREG);
	assert_int_equal(scratch_mode("out/sock"), S_IFSOCK | 0755);
	assert_int_equal(lstat("out/file", &st), 0);
	assert_int_equal(st.st_uid, geteuid());
	assert_int_equal(x->lost.of[EXT4_LOST_DEVICE].n, 2);
	assert_string_equal(x->lost.of[EXT4_LOST_DEVICE].first, "blk");
	assert_int_equal(x->lost.of[EXT4_LOST_OWNER].n, 2);
	assert_string_equal(x->lost.of[EXT4_LOST_OWNER].first, "chr");
}

/* --- what is in the way ----------------------------------------------------------------------- */

static void what_is_in_the_folder_is_neither_replaced_nor_followed(void **state)
{
	static const char *const names[] = {"file", "dir", "link", "pipe", "node"};
	struct extraction *x = *state;
	struct stat before, after;
	char path[32];

	extraction_make(x, "dir", S_IFDIR | 0755);
	edit_file(x->edit->w, "dir/inner", "inner");
	edit_file(x->edit->w, "file", "new");
	edit_symlink(x->edit->w, "link", "target");
	extraction_make(x, "node", S_IFCHR | 0666);
	extraction_make(x, "pipe", S_IFIFO | 0644);
	edit_finish(steal(&x->edit->w));
	scratch_mkdir("outside", 0755);
	scratch_write("outside/file", "old");
	assert_int_equal(stat("outside", &before), 0);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		scratch_mkdir("out", 0755);
		snprintf(path, sizeof(path), "out/%s", names[i]);
		assert_int_equal(symlink(i == 1 ? "../outside" : "../outside/file", path), 0);
		assert_int_equal(extraction_into(&x->edit->v->volume, "out", &x->lost, &x->err),
				 -1);
		assert_error(&x->err, ERR_UNSUPPORTED, "the name is there already");
		assert_error(&x->err, ERR_UNSUPPORTED, names[i]);
		assert_content("outside/file", "old");
		assert_int_equal(stat("outside", &after), 0);
		assert_memory_equal(&before.st_ctim, &after.st_ctim, sizeof(before.st_ctim));
		assert_int_equal(system("rm -rf out"), 0);
	}
}

/* --- hostile file systems --------------------------------------------------------------------- */

/* Where the name of an entry of the root directory is, on the volume of the sample. */
static uint64_t name_offset(const struct ext4_sample *s, const char *name)
{
	struct ext4_sample_block b;
	uint8_t block[4096];
	struct error err;

	for (size_t i = 0; i < s->n; i++) {
		b = s->blocks[i];
		if (b.kind != SAMPLE_DIRECTORY || b.inode != EXT4_ROOT_INODE)
			continue;
		assert_ok(thin_volume_read(&s->v->volume, block, sizeof(block), b.block * 4096,
					   &err),
			  &err);
		for (size_t at = 0; at + 8 < sizeof(block);) {
			size_t len = (size_t)block[at + 4] | (size_t)block[at + 5] << 8;

			if (block[at + 6] == strlen(name)
			    && memcmp(block + at + 8, name, strlen(name)) == 0)
				return b.block * 4096 + at + 8;
			at += len;
		}
	}
	fail_msg("no %s", name);
	return 0;
}

static void a_name_that_is_no_name_never_comes_through(void **state)
{
	static const struct {
		const char *old, *new;
		int rc;
	} cases[] = {
		{"e", "/", -1},	       {"big", "../", -1},  {"big", "a/b", -1},
		{"big", "\0xx", -1},   {"chr", "x/..", -1}, {"slow", "/etc", -1},
		{"e", "a", -1}, /* twice */
		{"empty", "/e/f", -1},
	};
	struct ext4_sample whole = ext4_sample_make();
	struct extraction *x = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ext4_sample s = ext4_sample_copy(&whole);

		assert_ok(thin_volume_write(&s.v->volume, cases[i].new, strlen(cases[i].old),
					    name_offset(&s, cases[i].old), &x->err),
			  &x->err);
		ext4_sample_sign(&s);
		scratch_mkdir("inner", 0755);
		scratch_mkdir("inner/out", 0755);
		assert_int_equal(extraction_into(&s.v->volume, "inner/out", &x->lost, &x->err), -1);
		assert_int_equal(x->err.kind, ERR_INCONSISTENT);
		assert_int_equal(system("rm -rf inner/out && rmdir inner"), 0);
		memory_volume_free(s.v);
	}
	memory_volume_free(whole.v);
}

static void a_second_dot_dot_never_comes_through(void **state)
{
	struct ext4_sample s = ext4_sample_make();
	struct extraction *x = *state;
	uint64_t at = name_offset(&s, "e");

	/* "e" is one letter: its length, two bytes in front of it, grows */
	assert_ok(thin_volume_write(&s.v->volume, "\2", 1, at - 2, &x->err), &x->err);
	assert_ok(thin_volume_write(&s.v->volume, "..", 2, at, &x->err), &x->err);
	ext4_sample_sign(&s);
	scratch_mkdir("inner", 0755);
	scratch_mkdir("inner/out", 0755);
	assert_int_equal(extraction_into(&s.v->volume, "inner/out", &x->lost, &x->err), -1);
	assert_error(&x->err, ERR_INCONSISTENT, "one more '.' or '..'");
	memory_volume_free(s.v);
}

static void a_root_that_is_no_folder_is_refused(void **state)
{
	struct extraction *x = *state;

	extraction_debugfs(x, "set_inode_field <2> mode 0100644");
	assert_int_equal(extraction_run(x), -1);
	assert_error(&x->err, ERR_INCONSISTENT, "root is not a directory");
}

static void an_inode_that_counts_one_name_has_one(void **state)
{
	struct extraction *x = *state;

	edit_file(x->edit->w, "a", "text");
	edit_link(x->edit->w, "b", "a");
	extraction_debugfs(x, "set_inode_field /a links_count 1");
	assert_int_equal(extraction_run(x), -1);
	assert_error(&x->err, ERR_INCONSISTENT, "entry b: inode");
	assert_error(&x->err, ERR_INCONSISTENT, "more names than it counts");
}

/* --- the host while it goes on ---------------------------------------------------------------- */

/* A volume that does something at its n-th read. */
struct meddling {
	struct thin_volume volume;
	struct thin_volume *below;
	unsigned reads_left;
	bool done;
};

static int meddling_read(struct thin_volume *v, void *buf, size_t len, uint64_t offset,
			 struct error *err)
{
	struct meddling *m = (struct meddling *)v;

	if (!m->done && m->reads_left-- == 0) {
		m->done = true;
		if (rename("out/d", "elsewhere") == 0)
			assert_int_equal(symlink("../outside", "out/d"), 0);
	}
	return thin_volume_read(m->below, buf, len, offset, err);
}

static int meddling_next(struct thin_volume *v, uint64_t offset, uint64_t *ret_offset,
			 uint64_t *ret_len, struct error *err)
{
	return thin_volume_next_mapped(((struct meddling *)v)->below, offset, ret_offset, ret_len,
				       err);
}

static void meddling_close(struct thin_volume *v)
{
	(void)v;
}

static void fill_for_meddling(struct ext4_writer *w)
{
	edit_dir(w, "d");
	edit_dir(w, "d/e");
	edit_bytes(w, "d/e/f", 1000, 1);
	edit_bytes(w, "d/g", 1000, 2);
	edit_bytes(w, "d/h", 1000, 3);
	edit_link(w, "z", "d/g");
	edit_bytes(w, "zz", 1000, 4);
}

static size_t count_names(const char *path)
{
	DIR *d = opendir(path);
	size_t n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

/* Another process of the same user swaps a folder for a link: nothing goes through it. */
static void a_folder_swapped_for_a_link_at_any_moment_leads_nowhere(void **state)
{
	static const struct thin_volume_ops ops = {.read = meddling_read,
						   .next_mapped = meddling_next,
						   .close = meddling_close};
	struct extraction *x = *state;
	struct meddling m = {.done = true};
	unsigned swapped = 0;

	fill_for_meddling(x->edit->w);
	edit_finish(steal(&x->edit->w));
	scratch_mkdir("outside", 0750);
	for (unsigned n = 0; m.done; n++) {
		m = (struct meddling){.volume = x->edit->v->volume,
				      .below = &x->edit->v->volume,
				      .reads_left = n};
		m.volume.ops = &ops;
		scratch_mkdir("out", 0755);
		(void)!extraction_into(&m.volume, "out", &x->lost, &x->err);
		assert_int_equal(count_names("outside"), 0);
		assert_int_equal(scratch_mode("outside"), S_IFDIR | 0750);
		swapped += scratch_exists("elsewhere");
		assert_int_equal(system("rm -rf out elsewhere"), 0);
	}
	assert_true(swapped > 3);
}

static void a_signal_ends_it(void **state)
{
	struct extraction *x = *state;
	pid_t child;
	int status;

	edit_bytes(x->edit->w, "f", 1 << 20, 1);
	edit_finish(steal(&x->edit->w));
	scratch_mkdir("out", 0755);
	child = fork();
	if (child == 0) {
		interrupt_install();
		raise(SIGTERM);
		if (extraction_into(&x->edit->v->volume, "out", &x->lost, &x->err) == 0)
			_exit(1);
		_exit(x->err.kind == ERR_INTERRUPTED ? 0 : 2);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void nobody_else_gets_in_before_the_end(void **state)
{
	struct extraction *x = *state;

	extraction_make(x, "suid", S_IFREG | 04755);
	edit_bytes(x->edit->w, "z", 1 << 20, 1);
	edit_finish(steal(&x->edit->w));
	memory_volume_reset_counts(x->edit->v);
	scratch_mkdir("first", 0777);
	assert_ok(extraction_into(&x->edit->v->volume, "first", &x->lost, &x->err), &x->err);
	scratch_mkdir("out", 0777);
	x->edit->v->fail_read = x->edit->v->counts.reads - 1; /* in the middle of z */
	assert_int_equal(extraction_into(&x->edit->v->volume, "out", &x->lost, &x->err), -1);
	assert_error(&x->err, ERR_SYSTEM, "injected fault");
	assert_error(&x->err, ERR_SYSTEM, "entry z");
	assert_int_equal(scratch_mode("out"), S_IFDIR | 0700);
	assert_int_equal(scratch_mode("out/suid"), S_IFREG | 04755);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define WITH_TREE(f) cmocka_unit_test_setup_teardown(f, extraction_set_up, extraction_tear_down)
		WITH_TREE(the_sample_comes_out_whole),
		WITH_TREE(an_empty_file_system_is_an_empty_folder),
		WITH_TREE(names_are_any_bytes),
		WITH_TREE(links_lead_where_they_led),
		WITH_TREE(the_mask_of_the_process_does_not_matter),
		WITH_TREE(devices_are_empty_files_and_owners_are_ours),
		WITH_TREE(what_is_in_the_folder_is_neither_replaced_nor_followed),
		WITH_TREE(a_name_that_is_no_name_never_comes_through),
		WITH_TREE(a_second_dot_dot_never_comes_through),
		WITH_TREE(a_root_that_is_no_folder_is_refused),
		WITH_TREE(an_inode_that_counts_one_name_has_one),
		WITH_TREE(a_folder_swapped_for_a_link_at_any_moment_leads_nowhere),
		WITH_TREE(a_signal_ends_it),
		WITH_TREE(nobody_else_gets_in_before_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
