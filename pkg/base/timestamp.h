/* SPDX-License-Identifier: Apache-2.0 */
/* The present time as RFC 3339 text in UTC, "2026-01-31T12:00:00Z". For records, never for layers. */
#pragma once

#include <time.h>

enum { TIMESTAMP_BYTES = 24 };

/* Fills buf, of TIMESTAMP_BYTES, and returns it. */
char *timestamp_now(char *buf);
/* The same of a time since 1970, in years of four digits. */
char *timestamp_of(time_t seconds, char *buf);
