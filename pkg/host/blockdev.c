/* SPDX-License-Identifier: Apache-2.0 */
/* Asks the kernel by ioctl and sysfs, and libblkid for what it knows of contents. */
#include "pkg/host/blockdev.h"

#include <blkid/blkid.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/bytes.h"
#include "pkg/base/cleanup.h"
#include "pkg/base/fdio.h"
#include "pkg/host/mounts.h"

#define BY_ID "/dev/disk/by-id"

/* What libblkid does not know: device-mapper's thin pool metadata. */
enum { THIN_MAGIC_AT = 32, THIN_MAGIC = 27022010, WIPE_TRIES = 64, ZERO_BYTES = 64 << 10 };

/* --- one device ------------------------------------------------------------------------------- */

void blockdev_release(struct blockdev *d)
{
	free(d->name);
	*d = (struct blockdev){0};
}

static int open_device(const char *path, int flags, int *ret, struct error *err)
{
	*ret = open(path, flags | O_CLOEXEC | O_NONBLOCK);
	if (*ret >= 0)
		return 0;
	if (errno == ENOENT || errno == ENXIO)
		return error_set(err, ERR_NOT_FOUND, "%s: no such device", path);
	return error_sys(err, "open %s", path);
}

/* The name that comes first, so that it is always the same. */
static char *stable_name(const char *path, dev_t number)
{
	DIR *dir = opendir(BY_ID);
	struct dirent *entry;
	char *best = NULL;

	while (dir && (entry = readdir(dir))) {
		cleanup_free char *name = xasprintf(BY_ID "/%s", entry->d_name);
		struct stat st;

		if (stat(name, &st) < 0 || !S_ISBLK(st.st_mode) || st.st_rdev != number
		    || (best && strcmp(best, name) < 0))
			continue;
		free(best);
		best = steal(&name);
	}
	if (dir)
		closedir(dir);
	return best ? best : xstrdup(path);
}

static int ask_kernel(int fd, const char *path, struct blockdev *ret, struct error *err)
{
	int read_only = 0, sector = 0;

	if (ioctl(fd, BLKGETSIZE64, &ret->size_bytes) < 0 || ioctl(fd, BLKROGET, &read_only) < 0
	    || ioctl(fd, BLKSSZGET, &sector) < 0)
		return error_sys(err, "%s", path);
	ret->read_only = read_only;
	ret->sector_bytes = (unsigned)sector;
	return 0;
}

int blockdev_look(const char *path, struct blockdev *ret, struct error *err)
{
	cleanup_fd int fd = -1;
	struct blockdev d = {0};
	struct stat st;

	if (path[0] != '/')
		return error_set(err, ERR_USAGE, "%s: the name of a device starts with a slash",
				 path);
	if (stat(path, &st) < 0)
		return errno == ENOENT ? error_set(err, ERR_NOT_FOUND, "%s: no such device", path)
				       : error_sys(err, "stat %s", path);
	if (!S_ISBLK(st.st_mode))
		return error_set(err, ERR_USAGE, "%s is no block device", path);
	if (open_device(path, O_RDONLY, &fd, err) < 0 || ask_kernel(fd, path, &d, err) < 0)
		return -1;
	d.number = st.st_rdev;
	d.name = stable_name(path, st.st_rdev);
	*ret = d;
	return 0;
}

/* --- who uses it ------------------------------------------------------------------------------ */

/* The first of the devices that stand on this one: "dm-3". */
static bool find_holder(dev_t number, char *ret, size_t size)
{
	cleanup_free char *path =
		xasprintf("/sys/dev/block/%u:%u/holders", major(number), minor(number));
	DIR *dir = opendir(path);
	struct dirent *entry;
	bool found = false;

	while (dir && !found && (entry = readdir(dir))) {
		found = entry->d_name[0] != '.';
		if (found)
			snprintf(ret, size, "%s", entry->d_name);
	}
	if (dir)
		closedir(dir);
	return found;
}

static bool is_swap(dev_t number)
{
	FILE *f = fopen("/proc/swaps", "re");
	char line[4096];
	bool found = false;

	while (f && !found && fgets(line, sizeof(line), f)) {
		struct stat st;

		line[strcspn(line, " \t\n")] = 0;
		found = stat(line, &st) == 0 && S_ISBLK(st.st_mode) && st.st_rdev == number;
	}
	if (f)
		fclose(f);
	return found;
}

static int in_use(const char *path, dev_t number, struct error *err)
{
	cleanup(mount_list_release) struct mount_list mounts = {0};
	struct error ignored = {0};
	char holder[64];

	if (mounts_of_device(path, &mounts, &ignored) == 0 && mounts.n > 0)
		return error_set(err, ERR_BUSY, "%s is mounted on %s", path, mounts.points[0]);
	if (is_swap(number))
		return error_set(err, ERR_BUSY, "%s is swap", path);
	if (find_holder(number, holder, sizeof(holder)))
		return error_set(err, ERR_BUSY, "%s is in use by %s", path, holder);
	return error_set(err, ERR_BUSY, "%s, or a part of it, is in use", path);
}

/* Whoever mounts, swaps on or maps a device has it exclusively; a disk is refused for its parts. */
int blockdev_check_unused(const char *path, struct error *err)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_EXCL | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	char holder[64];

	if (fd < 0 && errno != EBUSY)
		return error_sys(err, "open %s", path);
	if (stat(path, &st) < 0)
		return error_sys(err, "stat %s", path);
	if (fd < 0 || find_holder(st.st_rdev, holder, sizeof(holder)))
		return in_use(path, st.st_rdev, err);
	return 0;
}

/* --- what is on it ---------------------------------------------------------------------------- */

static void free_probe(blkid_probe *probe)
{
	if (*probe)
		blkid_free_probe(*probe);
}

static int new_probe(int fd, const char *path, blkid_probe *ret, struct error *err)
{
	blkid_probe probe = blkid_new_probe();

	*ret = probe;
	if (!probe || blkid_probe_set_device(probe, fd, 0, 0) < 0
	    || blkid_probe_enable_superblocks(probe, 1) < 0
	    || blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_USAGE
								| BLKID_SUBLKS_MAGIC
								| BLKID_SUBLKS_BADCSUM)
		       < 0
	    || blkid_probe_enable_partitions(probe, 1) < 0
	    || blkid_probe_set_partitions_flags(probe, BLKID_PARTS_MAGIC) < 0)
		return error_set(err, ERR_SYSTEM, "%s cannot be probed", path);
	return 0;
}

/* 0, 1 = nothing more. */
static int probe_next(blkid_probe probe, const char *path, struct error *err)
{
	int status = blkid_do_probe(probe);

	return status < 0 ? error_set(err, ERR_SYSTEM, "%s cannot be probed", path) : status;
}

static const char *value_of(blkid_probe probe, const char *name)
{
	const char *text;

	return blkid_probe_lookup_value(probe, name, &text, NULL) == 0 ? text : NULL;
}

static char *describe(blkid_probe probe)
{
	const char *table = value_of(probe, "PTTYPE"), *type = value_of(probe, "TYPE");
	const char *usage = value_of(probe, "USAGE");

	if (table)
		return xasprintf("%s partition table", table);
	if (usage && strcmp(usage, "filesystem") == 0)
		return xasprintf("%s file system", type);
	return xasprintf("%s signature", type ? type : "unknown");
}

/* 0, 1 = none. */
static int find_thin_metadata(int fd, const char *path, uint64_t size, struct error *err)
{
	uint8_t raw[4096];

	if (size < sizeof(raw))
		return 1;
	if (fdio_pread(fd, raw, sizeof(raw), 0, path, err) < 0)
		return -1;
	return get_le64(raw + THIN_MAGIC_AT) != THIN_MAGIC;
}

int blockdev_signature(const char *path, char **ret, struct error *err)
{
	cleanup(free_probe) blkid_probe probe = NULL;
	struct blockdev d = {0};
	cleanup_fd int fd = -1;
	int status;

	if (open_device(path, O_RDONLY, &fd, err) < 0 || ask_kernel(fd, path, &d, err) < 0
	    || new_probe(fd, path, &probe, err) < 0)
		return -1;
	status = probe_next(probe, path, err);
	if (status == 0) {
		*ret = describe(probe);
		return 0;
	}
	if (status == 1)
		status = find_thin_metadata(fd, path, d.size_bytes, err);
	if (status == 0)
		*ret = xstrdup("thin pool metadata");
	return status;
}

static int zero_front(int fd, const char *path, uint64_t bytes, struct error *err)
{
	static const uint8_t zeros[ZERO_BYTES];

	for (uint64_t at = 0; at < bytes; at += ZERO_BYTES) {
		uint64_t left = bytes - at;

		if (fdio_pwrite(fd, zeros, left < ZERO_BYTES ? left : ZERO_BYTES, at, path, err)
		    < 0)
			return -1;
	}
	return 0;
}

/* Some have copies far from the front: at the end of the disk, or at 64 MiB. */
static int wipe_signatures(int fd, const char *path, struct error *err)
{
	cleanup(free_probe) blkid_probe probe = NULL;
	int status = 0;

	if (new_probe(fd, path, &probe, err) < 0)
		return -1;
	for (unsigned tries = 0; tries < WIPE_TRIES; tries++) {
		status = probe_next(probe, path, err);
		if (status)
			return status < 0 ? -1 : 0;
		if (blkid_do_wipe(probe, 0) < 0)
			return error_set(err, ERR_SYSTEM, "a signature on %s cannot be wiped",
					 path);
	}
	return error_set(err, ERR_SYSTEM, "%s has ever more signatures", path);
}

int blockdev_wipe(int fd, const char *path, uint64_t first_bytes, struct error *err)
{
	if (wipe_signatures(fd, path, err) < 0 || zero_front(fd, path, first_bytes, err) < 0)
		return -1;
	if (fsync(fd) < 0)
		return error_sys(err, "sync %s", path);
	/* Partitions that were, where there can be any. */
	(void)!ioctl(fd, BLKRRPART);
	return 0;
}
