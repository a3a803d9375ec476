/* SPDX-License-Identifier: Apache-2.0 */
/* pool create: an empty pool with the sizes asked for. */
#include "cmd/thinpull/command.h"

#include <stdint.h>

#include "cmd/thinpull/context.h"
#include "cmd/thinpull/pool_args.h"
#include "pkg/base/alloc.h"

static int read_sizes(const struct args *args, struct store_pool_params *params, struct error *err)
{
	uint64_t block_bytes;

	if (pool_args_size(args, "size", &params->data_bytes, err) < 0
	    || pool_args_size(args, "metadata-size", &params->metadata_bytes, err) < 0
	    || pool_args_size(args, "block-size", &block_bytes, err) < 0)
		return -1;
	if (block_bytes > UINT32_MAX)
		return error_set(err, ERR_USAGE, "option --block-size: more than 1G");
	params->block_bytes = (uint32_t)block_bytes;
	return 0;
}

/* Which of --loop, --device and the like was given. */
static int read_kind(const struct args *args, struct store_pool_params *params, struct error *err)
{
	static const struct {
		const char *option;
		enum store_pool_kind kind;
	} kinds[] = {
		{"loop", STORE_POOL_LOOP},
		{"device", STORE_POOL_DEVICE},
		{"lvm", STORE_POOL_LVM},
	};
	const char *given = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (!args_has(args, kinds[i].option))
			continue;
		if (given)
			return error_set(err, ERR_USAGE, "--%s and --%s are two kinds of pool",
					 given, kinds[i].option);
		given = kinds[i].option;
		params->kind = kinds[i].kind;
		params->device = args_value(args, given);
	}
	params->metadata_device = args_value(args, "metadata-device");
	params->force = args_has(args, "force");
	if (params->metadata_device && params->kind != STORE_POOL_DEVICE)
		return error_set(err, ERR_USAGE, "--metadata-device goes with --device");
	if (params->force && !params->device)
		return error_set(err, ERR_USAGE, "--force is about devices, see --device");
	return 0;
}

int cmd_pool_create(const struct context *context, struct error *err)
{
	cleanup(store_close_ptr) struct store *store = NULL;
	struct store_pool_params params = {0};

	if (read_sizes(context->args, &params, err) < 0
	    || pool_args_params(context->args, &params, err) < 0
	    || read_kind(context->args, &params, err) < 0
	    || context_open_store(context, &store, err) < 0
	    || store_pool_create(store, &params, err) < 0
	    || pool_args_print(context, store, err) < 0)
		return error_wrap(err, "pool create");
	return 0;
}
