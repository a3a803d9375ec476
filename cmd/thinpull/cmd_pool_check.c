/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool check: what is wrong with the pool. Findings are the result; exit status 8 says there are.
 */
#include "cmd/thinpull/command.h"

#include "cmd/thinpull/context.h"
#include "cmd/thinpull/findings.h"
#include "cmd/thinpull/output.h"

static void print_json(const struct thin_findings *findings)
{
	cleanup_jout struct jout o = {0};

	jout_object(&o, NULL);
	jout_bool(&o, "clean", findings->total == 0);
	findings_report(&o, findings);
	jout_end_object(&o);
	output_json(&o);
}

static int check(const struct context *context, struct error *err)
{
	cleanup(store_close_ptr) struct store *store = NULL;
	cleanup(thin_findings_release) struct thin_findings findings = {0};
	struct thin_engine_choice engine;

	/* The kernel gets a pool for its record's sake, when its metadata are known to be sound. */
	if (context_look_at_store(context, STORE_ONLY_LOOK, &store, &engine, err) < 0)
		return -1;
	store_set_look(store, STORE_STAY_INACTIVE);
	if (store_pool_check(store, &findings, err) < 0)
		return -1;
	if (context->settings->json)
		print_json(&findings);
	else
		findings_print(&findings, "");
	if (findings.total)
		return error_set(err, ERR_INCONSISTENT, "pool %s: %llu finding%s",
				 store_pool_name(store), (unsigned long long)findings.total,
				 findings.total == 1 ? "" : "s");
	return 0;
}

int cmd_pool_check(const struct context *context, struct error *err)
{
	if (check(context, err) < 0)
		return error_wrap(err, "pool check");
	return 0;
}
