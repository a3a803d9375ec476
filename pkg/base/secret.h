/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Passwords and tokens in memory: overwritten before it is given back, and never in a core dump.
 */
#pragma once

#include <stdbool.h>

#include "pkg/base/buffer.h"
#include "pkg/base/cleanup.h"

/* Overwrite the text, then free it; NULL is fine. */
void secret_free(char *text);
DEFINE_CLEANUP(char *, secret_free);
#define cleanup_secret cleanup(secret_free_ptr)

/*
 * The same for bytes. A buffer that grows leaves copies behind: what it will hold is reserved
 * before the first of them is added.
 */
void secret_buffer_release(struct buffer *b);
#define cleanup_secret_buffer cleanup(secret_buffer_release)

/*
 * free() and realloc() that overwrite what they give back, however much it is: for libraries that
 * let their allocator be chosen.
 */
void secret_free_block(void *p);
void *secret_realloc_block(void *p, size_t size);

/* Both texts in one, without a copy on the way. Owned. */
char *secret_join(const char *a, const char *b);

/*
 * From the first secret_hold() to the last secret_let_go() the process leaves no core dump, also
 * where those are piped to a program, and only root may look into it. Programs started meanwhile
 * leave none either. May be called by several threads.
 */
void secret_hold(void);
void secret_let_go(void);

/* Held to the end of a scope: `cleanup_held bool held = secret_held();` */
static inline bool secret_held(void)
{
	secret_hold();
	return true;
}

static inline void secret_let_go_if(bool *held)
{
	if (*held)
		secret_let_go();
}

#define cleanup_held cleanup(secret_let_go_if) __attribute__((unused))
