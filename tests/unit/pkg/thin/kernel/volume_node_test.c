/* SPDX-License-Identifier: Apache-2.0 */
/* Whole transfers on a node, interrupted ones and those that fail; what is no such node. */
#include "pkg/thin/kernel/volume_node.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "tests/support/cmocka.h"
#include "tests/support/node_calls.h"
#include "tests/support/scratch.h"

enum { SIZE = 256 << 10, PIECE = 32 << 10 };

static char *dir, *path;
static struct error err;
static struct kernel_node node;
static uint8_t *buf;

static int begin(void **state)
{
	(void)state;
	node_calls_reset();
	error_clear(&err);
	dir = scratch_new();
	path = xasprintf("%s/device", dir);
	close(open(path, O_WRONLY | O_CREAT | O_EXCL, 0600));
	assert_int_equal(truncate(path, SIZE), 0);
	buf = xaligned(NODE_ALIGN, SIZE);
	for (size_t i = 0; i < SIZE; i++)
		buf[i] = (uint8_t)(i / 4096 + 1);
	assert_ok(kernel_node_open(&node, path, true, SIZE, &err), &err);
	return 0;
}

static int end(void **state)
{
	(void)state;
	kernel_node_close(&node);
	free(buf);
	free(path);
	scratch_free(dir);
	return 0;
}

static int transfer(int (*call)(struct kernel_node *, struct iovec *, int, uint64_t,
				struct error *))
{
	struct iovec pieces[SIZE / PIECE];

	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++)
		pieces[i] = (struct iovec){buf + i * PIECE, PIECE};
	return call(&node, pieces, ARRAY_SIZE(pieces), 0, &err);
}

static void transfers_are_whole_however_short_the_calls(void **state)
{
	static const size_t most[] = {0, 4096, 20480, PIECE, SIZE};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(most); i++) {
		node_calls.most_bytes = most[i];
		assert_ok(transfer(kernel_node_write), &err);
		memset(buf, 0, SIZE);
		assert_ok(transfer(kernel_node_read), &err);
		for (size_t at = 0; at < SIZE; at++)
			if (buf[at] != (uint8_t)(at / 4096 + 1))
				fail_msg("byte %zu, calls of %zu", at, most[i]);
	}
	assert_int_equal(node.counts.bytes_written, ARRAY_SIZE(most) * SIZE);
	assert_int_equal(node.counts.bytes_read, ARRAY_SIZE(most) * SIZE);
}

static void a_signal_is_no_error(void **state)
{
	(void)state;
	node_calls.once = true;
	node_calls.sys = EINTR;
	node_calls.fail[NODE_READ] = node_calls.fail[NODE_WRITE] = 1;
	assert_ok(transfer(kernel_node_write), &err);
	assert_ok(transfer(kernel_node_read), &err);
	assert_int_equal(node_calls.failed, 2);
}

/* Where the open went through and the transfer does not: through the page cache then. */
static void direct_io_may_be_refused_late(void **state)
{
	bool direct = node.direct;

	(void)state;
	node_calls.once = true;
	node_calls.sys = EINVAL;
	node_calls.fail[NODE_WRITE] = 1;
	if (!direct) /* nothing left to try */
		assert_int_equal(transfer(kernel_node_write), -1);
	assert_ok(transfer(kernel_node_write), &err);
	assert_false(node.direct);
	assert_int_equal(fcntl(node.fd, F_GETFL) & O_DIRECT, 0);
	node_calls.fail[NODE_WRITE] = 1;
	assert_int_equal(transfer(kernel_node_write), -1);
	assert_error(&err, ERR_SYSTEM, "device at byte 0: Invalid argument");
}

static void errors_say_what_and_where(void **state)
{
	(void)state;
	node_calls.sys = ENOSPC;
	node_calls.fail[NODE_WRITE] = 1;
	assert_int_equal(transfer(kernel_node_write), -1);
	assert_error(&err, ERR_NO_SPACE, "device at byte 0");
	node_calls.sys = EIO;
	node_calls.fail[NODE_READ] = node_calls.fail[NODE_SYNC] = 1;
	assert_int_equal(transfer(kernel_node_read), -1);
	assert_error(&err, ERR_SYSTEM, "read");
	assert_int_equal(err.sys, EIO);
	assert_int_equal(kernel_node_flush(&node, &err), -1);
	assert_error(&err, ERR_SYSTEM, "flush");
	node_calls_reset();
	assert_int_equal(truncate(path, PIECE), 0);
	assert_int_equal(transfer(kernel_node_read), -1);
	assert_error(&err, ERR_INCONSISTENT, "ends at byte 32768");
}

static void a_file_knows_no_discard(void **state)
{
	(void)state;
	assert_int_equal(kernel_node_discard(&node, 0, PIECE, &err), 1);
	assert_int_equal(node.counts.discards, 0);
}

static void what_cannot_be_opened_is_told(void **state)
{
	cleanup_free char *none = xasprintf("%s/none", dir);
	struct kernel_node other;

	(void)state;
	assert_int_equal(kernel_node_open(&other, none, false, 0, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "none");
	assert_int_equal(kernel_node_open(&other, dir, true, 0, &err), -1);
	assert_error(&err, ERR_SYSTEM, "open");
	assert_int_equal(kernel_node_open(&other, path, false, SIZE + 1, &err), -1);
	assert_error(&err, ERR_INCONSISTENT, "has 262144 bytes, 262145 are needed");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(transfers_are_whole_however_short_the_calls),
		CASE(a_signal_is_no_error),
		CASE(direct_io_may_be_refused_late),
		CASE(errors_say_what_and_where),
		CASE(a_file_knows_no_discard),
		CASE(what_cannot_be_opened_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
