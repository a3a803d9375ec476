/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Block devices that are to be taken: how large, by what name they are found again, who uses them,
 * what is on them. The only user of libblkid.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "pkg/base/error.h"

struct blockdev {
	char *name; /* a stable one: of /dev/disk/by-id where there is one, else as given */
	dev_t number;
	uint64_t size_bytes;
	unsigned sector_bytes; /* logical */
	bool read_only;
};

/* @ret: released by blockdev_release(). Errors: ERR_NOT_FOUND, ERR_USAGE (no block device). */
MUST_CHECK int blockdev_look(const char *path, struct blockdev *ret, struct error *err);
void blockdev_release(struct blockdev *d);

/* Is anybody using it, or a part of it? Errors: ERR_BUSY (says who, where that can be told). */
MUST_CHECK int blockdev_check_unused(const char *path, struct error *err);

/*
 * What is on it, in a few words: "ext4 file system", "gpt partition table", "thin pool metadata".
 * 0, 1 = nothing that is known, -1. @ret: owned.
 */
MUST_CHECK int blockdev_signature(const char *path, char **ret, struct error *err);

/*
 * Nothing that can be known by a signature is on it afterwards, nor in its first bytes.
 * @fd: open for writing, exclusively, and synced here.
 */
MUST_CHECK int blockdev_wipe(int fd, const char *path, uint64_t first_bytes, struct error *err);
