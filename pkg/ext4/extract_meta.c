/* SPDX-License-Identifier: Apache-2.0 */
/* Modes, times and attributes of an extraction, and the account of what is lost. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "pkg/base/alloc.h"
#include "pkg/ext4/extract_internal.h"

void extract_lose(struct extract *x, enum ext4_lost kind, const char *attribute)
{
	size_t size = sizeof(x->lost.of[kind].first);
	cleanup_free char *path = NULL;

	if (x->lost.of[kind].n++ > 0)
		return;
	path = x->path ? xstrdup(x->path) : extract_folder_path(x->finished);
	snprintf(x->lost.of[kind].first, size, "%s%s%s", attribute ? attribute : "",
		 attribute ? " of " : "", path);
}

int extract_refused(struct error *err, const char *what)
{
	static const int lacking[] = {ENAMETOOLONG, EILSEQ, EINVAL, EPERM,
				      EOPNOTSUPP,   ENOSYS, EMLINK};

	if (errno == EEXIST)
		return error_set(err, ERR_UNSUPPORTED,
				 "%s: the name is there already: the folder was not empty, or its "
				 "file system takes two names of the tree for one",
				 what);
	error_sys(err, "%s", what);
	for (size_t i = 0; i < ARRAY_SIZE(lacking); i++)
		if (err->sys == lacking[i])
			err->kind = ERR_UNSUPPORTED;
	return -1;
}

/* --- attributes ------------------------------------------------------------------------------- */

struct attributes {
	struct extract *x;
	int fd;
};

static bool starts_with(const char *text, const char *start)
{
	return strncmp(text, start, strlen(start)) == 0;
}

static enum ext4_lost kind_of(const char *name)
{
	if (strcmp(name, "security.capability") == 0)
		return EXT4_LOST_CAPABILITY;
	return starts_with(name, "system.posix_acl_") ? EXT4_LOST_ACL : EXT4_LOST_XATTR;
}

/*
 * The host has no such attributes, or not so large ones; where the disk is full the next file will
 * say so.
 */
static bool host_takes_none(int sys)
{
	static const int refusals[] = {EOPNOTSUPP, E2BIG, ERANGE, ENOSPC, EPERM, EACCES, EINVAL};

	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++)
		if (sys == refusals[i])
			return true;
	return false;
}

static int keep_or_lose(const struct ext4_xattr *a, void *arg, struct error *err)
{
	const struct attributes *to = arg;

	if (to->fd >= 0 && starts_with(a->name, "user.")) {
		if (fsetxattr(to->fd, a->name, a->value, a->value_len, 0) == 0)
			return 0;
		if (!host_takes_none(errno))
			return error_sys(err, "set attribute %s", a->name);
	}
	extract_lose(to->x, kind_of(a->name), a->name);
	return 0;
}

int extract_xattrs(struct extract *x, uint32_t inode, int fd, struct error *err)
{
	struct attributes to = {x, fd};

	return ext4_reader_xattrs(x->r, inode, keep_or_lose, &to, err);
}

/* --- mode and times --------------------------------------------------------------------------- */

int extract_mode(struct extract *x, int fd, uint32_t mode, struct error *err)
{
	struct stat st;

	if (fchmod(fd, mode & 07777) < 0)
		return error_sys(err, "set the mode");
	if (!(mode & S_ISGID))
		return 0;
	/* chmod(2) drops the bit without a word where the group is not one of the caller's */
	if (fstat(fd, &st) < 0)
		return error_sys(err, "look at the mode");
	if (!(st.st_mode & S_ISGID))
		extract_lose(x, EXT4_LOST_SETGID, NULL);
	return 0;
}

static void times_of(const struct ext4_meta *meta, struct timespec ret[2])
{
	ret[0] = (struct timespec){.tv_sec = meta->atime.sec, .tv_nsec = meta->atime.nsec};
	ret[1] = (struct timespec){.tv_sec = meta->mtime.sec, .tv_nsec = meta->mtime.nsec};
}

int extract_times(int fd, const struct ext4_meta *meta, struct error *err)
{
	struct timespec times[2];

	times_of(meta, times);
	return futimens(fd, times) < 0 ? error_sys(err, "set the times") : 0;
}

int extract_times_at(const struct extract *x, const char *name, const struct ext4_meta *meta,
		     struct error *err)
{
	struct timespec times[2];

	times_of(meta, times);
	if (utimensat(x->fd, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return error_sys(err, "set the times");
	return 0;
}
