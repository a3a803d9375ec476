/* SPDX-License-Identifier: Apache-2.0 */
/* Knows nothing of what it removes. */
#include "cmd/thinpull/removal.h"

#include "cmd/thinpull/output.h"

static int step(const struct context *context, struct store *store, removal_fn *remove_one,
		const char *operand, struct jout *o, struct error *err)
{
	cleanup_free char *name = NULL;

	if (remove_one(context, store, operand, &name, err) < 0)
		return error_wrap(err, "%s %s", context->verb, operand);
	if (!name)
		return 0;
	if (context->settings->json)
		jout_string(o, NULL, name);
	else
		output_line("%s", name);
	return 0;
}

int removal_run(const struct context *context, removal_fn *remove_one, struct error *err)
{
	cleanup(store_close_ptr) struct store *store = NULL;
	cleanup_jout struct jout o = {0};
	const struct args *args = context->args;
	size_t done = 0;
	int failed = 0;

	if (context_open_store(context, &store, err) < 0)
		return -1;
	jout_object(&o, NULL);
	jout_array(&o, "removed");
	for (; done < args->n_operands && !failed; done += !failed)
		failed = step(context, store, remove_one, args->operands[done], &o, err);
	jout_end_array(&o);
	jout_end_object(&o);
	if (context->settings->json && (done || !failed))
		output_json(&o);
	return failed;
}
