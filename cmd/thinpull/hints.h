/* SPDX-License-Identifier: Apache-2.0 */
/* What to do about an error, from its kind and the verb it came from. */
#pragma once

#include "cmd/thinpull/invocation.h"
#include "pkg/base/error.h"

/* Owned, or NULL when there is nothing to add. */
char *hint_make(const struct invocation *inv, const struct error *err);

/* What a detail advises, whatever the verb: constant text, or NULL. */
const char *hint_of_detail(enum error_detail detail);
