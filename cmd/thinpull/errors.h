/* SPDX-License-Identifier: Apache-2.0 */
/* Where an error becomes an exit status and a line for the user. */
#pragma once

#include <stdbool.h>

#include "pkg/base/error.h"

/*
 * @runs: of a verb whose exit status is that of the program it runs. What it fails at itself is
 * then 125, whatever it is, but for usage and signals.
 */
int errors_exit_status(const struct error *err, bool runs);

/*
 * Print "thinpull: ..." on stderr, and with json also the error object, a line each.
 * @hint: what to do next, or NULL.   @status: errors_exit_status().
 */
void errors_print(const struct error *err, const char *hint, int status, bool json);
