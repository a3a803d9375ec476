/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a library may say besides its result: notes for --debug, what it did unasked, and warnings
 * that the user should see. Nothing is printed here; cmd/ installs the sink.
 */
#pragma once

#include "pkg/base/error.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_NOTICE, LOG_LEVEL_WARNING };

typedef void log_sink_fn(enum log_level level, const char *text);

/* Install the receiver of all messages, NULL for none. Called once, before any thread starts. */
void log_set_sink(log_sink_fn *sink, enum log_level lowest);

/* One line each, no newline at the end, no secrets. */
void log_debug(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_notice(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_warning(const char *fmt, ...) PRINTF_LIKE(1, 2);
