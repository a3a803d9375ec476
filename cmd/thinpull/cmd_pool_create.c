/* SPDX-License-Identifier: Apache-2.0 */
/* pool create: an empty pool with the sizes asked for. */
#include "cmd/thinpull/command.h"

#include <stdint.h>
#include <stdio.h>

#include "cmd/thinpull/context.h"
#include "cmd/thinpull/output.h"
#include "cmd/thinpull/report.h"
#include "cmd/thinpull/sizes.h"

static int read_size(const struct args *args, const char *option, uint64_t *ret, struct error *err)
{
	const char *text = args_value(args, option);
	char what[64];

	*ret = 0;
	if (!text)
		return 0;
	snprintf(what, sizeof(what), "option --%s", option);
	if (size_parse(text, what, ret, err) < 0)
		return -1;
	if (*ret == 0)
		return error_set(err, ERR_USAGE, "%s: must be more than 0", what);
	return 0;
}

static int read_params(const struct args *args, struct store_pool_params *ret, struct error *err)
{
	const char *inodes = args_value(args, "base-inodes");
	struct store_pool_params params = {0};
	uint64_t block_bytes;

	if (read_size(args, "size", &params.data_bytes, err) < 0
	    || read_size(args, "metadata-size", &params.metadata_bytes, err) < 0
	    || read_size(args, "block-size", &block_bytes, err) < 0
	    || read_size(args, "base-size", &params.base_bytes, err) < 0)
		return -1;
	if (block_bytes > UINT32_MAX)
		return error_set(err, ERR_USAGE, "option --block-size: more than 1G");
	params.block_bytes = (uint32_t)block_bytes;
	if (inodes
	    && number_parse(inodes, "option --base-inodes", UINT32_MAX, &params.base_inodes, err)
		       < 0)
		return -1;
	*ret = params;
	return 0;
}

static int print_pool(const struct context *context, struct store *store, struct error *err)
{
	cleanup_jout struct jout o = {0};
	struct thin_pool_status status;

	if (!context->settings->json) {
		output_line("%s", store_pool_name(store));
		return 0;
	}
	if (store_pool_status(store, &status, err) < 0)
		return -1;
	report_pool(&o, NULL, store_pool_name(store), &status,
		    context->settings->min_free_data_percent);
	output_json(&o);
	return 0;
}

int cmd_pool_create(const struct context *context, struct error *err)
{
	cleanup(store_close_ptr) struct store *store = NULL;
	struct store_pool_params params;

	if (read_params(context->args, &params, err) < 0
	    || context_open_store(context, &store, err) < 0
	    || store_pool_create(store, &params, err) < 0 || print_pool(context, store, err) < 0)
		return error_wrap(err, "pool create");
	return 0;
}
