/* SPDX-License-Identifier: Apache-2.0 */
/* Loop devices, by /dev/loop-control and sysfs. Knows nothing of what is in the files. */
#include "pkg/host/loop.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"

enum {
	ATTACH_TRIES = 64, /* others may take the free device that we were told of */
	DETACH_TRIES = 200,
	DETACH_PAUSE_MS = 10,
};

/* Not allowed, or not there at all: nothing that another try would change. */
static int refused(struct error *err, const char *what)
{
	int sys = errno;

	error_sys(err, "%s", what);
	if (sys == EACCES || sys == EPERM || sys == ENOENT || sys == ENODEV || sys == ENXIO
	    || sys == ENOTTY || sys == EINVAL || sys == EOPNOTSUPP)
		err->kind = ERR_UNSUPPORTED;
	return -1;
}

static int open_control(int *ret, struct error *err)
{
	*ret = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	return *ret < 0 ? refused(err, "/dev/loop-control") : 0;
}

int loop_check(struct error *err)
{
	cleanup_fd int fd = -1;

	return open_control(&fd, err);
}

/* --- attach ----------------------------------------------------------------------------------- */

static int open_file(const char *file, enum loop_flags flags, int *ret, struct error *err)
{
	int mode = (flags & LOOP_READ_ONLY ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NOFOLLOW;

	/* So opened the device takes the sectors of the disk below, which direct I/O needs. */
	if (flags & LOOP_DIRECT) {
		*ret = open(file, mode | O_DIRECT);
		if (*ret >= 0 || errno != EINVAL)
			return *ret < 0 ? error_sys(err, "open %s", file) : 0;
	}
	*ret = open(file, mode);
	return *ret < 0 ? error_sys(err, "open %s", file) : 0;
}

/* A device that was free just now: 0, 1 = somebody else took it, -1. */
static int try_free_device(int control, int file_fd, enum loop_flags flags, int *ret_fd, char *path,
			   struct error *err)
{
	struct loop_config config = {.fd = (__u32)file_fd};
	cleanup_fd int fd = -1;
	int n = ioctl(control, LOOP_CTL_GET_FREE);

	if (n < 0)
		return refused(err, "find a free loop device");
	snprintf(path, LOOP_PATH_BYTES, "/dev/loop%d", n);
	fd = open(path, (flags & LOOP_READ_ONLY ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	if (fd < 0)
		return refused(err, path);
	config.info.lo_flags = (flags & LOOP_READ_ONLY ? LO_FLAGS_READ_ONLY : 0U)
			       | (flags & LOOP_AUTOCLEAR ? LO_FLAGS_AUTOCLEAR : 0U)
			       | (flags & LOOP_DIRECT ? LO_FLAGS_DIRECT_IO : 0U);
	if (ioctl(fd, LOOP_CONFIGURE, &config) < 0)
		return errno == EBUSY ? 1 : refused(err, path);
	*ret_fd = steal_fd(&fd);
	return 0;
}

int loop_attach(const char *file, enum loop_flags flags, int *ret_fd, char *path, struct error *err)
{
	cleanup_fd int control = -1, file_fd = -1;
	int status = 1;

	if (open_file(file, flags, &file_fd, err) < 0 || open_control(&control, err) < 0)
		return -1;
	for (unsigned tries = 0; status == 1 && tries < ATTACH_TRIES; tries++)
		status = try_free_device(control, file_fd, flags, ret_fd, path, err);
	if (status == 1)
		return error_set(err, ERR_BUSY, "no loop device stays free long enough");
	return status;
}

/* --- find ------------------------------------------------------------------------------------- */

/* Does the device say so itself? 1, 0, or -1: it cannot be asked. */
static int asked_directly(const char *device, const struct stat *file)
{
	cleanup_fd int fd = open(device, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct loop_info64 info = {0};

	if (fd < 0 || ioctl(fd, LOOP_GET_STATUS64, &info) < 0)
		return -1;
	return info.lo_device == file->st_dev && info.lo_inode == file->st_ino;
}

/* The name that the kernel has for the file of an attached device; owned, or NULL. */
static char *backing_file(const char *name)
{
	cleanup_free char *path = xasprintf("/sys/block/%s/loop/backing_file", name);
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	char file[4097];
	ssize_t n = fd < 0 ? -1 : read(fd, file, sizeof(file) - 1);

	if (n <= 0)
		return NULL;
	file[n] = 0;
	file[strcspn(file, "\n")] = 0;
	return xstrdup(file);
}

static bool is_same_file(const char *path, const struct stat *file)
{
	struct stat st;

	return stat(path, &st) == 0 && st.st_dev == file->st_dev && st.st_ino == file->st_ino;
}

static bool stands_on(const char *name, const struct stat *file)
{
	cleanup_free char *device = xasprintf("/dev/%s", name);
	cleanup_free char *backing = backing_file(name);
	int asked;

	if (!backing)
		return false; /* not attached */
	asked = asked_directly(device, file);
	/* Who may not open devices goes by the name. */
	return asked < 0 ? is_same_file(backing, file) : asked > 0;
}

/* The next loop device of sysfs, attached or not. */
static const char *next_name(DIR *dir)
{
	struct dirent *entry;

	while ((entry = readdir(dir)))
		if (strncmp(entry->d_name, "loop", 4) == 0
		    && strlen(entry->d_name) <= LOOP_PATH_BYTES - sizeof("/dev/"))
			return entry->d_name;
	return NULL;
}

static void device_path(const char *name, char *path)
{
	snprintf(path, LOOP_PATH_BYTES, "/dev/%.*s", LOOP_PATH_BYTES - (int)sizeof("/dev/"), name);
}

int loop_find(const char *file, char *path, struct error *err)
{
	const char *name;
	struct stat st;
	int status = 1;
	DIR *dir;

	if (stat(file, &st) < 0)
		return errno == ENOENT ? 1 : error_sys(err, "stat %s", file);
	dir = opendir("/sys/block");
	if (!dir)
		return 1; /* no sysfs here, then nothing can be told */
	while (status == 1 && (name = next_name(dir))) {
		if (!stands_on(name, &st))
			continue;
		device_path(name, path);
		status = 0;
	}
	closedir(dir);
	return status;
}

static const char *name_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

char *loop_file(const char *path)
{
	return backing_file(name_of(path));
}

int loop_is_on(const char *path, const char *file)
{
	cleanup_free char *backing = loop_file(path);
	struct stat st;

	if (!backing || stat(file, &st) < 0)
		return -1;
	/* Its name may mean another file here than where it was attached. */
	return is_same_file(backing, &st) ? 1 : asked_directly(path, &st);
}

void loop_list_release(struct loop_list *l)
{
	free(l->paths);
	*l = (struct loop_list){0};
}

int loop_find_in(const char *folder, struct loop_list *ret, struct error *err)
{
	cleanup_free char *real = realpath(folder, NULL);
	size_t len, room = 0;
	const char *name;
	DIR *dir;

	if (!real)
		return error_sys(err, "%s", folder);
	len = strlen(real);
	*ret = (struct loop_list){0};
	dir = opendir("/sys/block");
	while (dir && (name = next_name(dir))) {
		cleanup_free char *file = backing_file(name);

		if (!file || strncmp(file, real, len) != 0 || file[len] != '/')
			continue;
		ALLOC_GROW(ret->paths, ret->n + 1, room);
		device_path(name, ret->paths[ret->n++]);
	}
	if (dir)
		closedir(dir);
	return 0;
}

int loop_check_whole(const char *path, struct error *err)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct loop_info64 info = {0};

	if (fd < 0)
		return refused(err, path);
	if (ioctl(fd, LOOP_GET_STATUS64, &info) < 0)
		return error_sys(err, "%s", path);
	if (info.lo_offset || info.lo_sizelimit || info.lo_flags & LO_FLAGS_READ_ONLY)
		return error_set(err, ERR_BUSY, "%s has only a part of its file, or only to read",
				 path);
	return 0;
}

int loop_resize(const char *path, struct error *err)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return refused(err, path);
	return ioctl(fd, LOOP_SET_CAPACITY, 0) < 0 ? error_sys(err, "resize %s", path) : 0;
}

/* --- let go ----------------------------------------------------------------------------------- */

/*
 * Who has a device may be about to let go: a program that looks at each new one, a process that was
 * killed, with its mounts. False: that was long enough.
 */
static bool wait_for_others(unsigned *tries)
{
	struct timespec pause = {.tv_nsec = DETACH_PAUSE_MS * 1000000};

	if (++*tries >= DETACH_TRIES)
		return false;
	nanosleep(&pause, NULL);
	return true;
}

static int in_use(const char *path, struct error *err)
{
	return error_set(err, ERR_BUSY, "%s is in use", path);
}

/* 1 = attached, 0 = not, -1. */
static int is_attached(int fd, const char *path, struct loop_info64 *ret, struct error *err)
{
	if (ioctl(fd, LOOP_GET_STATUS64, ret) == 0)
		return 1;
	return errno == ENXIO ? 0 : error_sys(err, "%s", path);
}

static bool is_same(const struct loop_info64 *a, const struct loop_info64 *b)
{
	return a->lo_device == b->lo_device && a->lo_inode == b->lo_inode;
}

/* Told to go with its last user, it is still there: it has one. It is to stay then, as it was. */
static int keep(const char *path, const struct loop_info64 *before, struct error *err)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct loop_info64 now = {0};

	if (fd >= 0 && is_attached(fd, path, &now, err) == 1 && is_same(&now, before)) {
		now.lo_flags = before->lo_flags;
		(void)!ioctl(fd, LOOP_SET_STATUS64, &now);
	}
	return in_use(path, err);
}

/* 1 = gone, 0 = still there, -1. */
static int has_gone(const char *path, const struct loop_info64 *before, struct error *err)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct loop_info64 now = {0};
	int attached;

	if (fd < 0)
		return error_sys(err, "open %s", path);
	attached = is_attached(fd, path, &now, err);
	return attached < 0 ? -1 : !attached || !is_same(&now, before);
}

/* Clearing one that others have open only marks it, with success: look until it has gone. */
static int wait_until_gone(const char *path, const struct loop_info64 *before, unsigned *tries,
			   struct error *err)
{
	int gone;

	do
		gone = has_gone(path, before, err);
	while (gone == 0 && wait_for_others(tries));
	if (gone < 0)
		return -1;
	return gone ? 0 : keep(path, before, err);
}

/* O_EXCL: a file system that is mounted, in whatever namespace, has it so. */
static int open_unused(const char *path, unsigned *tries, int *ret, struct error *err)
{
	do
		*ret = open(path, O_RDONLY | O_CLOEXEC | O_EXCL);
	while (*ret < 0 && errno == EBUSY && wait_for_others(tries));
	if (*ret >= 0)
		return 0;
	return errno == EBUSY ? in_use(path, err) : refused(err, path);
}

int loop_detach(const char *path, struct error *err)
{
	cleanup_fd int fd = -1;
	struct loop_info64 before = {0};
	unsigned tries = 0;
	int attached;

	if (open_unused(path, &tries, &fd, err) < 0)
		return -1;
	attached = is_attached(fd, path, &before, err);
	if (attached <= 0)
		return attached;
	if (ioctl(fd, LOOP_CLR_FD) < 0 && errno != ENXIO)
		return errno == EBUSY ? in_use(path, err) : refused(err, path);
	close(steal_fd(&fd));
	return wait_until_gone(path, &before, &tries, err);
}

bool loop_wait_gone(const char *file)
{
	static const struct timespec pause = {.tv_nsec = DETACH_PAUSE_MS * 1000000};
	char path[LOOP_PATH_BYTES];
	struct error ignored = {0};

	for (unsigned i = 0; i < DETACH_TRIES; i++) {
		if (i)
			nanosleep(&pause, NULL);
		if (loop_find(file, path, &ignored) != 0)
			return true;
	}
	return false;
}

int loop_flush(const char *path, struct error *err)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return refused(err, path);
	return fsync(fd) < 0 ? error_sys(err, "fsync %s", path) : 0;
}
