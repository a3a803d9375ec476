/* SPDX-License-Identifier: Apache-2.0 */
/* pool extend: more room in the pool. */
#include "cmd/thinpull/command.h"

#include "cmd/thinpull/context.h"
#include "cmd/thinpull/pool_args.h"

int cmd_pool_extend(const struct context *context, struct error *err)
{
	cleanup(store_close_ptr) struct store *store = NULL;
	struct store_pool_size data, metadata;

	if (pool_args_growth(context->args, "size", &data, err) < 0
	    || pool_args_growth(context->args, "metadata-size", &metadata, err) < 0)
		return error_wrap(err, "pool extend");
	if (context_open_store(context, &store, err) < 0
	    || store_pool_extend(store, &data, &metadata, err) < 0
	    || pool_args_print(context, store, err) < 0)
		return error_wrap(err, "pool extend");
	return 0;
}
