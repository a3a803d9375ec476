/* SPDX-License-Identifier: Apache-2.0 */
/* The present time as RFC 3339 text in UTC, "2026-01-31T12:00:00Z". For records, never for layers. */
#pragma once

enum { TIMESTAMP_BYTES = 24 };

/* Fills buf, of TIMESTAMP_BYTES, and returns it. */
char *timestamp_now(char *buf);
