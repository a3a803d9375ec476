/* SPDX-License-Identifier: Apache-2.0 */
/* Thin devices of a pool that the real kernel runs: opened by several at once, given to others. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/thin/file/engine.h"
#include "pkg/thin/kernel/pool_internal.h"
#include "pkg/thin/volume.h"
#include "tests/support/cmocka.h"
#include "tests/support/lab.h"
#include "tests/support/scratch.h"

enum { BLOCK = 64 << 10, SIZE = 16 * BLOCK };

static struct error err;
static const char *dir;

static struct thin_pool *session(enum thin_mode mode)
{
	struct thin_open how = {.engine = THIN_ENGINE_KERNEL,
				.mode = mode,
				.verb = "test",
				.lock_timeout_ms = 20000};
	struct thin_pool *pool;

	assert_ok(thin_open(dir, &how, &pool, &err), &err);
	return pool;
}

static struct thin_volume *open_volume(struct thin_pool *pool, uint32_t id, bool writable)
{
	struct thin_volume *v;

	assert_ok(thin_pool_open_volume(pool, id, SIZE, writable, &v, &err), &err);
	return v;
}

static void write_block(struct thin_pool *pool, uint32_t id, char text)
{
	cleanup(thin_volume_close_ptr) struct thin_volume *v = open_volume(pool, id, true);
	char block[BLOCK];

	memset(block, text, sizeof(block));
	assert_ok(thin_volume_write(v, block, sizeof(block), 0, &err), &err);
}

static void expect_block(struct thin_pool *pool, uint32_t id, char text)
{
	cleanup(thin_volume_close_ptr) struct thin_volume *v = open_volume(pool, id, false);
	char block[BLOCK];

	assert_ok(thin_volume_read(v, block, sizeof(block), 0, &err), &err);
	for (size_t i = 0; i < sizeof(block); i++)
		assert_int_equal(block[i], text);
}

/* Of one kind or the other; how many of ours there are with thin device 0 and the pool. */
static size_t devices(void)
{
	cleanup(devmap_list_release) struct devmap_list list = {0};

	assert_ok(devmap_list("THINPULL-", &list, &err), &err);
	return list.n;
}

enum { ALWAYS = 2 }; /* the pool and thin device 0 */

static struct devmap_info look(struct thin_pool *pool, uint32_t id, bool volume)
{
	struct kernel_names names;
	struct devmap_info info;

	(volume ? kernel_names_volume : kernel_names_thin)(tk_pool_of(pool)->place.uuid, id,
							   &names);
	assert_ok(devmap_info(names.uuid, &info, &err), &err);
	return info;
}

static int set_up(void **state)
{
	struct thin_file_params params = {.data_bytes = 64 << 20,
					  .block_bytes = BLOCK,
					  .uuid = {0x0e, 0xed}};
	struct thin_pool *pool;

	if (scratch_set_up(state) < 0)
		return -1;
	dir = *state;
	if (lab_may_skip())
		return 0;
	assert_ok(thin_file_create(dir, &params, &err), &err);
	pool = session(THIN_WRITE);
	assert_ok(thin_pool_create_thin(pool, 0, &err), &err);
	write_block(pool, 0, '0');
	assert_ok(thin_pool_create_thin(pool, 7, &err), &err);
	write_block(pool, 7, 'a');
	assert_ok(thin_pool_commit(pool, 1, &err), &err);
	thin_pool_close(pool);
	assert_int_equal(devices(), ALWAYS);
	return 0;
}

/* Nothing but the pool is left by any test. */
static int tear_down(void **state)
{
	if (!lab_may_skip()) {
		assert_int_equal(devices(), ALWAYS);
		assert_ok(thin_kernel_deactivate(dir, 1000, &err), &err);
		assert_int_equal(devices(), 0);
	}
	return scratch_tear_down(state);
}

/* --- given to others -------------------------------------------------------------------------- */

static char *activate(struct thin_pool *pool, uint32_t id, bool read_only)
{
	char *path;

	assert_ok(thin_pool_activate(pool, id, SIZE, read_only, &path, &err), &err);
	return path;
}

/* How many are given to others. @ret: the first of them, or NULL. */
static size_t mend(struct thin_pool *pool, uint32_t **ret)
{
	uint32_t *ids;
	size_t n;

	assert_ok(thin_pool_mend(pool, &ids, &n, &err), &err);
	if (ret)
		*ret = ids;
	else
		free(ids);
	return n;
}

static void poke(const char *path, char text)
{
	cleanup_fd int fd = open(path, O_RDWR | O_CLOEXEC);
	char block[BLOCK];

	assert_true(fd >= 0);
	memset(block, text, sizeof(block));
	assert_int_equal(pwrite(fd, block, sizeof(block), 0), sizeof(block));
	assert_int_equal(fsync(fd), 0);
}

static void a_given_one_outlives_its_session_and_is_read_by_others_meanwhile(void **state)
{
	cleanup_free char *path = NULL, *again = NULL;
	struct thin_pool *pool;

	(void)state;
	lab_need("thin-pool");
	pool = session(THIN_READ);
	assert_int_equal(thin_pool_find_device(pool, 7, &again, &err), 1);
	path = activate(pool, 7, false);
	thin_pool_close(pool);
	poke(path, 'b');
	pool = session(THIN_READ);
	expect_block(pool, 7, 'b');
	mend(pool, NULL);
	assert_ok(thin_pool_find_device(pool, 7, &again, &err), &err);
	assert_string_equal(again, path);
	assert_int_equal(devices(), ALWAYS + 1);
	assert_ok(thin_pool_deactivate(pool, 7, &err), &err);
	assert_ok(thin_pool_deactivate(pool, 7, &err), &err); /* not there: fine */
	expect_block(pool, 7, 'b');
	thin_pool_close(pool);
}

static void what_is_given_is_listed_and_volumes_are_not(void **state)
{
	struct thin_pool *pool, *other;
	struct thin_volume *v;
	uint32_t *ids;

	(void)state;
	lab_need("thin-pool");
	pool = session(THIN_WRITE);
	other = session(THIN_READ);
	v = open_volume(other, 7, false);
	for (uint32_t id = 30; id > 10; id -= 9) {
		assert_ok(thin_pool_create_snap(pool, id, 7, &err), &err);
		free(activate(pool, id, id == 21));
	}
	assert_int_equal(mend(pool, &ids), 3);
	for (uint32_t i = 0; i < 3; i++) {
		assert_int_equal(ids[i], 12 + 9 * i);
		assert_ok(thin_pool_deactivate(pool, ids[i], &err), &err);
	}
	free(ids);
	thin_volume_close(v);
	thin_pool_close(other);
	thin_pool_close(pool);
}

static void one_in_use_is_neither_taken_away_nor_made_read_only(void **state)
{
	cleanup_free char *path = NULL, *other = NULL;
	struct thin_pool *pool;
	int fd;

	(void)state;
	lab_need("thin-pool");
	pool = session(THIN_WRITE);
	path = activate(pool, 7, false);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(thin_pool_deactivate(pool, 7, &err), -1);
	assert_error(&err, ERR_BUSY, "");
	assert_int_equal(thin_pool_activate(pool, 7, SIZE, true, &other, &err), -1);
	assert_error(&err, ERR_BUSY, "");
	assert_int_equal(thin_pool_delete(pool, 7, &err), -1);
	assert_error(&err, ERR_BUSY, "");
	close(fd);
	other = activate(pool, 7, true);
	assert_true(look(pool, 7, false).read_only);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_int_equal(write(fd, "x", 1), -1);
	close(fd);
	assert_ok(thin_pool_deactivate(pool, 7, &err), &err);
	thin_pool_close(pool);
}

static void one_that_was_to_go_with_its_last_user_stays_when_it_is_given_again(void **state)
{
	cleanup_free char *path = NULL, *again = NULL;
	struct thin_pool *pool;
	int fd;

	(void)state;
	lab_need("thin-pool");
	pool = session(THIN_READ);
	path = activate(pool, 7, false);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_ok(devmap_remove(look(pool, 7, false).uuid, DEVMAP_DEFERRED, &err), &err);
	assert_true(look(pool, 7, false).deferred_remove);
	again = activate(pool, 7, false);
	close(fd);
	usleep(50000);
	poke(again, 'c');
	expect_block(pool, 7, 'c');
	assert_ok(thin_pool_deactivate(pool, 7, &err), &err);
	thin_pool_close(pool);
}

static void a_snapshot_has_what_was_written_to_one_that_is_in_use(void **state)
{
	cleanup_free char *path = NULL;
	struct thin_pool *pool;

	(void)state;
	lab_need("thin-pool");
	pool = session(THIN_WRITE);
	path = activate(pool, 7, false);
	poke(path, 'd');
	assert_ok(thin_pool_create_snap(pool, 8, 7, &err), &err);
	assert_false(look(pool, 7, false).suspended);
	poke(path, 'e');
	expect_block(pool, 8, 'd');
	expect_block(pool, 7, 'e');
	assert_ok(thin_pool_deactivate(pool, 7, &err), &err);
	thin_pool_close(pool);
}

/* --- opened ----------------------------------------------------------------------------------- */

/* Made without looking first, opened, taken away. */
static void a_volume_costs_four_ioctls(void **state)
{
	struct thin_pool_counts before, after;
	struct thin_pool *pool;

	(void)state;
	lab_need("thin-pool");
	pool = session(THIN_WRITE);
	thin_pool_counts(pool, &before);
	write_block(pool, 7, 'c');
	thin_pool_counts(pool, &after);
	assert_int_equal(after.ioctls - before.ioctls, 4);
	assert_int_equal(after.activations - before.activations, 1);
	thin_pool_close(pool);
}

static void readers_share_a_device_that_goes_with_the_last(void **state)
{
	struct thin_pool *first, *second;
	struct thin_volume *a, *b, *c;

	(void)state;
	lab_need("thin-pool");
	first = session(THIN_READ);
	second = session(THIN_READ);
	a = open_volume(first, 7, false);
	b = open_volume(first, 7, false);
	c = open_volume(second, 7, false);
	assert_int_equal(devices(), ALWAYS + 1);
	assert_true(look(first, 7, true).read_only);
	thin_volume_close(a);
	thin_volume_close(b);
	assert_int_equal(devices(), ALWAYS + 1);
	thin_volume_close(c);
	assert_int_equal(devices(), ALWAYS);
	thin_pool_close(first);
	thin_pool_close(second);
}

static void who_writes_is_alone(void **state)
{
	struct thin_pool *writer, *reader;
	struct thin_volume *v, *other;

	(void)state;
	lab_need("thin-pool");
	writer = session(THIN_WRITE);
	reader = session(THIN_READ);
	assert_int_equal(thin_pool_open_volume(reader, 7, SIZE, true, &v, &err), -1);
	assert_error(&err, ERR_BUSY, "open for reading");
	v = open_volume(writer, 7, true);
	assert_int_equal(thin_pool_open_volume(reader, 7, SIZE, false, &other, &err), -1);
	assert_error(&err, ERR_BUSY, "thin 7");
	assert_int_equal(thin_pool_open_volume(writer, 7, SIZE, true, &other, &err), -1);
	assert_error(&err, ERR_BUSY, "thin 7");
	assert_int_equal(thin_pool_delete(writer, 7, &err), -1);
	assert_error(&err, ERR_BUSY, "thin 7");
	thin_volume_close(v);
	expect_block(reader, 7, 'a');
	v = open_volume(reader, 7, false);
	assert_int_equal(thin_pool_delete(writer, 7, &err), -1);
	assert_error(&err, ERR_BUSY, "thin 7");
	thin_volume_close(v);
	assert_ok(thin_pool_delete(writer, 7, &err), &err);
	assert_int_equal(thin_pool_open_volume(reader, 7, SIZE, false, &v, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "thin 7");
	thin_pool_close(reader);
	thin_pool_close(writer);
}

/* A process that opens it and is killed then. */
static void open_and_be_killed(uint32_t id, bool writable)
{
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct thin_pool *pool = session(writable ? THIN_WRITE : THIN_READ);

		open_volume(pool, id, writable);
		(void)!write(ready[1], "x", 1);
		pause();
		_exit(1);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void what_a_kill_leaves_is_taken_away_and_nothing_else(void **state)
{
	struct thin_pool *pool, *other;
	struct thin_volume *v;

	(void)state;
	lab_need("thin-pool");
	pool = session(THIN_WRITE);
	other = session(THIN_READ);
	assert_ok(thin_pool_create_snap(pool, 8, 7, &err), &err);
	open_and_be_killed(8, false);
	v = open_volume(other, 7, false);
	free(activate(other, 7, true));
	assert_int_equal(devices(), ALWAYS + 3);
	mend(other, NULL);
	mend(pool, NULL);
	assert_int_equal(devices(), ALWAYS + 2);
	assert_true(look(pool, 7, true).exists);
	assert_false(look(pool, 8, true).exists);
	thin_volume_close(v);
	assert_ok(thin_pool_deactivate(other, 7, &err), &err);
	thin_pool_close(other);
	thin_pool_close(pool);
}

static void what_a_killed_writer_leaves_is_in_nobodys_way(void **state)
{
	struct thin_pool *pool;

	(void)state;
	lab_need("thin-pool");
	open_and_be_killed(7, true);
	pool = session(THIN_WRITE);
	assert_false(look(pool, 7, true).read_only);
	expect_block(pool, 7, 'a');
	assert_int_equal(devices(), ALWAYS);
	thin_pool_close(pool);
	open_and_be_killed(7, true);
	pool = session(THIN_WRITE);
	assert_ok(thin_pool_delete(pool, 7, &err), &err);
	assert_int_equal(devices(), ALWAYS);
	thin_pool_close(pool);
}

static void many_come_and_go_at_once_without_an_error(void **state)
{
	enum { PROCESSES = 6, TIMES = 15 };
	pid_t pids[PROCESSES];

	(void)state;
	lab_need("thin-pool");
	for (unsigned i = 0; i < PROCESSES; i++) {
		pids[i] = fork();
		assert_true(pids[i] >= 0);
		if (pids[i] != 0)
			continue;
		for (unsigned k = 0; k < TIMES; k++) {
			struct thin_pool *pool = session(THIN_READ);

			expect_block(pool, 7, 'a');
			mend(pool, NULL);
			thin_pool_close(pool);
		}
		_exit(0);
	}
	for (unsigned i = 0; i < PROCESSES; i++) {
		int status;

		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	}
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_given_one_outlives_its_session_and_is_read_by_others_meanwhile),
		CASE(what_is_given_is_listed_and_volumes_are_not),
		CASE(one_in_use_is_neither_taken_away_nor_made_read_only),
		CASE(one_that_was_to_go_with_its_last_user_stays_when_it_is_given_again),
		CASE(a_snapshot_has_what_was_written_to_one_that_is_in_use),
		CASE(a_volume_costs_four_ioctls),
		CASE(readers_share_a_device_that_goes_with_the_last),
		CASE(who_writes_is_alone),
		CASE(what_a_kill_leaves_is_taken_away_and_nothing_else),
		CASE(what_a_killed_writer_leaves_is_in_nobodys_way),
		CASE(many_come_and_go_at_once_without_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
