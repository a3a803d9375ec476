/* SPDX-License-Identifier: Apache-2.0 */
/* Mounts of block devices in this process's mount namespace: make, list, take away. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "pkg/base/error.h"

struct mount_list {
	char **points; /* owned, in the order they were made */
	size_t n;
};
void mount_list_release(struct mount_list *l);

/* Where a block device is mounted, from /proc/self/mountinfo. */
MUST_CHECK int mounts_of_device(const char *device, struct mount_list *ret, struct error *err);

/*
 * Mount an ext4 that may be hostile: nodev, noatime, errors=remount-ro. @dir: a folder, links in
 * its last component are not followed. Errors: ERR_UNSUPPORTED (privilege), ERR_SYSTEM,
 * ERR_INCONSISTENT (no ext4 there, or a damaged one).
 */
MUST_CHECK int mounts_add(const char *device, const char *dir, bool read_only, struct error *err);

/*
 * In a mount namespace of one's own: its copies of the mounts of a device go, at once for new uses,
 * so that others can let go of the device.
 */
MUST_CHECK int mounts_leave(const char *device, struct error *err);

/* The same with the mounts of all devices whose names start so, as they were called at mounting. */
MUST_CHECK int mounts_leave_named(const char *prefix, struct error *err);

/* Take one away; never lazily. In use: ERR_BUSY. */
MUST_CHECK int mounts_remove(const char *dir, struct error *err);
