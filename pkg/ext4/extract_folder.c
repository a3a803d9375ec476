/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Folders of an extraction. Down by name, up by "..", which must lead to where we came from; back
 * to a place behind us by its chain of names, in pieces shorter than PATH_MAX. A folder is 0700
 * while things are made in it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/ext4/extract_internal.h"
#include "pkg/host/folder.h"

enum { PIECE_BYTES = 4000 };

/* Names kept for hard links and late modes; a guest could fill a large volume with nothing else. */
static const size_t NAMES_BYTES_MAX = 1ULL << 30;

int extract_count_name(struct extract *x, size_t bytes, struct error *err)
{
	x->names_bytes += bytes;
	if (x->names_bytes > NAMES_BYTES_MAX)
		return error_set(err, ERR_UNSUPPORTED, "too many hard links to remember");
	return 0;
}

/* --- places ----------------------------------------------------------------------------------- */

static struct extract_folder *folder_new(struct extract_folder *parent, const char *name)
{
	size_t len = strlen(name);
	struct extract_folder *f = xmalloc(sizeof(*f) + len + 1);

	*f = (struct extract_folder){.parent = parent, .refs = 1, .name_len = len};
	memcpy(f->name, name, len + 1);
	if (parent)
		extract_folder_hold(parent);
	return f;
}

struct extract_folder *extract_folder_hold(struct extract_folder *folder)
{
	folder->refs++;
	return folder;
}

void extract_folder_drop(struct extract *x, struct extract_folder *folder)
{
	while (folder && --folder->refs == 0) {
		struct extract_folder *parent = folder->parent;

		x->names_bytes -= sizeof(*folder) + folder->name_len;
		free(folder);
		folder = parent;
	}
}

/* "a/b/c", "" for the top. */
static char *chain(const struct extract_folder *folder)
{
	size_t len = 0;
	char *path;

	for (const struct extract_folder *f = folder; f->parent; f = f->parent)
		len += f->name_len + 1;
	path = xmalloc(len + 1);
	path[len ? len - 1 : 0] = '\0';
	for (const struct extract_folder *f = folder; f->parent; f = f->parent) {
		len -= f->name_len + 1;
		memcpy(path + len, f->name, f->name_len);
		if (len > 0)
			path[len - 1] = '/';
	}
	return path;
}

char *extract_folder_path(const struct extract_folder *folder)
{
	return folder->parent ? chain(folder) : xstrdup("/");
}

static int folder_error(const struct extract_folder *folder, struct error *err)
{
	cleanup_free char *path = extract_folder_path(folder);

	return error_wrap(err, "folder %s", path);
}

int extract_folder_open(struct extract *x, const struct extract_folder *folder, int flags, int *ret,
			struct error *err)
{
	cleanup_free char *path = chain(folder);
	cleanup_fd int at = -1;
	char *rest = path;
	int next;

	while (strlen(rest) >= PIECE_BYTES) {
		char *end = memrchr(rest, '/', PIECE_BYTES); /* names are shorter than that */

		*end = '\0';
		if (folder_open_at(at < 0 ? x->top : at, rest, O_PATH, &next, err) < 0)
			return -1;
		if (at >= 0)
			close(at);
		at = next;
		rest = end + 1;
	}
	return folder_open_at(at < 0 ? x->top : at, *rest ? rest : ".", flags, ret, err);
}

/* --- down and up ------------------------------------------------------------------------------ */

/* @folder: taken.   @fd: taken. */
static int go_in(struct extract *x, struct extract_folder *folder, int fd, size_t path_len,
		 const struct ext4_stat *st, struct error *err)
{
	struct stat host;

	if (x->fd >= 0)
		close(x->fd);
	x->fd = fd;
	ALLOC_GROW(x->levels, x->depth + 1, x->levels_room);
	x->levels[x->depth++] =
		(struct extract_level){.folder = folder, .path_len = path_len, .meta = st->meta};
	if (fstat(fd, &host) < 0)
		return error_sys(err, "stat the folder");
	extract_level(x)->device = host.st_dev;
	extract_level(x)->inode = host.st_ino;
	if (extract_count_name(x, sizeof(*folder) + folder->name_len, err) < 0)
		return -1;
	return extract_xattrs(x, st->inode, fd, err);
}

int extract_folder_top(struct extract *x, const struct ext4_stat *st, struct error *err)
{
	int fd;

	if (!S_ISDIR(st->meta.mode))
		return error_set(err, ERR_INCONSISTENT, "the root is not a directory");
	if (folder_open_at(x->top, ".", O_RDONLY, &fd, err) < 0)
		return -1;
	/* an ACL would be handed down to everything, a setgid bit too */
	fremovexattr(fd, "system.posix_acl_default");
	fremovexattr(fd, "system.posix_acl_access");
	if (fchmod(fd, 0700) < 0) {
		error_sys(err, "set the mode of the folder");
		close(fd);
		return -1;
	}
	return go_in(x, folder_new(NULL, ""), fd, 0, st, err);
}

int extract_folder_make(struct extract *x, const char *name, const struct ext4_stat *st,
			struct error *err)
{
	struct extract_folder *parent = extract_level(x)->folder;
	int fd;

	if (mkdirat(x->fd, name, 0700) < 0)
		return extract_refused(err, "make a folder");
	if (folder_open_at(x->fd, name, O_RDONLY, &fd, err) < 0)
		return -1;
	return go_in(x, folder_new(parent, name), fd, strlen(x->path), st, err);
}

/* The parent, which must be the one that the folder was made in. */
static int open_parent(struct extract *x, int *ret, struct error *err)
{
	const struct extract_level *above = &x->levels[x->depth - 2];
	cleanup_fd int fd = -1;
	struct stat host;

	if (folder_open_at(x->fd, "..", O_RDONLY, &fd, err) < 0)
		return -1;
	if (fstat(fd, &host) < 0)
		return error_sys(err, "stat the folder above");
	if (host.st_dev != above->device || host.st_ino != above->inode)
		return error_set(err, ERR_BUSY, "moved by somebody else");
	*ret = steal_fd(&fd);
	return 0;
}

/* Where the owner may not enter, hard links could not be made from what is below. */
static int set_mode_or_defer(struct extract *x, const struct extract_level *l, struct error *err)
{
	if (l->meta.mode & S_IXUSR)
		return extract_mode(x, x->fd, l->meta.mode, err);
	ALLOC_GROW(x->late, x->n_late + 1, x->late_room);
	x->late[x->n_late++] = (struct extract_late){.folder = extract_folder_hold(l->folder),
						     .mode = l->meta.mode};
	return 0;
}

static int leave(struct extract *x, struct error *err)
{
	const struct extract_level *l = extract_level(x);
	int up = -1;

	if (x->depth > 1 && open_parent(x, &up, err) < 0)
		return -1;
	if (extract_times(x->fd, &l->meta, err) < 0 || set_mode_or_defer(x, l, err) < 0) {
		if (up >= 0)
			close(up);
		return -1;
	}
	close(x->fd);
	x->fd = up;
	x->depth--;
	extract_folder_drop(x, l->folder);
	return 0;
}

int extract_folder_leave(struct extract *x, struct error *err)
{
	struct extract_folder *folder = extract_folder_hold(extract_level(x)->folder);
	int rc;

	x->path = NULL;
	x->finished = folder;
	rc = leave(x, err);
	if (rc < 0)
		folder_error(folder, err);
	extract_folder_drop(x, folder);
	return rc;
}

/* They were left children first, so each is reached before those above it are shut. */
int extract_folder_finish(struct extract *x, struct error *err)
{
	for (size_t i = 0; i < x->n_late; i++) {
		const struct extract_late *late = &x->late[i];
		cleanup_fd int fd = -1;

		x->finished = late->folder;
		if (extract_folder_open(x, late->folder, O_RDONLY, &fd, err) < 0
		    || extract_mode(x, fd, late->mode, err) < 0)
			return folder_error(late->folder, err);
	}
	return 0;
}
