/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Folders by descriptor, one at a time: the way down is by name, the way up by "..", which must
 * lead to where we came from. So neither depth nor the length of a path is bounded by anything but
 * memory.
 */
#include "pkg/host/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/buffer.h"
#include "pkg/base/cleanup.h"

int folder_open_at(int dir, const char *path, int flags, int *ret, struct error *err)
{
	struct open_how how = {
		.flags = (unsigned)(flags | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC),
		.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
	};
	int fd;

	if (strcmp(path, "..") != 0)
		how.resolve |= RESOLVE_BENEATH;
	fd = (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));
	if (fd >= 0) {
		*ret = fd;
		return 0;
	}
	error_sys(err, "open folder %s", path);
	if (err->sys == EXDEV)
		return error_set(err, ERR_BUSY, "something is mounted at %.200s", path);
	if (err->sys == ENOSYS)
		err->kind = ERR_UNSUPPORTED;
	return -1;
}

/* --- removing --------------------------------------------------------------------------------- */

/* A folder on the way down. */
struct level {
	dev_t device;
	ino_t inode;
	struct buffer names; /* of folders in it that are not empty, each with its NUL */
	size_t next;	     /* of these */
	const char *name;    /* the one we are in */
	size_t path_len;     /* of the folder itself */
};

struct removal {
	struct level *levels; /* the first is the parent of what goes */
	size_t depth, room;
	int fd;		    /* of the innermost */
	struct buffer path; /* for errors */
};

static void removal_release(struct removal *r)
{
	while (r->depth > 0)
		buffer_release(&r->levels[--r->depth].names);
	free(r->levels);
	buffer_release(&r->path);
	if (r->fd >= 0)
		close(r->fd);
}

static const char *slash_of(const struct removal *r)
{
	return r->path.len == 0 || r->path.data[r->path.len - 1] == '/' ? "" : "/";
}

static int in_path(const struct removal *r, const char *name, struct error *err)
{
	return error_wrap(err, "%s%s%s", (const char *)r->path.data, name ? slash_of(r) : "",
			  name ? name : "");
}

static int remove_failed(const struct removal *r, const char *name, struct error *err)
{
	error_sys(err, "remove");
	if (err->sys == EBUSY) /* a mount point */
		err->kind = ERR_BUSY;
	return in_path(r, name, err);
}

/* 0, 1 = a folder that is not empty, -1. */
static int remove_name(const struct removal *r, const char *name, bool is_folder, struct error *err)
{
	if (!is_folder) {
		if (unlinkat(r->fd, name, 0) == 0 || errno == ENOENT)
			return 0;
		if (errno != EISDIR)
			return remove_failed(r, name, err);
	}
	if (unlinkat(r->fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	if (errno == ENOTEMPTY || errno == EEXIST)
		return 1;
	return remove_failed(r, name, err);
}

/* Remove what can be removed at once, note the folders that can not. */
static int scan(struct removal *r, struct error *err)
{
	struct level *l = &r->levels[r->depth - 1];
	int copy = fcntl(r->fd, F_DUPFD_CLOEXEC, 0), rc = 0;
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	const struct dirent *e;

	if (!dir) {
		error_sys(err, "read folder");
		if (copy >= 0)
			close(copy);
		return in_path(r, NULL, err);
	}
	while (errno = 0, rc >= 0 && (e = readdir(dir))) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		rc = remove_name(r, e->d_name, e->d_type == DT_DIR, err);
		if (rc == 1)
			buffer_add(&l->names, e->d_name, strlen(e->d_name) + 1);
	}
	if (rc >= 0 && errno) {
		error_sys(err, "read folder");
		rc = in_path(r, NULL, err);
	}
	closedir(dir);
	return rc < 0 ? -1 : 0;
}

/* Give the owner, if that is us, what he needs to empty a folder that he may not even read. */
static int make_readable(const struct removal *r, const char *name, struct error *err)
{
	cleanup_fd int fd = -1;
	char path[64];
	struct stat st;

	if (folder_open_at(r->fd, name, O_PATH, &fd, err) < 0)
		return -1;
	if (fstat(fd, &st) < 0)
		return error_sys(err, "stat folder %s", name);
	if (st.st_uid != geteuid())
		return error_set(err, ERR_SYSTEM, "open folder %s: %s", name, strerror(EACCES));
	/* fchmod(2) takes no O_PATH; this is the folder and not what has its name now */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (chmod(path, 0700) < 0)
		return error_sys(err, "make folder %s readable", name);
	return 0;
}

static int open_for_removal(const struct removal *r, const char *name, int *ret,
			    struct stat *ret_st, struct error *err)
{
	cleanup_fd int fd = -1;

	if (folder_open_at(r->fd, name, O_RDONLY, &fd, err) < 0) {
		if (err->sys != EACCES || make_readable(r, name, err) < 0)
			return -1;
		if (folder_open_at(r->fd, name, O_RDONLY, &fd, err) < 0)
			return -1;
	}
	if (fstat(fd, ret_st) < 0)
		return error_sys(err, "stat folder %s", name);
	/* where it is not ours, removing will say what it lacks */
	if ((ret_st->st_mode & 0700) != 0700 && ret_st->st_uid == geteuid() && fchmod(fd, 0700) < 0)
		return error_sys(err, "make folder %s writable", name);
	*ret = steal_fd(&fd);
	return 0;
}

static void push(struct removal *r, int fd, const struct stat *st)
{
	if (r->fd >= 0)
		close(r->fd);
	r->fd = fd;
	ALLOC_GROW(r->levels, r->depth + 1, r->room);
	r->levels[r->depth++] =
		(struct level){.device = st->st_dev, .inode = st->st_ino, .path_len = r->path.len};
}

static int descend(struct removal *r, struct error *err)
{
	struct level *l = &r->levels[r->depth - 1];
	struct stat st;
	int fd = -1;

	l->name = (const char *)l->names.data + l->next;
	l->next += strlen(l->name) + 1;
	if (open_for_removal(r, l->name, &fd, &st, err) < 0)
		return in_path(r, NULL, err);
	buffer_printf(&r->path, "%s%s", slash_of(r), l->name);
	push(r, fd, &st);
	return scan(r, err);
}

/* Back to where descend() was called, and the folder, now empty, goes. */
static int ascend(struct removal *r, struct error *err)
{
	struct level *l = &r->levels[r->depth - 2];
	cleanup_fd int fd = -1;
	struct stat st;

	if (folder_open_at(r->fd, "..", O_PATH, &fd, err) < 0)
		return in_path(r, NULL, err);
	if (fstat(fd, &st) < 0 || st.st_dev != l->device || st.st_ino != l->inode) {
		error_set(err, ERR_BUSY, "moved while it was being removed");
		return in_path(r, NULL, err);
	}
	if (unlinkat(fd, l->name, AT_REMOVEDIR) < 0)
		return remove_failed(r, NULL, err);
	buffer_release(&r->levels[--r->depth].names);
	r->path.len = l->path_len;
	r->path.data[r->path.len] = '\0';
	close(r->fd);
	r->fd = steal_fd(&fd);
	return 0;
}

static int remove_all(struct removal *r, struct error *err)
{
	for (;;) {
		const struct level *l = &r->levels[r->depth - 1];

		if (l->next < l->names.len) {
			if (descend(r, err) < 0)
				return -1;
		} else if (r->depth == 1) {
			return 0;
		} else if (ascend(r, err) < 0) {
			return -1;
		}
	}
}

/* Split into the folder above and a name that means something in it. */
static int split(const char *path, char **ret_above, char **ret_name, struct error *err)
{
	size_t len = strlen(path), start;

	while (len > 1 && path[len - 1] == '/')
		len--;
	for (start = len; start > 0 && path[start - 1] != '/'; start--)
		;
	*ret_name = xstrndup(path + start, len - start);
	*ret_above = start ? xstrndup(path, start) : xstrdup(".");
	if (!**ret_name || strcmp(*ret_name, ".") == 0 || strcmp(*ret_name, "..") == 0)
		return error_set(err, ERR_INVALID, "'%s' does not name a folder in another one",
				 path);
	return 0;
}

int folder_remove(const char *path, struct error *err)
{
	cleanup(removal_release) struct removal r = {.fd = -1};
	cleanup_free char *above = NULL, *name = NULL;
	struct stat st;
	int fd, rc;

	if (split(path, &above, &name, err) < 0)
		return -1;
	fd = open(above, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || fstat(fd, &st) < 0) {
		error_sys(err, "open folder %s", above);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	buffer_add(&r.path, above, strcmp(above, ".") == 0 ? 0 : strlen(above));
	push(&r, fd, &st);
	if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : error_sys(err, "stat %s", path);
	if (!S_ISDIR(st.st_mode))
		return error_set(err, ERR_INVALID, "%s is not a folder", path);
	rc = remove_name(&r, name, true, err);
	if (rc == 1) {
		buffer_add(&r.levels[0].names, name, strlen(name) + 1);
		rc = remove_all(&r, err);
	}
	return rc;
}
