/* SPDX-License-Identifier: Apache-2.0 */
/* The word that was probably meant: for "did you mean". */
#pragma once

#include <stddef.h>

struct suggestion {
	const char *word; /* borrowed; NULL = nothing is close */
	size_t distance;
};

/* Keep the candidate when it is close to what was given, and closer than what was kept before. */
void suggestion_try(struct suggestion *best, const char *given, const char *candidate);

/* Insertions, deletions, replacements and swaps of neighbours that turn a into b. */
size_t suggest_distance(const char *a, const char *b);
