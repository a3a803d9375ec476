/* SPDX-License-Identifier: Apache-2.0 */
/* Blobs fetched ahead: order, how many, transfers that break in the middle, stopping. */
#include "oci/spool.h"

#include <dirent.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "oci/part.h"
#include "pkg/base/alloc.h"
#include "pkg/stream/stage.h"
#include "tests/support/cmocka.h"
#include "tests/support/scratch.h"

enum { BLOB_BYTES = 300000, PIECE_BYTES = 1000, BLOBS = 5 };

static char *dir;
static uint8_t blob[BLOB_BYTES];
static struct oci_descriptor blobs[BLOBS];

/* Hands out `blob`, as far as that goes; the first `breaks` transfers fail after `good` bytes. */
struct fake {
	struct source source;
	unsigned breaks;
	size_t good;
	enum error_kind failure;
	bool fails_at_once;
	atomic_uint fetches;
	atomic_ullong last; /* what the progress said last */
};

struct breaking {
	struct stream stream;
	size_t at, good, size;
	enum error_kind failure;
};

static int breaking_fill(struct stream *s, const uint8_t **ret, size_t *ret_len, struct error *err)
{
	struct breaking *b = (struct breaking *)s;

	if (b->at == b->size)
		return 1;
	if (b->at >= b->good)
		return error_set(err, b->failure, "the body was cut");
	*ret = blob + b->at;
	*ret_len = PIECE_BYTES;
	b->at += PIECE_BYTES;
	return 0;
}

static void breaking_release(struct stream *s)
{
	(void)s;
}

static int fake_fetch(struct source *s, const struct oci_descriptor *d, struct stream **ret,
		      struct error *err)
{
	static const struct stream_ops ops = {.fill = breaking_fill, .release = breaking_release};
	struct fake *f = (struct fake *)s;
	unsigned before = atomic_fetch_add(&f->fetches, 1);
	struct breaking *b;

	if (f->fails_at_once)
		return error_set(err, f->failure, "no connection");
	b = xcalloc(1, sizeof(*b));
	b->stream.ops = &ops;
	b->size = d->size_bytes;
	b->good = before < f->breaks ? f->good : b->size;
	b->failure = f->failure;
	*ret = &b->stream;
	return 0;
}

static const struct source_ops fake_ops = {.fetch = fake_fetch};

static void note(size_t i, uint64_t bytes, void *arg)
{
	(void)i;
	atomic_store(&((struct fake *)arg)->last, bytes);
}

static struct fake breaking(unsigned breaks)
{
	return (struct fake){.source = {.ops = &fake_ops},
			     .breaks = breaks,
			     .good = BLOB_BYTES / 2,
			     .failure = ERR_NETWORK};
}

static struct spool *start_many(struct fake *f, size_t n, unsigned at_once)
{
	return spool_open(dir, &f->source, blobs, n, at_once, note, f);
}

static struct spool *start(struct fake *f, size_t n)
{
	return start_many(f, n, 1);
}

static void assert_taken_nth(struct spool *s, size_t i)
{
	cleanup_buffer struct buffer got = {0};
	struct stream *in;
	struct error err = {0};

	assert_ok(spool_take(s, &in, NULL, &err), &err);
	assert_ok(stream_read_all(in, BLOB_BYTES + 1, &got, &err), &err);
	stream_close(in);
	assert_int_equal(got.len, blobs[i].size_bytes);
	assert_memory_equal(got.data, blob, got.len);
	spool_drop(s);
}

static void assert_taken(struct spool *s)
{
	assert_taken_nth(s, 0);
}

/* So many are in the folder; then none is. */
static void assert_left(size_t n)
{
	DIR *folder = opendir(dir);
	struct dirent *entry;

	while ((entry = readdir(folder)))
		n -= entry->d_name[0] != '.';
	closedir(folder);
	assert_int_equal(n, 0);
	part_tidy(dir, -1, 0);
}

static void assert_not_taken(struct spool *s, enum error_kind kind, const char *text)
{
	struct stream *in;
	struct error err = {0};

	assert_int_equal(spool_take(s, &in, NULL, &err), -1);
	assert_error(&err, kind, text);
}

static int make_dir(void **state)
{
	(void)state;
	dir = scratch_new();
	for (size_t i = 0; i < sizeof(blob); i++)
		blob[i] = (uint8_t)(i * i % 251);
	for (size_t i = 0; i < BLOBS; i++) {
		blobs[i].size_bytes = sizeof(blob) - i * PIECE_BYTES;
		digest_of(DIGEST_SHA256, blob, blobs[i].size_bytes, &blobs[i].digest);
	}
	return 0;
}

/* Removing it shows as well that nothing is in it. */
static int remove_dir(void **state)
{
	int rc = rmdir(dir);

	(void)state;
	free(dir);
	return rc;
}

static void blobs_come_in_order_a_few_ahead(void **state)
{
	(void)state;
	for (unsigned at_once = 1; at_once < BLOBS + 2; at_once++) {
		struct fake f = breaking(0);
		struct spool *s = start_many(&f, BLOBS, at_once);

		for (unsigned i = 0; i < BLOBS; i++) {
			assert_taken_nth(s, i);
			assert_in_range(atomic_load(&f.fetches), i + 1, i + 1 + at_once);
		}
		spool_close(s);
		assert_int_equal(atomic_load(&f.fetches), BLOBS);
	}
}

/* A layer that is in an image twice (rule C21). */
static void c21_the_same_blob_is_fetched_once_at_a_time(void **state)
{
	struct oci_descriptor same[] = {blobs[0], blobs[0], blobs[0]};
	struct fake f = breaking(0);
	struct spool *s = spool_open(dir, &f.source, same, 3, 3, note, &f);
	struct stream *in;
	struct error err = {0};

	(void)state;
	for (int i = 0; i < 3; i++) {
		cleanup_buffer struct buffer got = {0};

		assert_ok(spool_take(s, &in, NULL, &err), &err);
		assert_ok(stream_read_all(in, BLOB_BYTES + 1, &got, &err), &err);
		stream_close(in);
		assert_int_equal(got.len, BLOB_BYTES);
	}
	spool_drop(s);
	spool_close(s);
	assert_int_equal(atomic_load(&f.fetches), 1);
}

static void a_broken_transfer_is_started_again(void **state)
{
	struct fake f = breaking(2);
	struct spool *s = start(&f, 1);

	(void)state;
	assert_taken(s);
	spool_close(s);
	assert_int_equal(atomic_load(&f.fetches), 3);
	assert_int_equal(atomic_load(&f.last), BLOB_BYTES);
}

/* Also with nothing lost, and nothing but the last piece: what was written goes each time. */
static void it_is_started_again_wherever_it_broke(void **state)
{
	static const size_t good[] = {0, PIECE_BYTES, BLOB_BYTES - PIECE_BYTES};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct fake f = breaking(1);
		struct spool *s;

		f.good = good[i];
		s = start(&f, 2);
		assert_taken_nth(s, 0);
		assert_taken_nth(s, 1);
		spool_close(s);
		assert_int_equal(atomic_load(&f.fetches), 3);
	}
}

static void the_third_break_is_the_last(void **state)
{
	struct fake f = breaking(100);
	struct spool *s = start(&f, 2);

	(void)state;
	assert_not_taken(s, ERR_NETWORK, "the body was cut");
	assert_not_taken(s, ERR_NETWORK, "tried 3 times"); /* said again, not tried again */
	spool_close(s);
	assert_left(1); /* the half that came */
	assert_int_equal(atomic_load(&f.fetches), 3);
}

static void only_a_break_is_tried_again(void **state)
{
	struct fake refused = breaking(0), damaged = breaking(1);
	struct spool *s;

	(void)state;
	refused.fails_at_once = true; /* the source has tried that itself */
	s = start(&refused, 1);
	assert_not_taken(s, ERR_NETWORK, "no connection");
	spool_close(s);
	assert_int_equal(atomic_load(&refused.fetches), 1);

	damaged.failure = ERR_VERIFICATION;
	s = start(&damaged, 1);
	assert_not_taken(s, ERR_VERIFICATION, "cut");
	spool_close(s);
	assert_int_equal(atomic_load(&damaged.fetches), 1);
}

static void a_wrong_digest_is_not_tried_again(void **state)
{
	struct oci_descriptor other = blobs[0];
	struct fake f = breaking(0);
	struct spool *s;

	(void)state;
	other.digest.bytes[0] ^= 1;
	s = spool_open(dir, &f.source, &other, 1, 1, note, &f);
	assert_not_taken(s, ERR_VERIFICATION, "");
	spool_close(s);
	assert_int_equal(atomic_load(&f.fetches), 1);
}

static void closing_ends_the_wait_for_another_try(void **state)
{
	struct fake f = breaking(100);
	struct spool *s = start(&f, 1);

	(void)state;
	while (atomic_load(&f.fetches) < 2)
		usleep(1000);
	usleep(20000); /* now it waits */
	spool_close(s);
	assert_int_equal(atomic_load(&f.fetches), 2);
	assert_left(1);
}

static void closing_early_leaves_what_was_not_dropped(void **state)
{
	struct fake f = breaking(0);

	(void)state;
	for (int i = 0; i < 20; i++) {
		struct spool *s = start(&f, BLOBS);

		if (i % 2)
			assert_taken(s);
		spool_close(s);
		part_tidy(dir, -1, 0);
	}
}

static void a_folder_that_is_gone_is_an_error(void **state)
{
	struct fake f = breaking(0);
	cleanup_free char *none = xasprintf("%s/none", dir);
	struct spool *s = spool_open(none, &f.source, blobs, 1, 1, note, &f);

	(void)state;
	assert_not_taken(s, ERR_SYSTEM, "No such file");
	spool_close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blobs_come_in_order_a_few_ahead),
		cmocka_unit_test(c21_the_same_blob_is_fetched_once_at_a_time),
		cmocka_unit_test(a_broken_transfer_is_started_again),
		cmocka_unit_test(it_is_started_again_wherever_it_broke),
		cmocka_unit_test(the_third_break_is_the_last),
		cmocka_unit_test(only_a_break_is_tried_again),
		cmocka_unit_test(a_wrong_digest_is_not_tried_again),
		cmocka_unit_test(closing_ends_the_wait_for_another_try),
		cmocka_unit_test(closing_early_leaves_what_was_not_dropped),
		cmocka_unit_test(a_folder_that_is_gone_is_an_error),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
