/* SPDX-License-Identifier: Apache-2.0 */
/* From settings and options to the things the libraries want. */
#include "cmd/thinpull/context.h"

#include "oci/container.h"

int context_open_root(const struct context *context, struct store **ret, struct error *err)
{
	const struct settings *s = context->settings;
	struct store_options options = {
		.root = s->root,
		.run_dir = s->run_dir,
		.pool = s->pool,
		.engine = s->engine,
		.verb = context->verb,
		.lock_timeout_ms = s->lock_timeout_ms,
		.min_free_data_percent = s->min_free_data_percent,
		.min_free_metadata_percent = s->min_free_metadata_percent,
		.autoextend = s->autoextend,
	};

	return store_open(&options, ret, err);
}

int context_open_store(const struct context *context, struct store **ret, struct error *err)
{
	cleanup(store_close_ptr) struct store *store = NULL;
	struct thin_engine_choice choice;

	if (context_open_root(context, &store, err) < 0 || store_engine(store, &choice, err) < 0
	    || containers_mend(store, err) < 0)
		return -1;
	*ret = steal(&store);
	return 0;
}

int context_look_at_store(const struct context *context, enum store_look look, struct store **ret,
			  struct thin_engine_choice *ret_engine, struct error *err)
{
	cleanup(store_close_ptr) struct store *store = NULL;

	if (context_open_root(context, &store, err) < 0 || store_engine(store, ret_engine, err) < 0)
		return -1;
	store_set_look(store, look);
	if (containers_mend(store, err) < 0)
		return -1;
	*ret = steal(&store);
	return 0;
}

int context_platform(const struct context *context, struct oci_platform *ret, struct error *err)
{
	const char *text = args_value(context->args, "platform");

	if (!text) {
		oci_platform_host(ret);
		return 0;
	}
	if (oci_platform_parse(text, ret, err) < 0)
		return error_wrap(err, "option --platform");
	return 0;
}
