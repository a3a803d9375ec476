/* SPDX-License-Identifier: Apache-2.0 */
/* pool deactivate: the kernel gives the pool back. */
#include "cmd/thinpull/command.h"

#include "cmd/thinpull/context.h"
#include "cmd/thinpull/pool_args.h"

int cmd_pool_deactivate(const struct context *context, struct error *err)
{
	cleanup(store_close_ptr) struct store *store = NULL;

	if (context_open_root(context, &store, err) < 0 || store_pool_deactivate(store, err) < 0)
		return error_wrap(err, "pool deactivate");
	/* Not its status: to ask for that would activate it again. */
	pool_args_print_name(context, store);
	return 0;
}
