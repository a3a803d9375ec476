/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands for an image in a folder or a file: PATH[:REF|@INDEX][@DIGEST], where a path may hold
 * ':' and '@' itself.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "pkg/base/error.h"
#include "pkg/digest/digest.h"

/* At most one of ref and index. */
struct place {
	char *path; /* absolute, or NULL: that is said elsewhere */
	char *ref;
	bool has_index;
	size_t index;
	struct digest digest; /* decides over the others */
};

enum place_kind { PLACE_FOLDER, PLACE_FILE };

/*
 * The path is the longest beginning that is there.
 * @prefix: "oci:", for errors and the name.
 * Errors: ERR_USAGE; ERR_NOT_FOUND (no such folder, or file).
 */
MUST_CHECK int place_parse(const char *text, const char *prefix, enum place_kind kind,
			   struct place *ret, struct error *err);
/* What follows a path that was said elsewhere: [:REF|:@INDEX|@INDEX][@DIGEST]. Errors: ERR_USAGE. */
MUST_CHECK int place_parse_selection(const char *text, struct place *ret, struct error *err);
void place_release(struct place *p);

/* As it is recorded: prefix, path, the rest. Owned. */
char *place_name(const struct place *p, const char *prefix);

/* Errors: ERR_USAGE for what no place can look like. */
MUST_CHECK int place_check(const char *text, const char *prefix, struct error *err);
/* How much of text is the path; 0: none is there. */
size_t place_path_length(const char *text, enum place_kind kind);
/* Links stay as they were given; only ".." needs the real path to be right. @ret: owned. */
MUST_CHECK int place_absolute(const char *path, char **ret, struct error *err);
