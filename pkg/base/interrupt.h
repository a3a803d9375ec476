/* SPDX-License-Identifier: Apache-2.0 */
/* SIGINT and SIGTERM as a flag that long loops look at, so that cleanup runs on the way out. */
#pragma once

#include "pkg/base/error.h"

/*
 * Catch SIGINT, SIGTERM and SIGHUP from now on; a second one ends at once. Ignore SIGPIPE and
 * SIGXFSZ.
 */
void interrupt_install(void);

/* 0, or -1 with ERR_INTERRUPTED (err->sys = the signal) once a signal has come. */
MUST_CHECK int interrupt_check(struct error *err);
