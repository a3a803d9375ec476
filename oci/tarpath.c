/* SPDX-License-Identifier: Apache-2.0 */
/* Splits names of tar entries; knows nothing of any tree. */
#include "oci/tarpath.h"

#include <stdlib.h>
#include <string.h>

#include "pkg/base/alloc.h"

enum { COMPONENT_MAX = 255 };

static int add_part(struct tarpath *p, const char *name, size_t len, struct error *err)
{
	if (len == 0 || (len == 1 && name[0] == '.'))
		return 0;
	if (len == 2 && name[0] == '.' && name[1] == '.') {
		if (p->n == 0)
			return error_set(err, ERR_INVALID,
					 "the name climbs out of the root by \"..\"");
		p->n--;
		return 0;
	}
	if (len > COMPONENT_MAX)
		return error_set(err, ERR_INVALID,
				 "a name component has %zu bytes, at most %d are possible", len,
				 COMPONENT_MAX);
	ALLOC_GROW(p->parts, p->n + 1, p->room);
	p->parts[p->n++] = (struct tarpath_part){.name = name, .len = len};
	return 0;
}

int tarpath_split(struct tarpath *p, const char *text, size_t len, struct error *err)
{
	const char *end = text + len;

	p->n = 0;
	while (text < end) {
		const char *slash = memchr(text, '/', (size_t)(end - text));
		const char *stop = slash ? slash : end;

		if (add_part(p, text, (size_t)(stop - text), err) < 0)
			return -1;
		text = slash ? slash + 1 : end;
	}
	return 0;
}

void tarpath_release(struct tarpath *p)
{
	free(p->parts);
	*p = (struct tarpath){0};
}
