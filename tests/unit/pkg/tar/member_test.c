/* SPDX-License-Identifier: Apache-2.0 */
/* One entry from header, records, long names and maps: what overrides what, and what is left. */
#include "tests/support/cmocka.h"

#include <stdlib.h>

#include "pkg/base/alloc.h"
#include "pkg/tar/tar_internal.h"
#include "tests/support/tar_maker.h"

static struct tar_member m;
static struct tar_pending pending;
static struct error err;

static int begin(void **state)
{
	(void)state;
	m = (struct tar_member){0};
	pending = (struct tar_pending){0};
	error_clear(&err);
	return 0;
}

static int end(void **state)
{
	(void)state;
	tar_sparse_release(&m.data);
	tar_pax_release(&pending.pax);
	buffer_release(&pending.pax_body);
	buffer_release(&pending.name);
	buffer_release(&pending.link);
	return 0;
}

static void put_long(struct buffer *to, const char *text)
{
	buffer_clear(to);
	buffer_add(to, text, strlen(text) + 1);
}

static void put_pax(const char *key, const char *value)
{
	cleanup_buffer struct buffer more = {0}, all = {0};

	/* Parsed in place before: written anew. */
	tar_make_text_record(&more, key, value);
	buffer_add(&all, more.data, more.len);
	buffer_release(&pending.pax_body);
	pending.pax_body = all;
	all = (struct buffer){0};
	pending.have_pax = true;
	assert_ok(tar_pax_parse(&pending.pax, (char *)pending.pax_body.data, pending.pax_body.len,
				&err),
		  &err);
}

/* Make the entry of a member; what follows its header is read from the stream. */
static int make(const struct tar_maker *maker)
{
	cleanup_buffer struct buffer tar = {0};
	struct tar_input in = {0};
	int rc;

	tar_make(&tar, maker);
	in.stream = stream_from_memory(tar.data + TAR_BLOCK_BYTES, tar.len - TAR_BLOCK_BYTES);
	assert_ok(tar_header_parse_type(tar.data, &m.header, &err), &err);
	rc = tar_member_make(&m, tar.data, &pending, &in, &err);
	stream_close(in.stream);
	return rc;
}

static void without_anything_before_it_the_header_counts(void **state)
{
	(void)state;
	assert_ok(make(&(struct tar_maker){.name = "a",
					   .prefix = "p",
					   .mode = "0104755",
					   .uid = "12",
					   .gid = "13",
					   .mtime = "14",
					   .data = "data",
					   .data_len = 4}),
		  &err);
	assert_int_equal(m.entry.type, TAR_REGULAR);
	assert_string_equal(m.entry.path, "p/a");
	assert_int_equal(m.entry.mode, 04755);
	assert_int_equal(m.entry.uid, 10);
	assert_int_equal(m.entry.gid, 11);
	assert_int_equal(m.entry.mtime.sec, 12);
	assert_int_equal(m.entry.atime.sec, 12); /* without one: as the mtime */
	assert_int_equal(m.entry.size_bytes, 4);
	assert_int_equal(m.stored_bytes, 4);
	assert_int_equal(m.data.n, 1);
	assert_null(m.entry.link);
}

static void each_type_has_its_flag(void **state)
{
	static const struct {
		char flag;
		enum tar_type type;
		bool size_ignored;
	} cases[] = {
		{TAR_MAKER_NUL, TAR_REGULAR, false},
		{'0', TAR_REGULAR, false},
		{'7', TAR_REGULAR, false},
		{'1', TAR_HARDLINK, true},
		{'2', TAR_SYMLINK, true},
		{'3', TAR_CHAR, true},
		{'4', TAR_BLOCK, true},
		{'5', TAR_DIRECTORY, true},
		{'6', TAR_FIFO, true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_ok(make(&(struct tar_maker){.name = "n",
						   .type = cases[i].flag,
						   .link = "to",
						   .size = "0000010"}),
			  &err);
		assert_int_equal(m.entry.type, cases[i].type);
		assert_int_equal(m.size_ignored, cases[i].size_ignored);
		assert_int_equal(m.stored_bytes, cases[i].size_ignored ? 0 : 8);
		assert_int_equal(m.entry.link != NULL,
				 m.entry.type == TAR_HARDLINK || m.entry.type == TAR_SYMLINK);
	}
	for (int flag = 1; flag < 255; flag++) { /* 255 is what NUL is made of */
		if (strchr("01234567S", flag))
			continue;
		if (make(&(struct tar_maker){.name = "n", .type = (char)flag, .link = "to"}) == 0)
			fail_msg("type 0x%02x is taken", (unsigned)flag);
		assert_error(&err, ERR_INVALID, "is not supported");
	}
}

static void a_slash_at_the_end_makes_a_folder_of_a_file_only(void **state)
{
	(void)state;
	assert_ok(make(&(struct tar_maker){.name = "d/"}), &err);
	assert_int_equal(m.entry.type, TAR_DIRECTORY);
	assert_ok(make(&(struct tar_maker){.name = "d/", .type = TAR_MAKER_NUL}), &err);
	assert_int_equal(m.entry.type, TAR_DIRECTORY);
	assert_ok(make(&(struct tar_maker){.name = "l/", .type = '2', .link = "x"}), &err);
	assert_int_equal(m.entry.type, TAR_SYMLINK);
	assert_int_equal(make(&(struct tar_maker){.name = "d/", .type = '7'}), -1);
	assert_error(&err, ERR_INVALID, "ends in a slash");
	assert_int_equal(make(&(struct tar_maker){.name = "d/", .data = "x", .data_len = 1}), -1);
	assert_error(&err, ERR_INVALID, "directory with data");
	put_pax("path", "by-record/");
	assert_ok(make(&(struct tar_maker){.name = "file"}), &err);
	assert_int_equal(m.entry.type, TAR_DIRECTORY);
}

static void records_override_the_header(void **state)
{
	(void)state;
	put_pax("uid", "4294967294");
	assert_ok(make(&(struct tar_maker){.name = "a", .uid = "1", .gid = "2"}), &err);
	assert_int_equal(m.entry.uid, UINT32_MAX - 1);
	assert_int_equal(m.entry.gid, 2);
	put_pax("gid", "7");
	assert_ok(make(&(struct tar_maker){.name = "a", .uid = "1", .gid = "2"}), &err);
	assert_int_equal(m.entry.uid, 1); /* of the last x only */
	assert_int_equal(m.entry.gid, 7);
	put_pax("mtime", "5.5");
	assert_ok(make(&(struct tar_maker){.name = "a", .mtime = "1"}), &err);
	assert_int_equal(m.entry.mtime.nsec, 500000000);
	assert_int_equal(m.entry.atime.sec, 5);
	put_pax("atime", "9");
	assert_ok(make(&(struct tar_maker){.name = "a", .mtime = "1"}), &err);
	assert_int_equal(m.entry.mtime.sec, 1);
	assert_int_equal(m.entry.atime.sec, 9);
	put_pax("size", "3");
	assert_ok(make(&(struct tar_maker){.name = "a", .data = "12345", .data_len = 5}), &err);
	assert_int_equal(m.entry.size_bytes, 3);
	put_pax("SCHILY.xattr.user.a", "v");
	assert_ok(make(&(struct tar_maker){.name = "a"}), &err);
	assert_int_equal(m.entry.n_xattrs, 1);
	pending.have_pax = false;
	assert_ok(make(&(struct tar_maker){.name = "a"}), &err);
	assert_int_equal(m.entry.n_xattrs, 0);
}

static void long_names_override_but_not_records(void **state)
{
	(void)state;
	put_long(&pending.name, "long/name");
	put_long(&pending.link, "long/link");
	pending.have_name = pending.have_link = true;
	assert_ok(make(&(struct tar_maker){.name = "n", .type = '2', .link = "l"}), &err);
	assert_string_equal(m.entry.path, "long/name");
	assert_string_equal(m.entry.link, "long/link");
	assert_int_equal(m.entry.link_len, 9);
	put_pax("path", "p");
	assert_int_equal(make(&(struct tar_maker){.name = "n"}), -1);
	assert_error(&err, ERR_INVALID, "both a PAX path and a GNU long name");
	put_pax("linkpath", "p");
	assert_ok(make(&(struct tar_maker){.name = "n"}), &err); /* no link: says nothing */
	assert_int_equal(make(&(struct tar_maker){.name = "n", .type = '1'}), -1);
	assert_error(&err, ERR_INVALID, "both a PAX linkpath and a GNU long link");
	pending.have_link = false;
	assert_ok(make(&(struct tar_maker){.name = "n", .type = '1'}), &err);
	assert_string_equal(m.entry.link, "p");
}

static void a_link_has_a_target_of_at_most_64_kib(void **state)
{
	cleanup_free char *text = xcalloc(1, TAR_PATH_BYTES_MAX + 2);

	(void)state;
	assert_int_equal(make(&(struct tar_maker){.name = "n", .type = '1'}), -1);
	assert_error(&err, ERR_INVALID, "link without a target");
	memset(text, 'x', TAR_PATH_BYTES_MAX + 1);
	put_long(&pending.link, text);
	pending.have_link = true;
	assert_int_equal(make(&(struct tar_maker){.name = "n", .type = '2'}), -1);
	assert_error(&err, ERR_INVALID, "link target is longer");
	put_long(&pending.name, text);
	pending.have_name = true;
	assert_int_equal(make(&(struct tar_maker){.name = "n"}), -1);
	assert_error(&err, ERR_INVALID, "name is longer than 65536 bytes");
}

static void device_numbers_agree_or_are_refused(void **state)
{
	(void)state;
	put_pax("SCHILY.devmajor", "8");
	assert_ok(make(&(struct tar_maker){.name = "n", .type = '4', .devmajor = "10"}), &err);
	assert_int_equal(m.entry.rdev_major, 8);
	assert_int_equal(make(&(struct tar_maker){.name = "n", .type = '4', .devmajor = "11"}), -1);
	assert_error(&err, ERR_INVALID, "two different device numbers");
	assert_ok(make(&(struct tar_maker){.name = "n", .devmajor = "11"}), &err);
	put_pax("SCHILY.devminor", "1");
	assert_int_equal(make(&(struct tar_maker){.name = "n", .type = '3'}), -1);
}

/* What the member before had is not there any more. */
static void nothing_is_left_of_the_one_before(void **state)
{
	(void)state;
	assert_ok(make(&(struct tar_maker){.name = "n", .type = '2', .link = "l", .size = "7"}),
		  &err);
	assert_true(m.size_ignored);
	assert_ok(make(&(struct tar_maker){.name = "m"}), &err);
	assert_false(m.size_ignored);
	assert_null(m.entry.link);
	assert_ok(make(&(struct tar_maker){.name = "n", .type = '3', .devmajor = "5"}), &err);
	assert_ok(make(&(struct tar_maker){.name = "m", .data = "x", .data_len = 1}), &err);
	assert_int_equal(m.entry.rdev_major, 0);
	assert_int_equal(m.data.n, 1);
}

static void maps_belong_to_files_of_one_format(void **state)
{
	(void)state;
	assert_int_equal(make(&(struct tar_maker){.name = "s", .type = 'S'}), -1);
	assert_error(&err, ERR_INVALID, "header that is not GNU's");
	put_pax("GNU.sparse.size", "5");
	assert_int_equal(make(&(struct tar_maker){.name = "s", .type = 'S', .magic = "ustar  "}),
			 -1);
	assert_error(&err, ERR_INVALID, "another kind of member");
	assert_int_equal(make(&(struct tar_maker){.name = "s", .type = '5'}), -1);
	assert_error(&err, ERR_INVALID, "another kind of member");
	assert_int_equal(make(&(struct tar_maker){.name = "s"}), -1);
	assert_error(&err, ERR_INVALID, "another number is announced");
	put_pax("GNU.sparse.name", "s");
	assert_int_equal(make(&(struct tar_maker){.name = "s"}), -1);
	assert_error(&err, ERR_INVALID, "without its size");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(without_anything_before_it_the_header_counts, begin,
						end),
		cmocka_unit_test_setup_teardown(each_type_has_its_flag, begin, end),
		cmocka_unit_test_setup_teardown(a_slash_at_the_end_makes_a_folder_of_a_file_only,
						begin, end),
		cmocka_unit_test_setup_teardown(records_override_the_header, begin, end),
		cmocka_unit_test_setup_teardown(long_names_override_but_not_records, begin, end),
		cmocka_unit_test_setup_teardown(a_link_has_a_target_of_at_most_64_kib, begin, end),
		cmocka_unit_test_setup_teardown(device_numbers_agree_or_are_refused, begin, end),
		cmocka_unit_test_setup_teardown(nothing_is_left_of_the_one_before, begin, end),
		cmocka_unit_test_setup_teardown(maps_belong_to_files_of_one_format, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
