/* SPDX-License-Identifier: Apache-2.0 */
/* pool status: how full the pool is, in what state, and on what. */
#include "cmd/thinpull/command.h"

#include "cmd/thinpull/context.h"
#include "cmd/thinpull/output.h"
#include "cmd/thinpull/pool_report.h"

/* What can be told was told; that nobody can make sense of the pool is an error all the same. That
 * it is not active, or another engine's, is none. */
static int check_readable(const struct store_facts *facts, struct error *err)
{
	if (facts->has_status
	    || (facts->reason.kind != ERR_INCONSISTENT
		&& facts->reason.detail != ERR_DETAIL_POOL_FEATURES))
		return 0;
	*err = facts->reason;
	return error_wrap(err, "pool status");
}

int cmd_pool_status(const struct context *context, struct error *err)
{
	cleanup(store_facts_release) struct store_facts facts = {0};
	cleanup(store_close_ptr) struct store *store = NULL;
	struct thin_engine_choice engine;
	cleanup_jout struct jout o = {0};

	if (context_look_at_store(context, STORE_ONLY_LOOK, &store, &engine, err) < 0
	    || store_facts_load(store, &facts, err) < 0)
		return error_wrap(err, "pool status");
	if (context->settings->json) {
		pool_report(&o, NULL, context, store, &facts);
		output_json(&o);
	} else {
		pool_report_text(context, store, &facts);
	}
	return check_readable(&facts, err);
}
