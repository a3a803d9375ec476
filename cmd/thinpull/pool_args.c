/* SPDX-License-Identifier: Apache-2.0 */
/* Reads sizes of pools from options, prints the pool. */
#include "cmd/thinpull/pool_args.h"

#include <stdio.h>
#include <string.h>

#include "cmd/thinpull/output.h"
#include "cmd/thinpull/pool_report.h"
#include "cmd/thinpull/sizes.h"

static int read_size(const char *text, const char *option, uint64_t *ret, struct error *err)
{
	char what[64];

	snprintf(what, sizeof(what), "option --%s", option);
	if (size_parse(text, what, ret, err) < 0)
		return -1;
	if (*ret == 0)
		return error_set(err, ERR_USAGE, "%s: must be more than 0", what);
	return 0;
}

int pool_args_size(const struct args *args, const char *option, uint64_t *ret, struct error *err)
{
	const char *text = args_value(args, option);

	*ret = 0;
	return text ? read_size(text, option, ret, err) : 0;
}

int pool_args_growth(const struct args *args, const char *option, struct store_pool_size *ret,
		     struct error *err)
{
	const char *text = args_value(args, option);

	*ret = (struct store_pool_size){.add = text && *text == '+'};
	return text ? read_size(text + ret->add, option, &ret->bytes, err) : 0;
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

int pool_args_params(const struct args *args, struct store_pool_params *params, struct error *err)
{
	const char *inodes = args_value(args, "base-inodes");

	params->no_zero = args_has(args, "no-zero");
	if (pool_args_size(args, "base-size", &params->base_bytes, err) < 0)
		return -1;
	if (inodes
	    && number_parse(inodes, "option --base-inodes", UINT32_MAX, &params->base_inodes, err)
		       < 0)
		return -1;
	return read_when_full(args, &params->queue_when_full, err);
}

int pool_args_print(const struct context *context, struct store *store, struct error *err)
{
	cleanup(store_facts_release) struct store_facts facts = {0};
	cleanup_jout struct jout o = {0};

	if (!context->settings->json) {
		output_line("%s", store_pool_name(store));
		return 0;
	}
	if (store_facts_load(store, &facts, err) < 0)
		return -1;
	pool_report(&o, NULL, context, store, &facts);
	output_json(&o);
	return 0;
}

void pool_args_print_name(const struct context *context, const struct store *store)
{
	cleanup_jout struct jout o = {0};

	if (!context->settings->json) {
		output_line("%s", store_pool_name(store));
		return;
	}
	jout_object(&o, NULL);
	jout_string(&o, "name", store_pool_name(store));
	jout_end_object(&o);
	output_json(&o);
}
