/* SPDX-License-Identifier: Apache-2.0 */
/* Names and records: rules A1 to A14 as far as the reader decides them. */
#include "tests/support/cmocka.h"

#include <stdlib.h>

#include "pkg/base/alloc.h"
#include "tests/support/tar_describe.h"
#include "tests/support/tar_maker.h"

static const char *repeat(struct buffer *b, char c, size_t n)
{
	buffer_clear(b);
	memset(buffer_reserve(b, n), c, n);
	buffer_grew(b, n);
	return (const char *)b->data;
}

static void a1_names_are_passed_on_as_they_are(void **state)
{
	static const char *const names[] = {"./a", "/a", "a//b", "a/./b", "../x", "a/../../x",
					    ".",   "/",	 "",	 "..",	  "a/."};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		cleanup_free char *expected =
			xasprintf("dir %s\nlink x -> %s\n", names[i], "t/../../u");
		cleanup_buffer struct buffer tar = {0};

		tar_make(&tar, &(struct tar_maker){.name = names[i], .type = '5'});
		tar_make(&tar, &(struct tar_maker){.name = "x", .type = '1', .link = "t/../../u"});
		tar_make_end(&tar);
		assert_tar_reads(&tar, expected);
	}
}

static void a7_name_bytes_are_opaque(void **state)
{
	cleanup_buffer struct buffer tar = {0}, records = {0};

	(void)state;
	tar_make_file(&tar, "a\n\tb\\c:\xff\xc3\xa9", "");
	tar_make_file(&tar, "-e\xcc\x81 .", "");
	tar_make_text_record(&records, "path", "\x01\n=\xfe");
	tar_make_pax(&tar, 'x', &records);
	tar_make_file(&tar, "ignored", "");
	tar_make_long(&tar, 'L', "\x7f\r\x80");
	tar_make_file(&tar, "ignored", "");
	tar_make_end(&tar);
	assert_tar_reads(&tar, "file a\\x0a\\x09b\\c:\\xff\\xc3\\xa9\n"
			       "file -e\\xcc\\x81 .\n"
			       "file \\x01\\x0a=\\xfe\n"
			       "file \\x7f\\x0d\\x80\n");
}

static void a8_a_path_has_at_most_64_kib(void **state)
{
	(void)state;
	for (size_t len = 65535; len <= 65537; len++) {
		for (int form = 0; form < 2; form++) {
			cleanup_buffer struct buffer tar = {0}, path = {0};
			cleanup_free char *expected = NULL;

			repeat(&path, 'n', len);
			if (form == 0)
				tar_make_pax1(&tar, "path", (const char *)path.data);
			else
				tar_make_long(&tar, 'L', (const char *)path.data);
			tar_make_file(&tar, "short", "");
			expected = xasprintf("file %s\n", path.data);
			if (len <= 65536)
				assert_tar_reads(&tar, expected);
			else
				assert_tar_refused(&tar, "", "is longer than 65536 bytes");
		}
	}
}

static void a9_name_and_prefix_of_ustar_are_joined(void **state)
{
	cleanup_buffer struct buffer tar = {0}, name = {0}, prefix = {0};
	cleanup_free char *expected = NULL;

	(void)state;
	tar_make(&tar, &(struct tar_maker){.name = "b", .prefix = "a"});
	tar_make(&tar, &(struct tar_maker){.name = repeat(&name, 'n', 100),
					   .prefix = repeat(&prefix, 'p', 155)});
	/* not in these formats */
	tar_make(&tar, &(struct tar_maker){.name = "gnu", .magic = "ustar  "});
	tar_make(&tar,
		 &(struct tar_maker){.name = "v7", .prefix = "junk", .magic = "\0\0\0\0\0\0\0"});
	tar_make_end(&tar);
	expected = xasprintf("file a/b\nfile %s/%s\nfile gnu\nfile v7\n", prefix.data, name.data);
	assert_tar_reads(&tar, expected);
}

static void a9_link_names_of_a_hundred_bytes_need_no_end(void **state)
{
	cleanup_buffer struct buffer tar = {0}, link = {0};
	cleanup_free char *expected = NULL;

	(void)state;
	tar_make(&tar,
		 &(struct tar_maker){.name = "s", .type = '2', .link = repeat(&link, 'l', 100)});
	expected = xasprintf("symlink s -> %s\n", link.data);
	assert_tar_reads(&tar, expected);
}

static void a9_the_last_of_several_long_names_wins(void **state)
{
	cleanup_buffer struct buffer tar = {0};

	(void)state;
	tar_make_long(&tar, 'L', "first");
	tar_make_long(&tar, 'K', "first target");
	tar_make_long(&tar, 'L', "second");
	tar_make_long(&tar, 'K', "second target");
	tar_make(&tar, &(struct tar_maker){.name = "x", .type = '2', .link = "y"});
	/* and they count once */
	tar_make(&tar, &(struct tar_maker){.name = "x", .type = '2', .link = "y"});
	tar_make_end(&tar);
	assert_tar_reads(&tar, "symlink second -> second target\nsymlink x -> y\n");
}

static void a9_a_long_name_is_cut_at_its_first_nul(void **state)
{
	cleanup_buffer struct buffer tar = {0};

	(void)state;
	tar_make(&tar, &(struct tar_maker){.name = "././@LongLink",
					   .type = 'L',
					   .data = "name\0more",
					   .data_len = 10});
	tar_make_file(&tar, "x", "");
	/* one without any */
	tar_make(&tar, &(struct tar_maker){.type = 'L', .data = "whole", .data_len = 5});
	tar_make_file(&tar, "x", "");
	tar_make_end(&tar);
	assert_tar_reads(&tar, "file name\nfile whole\n");
}

static void a9_an_empty_long_name_is_refused(void **state)
{
	(void)state;
	for (size_t len = 0; len < 3; len++) {
		cleanup_buffer struct buffer tar = {0};

		tar_make(&tar, &(struct tar_maker){.type = 'L', .data = "\0\0\0", .data_len = len});
		tar_make_file(&tar, "x", "");
		assert_tar_refused(&tar, "", "empty GNU long name");
	}
}

static void a9_repeated_keys_and_headers_last_wins(void **state)
{
	cleanup_buffer struct buffer tar = {0}, records = {0};

	(void)state;
	tar_make_pax1(&tar, "mtime", "7"); /* lost: only the last header counts */
	tar_make_text_record(&records, "path", "one");
	tar_make_text_record(&records, "uid", "1");
	tar_make_text_record(&records, "path", "two");
	tar_make_text_record(&records, "uid", "2");
	tar_make_pax(&tar, 'x', &records);
	tar_make_file(&tar, "x", "data");
	tar_make_file(&tar, "plain", "");
	tar_make_end(&tar);
	assert_tar_reads(&tar, "file two owner=2:0 size=4 0:data\nfile plain\n");
}

static void a10_path_and_gnu_long_name_is_refused(void **state)
{
	(void)state;
	for (int order = 0; order < 2; order++) {
		cleanup_buffer struct buffer tar = {0};

		if (order == 0)
			tar_make_pax1(&tar, "path", "pax");
		tar_make_long(&tar, 'L', "gnu");
		if (order == 1)
			tar_make_pax1(&tar, "path", "pax");
		tar_make_file(&tar, "x", "");
		assert_tar_refused(&tar, "", "both a PAX path and a GNU long name");
	}
}

static void a10_linkpath_and_gnu_long_link_is_refused(void **state)
{
	cleanup_buffer struct buffer tar = {0};

	(void)state;
	tar_make_pax1(&tar, "linkpath", "pax");
	tar_make_long(&tar, 'K', "gnu");
	tar_make(&tar, &(struct tar_maker){.name = "s", .type = '2', .link = "x"});
	assert_tar_refused(&tar, "", "both a PAX linkpath and a GNU long link");
}

static void a10_records_that_name_something_else_may_stand_beside_long_names(void **state)
{
	cleanup_buffer struct buffer tar = {0};

	(void)state;
	tar_make_pax1(&tar, "mtime", "5");
	tar_make_long(&tar, 'L', "long");
	tar_make_long(&tar, 'K', "target");
	tar_make(&tar, &(struct tar_maker){.name = "s", .type = '2', .link = "x"});
	tar_make_end(&tar);
	assert_tar_reads(&tar, "symlink long -> target mtime=5.0\n");
}

static void a11_pax_size_overrides_for_the_member_only(void **state)
{
	cleanup_buffer struct buffer tar = {0}, inside = {0}, records = {0};

	(void)state;
	/* A header hidden in data of 512 bytes that the ustar size of 0 would uncover. */
	tar_make_file(&inside, "smuggled", "");
	tar_make_text_record(&records, "size", "512");
	tar_make_pax(&tar, 'x', &records);
	tar_make_long(&tar, 'L', "long name, of its own size");
	tar_make(&tar, &(struct tar_maker){.name = "x",
					   .size = "00000000000",
					   .data = inside.data,
					   .data_len = inside.len});
	tar_make_file(&tar, "next", "");
	tar_make_end(&tar);
	assert_tar_reads(&tar, "file long name, of its own size size=512 0:smuggled"
			       "\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00"
			       "\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00"
			       "\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00"
			       "\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00"
			       "\\x00\\x00\\x00\\x00\nfile next\n");
}

static void a11_pax_size_may_be_smaller_than_the_ustar_size(void **state)
{
	cleanup_buffer struct buffer tar = {0};

	(void)state;
	tar_make_pax1(&tar, "size", "3");
	tar_make(&tar, &(struct tar_maker){.name = "x",
					   .size = "00000002000",
					   .data = "abcdef",
					   .data_len = 6});
	tar_make_file(&tar, "next", "");
	tar_make_end(&tar);
	assert_tar_reads(&tar, "file x size=3 0:abc\nfile next\n");
}

/* One x member with this body. */
static void assert_body_refused(const void *body, size_t len, const char *why)
{
	cleanup_buffer struct buffer tar = {0};

	tar_make(&tar, &(struct tar_maker){
			       .name = "PaxHeaders/x", .type = 'x', .data = body, .data_len = len});
	tar_make_file(&tar, "x", "");
	tar_make_end(&tar);
	assert_tar_refused(&tar, "", why);
}

static void a12_a_record_whose_length_is_wrong_is_refused(void **state)
{
	static const char *const bodies[] = {
		"0 uid=1\n",
		"1 uid=1\n",
		"2 uid=1\n",
		"3 uid=1\n",
		"7 uid=1\n",
		"9 uid=1\n",
		"10 uid=1\n",
		"100000000000000000000 uid=1\n",
		"18446744073709551624 uid=1\n",
		"-8 uid=1\n",
		"+8 uid=1\n",
		"0x8 uid=1\n",
		" 8 uid=1\n",
		"8  uid=1\n9",
		"8uid=1\n",
		"uid=1\n",
		"8",
		"8 ",
		" ",
		"\n",
		"8 uid=1 ",
		"8 uid=1\n8 uid=2",
		"8 uid=1\n\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++)
		assert_body_refused(bodies[i], strlen(bodies[i]), "PAX record");
	assert_body_refused("8 uid=1\n\0\0", 10, "PAX record has a wrong length");
}

static void a12_leading_zeros_of_a_length_are_harmless(void **state)
{
	cleanup_buffer struct buffer tar = {0};

	(void)state;
	tar_make(&tar, &(struct tar_maker){.type = 'x', .data = "0009 uid=", .data_len = 9});
	tar.len = 0;
	tar_make(&tar, &(struct tar_maker){.type = 'x', .data = "0010 uid=1\n", .data_len = 11});
	tar_make_file(&tar, "x", "");
	assert_tar_refused(&tar, "", "wrong length"); /* 10 is one short */
	tar.len = 0;
	tar_make(&tar, &(struct tar_maker){.type = 'x', .data = "0011 uid=1\n", .data_len = 11});
	tar_make_file(&tar, "x", "");
	assert_tar_reads(&tar, "file x owner=1:0\n");
}

static void a12_a_record_without_a_key_is_refused(void **state)
{
	(void)state;
	assert_body_refused("5 =x\n", 5, "without a key");
	assert_body_refused("6 uid\n", 6, "without a key");
	assert_body_refused("9 u\0id=1\n", 9, "NUL in its key");
}

static void a12_nul_in_names_is_refused(void **state)
{
	static const char *const keys[] = {"path", "linkpath", "uname", "gname", "GNU.sparse.name"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		cleanup_buffer struct buffer records = {0};

		tar_make_record(&records, keys[i], "a\0b", 3);
		assert_body_refused(records.data, records.len, "holds a NUL");
	}
}

static void a12_numbers_must_be_decimal(void **state)
{
	static const char *const keys[] = {"size", "uid", "gid"};
	static const char *const values[] = {"-1",
					     "+1",
					     " 1",
					     "1 ",
					     "0x1",
					     "1e3",
					     "1.0",
					     "abc",
					     "1a",
					     "18446744073709551616",
					     "99999999999999999999999"};

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(keys); k++) {
		for (size_t v = 0; v < ARRAY_SIZE(values); v++) {
			cleanup_buffer struct buffer records = {0};

			tar_make_text_record(&records, keys[k], values[v]);
			assert_body_refused(records.data, records.len, "invalid value");
		}
	}
}

static void a12_a_size_beyond_63_bits_is_refused(void **state)
{
	static const char *const values[] = {"9223372036854775807", "9223372036854775808",
					     "18446744073709551615"};

	(void)state;
	for (size_t v = 0; v < ARRAY_SIZE(values); v++) {
		cleanup_buffer struct buffer records = {0};

		tar_make_text_record(&records, "size", values[v]);
		assert_body_refused(records.data, records.len, "invalid value");
	}
}

static void a12_an_empty_value_is_refused_where_it_counts(void **state)
{
	static const char *const keys[] = {"path", "linkpath", "size", "uid",
					   "gid",  "mtime",    "atime"};
	cleanup_buffer struct buffer tar = {0}, harmless = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		cleanup_buffer struct buffer records = {0};

		tar_make_text_record(&records, keys[i], "");
		assert_body_refused(records.data, records.len, "is empty");
	}
	tar_make_text_record(&harmless, "uname", "");
	tar_make_text_record(&harmless, "comment", "");
	tar_make_pax(&tar, 'x', &harmless);
	tar_make_file(&tar, "x", "");
	assert_tar_reads(&tar, "file x\n");
}

static void a13_global_headers_are_ignored(void **state)
{
	cleanup_buffer struct buffer tar = {0}, records = {0};

	(void)state;
	tar_make_text_record(&records, "comment", "52 bytes of a commit");
	tar_make_text_record(&records, "path", "never");
	tar_make_text_record(&records, "linkpath", "never");
	tar_make_text_record(&records, "size", "1000000");
	tar_make_text_record(&records, "uid", "7");
	tar_make_pax(&tar, 'g', &records);
	tar_make_file(&tar, "x", "data");
	tar_make_pax(&tar, 'g', &records);
	tar_make_pax(&tar, 'g', &records);
	tar_make_file(&tar, "y", "");
	tar_make_pax(&tar, 'g', &records);
	tar_make_end(&tar);
	assert_tar_reads(&tar, "file x size=4 0:data\nfile y\n");
}

static void a13_a_global_header_that_splits_a_member_is_refused(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		cleanup_buffer struct buffer tar = {0}, records = {0};

		tar_make_text_record(&records, "comment", "hello");
		if (i == 0)
			tar_make_pax1(&tar, "uid", "1");
		else
			tar_make_long(&tar, i == 1 ? 'L' : 'K', "name");
		tar_make_pax(&tar, 'g', &records);
		tar_make(&tar, &(struct tar_maker){.name = "s", .type = '2', .link = "x"});
		assert_tar_refused(&tar, "", "global header between");
	}
}

static void a14_a_header_for_no_member_is_refused(void **state)
{
	(void)state;
	for (int i = 0; i < 6; i++) {
		cleanup_buffer struct buffer tar = {0};

		tar_make_file(&tar, "x", "");
		if (i % 3 == 0)
			tar_make_pax1(&tar, "uid", "1");
		else
			tar_make_long(&tar, i % 3 == 1 ? 'L' : 'K', "name");
		if (i < 3)
			tar_make_end(&tar);
		assert_tar_refused(&tar, "file x\n", "archive ends after a PAX or long name");
	}
}

static void f23_bodies_of_headers_are_bounded(void **state)
{
	static const char types[] = {'x', 'g', 'L', 'K'};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		cleanup_buffer struct buffer tar = {0};

		tar_make(&tar, &(struct tar_maker){.name = "big",
						   .type = types[i],
						   .size = "00004000001"});
		assert_tar_refused(&tar, "", "with 1048577 bytes, at most 1048576 are allowed");
		tar.len = 0;
		tar_make(&tar, &(struct tar_maker){.name = "big",
						   .type = types[i],
						   .size = "77777777777"});
		assert_tar_refused(&tar, "", "at most 1048576 are allowed");
	}
}

static void f24_many_records_are_read_in_one_go(void **state)
{
	cleanup_buffer struct buffer tar = {0}, records = {0}, got = {0};
	struct error err = {0};

	(void)state;
	while (records.len < 1048000)
		buffer_add(&records, "6 k=v\n", 6);
	tar_make_pax(&tar, 'x', &records);
	tar_make_file(&tar, "x", "");
	assert_ok(tar_describe(&tar, 65536, &got, &err), &err);
	assert_string_equal((char *)got.data, "file x\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a1_names_are_passed_on_as_they_are),
		cmocka_unit_test(a7_name_bytes_are_opaque),
		cmocka_unit_test(a8_a_path_has_at_most_64_kib),
		cmocka_unit_test(a9_name_and_prefix_of_ustar_are_joined),
		cmocka_unit_test(a9_link_names_of_a_hundred_bytes_need_no_end),
		cmocka_unit_test(a9_the_last_of_several_long_names_wins),
		cmocka_unit_test(a9_a_long_name_is_cut_at_its_first_nul),
		cmocka_unit_test(a9_an_empty_long_name_is_refused),
		cmocka_unit_test(a9_repeated_keys_and_headers_last_wins),
		cmocka_unit_test(a10_path_and_gnu_long_name_is_refused),
		cmocka_unit_test(a10_linkpath_and_gnu_long_link_is_refused),
		cmocka_unit_test(a10_records_that_name_something_else_may_stand_beside_long_names),
		cmocka_unit_test(a11_pax_size_overrides_for_the_member_only),
		cmocka_unit_test(a11_pax_size_may_be_smaller_than_the_ustar_size),
		cmocka_unit_test(a12_a_record_whose_length_is_wrong_is_refused),
		cmocka_unit_test(a12_leading_zeros_of_a_length_are_harmless),
		cmocka_unit_test(a12_a_record_without_a_key_is_refused),
		cmocka_unit_test(a12_nul_in_names_is_refused),
		cmocka_unit_test(a12_numbers_must_be_decimal),
		cmocka_unit_test(a12_a_size_beyond_63_bits_is_refused),
		cmocka_unit_test(a12_an_empty_value_is_refused_where_it_counts),
		cmocka_unit_test(a13_global_headers_are_ignored),
		cmocka_unit_test(a13_a_global_header_that_splits_a_member_is_refused),
		cmocka_unit_test(a14_a_header_for_no_member_is_refused),
		cmocka_unit_test(f23_bodies_of_headers_are_bounded),
		cmocka_unit_test(f24_many_records_are_read_in_one_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
