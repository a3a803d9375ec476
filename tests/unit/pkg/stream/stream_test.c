/* SPDX-License-Identifier: Apache-2.0 */
/* What all streams share, and verification. */
#include "tests/support/cmocka.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/fdio.h"
#include "tests/support/pieces.h"

static const char text[] = "0123456789abcdefghijklmnopqrstuvwxyz";
enum { TEXT_BYTES = sizeof(text) - 1 };

static struct stream *text_stream(size_t piece)
{
	return pieces_stream(&(struct pieces){.data = text, .len = TEXT_BYTES, .piece = piece});
}

static void the_same_bytes_are_lent_until_taken(void **state)
{
	cleanup(stream_close_ptr) struct stream *s = text_stream(10);
	const uint8_t *a, *b;
	struct error err = {0};
	size_t n, m;

	(void)state;
	assert_ok(stream_peek(s, &a, &n, &err), &err);
	assert_ok(stream_peek(s, &b, &m, &err), &err);
	assert_ptr_equal(a, b);
	assert_int_equal(n, 10);
	assert_int_equal(m, 10);
	stream_advance(s, 4);
	assert_ok(stream_peek(s, &b, &m, &err), &err);
	assert_ptr_equal(a + 4, b);
	assert_int_equal(m, 6);
}

static void read_is_short_only_at_the_end(void **state)
{
	(void)state;
	for (size_t piece = 1; piece <= TEXT_BYTES; piece++) {
		cleanup(stream_close_ptr) struct stream *s = text_stream(piece);
		struct error err = {0};
		char buf[TEXT_BYTES];
		size_t n;

		assert_ok(stream_read(s, buf, 20, &n, &err), &err);
		assert_int_equal(n, 20);
		assert_memory_equal(buf, text, 20);
		assert_ok(stream_read(s, buf, sizeof(buf), &n, &err), &err);
		assert_int_equal(n, TEXT_BYTES - 20);
		assert_memory_equal(buf, text + 20, n);
		assert_ok(stream_read(s, buf, sizeof(buf), &n, &err), &err);
		assert_int_equal(n, 0);
		assert_ok(stream_finish(s, &err), &err);
	}
}

static void read_all_refuses_more_than_it_may(void **state)
{
	(void)state;
	for (size_t max = TEXT_BYTES - 1; max <= TEXT_BYTES; max++) {
		cleanup(stream_close_ptr) struct stream *s = text_stream(7);
		cleanup_buffer struct buffer out = {0};
		struct error err = {0};

		assert_int_equal(stream_read_all(s, max, &out, &err), max == TEXT_BYTES ? 0 : -1);
		if (max < TEXT_BYTES)
			assert_error(&err, ERR_INVALID, "more than 35 bytes");
	}
}

static void finish_drains_and_finishes_once(void **state)
{
	int finished = 0, released = 0;
	struct stream *s = pieces_stream(&(struct pieces){.data = text,
							  .len = TEXT_BYTES,
							  .piece = 5,
							  .finished = &finished,
							  .released = &released});
	struct error err = {0};

	(void)state;
	assert_ok(stream_finish(s, &err), &err);
	assert_ok(stream_finish(s, &err), &err);
	assert_int_equal(finished, 1);
	stream_close(s);
	assert_int_equal(released, 1);
}

static void a_failure_of_finish_is_repeated(void **state)
{
	cleanup(stream_close_ptr) struct stream *s =
		pieces_stream(&(struct pieces){.data = text, .piece = 1, .finish_rc = -1});
	const uint8_t *p;
	struct error err = {0};
	size_t n;

	(void)state;
	for (int i = 0; i < 2; i++) {
		error_clear(&err);
		assert_int_equal(stream_finish(s, &err), -1);
		assert_error(&err, ERR_NETWORK, "finish failed");
	}
	assert_int_equal(stream_peek(s, &p, &n, &err), -1);
}

/* --- verify ----------------------------------------------------------------------------------- */

static struct digest text_digest(enum digest_algorithm algorithm)
{
	struct digest d;

	digest_of(algorithm, text, TEXT_BYTES, &d);
	return d;
}

static void size_and_digest_that_hold_are_passed(void **state)
{
	(void)state;
	for (size_t piece = 1; piece <= TEXT_BYTES; piece++) {
		for (int a = DIGEST_SHA256; a <= DIGEST_SHA512; a++) {
			cleanup(stream_close_ptr) struct stream *s = text_stream(piece);
			struct digest d = text_digest((enum digest_algorithm)a);
			cleanup_buffer struct buffer out = {0};
			struct error err = {0};

			assert_ok(stream_verify(&s, &d, TEXT_BYTES, "blob", &err), &err);
			assert_ok(stream_verify(&s, &d, STREAM_SIZE_UNKNOWN, "DiffID", &err), &err);
			assert_ok(stream_read_all(s, 100, &out, &err), &err);
			assert_ok(stream_finish(s, &err), &err);
			assert_memory_equal(out.data, text, TEXT_BYTES);
		}
	}
}

static void digest_mismatch_is_reported_even_if_reader_stops_early(void **state)
{
	cleanup(stream_close_ptr) struct stream *s = text_stream(10);
	struct digest d = text_digest(DIGEST_SHA256);
	const uint8_t *p;
	struct error err = {0};
	size_t n;

	(void)state;
	d.bytes[31] ^= 1;
	assert_ok(stream_verify(&s, &d, TEXT_BYTES, "blob", &err), &err);
	assert_ok(stream_peek(s, &p, &n, &err), &err);
	assert_int_equal(stream_finish(s, &err), -1);
	assert_error(&err, ERR_VERIFICATION, "blob is sha256:");
}

static void the_end_is_never_seen_without_a_matching_digest(void **state)
{
	cleanup(stream_close_ptr) struct stream *s = text_stream(10);
	struct digest d = text_digest(DIGEST_SHA256);
	cleanup_buffer struct buffer out = {0};
	struct error err = {0};

	(void)state;
	d.bytes[0] ^= 1;
	assert_ok(stream_verify(&s, &d, STREAM_SIZE_UNKNOWN, "blob", &err), &err);
	assert_int_equal(stream_read_all(s, 100, &out, &err), -1);
	assert_error(&err, ERR_VERIFICATION, "is expected");
}

static void a_longer_stream_is_refused_before_its_end(void **state)
{
	cleanup(stream_close_ptr) struct stream *s = pieces_stream(
		&(struct pieces){.data = text, .len = TEXT_BYTES, .piece = 1, .fails = true});
	struct digest d;
	cleanup_buffer struct buffer out = {0};
	struct error err = {0};

	(void)state;
	digest_of(DIGEST_SHA256, text, 10, &d);
	assert_ok(stream_verify(&s, &d, 10, "blob", &err), &err);
	assert_int_equal(stream_read_all(s, 100, &out, &err), -1);
	assert_error(&err, ERR_VERIFICATION, "blob has more than the expected 10 bytes");
	assert_int_equal(out.len, 10);
}

static void a_shorter_stream_is_refused_even_if_the_digest_would_match(void **state)
{
	cleanup(stream_close_ptr) struct stream *s = text_stream(9);
	struct digest d = text_digest(DIGEST_SHA256);
	struct error err = {0};

	(void)state;
	assert_ok(stream_verify(&s, &d, TEXT_BYTES + 1, "blob", &err), &err);
	assert_int_equal(stream_finish(s, &err), -1);
	assert_error(&err, ERR_VERIFICATION, "blob has only 36 bytes, 37 are expected");
}

static void no_digest_verifies_nothing(void **state)
{
	int released = 0;
	struct stream *s = pieces_stream(&(struct pieces){.released = &released});
	struct error err = {0};

	(void)state;
	assert_int_equal(stream_verify(&s, &(struct digest){0}, 0, "blob", &err), -1);
	assert_error(&err, ERR_VERIFICATION, "blob has no digest");
	assert_null(s);
	assert_int_equal(released, 1);
}

static void an_error_below_is_not_a_mismatch(void **state)
{
	cleanup(stream_close_ptr) struct stream *s =
		pieces_stream(&(struct pieces){.data = text, .len = 5, .piece = 2, .fails = true});
	struct digest d = text_digest(DIGEST_SHA256);
	struct error err = {0};

	(void)state;
	assert_ok(stream_verify(&s, &d, TEXT_BYTES, "blob", &err), &err);
	assert_int_equal(stream_finish(s, &err), -1);
	assert_error(&err, ERR_NETWORK, "connection lost");
}

/* --- files ------------------------------------------------------------------------------------ */

static char *make_folder(void)
{
	const char *tmp = getenv("TMPDIR");
	char *path = xasprintf("%s/stream-test.XXXXXX", tmp ? tmp : "/tmp");

	assert_non_null(mkdtemp(path));
	return path;
}

static void a_file_is_read_whole_and_other_things_are_refused(void **state)
{
	cleanup_free char *folder = make_folder();
	cleanup_free char *file = xasprintf("%s/file", folder);
	cleanup_free char *link = xasprintf("%s/link", folder);
	cleanup_free char *fifo = xasprintf("%s/fifo", folder);
	cleanup_buffer struct buffer out = {0};
	struct stream *s = NULL;
	struct error err = {0};

	(void)state;
	assert_ok(fdio_replace_file(file, text, TEXT_BYTES, &err), &err);
	assert_int_equal(symlink("file", link), 0);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_int_equal(stream_open_file(link, &s, &err), -1);
	assert_error(&err, ERR_INVALID, "is a symlink");
	assert_int_equal(stream_open_file(fifo, &s, &err), -1);
	assert_error(&err, ERR_INVALID, "not a regular file");
	assert_int_equal(stream_open_file(folder, &s, &err), -1);
	assert_error(&err, ERR_INVALID, "not a regular file");
	assert_ok(stream_open_file(file, &s, &err), &err);
	assert_ok(stream_read_all(s, 100, &out, &err), &err);
	assert_int_equal(out.len, TEXT_BYTES);
	assert_memory_equal(out.data, text, TEXT_BYTES);
	stream_close(s);
	unlink(file);
	unlink(link);
	unlink(fifo);
	assert_int_equal(stream_open_file(file, &s, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "no such file");
	rmdir(folder);
}

static void a_read_error_names_the_file(void **state)
{
	int fd = open("/", O_RDONLY | O_CLOEXEC);
	cleanup(stream_close_ptr) struct stream *s = stream_from_fd(fd, "the blob");
	struct error err = {0};

	(void)state;
	assert_int_equal(stream_finish(s, &err), -1);
	assert_error(&err, ERR_SYSTEM, "read the blob: Is a directory");
}

static void a_pipe_ends_where_its_writer_closes(void **state)
{
	cleanup_buffer struct buffer out = {0};
	cleanup(stream_close_ptr) struct stream *s = NULL;
	struct error err = {0};
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_ok(fdio_write(fds[1], text, TEXT_BYTES, "pipe", &err), &err);
	close(fds[1]);
	s = stream_from_fd(fds[0], "pipe");
	assert_ok(stream_read_all(s, 100, &out, &err), &err);
	assert_int_equal(out.len, TEXT_BYTES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_bytes_are_lent_until_taken),
		cmocka_unit_test(read_is_short_only_at_the_end),
		cmocka_unit_test(read_all_refuses_more_than_it_may),
		cmocka_unit_test(finish_drains_and_finishes_once),
		cmocka_unit_test(a_failure_of_finish_is_repeated),
		cmocka_unit_test(size_and_digest_that_hold_are_passed),
		cmocka_unit_test(digest_mismatch_is_reported_even_if_reader_stops_early),
		cmocka_unit_test(the_end_is_never_seen_without_a_matching_digest),
		cmocka_unit_test(a_longer_stream_is_refused_before_its_end),
		cmocka_unit_test(a_shorter_stream_is_refused_even_if_the_digest_would_match),
		cmocka_unit_test(no_digest_verifies_nothing),
		cmocka_unit_test(an_error_below_is_not_a_mismatch),
		cmocka_unit_test(a_file_is_read_whole_and_other_things_are_refused),
		cmocka_unit_test(a_read_error_names_the_file),
		cmocka_unit_test(a_pipe_ends_where_its_writer_closes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
