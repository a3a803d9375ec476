/* SPDX-License-Identifier: Apache-2.0 */
/* Replaces one piece of a text. */
#include "tests/support/replace.h"

#include <string.h>

#include "pkg/base/alloc.h"
#include "tests/support/cmocka.h"

char *replaced(const char *text, const char *from, const char *to)
{
	const char *at = strstr(text, from);

	if (!at || strstr(at + 1, from))
		fail_msg("'%s' does not hold '%s' exactly once", text, from);
	return xasprintf("%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
}
