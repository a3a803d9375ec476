/* SPDX-License-Identifier: Apache-2.0 */
/* 16-byte UUIDs: random ones, and ones made from other bytes. RFC 9562. */
#pragma once

#include <stdint.h>

#include "pkg/base/error.h"

enum { UUID_BYTES = 16 };

/* Version 4. */
MUST_CHECK int uuid_random(uint8_t *ret, struct error *err);
/* Version 8 from the first 16 of given bytes: the same bytes give the same UUID. */
void uuid_from_bytes(const uint8_t *bytes, uint8_t *ret);
