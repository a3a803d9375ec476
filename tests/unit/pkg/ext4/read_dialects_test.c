/* SPDX-License-Identifier: Apache-2.0 */
/* File systems that mke2fs makes with other features than ours: read as they are, or refused. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "pkg/base/alloc.h"
#include "pkg/digest/digest.h"
#include "pkg/ext4/read.h"
#include "tests/support/cmocka.h"
#include "tests/support/e2fsprogs.h"

#define MAKE_TREE                                                                            \
	"mkdir -p tree/a/b/c tree/many tree/empty && cd tree && echo hello >a/file &&"       \
	"ln a/file a/b/hard && ln -s ../file a/b/link && ln -s /$(printf %%0150d 7) long &&" \
	"ln -s /$(printf %%01000d 7) longer && mkfifo fifo && seq 1 20000 >numbers &&"       \
	"truncate -s 5M sparse && echo x >>sparse && echo tiny >tiny && : >nothing &&"       \
	"for i in $(seq 1 300); do echo $i >many/a.name.that.is.not.short.$i; done"

/* --- a tree as text --------------------------------------------------------------------------- */

static int describe_content(struct ext4_reader *r, const struct ext4_stat *st, struct buffer *text,
			    struct error *err)
{
	cleanup_free uint8_t *content = xcalloc(st->size_bytes + 1, 1);
	char name[DIGEST_TEXT_BYTES];
	struct digest d;
	size_t n;

	if (ext4_reader_read(r, st->inode, content, st->size_bytes, 0, &n, err) < 0)
		return -1;
	digest_of(DIGEST_SHA256, content, n, &d);
	buffer_printf(text, " %zu %s", n, digest_format(&d, name));
	return 0;
}

struct listing {
	struct ext4_reader *r;
	struct buffer text;
};

static int describe(const char *path, const struct ext4_stat *st, void *arg, struct error *err)
{
	struct listing *l = arg;

	if (strcmp(path, "lost+found") == 0)
		return 0;
	buffer_printf(&l->text, "%s %o", path, st->meta.mode);
	if (S_ISREG(st->meta.mode) && describe_content(l->r, st, &l->text, err) < 0)
		return -1;
	if (S_ISLNK(st->meta.mode) && ext4_reader_readlink(l->r, st->inode, &l->text, err) < 0)
		return -1;
	buffer_printf(&l->text, " x%u\n", S_ISDIR(st->meta.mode) ? 0 : st->links);
	return 0;
}

/* Owned; NULL with an error. */
static char *list(struct memory_volume *v, struct error *err)
{
	cleanup(ext4_reader_close_ptr) struct ext4_reader *r = NULL;
	struct listing l = {0};

	if (ext4_reader_open(&v->volume, &r, err) < 0)
		return NULL;
	l.r = r;
	if (ext4_reader_walk(r, describe, &l, err) < 0) {
		buffer_release(&l.text);
		return NULL;
	}
	return buffer_detach(&l.text);
}

/* --- the dialects ----------------------------------------------------------------------------- */

static struct memory_volume *make(const char *options, const char *then)
{
	cleanup_free char *out = NULL;

	if (command_run(&out,
			"rm -f image && mke2fs -q -FF %s -E root_owner=$(id -u):$(id -g) -d tree "
			"image 64M && %s",
			options, then)
	    != 0)
		fail_msg("mke2fs %s: %s", options, out);
	return memory_volume_load("image", 0);
}

static void all_that_is_the_same_to_us_is_read(void **state)
{
	static const char *const options[] = {
		"-t ext4 -b 1024",
		"-t ext4 -b 2048",
		"-t ext4 -b 65536",
		"-t ext4 -I 128",
		"-t ext4 -I 1024",
		"-t ext4 -g 256",
		"-t ext4 -O ^has_journal",
		"-t ext4 -O ^64bit",
		"-t ext4 -O ^flex_bg",
		"-t ext4 -O ^dir_index",
		"-t ext4 -O meta_bg,^resize_inode",
		"-t ext4 -O mmp",
		"-t ext4 -O metadata_csum_seed,large_dir,ea_inode",
		"-t ext4 -O sparse_super2",
		"-t ext4 -O bigalloc -C 16384",
		"-t ext4 -O quota,project",
		"-t ext4 -O orphan_file",
		"-t ext4 -O encrypt,stable_inodes,verity",
	};
	cleanup_free char *want = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		struct memory_volume *v = make(options[i], "true");
		struct error err = {0};
		char *got = list(v, &err);

		if (!got)
			fail_msg("%s: %s %s", options[i], err.context, err.cause);
		if (!want)
			want = got;
		else if (strcmp(got, want) != 0)
			fail_msg("%s: another tree:\n%s", options[i], got);
		if (got != want)
			free(got);
		memory_volume_free(v);
	}
	/* read_test.c compares with the folder itself */
	assert_non_null(strstr(want, "a/file 100644 6 sha256:5891b5b522d5df086d0ff0b110fbd9d21bb4f"
				     "c7163af34d08286a2e846f6be03 x2\n"));
}

static void all_else_is_unsupported_and_no_damage(void **state)
{
	static const struct {
		const char *options, *then, *text;
	} cases[] = {
		{"-t ext2", "true", "without metadata checksums"},
		{"-t ext3", "true", "without metadata checksums"},
		{"-r 0 -O none", "true", "without file types"},
		{"-t ext4 -O ^metadata_csum", "true", "without metadata checksums"},
		{"-t ext4 -O ^filetype", "true", "without file types"},
		{"-t ext4 -O ^extent,^64bit", "true", "in indirect blocks"},
		{"-t ext4 -O inline_data", "true", "data that is inline"},
		{"-t ext4 -O casefold", "true", "unknown features 0x20000"},
		{"-t ext4", "debugfs -w -R 'feature needs_recovery' image 2>/dev/null",
		 "the journal has to be replayed first"},
		{"-t ext4 -O encrypt",
		 "debugfs -w -R 'set_inode_field /a flags 0x80800' image 2>/dev/null",
		 "data that is inline, encrypted"},
		{"-t ext4 -O encrypt",
		 "debugfs -w -R 'set_inode_field /tiny flags 0x80800' image 2>/dev/null",
		 "data that is inline, encrypted"},
		{"-t ext4", "mke2fs -q -FF -O journal_dev image 16M", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct memory_volume *v = make(cases[i].options, cases[i].then);
		struct error err = {0};

		if (list(v, &err))
			fail_msg("%s: it was read", cases[i].options);
		assert_error(&err, ERR_UNSUPPORTED, cases[i].text);
		memory_volume_free(v);
	}
}

static int set_up(void **state)
{
	cleanup_free char *out = NULL;

	if (scratch_set_up(state) < 0)
		return -1;
	if (command_run(&out, MAKE_TREE) != 0) {
		print_message("%s", out);
		return -1;
	}
	return 0;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_that_is_the_same_to_us_is_read),
		cmocka_unit_test(all_else_is_unsupported_and_no_damage),
	};

	return cmocka_run_group_tests(tests, set_up, scratch_tear_down);
}
