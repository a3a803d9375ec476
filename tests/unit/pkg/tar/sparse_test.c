/* SPDX-License-Identifier: Apache-2.0 */
/* Files with holes in all notations: rules A18, A19, F25, F26. */
#include "tests/support/cmocka.h"

#include <stdio.h>
#include <stdlib.h>

#include "pkg/base/alloc.h"
#include "tests/support/tar_describe.h"
#include "tests/support/tar_maker.h"

struct region {
	uint64_t offset, len;
};

struct sparse_file {
	uint64_t size;
	const struct region *regions;
	size_t n;
};

enum form { OLD_GNU, PAX_0_0, PAX_0_1, PAX_1_0, FORMS };

/* Bytes that say where they belong: 'a' in the first stored block, 'b' in the second... */
static void put_data(struct buffer *to, const struct sparse_file *f)
{
	uint64_t stored = 0;

	for (size_t i = 0; i < f->n; i++)
		for (uint64_t k = 0; k < f->regions[i].len; k++, stored++) {
			char c = (char)('a' + stored / 512 % 26);

			buffer_add(to, &c, 1);
		}
}

static void put_old_entry(uint8_t *to, const struct region *r)
{
	char field[12];

	tar_make_octal(field, 12, r->offset);
	memcpy(to, field, 12);
	tar_make_octal(field, 12, r->len);
	memcpy(to + 12, field, 12);
}

/* Four regions in the header, 21 in each block after it. */
static void make_old_gnu(struct buffer *tar, const struct sparse_file *f, const struct buffer *data)
{
	size_t header = tar->len, i = 0;
	char size[12];

	tar_make_octal(size, 12, data->len);
	tar_make(tar,
		 &(struct tar_maker){.name = "sp", .type = 'S', .magic = "ustar  ", .size = size});
	for (; i < f->n && i < 4; i++)
		put_old_entry(tar->data + header + 386 + 24 * i, &f->regions[i]);
	tar->data[header + 482] = f->n > 4;
	tar_make_octal(size, 12, f->size);
	memcpy(tar->data + header + 483, size, 12);
	tar_make_seal(tar, header);
	while (i < f->n) {
		size_t block = tar->len;

		tar_make_zeros(tar, 512);
		for (size_t k = 0; k < 21 && i < f->n; k++, i++)
			put_old_entry(tar->data + block + 24 * k, &f->regions[i]);
		tar->data[block + 504] = i < f->n;
	}
	buffer_add(tar, data->data, data->len);
	tar_make_pad(tar);
}

static void record_number(struct buffer *records, const char *key, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	tar_make_text_record(records, key, text);
}

static void put_records(struct buffer *records, enum form form, const struct sparse_file *f)
{
	cleanup_buffer struct buffer list = {0};

	if (form == PAX_1_0) {
		tar_make_text_record(records, "GNU.sparse.major", "1");
		tar_make_text_record(records, "GNU.sparse.minor", "0");
		tar_make_text_record(records, "GNU.sparse.name", "sp");
		record_number(records, "GNU.sparse.realsize", f->size);
		return;
	}
	record_number(records, "GNU.sparse.size", f->size);
	record_number(records, "GNU.sparse.numblocks", f->n);
	for (size_t i = 0; i < f->n; i++) {
		if (form == PAX_0_0) {
			record_number(records, "GNU.sparse.offset", f->regions[i].offset);
			record_number(records, "GNU.sparse.numbytes", f->regions[i].len);
		}
		buffer_printf(&list, "%s%llu,%llu", i ? "," : "",
			      (unsigned long long)f->regions[i].offset,
			      (unsigned long long)f->regions[i].len);
	}
	if (form == PAX_0_1) {
		tar_make_text_record(records, "GNU.sparse.name", "sp");
		tar_make_text_record(records, "GNU.sparse.map", (char *)list.data);
	}
}

static void put_map(struct buffer *to, const struct sparse_file *f)
{
	buffer_printf(to, "%zu\n", f->n);
	for (size_t i = 0; i < f->n; i++)
		buffer_printf(to, "%llu\n%llu\n", (unsigned long long)f->regions[i].offset,
			      (unsigned long long)f->regions[i].len);
	tar_make_pad(to);
}

static void make_sparse(struct buffer *tar, enum form form, const struct sparse_file *f)
{
	cleanup_buffer struct buffer records = {0}, data = {0};

	if (form == PAX_1_0)
		put_map(&data, f);
	put_data(&data, f);
	if (form == OLD_GNU) {
		make_old_gnu(tar, f, &data);
		return;
	}
	put_records(&records, form, f);
	tar_make_pax(tar, 'x', &records);
	tar_make(tar, &(struct tar_maker){.name = form == PAX_0_0 ? "sp" : "GNUSparseFile.1/sp",
					  .data = data.data,
					  .data_len = data.len});
}

static void assert_sparse_reads(const struct sparse_file *f, const char *expected)
{
	cleanup_free char *lines = xasprintf("file sp%s\nfile next size=1 0:x\n", expected);

	for (enum form form = 0; form < FORMS; form++) {
		cleanup_buffer struct buffer tar = {0};

		make_sparse(&tar, form, f);
		tar_make_file(&tar, "next", "x");
		tar_make_end(&tar);
		assert_tar_reads(&tar, lines);
	}
}

static void assert_sparse_refused(const struct sparse_file *f, const char *why)
{
	for (enum form form = 0; form < FORMS; form++) {
		cleanup_buffer struct buffer tar = {0};

		make_sparse(&tar, form, f);
		tar_make_end(&tar);
		assert_tar_refused(&tar, "", why);
	}
}

#define A8  "aaaaaaaa"
#define B8  "bbbbbbbb"
#define A64 A8 A8 A8 A8 A8 A8 A8 A8
#define B64 B8 B8 B8 B8 B8 B8 B8 B8

static void a18_holes_may_be_anywhere(void **state)
{
	const struct sparse_file start = {1512, (struct region[]){{1000, 512}}, 1};
	const struct sparse_file middle = {2000, (struct region[]){{0, 512}, {1488, 512}}, 2};
	const struct sparse_file end = {5000, (struct region[]){{0, 512}, {5000, 0}}, 2};
	const struct sparse_file all = {5000, (struct region[]){{5000, 0}}, 1};
	const struct sparse_file nil = {0, (struct region[]){{0, 0}}, 1};
	const struct sparse_file none = {3, (struct region[]){{0, 3}, {3, 0}}, 2};
	const struct sparse_file odd = {1000003, (struct region[]){{7, 512}, {1000000, 3}}, 2};
	const struct sparse_file touching = {1024, (struct region[]){{0, 512}, {512, 512}}, 2};

	(void)state;
	assert_sparse_reads(&start, " size=1512 1000:" A64);
	assert_sparse_reads(&middle, " size=2000 0:" A64 " 1488:" B64);
	assert_sparse_reads(&end, " size=5000 0:" A64);
	assert_sparse_reads(&all, " size=5000");
	assert_sparse_reads(&nil, "");
	assert_sparse_reads(&none, " size=3 0:aaa");
	assert_sparse_reads(&odd, " size=1000003 7:" A64 " 1000000:bbb");
	assert_sparse_reads(&touching, " size=1024 0:" A64);
}

static void a18_a_map_may_be_longer_than_a_block(void **state)
{
	enum { N = 300 };
	static struct region regions[N];
	const struct sparse_file f = {N * 1000000, regions, N};

	(void)state;
	for (size_t i = 0; i < N; i++)
		regions[i] = (struct region){i * 1000000, 512};
	for (enum form form = 0; form < FORMS; form++) {
		cleanup_buffer struct buffer tar = {0}, got = {0};
		struct error err = {0};

		make_sparse(&tar, form, &f);
		tar_make_file(&tar, "next", "x");
		tar_make_end(&tar);
		for (size_t piece = 100; piece < 100000; piece *= 7) {
			assert_ok(tar_describe(&tar, piece, &got, &err), &err);
			assert_non_null(strstr((char *)got.data, "\nfile next size=1 0:x\n"));
			assert_non_null(strstr((char *)got.data, " 299000000:nnnn"));
		}
	}
}

static void a19_large_holes_cost_nothing(void **state)
{
	const struct sparse_file f = {60000000512,
				      (struct region[]){{0, 512},
							{10000000000, 512},
							{20000000000, 512},
							{30000000000, 512},
							{40000000000, 512},
							{60000000000, 512}},
				      6};

	(void)state;
	for (enum form form = 0; form < FORMS; form++) {
		cleanup_buffer struct buffer tar = {0}, got = {0};
		struct error err = {0};

		make_sparse(&tar, form, &f);
		if (form == OLD_GNU) /* eleven octal digits do not reach that far */
			continue;
		assert_ok(tar_describe(&tar, 4096, &got, &err), &err);
		assert_non_null(strstr((char *)got.data, "file sp size=60000000512 0:aaaa"));
		assert_non_null(strstr((char *)got.data, " 60000000000:ffff"));
	}
}

static void f26_the_largest_size_is_passed_on(void **state)
{
	const struct sparse_file f = {INT64_MAX, (struct region[]){{INT64_MAX - 512, 512}}, 1};

	(void)state;
	for (enum form form = PAX_0_0; form < FORMS; form++) {
		cleanup_buffer struct buffer tar = {0};

		make_sparse(&tar, form, &f);
		assert_tar_reads(&tar, "file sp size=9223372036854775807 "
				       "9223372036854775295:" A64 "\n");
	}
}

static void f25_maps_out_of_order_or_overlapping_are_refused(void **state)
{
	const struct sparse_file unsorted = {5000, (struct region[]){{1024, 512}, {0, 512}}, 2};
	const struct sparse_file overlap = {5000, (struct region[]){{0, 1024}, {512, 512}}, 2};
	const struct sparse_file by_one = {5000, (struct region[]){{0, 512}, {511, 512}}, 2};

	(void)state;
	assert_sparse_refused(&unsorted, "not in ascending order at region 1");
	assert_sparse_refused(&overlap, "not in ascending order at region 1");
	assert_sparse_refused(&by_one, "not in ascending order at region 1");
}

static void f25_maps_beyond_the_size_are_refused(void **state)
{
	const struct sparse_file offset = {5000, (struct region[]){{5001, 0}}, 1};
	const struct sparse_file len = {5000, (struct region[]){{4489, 512}}, 1};

	(void)state;
	assert_sparse_refused(&offset, "beyond the size of 5000 bytes");
	assert_sparse_refused(&len, "beyond the size of 5000 bytes");
}

static void f25_maps_that_overflow_are_refused(void **state)
{
	static const char *const maps[] = {
		"9223372036854775807,512",
		"9223372036854775295,513",
		"0,9223372036854775807",
		"0,512,9223372036854775807,9223372036854775807",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(maps); i++) {
		cleanup_buffer struct buffer tar = {0}, records = {0};

		tar_make_text_record(&records, "GNU.sparse.size", "9223372036854775807");
		tar_make_text_record(&records, "GNU.sparse.numblocks", i == 3 ? "2" : "1");
		tar_make_text_record(&records, "GNU.sparse.map", maps[i]);
		tar_make_pax(&tar, 'x', &records);
		tar_make(&tar, &(struct tar_maker){.name = "sp", .data = "", .data_len = 0});
		assert_tar_refused(&tar, "", "sparse map");
	}
}

static void regions_of_broken_blocks_are_refused(void **state)
{
	/* GNU tar reads each region from a new block, all others go on in the middle. */
	const struct sparse_file f = {5000, (struct region[]){{0, 100}, {1000, 512}}, 2};

	(void)state;
	assert_sparse_refused(&f, "region 0 of 100 bytes, not whole blocks");
}

static void a18_as_much_as_the_map_says_must_be_stored(void **state)
{
	static const char *const maps[] = {"0,512", "0,1536", "0,0"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(maps); i++) {
		cleanup_buffer struct buffer tar = {0}, records = {0}, data = {0};

		tar_make_text_record(&records, "GNU.sparse.size", "5000");
		tar_make_text_record(&records, "GNU.sparse.numblocks", "1");
		tar_make_text_record(&records, "GNU.sparse.map", maps[i]);
		tar_make_pax(&tar, 'x', &records);
		tar_make_zeros(&data, 1024);
		tar_make(&tar, &(struct tar_maker){.name = "sp",
						   .data = data.data,
						   .data_len = data.len});
		assert_tar_refused(&tar, "", "bytes, 1024 are stored");
	}
}

/* A PAX 1.0 member whose data is this text, padded, and nothing else. */
static void assert_map_refused(const char *map, const char *why)
{
	cleanup_buffer struct buffer tar = {0}, records = {0}, data = {0};

	tar_make_text_record(&records, "GNU.sparse.major", "1");
	tar_make_text_record(&records, "GNU.sparse.minor", "0");
	tar_make_text_record(&records, "GNU.sparse.realsize", "5000");
	tar_make_pax(&tar, 'x', &records);
	buffer_add(&data, map, strlen(map));
	tar_make_pad(&data);
	tar_make(&tar, &(struct tar_maker){.name = "sp", .data = data.data, .data_len = data.len});
	tar_make_end(&tar);
	assert_tar_refused(&tar, "", why);
}

static void f25_bad_maps_in_the_data_are_refused(void **state)
{
	(void)state;
	assert_map_refused("", "sparse map is longer than the data");
	assert_map_refused("0", "not a number");
	assert_map_refused("\n", "not a number");
	assert_map_refused("1\n0\n", "not a number");
	assert_map_refused("1\n 0\n0\n", "not a number");
	assert_map_refused("1\n-1\n0\n", "not a number");
	assert_map_refused("1\n0\r\n0\n", "not a number");
	assert_map_refused("1\n0x0\n0\n", "not a number");
	assert_map_refused("1\n00000000000000000000000000\n0\n", "not a number");
	assert_map_refused("1\n9223372036854775808\n0\n", "not a number");
	assert_map_refused("1000000000\n", "sparse map has 1000000000 regions, at most");
	assert_map_refused("18446744073709551616\n", "not a number");
	/* fits in the limit, but not in the data */
	assert_map_refused("1000000\n0\n0\n", "not a number");
}

static void f25_too_many_records_of_format_0_0_end_with_the_header(void **state)
{
	cleanup_buffer struct buffer tar = {0}, records = {0};

	(void)state;
	tar_make_text_record(&records, "GNU.sparse.size", "5000");
	tar_make_text_record(&records, "GNU.sparse.numblocks", "1000000000");
	for (int i = 0; i < 10000; i++) {
		tar_make_text_record(&records, "GNU.sparse.offset", "0");
		tar_make_text_record(&records, "GNU.sparse.numbytes", "0");
	}
	tar_make_pax(&tar, 'x', &records);
	tar_make_file(&tar, "sp", "");
	assert_tar_refused(&tar, "", "10000 regions and another number is announced");
}

/* One x member with these records, then a file. */
static void assert_records_refused(const char *const *records, const char *why)
{
	cleanup_buffer struct buffer tar = {0}, body = {0};

	for (; *records; records += 2)
		tar_make_text_record(&body, records[0], records[1]);
	tar_make_pax(&tar, 'x', &body);
	tar_make_file(&tar, "sp", "");
	tar_make_end(&tar);
	assert_tar_refused(&tar, "", why);
}

#define REFUSED(why, ...) assert_records_refused((const char *const[]){__VA_ARGS__, NULL}, why)
#define SIZE_5		  "GNU.sparse.size", "5"
#define BLOCKS(n)	  "GNU.sparse.numblocks", n
#define OFFSET		  "GNU.sparse.offset", "0"
#define NUMBYTES	  "GNU.sparse.numbytes", "0"

static void incomplete_sparse_records_are_refused(void **state)
{
	(void)state;
	REFUSED("without its size", BLOCKS("1"), "GNU.sparse.map", "0,0");
	REFUSED("another number is announced", SIZE_5, "GNU.sparse.map", "0,0");
	REFUSED("another number is announced", SIZE_5, BLOCKS("2"), "GNU.sparse.map", "0,0");
	REFUSED("without a map or a version", SIZE_5, BLOCKS("0"));
	REFUSED("without a map or a version", SIZE_5, BLOCKS("0"), "GNU.sparse.map", "");
	REFUSED("two formats at once", SIZE_5, BLOCKS("1"), "GNU.sparse.map", "0,0", OFFSET,
		NUMBYTES);
	REFUSED("offset twice", SIZE_5, OFFSET, OFFSET);
	REFUSED("without an offset", SIZE_5, NUMBYTES);
	REFUSED("offset without", SIZE_5, OFFSET, NUMBYTES, OFFSET);
	REFUSED("two different sizes", SIZE_5, "GNU.sparse.realsize", "6", BLOCKS("1"),
		"GNU.sparse.map", "0,0");
	REFUSED("unknown format", SIZE_5, "GNU.sparse.major", "2", "GNU.sparse.minor", "0");
	REFUSED("unknown format", SIZE_5, "GNU.sparse.major", "1", "GNU.sparse.minor", "1");
	REFUSED("unknown format", SIZE_5, "GNU.sparse.major", "1");
	REFUSED("unknown format", SIZE_5, "GNU.sparse.minor", "0");
	REFUSED("is unknown", SIZE_5, "GNU.sparse.future", "1");
	REFUSED("invalid value", "GNU.sparse.size", "-5");
	REFUSED("is empty", "GNU.sparse.size", "");
	REFUSED("not a list of number pairs", SIZE_5, BLOCKS("1"), "GNU.sparse.map", "0,0,");
	REFUSED("not a list of number pairs", SIZE_5, BLOCKS("1"), "GNU.sparse.map", "0");
	REFUSED("not a list of number pairs", SIZE_5, BLOCKS("1"), "GNU.sparse.map", ",");
	REFUSED("not a list of number pairs", SIZE_5, BLOCKS("1"), "GNU.sparse.map", "0, 0");
	REFUSED("readers take differently", "SCHILY.realsize", "5");
}

static void a_version_may_stand_beside_formats_0_0_and_0_1(void **state)
{
	cleanup_buffer struct buffer tar = {0}, records = {0};

	(void)state;
	tar_make_text_record(&records, "GNU.sparse.major", "0");
	tar_make_text_record(&records, "GNU.sparse.minor", "1");
	tar_make_text_record(&records, "GNU.sparse.realsize", "5000");
	tar_make_text_record(&records, "GNU.sparse.numblocks", "0");
	tar_make_text_record(&records, "GNU.sparse.map", "");
	tar_make_pax(&tar, 'x', &records);
	tar_make_file(&tar, "sp", "");
	assert_tar_reads(&tar, "file sp size=5000\n");
}

static void sparse_records_on_other_members_are_refused(void **state)
{
	static const char types[] = {'1', '2', '3', '5', '6', 'S'};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		cleanup_buffer struct buffer tar = {0}, records = {0};

		put_records(&records, PAX_0_1,
			    &(struct sparse_file){5, (struct region[]){{0, 0}}, 1});
		tar_make_pax(&tar, 'x', &records);
		tar_make(&tar, &(struct tar_maker){.name = "x",
						   .type = types[i],
						   .link = "l",
						   .magic = "ustar  "});
		assert_tar_refused(&tar, "", "on another kind of member");
	}
}

static void the_sparse_name_wins_over_path_but_not_over_a_gnu_name(void **state)
{
	const struct sparse_file f = {5, (struct region[]){{0, 0}}, 1};
	cleanup_buffer struct buffer tar = {0}, records = {0};

	(void)state;
	put_records(&records, PAX_0_1, &f);
	tar_make_text_record(&records, "path", "GNUSparseFile.0/sp");
	tar_make_pax(&tar, 'x', &records);
	tar_make_file(&tar, "x", "");
	assert_tar_reads(&tar, "file sp size=5\n");
	tar.len = 0;
	tar_make_long(&tar, 'L', "gnu");
	make_sparse(&tar, PAX_0_1, &f);
	assert_tar_refused(&tar, "", "both a PAX path and a GNU long name");
}

static void old_maps_with_gaps_are_refused(void **state)
{
	const struct sparse_file f = {5000, (struct region[]){{0, 512}, {1024, 512}, {2048, 512}},
				      3};
	cleanup_buffer struct buffer tar = {0};

	(void)state;
	make_sparse(&tar, OLD_GNU, &f);
	memset(tar.data + 386 + 24, 0, 12); /* an offset without digits */
	tar_make_seal(&tar, 0);
	assert_tar_refused(&tar, "", "sparse map has a gap");
	tar.len = 0;
	make_sparse(&tar, OLD_GNU, &f);
	tar.data[482] = 1; /* extended, and not full */
	tar_make_seal(&tar, 0);
	assert_tar_refused(&tar, "", "sparse map has a gap");
	tar.len = 0;
	make_sparse(&tar, OLD_GNU, &f);
	memcpy(tar.data + 386, "junk", 4);
	tar_make_seal(&tar, 0);
	assert_tar_refused(&tar, "", "not a number");
	tar.len = 0;
	make_sparse(&tar, OLD_GNU, &f);
	memcpy(tar.data + 483, "junk", 4);
	tar_make_seal(&tar, 0);
	assert_tar_refused(&tar, "", "'realsize' is not a number");
}

static void an_old_map_outside_of_gnu_headers_is_refused(void **state)
{
	cleanup_buffer struct buffer tar = {0};

	(void)state;
	tar_make(&tar, &(struct tar_maker){.name = "x", .type = 'S'});
	assert_tar_refused(&tar, "", "header that is not GNU's");
}

static void f21_maps_cut_at_each_byte_are_refused(void **state)
{
	static struct region regions[60];
	const struct sparse_file f = {60 * 4096, regions, 60};

	(void)state;
	for (size_t i = 0; i < 60; i++)
		regions[i] = (struct region){i * 4096, 512};
	for (enum form form = 0; form < FORMS; form++) {
		cleanup_buffer struct buffer tar = {0}, got = {0};
		struct error err = {0};

		make_sparse(&tar, form, &f);
		for (size_t len = 1; len < tar.len; len += len < 4096 ? 1 : 511) {
			struct buffer cut = {.data = tar.data, .len = len};

			assert_int_equal(tar_describe(&cut, 512, &got, &err), -1);
			assert_error(&err, ERR_INVALID, "archive ends");
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a18_holes_may_be_anywhere),
		cmocka_unit_test(a18_a_map_may_be_longer_than_a_block),
		cmocka_unit_test(a18_as_much_as_the_map_says_must_be_stored),
		cmocka_unit_test(a19_large_holes_cost_nothing),
		cmocka_unit_test(f26_the_largest_size_is_passed_on),
		cmocka_unit_test(f25_maps_out_of_order_or_overlapping_are_refused),
		cmocka_unit_test(f25_maps_beyond_the_size_are_refused),
		cmocka_unit_test(f25_maps_that_overflow_are_refused),
		cmocka_unit_test(f25_bad_maps_in_the_data_are_refused),
		cmocka_unit_test(f25_too_many_records_of_format_0_0_end_with_the_header),
		cmocka_unit_test(regions_of_broken_blocks_are_refused),
		cmocka_unit_test(incomplete_sparse_records_are_refused),
		cmocka_unit_test(a_version_may_stand_beside_formats_0_0_and_0_1),
		cmocka_unit_test(sparse_records_on_other_members_are_refused),
		cmocka_unit_test(the_sparse_name_wins_over_path_but_not_over_a_gnu_name),
		cmocka_unit_test(old_maps_with_gaps_are_refused),
		cmocka_unit_test(an_old_map_outside_of_gnu_headers_is_refused),
		cmocka_unit_test(f21_maps_cut_at_each_byte_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
