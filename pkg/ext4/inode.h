/* SPDX-License-Identifier: Apache-2.0 */
/* What an inode says of itself, as plain values shared by the writer and the reader. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ext4_time {
	int64_t sec; /* ext4 holds -2^31 .. 15032385535; the writer clamps */
	uint32_t nsec;
};

/* Is a time kept as it is? If not the writer takes the nearest that is. */
bool ext4_time_fits(const struct ext4_time *time);

struct ext4_meta {
	uint32_t mode; /* type and permission bits, as st_mode */
	uint32_t uid, gid;
	struct ext4_time mtime, atime, ctime;
	uint32_t rdev_major, rdev_minor; /* devices only: 12 and 20 bits */
};

struct ext4_xattr {
	const char *name; /* full name, "security.capability" */
	const void *value;
	size_t value_len;
};
