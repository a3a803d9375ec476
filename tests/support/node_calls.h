/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For a test of what stands on a node, to be included by its main file and by no other: the calls
 * that read, write and sync it, under their own names, counted and refused. The linker takes these
 * before those of libc.
 */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum node_call { NODE_READ, NODE_WRITE, NODE_SYNC, NODE_CALLS };

static struct {
	uint64_t count[NODE_CALLS];
	/* The n-th call from now of a kind fails, and all after it of that kind unless `once`; 0 = never.
	 */
	uint64_t fail[NODE_CALLS];
	bool once;
	int sys;
	uint64_t failed;
	size_t most_bytes; /* of one transfer, 0 = all: what a signal would leave */
	/* Seen before each write. */
	void (*on_write)(const struct iovec *pieces, int n, uint64_t offset);
} node_calls;

static void node_calls_reset(void)
{
	memset(&node_calls, 0, sizeof(node_calls));
}

static bool node_refuses(enum node_call call)
{
	node_calls.count[call]++;
	if (node_calls.fail[call] == 0)
		return false;
	if (node_calls.fail[call] > 1) {
		node_calls.fail[call]--;
		return false;
	}
	if (node_calls.once)
		node_calls.fail[call] = 0;
	node_calls.failed++;
	errno = node_calls.sys ? node_calls.sys : EIO;
	return true;
}

static struct iovec node_piece(const struct iovec *pieces)
{
	struct iovec first = pieces[0];

	if (first.iov_len > node_calls.most_bytes)
		first.iov_len = node_calls.most_bytes;
	return first;
}

ssize_t preadv(int fd, const struct iovec *pieces, int n, off_t offset)
{
	if (node_refuses(NODE_READ))
		return -1;
	if (node_calls.most_bytes) {
		struct iovec first = node_piece(pieces);

		return pread(fd, first.iov_base, first.iov_len, offset);
	}
	return syscall(SYS_preadv, fd, pieces, n, offset, 0);
}

ssize_t pwritev(int fd, const struct iovec *pieces, int n, off_t offset)
{
	if (node_calls.on_write)
		node_calls.on_write(pieces, n, (uint64_t)offset);
	if (node_refuses(NODE_WRITE))
		return -1;
	if (node_calls.most_bytes) {
		struct iovec first = node_piece(pieces);

		return pwrite(fd, first.iov_base, first.iov_len, offset);
	}
	return syscall(SYS_pwritev, fd, pieces, n, offset, 0);
}

int fdatasync(int fd)
{
	if (node_refuses(NODE_SYNC))
		return -1;
	return (int)syscall(SYS_fdatasync, fd);
}
