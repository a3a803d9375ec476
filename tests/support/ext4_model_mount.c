/* SPDX-License-Identifier: Apache-2.0 */
/* What a kernel shows in a folder against a model: every call that programs look at files with. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "tests/support/ext4_model_internal.h"

/* system calls that take paths take no more */
enum { PATH_BYTES = 4096, XATTR_BYTES = 65536 };

static bool differs(const char *path, const char *what)
{
	fprintf(stderr, "mounted: %s: %s (%s)\n", path, what, strerror(errno));
	return false;
}

static bool same_time(const struct ext4_time *a, const struct timespec *b)
{
	return a->sec == b->tv_sec && a->nsec == (uint32_t)b->tv_nsec;
}

static bool same_meta(const struct ext4_meta *m, const struct stat *st)
{
	bool device = S_ISCHR(m->mode) || S_ISBLK(m->mode);

	return m->mode == st->st_mode && m->uid == st->st_uid && m->gid == st->st_gid
	       && same_time(&m->mtime, &st->st_mtim) && same_time(&m->atime, &st->st_atim)
	       && same_time(&m->ctime, &st->st_ctim)
	       && (!device || makedev(m->rdev_major, m->rdev_minor) == st->st_rdev);
}

/* The data, and nothing but holes around it: no data before and behind, but in the same blocks. */
static bool same_content(const struct model_inode *inode, const char *path)
{
	cleanup_free uint8_t *data = xmalloc(inode->size + 1);
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	off_t end = (off_t)(inode->start + inode->size), first;

	if (fd < 0 || pread(fd, data, inode->size, (off_t)inode->start) != (ssize_t)inode->size
	    || memcmp(data, inode->data, inode->size) != 0)
		return differs(path, "content");
	first = lseek(fd, 0, SEEK_DATA);
	if (first >= 0 && (uint64_t)first + 4096 <= inode->start)
		return differs(path, "data before its data");
	if (lseek(fd, (end + 4095) / 4096 * 4096, SEEK_DATA) >= 0)
		return differs(path, "data behind its data");
	return true;
}

static bool same_target(const struct model_inode *inode, const char *path)
{
	char target[PATH_BYTES];

	return readlink(path, target, sizeof(target)) == (ssize_t)inode->size
	       && memcmp(target, inode->data, inode->size) == 0;
}

static bool same_xattrs(const struct model_inode *inode, const char *path)
{
	cleanup_free char *names = xmalloc(XATTR_BYTES), *value = xmalloc(XATTR_BYTES + 1);
	ssize_t len = llistxattr(path, names, XATTR_BYTES);
	size_t n = 0;

	for (ssize_t at = 0; at < len; at += (ssize_t)strlen(names + at) + 1)
		n++;
	if (len < 0 || n != inode->n_xattrs)
		return differs(path, "number of attributes");
	for (size_t i = 0; i < inode->n_xattrs; i++) {
		const struct model_xattr *x = &inode->xattrs[i];

		if (lgetxattr(path, x->name, value, XATTR_BYTES + 1) != (ssize_t)x->len
		    || memcmp(value, x->value, x->len) != 0)
			return differs(path, x->name);
	}
	return true;
}

/* How many names a folder has but those that are ignored, or -1. */
static int count_names(const char *path)
{
	DIR *dir = opendir(path);
	int n = 0;

	if (!dir)
		return -1;
	for (const struct dirent *e; (e = readdir(dir));)
		n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0
		     && strncmp(e->d_name, EXT4_MODEL_IGNORED, strlen(EXT4_MODEL_IGNORED)) != 0;
	closedir(dir);
	return n;
}

static int count_children(const struct ext4_model *m, int node)
{
	int n = 0;

	for (size_t i = 1; i < m->n; i++)
		n += !m->nodes[i].gone && m->nodes[i].parent == node;
	return n;
}

static char *path_of(const struct ext4_model *m, const char *folder, int node)
{
	char *path = xstrdup(folder);

	if (node != MODEL_ROOT) {
		char *above = path_of(m, folder, m->nodes[node].parent);

		free(path);
		path = xasprintf("%s/%s", above, m->nodes[node].name);
		free(above);
	}
	return path;
}

static bool same_node(const struct ext4_model *m, int node, const char *path, ino_t *ret_inode)
{
	const struct model_inode *inode = m->nodes[node].inode;
	struct stat st;

	if (lstat(path, &st) < 0 || !same_meta(&inode->meta, &st))
		return differs(path, "mode, owner, times or device");
	if (st.st_nlink != model_links(m, node))
		return differs(path, "links");
	*ret_inode = st.st_ino;
	if (S_ISDIR(st.st_mode) && count_names(path) != count_children(m, node))
		return differs(path, "number of names");
	if (S_ISREG(st.st_mode)
	    && ((uint64_t)st.st_size != inode->end || !same_content(inode, path)))
		return differs(path, "size or content");
	if (S_ISLNK(st.st_mode) && !same_target(inode, path))
		return differs(path, "target");
	return same_xattrs(inode, path);
}

bool ext4_model_matches_folder(const struct ext4_model *m, const char *folder)
{
	cleanup_free ino_t *inodes = xcalloc(m->n, sizeof(*inodes));

	for (size_t i = 0; i < m->n; i++) {
		cleanup_free char *path = NULL;

		if (m->nodes[i].gone)
			continue;
		path = path_of(m, folder, (int)i);
		if (strlen(path) < PATH_BYTES && !same_node(m, (int)i, path, &inodes[i]))
			return false;
		for (size_t k = 0; k < i; k++)
			if (inodes[k] && inodes[i]
			    && (m->nodes[i].inode == m->nodes[k].inode) != (inodes[i] == inodes[k]))
				return differs(path, "hard links");
	}
	return true;
}
