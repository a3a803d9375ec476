/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 one character at a time, as strict as Unicode is: nothing overlong, no surrogates. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Bytes of the character at the start of text, 1 to 4; 0: there is none. */
size_t utf8_char(const char *text, size_t len);

bool utf8_is_valid(const char *text, size_t len);
