/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loaded into the program with LD_PRELOAD, it counts the calls that change files, folders, mounts,
 * loop devices and device-mapper's, and makes the one with a given number fail or be the last thing the process
 * does, so that every point of an operation can be tried, not only those a clock hits.
 *
 *   FAULT_AT=N       the N-th call, from 1
 *   FAULT=kill       the process ends by SIGKILL before that call; half of a write is done first
 *   FAULT=term       the process is told to end by SIGTERM before that call
 *   FAULT=enospc     that call and all later ones that need space fail: the disk is full
 *   FAULT=eio        only that call fails
 *   FAULT_COUNT=F    at the end, the number of calls is written to file F
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum mode { FAULT_NONE, FAULT_KILL, FAULT_TERM, FAULT_ENOSPC, FAULT_EIO };

static atomic_long calls;
static enum mode mode;
static long at = -1;

/* The function of this name that would have been called. */
static void *next(const char *name)
{
	void *found = dlsym(RTLD_NEXT, name);

	if (!found)
		abort();
	return found;
}

__attribute__((constructor)) static void start(void)
{
	const char *how = getenv("FAULT"), *when = getenv("FAULT_AT");

	at = when ? strtol(when, NULL, 10) : -1;
	if (how && strcmp(how, "kill") == 0)
		mode = FAULT_KILL;
	else if (how && strcmp(how, "term") == 0)
		mode = FAULT_TERM;
	else if (how && strcmp(how, "enospc") == 0)
		mode = FAULT_ENOSPC;
	else if (how && strcmp(how, "eio") == 0)
		mode = FAULT_EIO;
}

__attribute__((destructor)) static void end(void)
{
	const char *path = getenv("FAULT_COUNT");
	FILE *f = path ? fopen(path, "w") : NULL;

	if (!f)
		return;
	fprintf(f, "%ld\n", atomic_load(&calls));
	fclose(f);
}

static _Noreturn void die(void)
{
	kill(getpid(), SIGKILL);
	/* The first process of a PID namespace is not let do that from inside. */
	_exit(128 + SIGKILL);
}

/* Count a call; true when it must fail, errno is set. */
static int faulty(int needs_space)
{
	long n = atomic_fetch_add(&calls, 1) + 1;

	if (mode == FAULT_ENOSPC && at > 0 && n >= at && needs_space) {
		errno = ENOSPC;
		return 1;
	}
	if (n != at)
		return 0;
	if (mode == FAULT_KILL)
		die();
	if (mode == FAULT_TERM)
		kill(getpid(), SIGTERM);
	if (mode != FAULT_EIO)
		return 0;
	errno = EIO;
	return 1;
}

/* What is not a file (a socket, the terminal) is left alone. */
static int is_file(int fd)
{
	return lseek(fd, 0, SEEK_CUR) >= 0;
}

typedef ssize_t write_fn(int fd, const void *buf, size_t len);
typedef ssize_t pwrite_fn(int fd, const void *buf, size_t len, off_t offset);
typedef ssize_t pwritev_fn(int fd, const struct iovec *iov, int n, off_t offset);
typedef int fd_fn(int fd);
typedef int fd_off_fn(int fd, off_t len);
typedef int fallocate_fn(int fd, int how, off_t offset, off_t len);
typedef int path_fn(const char *path);
typedef int paths_fn(const char *from, const char *to);
typedef int mode_fn(const char *path, mode_t how);
typedef int mknod_fn(const char *path, mode_t how, dev_t device);
typedef int ioctl_fn(int fd, unsigned long request, void *argument);
typedef int mount_fn(const char *from, const char *on, const char *type, unsigned long flags,
		     const void *data);
typedef int umount_fn(const char *path, int flags);

ssize_t write(int fd, const void *buf, size_t len)
{
	write_fn *real = (write_fn *)next("write");

	if (fd <= 2 || !is_file(fd))
		return real(fd, buf, len);
	if (mode == FAULT_KILL && atomic_load(&calls) + 1 == at && len > 1)
		(void)!real(fd, buf, len / 2);
	return faulty(1) ? -1 : real(fd, buf, len);
}

ssize_t pwrite64(int fd, const void *buf, size_t len, off_t offset)
{
	pwrite_fn *real = (pwrite_fn *)next("pwrite64");

	if (mode == FAULT_KILL && atomic_load(&calls) + 1 == at && len > 1)
		(void)!real(fd, buf, len / 2, offset);
	return faulty(1) ? -1 : real(fd, buf, len, offset);
}

ssize_t pwritev64(int fd, const struct iovec *iov, int n, off_t offset)
{
	return faulty(1) ? -1 : ((pwritev_fn *)next("pwritev64"))(fd, iov, n, offset);
}

int ftruncate64(int fd, off_t len)
{
	return faulty(0) ? -1 : ((fd_off_fn *)next("ftruncate64"))(fd, len);
}

int fallocate64(int fd, int how, off_t offset, off_t len)
{
	return faulty(0) ? -1 : ((fallocate_fn *)next("fallocate64"))(fd, how, offset, len);
}

int fsync(int fd)
{
	return faulty(0) ? -1 : ((fd_fn *)next("fsync"))(fd);
}

int fdatasync(int fd)
{
	return faulty(0) ? -1 : ((fd_fn *)next("fdatasync"))(fd);
}

int rename(const char *from, const char *to)
{
	return faulty(0) ? -1 : ((paths_fn *)next("rename"))(from, to);
}

int link(const char *from, const char *to)
{
	return faulty(0) ? -1 : ((paths_fn *)next("link"))(from, to);
}

int symlink(const char *target, const char *path)
{
	return faulty(1) ? -1 : ((paths_fn *)next("symlink"))(target, path);
}

int unlink(const char *path)
{
	return faulty(0) ? -1 : ((path_fn *)next("unlink"))(path);
}

/* One that is there already changes nothing. */
int mkdir(const char *path, mode_t how)
{
	return access(path, F_OK) < 0 && faulty(0) ? -1 : ((mode_fn *)next("mkdir"))(path, how);
}

/* A device's node. */
int mknod(const char *path, mode_t how, dev_t device)
{
	return faulty(0) ? -1 : ((mknod_fn *)next("mknod"))(path, how, device);
}

int rmdir(const char *path)
{
	return faulty(0) ? -1 : ((path_fn *)next("rmdir"))(path);
}

/* Of device-mapper's, those that change something. */
static int changes_devices(unsigned long request)
{
	switch (request) {
	case DM_DEV_CREATE:
	case DM_DEV_REMOVE:
	case DM_DEV_RENAME:
	case DM_DEV_SUSPEND:
	case DM_TABLE_LOAD:
	case DM_TABLE_CLEAR:
	case DM_TARGET_MSG:
		return 1;
	default:
		return 0;
	}
}

/* Of block devices and files: those that attach one to the other, let it go, or make holes. */
static int changes_blocks(unsigned long request)
{
	switch (request) {
	case LOOP_CONFIGURE:
	case LOOP_CLR_FD:
	case LOOP_SET_CAPACITY:
	case BLKDISCARD:
	case BLKZEROOUT:
		return 1;
	default:
		return 0;
	}
}

int ioctl(int fd, unsigned long request, ...)
{
	void *argument;
	va_list ap;

	va_start(ap, request);
	argument = va_arg(ap, void *);
	va_end(ap);
	if ((request == FICLONERANGE && faulty(1))
	    || ((changes_devices(request) || changes_blocks(request)) && faulty(0)))
		return -1;
	return ((ioctl_fn *)next("ioctl"))(fd, request, argument);
}

int mount(const char *from, const char *on, const char *type, unsigned long flags, const void *data)
{
	return faulty(0) ? -1 : ((mount_fn *)next("mount"))(from, on, type, flags, data);
}

int umount2(const char *path, int flags)
{
	return faulty(0) ? -1 : ((umount_fn *)next("umount2"))(path, flags);
}
