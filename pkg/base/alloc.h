/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Allocation that aborts when memory is gone. Sizes from outside are bounded before they get here.
 */
#pragma once

#include <stdarg.h>
#include <stddef.h>

#include "pkg/base/error.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

void *xmalloc(size_t size) __attribute__((malloc));
void *xcalloc(size_t count, size_t size) __attribute__((malloc));
void *xrealloc(void *p, size_t count, size_t size);
void *xmemdup(const void *p, size_t size);
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t size);
char *xasprintf(const char *fmt, ...) PRINTF_LIKE(1, 2);
char *xvasprintf(const char *fmt, va_list ap) PRINTF_LIKE(1, 0);

/* Page-aligned memory, for O_DIRECT; released with free(). */
void *xaligned(size_t alignment, size_t size);

/*
 * Make room for `need` elements in a growing array: ALLOC_GROW(list->items, list->n + 1,
 * list->room). The array at least doubles.
 */
#define ALLOC_GROW(array, need, room)                                          \
	do {                                                                   \
		if ((need) > (room)) {                                         \
			(room) = (room)*2 > (need) ? (room)*2 : (need);        \
			(array) = xrealloc((array), (room), sizeof(*(array))); \
		}                                                              \
	} while (0)
