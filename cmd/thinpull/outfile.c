/* SPDX-License-Identifier: Apache-2.0 */
/* A file without a name where the file system has that, else one with a temporary name. */
#include "cmd/thinpull/outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/base/fdio.h"
#include "pkg/base/interrupt.h"

#define OUTFILE_MODE	    0600 /* it holds /etc/shadow */
#define OUTFILE_ZEROS_BYTES (64 << 10)

/* Standard output takes holes when it is a plain file with nothing behind its position. */
static int open_stdout(struct outfile *f, struct error *err)
{
	struct stat st;
	off_t position;

	f->name = "standard output";
	f->is_stdout = true;
	if (isatty(STDOUT_FILENO))
		return error_set(err, ERR_USAGE,
				 "standard output is a terminal: redirect it, or use -o FILE");
	if (fstat(STDOUT_FILENO, &st) < 0)
		return error_sys(err, "%s", f->name);
	f->fd = STDOUT_FILENO;
	position = lseek(f->fd, 0, SEEK_CUR);
	f->sparse = S_ISREG(st.st_mode) && !(fcntl(f->fd, F_GETFL) & O_APPEND) && position >= 0
		    && position >= st.st_size;
	f->start = f->sparse ? (uint64_t)position : 0;
	return 0;
}

static char *folder_of(const char *path)
{
	cleanup_free char *copy = xstrdup(path);

	return xstrdup(dirname(copy));
}

/* A name beside the final one that nobody uses. */
static int temporary_name(struct outfile *f, struct error *err)
{
	cleanup_free char *folder = folder_of(f->path);
	uint64_t random;

	if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return error_sys(err, "random number");
	f->temporary = xasprintf("%s/.thinpull-%016llx", folder, (unsigned long long)random);
	return 0;
}

static int open_new(struct outfile *f, struct error *err)
{
	cleanup_free char *folder = folder_of(f->path);

	f->sparse = true;
	f->fd = open(folder, O_TMPFILE | O_WRONLY | O_CLOEXEC, OUTFILE_MODE);
	if (f->fd >= 0 && access("/proc/self/fd", X_OK) == 0)
		return 0;
	if (f->fd < 0 && errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT
	    && errno != EINVAL)
		return error_sys(err, "write %s", f->name);
	if (f->fd >= 0)
		close(steal_fd(&f->fd));
	if (temporary_name(f, err) < 0)
		return -1;
	f->fd = open(f->temporary, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, OUTFILE_MODE);
	if (f->fd < 0) {
		int sys = errno;

		/* It is not ours to remove. */
		free(steal(&f->temporary));
		errno = sys;
		return error_sys(err, "write %s", f->name);
	}
	return 0;
}

int outfile_open(const char *path, struct outfile *ret, struct error *err)
{
	struct outfile f = {.name = path, .fd = -1};
	struct stat st;
	int failed;

	if (strcmp(path, "-") == 0) {
		failed = open_stdout(&f, err);
	} else if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
		failed = error_set(err, ERR_USAGE, "%s is a folder", path);
	} else if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
		f.fd = open(path, O_WRONLY | O_CLOEXEC);
		failed = f.fd < 0 ? error_sys(err, "write %s", path) : 0;
	} else {
		f.path = realpath(path, NULL);
		if (!f.path)
			f.path = xstrdup(path);
		failed = open_new(&f, err);
	}
	if (failed) {
		outfile_close(&f);
		return -1;
	}
	*ret = f;
	return 0;
}

/*
 * A pipe may block for as long as its reader likes: a signal ends that. What was written before it
 * came is a short write, and only the next call would block again.
 */
static int write_stream(struct outfile *f, const void *data, size_t len, struct error *err)
{
	while (len) {
		ssize_t n;

		if (interrupt_check(err) < 0)
			return -1;
		n = write(f->fd, data, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_sys(err, "write %s", f->name);
		data = (const char *)data + n;
		len -= (size_t)n;
		f->start += (uint64_t)n;
	}
	return 0;
}

/* Where zeros must be written out, f->start counts what was written so far. */
static int fill(struct outfile *f, uint64_t end, struct error *err)
{
	static const char zeros[OUTFILE_ZEROS_BYTES];

	while (f->start < end) {
		uint64_t len = end - f->start;

		if (len > sizeof(zeros))
			len = sizeof(zeros);
		if (write_stream(f, zeros, (size_t)len, err) < 0)
			return -1;
	}
	return 0;
}

int outfile_write(struct outfile *f, const void *data, size_t len, uint64_t offset,
		  struct error *err)
{
	if (f->sparse)
		return fdio_pwrite(f->fd, data, len, f->start + offset, f->name, err);
	if (fill(f, offset, err) < 0)
		return -1;
	return write_stream(f, data, len, err);
}

static int give_name(struct outfile *f, struct error *err)
{
	cleanup_free char *folder = folder_of(f->path);
	char self[64];

	if (!f->temporary) {
		if (temporary_name(f, err) < 0)
			return -1;
		snprintf(self, sizeof(self), "/proc/self/fd/%d", f->fd);
		if (linkat(AT_FDCWD, self, AT_FDCWD, f->temporary, AT_SYMLINK_FOLLOW) < 0)
			return error_sys(err, "write %s", f->name);
	}
	if (rename(f->temporary, f->path) < 0)
		return error_sys(err, "write %s", f->name);
	free(steal(&f->temporary));
	return fdio_sync_dir(folder, err);
}

int outfile_commit(struct outfile *f, uint64_t size_bytes, struct error *err)
{
	if (!f->sparse)
		return fill(f, size_bytes, err);
	if (ftruncate(f->fd, (off_t)(f->start + size_bytes)) < 0)
		return error_sys(err, "write %s", f->name);
	if (f->is_stdout) {
		if (lseek(f->fd, (off_t)(f->start + size_bytes), SEEK_SET) < 0)
			return error_sys(err, "write %s", f->name);
		return 0;
	}
	if (fsync(f->fd) < 0)
		return error_sys(err, "write %s", f->name);
	return give_name(f, err);
}

uint64_t outfile_written(const struct outfile *f)
{
	struct stat st;

	if (!f->sparse)
		return f->start;
	return fstat(f->fd, &st) == 0 ? (uint64_t)st.st_blocks * 512 : 0;
}

void outfile_close(struct outfile *f)
{
	if (f->temporary)
		unlink(f->temporary);
	if (f->fd >= 0 && !f->is_stdout)
		close(f->fd);
	free(f->path);
	free(f->temporary);
	*f = (struct outfile){.fd = -1};
}
