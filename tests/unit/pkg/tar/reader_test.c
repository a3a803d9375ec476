/* SPDX-License-Identifier: Apache-2.0 */
/* The stream around the members: ends, truncation, skipping, errors. Rule A67, F17 to F21. */
#include "tests/support/cmocka.h"

#include <stdlib.h>

#include "pkg/base/alloc.h"
#include "pkg/tar/reader.h"
#include "tests/support/gzip.h"
#include "tests/support/pieces.h"
#include "tests/support/tar_describe.h"
#include "tests/support/tar_maker.h"

static void a67_a71_an_archive_of_nothing_is_empty(void **state)
{
	static const size_t sizes[] = {0, 1, 511, 512, 513, 1024, 10240};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		cleanup_buffer struct buffer tar = {0};

		tar_make_zeros(&tar, sizes[i]);
		assert_tar_reads(&tar, "");
	}
}

static void a67_the_end_mark_may_be_missing_or_short(void **state)
{
	cleanup_buffer struct buffer tar = {0};

	(void)state;
	tar_make_file(&tar, "x", "data");
	assert_tar_reads(&tar, "file x size=4 0:data\n");
	for (int i = 0; i < 20; i++) {
		tar_make_zeros(&tar, 128);
		assert_tar_reads(&tar, "file x size=4 0:data\n");
	}
}

static void a67_the_last_padding_may_be_missing(void **state)
{
	cleanup_buffer struct buffer tar = {0};

	(void)state;
	tar_make_file(&tar, "x", "data");
	for (size_t len = 512 + 4; len <= 1024; len += 63) {
		struct buffer cut = {.data = tar.data, .len = len};

		assert_tar_reads(&cut, "file x size=4 0:data\n");
	}
}

static void a66_what_follows_the_end_is_passed_over(void **state)
{
	cleanup_buffer struct buffer tar = {0};

	(void)state;
	tar_make_file(&tar, "x", "data");
	tar_make_end(&tar);
	tar_make_file(&tar, "not seen", "");
	buffer_add(&tar, "junk", 4);
	assert_tar_reads(&tar, "file x size=4 0:data\n");
}

static void f19_a_single_zero_block_and_more_is_refused(void **state)
{
	cleanup_buffer struct buffer tar = {0};

	(void)state;
	tar_make_file(&tar, "x", "");
	tar_make_zeros(&tar, 512);
	tar_make_file(&tar, "hidden", "");
	tar_make_end(&tar);
	assert_tar_refused(&tar, "file x\n", "tar header at byte 512: a single zero block");
	tar.len = 1024;
	buffer_add(&tar, "j", 1);
	assert_tar_refused(&tar, "file x\n", "a single zero block");
}

/* A bit of everything; @starts: where members that are entries begin, the end last. */
static void make_medley(struct buffer *tar, size_t *starts, size_t *ret_n)
{
	cleanup_buffer struct buffer records = {0};
	size_t n = 0;

	starts[n++] = tar->len;
	tar_make(tar, &(struct tar_maker){.name = "d", .type = '5'});
	starts[n++] = tar->len;
	tar_make_text_record(&records, "path", "named by pax");
	tar_make_text_record(&records, "SCHILY.xattr.user.a", "b");
	tar_make_pax(tar, 'x', &records);
	tar_make(tar, &(struct tar_maker){.name = "x",
					  .data = "0123456789012345678901234567890123456789",
					  .data_len = 40});
	starts[n++] = tar->len;
	tar_make_long(tar, 'L', "named by gnu");
	tar_make_long(tar, 'K', "target");
	tar_make(tar, &(struct tar_maker){.name = "x", .type = '2', .link = "y"});
	starts[n++] = tar->len;
	tar_make_pax(tar, 'g', &records);
	starts[n++] = tar->len;
	tar_make(tar, &(struct tar_maker){.name = "e"});
	starts[n++] = tar->len;
	*ret_n = n;
}

static bool is_zeros(const uint8_t *data, size_t len)
{
	while (len > 0 && data[len - 1] == 0)
		len--;
	return len == 0;
}

/* Where a cut gives a sound archive: between members, and in the padding of a member's data. */
static bool is_sound_cut(size_t len, const struct buffer *tar, const size_t *starts, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (starts[i] == len)
			return true;
		/* After the data of x, and of the global header, which belongs to nobody. */
		if ((i == 2 || i == 4) && len < starts[i] && len > starts[i] - 512)
			return is_zeros(tar->data + len, starts[i] - len);
	}
	return false;
}

static void f21_truncation_at_every_byte_is_refused_or_at_a_member(void **state)
{
	cleanup_buffer struct buffer tar = {0}, got = {0}, whole = {0};
	struct error err = {0};
	size_t starts[10], n;

	(void)state;
	make_medley(&tar, starts, &n);
	assert_ok(tar_describe(&tar, 512, &whole, &err), &err);
	for (size_t len = 0; len < tar.len; len++) {
		struct buffer cut = {.data = tar.data, .len = len};
		int rc = tar_describe(&cut, len % 7 == 0 ? 511 : 4096, &got, &err);

		if (is_sound_cut(len, &tar, starts, n)) {
			assert_int_equal(rc, 0);
			assert_memory_equal(got.data, whole.data, got.len);
		} else {
			assert_int_equal(rc, -1);
			assert_error(&err, ERR_INVALID, "archive ends");
		}
	}
}

static void pieces_of_every_size_read_the_same(void **state)
{
	cleanup_buffer struct buffer tar = {0}, got = {0};
	struct error err = {0};
	size_t starts[10], n;

	(void)state;
	make_medley(&tar, starts, &n);
	for (size_t piece = 1; piece <= tar.len; piece += piece < 600 ? 1 : 97) {
		assert_ok(tar_describe(&tar, piece, &got, &err), &err);
		assert_string_equal((char *)got.data, "dir d\n"
						      "file named by pax size=40 xattr user.a=b "
						      "0:0123456789012345678901234567890123456789\n"
						      "symlink named by gnu -> target\nfile e\n");
	}
}

static struct tar_reader *open_reader(const struct pieces *options)
{
	struct stream *in = pieces_stream(options);
	struct tar_reader *r = NULL;
	struct error err = {0};

	assert_ok(tar_reader_open(&in, &r, &err), &err);
	assert_null(in);
	return r;
}

static void data_that_is_read_in_part_is_skipped(void **state)
{
	cleanup_buffer struct buffer tar = {0}, data = {0};

	(void)state;
	tar_make_zeros(&data, 5000);
	tar_make(&tar, &(struct tar_maker){.name = "x", .data = data.data, .data_len = data.len});
	tar_make_file(&tar, "next", "data");
	tar_make_end(&tar);
	for (int pieces = 0; pieces < 60; pieces++) {
		cleanup(tar_reader_close_ptr) struct tar_reader *r = open_reader(
			&(struct pieces){.data = tar.data, .len = tar.len, .piece = 100});
		const struct tar_entry *e;
		uint64_t offset, expected = 0;
		const uint8_t *piece;
		struct error err = {0};
		size_t n;

		assert_ok(tar_reader_next(r, &e, &err), &err);
		for (int i = 0; i < pieces; i++) {
			int rc = tar_reader_data(r, &piece, &n, &offset, &err);

			assert_int_equal(rc, expected == 5000);
			if (rc == 1)
				break;
			assert_int_equal(offset, expected);
			expected += n;
		}
		assert_ok(tar_reader_next(r, &e, &err), &err);
		assert_string_equal(e->path, "next");
		assert_ok(tar_reader_data(r, &piece, &n, &offset, &err), &err);
		assert_memory_equal(piece, "data", 4);
		assert_int_equal(tar_reader_next(r, &e, &err), 1);
		assert_int_equal(tar_reader_next(r, &e, &err), 1);
		assert_int_equal(tar_reader_data(r, &piece, &n, &offset, &err), 1);
		assert_ok(tar_reader_finish(r, &err), &err);
	}
}

static void data_is_lent_without_a_copy(void **state)
{
	cleanup_buffer struct buffer tar = {0};
	cleanup(tar_reader_close_ptr) struct tar_reader *r = NULL;
	struct stream *in;
	const struct tar_entry *e;
	const uint8_t *piece;
	struct error err = {0};
	uint64_t offset;
	size_t n;

	(void)state;
	tar_make_file(&tar, "x", "data");
	in = stream_from_memory(tar.data, tar.len);
	assert_ok(tar_reader_open(&in, &r, &err), &err);
	assert_ok(tar_reader_next(r, &e, &err), &err);
	assert_ok(tar_reader_data(r, &piece, &n, &offset, &err), &err);
	assert_ptr_equal(piece, tar.data + 512);
	assert_int_equal(n, 4);
}

static void errors_are_repeated(void **state)
{
	cleanup_buffer struct buffer tar = {0};
	cleanup(tar_reader_close_ptr) struct tar_reader *r = NULL;
	const struct tar_entry *e;
	const uint8_t *piece;
	uint64_t offset;
	size_t n;

	(void)state;
	tar_make_file(&tar, "x", "");
	tar.data[0] = 'y';
	r = open_reader(&(struct pieces){.data = tar.data, .len = tar.len, .piece = 100});
	for (int i = 0; i < 3; i++) {
		struct error err = {0};

		assert_int_equal(tar_reader_next(r, &e, &err), -1);
		assert_error(&err, ERR_INVALID, "wrong checksum");
		error_clear(&err);
		assert_int_equal(tar_reader_data(r, &piece, &n, &offset, &err), -1);
		assert_error(&err, ERR_INVALID, "wrong checksum");
		error_clear(&err);
		assert_int_equal(tar_reader_finish(r, &err), -1);
		assert_error(&err, ERR_INVALID, "wrong checksum");
	}
}

static void a_failing_stream_is_not_blamed_on_the_archive(void **state)
{
	cleanup_buffer struct buffer tar = {0};

	(void)state;
	tar_make_pax1(&tar, "uid", "1");
	tar_make_file(&tar, "x", "data");
	tar_make_end(&tar);
	for (size_t len = 0; len <= tar.len; len += 19) {
		cleanup(tar_reader_close_ptr) struct tar_reader *r = open_reader(&(
			struct pieces){.data = tar.data, .len = len, .piece = 500, .fails = true});
		struct error err = {0};

		assert_int_equal(tar_reader_finish(r, &err), -1);
		assert_int_equal(err.kind, ERR_NETWORK);
		assert_string_equal(err.cause, "connection lost");
		assert_string_equal(err.context, "");
	}
}

static void finish_reads_to_the_real_end_and_finishes_the_stream(void **state)
{
	cleanup_buffer struct buffer tar = {0};
	int finished = 0, released = 0;
	struct tar_reader *r;
	struct error err = {0};

	(void)state;
	tar_make_file(&tar, "x", "data");
	tar_make_end(&tar);
	tar_make_zeros(&tar, 8192);
	r = open_reader(&(struct pieces){.data = tar.data,
					 .len = tar.len,
					 .piece = 100,
					 .finished = &finished,
					 .released = &released});
	assert_ok(tar_reader_finish(r, &err), &err);
	assert_int_equal(finished, 1);
	tar_reader_close(r);
	assert_int_equal(released, 1);
}

/* The stages of a pull, one upon another: the DiffID is over everything, behind the end, too. */
static void a66_the_diffid_covers_the_whole_stream(void **state)
{
	for (int forged = 0; forged < 2; forged++) {
		cleanup_buffer struct buffer tar = {0}, gz = {0};
		cleanup(tar_reader_close_ptr) struct tar_reader *r = NULL;
		cleanup(stream_close_ptr) struct stream *s = NULL;
		struct digest blob, diff_id;
		struct error err = {0};

		(void)state;
		tar_make_file(&tar, "x", "data");
		tar_make_end(&tar);
		buffer_add(&tar, "junk", 4);
		digest_of(DIGEST_SHA256, tar.data, tar.len, &diff_id);
		tar.data[tar.len - 1] ^= (uint8_t)forged;
		gzip_put_member(&gz, tar.data, tar.len);
		digest_of(DIGEST_SHA256, gz.data, gz.len, &blob);
		s = stream_from_memory(gz.data, gz.len);
		assert_ok(stream_verify(&s, &blob, gz.len, "blob", &err), &err);
		assert_ok(stream_decompress(&s, STREAM_GZIP, 1 << 20, &err), &err);
		assert_ok(stream_async(&s, 1 << 20, &err), &err);
		assert_ok(stream_verify(&s, &diff_id, STREAM_SIZE_UNKNOWN, "DiffID", &err), &err);
		assert_ok(tar_reader_open(&s, &r, &err), &err);
		assert_int_equal(tar_reader_finish(r, &err), forged ? -1 : 0);
		if (forged)
			assert_error(&err, ERR_VERIFICATION, "DiffID is sha256:");
	}
}

static void errors_name_the_member_and_its_place(void **state)
{
	cleanup_buffer struct buffer tar = {0};

	(void)state;
	tar_make_file(&tar, "first", "data");
	tar_make(&tar, &(struct tar_maker){.name = "usr/bin/ping", .data = "12345", .data_len = 5});
	tar.len -= 508;
	assert_tar_refused(&tar, "file first size=4 0:data\nfile usr/bin/ping size=5 0:1234",
			   "tar member usr/bin/ping at byte 1024: archive ends 1 bytes before");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a67_a71_an_archive_of_nothing_is_empty),
		cmocka_unit_test(a67_the_end_mark_may_be_missing_or_short),
		cmocka_unit_test(a67_the_last_padding_may_be_missing),
		cmocka_unit_test(a66_what_follows_the_end_is_passed_over),
		cmocka_unit_test(f19_a_single_zero_block_and_more_is_refused),
		cmocka_unit_test(f21_truncation_at_every_byte_is_refused_or_at_a_member),
		cmocka_unit_test(pieces_of_every_size_read_the_same),
		cmocka_unit_test(data_that_is_read_in_part_is_skipped),
		cmocka_unit_test(data_is_lent_without_a_copy),
		cmocka_unit_test(errors_are_repeated),
		cmocka_unit_test(a_failing_stream_is_not_blamed_on_the_archive),
		cmocka_unit_test(finish_reads_to_the_real_end_and_finishes_the_stream),
		cmocka_unit_test(a66_the_diffid_covers_the_whole_stream),
		cmocka_unit_test(errors_name_the_member_and_its_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
