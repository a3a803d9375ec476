/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An archive as it comes, made into a plain file that can be read anywhere in it: as it is where
 * that is so already, else unpacked, or copied, into a file without a name.
 */
#pragma once

#include <stdint.h>

#include "pkg/base/error.h"

/*
 * @fd: taken; a file, a pipe, a device. Plain, or compressed as a whole with gzip, zstd, xz, bzip2.
 * @name: for errors.   @spool_dir: where the file without a name is made; NULL: $TMPDIR or /var/tmp.
 * Errors: ERR_INVALID (damaged, no bytes at all), ERR_UNSUPPORTED (lz4, lzma), ERR_NO_SPACE.
 */
MUST_CHECK int oci_archive_input(int fd, const char *name, const char *spool_dir, int *ret_fd,
				 uint64_t *ret_bytes, struct error *err);
