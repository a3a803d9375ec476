/* SPDX-License-Identifier: Apache-2.0 */
/* Writes by a thread: in order, each over when its ticket is, and no error forgotten. */
#include "pkg/thin/kernel/volume_behind.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "tests/support/cmocka.h"
#include "tests/support/node_calls.h"
#include "tests/support/scratch.h"

enum { PIECE = 64 << 10, PIECES = 40, SIZE = PIECES * PIECE };

static char *dir, *path;
static struct error err;
static struct kernel_node node;
static struct kernel_behind *behind;
static uint8_t *buf;

/* The thread's; looked at once it waits. */
static uint64_t seen[2 * PIECES];
static size_t n_seen;
static pthread_t writer;
static bool signals_blocked;

static void watch(const struct iovec *pieces, int n, uint64_t offset)
{
	sigset_t mask;

	assert_int_equal(n, 1);
	assert_int_equal(pieces[0].iov_len, PIECE);
	assert_true(n_seen < ARRAY_SIZE(seen));
	seen[n_seen++] = offset;
	writer = pthread_self();
	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	signals_blocked = sigismember(&mask, SIGINT) && sigismember(&mask, SIGTERM);
}

static int begin(void **state)
{
	(void)state;
	node_calls_reset();
	error_clear(&err);
	n_seen = 0;
	dir = scratch_new();
	path = xasprintf("%s/device", dir);
	close(open(path, O_WRONLY | O_CREAT | O_EXCL, 0600));
	assert_int_equal(truncate(path, SIZE), 0);
	buf = xaligned(NODE_ALIGN, SIZE);
	for (size_t i = 0; i < SIZE; i++)
		buf[i] = (uint8_t)(i / PIECE + 1);
	assert_ok(kernel_node_open(&node, path, true, SIZE, &err), &err);
	behind = kernel_behind_new(&node);
	node_calls.on_write = watch;
	return 0;
}

static int end(void **state)
{
	(void)state;
	kernel_behind_free(behind);
	kernel_node_close(&node);
	free(buf);
	free(path);
	scratch_free(dir);
	return 0;
}

static int put(size_t piece, uint64_t *ret_ticket)
{
	struct iovec vec = {buf + piece * PIECE, PIECE};

	return kernel_behind_write(behind, &vec, 1, piece * PIECE, ret_ticket, &err);
}

static void without_a_thread_a_write_is_over_at_once(void **state)
{
	uint64_t ticket = 9;

	(void)state;
	assert_ok(put(3, &ticket), &err);
	assert_int_equal(ticket, 0);
	assert_int_equal(n_seen, 1);
	assert_true(pthread_equal(writer, pthread_self()));
	assert_true(kernel_behind_is_over(behind, ticket));
	assert_ok(kernel_behind_check(behind, &err), &err);
	assert_ok(kernel_behind_drain(behind, &err), &err);
	assert_int_equal(node.counts.writes, 1);
}

static void writes_go_out_in_their_order(void **state)
{
	uint64_t ticket, last = 0;

	(void)state;
	kernel_behind_start(behind);
	kernel_behind_start(behind);
	for (size_t i = 0; i < PIECES; i++) {
		assert_ok(put((i * 7) % PIECES, &ticket), &err);
		assert_true(ticket > last);
		last = ticket;
	}
	assert_ok(kernel_behind_drain(behind, &err), &err);
	assert_true(kernel_behind_is_over(behind, last));
	assert_int_equal(n_seen, PIECES);
	for (size_t i = 0; i < PIECES; i++)
		assert_int_equal(seen[i], (i * 7) % PIECES * PIECE);
	assert_false(pthread_equal(writer, pthread_self()));
	assert_true(signals_blocked);
	assert_int_equal(node.counts.writes, PIECES);
	assert_int_equal(node.counts.bytes_written, SIZE);
	assert_ok(kernel_behind_drain(behind, &err), &err);
	assert_int_equal(node.counts.writes, PIECES);
}

static void memory_is_free_again_when_its_ticket_is_over(void **state)
{
	uint8_t *got = xaligned(NODE_ALIGN, SIZE);
	uint64_t tickets[PIECES];
	struct iovec all = {got, SIZE};

	(void)state;
	kernel_behind_start(behind);
	for (size_t i = 0; i < PIECES; i++) {
		assert_ok(put(i, &tickets[i]), &err);
		if (i < 4)
			continue;
		kernel_behind_wait(behind, tickets[i - 4]);
		memset(buf + (i - 4) * PIECE, 0xee, PIECE);
	}
	assert_ok(kernel_behind_drain(behind, &err), &err);
	assert_ok(kernel_node_read(&node, &all, 1, 0, &err), &err);
	for (size_t i = 0; i < SIZE; i++)
		if (got[i] != (uint8_t)(i / PIECE + 1))
			fail_msg("byte %zu is %d", i, got[i]);
	free(got);
}

static void after_an_error_nothing_more_is_written(void **state)
{
	uint64_t ticket = 0;
	size_t taken = 0;

	(void)state;
	node_calls.once = true;
	node_calls.sys = ENOSPC;
	node_calls.fail[NODE_WRITE] = 3;
	kernel_behind_start(behind);
	while (taken < PIECES && put(taken, &ticket) == 0)
		taken++;
	if (taken == PIECES)
		assert_int_equal(kernel_behind_drain(behind, &err), -1);
	assert_error(&err, ERR_NO_SPACE, "at byte 131072");
	kernel_behind_wait(behind, ticket);
	assert_true(kernel_behind_is_over(behind, ticket));
	for (int again = 0; again < 2; again++) {
		error_clear(&err);
		assert_int_equal(kernel_behind_drain(behind, &err), -1);
		assert_error(&err, ERR_NO_SPACE, "at byte 131072");
		assert_int_equal(kernel_behind_check(behind, &err), -1);
		assert_int_equal(put(0, &ticket), -1);
		assert_error(&err, ERR_NO_SPACE, "at byte 131072");
	}
	assert_int_equal(n_seen, 3);
	assert_int_equal(node.counts.writes, 2);
}

static void what_waits_is_written_before_the_end(void **state)
{
	uint64_t ticket;

	(void)state;
	kernel_behind_start(behind);
	for (size_t i = 0; i < 3; i++)
		assert_ok(put(i, &ticket), &err);
	kernel_behind_free(behind);
	behind = NULL;
	assert_int_equal(n_seen, 3);
	kernel_behind_free(NULL);
}

static void direct_io_that_the_thread_found_refused_is_told(void **state)
{
	uint64_t ticket;

	(void)state;
	if (!node.direct)
		return;
	node_calls.once = true;
	node_calls.sys = EINVAL;
	node_calls.fail[NODE_WRITE] = 1;
	kernel_behind_start(behind);
	assert_ok(put(1, &ticket), &err);
	assert_ok(kernel_behind_drain(behind, &err), &err);
	assert_false(node.direct);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(without_a_thread_a_write_is_over_at_once),
		CASE(writes_go_out_in_their_order),
		CASE(memory_is_free_again_when_its_ticket_is_over),
		CASE(after_an_error_nothing_more_is_written),
		CASE(what_waits_is_written_before_the_end),
		CASE(direct_io_that_the_thread_found_refused_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
