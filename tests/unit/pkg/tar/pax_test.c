/* SPDX-License-Identifier: Apache-2.0 */
/* PAX records as they are cut and taken: where they end, which keys count, what is forgotten. */
#include "tests/support/cmocka.h"

#include <stdio.h>
#include <stdlib.h>

#include "pkg/base/alloc.h"
#include "pkg/tar/tar_internal.h"
#include "tests/support/tar_maker.h"

static struct tar_pax p;
static struct error err;
static char *body;

/* Parse so many bytes; they are kept, values point into them. */
static int parse_bytes(const void *text, size_t len)
{
	free(body);
	/* Not a byte more than there is: for the sanitizer. */
	body = xmemdup(text, len);
	error_clear(&err);
	return tar_pax_parse(&p, body, len, &err);
}

static int parse(const char *text)
{
	return parse_bytes(text, strlen(text));
}

static int parse_one(const char *key, const char *value)
{
	cleanup_buffer struct buffer records = {0};

	tar_make_text_record(&records, key, value);
	return parse_bytes(records.data, records.len);
}

static int end(void **state)
{
	(void)state;
	tar_pax_release(&p);
	free(body);
	body = NULL;
	return 0;
}

static void records_are_cut_by_their_length(void **state)
{
	(void)state;
	assert_ok(parse(""), &err);
	assert_int_equal(p.have, 0);
	assert_ok(parse("12 path=a=b\n14 linkpath=\t\n010 uid=7\n"), &err);
	assert_int_equal(p.have, TAR_PAX_PATH | TAR_PAX_LINK | TAR_PAX_UID);
	assert_string_equal(p.path.data, "a=b");
	assert_int_equal(p.path.len, 3);
	assert_string_equal(p.link.data, "\t");
	assert_int_equal(p.uid, 7);
	assert_ok(parse("12 path=a\nb\n"), &err); /* a value may have lines */
	assert_string_equal(p.path.data, "a\nb");
}

static void a_wrong_length_is_refused(void **state)
{
	static const char *const cases[] = {
		"11 path=a=b\n",
		"13 path=a=b\n",
		"12 path=a=b",
		"12 path=a=bx",
		"path=a\n",
		" 9 path=a\n",
		"-9 path=a\n",
		"+9 path=a\n",
		"0 path=a\n",
		"3 \n",
		"2 \n",
		"9",
		"9 ",
		"99999999999999999999 path=a\n",
		"18446744073709551625 path=a\n",
		"000000000000000000009 path=a\n",
		"9path=aa\n",
		"0x9 path=\n",
		"9 path=a\n\n",
		"9 path=a\nx",
		"9\tpath=a\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		if (parse(cases[i]) == 0)
			fail_msg("'%s' is taken", cases[i]);
		assert_error(&err, ERR_INVALID, "PAX record has a wrong length");
	}
}

static void a_record_has_a_key_without_nul(void **state)
{
	(void)state;
	assert_int_equal(parse("6 =ab\n"), -1);
	assert_error(&err, ERR_INVALID, "without a key");
	assert_int_equal(parse("8 path\n\n"), -1);
	assert_error(&err, ERR_INVALID, "without a key");
	assert_int_equal(parse_bytes("9 pa\0h=a\n", 10), -1);
	assert_int_equal(parse_bytes("10 pa\0h=a\n", 11), -1);
	assert_int_equal(parse_bytes("10 pa\0h=a\n", 10), -1);
	assert_error(&err, ERR_INVALID, "PAX record");
}

static void what_counts_is_kept_with_its_range(void **state)
{
	static const struct {
		const char *key;
		const uint64_t *value;
		unsigned have;
		const char *most, *more;
		uint64_t max;
	} cases[] = {
		{"size", &p.size, TAR_PAX_SIZE, "9223372036854775295", "9223372036854775296",
		 INT64_MAX - 512},
		{"uid", &p.uid, TAR_PAX_UID, "4294967294", "4294967295", UINT32_MAX - 1},
		{"gid", &p.gid, TAR_PAX_GID, "4294967294", "4294967295", UINT32_MAX - 1},
		{"SCHILY.devmajor", &p.devmajor, TAR_PAX_DEVMAJOR, "4294967295", "4294967296",
		 UINT32_MAX},
		{"SCHILY.devminor", &p.devminor, TAR_PAX_DEVMINOR, "4294967295", "4294967296",
		 UINT32_MAX},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_ok(parse_one(cases[i].key, cases[i].most), &err);
		assert_int_equal(p.have, cases[i].have);
		assert_int_equal(*cases[i].value, cases[i].max);
		assert_int_equal(parse_one(cases[i].key, cases[i].more), -1);
		assert_error(&err, ERR_INVALID, cases[i].key);
		assert_int_equal(parse_one(cases[i].key, ""), -1);
		assert_error(&err, ERR_INVALID, "is empty");
		assert_int_equal(parse_one(cases[i].key, "1.0"), -1);
		assert_error(&err, ERR_INVALID, "invalid value '1.0'");
	}
	assert_ok(parse_one("mtime", "-1.25"), &err);
	assert_int_equal(p.mtime.sec, -2);
	assert_int_equal(p.mtime.nsec, 750000000);
	assert_int_equal(parse_one("atime", "now"), -1);
	assert_error(&err, ERR_INVALID, "'atime'");
}

static void texts_have_no_nul_and_an_end(void **state)
{
	static const char *const keys[] = {"path", "linkpath", "uname", "gname"};
	cleanup_free char *longest = xcalloc(1, TAR_PATH_BYTES_MAX + 2);

	(void)state;
	memset(longest, 'x', TAR_PATH_BYTES_MAX);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		cleanup_buffer struct buffer records = {0};

		longest[TAR_PATH_BYTES_MAX] = '\0';
		assert_ok(parse_one(keys[i], longest), &err);
		longest[TAR_PATH_BYTES_MAX] = 'x';
		assert_int_equal(parse_one(keys[i], longest), -1);
		assert_error(&err, ERR_INVALID, "longer than 65536 bytes");
		tar_make_record(&records, keys[i], "a\0b", 3);
		assert_int_equal(parse_bytes(records.data, records.len), -1);
		assert_error(&err, ERR_INVALID, "holds a NUL");
	}
	assert_ok(parse_one("uname", ""), &err); /* says nothing that a layer needs */
}

static void keys_that_change_nothing_are_passed_over(void **state)
{
	static const char *const keys[] = {"ctime",
					   "comment",
					   "hdrcharset",
					   "SCHILY.fflags",
					   "SCHILY.acl.access",
					   "RHT.security.selinux",
					   "Path",
					   "paths",
					   "LIBARCHIVE.creationtime",
					   "MSWINDOWS.rawsd",
					   "GNU.volume.label"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		assert_ok(parse_one(keys[i], "x"), &err);
		assert_int_equal(p.have, 0);
		assert_int_equal(p.n_xattrs, 0);
		assert_ok(parse_one(keys[i], ""), &err);
	}
	assert_int_equal(parse_one("GNU.sparse.other", "1"), -1);
	assert_error(&err, ERR_INVALID, "'GNU.sparse.other' is unknown");
	assert_int_equal(parse_one("SCHILY.realsize", "1"), -1);
	assert_error(&err, ERR_INVALID, "readers take differently");
}

static void sparse_pairs_are_pairs(void **state)
{
	static const char *const bad[][2] = {
		{"23 GNU.sparse.offset=5\n", "without GNU.sparse.numbytes"},
		{"25 GNU.sparse.numbytes=5\n", "without an offset"},
		{"23 GNU.sparse.offset=5\n23 GNU.sparse.offset=5\n", "twice in a row"},
	};

	(void)state;
	assert_ok(parse("23 GNU.sparse.offset=0\n25 GNU.sparse.numbytes=5\n"
			"23 GNU.sparse.offset=9\n25 GNU.sparse.numbytes=1\n"),
		  &err);
	assert_int_equal(p.have, TAR_PAX_SPARSE);
	assert_int_equal(p.sparse_pairs.n, 2);
	assert_int_equal(p.sparse_pairs.regions[1].offset, 9);
	assert_int_equal(p.sparse_pairs.regions[1].len, 1);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(parse(bad[i][0]), -1);
		assert_error(&err, ERR_INVALID, bad[i][1]);
	}
}

/* One struct serves all members. */
static void the_next_header_starts_empty(void **state)
{
	(void)state;
	assert_ok(parse("9 path=a\n20 SCHILY.xattr.a=1\n"
			"23 GNU.sparse.offset=0\n25 GNU.sparse.numbytes=5\n"),
		  &err);
	assert_int_equal(p.n_xattrs, 1);
	assert_int_equal(parse("23 GNU.sparse.offset=5\n"), -1);
	assert_ok(parse("8 uid=7\n"), &err); /* the half pair is forgotten, too */
	assert_int_equal(p.have, TAR_PAX_UID);
	assert_int_equal(p.n_xattrs, 0);
	assert_int_equal(p.sparse_pairs.n, 0);
	tar_pax_clear(&p);
	assert_int_equal(p.have, 0);
}

static void of_equal_keys_the_last_counts(void **state)
{
	(void)state;
	assert_ok(parse("9 path=a\n8 uid=7\n9 path=b\n8 uid=8\n"), &err);
	assert_string_equal(p.path.data, "b");
	assert_int_equal(p.uid, 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(records_are_cut_by_their_length, end),
		cmocka_unit_test_teardown(a_wrong_length_is_refused, end),
		cmocka_unit_test_teardown(a_record_has_a_key_without_nul, end),
		cmocka_unit_test_teardown(what_counts_is_kept_with_its_range, end),
		cmocka_unit_test_teardown(texts_have_no_nul_and_an_end, end),
		cmocka_unit_test_teardown(keys_that_change_nothing_are_passed_over, end),
		cmocka_unit_test_teardown(sparse_pairs_are_pairs, end),
		cmocka_unit_test_teardown(the_next_header_starts_empty, end),
		cmocka_unit_test_teardown(of_equal_keys_the_last_counts, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
