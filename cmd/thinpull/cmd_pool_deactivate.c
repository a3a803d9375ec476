/* SPDX-License-Identifier: Apache-2.0 */
/* pool deactivate: the kernel gives the pool back. */
#include "cmd/thinpull/command.h"

#include "cmd/thinpull/context.h"
#include "cmd/thinpull/output.h"

/* Not its status: to ask for that would activate it again. */
static void print(const struct context *context, const struct store *store)
{
	cleanup_jout struct jout o = {0};

	if (!context->settings->json) {
		output_line("%s", store_pool_name(store));
		return;
	}
	jout_object(&o, NULL);
	jout_string(&o, "name", store_pool_name(store));
	jout_end_object(&o);
	output_json(&o);
}

int cmd_pool_deactivate(const struct context *context, struct error *err)
{
	cleanup(store_close_ptr) struct store *store = NULL;

	if (context_open_root(context, &store, err) < 0 || store_pool_deactivate(store, err) < 0)
		return error_wrap(err, "pool deactivate");
	print(context, store);
	return 0;
}
