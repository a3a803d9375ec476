/* SPDX-License-Identifier: Apache-2.0 */
/* A large blob as several ranges at once: how many, how few again, and whatever fails of them. */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "oci/part_internal.h"
#include "pkg/base/alloc.h"
#include "pkg/stream/stage.h"
#include "tests/support/cmocka.h"
#include "tests/support/scratch.h"

enum {
	PIECE_BYTES = 64 * PIECE_BLOCK_BYTES,
	BLOB_BYTES = 9 * PIECE_BYTES + 1000,
	FILL_BYTES = 5000,
	LINES = 3
};

static char *dir;
static uint8_t bytes[BLOB_BYTES];
static struct oci_descriptor blob;

/* What goes wrong, and how often: see fill() and fetch_range(). */
struct fake {
	struct source source;
	atomic_int cuts, lies, wholes, refusals;
	int ranges_max;	  /* then it knows none any more; 0: it always does */
	unsigned slow_us; /* for each fill */
	atomic_int fetches, ranges, open, open_max;
	atomic_ullong served;

	struct part_lines lines;
	atomic_int lines_left;
	atomic_bool is_wanted;
	long stop_after; /* bytes that are there; 0: never */
	atomic_ullong told;
};

/* --- the source ------------------------------------------------------------------------------- */

struct body {
	struct stream stream;
	struct fake *fake;
	size_t at, end;
	bool is_cut, lies;
	uint8_t fill[FILL_BYTES];
};

static int fill(struct stream *s, const uint8_t **ret, size_t *ret_len, struct error *err)
{
	struct body *b = (struct body *)s;
	size_t len = b->end - b->at < FILL_BYTES ? b->end - b->at : FILL_BYTES;

	if (len == 0)
		return b->is_cut ? error_set(err, ERR_NETWORK, "the body was cut") : 1;
	memcpy(b->fill, bytes + b->at, len);
	b->fill[0] ^= b->lies;
	if (b->fake->slow_us)
		usleep(b->fake->slow_us);
	b->at += len;
	atomic_fetch_add(&b->fake->served, len);
	*ret = b->fill;
	*ret_len = len;
	return 0;
}

static void release(struct stream *s)
{
	atomic_fetch_sub(&((struct body *)s)->fake->open, 1);
}

/* One of so many; false when they are used up. */
static bool one_of(atomic_int *n)
{
	int left = atomic_load(n);

	while (left > 0 && !atomic_compare_exchange_weak(n, &left, left - 1))
		;
	return left > 0;
}

static int fetch_range(struct source *s, const struct oci_descriptor *d, struct byte_range *range,
		       struct stream **ret, struct error *err)
{
	static const struct stream_ops ops = {.fill = fill, .release = release};
	struct fake *f = (struct fake *)s;
	struct body *b;
	int n;

	atomic_fetch_add(&f->fetches, 1);
	if (range->bytes < d->size_bytes) {
		atomic_fetch_add(&f->ranges, 1);
		if (atomic_load(&f->ranges) > 1 && one_of(&f->refusals))
			return error_set(err, ERR_NETWORK, "refused");
		if (one_of(&f->wholes)
		    || (f->ranges_max && atomic_load(&f->ranges) > f->ranges_max))
			*range = (struct byte_range){0, d->size_bytes};
	}
	n = atomic_fetch_add(&f->open, 1) + 1;
	for (int max = atomic_load(&f->open_max);
	     n > max && !atomic_compare_exchange_weak(&f->open_max, &max, n);)
		;
	b = xcalloc(1, sizeof(*b));
	b->stream.ops = &ops;
	b->fake = f;
	b->at = range->offset;
	b->end = range->offset + range->bytes;
	b->lies = one_of(&f->lies);
	b->is_cut = one_of(&f->cuts);
	if (b->is_cut)
		b->end = b->at + range->bytes / 2;
	*ret = &b->stream;
	return 0;
}

static int fetch(struct source *s, const struct oci_descriptor *d, struct stream **ret,
		 struct error *err)
{
	struct byte_range all = {0, d->size_bytes};

	return fetch_range(s, d, &all, ret, err);
}

/* --- lines ------------------------------------------------------------------------------------ */

static bool take(void *arg)
{
	return one_of(&((struct fake *)arg)->lines_left);
}

static bool is_wanted(void *arg)
{
	return atomic_load(&((struct fake *)arg)->is_wanted);
}

static void give_back(void *arg)
{
	atomic_fetch_add(&((struct fake *)arg)->lines_left, 1);
}

static void init_fake(struct fake *f)
{
	static const struct source_ops ops = {.fetch = fetch, .fetch_range = fetch_range};

	memset(f, 0, sizeof(*f));
	f->source.ops = &ops;
	f->slow_us = 50;
	f->lines = (struct part_lines){take, is_wanted, give_back, f, PIECE_BYTES};
	atomic_init(&f->lines_left, LINES - 1);
}

/* --- calls ------------------------------------------------------------------------------------ */

static int go_on(void *arg, struct error *err)
{
	struct fake *f = arg;

	if (f->stop_after && atomic_load(&f->told) >= (unsigned long long)f->stop_after)
		return error_set(err, ERR_INTERRUPTED, "stopped");
	return 0;
}

static void told(uint64_t n, void *arg)
{
	struct fake *f = arg;

	assert_true(n <= BLOB_BYTES);
	atomic_store(&f->told, n);
}

static int have(struct fake *f, struct part_got *ret, struct error *err)
{
	const struct part_watch watch = {go_on, told, f, &f->lines};
	int rc = part_fetch(dir, &f->source, &blob, &watch, ret, err);

	assert_int_equal(atomic_load(&f->open), 0);
	assert_int_equal(atomic_load(&f->lines_left), LINES - 1);
	return rc;
}

/* It is had, whole; afterwards there is nothing of it. */
static uint64_t assert_had(struct fake *f)
{
	cleanup_free uint8_t *got = xmalloc(BLOB_BYTES + 1);
	struct part_got part;
	struct error err = {0};

	assert_ok(have(f, &part, &err), &err);
	assert_int_equal(read(part.fd, got, BLOB_BYTES + 1), BLOB_BYTES);
	assert_memory_equal(got, bytes, BLOB_BYTES);
	close(part.fd);
	/* A transfer that was stopped has something in hand that nobody took. */
	assert_in_range(part.fetched_bytes, 0, atomic_load(&f->served));
	part_drop(dir, &blob);
	return atomic_load(&f->served);
}

static int make_dir(void **state)
{
	(void)state;
	dir = scratch_new();
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)((i * i + i / 256) % 251);
	digest_of(DIGEST_SHA256, bytes, sizeof(bytes), &blob.digest);
	blob.size_bytes = sizeof(bytes);
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

/* --- tests ------------------------------------------------------------------------------------ */

static void c21_as_many_ranges_at_once_as_there_are_lines(void **state)
{
	struct fake f;

	(void)state;
	init_fake(&f);
	assert_int_equal(assert_had(&f), BLOB_BYTES);
	assert_int_equal(atomic_load(&f.ranges), 10);
	assert_int_equal(atomic_load(&f.open_max), LINES);
}

static void c21_who_waits_for_a_line_gets_it(void **state)
{
	struct fake f;

	(void)state;
	init_fake(&f);
	atomic_store(&f.is_wanted, true);
	assert_int_equal(assert_had(&f), BLOB_BYTES);
	assert_int_equal(atomic_load(&f.open_max), 1);
}

static void without_lines_it_is_one_transfer(void **state)
{
	struct fake f;
	struct part_got got;
	struct error err = {0};
	struct part_watch watch = {go_on, told, &f, NULL};

	(void)state;
	init_fake(&f);
	assert_ok(part_fetch(dir, &f.source, &blob, &watch, &got, &err), &err);
	close(got.fd);
	part_drop(dir, &blob);
	assert_int_equal(atomic_load(&f.fetches), 1);
	assert_int_equal(atomic_load(&f.ranges), 0);
}

/* The first answer to a range shows it: nothing is asked for twice. */
static void c10_who_knows_no_ranges_gives_all_at_once(void **state)
{
	struct fake f;

	(void)state;
	init_fake(&f);
	atomic_store(&f.wholes, 1000);
	assert_int_equal(assert_had(&f), BLOB_BYTES);
	assert_int_equal(atomic_load(&f.fetches), 1);
}

/* Another place, behind the same name. */
static void c10_who_knows_none_any_more_is_no_failure(void **state)
{
	struct fake f;

	(void)state;
	init_fake(&f);
	f.ranges_max = 4;
	assert_in_range(assert_had(&f), BLOB_BYTES, 2 * BLOB_BYTES);
	assert_true(atomic_load(&f.ranges) > 4);
}

static void c10_cut_ranges_are_gone_on_with(void **state)
{
	struct fake f;

	(void)state;
	for (int cuts = 1; cuts <= 6; cuts++) {
		init_fake(&f);
		atomic_store(&f.cuts, cuts);
		/* What a helper had in hand that was no whole block comes again. */
		assert_in_range(assert_had(&f), BLOB_BYTES, BLOB_BYTES + cuts * PIECE_BLOCK_BYTES);
	}
}

static void c11_helpers_that_are_refused_are_done_without(void **state)
{
	struct fake f;

	(void)state;
	init_fake(&f);
	f.slow_us = 1000;
	atomic_store(&f.refusals, LINES - 1);
	assert_int_equal(assert_had(&f), BLOB_BYTES);
}

static void f65_what_was_wrong_in_pieces_comes_once_more_as_a_whole(void **state)
{
	struct fake f;
	struct part_got got;
	struct error err = {0};

	(void)state;
	init_fake(&f);
	atomic_store(&f.lies, 1);
	assert_int_equal(assert_had(&f), 2 * BLOB_BYTES);
	init_fake(&f);
	atomic_store(&f.lies, 1000);
	assert_int_equal(have(&f, &got, &err), -1);
	assert_error(&err, ERR_VERIFICATION, "is expected");
}

/* As by a kill: all that came stays, but what was no whole block yet. */
static void c10_what_came_in_pieces_is_not_fetched_again(void **state)
{
	struct fake f;
	struct part_got got;
	struct error err = {0};

	(void)state;
	for (long after = PIECE_BYTES; after < BLOB_BYTES / 2; after += PIECE_BYTES) {
		uint64_t came;

		init_fake(&f);
		f.stop_after = after;
		error_clear(&err);
		assert_int_equal(have(&f, &got, &err), -1);
		assert_error(&err, ERR_INTERRUPTED, "stopped");
		came = atomic_load(&f.served);
		init_fake(&f);
		came += assert_had(&f);
		assert_in_range(came, BLOB_BYTES,
				BLOB_BYTES + LINES * (PIECE_BLOCK_BYTES + FILL_BYTES));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(c21_as_many_ranges_at_once_as_there_are_lines),
		cmocka_unit_test(c21_who_waits_for_a_line_gets_it),
		cmocka_unit_test(without_lines_it_is_one_transfer),
		cmocka_unit_test(c10_who_knows_no_ranges_gives_all_at_once),
		cmocka_unit_test(c10_who_knows_none_any_more_is_no_failure),
		cmocka_unit_test(c10_cut_ranges_are_gone_on_with),
		cmocka_unit_test(c11_helpers_that_are_refused_are_done_without),
		cmocka_unit_test(f65_what_was_wrong_in_pieces_comes_once_more_as_a_whole),
		cmocka_unit_test(c10_what_came_in_pieces_is_not_fetched_again),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
