/* SPDX-License-Identifier: Apache-2.0 */
/* Tells whiteouts from ordinary names. The effect of one is in layer.c. */
#include "oci/whiteout.h"

#include <stdbool.h>
#include <string.h>

#include "pkg/base/alloc.h"

static const char prefix[] = ".wh.";
static const char opaque[] = ".wh..wh..opq";

static bool part_is(const struct tarpath_part *part, const char *text)
{
	return part->len == strlen(text) && memcmp(part->name, text, part->len) == 0;
}

static bool has_prefix(const struct tarpath_part *part)
{
	return part->len >= strlen(prefix) && memcmp(part->name, prefix, strlen(prefix)) == 0;
}

static bool is_aufs_leftover(const struct tarpath_part *part)
{
	static const char *const names[] = {".wh..wh.plnk", ".wh..wh.aufs", ".wh..wh.orph"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (part_is(part, names[i]))
			return true;
	return false;
}

/* 0, 1 = one of the parents is an aufs folder, -1. */
static int check_parents(const struct tarpath *p, struct error *err)
{
	for (size_t i = 0; i + 1 < p->n; i++) {
		if (is_aufs_leftover(&p->parts[i]))
			return 1;
		if (has_prefix(&p->parts[i]))
			return error_set(err, ERR_INVALID,
					 "\"%.*s\" is a whiteout and cannot be a folder",
					 (int)p->parts[i].len, p->parts[i].name);
	}
	return 0;
}

int whiteout_classify(const struct tarpath *p, enum whiteout *ret, struct tarpath_part *ret_name,
		      struct error *err)
{
	const struct tarpath_part *last;
	int status;

	*ret = WHITEOUT_NONE;
	if (p->n == 0)
		return 0;
	last = &p->parts[p->n - 1];
	status = check_parents(p, err);
	if (status < 0)
		return -1;
	if (status == 1 || is_aufs_leftover(last)) {
		*ret = WHITEOUT_SKIP;
		return 0;
	}
	if (!has_prefix(last))
		return 0;
	if (part_is(last, opaque)) {
		*ret = WHITEOUT_OPAQUE;
		return 0;
	}
	ret_name->name = last->name + strlen(prefix);
	ret_name->len = last->len - strlen(prefix);
	if (ret_name->len == 0 || part_is(ret_name, ".") || part_is(ret_name, ".."))
		return error_set(err, ERR_INVALID, "\"%.*s\" is no valid whiteout", (int)last->len,
				 last->name);
	*ret = WHITEOUT_NAME;
	return 0;
}
