/* SPDX-License-Identifier: Apache-2.0 */
/* A blob in a file: gone on with, waited for, taken over, kept or not (rules C10, C21; F64). */
#include "oci/part.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/fdio.h"
#include "pkg/stream/stage.h"
#include "tests/support/cmocka.h"
#include "tests/support/scratch.h"

enum { BLOB_BYTES = 300000, PIECE_BYTES = 1000, HALF = BLOB_BYTES / 2 };

static char *dir, *file;
static uint8_t bytes[BLOB_BYTES];
static struct oci_descriptor blob;

/* Hands out `bytes`; the first `breaks` transfers end after `good` bytes, in a failure. */
struct fake {
	struct source source;
	unsigned breaks;
	size_t good;
	enum error_kind failure;
	bool lies;	  /* other bytes */
	bool from_start;  /* whatever is asked for */
	unsigned slow_us; /* for each piece */
	atomic_uint fetches;
	atomic_ullong served;
};

struct body {
	struct stream stream;
	struct fake *fake;
	size_t at, end;
	uint8_t piece[PIECE_BYTES];
};

static int body_fill(struct stream *s, const uint8_t **ret, size_t *ret_len, struct error *err)
{
	struct body *b = (struct body *)s;
	struct fake *f = b->fake;
	size_t len = PIECE_BYTES;

	if (b->at == BLOB_BYTES)
		return 1;
	if (b->at >= b->end)
		return error_set(err, f->failure, "the body was cut");
	if (len > BLOB_BYTES - b->at)
		len = BLOB_BYTES - b->at;
	memcpy(b->piece, bytes + b->at, len);
	if (f->lies)
		b->piece[0] ^= 1;
	if (f->slow_us)
		usleep(f->slow_us);
	*ret = b->piece;
	*ret_len = len;
	b->at += len;
	atomic_fetch_add(&f->served, len);
	return 0;
}

static void body_release(struct stream *s)
{
	(void)s;
}

static int fetch_range(struct source *s, const struct oci_descriptor *d, struct byte_range *range,
		       struct stream **ret, struct error *err)
{
	static const struct stream_ops ops = {.fill = body_fill, .release = body_release};
	struct fake *f = (struct fake *)s;
	struct body *b = xcalloc(1, sizeof(*b));

	(void)err;
	if (f->from_start)
		*range = (struct byte_range){0, d->size_bytes};
	b->stream.ops = &ops;
	b->fake = f;
	b->at = range->offset;
	b->end = atomic_fetch_add(&f->fetches, 1) < f->breaks ? b->at + f->good : BLOB_BYTES;
	*ret = &b->stream;
	return 0;
}

static int fetch(struct source *s, const struct oci_descriptor *d, struct stream **ret,
		 struct error *err)
{
	struct byte_range all = {0, d->size_bytes};

	return fetch_range(s, d, &all, ret, err);
}

static struct fake fake_of(unsigned breaks, size_t good)
{
	static const struct source_ops ops = {.fetch = fetch, .fetch_range = fetch_range};

	return (struct fake){
		.source = {.ops = &ops},
		.breaks = breaks,
		.good = good,
		.failure = ERR_NETWORK,
	};
}

/* --- calls ------------------------------------------------------------------------------------ */

static int always(void *arg, struct error *err)
{
	(void)arg;
	(void)err;
	return 0;
}

static void ignore(uint64_t n, void *arg)
{
	(void)n;
	(void)arg;
}

static int have(struct fake *f, int *ret_fd, struct error *err)
{
	static const struct part_watch watch = {always, ignore, NULL, NULL};

	struct part_got got = {.fd = -1};
	int rc = part_fetch(dir, &f->source, &blob, &watch, &got, err);

	*ret_fd = got.fd;
	return rc;
}

static void assert_whole(int fd)
{
	cleanup_free uint8_t *got = xmalloc(BLOB_BYTES + 1);

	assert_int_equal(read(fd, got, BLOB_BYTES + 1), BLOB_BYTES);
	assert_memory_equal(got, bytes, BLOB_BYTES);
	close(fd);
}

/* It can be had, with so many bytes of the source. */
static void assert_had(struct fake *f, uint64_t served)
{
	struct error err = {0};
	int fd;

	assert_ok(have(f, &fd, &err), &err);
	assert_whole(fd);
	assert_int_equal(atomic_load(&f->served), served);
	part_drop(dir, &blob);
	assert_int_equal(access(file, F_OK), -1);
}

static void assert_fails(struct fake *f, enum error_kind kind, bool stays)
{
	struct error err = {0};
	int fd;

	assert_int_equal(have(f, &fd, &err), -1);
	assert_error(&err, kind, "");
	assert_int_equal(access(file, F_OK), stays ? 0 : -1);
	part_drop(dir, &blob);
}

static void put(const char *path, const void *data, size_t len)
{
	cleanup_fd int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	struct error err = {0};

	assert_ok(fdio_write(fd, data, len, path, &err), &err);
}

static int make_dir(void **state)
{
	char hex[DIGEST_TEXT_BYTES];

	(void)state;
	dir = scratch_new();
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * i % 251);
	digest_of(DIGEST_SHA256, bytes, sizeof(bytes), &blob.digest);
	blob.size_bytes = sizeof(bytes);
	file = xasprintf("%s/sha256-%s-%d.part", dir, digest_hex(&blob.digest, hex), BLOB_BYTES);
	return 0;
}

/* Removing it shows as well that nothing is in it. */
static int remove_dir(void **state)
{
	int rc = rmdir(dir);

	(void)state;
	free(dir);
	free(file);
	return rc;
}

/* --- going on --------------------------------------------------------------------------------- */

static void c10_a_cut_transfer_is_gone_on_with(void **state)
{
	static const size_t good[] = {0, PIECE_BYTES, HALF, BLOB_BYTES - PIECE_BYTES};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct fake f = fake_of(1, good[i]);

		assert_had(&f, BLOB_BYTES);
		assert_int_equal(atomic_load(&f.fetches), 2);
	}
}

static void c10_what_is_in_the_file_is_not_fetched_again(void **state)
{
	static const size_t there[] = {0, 1, 999, HALF, BLOB_BYTES - 1, BLOB_BYTES};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(there); i++) {
		struct fake f = fake_of(0, 0);

		put(file, bytes, there[i]);
		assert_had(&f, BLOB_BYTES - there[i]);
	}
}

static void c10_a_file_that_is_wrong_is_no_reason_to_fail(void **state)
{
	static const size_t there[] = {1, HALF, BLOB_BYTES, BLOB_BYTES + 1};
	static uint8_t wrong[BLOB_BYTES + 1];

	(void)state;
	memset(wrong, 7, sizeof(wrong));
	for (size_t i = 0; i < ARRAY_SIZE(there); i++) {
		struct fake f = fake_of(0, 0);
		size_t kept = there[i] < BLOB_BYTES ? BLOB_BYTES - there[i] : 0;

		put(file, wrong, there[i]);
		assert_had(&f, BLOB_BYTES + kept);
	}
}

static void c10_who_knows_no_ranges_starts_over(void **state)
{
	struct fake f = fake_of(0, 0);

	(void)state;
	f.from_start = true;
	put(file, bytes, HALF);
	assert_had(&f, BLOB_BYTES);
}

/* --- what stays ------------------------------------------------------------------------------- */

static void c10_what_came_stays_when_the_network_fails(void **state)
{
	struct fake broken = fake_of(3, HALF / 3), good = fake_of(0, 0);
	struct error err = {0};
	int fd;

	(void)state;
	assert_int_equal(have(&broken, &fd, &err), -1);
	assert_error(&err, ERR_NETWORK, "tried 3 times");
	assert_had(&good, HALF);
}

static void f64_what_is_wrong_does_not_stay(void **state)
{
	static const enum error_kind kinds[] = {ERR_VERIFICATION, ERR_INVALID, ERR_NO_SPACE};
	struct fake liar = fake_of(0, 0), empty = fake_of(9, 0);

	(void)state;
	liar.lies = true;
	assert_fails(&liar, ERR_VERIFICATION, false);
	assert_int_equal(atomic_load(&liar.fetches), 1);
	assert_fails(&empty, ERR_NETWORK, false);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct fake f = fake_of(1, HALF);

		f.failure = kinds[i];
		assert_fails(&f, kinds[i], false);
	}
}

static int not_for_long(void *arg, struct error *err)
{
	int *left = arg;

	return (*left)-- > 0 ? 0 : error_set(err, ERR_INTERRUPTED, "stopped");
}

static void what_came_stays_when_it_is_stopped(void **state)
{
	int left = 10;
	const struct part_watch watch = {not_for_long, ignore, &left, NULL};
	struct fake f = fake_of(0, 0), rest = fake_of(0, 0);
	struct part_got got;
	struct error err = {0};
	struct stat st;

	(void)state;
	assert_int_equal(part_fetch(dir, &f.source, &blob, &watch, &got, &err), -1);
	assert_error(&err, ERR_INTERRUPTED, "stopped");
	assert_int_equal(stat(file, &st), 0);
	assert_in_range(st.st_size, PIECE_BYTES, HALF);
	assert_had(&rest, BLOB_BYTES - (uint64_t)st.st_size);
}

static void a_link_in_its_place_is_not_followed(void **state)
{
	struct fake f = fake_of(0, 0);
	struct error err = {0};
	int fd;

	(void)state;
	assert_int_equal(symlink("/dev/null", file), 0);
	assert_int_equal(have(&f, &fd, &err), -1);
	assert_error(&err, ERR_SYSTEM, ".part");
	assert_int_equal(unlink(file), 0);
	assert_int_equal(mkfifo(file, 0600), 0);
	assert_int_equal(have(&f, &fd, &err), -1);
	assert_error(&err, ERR_INVALID, "no regular file");
	assert_int_equal(unlink(file), 0);
}

/* --- several ---------------------------------------------------------------------------------- */

static void *have_in_thread(void *arg)
{
	struct error err = {0};
	int fd;

	assert_ok(have(arg, &fd, &err), &err);
	assert_whole(fd);
	part_drop(dir, &blob); /* the others have it all the same */
	return NULL;
}

static void c21_who_waits_takes_what_the_first_brought(void **state)
{
	enum { THREADS = 4 };
	struct fake f = fake_of(0, 0);
	pthread_t threads[THREADS];

	(void)state;
	f.slow_us = 1000; /* 300 ms in all */
	for (int i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_create(&threads[i], NULL, have_in_thread, &f), 0);
		usleep(1000);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(atomic_load(&f.fetches), 1);
	assert_int_equal(access(file, F_OK), -1);
}

static void c21_who_waits_goes_on_where_the_first_was_killed(void **state)
{
	struct fake slow = fake_of(0, 0), f = fake_of(0, 0);
	struct error err = {0};
	struct stat st = {0};
	pid_t child = fork();
	int fd;

	(void)state;
	if (child == 0) {
		slow.slow_us = 2000; /* 600 ms in all */
		_exit(have(&slow, &fd, &err) == 0);
	}
	while (stat(file, &st) < 0 || st.st_size < 50 * PIECE_BYTES)
		usleep(1000);
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_int_equal(stat(file, &st), 0);
	assert_had(&f, BLOB_BYTES - (uint64_t)st.st_size);
}

/* --- tidying ---------------------------------------------------------------------------------- */

static char *put_old(const char *name, long age_s, size_t len)
{
	char *path = xasprintf("%s/%s", dir, name);
	struct timespec times[2];

	put(path, bytes, len);
	clock_gettime(CLOCK_REALTIME, &times[0]);
	times[0].tv_sec -= age_s;
	times[1] = times[0];
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
	return path;
}

static void stale_files_go_by_age_and_by_size(void **state)
{
	cleanup_free char *a = put_old("a.part", 10, 8192), *b = put_old("b.part", 20, 8192);
	cleanup_free char *c = put_old("c.part", 30, 8192), *other = put_old("other", 99, 8192);
	cleanup_free char *locked = put_old("locked.part", 99, 8192);
	cleanup_fd int fd = open(locked, O_RDWR | O_CLOEXEC);

	(void)state;
	assert_int_equal(flock(fd, LOCK_EX), 0);
	part_tidy(dir, 25, 100000);
	assert_int_equal(access(b, F_OK), 0);
	assert_int_equal(access(c, F_OK), -1);
	part_tidy(dir, 25, 12000);
	assert_int_equal(access(a, F_OK), 0);
	assert_int_equal(access(b, F_OK), -1);
	part_tidy(dir, -1, 0);
	assert_int_equal(access(a, F_OK), -1);
	assert_int_equal(unlink(locked), 0);
	assert_int_equal(unlink(other), 0);
	part_tidy("/nowhere", -1, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(c10_a_cut_transfer_is_gone_on_with),
		cmocka_unit_test(c10_what_is_in_the_file_is_not_fetched_again),
		cmocka_unit_test(c10_a_file_that_is_wrong_is_no_reason_to_fail),
		cmocka_unit_test(c10_who_knows_no_ranges_starts_over),
		cmocka_unit_test(c10_what_came_stays_when_the_network_fails),
		cmocka_unit_test(f64_what_is_wrong_does_not_stay),
		cmocka_unit_test(what_came_stays_when_it_is_stopped),
		cmocka_unit_test(a_link_in_its_place_is_not_followed),
		cmocka_unit_test(c21_who_waits_takes_what_the_first_brought),
		cmocka_unit_test(c21_who_waits_goes_on_where_the_first_was_killed),
		cmocka_unit_test(stale_files_go_by_age_and_by_size),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
