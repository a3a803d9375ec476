/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changesets onto one another: each case is a few layers and the tree that must come out, written
 * as "TYPE MODE PATH" lines. Numbers in the names are those of the rules in oci/README.md.
 */
#include "oci/layer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "pkg/base/alloc.h"
#include "pkg/base/log.h"
#include "pkg/ext4/base.h"
#include "pkg/ext4/read.h"
#include "tests/support/cmocka.h"
#include "tests/support/memory_volume.h"
#include "tests/support/tarball.h"

#define VOLUME_BYTES (UINT64_C(64) << 20)

/* One member of a layer; a type of 0 ends the layer, a layer that starts with 0 ends the case. */
struct member {
	char type;
	const char *path;
	const char *text;
	unsigned mode;
};

struct layers {
	struct member m[6][10];
};

static struct memory_volume *volume;
static struct error err;

static int make_volume(void **state)
{
	(void)state;
	volume = memory_volume_new(VOLUME_BYTES, 0);
	assert_ok(ext4_base_create(&volume->volume, &(struct ext4_base_params){0}, &err), &err);
	return 0;
}

static int free_volume(void **state)
{
	(void)state;
	memory_volume_free(volume);
	return 0;
}

/* --- applying --------------------------------------------------------------------------------- */

static unsigned default_mode(char type)
{
	return type == '5' ? 0750 : 0640;
}

static int apply_tar(const struct buffer *tar)
{
	static const uint8_t uuid[16] = {1};
	struct stream *in = stream_from_memory(tar->data, tar->len);
	cleanup(ext4_tree_free_ptr) struct ext4_tree *tree = ext4_tree_new();
	cleanup(tar_reader_close_ptr) struct tar_reader *reader = NULL;
	cleanup(ext4_writer_abort_ptr) struct ext4_writer *fs = NULL;
	struct layer_totals totals;

	assert_ok(tar_reader_open(&in, &reader, &err), &err);
	assert_ok(ext4_writer_open(&volume->volume, tree, uuid, &fs, &err), &err);
	if (layer_apply(reader, fs, &totals, &err) < 0 || tar_reader_finish(reader, &err) < 0)
		return -1;
	return ext4_writer_finish(&fs, &err);
}

static int apply_layer(const struct member *m, bool reversed)
{
	cleanup_buffer struct buffer tar = {0};
	size_t n = 0;

	while (m[n].type)
		n++;
	for (size_t i = 0; i < n; i++) {
		const struct member *one = &m[reversed ? n - 1 - i : i];

		tarball_add(&tar, one->type, one->path,
			    one->mode ? one->mode : default_mode(one->type), one->text);
	}
	tarball_end(&tar);
	return apply_tar(&tar);
}

static int apply(const struct layers *l)
{
	for (size_t i = 0; i < ARRAY_SIZE(l->m) && l->m[i][0].type; i++)
		if (apply_layer(l->m[i], false) < 0)
			return -1;
	return 0;
}

/* --- comparing -------------------------------------------------------------------------------- */

struct listing {
	struct ext4_reader *reader;
	struct buffer text;
};

static int list_content(struct listing *l, const struct ext4_stat *st)
{
	char data[64];
	size_t n;

	if (S_ISLNK(st->meta.mode)) {
		buffer_printf(&l->text, " -> ");
		return ext4_reader_readlink(l->reader, st->inode, &l->text, &err);
	}
	if (!S_ISREG(st->meta.mode) || !st->size_bytes)
		return 0;
	if (ext4_reader_read(l->reader, st->inode, data, sizeof(data), 0, &n, &err) < 0)
		return -1;
	buffer_printf(&l->text, " = %.*s", (int)n, data);
	return 0;
}

static int list_one(const char *path, const struct ext4_stat *st, void *arg, struct error *e)
{
	static const char types[] = "?pc?d?b?f?l?s???";
	struct listing *l = arg;

	(void)e;
	if (!*path)
		return 0;
	buffer_printf(&l->text, "%c %04o %s", types[st->meta.mode >> 12 & 15],
		      st->meta.mode & 07777, path);
	if (!S_ISDIR(st->meta.mode) && st->links > 1)
		buffer_printf(&l->text, " (%u)", st->links);
	if (list_content(l, st) < 0)
		return -1;
	buffer_printf(&l->text, "\n");
	return 0;
}

static char *list_tree(void)
{
	cleanup(ext4_reader_close_ptr) struct ext4_reader *reader = NULL;
	struct listing l = {0};

	assert_ok(ext4_reader_open(&volume->volume, &reader, &err), &err);
	l.reader = reader;
	buffer_add(&l.text, "", 0);
	assert_ok(ext4_reader_walk(reader, list_one, &l, &err), &err);
	return buffer_detach(&l.text);
}

static void check(const struct layers *l, const char *want)
{
	cleanup_free char *have = NULL;

	assert_ok(apply(l), &err);
	have = list_tree();
	assert_string_equal(have, want);
}

static void check_refused(const struct layers *l, const char *cause)
{
	assert_int_equal(apply(l), -1);
	assert_error(&err, ERR_INVALID, cause);
}

/* The last layer must give the same tree whichever way round its members stand. */
static void check_any_order(const struct layers *l, const char *want)
{
	size_t last = 0;

	while (last + 1 < ARRAY_SIZE(l->m) && l->m[last + 1][0].type)
		last++;
	for (int reversed = 0; reversed < 2; reversed++) {
		cleanup_free char *have = NULL;

		free_volume(NULL);
		make_volume(NULL);
		for (size_t i = 0; i < last; i++)
			assert_ok(apply_layer(l->m[i], false), &err);
		assert_ok(apply_layer(l->m[last], reversed), &err);
		have = list_tree();
		assert_string_equal(have, want);
	}
}

/* --- cases ------------------------------------------------------------------------------------ */

static void a28_a_hard_link_keeps_the_attributes_of_its_target(void **state)
{
	static const struct layers l = {{
		{{'0', "a", "x", 0644}},
		{{'1', "b", "a", 0777}},
	}};

	(void)state;
	check(&l, "f 0644 a (2) = x\nf 0644 b (2) = x\n");
}

static void a24_a_hard_link_needs_its_target(void **state)
{
	static const struct layers l = {{{{'1', "b", "a", 0}, {'0', "a", "x", 0}}}};

	(void)state;
	check_refused(&l, "hard link to a, which is not there");
}

static void a26_a_hard_link_to_a_folder_is_refused(void **state)
{
	static const struct layers l = {{{{'5', "d", NULL, 0}, {'1', "b", "d", 0}}}};

	(void)state;
	check_refused(&l, "which is a folder");
}

static void a25_a_hard_link_to_a_symlink_is_a_second_name_of_it(void **state)
{
	static const struct layers l = {
		{{{'2', "l", "/etc/shadow", 0}, {'1', "m", "l", 0}, {'1', "n", "./l", 0}}}};

	(void)state;
	check(&l, "l 0777 l (3) -> /etc/shadow\nl 0777 m (3) -> /etc/shadow\n"
		  "l 0777 n (3) -> /etc/shadow\n");
}

static void a30_a_hard_link_to_itself_is_refused(void **state)
{
	static const struct layers l = {{{{'0', "a", "x", 0}, {'1', "a", "a", 0}}}};

	(void)state;
	check_refused(&l, "which is itself");
}

static void a_hard_link_that_would_replace_its_target_is_refused(void **state)
{
	static const struct layers l = {{{{'0', "d/f", "x", 0}, {'1', "d", "d/f", 0}}}};

	(void)state;
	check_refused(&l, "which it would replace");
}

static void a31_a_folder_over_a_folder_keeps_its_children(void **state)
{
	static const struct layers l = {
		{{{'5', "d", NULL, 0}, {'0', "d/a", "x", 0}}, {{'5', "d", NULL, 0711}}}};

	(void)state;
	check(&l, "d 0711 d\nf 0640 d/a = x\n");
}

static void a32_replacing_one_name_leaves_the_other_links_alone(void **state)
{
	static const struct layers l = {
		{{{'0', "a", "old", 0}, {'1', "b", "a", 0}}, {{'0', "a", "new", 0}}}};

	(void)state;
	check(&l, "f 0640 a = new\nf 0640 b = old\n");
}

static void a33_a_file_over_a_folder_takes_the_whole_subtree(void **state)
{
	static const struct layers l = {{{{'0', "d/e/f", "x", 0}}, {{'0', "d", "file", 0}}}};

	(void)state;
	check(&l, "f 0640 d = file\n");
}

static void a34_a_folder_over_a_symlink_replaces_it(void **state)
{
	static const struct layers l = {
		{{{'5', "usr/lib", NULL, 0}, {'2', "lib", "usr/lib", 0}}, {{'5', "lib", NULL, 0}}}};

	(void)state;
	check(&l, "d 0750 lib\nd 0755 usr\nd 0750 usr/lib\n");
}

static void a36_a_file_over_a_symlink_does_not_write_through_it(void **state)
{
	static const struct layers l = {
		{{{'0', "t", "target", 0}, {'2', "l", "t", 0}}, {{'0', "l", "new", 0}}}};

	(void)state;
	check(&l, "f 0640 l = new\nf 0640 t = target\n");
}

static void a37_parents_that_are_symlinks_are_followed_inside(void **state)
{
	static const struct layers l = {{{
		{'5', "usr/bin", NULL, 0},
		{'2', "bin", "usr/bin", 0},
		{'2', "abs", "/usr/bin", 0},
		{'2', "up", "../../../usr/bin", 0},
		{'0', "bin/a", "1", 0},
		{'0', "abs/b", "2", 0},
		{'0', "up/c", "3", 0},
	}}};

	(void)state;
	check(&l, "l 0777 abs -> /usr/bin\nl 0777 bin -> usr/bin\nl 0777 up -> ../../../usr/bin\n"
		  "d 0755 usr\nd 0750 usr/bin\nf 0640 usr/bin/a = 1\nf 0640 usr/bin/b = 2\n"
		  "f 0640 usr/bin/c = 3\n");
}

static void a37_a_loop_of_symlinks_is_refused(void **state)
{
	static const struct layers l = {
		{{{'2', "a", "b", 0}, {'2', "b", "a", 0}, {'0', "a/f", "x", 0}}}};

	(void)state;
	check_refused(&l, "more than 40 symlinks");
}

static void a38_below_a_dangling_symlink_its_target_is_made(void **state)
{
	static const struct layers l = {{{{'2', "l", "no/where", 0}, {'0', "l/f", "x", 0}}}};

	(void)state;
	check(&l, "l 0777 l -> no/where\nd 0755 no\nd 0755 no/where\nf 0640 no/where/f = x\n");
}

static void a39_a_file_as_a_parent_is_refused(void **state)
{
	static const struct layers l = {{{{'0', "f", "x", 0}, {'0', "f/g", "y", 0}}}};

	(void)state;
	check_refused(&l, "entry f/g: its parent \"f\" is not a folder");
}

static void a43_of_two_entries_with_one_name_the_last_wins(void **state)
{
	static const struct layers l = {
		{{{'0', "a", "1", 0}, {'2', "a", "x", 0}, {'0', "a", "3", 0600}}}};

	(void)state;
	check(&l, "f 0600 a = 3\n");
}

static void a44_a_whiteout_removes_lower_names_of_any_type(void **state)
{
	static const struct layers l = {
		{{{'0', "d/e/f", "x", 0}, {'2', "l", "d", 0}, {'6', "p", 0, 0}},
		 {{'0', ".wh.d", NULL, 0},
		  {'0', ".wh.l", NULL, 0},
		  {'5', ".wh.p", NULL, 0},
		  {'0', ".wh.none", NULL, 0},
		  {'0', "no/.wh.x", NULL, 0}}}};

	(void)state;
	check(&l, "");
}

static void a45_a_name_added_by_the_same_layer_stays(void **state)
{
	static const struct layers l = {
		{{{'0', "a", "old", 0}}, {{'0', "a", "new", 0}, {'0', ".wh.a", NULL, 0}}}};

	(void)state;
	check_any_order(&l, "f 0640 a = new\n");
}

static void a46_of_a_whited_out_folder_what_the_layer_brings_stays(void **state)
{
	static const struct layers l = {{{{'5', "d", NULL, 0700}, {'0', "d/old", "x", 0}},
					 {{'0', "d/new", "y", 0}, {'0', ".wh.d", NULL, 0}}}};

	(void)state;
	/* The lower folder is gone, so the one that stays has the attributes of a new one. */
	check_any_order(&l, "d 0755 d\nf 0640 d/new = y\n");
}

static void a47_opaque_spares_what_the_layer_brings_with_its_parents(void **state)
{
	static const struct layers l = {
		{{{'5', "d", NULL, 0700},
		  {'5', "d/sub", NULL, 0700},
		  {'0', "d/sub/old", "x", 0},
		  {'0', "d/old", "x", 0}},
		 {{'0', "d/sub/deep/new", "y", 0}, {'0', "d/.wh..wh..opq", NULL, 0}}}};

	(void)state;
	check_any_order(&l, "d 0700 d\nd 0755 d/sub\nd 0755 d/sub/deep\n"
			    "f 0640 d/sub/deep/new = y\n");
}

static void a49_opaque_on_the_root_empties_it(void **state)
{
	static const struct layers l = {{{{'0', "a/b", "x", 0}, {'0', "c", "x", 0}},
					 {{'0', "a/new", "y", 0}, {'0', ".wh..wh..opq", 0, 0}}}};

	(void)state;
	check_any_order(&l, "d 0755 a\nf 0640 a/new = y\n");
}

static void a49_markers_in_a_missing_folder_make_nothing(void **state)
{
	static const struct layers l = {
		{{{'0', "no/.wh..wh..opq", NULL, 0}, {'0', "nope/.wh.x", NULL, 0}}}};

	(void)state;
	check(&l, "");
}

static void a52_a_whiteout_of_a_symlink_leaves_its_target(void **state)
{
	static const struct layers l = {
		{{{'0', "d/f", "x", 0}, {'2', "l", "d", 0}}, {{'0', ".wh.l", NULL, 0}}}};

	(void)state;
	check(&l, "d 0755 d\nf 0640 d/f = x\n");
}

static void a52_a_whiteout_below_a_symlinked_folder_acts_in_the_target(void **state)
{
	static const struct layers l = {
		{{{'0', "d/f", "x", 0}, {'2', "l", "/d", 0}}, {{'0', "l/.wh.f", NULL, 0}}}};

	(void)state;
	check(&l, "d 0755 d\nl 0777 l -> /d\n");
}

static void a05_the_root_can_only_be_a_folder(void **state)
{
	static const struct layers l = {{{{'2', ".", "/etc", 0}}}};

	(void)state;
	check_refused(&l, "the root can only be a folder");
}

static void a04_an_entry_for_the_root_sets_its_attributes(void **state)
{
	cleanup(ext4_reader_close_ptr) struct ext4_reader *reader = NULL;
	static const struct layers l = {{{{'5', "./", NULL, 0555}}}};
	struct ext4_stat st;

	(void)state;
	check(&l, "");
	assert_ok(ext4_reader_open(&volume->volume, &reader, &err), &err);
	assert_ok(ext4_reader_stat(reader, EXT4_ROOT_INODE, &st, &err), &err);
	assert_int_equal(st.meta.mode & 07777, 0555);
	assert_int_equal(st.meta.uid, 1000);
	assert_int_equal(st.meta.mtime.sec, 1700000000);
}

static void a20_devices_come_out_as_given(void **state)
{
	static const struct layers l = {{{{'3', "null", NULL, 0666}, {'6', "fifo", NULL, 0600}},
					 {{'0', "null", "a file now", 0}}}};

	(void)state;
	check(&l, "p 0600 fifo\nf 0640 null = a file now\n");
}

static char warning[256];
static unsigned warnings;

static void keep_warning(enum log_level level, const char *text)
{
	(void)level;
	snprintf(warning, sizeof(warning), "%s", text);
	warnings++;
}

/* Give the member that was added last the time 2^40, as tars write what is too large for octal. */
static void add_far_time(struct buffer *tar)
{
	static const uint8_t far[12] = {0x80, 0, 0, 0, 0, 0, 1};
	uint8_t *header = tar->data + tar->len - 512;
	unsigned sum = 0;

	memcpy(header + 136, far, sizeof(far));
	memset(header + 148, ' ', 8);
	for (size_t i = 0; i < 512; i++)
		sum += header[i];
	snprintf((char *)header + 148, 8, "%06o", sum);
}

static void a60_times_that_cannot_be_are_told_once_a_layer(void **state)
{
	cleanup_buffer struct buffer tar = {0};

	(void)state;
	tarball_add(&tar, '5', "near", 0755, NULL);
	tarball_add(&tar, '5', "far", 0755, NULL);
	add_far_time(&tar);
	tarball_add(&tar, '6', "far/pipe", 0644, NULL);
	add_far_time(&tar);
	tarball_end(&tar);
	log_set_sink(keep_warning, LOG_LEVEL_WARNING);
	assert_ok(apply_tar(&tar), &err);
	log_set_sink(NULL, LOG_LEVEL_WARNING);
	assert_int_equal(warnings, 1);
	assert_non_null(strstr(warning, "2 entries have a time"));
	assert_string_equal(strrchr(warning, ' '), " far");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, make_volume, free_volume)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a04_an_entry_for_the_root_sets_its_attributes),
		CASE(a05_the_root_can_only_be_a_folder),
		CASE(a20_devices_come_out_as_given),
		CASE(a24_a_hard_link_needs_its_target),
		CASE(a25_a_hard_link_to_a_symlink_is_a_second_name_of_it),
		CASE(a26_a_hard_link_to_a_folder_is_refused),
		CASE(a28_a_hard_link_keeps_the_attributes_of_its_target),
		CASE(a30_a_hard_link_to_itself_is_refused),
		CASE(a_hard_link_that_would_replace_its_target_is_refused),
		CASE(a31_a_folder_over_a_folder_keeps_its_children),
		CASE(a32_replacing_one_name_leaves_the_other_links_alone),
		CASE(a33_a_file_over_a_folder_takes_the_whole_subtree),
		CASE(a34_a_folder_over_a_symlink_replaces_it),
		CASE(a36_a_file_over_a_symlink_does_not_write_through_it),
		CASE(a37_parents_that_are_symlinks_are_followed_inside),
		CASE(a37_a_loop_of_symlinks_is_refused),
		CASE(a38_below_a_dangling_symlink_its_target_is_made),
		CASE(a39_a_file_as_a_parent_is_refused),
		CASE(a43_of_two_entries_with_one_name_the_last_wins),
		CASE(a44_a_whiteout_removes_lower_names_of_any_type),
		CASE(a45_a_name_added_by_the_same_layer_stays),
		CASE(a46_of_a_whited_out_folder_what_the_layer_brings_stays),
		CASE(a47_opaque_spares_what_the_layer_brings_with_its_parents),
		CASE(a49_markers_in_a_missing_folder_make_nothing),
		CASE(a49_opaque_on_the_root_empties_it),
		CASE(a52_a_whiteout_below_a_symlinked_folder_acts_in_the_target),
		CASE(a52_a_whiteout_of_a_symlink_leaves_its_target),
		CASE(a60_times_that_cannot_be_are_told_once_a_layer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
