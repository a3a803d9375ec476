/* SPDX-License-Identifier: Apache-2.0 */
/* pool activate: the kernel has the pool, now and not with the first command that needs it. */
#include "cmd/thinpull/command.h"

#include "cmd/thinpull/context.h"
#include "cmd/thinpull/pool_args.h"

int cmd_pool_activate(const struct context *context, struct error *err)
{
	cleanup(store_close_ptr) struct store *store = NULL;

	if (context_open_root(context, &store, err) < 0 || store_pool_activate(store, err) < 0
	    || pool_args_print(context, store, err) < 0)
		return error_wrap(err, "pool activate");
	return 0;
}
