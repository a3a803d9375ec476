/* SPDX-License-Identifier: Apache-2.0 */
/* rename OLD NEW: another name for a container. Prints it. */
#include "cmd/thinpull/command.h"

#include "cmd/thinpull/context.h"
#include "cmd/thinpull/output.h"
#include "cmd/thinpull/report.h"

static int rename_one(const struct context *context, struct error *err)
{
	cleanup(store_close_ptr) struct store *store = NULL;
	cleanup_jout struct jout o = {0};
	const char *const *operands = context->args->operands;

	for (int i = 0; i < 2; i++)
		if (!store_is_name(operands[i]))
			return error_set(err, ERR_USAGE, "'%.60s' is not the name of a container",
					 operands[i]);
	if (context_open_store(context, &store, err) < 0
	    || store_rename_container(store, operands[0], operands[1], err) < 0)
		return -1;
	if (!context->settings->json) {
		output_line("%s", operands[1]);
		return 0;
	}
	if (report_stored_container(&o, store, operands[1], err) < 0)
		return -1;
	output_json(&o);
	return 0;
}

int cmd_rename(const struct context *context, struct error *err)
{
	if (rename_one(context, err) < 0)
		return error_wrap(err, "rename %s %s", context->args->operands[0],
				  context->args->operands[1]);
	return 0;
}
