/* SPDX-License-Identifier: Apache-2.0 */
/* Whole transfers and durable replacement; loops over what the system calls leave to do. */
#include "pkg/base/fdio.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"

int fdio_pread(int fd, void *buf, size_t len, uint64_t offset, const char *name, struct error *err)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = pread(fd, (char *)buf + done, len - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_sys(err, "read %s", name);
		if (n == 0)
			return error_set(err, ERR_INCONSISTENT,
					 "%s ends at byte %llu, %zu more expected", name,
					 (unsigned long long)(offset + done), len - done);
		done += (size_t)n;
	}
	return 0;
}

int fdio_pwrite(int fd, const void *buf, size_t len, uint64_t offset, const char *name,
		struct error *err)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n =
			pwrite(fd, (const char *)buf + done, len - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_sys(err, "write %s", name);
		done += (size_t)n;
	}
	return 0;
}

int fdio_write(int fd, const void *buf, size_t len, const char *name, struct error *err)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = write(fd, (const char *)buf + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_sys(err, "write %s", name);
		done += (size_t)n;
	}
	return 0;
}

static int make_folder(const char *path, struct error *err)
{
	struct stat st;

	if (mkdir(path, 0700) == 0)
		return 0;
	if (errno == EEXIST && stat(path, &st) == 0 && !S_ISDIR(st.st_mode))
		errno = ENOTDIR;
	return errno == EEXIST ? 0 : error_sys(err, "make folder %s", path);
}

static bool is_folder(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

int fdio_mkdirs(const char *path, struct error *err)
{
	cleanup_free char *copy = NULL;

	if (is_folder(path))
		return 0;
	copy = xstrdup(path);

	for (char *p = copy; *p; p++) {
		if (*p != '/' || p == copy)
			continue;
		*p = 0;
		if (make_folder(copy, err) < 0)
			return -1;
		*p = '/';
	}
	return make_folder(copy, err);
}

int fdio_sync_dir(const char *path, struct error *err)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return error_sys(err, "open folder %s", path);
	if (fsync(fd) < 0)
		return error_sys(err, "fsync folder %s", path);
	return 0;
}

static int write_and_sync(const char *path, const void *data, size_t len, struct error *err)
{
	cleanup_fd int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return error_sys(err, "create %s", path);
	if (fdio_write(fd, data, len, path, err) < 0)
		return -1;
	if (fsync(fd) < 0)
		return error_sys(err, "fsync %s", path);
	return 0;
}

int fdio_replace_file(const char *path, const void *data, size_t len, struct error *err)
{
	cleanup_free char *temporary = xasprintf("%s.tmp.%ld", path, (long)getpid());
	cleanup_free char *folder = xstrdup(path);
	char *slash = strrchr(folder, '/');

	if (write_and_sync(temporary, data, len, err) < 0) {
		unlink(temporary);
		return -1;
	}
	if (rename(temporary, path) < 0) {
		error_sys(err, "rename %s to %s", temporary, path);
		unlink(temporary);
		return -1;
	}
	if (slash)
		*slash = 0;
	return fdio_sync_dir(!slash ? "." : *folder ? folder : "/", err);
}

int fdio_open_regular(const char *path, int *ret_fd, uint64_t *ret_bytes, struct error *err)
{
	/* O_NONBLOCK: a FIFO put in the place of a file must not hang us. */
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;

	if (fd < 0 && errno == ENOENT)
		return error_set(err, ERR_NOT_FOUND, "%s: no such file", path);
	if (fd < 0 && errno == ELOOP)
		return error_set(err, ERR_INVALID, "%s is a symlink, a regular file is needed",
				 path);
	if (fd < 0)
		return error_sys(err, "open %s", path);
	if (fstat(fd, &st) < 0)
		return error_sys(err, "stat %s", path);
	if (!S_ISREG(st.st_mode))
		return error_set(err, ERR_INVALID, "%s is not a regular file", path);
	*ret_bytes = (uint64_t)st.st_size;
	*ret_fd = steal_fd(&fd);
	return 0;
}

int fdio_read_file(const char *path, size_t max, struct buffer *ret, struct error *err)
{
	cleanup_fd int fd = -1;
	uint64_t bytes;

	if (fdio_open_regular(path, &fd, &bytes, err) < 0)
		return -1;
	if (bytes > max)
		return error_set(err, ERR_INVALID, "%s has %llu bytes, at most %zu are allowed",
				 path, (unsigned long long)bytes, max);
	buffer_clear(ret);
	if (fdio_pread(fd, buffer_reserve(ret, (size_t)bytes), (size_t)bytes, 0, path, err) < 0)
		return -1;
	buffer_grew(ret, (size_t)bytes);
	return 0;
}

int fdio_open_nameless(const char *dir, int *ret_fd, struct error *err)
{
	cleanup_free char *path = NULL;
	int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0 && errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)
		return error_sys(err, "make a file in %s", dir);
	if (fd < 0) { /* O_TMPFILE is not known here */
		path = xasprintf("%s/nameless.XXXXXX", dir);
		fd = mkostemp(path, O_CLOEXEC);
		if (fd < 0)
			return error_sys(err, "make %s", path);
		unlink(path);
	}
	*ret_fd = fd;
	return 0;
}

int fdio_remove(const char *path, struct error *err)
{
	if (unlink(path) < 0 && errno != ENOENT)
		return error_sys(err, "remove %s", path);
	return 0;
}
