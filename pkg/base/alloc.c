/* SPDX-License-Identifier: Apache-2.0 */
/* The x* family: memory or abort. */
#include "pkg/base/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *check(void *p, size_t size)
{
	if (!p && size)
		abort();
	return p;
}

void *xmalloc(size_t size)
{
	return check(malloc(size), size);
}

void *xcalloc(size_t count, size_t size)
{
	return check(calloc(count, size), count && size);
}

void *xrealloc(void *p, size_t count, size_t size)
{
	return check(reallocarray(p, count, size), count && size);
}

void *xmemdup(const void *p, size_t size)
{
	void *copy = xmalloc(size ? size : 1);

	if (size)
		memcpy(copy, p, size);
	return copy;
}

char *xstrdup(const char *s)
{
	return check(strdup(s), 1);
}

char *xstrndup(const char *s, size_t size)
{
	return check(strndup(s, size), 1);
}

char *xvasprintf(const char *fmt, va_list ap)
{
	char *s = NULL;

	if (vasprintf(&s, fmt, ap) < 0)
		abort();
	return s;
}

char *xasprintf(const char *fmt, ...)
{
	va_list ap;
	char *s;

	va_start(ap, fmt);
	s = xvasprintf(fmt, ap);
	va_end(ap);
	return s;
}

void *xaligned(size_t alignment, size_t size)
{
	void *p = NULL;

	if (posix_memalign(&p, alignment, size) != 0)
		abort();
	return p;
}
