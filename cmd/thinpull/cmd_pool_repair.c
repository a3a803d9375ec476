/* SPDX-License-Identifier: Apache-2.0 */
/* pool repair: all that is wrong with the pool is put right, or nothing. */
#include "cmd/thinpull/command.h"

#include "cmd/thinpull/context.h"
#include "cmd/thinpull/findings.h"
#include "cmd/thinpull/output.h"
#include "pkg/thin/file/repair.h"

static const struct {
	const char *name; /* JSON */
	const char *each; /* said of what can be repaired */
} outcomes[] = {
	[THIN_REPAIR_CLEAN] = {"clean", ""},
	[THIN_REPAIR_DONE] = {"repaired", " (repaired)"},
	[THIN_REPAIR_POSSIBLE] = {"repairable", " (can be repaired)"},
	[THIN_REPAIR_REFUSED] = {"refused", " (can be repaired, was not)"},
};

static void print_json(enum thin_repair_outcome outcome, const struct thin_findings *findings)
{
	cleanup_jout struct jout o = {0};

	jout_object(&o, NULL);
	jout_string(&o, "outcome", outcomes[outcome].name);
	jout_uint(&o, "unrepairable", findings->unrepairable);
	findings_report(&o, findings);
	jout_end_object(&o);
	output_json(&o);
}

static int repair(const struct context *context, struct error *err)
{
	cleanup(store_close_ptr) struct store *store = NULL;
	cleanup(thin_findings_release) struct thin_findings found = {0};
	enum thin_repair_outcome outcome;

	if (context_open_root(context, &store, err) < 0
	    || store_pool_repair(store, args_has(context->args, "dry-run"), &outcome, &found, err)
		       < 0)
		return -1;
	if (context->settings->json)
		print_json(outcome, &found);
	else
		findings_print(&found, outcomes[outcome].each);
	if (outcome == THIN_REPAIR_REFUSED)
		return error_set(err, ERR_INCONSISTENT,
				 "pool %s: %llu of %llu findings cannot be repaired without loss, "
				 "nothing was changed",
				 store_pool_name(store), (unsigned long long)found.unrepairable,
				 (unsigned long long)found.total);
	return 0;
}

int cmd_pool_repair(const struct context *context, struct error *err)
{
	if (repair(context, err) < 0)
		return error_wrap(err, "pool repair");
	return 0;
}
