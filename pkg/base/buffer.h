/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growing run of bytes. Always followed by a NUL that does not count, so text can be used as is.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "pkg/base/cleanup.h"
#include "pkg/base/error.h"

struct buffer {
	uint8_t *data; /* NULL while nothing was ever added */
	size_t len;
	size_t room;
};

/* Add bytes or formatted text at the end. */
void buffer_add(struct buffer *b, const void *data, size_t len);
void buffer_printf(struct buffer *b, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Make room for `more` bytes and return where they go; buffer_grew() then counts them. */
uint8_t *buffer_reserve(struct buffer *b, size_t more);
void buffer_grew(struct buffer *b, size_t more);

/* Forget the content, keep the memory. */
void buffer_clear(struct buffer *b);
/* Give the memory back; the buffer can be used again. */
void buffer_release(struct buffer *b);
/* The bytes as an owned, terminated string; the buffer is empty afterwards. */
char *buffer_detach(struct buffer *b);

#define cleanup_buffer cleanup(buffer_release)
