/* SPDX-License-Identifier: Apache-2.0 */
/* Release in the scope that holds it: cleanup attributes, and handing over by steal(). */
#pragma once

#include <stdlib.h>
#include <unistd.h>

#define cleanup(fn) __attribute__((cleanup(fn)))

/*
 * Defines `fn_ptr(type **p)` that calls fn(*p) when *p is not NULL. Stands beside the prototype
 * of fn; used as `cleanup(stream_close_ptr) struct stream *in = NULL;`.
 */
#define DEFINE_CLEANUP(type, fn)             \
	static inline void fn##_ptr(type *p) \
	{                                    \
		if (*p)                      \
			fn(*p);              \
	}                                    \
	struct cleanup_eats_semicolon

static inline void cleanup_free_ptr(void *p)
{
	free(*(void **)p);
}

static inline void cleanup_fd_ptr(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

#define cleanup_free cleanup(cleanup_free_ptr)
#define cleanup_fd   cleanup(cleanup_fd_ptr)

/* Hand over: returns the value and empties the variable. */
#define steal(p)                                 \
	({                                       \
		__typeof__(*(p)) stolen_ = *(p); \
		*(p) = NULL;                     \
		stolen_;                         \
	})

static inline int steal_fd(int *fd)
{
	int stolen = *fd;

	*fd = -1;
	return stolen;
}
