/* SPDX-License-Identifier: Apache-2.0 */
/* Lengths of time as Go programs write them: "1s", "500ms", "1m30.5s". */
#pragma once

#include "pkg/base/error.h"

/*
 * Errors: ERR_INVALID: not of that form, negative, or more than a day. What is less than a
 * millisecond but not nothing is one.
 */
MUST_CHECK int duration_parse(const char *text, long *ret_ms, struct error *err);
