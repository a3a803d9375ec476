/* SPDX-License-Identifier: Apache-2.0 */
/* Looks for secrets in all the memory of this process, also in what was given back. */
#pragma once

#include <stddef.h>

/*
 * A text that stands nowhere else than where a test puts it: the same each time, made of the seed.
 * @len: without the NUL.   Returns owned memory.
 */
char *memory_secret(unsigned seed, size_t len);

/* In how many places the text of that seed stands. */
size_t memory_search(unsigned seed, size_t len);
