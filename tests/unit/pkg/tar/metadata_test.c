/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers, owners, times, extended attributes: rules A58 to A65, F27 to F29. */
#include "tests/support/cmocka.h"

#include <stdio.h>
#include <stdlib.h>

#include "pkg/base/alloc.h"
#include "tests/support/tar_describe.h"
#include "tests/support/tar_maker.h"

/* A file x whose header has these bytes at this place. */
static void make_with_field(struct buffer *tar, size_t at, const void *field, size_t len)
{
	tar->len = 0;
	tar_make_file(tar, "x", "");
	memcpy(tar->data + at, field, len);
	tar_make_seal(tar, 0);
}

enum { MODE_AT = 100, UID_AT = 108, GID_AT = 116, SIZE_AT = 124, MTIME_AT = 136 };

static void a58_only_permission_bits_of_the_mode_count(void **state)
{
	cleanup_buffer struct buffer tar = {0};

	(void)state;
	tar_make(&tar, &(struct tar_maker){.name = "d", .type = '5', .mode = "0040755"});
	tar_make(&tar, &(struct tar_maker){.name = "f", .mode = "0107777"});
	tar_make(&tar, &(struct tar_maker){.name = "none", .mode = "0000000"});
	tar_make(&tar, &(struct tar_maker){.name = "blank", .mode = "       "});
	tar_make_end(&tar);
	assert_tar_reads(&tar, "dir d mode=755\nfile f mode=7777\nfile none mode=0\n"
			       "file blank mode=0\n");
}

static void a59_owners_are_exact_up_to_32_bits(void **state)
{
	cleanup_buffer struct buffer tar = {0}, records = {0};

	(void)state;
	make_with_field(&tar, UID_AT, "\x80\0\0\0\0\x20\0\0", 8);
	tar_make(&tar, &(struct tar_maker){.name = "octal", .uid = "7777777", .gid = "77777777"});
	tar_make_text_record(&records, "uid", "4294967294");
	tar_make_text_record(&records, "gid", "4200664");
	tar_make_text_record(&records, "uname", "root");
	tar_make_pax(&tar, 'x', &records);
	tar_make_file(&tar, "pax", "");
	tar_make_end(&tar);
	assert_tar_reads(&tar, "file x owner=2097152:0\nfile octal owner=2097151:16777215\n"
			       "file pax owner=4294967294:4200664\n");
}

static void a59_f28_owners_that_chown_takes_differently_are_refused(void **state)
{
	static const char *const values[] = {"\x80\0\0\0\xff\xff\xff\xff", /* 2^32-1 */
					     "\x80\0\0\1\0\0\0\0",	   /* 2^32   */
					     "\x80\0\1\0\0\0\0\0",	   /* 2^40   */
					     "\xff\xff\xff\xff\xff\xff\xff\xff"};
	static const char *const texts[] = {"4294967295", "4294967296", "1099511627776", "-1"};
	cleanup_buffer struct buffer tar = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		make_with_field(&tar, UID_AT, values[i], 8);
		assert_tar_refused(&tar, "", "header field 'uid' is out of range");
		make_with_field(&tar, GID_AT, values[i], 8);
		assert_tar_refused(&tar, "", "header field 'gid' is out of range");
		for (int gid = 0; gid < 2; gid++) {
			tar.len = 0;
			tar_make_pax1(&tar, gid ? "gid" : "uid", texts[i]);
			tar_make_file(&tar, "x", "");
			assert_tar_refused(&tar, "", "has an invalid value");
		}
	}
}

static void assert_mtime(const char *text, const char *expected)
{
	cleanup_free char *line = xasprintf("file x%s\n", expected);
	cleanup_buffer struct buffer tar = {0};

	tar_make_pax1(&tar, "mtime", text);
	tar_make_file(&tar, "x", "");
	tar_make_end(&tar);
	assert_tar_reads(&tar, line);
}

static void a60_pax_times_have_nanoseconds_that_are_cut(void **state)
{
	(void)state;
	assert_mtime("0", "");
	assert_mtime("1", " mtime=1.0");
	assert_mtime("1.", " mtime=1.0");
	assert_mtime("1.5", " mtime=1.500000000");
	assert_mtime("1.000000001", " mtime=1.1");
	assert_mtime("1.9999999999", " mtime=1.999999999");
	assert_mtime("0001.10", " mtime=1.100000000");
	assert_mtime("15032385535.25", " mtime=15032385535.250000000");
	assert_mtime("9223372036854775807.999999999", " mtime=9223372036854775807.999999999");
}

static void a60_negative_times_count_back_from_the_next_second(void **state)
{
	(void)state;
	assert_mtime("-1", " mtime=-1.0");
	assert_mtime("-1.5", " mtime=-2.500000000");
	assert_mtime("-0.25", " mtime=-1.750000000");
	assert_mtime("-0", "");
	assert_mtime("-0.0", "");
	assert_mtime("-0.0000000001", "");
	assert_mtime("-1.0000000019", " mtime=-2.999999999");
	assert_mtime("-2147483648.000000001", " mtime=-2147483649.999999999");
	assert_mtime("-9223372036854775807", " mtime=-9223372036854775807.0");
}

static void a60_f29_what_is_no_time_is_refused(void **state)
{
	static const char *const texts[] = {"1e5",
					    "+1",
					    " 1",
					    "1 ",
					    ".5",
					    "-.5",
					    "-",
					    "--1",
					    "1.-5",
					    "1.5.5",
					    "1,5",
					    "0x1",
					    "1.5s",
					    "nan",
					    "9223372036854775808",
					    "-9223372036854775808"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		cleanup_buffer struct buffer tar = {0};

		tar_make_pax1(&tar, "mtime", texts[i]);
		tar_make_file(&tar, "x", "");
		assert_tar_refused(&tar, "", "PAX record 'mtime' has an invalid value");
	}
}

static void a60_header_times_may_be_negative_or_far(void **state)
{
	cleanup_buffer struct buffer tar = {0};

	(void)state;
	make_with_field(&tar, MTIME_AT, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12);
	assert_tar_reads(&tar, "file x mtime=-1.0\n");
	make_with_field(&tar, MTIME_AT, "\x80\0\0\0\0\0\0\3\x7f\xff\xff\xff", 12);
	assert_tar_reads(&tar, "file x mtime=15032385535.0\n");
	make_with_field(&tar, MTIME_AT, "\x80\0\0\0\x40\0\0\0\0\0\0\0", 12);
	assert_tar_reads(&tar, "file x mtime=4611686018427387904.0\n");
	make_with_field(&tar, MTIME_AT, "\xff\xff\xff\xff\xc0\0\0\0\0\0\0\0", 12);
	assert_tar_reads(&tar, "file x mtime=-4611686018427387904.0\n");
	make_with_field(&tar, MTIME_AT, "\xff\xff\xff\xff\x80\0\0\0\0\0\0\0", 12);
	assert_tar_reads(&tar, "file x mtime=-9223372036854775808.0\n");
	make_with_field(&tar, MTIME_AT, "777777777777", 12);
	assert_tar_reads(&tar, "file x mtime=68719476735.0\n");
}

static void a60_atime_is_that_of_pax_or_mtime(void **state)
{
	cleanup_buffer struct buffer tar = {0}, records = {0};

	(void)state;
	tar_make(&tar, &(struct tar_maker){.name = "a", .mtime = "00000000012"});
	tar_make_text_record(&records, "atime", "-3.5");
	tar_make_text_record(&records, "ctime", "99");
	tar_make_pax(&tar, 'x', &records);
	tar_make(&tar, &(struct tar_maker){.name = "b", .mtime = "00000000012"});
	tar_make_end(&tar);
	assert_tar_reads(&tar, "file a mtime=10.0\nfile b mtime=10.0 atime=-4.500000000\n");
}

static void a61_octal_fields_end_by_nul_space_or_the_field(void **state)
{
	static const struct {
		const char *field;
		const char *expected;
	} cases[] = {
		{"\0\0\0\0\0\0\0\0\0\0\0\0", "file x\n"},
		{"            ", "file x\n"},
		{"    17\0\0\0\0\0\0", "file x mtime=15.0\n"},
		{"17          ", "file x mtime=15.0\n"},
		{"17\0\0\0\0\0\0\0\0\0\0", "file x mtime=15.0\n"},
		{"00000000017 ", "file x mtime=15.0\n"},
		{"000000000017", "file x mtime=15.0\n"},
		{"         17\0", "file x mtime=15.0\n"},
		{"     17 \0\0\0\0", "file x mtime=15.0\n"},
		{"17 \0 \0 \0   \0", "file x mtime=15.0\n"},
	};
	cleanup_buffer struct buffer tar = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		make_with_field(&tar, MTIME_AT, cases[i].field, 12);
		assert_tar_reads(&tar, cases[i].expected);
	}
}

static void a61_junk_in_a_number_is_refused(void **state)
{
	static const char *const fields[] = {
		"0000000001x\0",
		"00000000019\0",
		"000000000 1\0",
		"1\0002\0\0\0\0\0\0\0\0\0",
		"-0000000001\0",
		"+0000000001\0",
		"0x000000001\0",
		"junk\0\0\0\0\0\0\0\0",
		"\t000000001\0",
		/* Go skips NULs in front, GNU tar and libarchive see 0 */
		"\000\060\060\060\060\060\060\060\060\060\061\067",
		"\0\0\0 000017\0\0",
		/* base-256 with other marks, and beyond 64 bits */
		"\x81\0\0\0\0\0\0\0\0\0\0\0",
		"\xc0\0\0\0\0\0\0\0\0\0\0\1",
		"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
		"\x80\0\0\1\0\0\0\0\0\0\0\0",
		"\x80\0\0\0\x80\0\0\0\0\0\0\0",
		"\xff\xff\xff\xff\x7f\xff\xff\xff\xff\xff\xff\xff",
		"\xff\0\0\0\0\0\0\0\0\0\0\0",
	};
	cleanup_buffer struct buffer tar = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		make_with_field(&tar, MTIME_AT, fields[i], 12);
		assert_tar_refused(&tar, "", "header field 'mtime' is not a number");
		make_with_field(&tar, SIZE_AT, fields[i], 12);
		assert_tar_refused(&tar, "", "header field 'size' is not a number");
	}
	make_with_field(&tar, UID_AT, "0000 00", 8);
	assert_tar_refused(&tar, "", "header field 'uid' is not a number");
	make_with_field(&tar, MODE_AT, "0000648", 8);
	assert_tar_refused(&tar, "", "header field 'mode' is not a number");
}

static void f27_sizes_below_zero_or_too_large_are_refused(void **state)
{
	cleanup_buffer struct buffer tar = {0};

	(void)state;
	make_with_field(&tar, SIZE_AT, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12);
	assert_tar_refused(&tar, "", "'size' is out of range: -1");
	make_with_field(&tar, SIZE_AT, "\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff", 12);
	assert_tar_refused(&tar, "", "'size' is out of range");
	make_with_field(&tar, SIZE_AT, "\x80\0\1\0\0\0\0\0\0\0\0\0", 12);
	assert_tar_refused(&tar, "", "'size' is not a number");
	make_with_field(&tar, SIZE_AT, "\x80\0\0\0\x70\0\0\0\0\0\0\0", 12);
	assert_tar_refused(&tar, "file x size=8070450532247928832",
			   "archive ends 8070450532247928832 bytes before the data does");
}

static void a61_checksums_of_signed_bytes_are_accepted(void **state)
{
	cleanup_buffer struct buffer tar = {0};
	int sum = 0;

	(void)state;
	tar_make_file(&tar, "caf\xe9\xff", "");
	memset(tar.data + 148, ' ', 8);
	for (size_t i = 0; i < 512; i++)
		sum += (signed char)tar.data[i];
	snprintf((char *)tar.data + 148, 8, "%06o", (unsigned int)sum);
	assert_tar_reads(&tar, "file caf\\xe9\\xff\n");
}

static void a61_f20_a_wrong_checksum_is_refused(void **state)
{
	cleanup_buffer struct buffer tar = {0};

	(void)state;
	tar_make_file(&tar, "x", "data");
	tar_make_file(&tar, "hidden from those who stop", "");
	tar_make_end(&tar);
	for (size_t i = 0; i < 512; i++) {
		if (i >= 148 && i < 156)
			continue;
		tar.data[i] ^= 1;
		assert_tar_refused(&tar, "", "tar header at byte 0: header has a wrong checksum");
		tar.data[i] ^= 1;
	}
	memcpy(tar.data + 148, "\0\0\0\0\0\0\0\0", 8);
	assert_tar_refused(&tar, "", "wrong checksum");
	tar_make_seal(&tar, 0);
	tar.data[1024] ^= 1;
	assert_tar_refused(&tar, "file x size=4 0:data\n", "tar header at byte 1024: header has");
}

static void variants_of_ustar_are_told_apart(void **state)
{
	cleanup_buffer struct buffer tar = {0};

	(void)state;
	/* star: its prefix is shorter, its times follow */
	tar_make(&tar, &(struct tar_maker){.name = "n", .prefix = "p"});
	memcpy(tar.data + 476, "00000000001 00000000002 ", 24);
	memcpy(tar.data + 508, "tar", 4);
	tar_make_seal(&tar, 0);
	assert_tar_reads(&tar, "file p/n\n");
	memset(tar.data + 345, 'p', 131);
	tar_make_seal(&tar, 0);
	assert_tar_refused(&tar, "", "star header has a name prefix without an end");
	/* any version is ustar, but "ustar " alone is not GNU's */
	tar.len = 0;
	tar_make(&tar, &(struct tar_maker){.name = "n", .prefix = "p", .magic = "ustar\0xy"});
	assert_tar_reads(&tar, "file p/n\n");
	tar.len = 0;
	tar_make(&tar, &(struct tar_maker){.name = "n", .prefix = "p", .magic = "ustar 00"});
	assert_tar_refused(&tar, "", "unknown variant of ustar");
	tar.len = 0;
	tar_make(&tar, &(struct tar_maker){.name = "n", .magic = "ustar 00"});
	assert_tar_reads(&tar, "file n\n");
	/* GNU: times in the place of the prefix; Go takes what is no time for a prefix */
	tar.len = 0;
	tar_make(&tar,
		 &(struct tar_maker){.name = "n", .prefix = "00000000001", .magic = "ustar  "});
	assert_tar_reads(&tar, "file n\n");
	tar.len = 0;
	tar_make(&tar, &(struct tar_maker){.name = "n", .prefix = "usr/lib", .magic = "ustar  "});
	assert_tar_refused(&tar, "", "GNU header has a name prefix");
}

/* --- extended attributes -----------------------------------------------------------------------
 */

static void assert_xattrs(const struct buffer *records, const char *expected)
{
	cleanup_free char *lines = xasprintf("file x%s\nfile next\n", expected);
	cleanup_buffer struct buffer tar = {0};

	tar_make_pax(&tar, 'x', records);
	tar_make_file(&tar, "x", "");
	tar_make_file(&tar, "next", "");
	tar_make_end(&tar);
	assert_tar_reads(&tar, lines);
}

static void a62_schily_values_are_raw(void **state)
{
	cleanup_buffer struct buffer records = {0};

	(void)state;
	tar_make_record(&records, "SCHILY.xattr.user.raw", "a\0b\n=c", 6);
	tar_make_record(&records, "SCHILY.xattr.user.empty", "", 0);
	tar_make_text_record(&records, "SCHILY.xattr.user.k=v", "w"); /* split at the first = */
	tar_make_record(&records, "SCHILY.xattr.security.capability",
			"\1\0\0\2\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20);
	assert_xattrs(&records, " xattr user.raw=a\\x00b\\x0a=c xattr user.empty= xattr user.k=v=w"
				" xattr security.capability=\\x01\\x00\\x00\\x02\\x00 "
				"\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00"
				"\\x00\\x00");
}

static void a62_libarchive_values_count_only_where_schily_is_silent(void **state)
{
	cleanup_buffer struct buffer records = {0};

	(void)state;
	tar_make_text_record(&records, "LIBARCHIVE.xattr.user.a", "bGlidA"); /* "libt" */
	tar_make_text_record(&records, "SCHILY.xattr.user.a", "schily a");
	tar_make_text_record(&records, "SCHILY.xattr.user.b", "schily b");
	tar_make_text_record(&records, "LIBARCHIVE.xattr.user.b", "bGlidA==");
	tar_make_text_record(&records, "LIBARCHIVE.xattr.user.%3d%25%C3", "bGli");
	tar_make_text_record(&records, "LIBARCHIVE.xattr.user.c", "bGlidA==");
	tar_make_text_record(&records, "LIBARCHIVE.xattr.user.d", "bGk=");
	tar_make_text_record(&records, "LIBARCHIVE.xattr.user.e", "");
	assert_xattrs(&records, " xattr user.a=schily a xattr user.b=schily b xattr user.=%\xc3=lib"
				" xattr user.c=libt xattr user.d=li xattr user.e=");
}

static void a62_of_equal_names_the_last_value_wins(void **state)
{
	cleanup_buffer struct buffer records = {0};

	(void)state;
	tar_make_text_record(&records, "SCHILY.xattr.user.a", "1");
	tar_make_text_record(&records, "SCHILY.xattr.user.b", "2");
	tar_make_text_record(&records, "SCHILY.xattr.user.a", "3");
	assert_xattrs(&records, " xattr user.a=3 xattr user.b=2");
}

static void a62_badly_encoded_attributes_are_refused(void **state)
{
	static const char *const records[][2] = {
		{"LIBARCHIVE.xattr.user.a", "b"},	  {"LIBARCHIVE.xattr.user.a", "bGli!"},
		{"LIBARCHIVE.xattr.user.a", "bG li"},	  {"LIBARCHIVE.xattr.user.a", "bGlidA="},
		{"LIBARCHIVE.xattr.user.a", "bGlidA==="}, {"LIBARCHIVE.xattr.user.a", "=bGl"},
		{"LIBARCHIVE.xattr.user.a", "===="},	  {"LIBARCHIVE.xattr.user.%", "bGli"},
		{"LIBARCHIVE.xattr.user.%4", "bGli"},	  {"LIBARCHIVE.xattr.user.%4x", "bGli"},
		{"LIBARCHIVE.xattr.user.%00", "bGli"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(records); i++) {
		cleanup_buffer struct buffer tar = {0};

		tar_make_pax1(&tar, records[i][0], records[i][1]);
		tar_make_file(&tar, "x", "");
		assert_tar_refused(&tar, "", "is wrongly encoded");
	}
}

static void a62_a64_a65_records_that_layers_do_not_use_are_ignored(void **state)
{
	cleanup_buffer struct buffer records = {0};

	(void)state;
	tar_make_text_record(&records, "RHT.security.selinux", "system_u:object_r:bin_t:s0");
	tar_make_text_record(&records, "SCHILY.acl.access", "user::rw-,mask::r--,other::---");
	tar_make_text_record(&records, "SCHILY.acl.default", "nonsense");
	tar_make_text_record(&records, "SCHILY.fflags", "uchg");
	tar_make_text_record(&records, "hdrcharset", "BINARY");
	tar_make_text_record(&records, "comment", "none");
	tar_make_text_record(&records, "VENDOR.unknown", "none");
	assert_xattrs(&records, "");
}

static void f32_names_of_attributes_have_1_to_255_bytes(void **state)
{
	cleanup_buffer struct buffer tar = {0};
	char key[400] = "SCHILY.xattr.";

	(void)state;
	tar_make_pax1(&tar, key, "value");
	tar_make_file(&tar, "x", "");
	assert_tar_refused(&tar, "", "has a name of 0 bytes");
	memset(key + 13, 'n', 256);
	tar.len = 0;
	tar_make_pax1(&tar, key, "value");
	tar_make_file(&tar, "x", "");
	assert_tar_refused(&tar, "", "has a name of 256 bytes");
}

static void f24_too_many_attributes_are_refused(void **state)
{
	cleanup_buffer struct buffer tar = {0}, records = {0};
	char key[40];

	(void)state;
	for (int i = 0; i < 40000; i++) {
		snprintf(key, sizeof(key), "SCHILY.xattr.%d", i);
		tar_make_text_record(&records, key, "");
	}
	tar_make_pax(&tar, 'x', &records);
	tar_make_file(&tar, "x", "");
	assert_tar_refused(&tar, "", "more than 1024 extended attributes");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a58_only_permission_bits_of_the_mode_count),
		cmocka_unit_test(a59_owners_are_exact_up_to_32_bits),
		cmocka_unit_test(a59_f28_owners_that_chown_takes_differently_are_refused),
		cmocka_unit_test(a60_pax_times_have_nanoseconds_that_are_cut),
		cmocka_unit_test(a60_negative_times_count_back_from_the_next_second),
		cmocka_unit_test(a60_f29_what_is_no_time_is_refused),
		cmocka_unit_test(a60_header_times_may_be_negative_or_far),
		cmocka_unit_test(a60_atime_is_that_of_pax_or_mtime),
		cmocka_unit_test(a61_octal_fields_end_by_nul_space_or_the_field),
		cmocka_unit_test(a61_junk_in_a_number_is_refused),
		cmocka_unit_test(f27_sizes_below_zero_or_too_large_are_refused),
		cmocka_unit_test(a61_checksums_of_signed_bytes_are_accepted),
		cmocka_unit_test(a61_f20_a_wrong_checksum_is_refused),
		cmocka_unit_test(variants_of_ustar_are_told_apart),
		cmocka_unit_test(a62_schily_values_are_raw),
		cmocka_unit_test(a62_libarchive_values_count_only_where_schily_is_silent),
		cmocka_unit_test(a62_of_equal_names_the_last_value_wins),
		cmocka_unit_test(a62_badly_encoded_attributes_are_refused),
		cmocka_unit_test(a62_a64_a65_records_that_layers_do_not_use_are_ignored),
		cmocka_unit_test(f32_names_of_attributes_have_1_to_255_bytes),
		cmocka_unit_test(f24_too_many_attributes_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
