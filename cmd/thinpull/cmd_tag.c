/* SPDX-License-Identifier: Apache-2.0 */
/* tag REF NEW: another reference to an image that is here. Prints it as it is recorded. */
#include "cmd/thinpull/command.h"

#include "cmd/thinpull/context.h"
#include "cmd/thinpull/imageref.h"
#include "cmd/thinpull/output.h"
#include "cmd/thinpull/report.h"

static int tag(const struct context *context, struct error *err)
{
	cleanup(store_close_ptr) struct store *store = NULL;
	cleanup_free char *ref = NULL, *new_ref = NULL;
	cleanup_jout struct jout o = {0};
	const char *const *operands = context->args->operands;

	if (imageref_check(operands[0], err) < 0 || imageref_new_tag(operands[1], &new_ref, err) < 0
	    || context_open_store(context, &store, err) < 0
	    || imageref_find(store, operands[0], &ref, err) < 0
	    || store_tag_image(store, ref, new_ref, err) < 0)
		return -1;
	if (!context->settings->json) {
		output_line("%s", new_ref);
		return 0;
	}
	if (report_stored_image(&o, store, new_ref, err) < 0)
		return -1;
	output_json(&o);
	return 0;
}

int cmd_tag(const struct context *context, struct error *err)
{
	if (tag(context, err) < 0)
		return error_wrap(err, "tag %s %s", context->args->operands[0],
				  context->args->operands[1]);
	return 0;
}
