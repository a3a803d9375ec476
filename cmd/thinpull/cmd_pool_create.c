/* SPDX-License-Identifier: Apache-2.0 */
/* pool create: an empty pool with the sizes asked for. */
#include "cmd/thinpull/command.h"

#include <stdint.h>
#include <string.h>

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
	params.no_zero = args_has(args, "no-zero");
	*ret = params;
	return 0;
}

static int read_when_full(const struct args *args, bool *ret_queue, struct error *err)
{
	const char *text = args_value(args, "when-full");

	*ret_queue = text && strcmp(text, "queue") == 0;
	if (text && !*ret_queue && strcmp(text, "error") != 0)
		return error_set(err, ERR_USAGE,
				 "option --when-full: \"%s\" is neither error nor queue", text);
	return 0;
}

/* Which of --loop, --device and the like was given. */
static int read_kind(const struct args *args, struct store_pool_params *params, struct error *err)
{
	bool loop = args_has(args, "loop");

	params->device = args_value(args, "device");
	params->metadata_device = args_value(args, "metadata-device");
	params->force = args_has(args, "force");
	if (loop && params->device)
		return error_set(err, ERR_USAGE, "--loop and --device are two kinds of pool");
	if (params->metadata_device && !params->device)
		return error_set(err, ERR_USAGE, "--metadata-device goes with --device");
	if (params->force && !params->device)
		return error_set(err, ERR_USAGE, "--force is about devices, see --device");
	params->kind = loop		? STORE_POOL_LOOP
		       : params->device ? STORE_POOL_DEVICE
					: STORE_POOL_FILES;
	return 0;
}

int cmd_pool_create(const struct context *context, struct error *err)
{
	cleanup(store_close_ptr) struct store *store = NULL;
	struct store_pool_params params;

	if (read_params(context->args, &params, err) < 0
	    || read_when_full(context->args, &params.queue_when_full, err) < 0
	    || read_kind(context->args, &params, err) < 0
	    || context_open_store(context, &store, err) < 0
	    || store_pool_create(store, &params, err) < 0
	    || pool_args_print(context, store, err) < 0)
		return error_wrap(err, "pool create");
	return 0;
}
