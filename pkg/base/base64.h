/* SPDX-License-Identifier: Apache-2.0 */
/* Base64 with the standard alphabet and padding, RFC 4648 section 4. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "pkg/base/buffer.h"

/* Append what the text stands for; false, and nothing appended, if it is no base64: other
 * characters, line breaks, missing padding, bits left over. */
bool base64_decode(const char *text, size_t len, struct buffer *ret);
void base64_encode(const void *data, size_t len, struct buffer *ret);
