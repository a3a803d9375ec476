/* SPDX-License-Identifier: Apache-2.0 */
/* Passes messages to the sink of cmd/. */
#include "pkg/base/log.h"

#include <stdarg.h>
#include <stdio.h>

static log_sink_fn *log_sink;
static enum log_level log_lowest = LOG_LEVEL_WARNING;

void log_set_sink(log_sink_fn *sink, enum log_level lowest)
{
	log_sink = sink;
	log_lowest = lowest;
}

static void PRINTF_LIKE(2, 0) log_message(enum log_level level, const char *fmt, va_list ap)
{
	char text[1024];

	if (!log_sink || level < log_lowest)
		return;
	vsnprintf(text, sizeof(text), fmt, ap);
	error_make_printable(text);
	log_sink(level, text);
}

void log_debug(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_message(LOG_LEVEL_DEBUG, fmt, ap);
	va_end(ap);
}

void log_notice(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_message(LOG_LEVEL_NOTICE, fmt, ap);
	va_end(ap);
}

void log_warning(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_message(LOG_LEVEL_WARNING, fmt, ap);
	va_end(ap);
}
