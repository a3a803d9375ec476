/* SPDX-License-Identifier: Apache-2.0 */
/* Growing byte buffer. */
#include "pkg/base/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pkg/base/alloc.h"

uint8_t *buffer_reserve(struct buffer *b, size_t more)
{
	ALLOC_GROW(b->data, b->len + more + 1, b->room);
	return b->data + b->len;
}

void buffer_grew(struct buffer *b, size_t more)
{
	b->len += more;
	b->data[b->len] = 0;
}

void buffer_add(struct buffer *b, const void *data, size_t len)
{
	uint8_t *to = buffer_reserve(b, len);

	if (len)
		memcpy(to, data, len);
	buffer_grew(b, len);
}

void buffer_printf(struct buffer *b, const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	buffer_add(b, text, strlen(text));
	free(text);
}

void buffer_clear(struct buffer *b)
{
	b->len = 0;
	if (b->data)
		b->data[0] = 0;
}

void buffer_release(struct buffer *b)
{
	free(b->data);
	*b = (struct buffer){0};
}

char *buffer_detach(struct buffer *b)
{
	char *text;

	buffer_reserve(b, 0);
	b->data[b->len] = 0;
	text = (char *)b->data;
	*b = (struct buffer){0};
	return text;
}
