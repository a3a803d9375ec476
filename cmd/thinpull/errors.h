/* SPDX-License-Identifier: Apache-2.0 */
/* Where an error becomes an exit status and a line for the user. */
#pragma once

#include <stdbool.h>

#include "pkg/base/error.h"

int errors_exit_status(const struct error *err);

/*
 * Print "thinpull: ..." on stderr, and with json also the error object, a line each.
 * @hint: what to do next, or NULL.
 */
void errors_print(const struct error *err, const char *hint, bool json);
