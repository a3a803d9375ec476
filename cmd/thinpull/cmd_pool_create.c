/* SPDX-License-Identifier: Apache-2.0 */
/* pool create: an empty pool with the sizes asked for. */
#include "cmd/thinpull/command.h"

#include <stdint.h>

#include "cmd/thinpull/context.h"
#include "cmd/thinpull/pool_args.h"
#include "cmd/thinpull/sizes.h"

static int read_params(const struct args *args, struct store_pool_params *ret, struct error *err)
{
	const char *inodes = args_value(args, "base-inodes");
	struct store_pool_params params = {0};
	uint64_t block_bytes;

	if (pool_args_size(args, "size", &params.data_bytes, err) < 0
	    || pool_args_size(args, "metadata-size", &params.metadata_bytes, err) < 0
	    || pool_args_size(args, "block-size", &block_bytes, err) < 0
	    || pool_args_size(args, "base-size", &params.base_bytes, err) < 0)
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

int cmd_pool_create(const struct context *context, struct error *err)
{
	cleanup(store_close_ptr) struct store *store = NULL;
	struct store_pool_params params;

	if (read_params(context->args, &params, err) < 0
	    || context_open_store(context, &store, err) < 0
	    || store_pool_create(store, &params, err) < 0
	    || pool_args_print(context, store, err) < 0)
		return error_wrap(err, "pool create");
	return 0;
}
