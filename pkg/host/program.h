/* SPDX-License-Identifier: Apache-2.0 */
/* Where a program is. */
#pragma once

#include "pkg/base/error.h"

/*
 * As execvp(3) would find it, and then where Debian keeps programs of the system, which is not in
 * the PATH of an ordinary user. @name: with a slash it is a path.   @ret: owned, absolute.
 * Errors: ERR_NOT_FOUND.
 */
MUST_CHECK int program_find(const char *name, char **ret, struct error *err);
