/* SPDX-License-Identifier: Apache-2.0 */
/* From the walk over the tree to names on the host, one after the other. */
#include "pkg/ext4/extract.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/ext4/extract_internal.h"

enum { NEW_FILE = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC };

static void extract_release(struct extract *x)
{
	extract_links_release(x);
	while (x->n_late > 0)
		extract_folder_drop(x, x->late[--x->n_late].folder);
	while (x->depth > 0)
		extract_folder_drop(x, x->levels[--x->depth].folder);
	free(x->levels);
	free(x->late);
	free(x->seen);
	free(x->buf);
	if (x->fd >= 0)
		close(x->fd);
}

/* --- one of each type ------------------------------------------------------------------------- */

/* Some file systems say only now that there was no room. */
static int close_file(int *fd, struct error *err)
{
	return close(steal_fd(fd)) < 0 ? error_sys(err, "close the file") : 0;
}

static int make_file(struct extract *x, const char *name, const struct ext4_stat *st,
		     struct error *err)
{
	cleanup_fd int fd = openat(x->fd, name, NEW_FILE, 0600);

	if (fd < 0)
		return extract_refused(err, "make a file");
	if (extract_file_content(x, st->inode, fd, err) < 0
	    || extract_xattrs(x, st->inode, fd, err) < 0
	    || extract_mode(x, fd, st->meta.mode, err) < 0 || extract_times(fd, &st->meta, err) < 0)
		return -1;
	return close_file(&fd, err);
}

static int make_device(struct extract *x, const char *name, const struct ext4_stat *st,
		       struct error *err)
{
	cleanup_fd int fd = openat(x->fd, name, NEW_FILE, 0);

	if (fd < 0)
		return extract_refused(err, "make a file");
	extract_lose(x, EXT4_LOST_DEVICE, NULL);
	if (extract_xattrs(x, st->inode, -1, err) < 0 || extract_times(fd, &st->meta, err) < 0)
		return -1;
	return close_file(&fd, err);
}

static int make_symlink(struct extract *x, const char *name, const struct ext4_stat *st,
			struct error *err)
{
	cleanup_buffer struct buffer target = {0};

	if (ext4_reader_readlink(x->r, st->inode, &target, err) < 0)
		return -1;
	if (symlinkat((const char *)target.data, x->fd, name) < 0)
		return extract_refused(err, "make a symlink");
	if (extract_xattrs(x, st->inode, -1, err) < 0)
		return -1;
	return extract_times_at(x, name, &st->meta, err);
}

/* A FIFO or a socket: needs no privilege, unlike devices. */
static int make_special(struct extract *x, const char *name, const struct ext4_stat *st,
			struct error *err)
{
	mode_t mode = st->meta.mode & 07777;

	if (mknodat(x->fd, name, (st->meta.mode & S_IFMT) | 0600, 0) < 0)
		return extract_refused(err, "make a FIFO or socket");
	if (fchmodat(x->fd, name, mode, AT_SYMLINK_NOFOLLOW) < 0)
		return error_sys(err, "set the mode");
	if (extract_xattrs(x, st->inode, -1, err) < 0)
		return -1;
	return extract_times_at(x, name, &st->meta, err);
}

static int make_new(struct extract *x, const char *name, const struct ext4_stat *st,
		    struct error *err)
{
	switch (st->meta.mode & S_IFMT) {
	case S_IFREG:
		return make_file(x, name, st, err);
	case S_IFLNK:
		return make_symlink(x, name, st, err);
	case S_IFIFO:
	case S_IFSOCK:
		return make_special(x, name, st, err);
	default: /* the reader knows no other types than these and devices */
		return make_device(x, name, st, err);
	}
}

/* --- the walk --------------------------------------------------------------------------------- */

/* Whether an inode has been here before; from now on it has. */
static bool mark_seen(struct extract *x, uint32_t inode)
{
	uint8_t bit = (uint8_t)(1U << inode % 8), *byte = &x->seen[inode / 8];
	bool before = *byte & bit;

	*byte = *byte | bit;
	return before;
}

static int make(struct extract *x, const char *name, const struct ext4_stat *st, struct error *err)
{
	if (!S_ISDIR(st->meta.mode) && mark_seen(x, st->inode))
		return extract_link_make(x, name, st, err);
	if (st->meta.uid != 0 || st->meta.gid != 0)
		extract_lose(x, EXT4_LOST_OWNER, NULL);
	if (S_ISDIR(st->meta.mode))
		return extract_folder_make(x, name, st, err);
	if (make_new(x, name, st, err) < 0)
		return -1;
	return st->links > 1 ? extract_link_note(x, name, st, err) : 0;
}

/* The reader sees to it; but here it matters most. */
static int check_name(const char *name, struct error *err)
{
	if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strchr(name, '/'))
		return error_set(err, ERR_INCONSISTENT, "an impossible name");
	return 0;
}

/* The walk goes depth first: what is not in the folder we are in is in one above. */
static int go_to_parent(struct extract *x, size_t parent_len, struct error *err)
{
	while (x->depth > 0 && extract_level(x)->path_len > parent_len)
		if (extract_folder_leave(x, err) < 0)
			return -1;
	if (x->depth == 0 || extract_level(x)->path_len != parent_len)
		return error_set(err, ERR_INCONSISTENT, "not in the folder it should be in");
	return 0;
}

static int make_below_top(struct extract *x, const char *path, const struct ext4_stat *st,
			  struct error *err)
{
	const char *slash = memrchr(path, '/', strlen(path)), *name = slash ? slash + 1 : path;

	if (go_to_parent(x, slash ? (size_t)(slash - path) : 0, err) < 0)
		return -1;
	x->path = path;
	if (check_name(name, err) < 0 || make(x, name, st, err) < 0)
		return error_wrap(err, "entry %s", path);
	return 0;
}

static int visit(const char *path, const struct ext4_stat *st, void *arg, struct error *err)
{
	struct extract *x = arg;

	if (x->depth > 0)
		return make_below_top(x, path, st, err);
	x->path = "/";
	if (st->meta.uid != 0 || st->meta.gid != 0)
		extract_lose(x, EXT4_LOST_OWNER, NULL);
	return extract_folder_top(x, st, err);
}

int ext4_extract(struct ext4_reader *r, int dir_fd, struct ext4_extract_lost *ret,
		 struct error *err)
{
	cleanup(extract_release) struct extract x = {.r = r, .top = dir_fd, .fd = -1};

	x.seen = xcalloc(r->fs->super->s_inodes_count / 8 + 1ULL, 1);
	x.buf = xmalloc(EXTRACT_BUF_BYTES);
	if (ext4_reader_walk(r, visit, &x, err) < 0)
		return -1;
	while (x.depth > 0)
		if (extract_folder_leave(&x, err) < 0)
			return -1;
	if (extract_folder_finish(&x, err) < 0)
		return -1;
	*ret = x.lost;
	return 0;
}
