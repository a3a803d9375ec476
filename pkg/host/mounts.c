/* SPDX-License-Identifier: Apache-2.0 */
/* Mounts of one namespace, read from mountinfo (proc_pid_mountinfo(5)). */
#include "pkg/host/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/buffer.h"
#include "pkg/base/cleanup.h"
#include "pkg/host/mounts_internal.h"

#define MOUNTINFO "/proc/self/mountinfo"
enum {
	READ_BYTES = 8 << 10, /* a read gives a page at most */
	DEVICE_FIELD = 2,
	POINT_FIELD = 4,
	NAME_FIELD = 2 /* from the dash */
};

void mount_list_release(struct mount_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->points[i]);
	free(l->points);
	*l = (struct mount_list){0};
}

/* --- mountinfo -------------------------------------------------------------------------------- */

static bool is_octal(char c)
{
	return c >= '0' && c <= '7';
}

/* Blanks, line ends and backslashes stand there as a backslash and three octal digits. */
static char *unescape(const char *text, size_t len)
{
	char *out = xmalloc(len + 1), *at = out;

	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\\' && len - i > 3 && is_octal(text[i + 1]) && is_octal(text[i + 2])
		    && is_octal(text[i + 3])) {
			*at++ = (char)((text[i + 1] - '0') << 6 | (text[i + 2] - '0') << 3
				       | (text[i + 3] - '0'));
			i += 3;
			continue;
		}
		*at++ = text[i];
	}
	*at = 0;
	return out;
}

/* The n-th word of a line, from 0; its length is 0 when there are not so many. */
static const char *field(const char *line, size_t len, unsigned n, size_t *ret_len)
{
	const char *end = line + len, *at = line, *blank;

	for (;; n--) {
		blank = memchr(at, ' ', (size_t)(end - at));
		if (n == 0 || !blank)
			break;
		at = blank + 1;
	}
	*ret_len = n == 0 ? (size_t)((blank ? blank : end) - at) : 0;
	return at;
}

/*
 *   36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
 *         device     mount point                 '    name
 */
static bool is_device(const char *line, size_t len, const char *device)
{
	size_t found_len;
	const char *found = field(line, len, DEVICE_FIELD, &found_len);

	return found_len == strlen(device) && !memcmp(found, device, found_len);
}

static bool is_named(const char *line, size_t len, const char *prefix)
{
	const char *dash = memmem(line, len, " - ", 3);
	size_t found_len;
	const char *found;

	if (!dash)
		return false;
	found = field(dash + 1, len - (size_t)(dash + 1 - line), NAME_FIELD, &found_len);
	return found_len >= strlen(prefix) && !memcmp(found, prefix, strlen(prefix));
}

static void add_point(const char *line, size_t len, struct mount_list *ret, size_t *room)
{
	size_t point_len;
	const char *point = field(line, len, POINT_FIELD, &point_len);

	if (!point_len)
		return;
	ALLOC_GROW(ret->points, ret->n + 1, *room);
	ret->points[ret->n++] = unescape(point, point_len);
}

static void parse(const char *text, size_t len, const char *what,
		  bool (*is_wanted)(const char *line, size_t len, const char *what),
		  struct mount_list *ret)
{
	const char *end = text + len;
	size_t room = 0;

	*ret = (struct mount_list){0};
	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		size_t line = (size_t)((newline ? newline : end) - text);

		if (is_wanted(text, line, what))
			add_point(text, line, ret, &room);
		text += line + 1;
	}
}

void mounts_parse(const char *text, size_t len, const char *device, struct mount_list *ret)
{
	parse(text, len, device, is_device, ret);
}

void mounts_parse_named(const char *text, size_t len, const char *prefix, struct mount_list *ret)
{
	parse(text, len, prefix, is_named, ret);
}

/* In one go as far as the kernel gives it so; a file in /proc has no size. */
static int read_mountinfo(struct buffer *ret, struct error *err)
{
	cleanup_fd int fd = open(MOUNTINFO, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return error_sys(err, "open " MOUNTINFO);
	do {
		n = read(fd, buffer_reserve(ret, READ_BYTES), READ_BYTES);
		if (n < 0 && errno != EINTR)
			return error_sys(err, "read " MOUNTINFO);
		if (n > 0)
			buffer_grew(ret, (size_t)n);
	} while (n != 0);
	return 0;
}

int mounts_of_device(const char *device, struct mount_list *ret, struct error *err)
{
	cleanup_buffer struct buffer text = {0};
	cleanup_free char *number = NULL;
	struct stat st;

	if (stat(device, &st) < 0)
		return error_sys(err, "stat %s", device);
	if (!S_ISBLK(st.st_mode))
		return error_set(err, ERR_INVALID, "%s is not a block device", device);
	if (read_mountinfo(&text, err) < 0)
		return -1;
	number = xasprintf("%u:%u", major(st.st_rdev), minor(st.st_rdev));
	mounts_parse((const char *)text.data, text.len, number, ret);
	return 0;
}

/* --- mount and unmount ------------------------------------------------------------------------ */

/* What mount(2) says of a damaged ext4; of its other arguments there are none that could be wrong. */
static bool is_refused_content(int sys)
{
	return sys == EINVAL || sys == EUCLEAN || sys == EBADMSG;
}

int mounts_add(const char *device, const char *dir, bool read_only, struct error *err)
{
	/* By the descriptor, so that what was looked at is what is mounted on. */
	cleanup_fd int fd = open(dir, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	cleanup_free char *self = NULL;
	unsigned long flags = MS_NODEV | MS_NOATIME | (read_only ? MS_RDONLY : 0UL);
	int sys;

	if (fd < 0)
		return error_sys(err, "open folder %s", dir);
	self = xasprintf("/proc/self/fd/%d", fd);
	if (mount(device, self, "ext4", flags, "errors=remount-ro") == 0)
		return 0;
	sys = errno;
	error_sys(err, "mount %s on %s", device, dir);
	if (sys == EPERM || sys == ENODEV)
		err->kind = ERR_UNSUPPORTED;
	if (sys == EBUSY)
		err->kind = ERR_BUSY;
	if (is_refused_content(sys)) {
		error_set(err, ERR_INCONSISTENT,
			  "mount %s on %s: no file system that the kernel takes: %s", device, dir,
			  strerror(sys));
		error_set_detail(err, ERR_DETAIL_FILE_SYSTEM);
	}
	return -1;
}

int mounts_remove(const char *dir, struct error *err)
{
	if (umount2(dir, UMOUNT_NOFOLLOW) == 0)
		return 0;
	if (errno == EBUSY)
		return error_set(err, ERR_BUSY, "%s is in use", dir);
	if (errno == EPERM) {
		error_sys(err, "unmount %s", dir);
		err->kind = ERR_UNSUPPORTED;
		return -1;
	}
	return error_sys(err, "unmount %s", dir);
}

static int leave(const struct mount_list *mounts, struct error *err)
{
	for (size_t i = mounts->n; i-- > 0;)
		if (umount2(mounts->points[i], MNT_DETACH | UMOUNT_NOFOLLOW) < 0)
			return error_sys(err, "leave %s", mounts->points[i]);
	return 0;
}

int mounts_leave(const char *device, struct error *err)
{
	cleanup(mount_list_release) struct mount_list mounts = {0};

	if (mounts_of_device(device, &mounts, err) < 0)
		return -1;
	return leave(&mounts, err);
}

int mounts_leave_named(const char *prefix, struct error *err)
{
	cleanup(mount_list_release) struct mount_list mounts = {0};
	cleanup_buffer struct buffer text = {0};

	if (read_mountinfo(&text, err) < 0)
		return -1;
	mounts_parse_named((const char *)text.data, text.len, prefix, &mounts);
	return leave(&mounts, err);
}
