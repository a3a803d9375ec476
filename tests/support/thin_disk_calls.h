/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For a test with a thin_disk, to be included by its main file and by no other: the calls that
 * write, under their own names. The linker takes these before those of libc, for the engine too.
 */
#pragma once

#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/support/thin_disk.h"

ssize_t pwrite(int fd, const void *buf, size_t len, off_t offset)
{
	return thin_disk_pwrite(fd, buf, len, offset);
}

ssize_t pwritev(int fd, const struct iovec *vec, int n, off_t offset)
{
	return thin_disk_pwritev(fd, vec, n, offset);
}

int ftruncate(int fd, off_t length)
{
	return thin_disk_ftruncate(fd, length);
}

int fallocate(int fd, int mode, off_t offset, off_t len)
{
	return thin_disk_fallocate(fd, mode, offset, len);
}

int fdatasync(int fd)
{
	return thin_disk_sync(fd, SYS_fdatasync);
}

int fsync(int fd)
{
	return thin_disk_sync(fd, SYS_fsync);
}
