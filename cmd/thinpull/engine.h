/* SPDX-License-Identifier: Apache-2.0 */
/* Which engine runs the pools on this machine, and why. */
#pragma once

#include "pkg/base/error.h"

struct engine_choice {
	const char *engine; /* "file" */
	const char *reason;
};

/* @wanted: "auto", "kernel" or "file". Errors: ERR_UNSUPPORTED (kernel). */
MUST_CHECK int engine_choose(const char *wanted, struct engine_choice *ret, struct error *err);
