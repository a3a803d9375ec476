/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One member of a tar, as a plain value: what the reader lends until its next call, and what the
 * writer takes.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum tar_type {
	TAR_REGULAR,
	TAR_DIRECTORY,
	TAR_SYMLINK,
	TAR_HARDLINK,
	TAR_CHAR,
	TAR_BLOCK,
	TAR_FIFO,
};

struct tar_time {
	int64_t sec;
	uint32_t nsec; /* 0..999999999, also for negative sec: -1.5 s is {-2, 500000000} */
};

struct tar_xattr {
	const char *name; /* terminated */
	const uint8_t *value;
	size_t value_len;
};

/* A part of a file that is not a hole. */
struct tar_region {
	uint64_t offset, len;
};

struct tar_entry {
	enum tar_type type;
	const char *path; /* raw bytes as in the archive, terminated, holds no NUL */
	size_t path_len;
	const char *link; /* link target, NULL for other types */
	size_t link_len;
	uint32_t mode; /* permission bits, 07777 */
	uint32_t uid, gid;
	struct tar_time mtime;
	struct tar_time atime; /* = mtime when the archive has none */
	uint64_t size_bytes;   /* of the file as it will be, holes included; 0 for other types */
	uint32_t rdev_major, rdev_minor;
	const struct tar_xattr *xattrs; /* unique names, in the order given */
	size_t n_xattrs;
};
