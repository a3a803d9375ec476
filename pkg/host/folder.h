/* SPDX-License-Identifier: Apache-2.0 */
/* Whole folders on the host, reached without being led astray. */
#pragma once

#include "pkg/base/error.h"

/*
 * Open a folder below another one: no link on the way, not even at the end, no other mount.
 *
 * @dir: any descriptor of a folder.   @path: relative, shorter than PATH_MAX, without ".."; or ".." alone.
 * @flags: O_RDONLY or O_PATH.   @ret: owned, closed on exec.
 * Errors: ERR_BUSY (something is mounted there), ERR_UNSUPPORTED (openat2(2) is missing).
 */
MUST_CHECK int folder_open_at(int dir, const char *path, int flags, int *ret, struct error *err);

/*
 * Remove a folder with all that is in it: any depth without recursion, folders of mode 0000, links
 * never followed, never into another mount (ERR_BUSY). One that is not there is fine. Goes on
 * after a signal: this is what cleans up then. Errors: ERR_INVALID (not a folder, a path that ends
 * in "..").
 */
MUST_CHECK int folder_remove(const char *path, struct error *err);
