/* SPDX-License-Identifier: Apache-2.0 */
/* pool status: how full the pool is, and in what state. */
#include "cmd/thinpull/command.h"

#include "cmd/thinpull/context.h"
#include "cmd/thinpull/output.h"
#include "cmd/thinpull/report.h"

int cmd_pool_status(const struct context *context, struct error *err)
{
	cleanup(store_close_ptr) struct store *store = NULL;
	cleanup_jout struct jout o = {0};
	struct thin_pool_status status;

	if (context_open_store(context, &store, err) < 0
	    || store_pool_status(store, &status, err) < 0)
		return error_wrap(err, "pool status");
	if (context->settings->json) {
		report_pool(&o, NULL, store_pool_name(store), &status,
			    context->settings->min_free_data_percent);
		output_json(&o);
		return 0;
	}
	report_pool_text(store_pool_name(store), &status, context->settings->min_free_data_percent);
	return 0;
}
