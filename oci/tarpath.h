/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The name of a tar entry, split into components. Bytes are opaque; "", "." and repeated or
 * trailing slashes vanish, ".." is resolved lexically (rules A1 to A8).
 */
#pragma once

#include <stddef.h>

#include "pkg/base/error.h"

struct tarpath_part {
	const char *name; /* borrowed from the text that was split, not terminated */
	size_t len;
};

struct tarpath {
	struct tarpath_part *parts; /* owned; kept from one use to the next */
	size_t n;		    /* 0 = the root */
	size_t room;
};

/* Errors: ERR_INVALID (a name that climbs out of the root, a component above 255 bytes). */
MUST_CHECK int tarpath_split(struct tarpath *p, const char *text, size_t len, struct error *err);
void tarpath_release(struct tarpath *p);
