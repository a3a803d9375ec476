/* SPDX-License-Identifier: Apache-2.0 */
/* Makes the folder of a bundle, and takes back what was not finished. */
#include "oci/bundle_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/fdio.h"
#include "pkg/base/log.h"
#include "pkg/host/folder.h"

#define MARK ".thinpull-bundle"

struct bundle_dir {
	char *path, *rootfs;
	char *intent; /* NULL until all that is here is ours */
};

static char *inside(const char *dir, const char *name)
{
	return xasprintf("%s/%s", dir, name);
}

static void bundle_dir_free(struct bundle_dir *d)
{
	free(d->path);
	free(d->rootfs);
	free(d->intent);
	free(d);
}

/* --- taking back ------------------------------------------------------------------------------ */

/* Does the mark stand for this intent? Another bundle may be being made here. */
static bool is_marked(const char *mark, const char *intent)
{
	char target[PATH_MAX];
	ssize_t len = readlink(mark, target, sizeof(target));

	return len >= 0 && (size_t)len == strlen(intent) && !memcmp(target, intent, (size_t)len);
}

/* Its rootfs goes first: while that is in use the rest is needed. */
static int clear(const char *dir, const char *intent, const char *used, struct error *err)
{
	cleanup_free char *mark = inside(dir, MARK);
	cleanup_free char *config = inside(dir, "config.json");
	cleanup_free char *rootfs = inside(dir, "rootfs");

	if (!is_marked(mark, intent))
		return 0;
	if (used && strcmp(rootfs, used) == 0)
		return fdio_remove(mark, err);
	if (folder_remove(rootfs, err) < 0)
		return err->kind == ERR_BUSY ? fdio_remove(mark, err) : -1;
	if (fdio_remove(config, err) < 0)
		return -1;
	return fdio_remove(mark, err);
}

/* @target: of the intent. */
static int clear_target(char *target, const char *intent, const char *used, struct error *err)
{
	size_t len = strlen(target);
	bool was_there = len > 2 && strcmp(target + len - 2, "/.") == 0;

	if (was_there)
		target[len - 2] = '\0';
	if (clear(target, intent, used, err) < 0)
		return -1;
	/* A bundle that is finished is not empty, nor is what others have put something into. */
	if (!was_there && rmdir(target) < 0)
		log_debug("%s stays: %s", target, strerror(errno));
	return 0;
}

int bundle_dir_mend(const char *intent, const char *used, struct error *err)
{
	char target[PATH_MAX + 3];
	ssize_t len = readlink(intent, target, sizeof(target) - 1);

	if (len < 0 && errno == ENOENT)
		return 0;
	if (len < 0)
		return error_sys(err, "%s", intent);
	target[len] = '\0';
	if (clear_target(target, intent, used, err) < 0)
		return -1;
	return fdio_remove(intent, err);
}

void bundle_dir_abort(struct bundle_dir *d)
{
	struct error err = {0};

	if (d->intent && bundle_dir_mend(d->intent, NULL, &err) < 0)
		log_debug("%s stays: %s", d->path, err.cause);
	bundle_dir_free(d);
}

void bundle_dir_commit(struct bundle_dir **taken)
{
	struct bundle_dir *d = steal(taken);
	struct error err = {0};

	if (bundle_dir_mend(d->intent, d->rootfs, &err) < 0)
		log_debug("the mark in %s stays: %s", d->path, err.cause);
	bundle_dir_free(d);
}

/* --- making ----------------------------------------------------------------------------------- */

/* Absolute and without links, though its last name may not be there yet. @ret: owned. */
static int find_path(const char *path, char **ret, bool *ret_there, struct error *err)
{
	cleanup_free char *copy = NULL, *above = NULL;
	const char *name = path;
	char *slash;

	*ret = realpath(path, NULL);
	*ret_there = *ret != NULL;
	if (*ret)
		return 0;
	if (errno != ENOENT)
		return error_sys(err, "%s", path);
	copy = xstrdup(path);
	for (size_t n = strlen(copy); n > 1 && copy[n - 1] == '/'; n--)
		copy[n - 1] = '\0';
	slash = strrchr(copy, '/');
	name = slash ? slash + 1 : copy;
	if (slash)
		*slash = '\0';
	above = realpath(!slash ? "." : *copy ? copy : "/", NULL);
	if (!above)
		return error_sys(err, "%s", slash ? copy : ".");
	*ret = inside(strcmp(above, "/") == 0 ? "" : above, name);
	return 0;
}

static int check_free(const char *path, const char *name, struct error *err)
{
	cleanup_free char *full = inside(path, name);
	struct stat st;

	if (lstat(full, &st) == 0)
		return error_set(err, ERR_BUSY, "%s is there already", full);
	if (errno != ENOENT)
		return error_sys(err, "%s", full);
	return 0;
}

/* The programs of an image may be setuid; who can enter the folder can start them. */
static int check_folder(const char *path, struct error *err)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return error_sys(err, "%s", path);
	if (!S_ISDIR(st.st_mode))
		return error_set(err, ERR_INVALID, "%s is not a folder", path);
	if (st.st_mode & (S_IXGRP | S_IXOTH))
		log_warning("%s can be entered by others, and so can what is in the container",
			    path);
	if (check_free(path, "config.json", err) < 0)
		return -1;
	return check_free(path, "rootfs", err);
}

static int write_new(const char *path, const void *data, size_t len, struct error *err)
{
	cleanup_fd int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	if (fd < 0)
		return error_sys(err, "%s", path);
	if (fdio_write(fd, data, len, path, err) < 0)
		return -1;
	if (fsync(fd) < 0)
		return error_sys(err, "%s", path);
	return 0;
}

/* After an error nothing is there that was not before. */
static int take(const struct bundle_dir *d, const char *intent, bool was_there, struct error *err)
{
	cleanup_free char *mark = inside(d->path, MARK);

	if (!was_there && mkdir(d->path, 0700) < 0)
		return error_sys(err, "%s", d->path);
	if (symlink(intent, mark) == 0)
		return 0;
	error_sys(err, "%s", mark);
	if (err->sys == EEXIST)
		error_set(err, ERR_BUSY, "%s is there: another bundle is being made, or was", mark);
	if (!was_there)
		rmdir(d->path);
	return -1;
}

static int fill(const struct bundle_dir *d, const struct buffer *config, struct error *err)
{
	cleanup_free char *path = inside(d->path, "config.json");

	if (write_new(path, config->data, config->len, err) < 0)
		return -1;
	if (mkdir(d->rootfs, 0755) < 0)
		return error_sys(err, "%s", d->rootfs);
	return 0;
}

int bundle_dir_make(const char *path, const char *intent, const struct buffer *config,
		    struct bundle_dir **ret, struct error *err)
{
	cleanup(bundle_dir_abort_ptr) struct bundle_dir *d = xcalloc(1, sizeof(*d));
	cleanup_free char *target = NULL;
	bool was_there;

	if (find_path(path, &d->path, &was_there, err) < 0
	    || (was_there && check_folder(d->path, err) < 0))
		return -1;
	d->rootfs = inside(d->path, "rootfs");
	target = inside(d->path, ".");
	if (symlink(was_there ? target : d->path, intent) < 0)
		return error_sys(err, "%s", intent);
	if (take(d, intent, was_there, err) < 0) {
		unlink(intent);
		return -1;
	}
	d->intent = xstrdup(intent);
	if (fill(d, config, err) < 0)
		return -1;
	*ret = steal(&d);
	return 0;
}

const char *bundle_dir_path(const struct bundle_dir *d)
{
	return d->path;
}

const char *bundle_dir_rootfs(const struct bundle_dir *d)
{
	return d->rootfs;
}
