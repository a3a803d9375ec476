/* SPDX-License-Identifier: Apache-2.0 */
/* rmi REF...: remove images. Prints the recorded references of those that went. */
#include "cmd/thinpull/command.h"

#include "cmd/thinpull/imageref.h"
#include "cmd/thinpull/removal.h"

static int remove_image(const struct context *context, struct store *store, const char *reference,
			char **ret_name, struct error *err)
{
	cleanup_free char *ref = NULL;

	(void)context;
	if (imageref_find(store, reference, &ref, err) < 0
	    || store_remove_image(store, ref, err) < 0)
		return -1;
	*ret_name = steal(&ref);
	return 0;
}

int cmd_rmi(const struct context *context, struct error *err)
{
	const struct args *args = context->args;

	for (size_t i = 0; i < args->n_operands; i++)
		if (imageref_check(args->operands[i], err) < 0)
			return error_wrap(err, "rmi %s", args->operands[i]);
	return removal_run(context, remove_image, err);
}
