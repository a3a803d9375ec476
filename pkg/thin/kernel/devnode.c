/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes in /dev/mapper; knows nothing of ioctls. */
#include "pkg/thin/kernel/devnode.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"

char *devnode_path(const char *name)
{
	return xasprintf("/dev/mapper/%s", name);
}

static bool is_device(const char *path, dev_t device)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISBLK(st.st_mode) && st.st_rdev == device;
}

bool devnode_is(const char *name, unsigned major, unsigned minor)
{
	cleanup_free char *path = devnode_path(name);

	return is_device(path, makedev(major, minor));
}

static int make(const char *path, const char *link, dev_t device)
{
	return link ? symlink(link, path) : mknod(path, S_IFBLK | 0600, device);
}

/* For what could not be made: there is no folder, or an old one of that name. */
static int make_way(const char *path, struct error *err)
{
	if (mkdir("/dev/mapper", 0755) < 0 && errno != EEXIST)
		return error_sys(err, "mkdir /dev/mapper");
	if (unlink(path) < 0 && errno != ENOENT)
		return error_sys(err, "remove the old %s", path);
	return 0;
}

int devnode_make(const char *name, unsigned major, unsigned minor, struct error *err)
{
	cleanup_free char *path = devnode_path(name);
	cleanup_free char *kernels = xasprintf("/dev/dm-%u", minor);
	cleanup_free char *link = xasprintf("../dm-%u", minor);
	dev_t device = makedev(major, minor);
	bool links;
	int r;

	if (is_device(path, device))
		return 0;
	/* A link to a device that went dangles; a node would be the next one's with this number. */
	links = is_device(kernels, device);
	r = make(path, links ? link : NULL, device);
	if (r < 0 && make_way(path, err) < 0)
		return -1;
	if (r < 0)
		r = make(path, links ? link : NULL, device);
	/* udevd may have come to it after all */
	if (r < 0 && !(errno == EEXIST && is_device(path, device)))
		return error_sys(err, "make %s", path);
	return 0;
}

/* The name that the kernel has for a device. Without sysfs: none. */
static bool device_is_called(dev_t device, const char *name)
{
	char path[64], text[256] = "";
	ssize_t len;
	cleanup_fd int fd = -1;

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/dm/name", major(device), minor(device));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	len = read(fd, text, sizeof(text) - 1);
	text[len > 0 ? len : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return strcmp(text, name) == 0;
}

void devnode_remove(const char *name)
{
	cleanup_free char *path = devnode_path(name);
	struct stat st;

	if (stat(path, &st) == 0 && S_ISBLK(st.st_mode) && device_is_called(st.st_rdev, name))
		return;
	unlink(path);
}

void devnode_remove_now(const char *name)
{
	cleanup_free char *path = devnode_path(name);

	unlink(path);
}

/* /proc/misc lists the driver also where nobody made the node in /dev. */
static bool is_listed(void)
{
	char line[128];
	bool found = false;
	FILE *misc = fopen("/proc/misc", "re");

	if (!misc)
		return false;
	while (!found && fgets(line, sizeof(line), misc))
		found = strstr(line, " device-mapper\n") != NULL;
	fclose(misc);
	return found;
}

/* Opening the node loads the module where there is one. */
bool devnode_has_driver(void)
{
	cleanup_fd int fd = open(DEVNODE_CONTROL, O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		return true;
	if (errno == ENODEV || errno == ENXIO)
		return false;
	return errno != ENOENT || is_listed();
}
