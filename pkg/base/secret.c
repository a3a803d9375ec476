/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Overwriting that no compiler leaves out, and the count of those who hold secrets: one of the
 * three pieces of global state there are, since whether there are core dumps is the process's.
 */
#include "pkg/base/secret.h"

#include <assert.h>
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "pkg/base/alloc.h"

void secret_free(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

void secret_buffer_release(struct buffer *b)
{
	if (b->data)
		explicit_bzero(b->data, b->room);
	buffer_release(b);
}

void secret_free_block(void *p)
{
	if (p)
		explicit_bzero(p, malloc_usable_size(p));
	free(p);
}

/* NULL without memory, as of realloc(): the libraries look. */
void *secret_realloc_block(void *p, size_t size)
{
	size_t old = p ? malloc_usable_size(p) : 0;
	void *copy = malloc(size);

	if (!copy)
		return NULL;
	if (p)
		memcpy(copy, p, old < size ? old : size);
	secret_free_block(p);
	return copy;
}

char *secret_join(const char *a, const char *b)
{
	size_t a_len = strlen(a), b_len = strlen(b);
	char *both = xmalloc(a_len + b_len + 1);

	memcpy(both, a, a_len);
	memcpy(both + a_len, b, b_len + 1);
	return both;
}

/* --- core dumps ------------------------------------------------------------------------------- */

static struct {
	pthread_mutex_t lock;
	unsigned holders;
	bool was_dumpable;
	struct rlimit core; /* as it was */
} held = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* The limit does not count for dumps that are piped, the flag does not outlive an exec. */
static void forbid_dumps(void)
{
	struct rlimit none;

	held.was_dumpable = prctl(PR_GET_DUMPABLE) == 1;
	if (held.was_dumpable)
		prctl(PR_SET_DUMPABLE, 0);
	getrlimit(RLIMIT_CORE, &held.core);
	none = (struct rlimit){.rlim_cur = 0, .rlim_max = held.core.rlim_max};
	setrlimit(RLIMIT_CORE, &none);
}

/* An ordinary user's process must be dumpable to make a user namespace. */
static void allow_dumps(void)
{
	setrlimit(RLIMIT_CORE, &held.core);
	if (held.was_dumpable)
		prctl(PR_SET_DUMPABLE, 1);
}

void secret_hold(void)
{
	pthread_mutex_lock(&held.lock);
	if (held.holders++ == 0)
		forbid_dumps();
	pthread_mutex_unlock(&held.lock);
}

void secret_let_go(void)
{
	pthread_mutex_lock(&held.lock);
	assert(held.holders > 0);
	if (--held.holders == 0)
		allow_dumps();
	pthread_mutex_unlock(&held.lock);
}
