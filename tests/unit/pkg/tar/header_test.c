/* SPDX-License-Identifier: Apache-2.0 */
/* One header block: formats, checksum, fields. */
#include "tests/support/cmocka.h"

#include "pkg/base/alloc.h"
#include "pkg/tar/tar_internal.h"
#include "tests/support/tar_maker.h"

/* The block of a member. */
static void make(const struct tar_maker *m, uint8_t *block)
{
	cleanup_buffer struct buffer tar = {0};

	tar_make(&tar, m);
	memcpy(block, tar.data, TAR_BLOCK_BYTES);
}

static int parse(const uint8_t *block, struct tar_header *h, struct error *err)
{
	*h = (struct tar_header){0};
	error_clear(err);
	return tar_header_parse_type(block, h, err) < 0 ? -1 : tar_header_parse_rest(block, h, err);
}

static void every_byte_counts_in_the_checksum(void **state)
{
	uint8_t block[TAR_BLOCK_BYTES];
	struct error err = {0};

	(void)state;
	make(&(struct tar_maker){.name = "a name"}, block);
	assert_ok(tar_header_check(block, &err), &err);
	for (size_t i = 0; i < sizeof(block); i++) {
		if (i == 154 || i == 155) /* NUL or space behind the number */
			continue;
		block[i] ^= 4;
		if (tar_header_check(block, &err) == 0)
			fail_msg("byte %zu does not count", i);
		assert_error(&err, ERR_INVALID, "wrong checksum");
		block[i] ^= 4;
	}
}

static void a_block_of_zeros_has_no_checksum(void **state)
{
	static const uint8_t zeros[TAR_BLOCK_BYTES];
	struct error err = {0};

	(void)state;
	assert_int_equal(tar_header_check(zeros, &err), -1);
}

/* Bytes above 127 make the two sums differ by 256 each. */
static void signed_sums_are_taken_too(void **state)
{
	uint8_t block[TAR_BLOCK_BYTES];
	struct error err = {0};
	char text[7];
	int64_t sum = 0;

	(void)state;
	make(&(struct tar_maker){.name = "\xc3\xa9\xff"}, block);
	assert_ok(tar_header_check(block, &err), &err);
	for (size_t i = 0; i < sizeof(block); i++)
		sum += i >= 148 && i < 156 ? ' ' : (int8_t)block[i];
	tar_make_octal(text, sizeof(text), (uint64_t)sum);
	memcpy(block + 148, text, sizeof(text));
	assert_ok(tar_header_check(block, &err), &err);
	tar_make_octal(text, sizeof(text), (uint64_t)sum + 256);
	memcpy(block + 148, text, sizeof(text));
	assert_int_equal(tar_header_check(block, &err), -1);
}

static void formats_are_told_by_their_magic(void **state)
{
	static const struct {
		const char *magic, *trailer;
		enum tar_format format;
		const char *name;
	} cases[] = {
		{"ustar\00000", "", TAR_USTAR, "pre/file"},
		{"ustar\0\0\0", "", TAR_USTAR, "pre/file"},
		{"ustar\00000", "tar", TAR_STAR, "pre/file"},
		{"\0\0\0\0\0\0\0\0", "", TAR_V7, "file"},
		{"USTAR\00000", "", TAR_V7, "file"},
	};
	struct error err = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint8_t block[TAR_BLOCK_BYTES];
		struct tar_header h;

		make(&(struct tar_maker){.name = "file", .prefix = "pre", .magic = cases[i].magic},
		     block);
		memcpy(block + 508, cases[i].trailer, strlen(cases[i].trailer));
		assert_ok(parse(block, &h, &err), &err);
		assert_int_equal(h.format, cases[i].format);
		assert_string_equal(h.name, cases[i].name);
		assert_int_equal(h.name_len, strlen(cases[i].name));
	}
}

static void ambiguous_prefixes_are_refused(void **state)
{
	uint8_t block[TAR_BLOCK_BYTES];
	struct tar_header h;
	struct error err = {0};

	(void)state;
	make(&(struct tar_maker){.name = "f", .prefix = "pre", .magic = "ustar  "}, block);
	assert_int_equal(parse(block, &h, &err), -1);
	assert_error(&err, ERR_INVALID, "GNU header has a name prefix");
	make(&(struct tar_maker){.name = "f", .prefix = "00000000000", .magic = "ustar  "}, block);
	assert_ok(parse(block, &h, &err), &err); /* a time */
	assert_string_equal(h.name, "f");
	memcpy(block + 357, "ctime", 5);
	assert_int_equal(parse(block, &h, &err), -1);
	make(&(struct tar_maker){.name = "f", .prefix = "p", .magic = "ustarX00"}, block);
	assert_int_equal(parse(block, &h, &err), -1);
	assert_error(&err, ERR_INVALID, "unknown variant");
	make(&(struct tar_maker){.name = "f"}, block);
	memset(block + 345, 'p', 131);
	memcpy(block + 508, "tar", 4);
	assert_int_equal(parse(block, &h, &err), -1);
	assert_error(&err, ERR_INVALID, "without an end");
}

static void names_may_fill_their_fields(void **state)
{
	char name[101], prefix[156];
	uint8_t block[TAR_BLOCK_BYTES];
	struct tar_header h;
	struct error err = {0};

	(void)state;
	memset(name, 'n', 100);
	memset(prefix, 'p', 155);
	name[100] = prefix[155] = '\0';
	make(&(struct tar_maker){.name = name, .prefix = prefix, .type = '2', .link = name}, block);
	assert_ok(parse(block, &h, &err), &err);
	assert_int_equal(h.name_len, 256);
	assert_int_equal(strlen(h.name), 256);
	assert_int_equal(h.name[155], '/');
	assert_int_equal(h.link_len, 100);
	assert_int_equal(strlen(h.link), 100);
}

static void fields_have_their_ranges(void **state)
{
	static const struct {
		struct tar_maker m;
		const char *why;
	} cases[] = {
		{{.size = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"},
		 "'size' is out of range: -1"},
		{{.size = "\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff"},
		 ""}, /* put() stops at NUL */
		{{.size = "12x"}, "'size' is not a number"},
		{{.mode = "8"}, "'mode' is not a number"},
		{{.uid = "\xff\xff\xff\xff\xff\xff\xff\xff"}, "'uid' is out of range"},
		{{.gid = "abc"}, "'gid' is not a number"},
		{{.mtime = "9"}, "'mtime' is not a number"},
		{{.type = '3', .devmajor = "x"}, "'devmajor' is not a number"},
		{{.type = '4', .devminor = "\xff\xff\xff\xff\xff\xff\xff\xff"},
		 "'devminor' is out of range"},
	};
	struct error err = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint8_t block[TAR_BLOCK_BYTES];
		struct tar_header h;

		if (!*cases[i].why)
			continue;
		make(&cases[i].m, block);
		assert_int_equal(parse(block, &h, &err), -1);
		assert_error(&err, ERR_INVALID, cases[i].why);
	}
}

static void the_largest_values_are_taken(void **state)
{
	static const uint8_t size[] = {0x80, 0,	   0,	 0,    0x7f, 0xff,
				       0xff, 0xff, 0xff, 0xff, 0xfd, 0xff};
	static const uint8_t id[] = {0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xfe};
	uint8_t block[TAR_BLOCK_BYTES];
	struct tar_header h;
	struct error err = {0};

	(void)state;
	make(&(struct tar_maker){.mode = "0107777"}, block);
	memcpy(block + 124, size, sizeof(size));
	memcpy(block + 108, id, sizeof(id));
	memcpy(block + 116, id, sizeof(id));
	assert_ok(parse(block, &h, &err), &err);
	assert_int_equal(h.size, INT64_MAX - 512);
	assert_int_equal(h.uid, UINT32_MAX - 1);
	assert_int_equal(h.gid, UINT32_MAX - 1);
	assert_int_equal(h.mode, 07777); /* without the type */
	block[124 + 10]++;		 /* its padding would not fit */
	assert_int_equal(parse(block, &h, &err), -1);
	block[124 + 10]--;
	block[108 + 7]++; /* "leave it" */
	assert_int_equal(parse(block, &h, &err), -1);
	assert_error(&err, ERR_INVALID, "'uid' is out of range");
}

/* Writers leave anything in there. */
static void devices_are_only_read_of_devices(void **state)
{
	uint8_t block[TAR_BLOCK_BYTES];
	struct tar_header h;
	struct error err = {0};

	(void)state;
	make(&(struct tar_maker){.devmajor = "junk", .devminor = "junk"}, block);
	assert_ok(parse(block, &h, &err), &err);
	assert_int_equal(h.rdev_major, 0);
	make(&(struct tar_maker){.type = '3', .devmajor = "0000010", .devminor = "0000377"}, block);
	assert_ok(parse(block, &h, &err), &err);
	assert_int_equal(h.rdev_major, 8);
	assert_int_equal(h.rdev_minor, 255);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_byte_counts_in_the_checksum),
		cmocka_unit_test(a_block_of_zeros_has_no_checksum),
		cmocka_unit_test(signed_sums_are_taken_too),
		cmocka_unit_test(formats_are_told_by_their_magic),
		cmocka_unit_test(ambiguous_prefixes_are_refused),
		cmocka_unit_test(names_may_fill_their_fields),
		cmocka_unit_test(fields_have_their_ranges),
		cmocka_unit_test(the_largest_values_are_taken),
		cmocka_unit_test(devices_are_only_read_of_devices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
