/* SPDX-License-Identifier: Apache-2.0 */
/* What rm and rmi have in common: one operand after the other, until one fails. */
#pragma once

#include "cmd/thinpull/context.h"

/*
 * Remove what one operand names. @ret_name: owned, what is printed for it; stays NULL when there
 * was nothing to remove, and that is fine.
 */
typedef int removal_fn(const struct context *context, struct store *store, const char *operand,
		       char **ret_name, struct error *err);

/* All operands; prints the names of those that went, also when a later one fails. */
MUST_CHECK int removal_run(const struct context *context, removal_fn *remove_one,
			   struct error *err);
