/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several processes read a pool that another one changes and commits without a pause: whatever they
 * ask in one call is of one committed state, and of one between the commit before the call and the
 * one after it. THINPULL_ROUNDS: milliseconds of that.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/cmocka.h"

#include "pkg/base/alloc.h"
#include "tests/support/thin_fixture.h"
#include "tests/support/thin_run.h"

#define BLOCK ((uint64_t)FIXTURE_BLOCK)

/*
 * The state after commit t:
 *   thin 1         STAMPED blocks, each of 8-byte words t; shared with nobody that stays
 *   thin 2         a snapshot of thin 1 as it was after commit t - 1
 *   thin 3         the first mapped_of(t) blocks are mapped, by writing or after a discard
 *   from 10 on     extra_of(t) empty thins
 */
enum {
	STAMPED = 6,
	FIRST_EXTRA = 10,
	READERS = 4,
	WORDS = STAMPED * FIXTURE_BLOCK / 8,
	LATEST_MS = 60000
};

static uint64_t mapped_of(uint64_t t)
{
	return 1 + t * 7 % 40;
}

static uint32_t extra_of(uint64_t t)
{
	return (uint32_t)(t * 5 % 11);
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* ---- the writer ---- */

static void write_words(struct thin_fixture *f, uint64_t t)
{
	cleanup(thin_volume_close_ptr) struct thin_volume *v = NULL;
	cleanup_free uint64_t *words = xcalloc(WORDS, 8);
	struct error err = {0};

	for (size_t i = 0; i < WORDS; i++)
		words[i] = t;
	assert_ok(thin_pool_open_volume(f->pool, 1, STAMPED * BLOCK, true, &v, &err), &err);
	assert_ok(thin_volume_write(v, words, (size_t)WORDS * 8, 0, &err), &err);
}

static void map_so_many(struct thin_fixture *f, uint64_t t)
{
	cleanup(thin_volume_close_ptr) struct thin_volume *v = NULL;
	struct error err = {0};

	assert_ok(thin_pool_open_volume(f->pool, 3, 50 * BLOCK, true, &v, &err), &err);
	for (uint64_t i = 0; i < mapped_of(t); i++)
		assert_ok(thin_volume_write(v, &t, sizeof(t), i * BLOCK, &err), &err);
	assert_ok(thin_volume_discard(v, mapped_of(t) * BLOCK, (50 - mapped_of(t)) * BLOCK, &err),
		  &err);
}

/* Thin 2 makes the blocks of thin 1 shared, so that they are not written in place. */
static void make_state(struct thin_fixture *f, uint64_t t)
{
	struct error err = {0};

	if (t > 1)
		thin_fixture_delete(f, 2);
	thin_fixture_snap(f, 2, 1);
	write_words(f, t);
	map_so_many(f, t);
	for (uint32_t i = extra_of(t); i < extra_of(t - 1); i++)
		thin_fixture_delete(f, FIRST_EXTRA + i);
	for (uint32_t i = extra_of(t - 1); i < extra_of(t); i++)
		thin_fixture_create(f, FIRST_EXTRA + i);
	assert_ok(thin_pool_commit(f->pool, t, &err), &err);
}

/* Readers that had to look often have the lock for one look. */
static void open_for_writing(struct thin_fixture *f)
{
	const struct thin_file_open how = {.mode = THIN_FILE_WRITE,
					   .verb = "test",
					   .lock_timeout_ms = 20000};
	struct error err = {0};

	assert_ok(thin_file_open(f->dir, &how, &f->pool, &err), &err);
}

static void write_for_ever(struct thin_fixture *f)
{
	open_for_writing(f);
	for (uint64_t t = 2;; t++) {
		make_state(f, t);
		if (t % 16)
			continue;
		thin_fixture_close(f);
		open_for_writing(f);
	}
}

/* ---- the readers ---- */

static void wrong(const char *what, uint64_t is, uint64_t least, uint64_t most)
{
	fprintf(stderr, "%s: %llu, between commits %llu and %llu\n", what, (unsigned long long)is,
		(unsigned long long)least, (unsigned long long)most);
	_exit(1);
}

/* Reading may give up after many commits, and then has not read. */
static bool is_read(int rc, const struct error *err)
{
	char text[1024];

	if (rc == 0)
		return true;
	if (err->kind == ERR_BUSY)
		return false;
	error_text(err, text, sizeof(text));
	fprintf(stderr, "reader: %s\n", text);
	_exit(1);
}

static uint64_t commit_seen(struct thin_fixture *f)
{
	struct thin_pool_status status;
	struct error err = {0};

	while (!is_read(thin_pool_status(f->pool, &status, &err), &err))
		continue;
	return status.transaction_id;
}

static void read_list(struct thin_fixture *f)
{
	uint64_t least = commit_seen(f), most, t;
	cleanup_free struct thin_device *list = NULL;
	struct error err = {0};
	size_t n;

	if (!is_read(thin_pool_devices(f->pool, &list, &n, &err), &err))
		return;
	most = commit_seen(f);
	for (t = least; t <= most; t++)
		if (n == 3 + extra_of(t) && list[2].mapped_blocks == mapped_of(t))
			return;
	wrong("list", n, least, most);
}

static void read_words(struct thin_fixture *f, uint32_t id, uint64_t behind)
{
	static uint64_t words[WORDS];
	uint64_t least = commit_seen(f), most;
	cleanup(thin_volume_close_ptr) struct thin_volume *v = NULL;
	struct error err = {0};
	int rc = thin_pool_open_volume(f->pool, id, STAMPED * BLOCK, false, &v, &err);

	if (rc == 0)
		rc = thin_volume_read(v, words, sizeof(words), 0, &err);
	if (rc < 0 && err.kind == ERR_NOT_FOUND && id == 2)
		return; /* made anew with each commit */
	if (!is_read(rc, &err))
		return;
	most = commit_seen(f);
	for (size_t i = 1; i < WORDS; i++)
		if (words[i] != words[0])
			wrong("a mixture", words[i], words[0], words[0]);
	if (words[0] + behind < least || words[0] + behind > most)
		wrong("words", words[0], least, most);
}

static void read_ranges(struct thin_fixture *f)
{
	uint64_t least = commit_seen(f), most, at, len;
	cleanup(thin_volume_close_ptr) struct thin_volume *v = NULL;
	struct error err = {0};
	int rc = thin_pool_open_volume(f->pool, 3, 50 * BLOCK, false, &v, &err);

	if (rc == 0)
		rc = thin_volume_next_mapped(v, 0, &at, &len, &err);
	if (!is_read(rc, &err))
		return;
	most = commit_seen(f);
	for (uint64_t t = least; t <= most; t++)
		if (at == 0 && len == mapped_of(t) * BLOCK)
			return;
	wrong("mapped bytes", len, least, most);
}

/* And until there were some commits, however busy the machine is. */
static void read_until(struct thin_fixture *f, int64_t end)
{
	uint64_t first;

	thin_fixture_open(f, THIN_FILE_READ);
	first = commit_seen(f);
	while (now_ms() < end || commit_seen(f) < first + 3) {
		read_list(f);
		read_words(f, 1, 0);
		read_words(f, 2, 1);
		read_ranges(f);
		if (now_ms() > end + LATEST_MS)
			wrong("commits", commit_seen(f), first, first + 3);
	}
	_exit(0);
}

static pid_t start_reader(struct thin_fixture *f, int64_t end)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		read_until(f, end);
	return pid;
}

static void many_readers_see_committed_states_only(void **state)
{
	int64_t end = now_ms() + (int64_t)thin_run_environment("THINPULL_ROUNDS", 1200);
	pid_t readers[READERS], writer;
	struct thin_fixture f;
	int status;

	(void)state;
	thin_fixture_init(&f, 300, 0);
	thin_fixture_create(&f, 1);
	write_words(&f, 0);
	thin_fixture_create(&f, 3);
	make_state(&f, 1);
	thin_fixture_close(&f);
	writer = fork();
	assert_true(writer >= 0);
	if (writer == 0)
		write_for_ever(&f);
	for (int i = 0; i < READERS; i++)
		readers[i] = start_reader(&f, end);
	for (int i = 0; i < READERS; i++) {
		assert_int_equal(waitpid(readers[i], &status, 0), readers[i]);
		readers[i] = status;
	}
	/* It must be at work still. */
	assert_int_equal(waitpid(writer, &status, WNOHANG), 0);
	kill(writer, SIGKILL);
	assert_int_equal(waitpid(writer, &status, 0), writer);
	for (int i = 0; i < READERS; i++)
		assert_int_equal(readers[i], 0);
	thin_fixture_open(&f, THIN_FILE_WRITE);
	thin_fixture_check(&f);
	thin_fixture_release(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_readers_see_committed_states_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
