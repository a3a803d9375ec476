/* SPDX-License-Identifier: Apache-2.0 */
/* Questions at the terminal, and passwords on standard input. */
#pragma once

#include "pkg/base/error.h"

enum prompt_flags { PROMPT_HIDDEN = 1 /* what is typed is not shown */ };

/*
 * Ask, on standard error, and read a line of standard input.
 * @option: what would have said it, for the error.   @ret: owned, for secret_free(); not empty.
 * Errors: ERR_USAGE (no terminal, nothing said), ERR_SYSTEM, ERR_INTERRUPTED.
 */
MUST_CHECK int prompt(const char *question, const char *option, enum prompt_flags flags, char **ret,
		      struct error *err);

/*
 * All of standard input, at most 64 KiB, without the line end at its end: a password.
 * @ret: as above. Errors: ERR_USAGE (empty, too much, a NUL in it), ERR_SYSTEM, ERR_INTERRUPTED.
 */
MUST_CHECK int prompt_read_password(char **ret, struct error *err);
