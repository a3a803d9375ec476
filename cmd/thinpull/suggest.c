/* SPDX-License-Identifier: Apache-2.0 */
/* Edit distance over short words. */
#include "cmd/thinpull/suggest.h"

#include <string.h>

#define SUGGEST_MAX_LENGTH 31

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

size_t suggest_distance(const char *a, const char *b)
{
	size_t d[SUGGEST_MAX_LENGTH + 1][SUGGEST_MAX_LENGTH + 1];
	size_t n = strlen(a), m = strlen(b);

	if (n > SUGGEST_MAX_LENGTH || m > SUGGEST_MAX_LENGTH)
		return n + m;
	for (size_t i = 0; i <= n; i++)
		d[i][0] = i;
	for (size_t j = 0; j <= m; j++)
		d[0][j] = j;
	for (size_t i = 1; i <= n; i++)
		for (size_t j = 1; j <= m; j++) {
			d[i][j] = smaller(smaller(d[i - 1][j], d[i][j - 1]) + 1,
					  d[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				d[i][j] = smaller(d[i][j], d[i - 2][j - 2] + 1);
		}
	return d[n][m];
}

void suggestion_try(struct suggestion *best, const char *given, const char *candidate)
{
	size_t distance = suggest_distance(given, candidate);
	size_t limit = strlen(candidate) > 5 ? 2 : 1;

	/* A word of two letters is one typo away from half the table. */
	if (strlen(given) < 2 || distance > limit || distance >= strlen(candidate) - 1)
		return;
	if (best->word && best->distance <= distance)
		return;
	best->word = candidate;
	best->distance = distance;
}
