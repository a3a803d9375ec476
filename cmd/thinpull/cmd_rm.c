/* SPDX-License-Identifier: Apache-2.0 */
/* rm NAME...: remove containers. Prints the names of those that went. */
#include "cmd/thinpull/command.h"

#include "cmd/thinpull/context.h"
#include "cmd/thinpull/output.h"
#include "oci/store.h"

static int remove_one(const struct context *context, struct store *store, const char *name,
		      struct jout *o, struct error *err)
{
	bool force = args_has(context->args, "force");

	if (!store_is_name(name))
		return error_set(err, ERR_USAGE, "'%.60s' is not the name of a container", name);
	if (store_remove_container(store, name, force, err) < 0) {
		if (!force || err->kind != ERR_NOT_FOUND)
			return -1;
		error_clear(err);
		return 0;
	}
	if (context->settings->json)
		jout_string(o, NULL, name);
	else
		output_line("%s", name);
	return 0;
}

int cmd_rm(const struct context *context, struct error *err)
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
		if (remove_one(context, store, args->operands[done], &o, err) < 0)
			failed = error_wrap(err, "rm %s", args->operands[done]);
	jout_end_array(&o);
	jout_end_object(&o);
	if (context->settings->json && (done || !failed))
		output_json(&o);
	return failed;
}
