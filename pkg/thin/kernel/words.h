/* SPDX-License-Identifier: Apache-2.0 */
/* A line of words and numbers between spaces, read from left to right. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct words {
	const char *next; /* borrowed; at a word or at the end */
};

struct words words_of(const char *line);
bool words_end(const struct words *w);

/* These move on only when they say true. */

/* Is this the next word? */
bool words_next_is(struct words *w, const char *word);
/* "123": digits only, and no more than 64 bits. */
bool words_next_number(struct words *w, uint64_t *ret);
/* "123/456" */
bool words_next_pair(struct words *w, uint64_t *ret_a, uint64_t *ret_b);
/* Any word that fits, terminated. */
bool words_next_copy(struct words *w, char *ret, size_t size);
