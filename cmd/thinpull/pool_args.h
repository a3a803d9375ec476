/* SPDX-License-Identifier: Apache-2.0 */
/* What making a pool and growing it share: sizes as they are given, the pool as it is told. */
#pragma once

#include <stdint.h>

#include "cmd/thinpull/context.h"

/* The size that an option has; 0 when it is not given. Errors: ERR_USAGE (no size, or none). */
MUST_CHECK int pool_args_size(const struct args *args, const char *option, uint64_t *ret,
			      struct error *err);

/* A new total, or with a plus sign before it what is to be added. Errors: ERR_USAGE. */
MUST_CHECK int pool_args_growth(const struct args *args, const char *option,
				struct store_pool_size *ret, struct error *err);

/* What every new pool can be told, whatever kind it is: --base-size, --base-inodes, --when-full,
 * --no-zero. Errors: ERR_USAGE. */
MUST_CHECK int pool_args_params(const struct args *args, struct store_pool_params *params,
				struct error *err);

/* The pool's name, or all about it as JSON. */
MUST_CHECK int pool_args_print(const struct context *context, struct store *store,
			       struct error *err);

/* Its name alone, of one that is not to be looked at any more. */
void pool_args_print_name(const struct context *context, const struct store *store);
