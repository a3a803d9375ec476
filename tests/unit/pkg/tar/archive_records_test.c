/* SPDX-License-Identifier: Apache-2.0 */
/* Header blocks as libarchive makes them, and what comes out: each fault alone, and what is no such head. */
#include "pkg/tar/archive_internal.h"

#include <stdio.h>

#include "pkg/base/alloc.h"
#include "pkg/tar/tar_internal.h"
#include "tests/support/cmocka.h"
#include "tests/support/tar_maker.h"

static struct error err;

/* Records in an x member, then the header of the member. */
static void put_head(struct buffer *to, const struct buffer *records, const struct tar_maker *m)
{
	buffer_clear(to);
	if (records->len)
		tar_make_pax(to, 'x', records);
	tar_make(to, m);
}

/* The records that come out, one after the other, "" for none. */
static void assert_corrected(const struct buffer *records, const struct tar_entry *entry,
			     const char *expected)
{
	cleanup_buffer struct buffer head = {0}, out = {0};
	struct tar_maker m = {.name = "file", .size = "00000000012"};
	size_t body = 0;

	put_head(&head, records, &m);
	assert_ok(tar_archive_correct(&head, entry, &out, &err), &err);
	if (*expected) {
		struct tar_header h = {0};

		assert_ok(tar_header_check(out.data, &err), &err);
		assert_ok(tar_header_parse_type(out.data, &h, &err), &err);
		assert_int_equal(h.typeflag, 'x');
		assert_int_equal(h.size, strlen(expected));
		assert_memory_equal(out.data + TAR_BLOCK_BYTES, expected, strlen(expected));
		body = TAR_BLOCK_BYTES + strlen(expected) + (size_t)tar_padding(strlen(expected));
	}
	/* The header of the member itself is never touched. */
	assert_int_equal(out.len, body + TAR_BLOCK_BYTES);
	assert_memory_equal(out.data + body, head.data + head.len - TAR_BLOCK_BYTES,
			    TAR_BLOCK_BYTES);
}

static void assert_record(const char *key, const char *value, const struct tar_entry *entry,
			  const char *expected)
{
	cleanup_buffer struct buffer records = {0};

	tar_make_text_record(&records, key, value);
	assert_corrected(&records, entry, expected);
}

static struct tar_entry entry_at(int64_t sec, uint32_t nsec)
{
	return (struct tar_entry){.path = "file",
				  .path_len = 4,
				  .mtime = {.sec = sec, .nsec = nsec}};
}

static void what_is_right_comes_out_as_it_was(void **state)
{
	struct tar_entry e = entry_at(1, 500000000);
	cleanup_buffer struct buffer none = {0};

	(void)state;
	assert_corrected(&none, &e, "");
	assert_record("path", "a/b", &e, "12 path=a/b\n");
	assert_record("uid", "3000000", &e, "15 uid=3000000\n");
	assert_record("mtime", "1.5", &e, "13 mtime=1.5\n");
}

static void times_before_1970_count_back(void **state)
{
	static const struct {
		int64_t sec;
		uint32_t nsec;
		const char *expected;
	} cases[] = {
		{-2, 500000000, "14 mtime=-1.5\n"},
		{-1, 500000000, "14 mtime=-0.5\n"},
		{-1, 0, "12 mtime=-1\n"},
		{-1, 999999999, "22 mtime=-0.000000001\n"},
		{0, 1, "21 mtime=0.000000001\n"},
		{INT64_MIN, 0, "30 mtime=-9223372036854775808\n"},
		{10, 100, "20 mtime=10.0000001\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct tar_entry e = entry_at(cases[i].sec, cases[i].nsec);

		assert_record("mtime", "whatever", &e, cases[i].expected);
	}
}

static void the_size_is_the_one_that_is_stored(void **state)
{
	struct tar_entry e = entry_at(0, 0);

	(void)state;
	assert_record("size", "99999999999", &e, "11 size=10\n");
}

static void records_that_nobody_needs_go(void **state)
{
	struct tar_entry e = entry_at(0, 0), binary = {.path = "\xff", .path_len = 1};

	(void)state;
	assert_record("SCHILY.devmajor", "8", &e, "");
	assert_record("SCHILY.devminor", "8", &e, "");
	assert_record("hdrcharset", "BINARY", &e, "");
	assert_record("hdrcharset", "BINARY", &binary, "21 hdrcharset=BINARY\n");
}

static void the_name_of_a_file_with_holes_is_whole(void **state)
{
	struct tar_entry e = {.path = "a/long/name", .path_len = 11};

	(void)state;
	assert_record("GNU.sparse.name", "a/lo", &e, "31 GNU.sparse.name=a/long/name\n");
}

/* In the entry's order; a name with a '=' in the form that can hold it. */
static void attributes_get_their_own_names_back(void **state)
{
	struct tar_xattr list[] = {{"user.\xc3\xa9", (const uint8_t *)"v\0w", 3},
				   {"user.a=b", (const uint8_t *)"foo", 3}};
	struct tar_entry e = {.path = "f", .path_len = 1, .xattrs = list, .n_xattrs = 2};
	cleanup_buffer struct buffer records = {0}, head = {0}, out = {0};
	static const char first[] = "28 SCHILY.xattr.user.\xc3\xa9=v\0w\n";
	static const char second[] = "36 LIBARCHIVE.xattr.user.a%3Db=Zm9v\n";

	(void)state;
	tar_make_record(&records, "SCHILY.xattr.user.%C3%A9", "v\0w", 3);
	tar_make_record(&records, "SCHILY.xattr.user.a%3Db", "foo", 3);
	put_head(&head, &records, &(struct tar_maker){.name = "f"});
	assert_ok(tar_archive_correct(&head, &e, &out, &err), &err);
	assert_memory_equal(out.data + 512, first, sizeof(first) - 1);
	assert_memory_equal(out.data + 512 + sizeof(first) - 1, second, sizeof(second) - 1);
	/* One that is not in the entry, and one that has no record: something else wrote this. */
	e.n_xattrs = 1;
	assert_int_equal(tar_archive_correct(&head, &e, &out, &err), -1);
	assert_error(&err, ERR_UNSUPPORTED, "does not understand");
	e.n_xattrs = 3;
	assert_int_equal(tar_archive_correct(&head, &e, &out, &err), -1);
}

/* A length that counts its own digits: 9 and 10, 99 and 100. */
static void lengths_count_themselves(void **state)
{
	(void)state;
	for (size_t len = 1; len < 1100; len++) {
		cleanup_free char *value = xcalloc(1, len + 1), *expected = NULL;
		cleanup_buffer struct buffer record = {0};
		struct tar_entry e = entry_at(0, 0);

		memset(value, 'x', len);
		tar_make_text_record(&record, "k", value);
		expected = xstrndup((char *)record.data, record.len);
		assert_record("k", value, &e, expected);
	}
}

static void what_is_no_such_head_is_refused(void **state)
{
	static const char *const bodies[] = {"9",	   "9 ",    "9 path", "99 path=a\n",
					     "x path=a\n", "2 =\n", "0 a=b\n"};
	struct tar_entry e = entry_at(0, 0);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		cleanup_buffer struct buffer records = {0}, head = {0}, out = {0};

		buffer_add(&records, bodies[i], strlen(bodies[i]));
		put_head(&head, &records, &(struct tar_maker){.name = "f"});
		if (tar_archive_correct(&head, &e, &out, &err) == 0)
			fail_msg("'%s' is taken", bodies[i]);
		assert_error(&err, ERR_UNSUPPORTED, "does not understand");
	}
	for (size_t len = 0; len < 3 * 512; len += 100) { /* cut, but not to the header alone */
		cleanup_buffer struct buffer records = {0}, head = {0}, out = {0};

		tar_make_text_record(&records, "path", "a");
		put_head(&head, &records, &(struct tar_maker){.name = "f"});
		head.len = len;
		assert_int_equal(tar_archive_correct(&head, &e, &out, &err), -1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_right_comes_out_as_it_was),
		cmocka_unit_test(times_before_1970_count_back),
		cmocka_unit_test(the_size_is_the_one_that_is_stored),
		cmocka_unit_test(records_that_nobody_needs_go),
		cmocka_unit_test(the_name_of_a_file_with_holes_is_whole),
		cmocka_unit_test(attributes_get_their_own_names_back),
		cmocka_unit_test(lengths_count_themselves),
		cmocka_unit_test(what_is_no_such_head_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
