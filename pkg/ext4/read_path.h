/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths inside a file system, resolved by its own tree only: absolute symlinks start at its root,
 * ".." ends there, 40 links are the limit (ERR_INVALID). The host is never asked.
 */
#pragma once

#include "pkg/ext4/read.h"

/* Links are followed, also the last. @path: with or without leading slash. Errors: ERR_NOT_FOUND
 * (also a dangling link), ERR_INVALID (loop; a parent that is no folder). */
MUST_CHECK int ext4_reader_resolve(struct ext4_reader *r, const char *path, uint32_t *ret,
				   struct error *err);

/* The whole of a regular file of at most max bytes; anything else is ERR_INVALID. */
MUST_CHECK int ext4_reader_read_file(struct ext4_reader *r, const char *path, size_t max,
				     struct buffer *ret, struct error *err);
