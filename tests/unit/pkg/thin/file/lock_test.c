/* SPDX-License-Identifier: Apache-2.0 */
/* One writer at a time, across processes and kills; readers beside it; loop devices. */
#include "pkg/thin/file/lock.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "tests/support/thin_fixture.h"

#define BLOCK ((uint64_t)FIXTURE_BLOCK)

/* A child that opens the pool, does its work, tells so, and then waits to be killed. */
static pid_t start_owner(const struct thin_fixture *f, void (*work)(struct thin_fixture *f))
{
	struct thin_fixture mine = *f;
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct thin_file_open how = {.mode = THIN_FILE_WRITE, .verb = "pull x y"};
		struct error err = {0};

		close(ready[0]);
		if (thin_file_open(mine.dir, &how, &mine.pool, &err) < 0)
			_exit(1);
		if (work)
			work(&mine);
		if (write(ready[1], "x", 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

static void kill_owner(pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
}

static bool exists(const struct thin_fixture *f, const char *name)
{
	cleanup_free char *path = xasprintf("%s/%s", f->dir, name);

	return access(path, F_OK) == 0;
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void a_second_writer_waits_and_is_told_who_has_it(void **state)
{
	struct thin_fixture f;
	struct thin_file_open how = {.mode = THIN_FILE_WRITE,
				     .verb = "second",
				     .lock_timeout_ms = 150};
	struct thin_pool *pool;
	struct error err = {0};
	char pid_text[32];
	int64_t before;
	pid_t pid;

	(void)state;
	thin_fixture_init(&f, 100, 0);
	thin_fixture_close(&f);
	assert_false(exists(&f, "owner"));
	pid = start_owner(&f, NULL);
	before = now_ms();
	assert_int_equal(thin_file_open(f.dir, &how, &pool, &err), -1);
	assert_int_equal(err.kind, ERR_BUSY);
	assert_true(now_ms() - before >= 150);
	snprintf(pid_text, sizeof(pid_text), "process %ld ", (long)pid);
	assert_non_null(strstr(err.cause, pid_text));
	assert_non_null(strstr(err.cause, "(pull x y) since 20"));
	/* A reader needs no lock. */
	thin_fixture_open(&f, THIN_FILE_READ);
	thin_fixture_close(&f);
	assert_true(exists(&f, "owner"));
	kill_owner(pid);
	thin_fixture_open(&f, THIN_FILE_WRITE);
	thin_fixture_release(&f);
}

static void leave_data_uncommitted(struct thin_fixture *f)
{
	thin_fixture_write(f, 1, 10 * BLOCK, 20 * BLOCK, 2);
	thin_fixture_write(f, 1, BLOCK, 100, 3); /* private: in place, committed or not */
}

static void what_a_killed_owner_left_is_cleaned_up(void **state)
{
	struct thin_fixture f;
	struct error err = {0};
	pid_t pid;

	(void)state;
	thin_fixture_init(&f, 100, 0);
	assert_int_equal(thin_pool_create_thin(f.pool, 1, &err), 0);
	thin_fixture_write(&f, 1, 0, 5 * BLOCK, 1);
	thin_fixture_commit(&f);
	thin_fixture_close(&f);
	pid = start_owner(&f, leave_data_uncommitted);
	kill_owner(pid);
	assert_true(exists(&f, "owner"));
	assert_int_equal(thin_fixture_sectors(&f, "data"), 25 * BLOCK / 512);
	/* Readers change nothing, not even this. */
	thin_fixture_open(&f, THIN_FILE_READ);
	thin_fixture_close(&f);
	assert_true(exists(&f, "owner"));
	thin_fixture_open(&f, THIN_FILE_WRITE);
	assert_int_equal(thin_fixture_sectors(&f, "data"), 5 * BLOCK / 512);
	thin_fixture_expect(&f, 1, 10 * BLOCK, 20 * BLOCK, 0);
	thin_fixture_expect(&f, 1, 2 * BLOCK, 3 * BLOCK, 1);
	thin_fixture_check(&f);
	thin_fixture_close(&f);
	assert_false(exists(&f, "owner"));
	thin_fixture_release(&f);
}

static void grow_uncommitted(struct thin_fixture *f)
{
	if (thin_file_grow(f->pool, 1000 * BLOCK, 4 << 20, &(struct error){0}) < 0)
		_exit(1);
}

static uint64_t file_bytes(const struct thin_fixture *f, const char *name)
{
	cleanup_free char *path = xasprintf("%s/%s", f->dir, name);
	cleanup_fd int fd = open(path, O_RDONLY);

	return (uint64_t)lseek(fd, 0, SEEK_END);
}

static void a_growth_cut_short_leaves_files_of_the_right_length(void **state)
{
	struct thin_fixture f;
	pid_t pid;

	(void)state;
	thin_fixture_init(&f, 100, 2 << 20);
	thin_fixture_close(&f);
	pid = start_owner(&f, grow_uncommitted);
	kill_owner(pid);
	assert_int_equal(file_bytes(&f, "data"), 1000 * BLOCK);
	thin_fixture_open(&f, THIN_FILE_WRITE);
	assert_int_equal(file_bytes(&f, "data"), 100 * BLOCK);
	assert_int_equal(file_bytes(&f, "meta"), 2 << 20);
	thin_fixture_release(&f);
}

/* ---- readers ---- */

static void a_reader_sees_each_commit_and_nothing_between(void **state)
{
	struct thin_fixture f, reader;
	struct thin_file_open how = {.mode = THIN_FILE_READ};
	struct thin_pool_status status;
	struct error err = {0};

	(void)state;
	thin_fixture_init(&f, 1000, 0);
	assert_int_equal(thin_pool_create_thin(f.pool, 1, &err), 0);
	thin_fixture_write(&f, 1, 0, 4 * BLOCK, 1);
	thin_fixture_commit(&f);
	reader = f;
	assert_int_equal(thin_file_open(f.dir, &how, &reader.pool, &err), 0);
	thin_fixture_expect(&reader, 1, 0, 4 * BLOCK, 1);
	assert_int_equal(thin_pool_create_snap(f.pool, 2, 1, &err), 0);
	thin_fixture_write(&f, 1, 0, 4 * BLOCK, 2);
	thin_fixture_expect(&reader, 1, 0, 4 * BLOCK, 1);
	assert_int_equal(thin_pool_status(reader.pool, &status, &err), 0);
	assert_int_equal(status.thin_count, 1);
	thin_fixture_commit(&f);
	thin_fixture_expect(&reader, 1, 0, 4 * BLOCK, 2);
	thin_fixture_expect(&reader, 2, 0, 4 * BLOCK, 1);
	assert_int_equal(thin_pool_create_thin(reader.pool, 9, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_int_equal(thin_pool_commit(reader.pool, 99, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	thin_pool_close(reader.pool);
	thin_fixture_release(&f);
}

/* Ids are given again: what a reader has open does not turn into something else. */
static void a_volume_whose_id_was_given_to_another_is_gone(void **state)
{
	struct thin_file_open how = {.mode = THIN_FILE_READ};
	struct thin_volume *volume;
	struct thin_fixture f;
	struct thin_pool *reader;
	struct error err = {0};
	uint64_t at, len;
	uint8_t byte;

	(void)state;
	thin_fixture_init(&f, 1000, 0);
	assert_int_equal(thin_pool_create_thin(f.pool, 1, &err), 0);
	thin_fixture_write(&f, 1, 0, BLOCK, 1);
	assert_int_equal(thin_pool_commit(f.pool, 10, &err), 0);
	assert_int_equal(thin_file_open(f.dir, &how, &reader, &err), 0);
	assert_int_equal(thin_pool_open_volume(reader, 1, BLOCK, false, &volume, &err), 0);
	assert_int_equal(thin_volume_read(volume, &byte, 1, 0, &err), 0);
	assert_int_equal(thin_pool_delete(f.pool, 1, &err), 0);
	assert_int_equal(thin_pool_commit(f.pool, 11, &err), 0);
	assert_int_equal(thin_pool_create_thin(f.pool, 1, &err), 0);
	thin_fixture_write(&f, 1, 0, BLOCK, 2);
	assert_int_equal(thin_pool_commit(f.pool, 12, &err), 0);
	assert_int_equal(thin_volume_read(volume, &byte, 1, 0, &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_int_equal(thin_volume_next_mapped(volume, 0, &at, &len, &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	thin_volume_close(volume);
	thin_pool_close(reader);
	thin_fixture_release(&f);
}

/* Device 1 always has one seed all over, another after each commit, in new blocks each time. */
static void rewrite_for_ever(struct thin_fixture *f)
{
	for (uint32_t i = 1;; i++) {
		struct error err = {0};

		if (thin_pool_create_snap(f->pool, 2, 1, &err) < 0)
			_exit(1);
		thin_fixture_write(f, 1, 0, 4 * BLOCK, 1 + i % 3);
		if (thin_pool_delete(f->pool, 2, &err) < 0)
			_exit(1);
		/* The same transaction id for ever: nothing else tells the commits apart. */
		if (thin_pool_commit(f->pool, 5, &err) < 0)
			_exit(1);
	}
}

static uint32_t seed_of(const uint8_t *bytes, const struct thin_fixture *f)
{
	(void)f;
	for (uint32_t seed = 1; seed <= 3; seed++)
		if (bytes[0] == (uint8_t)(seed * 73))
			return seed;
	return 0;
}

static void a_reader_beside_a_busy_writer_never_sees_a_mixture(void **state)
{
	struct thin_fixture f;
	struct error err = {0};
	struct thin_volume *v;
	cleanup_free uint8_t *bytes = xmalloc(4 * BLOCK);
	unsigned seen[4] = {0}, busy = 0;
	int64_t end;
	pid_t pid;

	(void)state;
	thin_fixture_init(&f, 100, 0);
	assert_int_equal(thin_pool_create_thin(f.pool, 1, &err), 0);
	thin_fixture_write(&f, 1, 0, 4 * BLOCK, 1);
	thin_fixture_commit(&f);
	thin_fixture_close(&f);
	pid = fork();
	if (pid == 0) {
		thin_fixture_open(&f, THIN_FILE_WRITE);
		rewrite_for_ever(&f);
	}
	thin_fixture_open(&f, THIN_FILE_READ);
	assert_int_equal(thin_pool_open_volume(f.pool, 1, 4 * BLOCK, false, &v, &err), 0);
	end = now_ms() + 1500;
	while (now_ms() < end) {
		uint32_t seed;

		if (thin_volume_read(v, bytes, 4 * BLOCK, 0, &err) < 0) {
			assert_int_equal(err.kind, ERR_BUSY);
			busy++;
			continue;
		}
		seed = seed_of(bytes, &f);
		assert_true(seed);
		seen[seed]++;
		for (uint64_t at = 0; at < 4 * BLOCK; at++) {
			uint8_t want =
				(uint8_t)((at * 31 + at / BLOCK * 7 + at / 4096) ^ seed * 73);

			if (bytes[at] != want)
				fail_msg("byte %llu is not of seed %u", (unsigned long long)at,
					 seed);
		}
	}
	kill_owner(pid);
	assert_true(seen[1] && seen[2] && seen[3]);
	assert_true(busy < seen[1] + seen[2] + seen[3]);
	thin_volume_close(v);
	thin_fixture_close(&f);
	thin_fixture_open(&f, THIN_FILE_WRITE);
	thin_fixture_check(&f);
	thin_fixture_release(&f);
}

/* ---- loop devices ---- */

static void files_on_a_loop_device_are_busy(void **state)
{
	struct thin_fixture f;
	struct thin_file_open how = {.mode = THIN_FILE_WRITE, .verb = "test"};
	cleanup_free char *attach = NULL;
	char device[64] = "", command[128];
	struct thin_pool *pool;
	struct error err = {0};
	FILE *pipe;

	(void)state;
	thin_fixture_init(&f, 100, 0);
	thin_fixture_close(&f);
	attach = xasprintf("losetup -f --show %s/data 2>/dev/null", f.dir);
	pipe = popen(attach, "r");
	assert_non_null(pipe);
	if (!fgets(device, sizeof(device), pipe)) {
		pclose(pipe);
		thin_fixture_release(&f);
		skip(); /* not root, or no loop devices */
	}
	pclose(pipe);
	device[strcspn(device, "\n")] = 0;
	assert_int_equal(thin_file_open(f.dir, &how, &pool, &err), -1);
	snprintf(command, sizeof(command), "losetup -d %s", device);
	assert_int_equal(system(command), 0);
	assert_int_equal(err.kind, ERR_BUSY);
	assert_non_null(strstr(err.cause, device));
	thin_fixture_open(&f, THIN_FILE_WRITE);
	thin_fixture_release(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_second_writer_waits_and_is_told_who_has_it),
		cmocka_unit_test(what_a_killed_owner_left_is_cleaned_up),
		cmocka_unit_test(a_growth_cut_short_leaves_files_of_the_right_length),
		cmocka_unit_test(a_reader_sees_each_commit_and_nothing_between),
		cmocka_unit_test(a_volume_whose_id_was_given_to_another_is_gone),
		cmocka_unit_test(a_reader_beside_a_busy_writer_never_sees_a_mixture),
		cmocka_unit_test(files_on_a_loop_device_are_busy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
