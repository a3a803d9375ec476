/* SPDX-License-Identifier: Apache-2.0 */
/* Types of members: rules A15 to A23, F36. */
#include "tests/support/cmocka.h"

#include <stdlib.h>

#include "pkg/base/alloc.h"
#include "tests/support/tar_describe.h"
#include "tests/support/tar_maker.h"

static void a15_types_go_by_the_flag(void **state)
{
	cleanup_buffer struct buffer tar = {0};

	(void)state;
	tar_make(&tar, &(struct tar_maker){.name = "f", .type = '0'});
	tar_make(&tar, &(struct tar_maker){.name = "v7", .type = TAR_MAKER_NUL});
	tar_make(&tar, &(struct tar_maker){
			       .name = "contiguous", .type = '7', .data = "x", .data_len = 1});
	tar_make(&tar, &(struct tar_maker){.name = "h", .type = '1', .link = "f"});
	tar_make(&tar, &(struct tar_maker){.name = "s", .type = '2', .link = "/t/"});
	tar_make(&tar, &(struct tar_maker){
			       .name = "c", .type = '3', .devmajor = "0000001", .devminor = "3"});
	tar_make(&tar, &(struct tar_maker){
			       .name = "b", .type = '4', .devmajor = "10", .devminor = "0000017"});
	tar_make(&tar, &(struct tar_maker){.name = "d", .type = '5'});
	tar_make(&tar, &(struct tar_maker){.name = "p", .type = '6'});
	tar_make_end(&tar);
	assert_tar_reads(&tar, "file f\nfile v7\nfile contiguous size=1 0:x\nlink h -> f\n"
			       "symlink s -> /t/\nchar c rdev=1:3\nblock b rdev=8:15\ndir d\n"
			       "fifo p\n");
}

static void a15_a_slash_at_the_end_makes_a_directory(void **state)
{
	cleanup_buffer struct buffer tar = {0};

	(void)state;
	tar_make(&tar, &(struct tar_maker){.name = "old/", .type = TAR_MAKER_NUL});
	tar_make(&tar, &(struct tar_maker){.name = "new/", .type = '0'});
	tar_make_pax1(&tar, "path", "pax/");
	tar_make(&tar, &(struct tar_maker){.name = "x"});
	tar_make_long(&tar, 'L', "gnu/");
	tar_make(&tar, &(struct tar_maker){.name = "x"});
	tar_make(&tar, &(struct tar_maker){.name = "s/", .type = '2', .link = "x"});
	tar_make_end(&tar);
	assert_tar_reads(&tar, "dir old/\ndir new/\ndir pax/\ndir gnu/\nsymlink s/ -> x\n");
}

static void a15_a_directory_with_data_is_refused(void **state)
{
	static const char types[] = {'0', TAR_MAKER_NUL};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		cleanup_buffer struct buffer tar = {0};

		tar_make(&tar, &(struct tar_maker){
				       .name = "d/", .type = types[i], .data = "x", .data_len = 1});
		tar_make_end(&tar);
		assert_tar_refused(&tar, "", "tar member d/ at byte 0: directory with data");
	}
}

static void a15_f36_all_other_flags_are_refused(void **state)
{
	(void)state;
	for (int flag = 0; flag < 256; flag++) {
		cleanup_buffer struct buffer tar = {0};
		cleanup_free char *why = xasprintf("member type 0x%02x is not supported", flag);

		if (memchr("\00001234567xgLKS", flag, 14))
			continue;
		tar_make_file(&tar, "before", "");
		tar_make_file(&tar, "x", "data");
		tar.data[512 + 156] = (uint8_t)flag;
		tar_make_seal(&tar, 512);
		tar_make_end(&tar);
		assert_tar_refused(&tar, "file before\n", why);
	}
}

static void a16_size_of_a_type_without_data_counts_as_zero(void **state)
{
	(void)state;
	for (char type = '1'; type <= '6'; type++) {
		cleanup_buffer struct buffer tar = {0}, got = {0};
		struct error err = {0};

		tar_make(&tar, &(struct tar_maker){.name = "x",
						   .type = type,
						   .link = "l",
						   .size = "00000001000"});
		tar_make_file(&tar, "next", "data");
		tar_make_end(&tar);
		assert_ok(tar_describe(&tar, 512, &got, &err), &err);
		assert_non_null(strstr((char *)got.data, "\nfile next size=4 0:data\n"));
		assert_null(strstr((char *)got.data, "size=512"));
	}
}

static void a16_a_pax_size_of_such_a_type_counts_as_zero_too(void **state)
{
	cleanup_buffer struct buffer tar = {0};

	(void)state;
	tar_make_pax1(&tar, "size", "1024");
	tar_make(&tar, &(struct tar_maker){.name = "d", .type = '5'});
	tar_make_file(&tar, "next", "");
	tar_make_end(&tar);
	assert_tar_reads(&tar, "dir d\nfile next\n");
}

static void a16_a_body_where_there_should_be_a_header_is_refused(void **state)
{
	(void)state;
	for (char type = '1'; type <= '6'; type++) {
		cleanup_buffer struct buffer tar = {0}, got = {0};
		struct error err = {0};

		tar_make(&tar, &(struct tar_maker){.name = "x",
						   .type = type,
						   .link = "l",
						   .data = "this is the body",
						   .data_len = 16});
		tar_make_file(&tar, "next", "");
		tar_make_end(&tar);
		assert_int_equal(tar_describe(&tar, 512, &got, &err), -1);
		assert_error(&err, ERR_INVALID, "of a type without data, claims to have some");
	}
}

/* To some readers these zeros are the body of x, and more follows it. */
static void a16_zeros_for_a_body_hide_nothing(void **state)
{
	cleanup_buffer struct buffer tar = {0}, hidden = {0};

	(void)state;
	tar_make(&tar,
		 &(struct tar_maker){.name = "x", .type = '1', .link = "l", .size = "00000002000"});
	tar_make_end(&tar);
	tar_make_zeros(&tar, 10240 - tar.len);
	assert_tar_reads(&tar, "link x -> l\n");
	tar.data[tar.len - 1] = 1;
	assert_tar_refused(&tar, "link x -> l\n", "data behind the end of the archive");
	buffer_add(&hidden, tar.data, 512 + 1024);
	tar_make_file(&hidden, "hidden", "");
	tar_make_end(&hidden);
	assert_tar_refused(&hidden, "link x -> l\n", "data behind the end of the archive");
}

static void a20_device_numbers_are_exact(void **state)
{
	cleanup_buffer struct buffer tar = {0};

	(void)state;
	tar_make(&tar, &(struct tar_maker){.name = "whiteout", .type = '3'});
	tar_make(&tar, &(struct tar_maker){.name = "max",
					   .type = '4',
					   .devmajor = "0007777",
					   .devminor = "3777777"});
	tar_make(&tar, &(struct tar_maker){.name = "wide",
					   .type = '3',
					   .devmajor = "\x80\0\0\0\xff\xff\xff\xff",
					   .devminor = "77777777"});
	memcpy(tar.data + 1024 + 329, "\x80\0\0\0\xff\xff\xff\xff", 8);
	tar_make_seal(&tar, 1024);
	/* of other types they mean nothing, whatever they are */
	tar_make(&tar, &(struct tar_maker){.name = "f", .devmajor = "junk", .devminor = "-1"});
	tar_make_end(&tar);
	assert_tar_reads(&tar, "char whiteout\nblock max rdev=4095:1048575\n"
			       "char wide rdev=4294967295:16777215\nfile f\n");
}

static void a20_device_numbers_beyond_32_bits_or_below_zero_are_refused(void **state)
{
	static const char *const values[] = {"\x80\0\0\1\0\0\0\0",
					     "\xff\xff\xff\xff\xff\xff\xff\xff"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		cleanup_buffer struct buffer tar = {0};

		tar_make(&tar, &(struct tar_maker){.name = "c", .type = '3'});
		memcpy(tar.data + 337, values[i], 8);
		tar_make_seal(&tar, 0);
		assert_tar_refused(&tar, "", "'devminor' is out of range");
	}
}

static void a20_a_second_device_number_must_be_the_same(void **state)
{
	cleanup_buffer struct buffer tar = {0};

	(void)state;
	tar_make_pax1(&tar, "SCHILY.devmajor", "5");
	tar_make(&tar, &(struct tar_maker){.name = "c", .type = '3', .devmajor = "5"});
	assert_tar_reads(&tar, "char c rdev=5:0\n");
	tar.len = 0;
	tar_make_pax1(&tar, "SCHILY.devmajor", "6");
	tar_make(&tar, &(struct tar_maker){.name = "c", .type = '3', .devmajor = "5"});
	assert_tar_refused(&tar, "", "two different device numbers");
}

static void a22_link_targets_are_verbatim(void **state)
{
	cleanup_buffer struct buffer tar = {0};

	(void)state;
	tar_make(&tar, &(struct tar_maker){.name = "a", .type = '2', .link = "/../x//y/./"});
	tar_make(&tar, &(struct tar_maker){.name = "b", .type = '2', .link = "\xff\n"});
	/* no ASCII byte in it: Go leaves the field empty */
	tar_make_pax1(&tar, "linkpath", "\xe6\x97\xa5\xe6\x9c\xac");
	tar_make(&tar, &(struct tar_maker){.name = "c", .type = '2'});
	tar_make_pax1(&tar, "linkpath", "\xe6\x97\xa5");
	tar_make(&tar, &(struct tar_maker){.name = "d", .type = '1'});
	/* of other types it means nothing */
	tar_make_pax1(&tar, "linkpath", "x");
	tar_make(&tar, &(struct tar_maker){.name = "f", .link = "y"});
	tar_make_end(&tar);
	assert_tar_reads(&tar, "symlink a -> /../x//y/./\nsymlink b -> \\xff\\x0a\n"
			       "symlink c -> \\xe6\\x97\\xa5\\xe6\\x9c\\xac\n"
			       "link d -> \\xe6\\x97\\xa5\nfile f\n");
}

static void a22_a_link_without_a_target_is_refused(void **state)
{
	(void)state;
	for (char type = '1'; type <= '2'; type++) {
		cleanup_buffer struct buffer tar = {0};

		tar_make(&tar, &(struct tar_maker){.name = "l", .type = type});
		assert_tar_refused(&tar, "", "tar member l at byte 0: link without a target");
	}
}

static void a22_a_link_target_has_at_most_64_kib(void **state)
{
	cleanup_buffer struct buffer tar = {0};
	cleanup_free char *target = xmalloc(70001);

	(void)state;
	memset(target, 't', 70000);
	target[70000] = '\0';
	tar_make_long(&tar, 'K', target);
	tar_make(&tar, &(struct tar_maker){.name = "l", .type = '2'});
	assert_tar_refused(&tar, "", "link target is longer than 65536 bytes");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a15_types_go_by_the_flag),
		cmocka_unit_test(a15_a_slash_at_the_end_makes_a_directory),
		cmocka_unit_test(a15_a_directory_with_data_is_refused),
		cmocka_unit_test(a15_f36_all_other_flags_are_refused),
		cmocka_unit_test(a16_size_of_a_type_without_data_counts_as_zero),
		cmocka_unit_test(a16_a_pax_size_of_such_a_type_counts_as_zero_too),
		cmocka_unit_test(a16_a_body_where_there_should_be_a_header_is_refused),
		cmocka_unit_test(a16_zeros_for_a_body_hide_nothing),
		cmocka_unit_test(a20_device_numbers_are_exact),
		cmocka_unit_test(a20_device_numbers_beyond_32_bits_or_below_zero_are_refused),
		cmocka_unit_test(a20_a_second_device_number_must_be_the_same),
		cmocka_unit_test(a22_link_targets_are_verbatim),
		cmocka_unit_test(a22_a_link_without_a_target_is_refused),
		cmocka_unit_test(a22_a_link_target_has_at_most_64_kib),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
