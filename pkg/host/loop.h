/* SPDX-License-Identifier: Apache-2.0 */
/* Loop devices by ioctl (loop(4)): attach a file, find the device of one, let go. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "pkg/base/error.h"

enum { LOOP_PATH_BYTES = 32 };

enum loop_flags {
	LOOP_READ_ONLY = 1,
	LOOP_AUTOCLEAR = 2, /* gone with its last user */
	LOOP_DIRECT = 4,    /* past the host's page cache, where the file system can */
};

/* Are there loop devices for this process? Errors: ERR_UNSUPPORTED. */
MUST_CHECK int loop_check(struct error *err);

/*
 * Attach a file to a free device. @ret_fd: owned, the open device; with LOOP_AUTOCLEAR it keeps the
 * device until something else (a mount) does.   @path: of the device, LOOP_PATH_BYTES.
 * Errors: ERR_UNSUPPORTED (no loop devices, or not allowed), ERR_SYSTEM.
 */
MUST_CHECK int loop_attach(const char *file, enum loop_flags flags, int *ret_fd, char *path,
			   struct error *err);

/* The device that stands on this very file (device and inode): 0, 1 = none, -1. */
MUST_CHECK int loop_find(const char *file, char *path, struct error *err);

/* Does the device stand on this very file? 1, 0 = on another one, -1 = that cannot be told. */
int loop_is_on(const char *path, const char *file);

/* The file that a device stands on, by the name that the kernel has for it: owned, NULL = none. */
char *loop_file(const char *path);

struct loop_list {
	char (*paths)[LOOP_PATH_BYTES]; /* owned */
	size_t n;
};
void loop_list_release(struct loop_list *l);

/* The devices that stand on files of a folder, by the names that the kernel has for these. */
MUST_CHECK int loop_find_in(const char *dir, struct loop_list *ret, struct error *err);

/*
 * Wait, two seconds at most, until this file is on no device: one with LOOP_AUTOCLEAR goes when the
 * last process that has it mounted does, which may be on its way out. False: it still is on one.
 */
bool loop_wait_gone(const char *file);

/* Is it for all of its file, and to be written? Errors: ERR_BUSY (not). */
MUST_CHECK int loop_check_whole(const char *path, struct error *err);

/* Its file has grown: so does the device, under those who use it. */
MUST_CHECK int loop_resize(const char *path, struct error *err);

/*
 * Let go. Whoever has the device, or a mount of it, is waited for two seconds, then it is ERR_BUSY,
 * and stays. One that is not attached is fine.
 */
MUST_CHECK int loop_detach(const char *path, struct error *err);

/* What was written to the device is in its file. Errors: ERR_UNSUPPORTED (not allowed). */
MUST_CHECK int loop_flush(const char *path, struct error *err);
