/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plain sparse file that holds one whole volume, seen as a thin volume: what a container's file
 * system is after it left the pool. Holes are what is not mapped.
 */
#pragma once

#include "pkg/thin/volume.h"

/* @path: a regular file, links are not followed. Errors: ERR_NOT_FOUND, ERR_INVALID. */
MUST_CHECK int thin_raw_open(const char *path, bool writable, struct thin_volume **ret,
			     struct error *err);
