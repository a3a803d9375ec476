/* SPDX-License-Identifier: Apache-2.0 */
/* Reads small files of /sys/dev/block. */
#include "pkg/thin/kernel/sysfs.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"

/* Without the line end; NULL: there is no such file. */
static char *read_text(const char *number, const char *file)
{
	cleanup_free char *path = xasprintf("/sys/dev/block/%s/%s", number, file);
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	char text[PATH_MAX];
	ssize_t n;

	if (fd < 0)
		return NULL;
	n = read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return NULL;
	text[n] = 0;
	if (text[n - 1] == '\n')
		text[n - 1] = 0;
	return xstrdup(text);
}

/* The value of a line "KEY=value" with @key = "KEY=". */
static char *find_value(const char *text, const char *key)
{
	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, strlen(key)) == 0)
			return xstrndup(line + strlen(key), strcspn(line + strlen(key), "\n"));
	}
	return NULL;
}

char *sysfs_node(const char *number)
{
	cleanup_free char *name = read_text(number, "dm/name");
	cleanup_free char *event = NULL;

	if (name)
		return xasprintf("/dev/mapper/%s", name);
	event = read_text(number, "uevent");
	if (!event)
		return NULL;
	name = find_value(event, "DEVNAME=");
	return name ? xasprintf("/dev/%s", name) : NULL;
}

/* "cciss!c0d0" is cciss/c0d0. */
char *sysfs_kernel_node(const char *number)
{
	cleanup_free char *link = xasprintf("/sys/dev/block/%s", number);
	char target[PATH_MAX];
	const char *name;
	char *node;
	ssize_t n = readlink(link, target, sizeof(target) - 1);

	if (n < 0)
		return NULL;
	target[n] = 0;
	name = strrchr(target, '/');
	node = xasprintf("/dev/%s", name ? name + 1 : target);
	for (char *c = node; *c; c++)
		if (*c == '!')
			*c = '/';
	return node;
}

char *sysfs_loop_file(const char *number)
{
	return read_text(number, "loop/backing_file");
}
