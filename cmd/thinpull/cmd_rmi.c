/* SPDX-License-Identifier: Apache-2.0 */
/* rmi REF...: remove images. Prints the recorded references of those that went. */
#include "cmd/thinpull/command.h"

#include "cmd/thinpull/context.h"
#include "cmd/thinpull/output.h"
#include "cmd/thinpull/imageref.h"

static int remove_one(const struct context *context, struct store *store, const char *reference,
		      struct jout *o, struct error *err)
{
	cleanup_free char *ref = NULL;

	if (imageref_find(store, reference, &ref, err) < 0
	    || store_remove_image(store, ref, err) < 0)
		return -1;
	if (context->settings->json)
		jout_string(o, NULL, ref);
	else
		output_line("%s", ref);
	return 0;
}

int cmd_rmi(const struct context *context, struct error *err)
{
	cleanup(store_close_ptr) struct store *store = NULL;
	cleanup_jout struct jout o = {0};
	const struct args *args = context->args;
	size_t done = 0;
	int failed = 0;

	for (size_t i = 0; i < args->n_operands; i++)
		if (imageref_check(args->operands[i], err) < 0)
			return error_wrap(err, "rmi %s", args->operands[i]);
	if (context_open_store(context, &store, err) < 0)
		return -1;
	jout_object(&o, NULL);
	jout_array(&o, "removed");
	for (; done < args->n_operands && !failed; done += !failed)
		if (remove_one(context, store, args->operands[done], &o, err) < 0)
			failed = error_wrap(err, "rmi %s", args->operands[done]);
	jout_end_array(&o);
	jout_end_object(&o);
	if (context->settings->json && (done || !failed))
		output_json(&o);
	return failed;
}
