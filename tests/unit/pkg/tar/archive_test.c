/* SPDX-License-Identifier: Apache-2.0 */
/* What is written is what the strict reader reads back, down to what libarchive gets wrong. */
#include "pkg/tar/archive.h"

#include <locale.h>
#include <stdlib.h>

#include "pkg/base/alloc.h"
#include "pkg/base/buffer.h"
#include "pkg/tar/reader.h"
#include "tests/support/cmocka.h"
#include "tests/support/tar_describe.h"

static struct error err;

static int append(const void *data, size_t len, void *arg, struct error *e)
{
	(void)e;
	buffer_add(arg, data, len);
	return 0;
}

/* A member, its regions, and the text that fills each of them from the start. */
struct member {
	struct tar_entry entry;
	const struct tar_region *regions;
	size_t n;
	const char *text;
};

static int put_member(struct tar_archive *a, struct member m)
{
	m.entry.path_len = strlen(m.entry.path);
	m.entry.link_len = m.entry.link ? strlen(m.entry.link) : 0;
	if (m.text && !m.regions)
		m.entry.size_bytes = strlen(m.text);
	if (tar_archive_entry(a, &m.entry, m.regions, m.n, &err) < 0)
		return -1;
	if (!m.regions)
		return m.text ? tar_archive_data(a, m.text, strlen(m.text), 0, &err) : 0;
	for (size_t i = 0; i < m.n && m.text; i++)
		if (tar_archive_data(a, m.text, strlen(m.text), m.regions[i].offset, &err) < 0)
			return -1;
	return 0;
}

static int put(struct buffer *to, const struct member *members, size_t n)
{
	cleanup(tar_archive_close_ptr) struct tar_archive *a = NULL;

	assert_ok(tar_archive_open(append, to, &a, &err), &err);
	for (size_t i = 0; i < n; i++)
		if (put_member(a, members[i]) < 0)
			return -1;
	return tar_archive_finish(a, &err);
}

/* One member reads back as this line. */
static void check_one(const struct member *m, const char *expected)
{
	cleanup_buffer struct buffer tar = {0};

	assert_ok(put(&tar, m, 1), &err);
	assert_int_equal(tar.len % 512, 0);
	assert_tar_reads(&tar, expected);
}

static bool holds(const struct buffer *tar, const char *text)
{
	return memmem(tar->data, tar->len, text, strlen(text)) != NULL;
}

/* --- plain things ----------------------------------------------------------------------------- */

static void every_type_is_read_back(void **state)
{
	static const struct member members[] = {
		{{.type = TAR_DIRECTORY, .path = "./", .mode = 01777, .mtime = {7, 0}},
		 NULL,
		 0,
		 NULL},
		{{.type = TAR_REGULAR, .path = "f", .mode = 04755, .uid = 1, .gid = 2},
		 NULL,
		 0,
		 "text"},
		{{.type = TAR_REGULAR, .path = "empty", .mode = 0644}, NULL, 0, NULL},
		{{.type = TAR_SYMLINK, .path = "s", .mode = 0777, .link = "../x/"}, NULL, 0, NULL},
		{{.type = TAR_HARDLINK, .path = "h", .mode = 04755, .link = "f"}, NULL, 0, NULL},
		{{.type = TAR_CHAR, .path = "c", .mode = 0644, .rdev_major = 1, .rdev_minor = 3},
		 NULL,
		 0,
		 NULL},
		{{.type = TAR_BLOCK,
		  .path = "b",
		  .mode = 0644,
		  .rdev_major = 4095,
		  .rdev_minor = 1048575},
		 NULL,
		 0,
		 NULL},
		{{.type = TAR_CHAR, .path = "w", .mode = 0}, NULL, 0, NULL},
		{{.type = TAR_FIFO, .path = "p", .mode = 0600}, NULL, 0, NULL},
	};
	cleanup_buffer struct buffer tar = {0};

	(void)state;
	assert_ok(put(&tar, members, ARRAY_SIZE(members)), &err);
	assert_tar_reads(&tar, "dir ./ mode=1777 mtime=7.0\n"
			       "file f mode=4755 owner=1:2 size=4 0:text\n"
			       "file empty\n"
			       "symlink s -> ../x/ mode=777\n"
			       "link h -> f mode=4755\n"
			       "char c rdev=1:3\n"
			       "block b rdev=4095:1048575\n"
			       "char w mode=0\n"
			       "fifo p mode=600\n");
}

static void what_fits_has_no_records(void **state)
{
	static const struct member m = {
		{.type = TAR_REGULAR, .path = "dir/file", .mode = 0644, .mtime = {1700000000, 0}},
		NULL,
		0,
		"text"};
	cleanup_buffer struct buffer tar = {0};

	(void)state;
	assert_ok(put(&tar, &m, 1), &err);
	/* header, data, two zero blocks */
	assert_int_equal(tar.len, 4 * 512);
	assert_int_equal(tar.data[156], '0');
	assert_false(holds(&tar, "PaxHeader"));
}

static void an_archive_of_nothing_is_two_zero_blocks(void **state)
{
	cleanup_buffer struct buffer tar = {0};

	(void)state;
	assert_ok(put(&tar, NULL, 0), &err);
	assert_int_equal(tar.len, 1024);
	assert_tar_reads(&tar, "");
}

/* --- what needs records ----------------------------------------------------------------------- */

static void times_are_kept_to_the_nanosecond(void **state)
{
	static const struct {
		struct tar_time time;
		const char *shown;
	} times[] = {
		{{0, 1}, "mtime=0.1"},
		{{0, 500000000}, "mtime=0.500000000"},
		{{1700000000, 123456789}, "mtime=1700000000.123456789"},
		{{-1, 0}, "mtime=-1.0"},
		{{-2, 500000000}, "mtime=-2.500000000"},
		{{-1, 750000000}, "mtime=-1.750000000"},
		{{-1, 999999999}, "mtime=-1.999999999"},
		{{-2147483648, 1}, "mtime=-2147483648.1"},
		{{2147483648, 0}, "mtime=2147483648.0"},
		{{15032385535, 999999999}, "mtime=15032385535.999999999"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		const struct member m = {
			{.type = TAR_FIFO, .path = "t", .mode = 0644, .mtime = times[i].time},
			NULL,
			0,
			NULL};
		cleanup_free char *want = xasprintf("fifo t %s\n", times[i].shown);

		check_one(&m, want);
	}
}

static void a_time_before_1970_is_written_as_people_write_it(void **state)
{
	static const struct member m = {{.type = TAR_FIFO, .path = "t", .mtime = {-2, 500000000}},
					NULL,
					0,
					NULL};
	cleanup_buffer struct buffer tar = {0};

	(void)state;
	assert_ok(put(&tar, &m, 1), &err);
	assert_true(holds(&tar, "14 mtime=-1.5\n"));
}

static void owners_of_any_number_are_kept(void **state)
{
	static const uint32_t owners[] = {07777777, 262143, 262144, 2097152, 4294967294};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(owners); i++) {
		const struct member m = {{.type = TAR_FIFO,
					  .path = "o",
					  .mode = 0644,
					  .uid = owners[i],
					  .gid = owners[ARRAY_SIZE(owners) - 1 - i]},
					 NULL,
					 0,
					 NULL};
		cleanup_free char *want =
			xasprintf("fifo o owner=%u:%u\n", m.entry.uid, m.entry.gid);

		check_one(&m, want);
	}
}

/* Names of every length, cut into components in several ways, of bytes of several kinds. */
static char *make_name(size_t len, size_t component, const char *bytes)
{
	char *name = xmalloc(len + 1);

	for (size_t i = 0; i < len; i++)
		name[i] = (i + 1) % (component + 1) == 0 && i + 1 < len ? '/'
									: bytes[i % strlen(bytes)];
	name[len] = '\0';
	return name;
}

static void check_name(const char *name)
{
	const struct member members[] = {
		{{.type = TAR_REGULAR, .path = name, .mode = 0644}, NULL, 0, "x"},
		{{.type = TAR_SYMLINK, .path = "s", .link = name}, NULL, 0, NULL},
		{{.type = TAR_HARDLINK, .path = name, .link = name}, NULL, 0, NULL},
		{{.type = TAR_DIRECTORY, .path = name}, NULL, 0, NULL},
		{{.type = TAR_REGULAR, .path = name, .size_bytes = 4096},
		 &(const struct tar_region){4095, 1},
		 1,
		 "x"},
	};
	cleanup_buffer struct buffer tar = {0};
	cleanup(tar_reader_close_ptr) struct tar_reader *r = NULL;
	const struct tar_entry *e;
	struct stream *in;

	assert_ok(put(&tar, members, ARRAY_SIZE(members)), &err);
	in = stream_from_memory(tar.data, tar.len);
	assert_ok(tar_reader_open(&in, &r, &err), &err);
	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		const struct tar_entry *want = &members[i].entry;

		assert_int_equal(tar_reader_next(r, &e, &err), 0);
		assert_int_equal(e->type, want->type);
		assert_memory_equal(e->path, want->path, strlen(want->path));
		assert_string_equal(e->path + strlen(want->path),
				    want->type == TAR_DIRECTORY ? "/" : "");
		if (want->link)
			assert_string_equal(e->link, want->link);
	}
	assert_int_equal(tar_reader_next(r, &e, &err), 1);
	assert_ok(tar_reader_finish(r, &err), &err);
}

static void names_are_bytes_of_any_length(void **state)
{
	static const size_t lengths[] = {1,   2,   98,	99,  100, 101, 102, 154, 155,
					 156, 157, 200, 254, 255, 256, 257, 300, 4097};
	static const size_t components[] = {1, 99, 100, 101, 154, 155, 156, 255, 5000};
	static const char *const kinds[] = {
		"abc",
		"\xe6\x97\xa5",
		"\xff\xfe",
		"a\xcc\x88",
		"\xed\xa0\x80\xed\xb0\x80" /* surrogates */,
		"\n\t\\ ",
		"-=%",
	};

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
		for (size_t c = 0; c < ARRAY_SIZE(components); c++)
			for (size_t l = 0; l < ARRAY_SIZE(lengths); l++) {
				cleanup_free char *name =
					make_name(lengths[l], components[c], kinds[k]);

				check_name(name);
			}
	{
		cleanup_free char *longest = make_name(TAR_ARCHIVE_PATH_BYTES_MAX - 1, 255, "l");

		check_name(longest);
	}
}

static void only_names_that_are_no_text_say_so(void **state)
{
	static const struct member text = {{.type = TAR_FIFO, .path = "f\xc3\xbc", .mtime = {1, 5}},
					   NULL,
					   0,
					   NULL};
	static const struct member bytes = {{.type = TAR_FIFO, .path = "f\xfc"}, NULL, 0, NULL};
	static const struct member link = {{.type = TAR_SYMLINK, .path = "l", .link = "f\xfc"},
					   NULL,
					   0,
					   NULL};
	static const struct member *const with[] = {&bytes, &link};
	cleanup_buffer struct buffer tar = {0};

	(void)state;
	assert_ok(put(&tar, &text, 1), &err);
	assert_false(holds(&tar, "hdrcharset"));
	for (size_t i = 0; i < ARRAY_SIZE(with); i++) {
		buffer_clear(&tar);
		assert_ok(put(&tar, with[i], 1), &err);
		assert_true(holds(&tar, "21 hdrcharset=BINARY\n"));
	}
}

static void xattrs_are_kept_as_they_are(void **state)
{
	static const struct tar_xattr xattrs[] = {
		{"security.capability", (const uint8_t *)"\1\0\0\2\0\x20\0\0", 8},
		{"user.binary", (const uint8_t *)"=\0\n\xff", 4},
		{"user.empty", (const uint8_t *)"", 0},
		{"user.\xc3\xbc %41\n", (const uint8_t *)"x", 1},
	};
	const struct member m = {
		{.type = TAR_DIRECTORY, .path = "x", .mode = 0644, .xattrs = xattrs, .n_xattrs = 4},
		NULL,
		0,
		NULL};
	cleanup_buffer struct buffer tar = {0};

	(void)state;
	assert_ok(put(&tar, &m, 1), &err);
	assert_tar_reads(&tar, "dir x/ xattr security.capability=\\x01\\x00\\x00\\x02\\x00 "
			       "\\x00\\x00 xattr user.binary==\\x00\\x0a\\xff xattr user.empty= "
			       "xattr user.\xc3\xbc %41\n=x\n");
	/* The other form of them is in nobody's way only because it is not there. */
	assert_false(holds(&tar, "LIBARCHIVE"));
}

/* Raw, the name would end at its first '='. */
static void xattrs_with_an_equals_sign_in_the_name_are_encoded(void **state)
{
	static const struct tar_xattr xattrs[] = {
		{"user.a", (const uint8_t *)"1", 1},
		{"user.a=b%\n", (const uint8_t *)"\0v\xff", 3},
		{"user.c==", (const uint8_t *)"", 0},
	};
	const struct member m = {
		{.type = TAR_FIFO, .path = "x", .mode = 0644, .xattrs = xattrs, .n_xattrs = 3},
		NULL,
		0,
		NULL};
	cleanup_buffer struct buffer tar = {0};

	(void)state;
	assert_ok(put(&tar, &m, 1), &err);
	assert_true(holds(&tar, " SCHILY.xattr.user.a=1\n"));
	assert_true(holds(&tar, " LIBARCHIVE.xattr.user.a%3Db%25%0A=AHb/\n"));
	assert_tar_reads(&tar, "fifo x xattr user.a=1 xattr user.a=b%\n=\\x00v\\xff "
			       "xattr user.c===\n");
}

static void large_xattrs_are_kept(void **state)
{
	cleanup_free uint8_t *value = xcalloc(65536, 1);
	struct tar_xattr xattrs[11];
	struct member m = {{.type = TAR_FIFO, .path = "x", .xattrs = xattrs}, NULL, 0, NULL};
	cleanup(tar_reader_close_ptr) struct tar_reader *r = NULL;
	cleanup_buffer struct buffer tar = {0};
	const struct tar_entry *e;
	struct stream *in;

	(void)state;
	for (size_t i = 0; i < 65536; i++)
		value[i] = (uint8_t)(i * 7 + i / 256);
	for (size_t i = 0; i < ARRAY_SIZE(xattrs); i++)
		xattrs[i] = (struct tar_xattr){xasprintf("user.%zu", i), value, 65536};
	m.entry.n_xattrs = ARRAY_SIZE(xattrs);
	assert_ok(put(&tar, &m, 1), &err);
	in = stream_from_memory(tar.data, tar.len);
	assert_ok(tar_reader_open(&in, &r, &err), &err);
	assert_int_equal(tar_reader_next(r, &e, &err), 0);
	assert_int_equal(e->n_xattrs, ARRAY_SIZE(xattrs));
	for (size_t i = 0; i < ARRAY_SIZE(xattrs); i++) {
		assert_string_equal(e->xattrs[i].name, xattrs[i].name);
		assert_int_equal(e->xattrs[i].value_len, 65536);
		assert_memory_equal(e->xattrs[i].value, value, 65536);
		free((char *)(uintptr_t)xattrs[i].name);
	}
}

/* --- files with holes ------------------------------------------------------------------------- */

#define ZEROS_10 "\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00"
#define ZEROS_60 ZEROS_10 ZEROS_10 ZEROS_10 ZEROS_10 ZEROS_10 ZEROS_10

#define SPARSE(path_, size_, regions_, text_)                                                \
	&(const struct member)                                                               \
	{                                                                                    \
		{.type = TAR_REGULAR, .path = (path_), .mode = 0644, .size_bytes = (size_)}, \
			(regions_), ARRAY_SIZE(regions_), (text_)                            \
	}

static void holes_stay_holes(void **state)
{
	static const struct tar_region middle[] = {{4096, 512}, {12288, 4}};
	static const struct tar_region end[] = {{8192, 4}};
	static const struct tar_region start[] = {{0, 4}};

	(void)state;
	check_one(SPARSE("f", 20000, middle, "text"),
		  "file f size=20000 4096:text" ZEROS_60 " 12288:text\n");
	check_one(SPARSE("f", 8196, end, "text"), "file f size=8196 8192:text\n");
	check_one(SPARSE("f", 1 << 20, start, "text"), "file f size=1048576 0:text\n");
}

static void a_file_may_be_nothing_but_a_hole(void **state)
{
	static const struct tar_region unused = {0, 0};
	struct member m = {{.type = TAR_REGULAR, .path = "f", .mode = 0644, .size_bytes = 1 << 30},
			   &unused,
			   0,
			   NULL};
	cleanup_buffer struct buffer tar = {0};

	(void)state;
	check_one(&m, "file f size=1073741824\n");
	assert_ok(put(&tar, &m, 1), &err);
	assert_true(tar.len <= 6 * 512);
	m.entry.size_bytes = 0;
	check_one(&m, "file f\n");
}

/* libarchive puts the size with its holes where the size in the archive belongs, from 8 GiB on. */
static void huge_holes_cost_nothing(void **state)
{
	static const struct tar_region regions[] = {{UINT64_C(30) << 30, 512},
						    {(UINT64_C(60) << 30) - 4, 4}};
	const struct member members[] = {
		*SPARSE("huge", UINT64_C(60) << 30, regions, "text"),
		{{.type = TAR_REGULAR, .path = "after", .mode = 0644}, NULL, 0, "x"},
	};
	cleanup_buffer struct buffer tar = {0};

	(void)state;
	assert_ok(put(&tar, members, 2), &err);
	assert_true(tar.len < 10000);
	assert_tar_reads(&tar, "file huge size=64424509440 32212254720:text" ZEROS_60
			       " 64424509436:text\n"
			       "file after size=1 0:x\n");
}

/* libarchive cuts the name to what the ustar header holds. */
static void a_file_with_holes_keeps_a_long_name(void **state)
{
	static const struct tar_region regions[] = {{4096, 4}};
	cleanup_free char *name = make_name(200, 300, "n");
	cleanup_free char *want = xasprintf("file %s size=9000 4096:text\n", name);

	(void)state;
	check_one(SPARSE(name, 9000, regions, "text"), want);
}

static void data_that_is_skipped_is_zeros(void **state)
{
	static const struct tar_region regions[] = {{4096, 16}};
	const struct member m = {{.type = TAR_REGULAR, .path = "f", .mode = 0644, .size_bytes = 4},
				 NULL,
				 0,
				 NULL};

	(void)state;
	check_one(SPARSE("f", 4112, regions, "ab"),
		  "file f size=4112 4096:ab\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00"
		  "\\x00\\x00\\x00\n");
	check_one(&m, "file f size=4 0:\\x00\\x00\\x00\\x00\n");
}

static void as_many_regions_as_are_allowed_are_read_back(void **state)
{
	cleanup_free struct tar_region *regions =
		xcalloc(TAR_ARCHIVE_REGIONS_MAX, sizeof(*regions));
	struct member m = {{.type = TAR_REGULAR, .path = "f", .mode = 0644},
			   regions,
			   TAR_ARCHIVE_REGIONS_MAX,
			   "x"};
	cleanup_buffer struct buffer tar = {0}, text = {0};
	cleanup_free char *last = NULL;

	(void)state;
	for (size_t i = 0; i < TAR_ARCHIVE_REGIONS_MAX; i++)
		regions[i] = (struct tar_region){(UINT64_C(1) << 43) + (i << 29), 512};
	m.entry.size_bytes = UINT64_C(1) << 45;
	assert_ok(put(&tar, &m, 1), &err);
	assert_ok(tar_describe(&tar, SIZE_MAX, &text, &err), &err);
	last = xasprintf(" %llu:x",
			 (unsigned long long)regions[TAR_ARCHIVE_REGIONS_MAX - 1].offset);
	assert_non_null(strstr((char *)text.data, last));
}

/* --- what is not written, and what fails ------------------------------------------------------- */

static void what_no_reader_takes_is_refused(void **state)
{
	cleanup_free char *path = make_name(TAR_ARCHIVE_PATH_BYTES_MAX + 1, 200, "p");
	cleanup_free uint8_t *value = xcalloc(TAR_ARCHIVE_XATTR_BYTES_MAX, 1);
	const struct tar_xattr nameless = {"", value, 1};
	const struct tar_xattr large = {"user.a", value, TAR_ARCHIVE_XATTR_BYTES_MAX};
	const struct {
		struct tar_entry entry;
		const char *why;
	} cases[] = {
		{{.type = TAR_FIFO, .path = path}, "65537 bytes is too long"},
		{{.type = TAR_SYMLINK, .path = "s", .link = path}, "65537 bytes is too long"},
		{{.type = TAR_FIFO, .path = "f", .uid = UINT32_MAX}, "nobody can own"},
		{{.type = TAR_FIFO, .path = "f", .gid = UINT32_MAX}, "nobody can own"},
		{{.type = TAR_FIFO, .path = "f", .xattrs = &nameless, .n_xattrs = 1},
		 "name of 0 bytes"},
		{{.type = TAR_FIFO, .path = "f", .xattrs = &large, .n_xattrs = 1}, "xattrs of"},
		{{.type = TAR_REGULAR, .path = "f", .size_bytes = UINT64_MAX}, "too many"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup_buffer struct buffer tar = {0};

		error_clear(&err);
		assert_int_equal(put(&tar, &(struct member){cases[i].entry, NULL, 0, NULL}, 1), -1);
		assert_error(&err, ERR_UNSUPPORTED, cases[i].why);
		assert_int_equal(tar.len, 0);
	}
	error_clear(&err);
}

struct limited {
	size_t left;
	bool failed;
};

static int take_some(const void *data, size_t len, void *arg, struct error *e)
{
	struct limited *l = arg;

	(void)data;
	assert_false(l->failed);
	l->failed = len > l->left;
	if (l->failed)
		return error_set(e, ERR_NO_SPACE, "the disk is full");
	l->left -= len;
	return 0;
}

static int write_limited(size_t bytes)
{
	static const struct member members[] = {
		{{.type = TAR_REGULAR, .path = "f", .mtime = {1, 5}}, NULL, 0, "text"},
		{{.type = TAR_DIRECTORY, .path = "d"}, NULL, 0, NULL},
	};
	struct limited l = {.left = bytes};
	cleanup(tar_archive_close_ptr) struct tar_archive *a = NULL;

	assert_ok(tar_archive_open(take_some, &l, &a, &err), &err);
	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		if (put_member(a, members[i]) < 0)
			return -1;
	return tar_archive_finish(a, &err);
}

static void a_full_disk_is_told_wherever_it_is_met(void **state)
{
	/* x, records, header, data, header, two zero blocks */
	const size_t total = 5 * 512 + 1024;

	(void)state;
	for (size_t bytes = 0; bytes < total; bytes += 256) {
		error_clear(&err);
		assert_int_equal(write_limited(bytes), -1);
		assert_error(&err, ERR_NO_SPACE, "the disk is full");
	}
	error_clear(&err);
	assert_ok(write_limited(total), &err);
}

static void without_a_finish_nothing_more_is_written(void **state)
{
	static const struct member m = {{.type = TAR_REGULAR, .path = "f"}, NULL, 0, "text"};
	cleanup_buffer struct buffer tar = {0};
	struct tar_archive *a = NULL;
	size_t before;

	(void)state;
	assert_ok(tar_archive_open(append, &tar, &a, &err), &err);
	assert_ok(put_member(a, m), &err);
	before = tar.len;
	tar_archive_close(a);
	assert_int_equal(tar.len, before);
}

static void the_locale_changes_nothing(void **state)
{
	static const struct tar_xattr xattr = {"user.\xc3\xbc", (const uint8_t *)"x", 1};
	static const struct member members[] = {
		{{.type = TAR_FIFO, .path = "f\xc3\xbc", .xattrs = &xattr, .n_xattrs = 1},
		 NULL,
		 0,
		 NULL},
		{{.type = TAR_SYMLINK, .path = "f\xfc", .link = "\xe6\x97\xa5"}, NULL, 0, NULL},
	};
	cleanup_buffer struct buffer here = {0}, there = {0};

	(void)state;
	assert_ok(put(&here, members, ARRAY_SIZE(members)), &err);
	assert_non_null(setlocale(LC_ALL, "C.UTF-8"));
	assert_ok(put(&there, members, ARRAY_SIZE(members)), &err);
	setlocale(LC_ALL, "C");
	assert_int_equal(here.len, there.len);
	assert_memory_equal(here.data, there.data, here.len);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_type_is_read_back),
		cmocka_unit_test(what_fits_has_no_records),
		cmocka_unit_test(an_archive_of_nothing_is_two_zero_blocks),
		cmocka_unit_test(times_are_kept_to_the_nanosecond),
		cmocka_unit_test(a_time_before_1970_is_written_as_people_write_it),
		cmocka_unit_test(owners_of_any_number_are_kept),
		cmocka_unit_test(names_are_bytes_of_any_length),
		cmocka_unit_test(only_names_that_are_no_text_say_so),
		cmocka_unit_test(xattrs_are_kept_as_they_are),
		cmocka_unit_test(xattrs_with_an_equals_sign_in_the_name_are_encoded),
		cmocka_unit_test(large_xattrs_are_kept),
		cmocka_unit_test(holes_stay_holes),
		cmocka_unit_test(a_file_may_be_nothing_but_a_hole),
		cmocka_unit_test(huge_holes_cost_nothing),
		cmocka_unit_test(a_file_with_holes_keeps_a_long_name),
		cmocka_unit_test(data_that_is_skipped_is_zeros),
		cmocka_unit_test(as_many_regions_as_are_allowed_are_read_back),
		cmocka_unit_test(what_no_reader_takes_is_refused),
		cmocka_unit_test(a_full_disk_is_told_wherever_it_is_met),
		cmocka_unit_test(without_a_finish_nothing_more_is_written),
		cmocka_unit_test(the_locale_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
