/* SPDX-License-Identifier: Apache-2.0 */
/* Whole folders on the host. */
#pragma once

#include "pkg/base/error.h"

/*
 * Remove a folder with all that is in it: any depth without recursion, folders of mode 0000, links
 * never followed, never into another file system (ERR_BUSY). One that is not there is fine.
 */
MUST_CHECK int folder_remove(const char *path, struct error *err);
