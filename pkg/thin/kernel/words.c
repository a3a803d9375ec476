/* SPDX-License-Identifier: Apache-2.0 */
/* Splits lines of device-mapper into words. */
#include "pkg/thin/kernel/words.h"

#include <string.h>

static const char SPACES[] = " \t\n";

static const char *skip_spaces(const char *s)
{
	return s + strspn(s, SPACES);
}

struct words words_of(const char *line)
{
	return (struct words){skip_spaces(line)};
}

bool words_end(const struct words *w)
{
	return *w->next == '\0';
}

static size_t length(const struct words *w)
{
	return strcspn(w->next, SPACES);
}

static void move_on(struct words *w)
{
	w->next = skip_spaces(w->next + length(w));
}

bool words_next_is(struct words *w, const char *word)
{
	size_t len = length(w);

	if (len != strlen(word) || memcmp(w->next, word, len) != 0)
		return false;
	move_on(w);
	return true;
}

/* All of the len characters. */
static bool number(const char *s, size_t len, uint64_t *ret)
{
	uint64_t n = 0;

	if (len == 0)
		return false;
	for (size_t i = 0; i < len; i++) {
		unsigned digit = (unsigned)(s[i] - '0');

		if (digit > 9 || n > (UINT64_MAX - digit) / 10)
			return false;
		n = n * 10 + digit;
	}
	*ret = n;
	return true;
}

bool words_next_number(struct words *w, uint64_t *ret)
{
	if (!number(w->next, length(w), ret))
		return false;
	move_on(w);
	return true;
}

bool words_next_pair(struct words *w, uint64_t *ret_a, uint64_t *ret_b)
{
	size_t len = length(w);
	const char *slash = memchr(w->next, '/', len);
	uint64_t a, b;

	if (!slash || !number(w->next, (size_t)(slash - w->next), &a)
	    || !number(slash + 1, len - (size_t)(slash + 1 - w->next), &b))
		return false;
	*ret_a = a;
	*ret_b = b;
	move_on(w);
	return true;
}

bool words_next_copy(struct words *w, char *ret, size_t size)
{
	size_t len = length(w);

	if (len == 0 || len >= size)
		return false;
	memcpy(ret, w->next, len);
	ret[len] = '\0';
	move_on(w);
	return true;
}
