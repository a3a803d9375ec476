/* SPDX-License-Identifier: Apache-2.0 */
/* pool destroy: the pool goes, with all that is in it. */
#include "cmd/thinpull/command.h"

#include "cmd/thinpull/context.h"
#include "cmd/thinpull/pool_args.h"
#include "oci/container.h"

int cmd_pool_destroy(const struct context *context, struct error *err)
{
	cleanup(store_close_ptr) struct store *store = NULL;

	if (context_open_root(context, &store, err) < 0 || containers_mend(store, err) < 0
	    || store_pool_destroy(store, args_has(context->args, "force"), err) < 0)
		return error_wrap(err, "pool destroy");
	pool_args_print_name(context, store);
	return 0;
}
