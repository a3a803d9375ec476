/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole reads and writes on file descriptors, durable files, folders. Errors name the path given.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "pkg/base/buffer.h"
#include "pkg/base/error.h"

/*
 * Exactly len bytes at offset, or an error (a short file is ERR_INCONSISTENT). @name: for errors.
 */
MUST_CHECK int fdio_pread(int fd, void *buf, size_t len, uint64_t offset, const char *name,
			  struct error *err);
MUST_CHECK int fdio_pwrite(int fd, const void *buf, size_t len, uint64_t offset, const char *name,
			   struct error *err);
MUST_CHECK int fdio_write(int fd, const void *buf, size_t len, const char *name, struct error *err);

/* Make a folder and its missing parents, mode 0700 for the new ones. */
MUST_CHECK int fdio_mkdirs(const char *path, struct error *err);
/* fsync of a folder, after a rename or create in it. */
MUST_CHECK int fdio_sync_dir(const char *path, struct error *err);

/*
 * Replace a file as a whole: written beside it under a temporary name, fsynced, renamed, folder
 * fsynced. After an error the old file is as it was.
 */
MUST_CHECK int fdio_replace_file(const char *path, const void *data, size_t len, struct error *err);

/*
 * Open a regular file for reading; links are not followed. Errors: ERR_NOT_FOUND, ERR_INVALID (not
 * a regular file).
 */
MUST_CHECK int fdio_open_regular(const char *path, int *ret_fd, uint64_t *ret_bytes,
				 struct error *err);

/*
 * Read a whole regular file of at most max bytes. A missing file is ERR_NOT_FOUND, a larger one or
 * one that is not a regular file (links are not followed) ERR_INVALID.
 */
MUST_CHECK int fdio_read_file(const char *path, size_t max, struct buffer *ret, struct error *err);

/* A new file in a folder, to write and read, that has no name and vanishes with its descriptor. */
MUST_CHECK int fdio_open_nameless(const char *dir, int *ret_fd, struct error *err);

/* Remove a file; one that is not there is fine. */
MUST_CHECK int fdio_remove(const char *path, struct error *err);
