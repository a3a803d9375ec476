/* SPDX-License-Identifier: Apache-2.0 */
/* pool trim: free blocks go back to the host. */
#include "cmd/thinpull/command.h"

#include "cmd/thinpull/context.h"
#include "cmd/thinpull/output.h"
#include "cmd/thinpull/sizes.h"

static void print_json(const struct store *store, const struct store_trim *trim)
{
	cleanup_jout struct jout o = {0};

	jout_object(&o, NULL);
	jout_string(&o, "name", store_pool_name(store));
	jout_uint(&o, "free_bytes", trim->free_bytes);
	if (trim->in_files)
		jout_uint(&o, "freed_bytes", trim->freed_bytes);
	else
		jout_string(&o, "freed_bytes", NULL);
	jout_end_object(&o);
	output_json(&o);
}

static void print_text(const struct store *store, const struct store_trim *trim)
{
	char freed[SIZE_TEXT_BYTES], unused[SIZE_TEXT_BYTES];

	size_format(trim->free_bytes, unused);
	if (trim->in_files)
		output_line("%s: %s given back to the host, %s are free in the pool",
			    store_pool_name(store), size_format(trim->freed_bytes, freed), unused);
	else
		output_line("%s: %s are free in the pool, and discarded on its device",
			    store_pool_name(store), unused);
}

int cmd_pool_trim(const struct context *context, struct error *err)
{
	cleanup(store_close_ptr) struct store *store = NULL;
	struct store_trim trim;

	if (context_open_store(context, &store, err) < 0 || store_pool_trim(store, &trim, err) < 0)
		return error_wrap(err, "pool trim");
	if (context->settings->json)
		print_json(store, &trim);
	else
		print_text(store, &trim);
	return 0;
}
