/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trees made by our writer, as tars, read back by our reader. What a tar can say at all is tested
 * in archive_test.c; here it is what of a file system goes into one.
 */
#include "oci/tree_tar.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "pkg/base/alloc.h"
#include "pkg/base/buffer.h"
#include "pkg/base/log.h"
#include "pkg/ext4/base.h"
#include "pkg/ext4/writer.h"
#include "tests/support/cmocka.h"
#include "tests/support/memory_volume.h"
#include "tests/support/tar_describe.h"

#define VOLUME_BYTES (UINT64_C(1) << 30)

static struct memory_volume *volume;
static struct ext4_tree *tree;
static struct ext4_writer *writer;
static struct buffer warnings;
static struct error err;

static void keep_warning(enum log_level level, const char *text)
{
	if (level == LOG_LEVEL_WARNING)
		buffer_printf(&warnings, "%s\n", text);
}

static int start(void **state)
{
	static const uint8_t uuid[16] = {1};

	(void)state;
	error_clear(&err);
	log_set_sink(keep_warning, LOG_LEVEL_WARNING);
	buffer_clear(&warnings);
	buffer_add(&warnings, "", 0);
	volume = memory_volume_new(VOLUME_BYTES, 0);
	assert_ok(ext4_base_create(&volume->volume, &(struct ext4_base_params){0}, &err), &err);
	tree = ext4_tree_new();
	assert_ok(ext4_writer_open(&volume->volume, tree, uuid, &writer, &err), &err);
	return 0;
}

static int end(void **state)
{
	(void)state;
	if (writer)
		ext4_writer_abort(steal(&writer));
	ext4_tree_free(tree);
	memory_volume_free(volume);
	buffer_release(&warnings);
	return 0;
}

/* --- making ----------------------------------------------------------------------------------- */

static struct ext4_node *make_in(struct ext4_node *dir, const char *name, uint32_t mode)
{
	struct ext4_meta meta = {.mode = mode, .rdev_major = 7, .rdev_minor = 300};
	struct ext4_node *node;

	assert_ok(ext4_writer_make(writer, dir, name, strlen(name), &meta, &node, &err), &err);
	return node;
}

static struct ext4_node *make(const char *name, uint32_t mode)
{
	return make_in(ext4_writer_root(writer), name, mode);
}

static struct ext4_node *make_file(const char *name, const char *text, uint64_t offset,
				   uint64_t size)
{
	struct ext4_node *node = make(name, S_IFREG | 0644);

	assert_ok(ext4_writer_data(writer, node, text, strlen(text), offset, &err), &err);
	assert_ok(ext4_writer_data_end(writer, node, size, &err), &err);
	return node;
}

static void link_in(struct ext4_node *dir, const char *name, struct ext4_node *target)
{
	struct ext4_node *node;

	assert_ok(ext4_writer_link(writer, dir, name, strlen(name), target, &node, &err), &err);
}

static void set_xattrs(struct ext4_node *node, const struct ext4_xattr *xattrs, size_t n)
{
	assert_ok(ext4_writer_set_xattrs(writer, node, xattrs, n, &err), &err);
}

/* --- exporting -------------------------------------------------------------------------------- */

static int append(const void *data, size_t len, void *arg, struct error *e)
{
	(void)e;
	buffer_add(arg, data, len);
	return 0;
}

static int export(struct buffer *tar)
{
	cleanup(ext4_reader_close_ptr) struct ext4_reader *fs = NULL;

	assert_ok(ext4_reader_open(&volume->volume, &fs, &err), &err);
	return tree_tar_write(fs, append, tar, &err);
}

/* What it is said to be before it is written; nothing is told twice for that. */
static void check_measure(const struct buffer *tar)
{
	cleanup(ext4_reader_close_ptr) struct ext4_reader *fs = NULL;
	struct digest want, got;
	uint64_t bytes;
	size_t told = warnings.len;

	assert_ok(ext4_reader_open(&volume->volume, &fs, &err), &err);
	assert_ok(tree_tar_measure(fs, &got, &bytes, &err), &err);
	digest_of(DIGEST_SHA256, tar->data, tar->len, &want);
	assert_true(digest_equal(&got, &want));
	assert_int_equal(bytes, tar->len);
	assert_int_equal(warnings.len, told);
}

static void check(const char *expected, const char *expected_warnings)
{
	cleanup_buffer struct buffer tar = {0}, again = {0};

	assert_ok(ext4_writer_finish(&writer, &err), &err);
	assert_ok(export(&tar), &err);
	assert_tar_reads(&tar, expected);
	assert_string_equal((char *)warnings.data, expected_warnings);
	assert_ok(export(&again), &err);
	assert_int_equal(tar.len, again.len);
	assert_memory_equal(tar.data, again.data, tar.len);
	check_measure(&tar);
}

#define ROOT "dir ./ mode=755\n"

/* --- cases ------------------------------------------------------------------------------------ */

static void an_empty_tree_is_its_root(void **state)
{
	(void)state;
	check(ROOT, "");
}

static void parents_come_first_and_names_in_byte_order(void **state)
{
	struct ext4_node *d;

	(void)state;
	make("b", S_IFDIR | 0700);
	d = make("a", S_IFDIR | 01777);
	make_in(d, "z", S_IFIFO | 0600);
	make_in(make_in(d, "\xff", S_IFDIR | 0755), "C:", S_IFIFO | 0644);
	make("a.b", S_IFIFO | 0644);
	check(ROOT "dir ./a/ mode=1777\n"
		   "fifo ./a/z mode=600\n"
		   "dir ./a/\\xff/ mode=755\n"
		   "fifo ./a/\\xff/C:\n"
		   "fifo ./a.b\n"
		   "dir ./b/ mode=700\n",
	      "");
}

static void every_type_has_its_member(void **state)
{
	struct ext4_meta meta = {.mode = S_IFLNK | 0777, .mtime = {-2, 500000000}};
	struct ext4_node *node;

	(void)state;
	make("block", S_IFBLK | 0644);
	make("char", S_IFCHR | 0644);
	make_file("file", "text", 0, 4);
	assert_ok(ext4_writer_symlink(writer, ext4_writer_root(writer), "link", 4, "/x/../\xff", 7,
				      &meta, &node, &err),
		  &err);
	check(ROOT "block ./block rdev=7:300\n"
		   "char ./char rdev=7:300\n"
		   "file ./file size=4 0:text\n"
		   "symlink ./link -> /x/../\\xff mode=777 mtime=-2.500000000\n",
	      "");
}

static void other_names_of_a_file_are_links_to_the_first(void **state)
{
	struct ext4_node *file, *fifo, *dir;

	(void)state;
	file = make_file("m", "text", 0, 4);
	set_xattrs(file, &(struct ext4_xattr){"user.a", "b", 1}, 1);
	fifo = make("n", S_IFIFO | 0644);
	dir = make("d", S_IFDIR | 0755);
	link_in(dir, "x", file);
	link_in(ext4_writer_root(writer), "z", file);
	link_in(ext4_writer_root(writer), "y", fifo);
	check(ROOT "dir ./d/ mode=755\n"
		   "file ./d/x size=4 xattr user.a=b 0:text\n"
		   "link ./m -> ./d/x xattr user.a=b\n"
		   "fifo ./n\n"
		   "link ./y -> ./n\n"
		   "link ./z -> ./d/x xattr user.a=b\n",
	      "");
}

static void holes_are_left_out(void **state)
{
	cleanup_buffer struct buffer tar = {0};

	(void)state;
	make_file("empty", "", 0, 0);
	make_file("end", "text", UINT64_C(60) << 30, (UINT64_C(60) << 30) + 4);
	make_file("hole", "", 0, UINT64_C(60) << 30);
	make_file("start", "text", 0, 8192);
	check(ROOT "file ./empty\n"
		   "file ./end size=64424509444 64424509440:text\n"
		   "file ./hole size=64424509440\n"
		   "file ./start size=8192 0:text"
		   "\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00"
		   "\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00"
		   "\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00"
		   "\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\n",
	      "");
	assert_ok(export(&tar), &err);
	assert_true(tar.len < 40000);
}

static void sockets_and_names_like_whiteouts_are_warned_of(void **state)
{
	struct ext4_node *d = make("d", S_IFDIR | 0755);

	(void)state;
	make_in(d, "s", S_IFSOCK | 0755);
	make_in(d, "t", S_IFSOCK | 0755);
	make(".wh.x", S_IFIFO | 0644);
	make("a.wh.x", S_IFIFO | 0644);
	check(ROOT "fifo ./.wh.x\n"
		   "fifo ./a.wh.x\n"
		   "dir ./d/ mode=755\n",
	      "./d/s and 1 more: a socket is not in the tar\n"
	      "./.wh.x: as a layer of an image, the tar would remove a file by this\n");
}

static void xattrs_beyond_what_a_tar_holds_are_warned_of(void **state)
{
	cleanup_free uint8_t *value = xcalloc(65536, 1);
	char names[20][16];
	struct ext4_xattr xattrs[20];
	cleanup_buffer struct buffer tar = {0}, text = {0};
	struct ext4_node *node = make("x", S_IFIFO | 0644);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(xattrs); i++) {
		snprintf(names[i], sizeof(names[i]), "trusted.%02zu", i);
		xattrs[i] = (struct ext4_xattr){names[i], value, 65536};
		value[0]++; /* equal values would be one */
	}
	set_xattrs(node, xattrs, ARRAY_SIZE(xattrs));
	assert_ok(ext4_writer_finish(&writer, &err), &err);
	assert_ok(export(&tar), &err);
	assert_ok(tar_describe(&tar, SIZE_MAX, &text, &err), &err);
	assert_non_null(strstr((char *)text.data, "trusted.10="));
	assert_null(strstr((char *)text.data, "trusted.11="));
	assert_string_equal((char *)warnings.data,
			    "./x: trusted.11 and 8 more: the xattr is not in "
			    "the tar, which cannot hold more of them\n");
}

/* More regions than a tar should have: the shortest holes are written as zeros. */
static void a_file_of_very_many_pieces_has_fewer_in_the_tar(void **state)
{
	enum { PIECES = 40000 };
	struct ext4_node *node = make("f", S_IFREG | 0644);
	cleanup_buffer struct buffer tar = {0}, text = {0};

	(void)state;
	for (uint64_t i = 0; i < PIECES; i++)
		assert_ok(ext4_writer_data(writer, node, "x", 1,
					   i * 8192 + (i >= PIECES / 2 ? 1 << 20 : 0), &err),
			  &err);
	assert_ok(ext4_writer_data_end(writer, node, UINT64_C(1) << 30, &err), &err);
	assert_ok(ext4_writer_finish(&writer, &err), &err);
	assert_ok(export(&tar), &err);
	assert_ok(tar_describe(&tar, SIZE_MAX, &text, &err), &err);
	assert_non_null(strstr((char *)text.data, "file ./f size=1073741824 0:x\\x00"));
	/* The one hole that is longer. */
	assert_non_null(strstr((char *)text.data, " 164888576:x"));
}

/* Holes of a megabyte, too many for a tar: together they are more than the file system. */
static void holes_that_a_tar_cannot_hold_are_refused_when_they_are_large(void **state)
{
	enum { PIECES = 33000 };
	struct ext4_node *node = make("f", S_IFREG | 0644);
	cleanup_buffer struct buffer tar = {0};

	(void)state;
	for (uint64_t i = 0; i < PIECES; i++)
		assert_ok(ext4_writer_data(writer, node, "x", 1, i << 20, &err), &err);
	assert_ok(ext4_writer_data_end(writer, node, UINT64_C(33000) << 20, &err), &err);
	assert_ok(ext4_writer_finish(&writer, &err), &err);
	assert_int_equal(export(&tar), -1);
	assert_error(&err, ERR_UNSUPPORTED, "f: more and larger holes than a tar can hold");
}

static int fail_after(const void *data, size_t len, void *arg, struct error *e)
{
	size_t *left = arg;

	(void)data;
	if (len > *left)
		return error_set(e, ERR_NO_SPACE, "the disk is full");
	*left -= len;
	return 0;
}

static void a_failing_write_ends_it_and_names_the_file(void **state)
{
	cleanup(ext4_reader_close_ptr) struct ext4_reader *fs = NULL;
	size_t left = 512 + 512 + 3;

	(void)state;
	make_file("file", "text", 0, 4);
	assert_ok(ext4_writer_finish(&writer, &err), &err);
	assert_ok(ext4_reader_open(&volume->volume, &fs, &err), &err);
	assert_int_equal(tree_tar_write(fs, fail_after, &left, &err), -1);
	assert_error(&err, ERR_NO_SPACE, "file: the disk is full");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_empty_tree_is_its_root, start, end),
		cmocka_unit_test_setup_teardown(parents_come_first_and_names_in_byte_order, start,
						end),
		cmocka_unit_test_setup_teardown(every_type_has_its_member, start, end),
		cmocka_unit_test_setup_teardown(other_names_of_a_file_are_links_to_the_first, start,
						end),
		cmocka_unit_test_setup_teardown(holes_are_left_out, start, end),
		cmocka_unit_test_setup_teardown(sockets_and_names_like_whiteouts_are_warned_of,
						start, end),
		cmocka_unit_test_setup_teardown(xattrs_beyond_what_a_tar_holds_are_warned_of, start,
						end),
		cmocka_unit_test_setup_teardown(a_file_of_very_many_pieces_has_fewer_in_the_tar,
						start, end),
		cmocka_unit_test_setup_teardown(
			holes_that_a_tar_cannot_hold_are_refused_when_they_are_large, start, end),
		cmocka_unit_test_setup_teardown(a_failing_write_ends_it_and_names_the_file, start,
						end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
