/* SPDX-License-Identifier: Apache-2.0 */
/* What holds for all codecs: which there are, limits, and an end to what has none. */
#include "tests/support/cmocka.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/interrupt.h"
#include "tests/support/gzip.h"
#include "tests/support/pieces.h"
#include "tests/support/zstd_frame.h"

static const char text[] = "the quick brown fox jumps over the lazy dog";
enum { TEXT_BYTES = sizeof(text) - 1, NO_LIMIT = 1 << 30 };

/* F46: no helper program is ever started for them, either. */
static void codecs_that_no_layer_may_have_are_refused_by_name(void **state)
{
	static const struct {
		enum stream_codec codec;
		const char *name;
	} cases[] = {
		{STREAM_BZIP2, "compressed with bzip2,"},
		{STREAM_XZ, "compressed with xz,"},
		{STREAM_LZ4, "compressed with lz4,"},
		{STREAM_LZMA, "compressed with lzma,"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int released = 0;
		struct stream *s = pieces_stream(&(
			struct pieces){.data = text, .len = 1, .piece = 1, .released = &released});
		struct error err = {0};

		assert_int_equal(stream_decompress(&s, cases[i].codec, NO_LIMIT, &err), -1);
		assert_error(&err, ERR_UNSUPPORTED, cases[i].name);
		assert_null(s);
		assert_int_equal(released, 1);
	}
}

/* F43, A70: what comes out is handed on as it is, whatever it looks like. */
static void one_level_is_undone_and_never_two(void **state)
{
	enum { CODECS = 2 };
	static const enum stream_codec codecs[CODECS] = {STREAM_GZIP, STREAM_ZSTD};

	(void)state;
	for (int inner = 0; inner < CODECS; inner++) {
		for (int outer = 0; outer < CODECS; outer++) {
			cleanup_buffer struct buffer once = {0}, twice = {0}, out = {0};
			cleanup(stream_close_ptr) struct stream *s = NULL;
			enum stream_codec codec;
			struct error err = {0};

			if (codecs[inner] == STREAM_GZIP)
				gzip_put_member(&once, text, TEXT_BYTES);
			else
				zstd_frame_put(&once, text, TEXT_BYTES, 0, 0);
			if (codecs[outer] == STREAM_GZIP)
				gzip_put_member(&twice, once.data, once.len);
			else
				zstd_frame_put(&twice, once.data, once.len, 0, 0);
			s = stream_from_memory(twice.data, twice.len);
			assert_ok(stream_sniff(s, &codec, &err), &err);
			assert_int_equal(codec, codecs[outer]);
			assert_ok(stream_decompress(&s, codec, NO_LIMIT, &err), &err);
			assert_ok(stream_read_all(s, SIZE_MAX, &out, &err), &err);
			assert_int_equal(out.len, once.len);
			assert_memory_equal(out.data, once.data, once.len);
		}
	}
}

static void plain_data_is_bounded_by_the_limit_too(void **state)
{
	cleanup_buffer struct buffer out = {0};
	struct error err = {0};

	(void)state;
	for (size_t piece = 1; piece < 12; piece++) {
		for (uint64_t limit = 9; limit <= 10; limit++) {
			cleanup(stream_close_ptr) struct stream *s = pieces_stream(
				&(struct pieces){.data = text, .len = 10, .piece = piece});

			buffer_clear(&out);
			assert_ok(stream_decompress(&s, STREAM_PLAIN, limit, &err), &err);
			assert_int_equal(stream_read_all(s, SIZE_MAX, &out, &err),
					 limit == 10 ? 0 : -1);
		}
		assert_int_equal(out.len, 10);
	}
}

/* --- input without end ------------------------------------------------------------------------ */

struct endless {
	struct stream stream;
	struct buffer unit; /* borrowed: lent again and again */
	int *lent;
	int signal_at;
};

static int endless_fill(struct stream *s, const uint8_t **ret, size_t *ret_len, struct error *err)
{
	struct endless *e = (struct endless *)s;

	(void)err;
	if (++*e->lent == e->signal_at)
		raise(SIGTERM);
	*ret = e->unit.data;
	*ret_len = e->unit.len;
	return 0;
}

static void endless_release(struct stream *s)
{
	(void)s;
}

static struct stream *endless_stream(const struct buffer *unit, int *lent, int signal_at)
{
	static const struct stream_ops ops = {.fill = endless_fill, .release = endless_release};
	struct endless *e = xcalloc(1, sizeof(*e));

	e->stream.ops = &ops;
	e->unit = *unit;
	e->lent = lent;
	e->signal_at = signal_at;
	return &e->stream;
}

static int read_endless(const struct buffer *unit, enum stream_codec codec, bool with_size,
			int *ret_lent, int signal_at, struct error *err)
{
	cleanup(stream_close_ptr) struct stream *s = endless_stream(unit, ret_lent, signal_at);
	struct digest any = {.algorithm = DIGEST_SHA256};
	const uint8_t *piece;
	size_t n;

	if (with_size && stream_verify(&s, &any, 1000 * unit->len, "blob", err) < 0)
		return -1;
	if (stream_decompress(&s, codec, NO_LIMIT, err) < 0)
		return -1;
	return stream_peek(s, &piece, &n, err);
}

static void put_empty(struct buffer *unit, enum stream_codec codec)
{
	if (codec == STREAM_GZIP)
		gzip_put_member(unit, "", 0);
	else
		zstd_frame_put_skippable(unit, 0, "", 0);
}

/* F42: nothing ever comes out, so only what goes in can bound it: the size of the blob. */
static void members_and_frames_of_nothing_end_with_the_blob(void **state)
{
	(void)state;
	for (enum stream_codec codec = STREAM_GZIP; codec <= STREAM_ZSTD; codec++) {
		cleanup_buffer struct buffer unit = {0};
		struct error err = {0};
		int lent = 0;

		put_empty(&unit, codec);
		assert_int_equal(read_endless(&unit, codec, true, &lent, 0, &err), -1);
		assert_error(&err, ERR_VERIFICATION, "blob has more than the expected");
		assert_int_equal(lent, 1001);
	}
}

/* In a process of its own, because a signal stays. */
static bool ends_with_signal(enum stream_codec codec)
{
	cleanup_buffer struct buffer unit = {0};
	struct error err = {0};
	int lent = 0, status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		interrupt_install();
		alarm(30);
		put_empty(&unit, codec);
		if (read_endless(&unit, codec, false, &lent, 5000, &err) == 0)
			_exit(1);
		_exit(err.kind == ERR_INTERRUPTED && lent == 5000 ? 0 : 2);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void members_and_frames_of_nothing_end_with_a_signal(void **state)
{
	(void)state;
	assert_true(ends_with_signal(STREAM_GZIP));
	assert_true(ends_with_signal(STREAM_ZSTD));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(codecs_that_no_layer_may_have_are_refused_by_name),
		cmocka_unit_test(one_level_is_undone_and_never_two),
		cmocka_unit_test(plain_data_is_bounded_by_the_limit_too),
		cmocka_unit_test(members_and_frames_of_nothing_end_with_the_blob),
		cmocka_unit_test(members_and_frames_of_nothing_end_with_a_signal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
