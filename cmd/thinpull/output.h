/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Standard output carries the result and nothing else. A write that fails is an error at the end.
 */
#pragma once

#include "pkg/base/error.h"
#include "pkg/json/jdoc.h"

/* Formatted text, as is. */
void output_text(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* Bytes of somebody else's, as they are. */
void output_bytes(const void *data, size_t len);

/* One line of text that may come from a registry: control characters are shown as '?'. */
void output_line(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* A finished document and a line end. */
void output_json(const struct jout *o);

/* Everything is out. Errors: ERR_SYSTEM, ERR_NO_SPACE. */
MUST_CHECK int output_finish(struct error *err);

/* Replace, in place, control characters: those of ASCII, and those of Latin-1 in UTF-8. */
void output_make_printable(char *text);

#define cleanup_jout cleanup(jout_release)
