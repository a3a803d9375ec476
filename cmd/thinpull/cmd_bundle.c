/* SPDX-License-Identifier: Apache-2.0 */
/* bundle NAME DIR [CMD...]: a folder that an OCI runtime can run. Prints its path. */
#include "cmd/thinpull/command.h"

#include <unistd.h>

#include "cmd/thinpull/bundle_args.h"
#include "cmd/thinpull/context.h"
#include "cmd/thinpull/output.h"
#include "oci/bundle_dir.h"
#include "oci/container_config.h"

static void print_result(const char *name, const struct bundle_dir *dir, bool extracted)
{
	cleanup_jout struct jout o = {0};

	jout_object(&o, NULL);
	jout_string(&o, "name", name);
	jout_string(&o, "bundle", bundle_dir_path(dir));
	jout_string(&o, "rootfs", bundle_dir_rootfs(dir));
	jout_bool(&o, "extracted", extracted);
	jout_end_object(&o);
	output_json(&o);
}

/* The files are the last to come: with them the record says that the bundle is there. */
static int fill(struct container *c, const char *rootfs, bool extract, struct error *err)
{
	cleanup_free char *mount_point = NULL;

	if (extract)
		return container_extract(c, rootfs, err);
	return container_mount(c, rootfs, &mount_point, err);
}

static int make(const struct context *context, struct container *c,
		const struct bundle_options *options, struct error *err)
{
	cleanup(bundle_dir_abort_ptr) struct bundle_dir *dir = NULL;
	cleanup_free char *intent = container_bundle_intent(c);
	cleanup_buffer struct buffer config = {0};
	bool extract = options->rootless;

	if (container_config(c, options, &config, err) < 0
	    || bundle_dir_make(context->args->operands[1], intent, &config, &dir, err) < 0
	    || fill(c, bundle_dir_rootfs(dir), extract, err) < 0)
		return -1;
	if (context->settings->json)
		print_result(container_entry(c)->name, dir, extract);
	else
		output_line("%s", bundle_dir_path(dir));
	bundle_dir_commit(&dir);
	return 0;
}

static int bundle(const struct context *context, struct error *err)
{
	cleanup(store_close_ptr) struct store *store = NULL;
	cleanup(container_close_ptr) struct container *c = NULL;
	cleanup(bundle_args_release) struct bundle_args args = {0};
	const char *name = context->args->operands[0];

	if (!*context->args->operands[1])
		return error_set(err, ERR_USAGE, "the name of the folder is empty");
	if (bundle_args_read(context->args, 2, &args, err) < 0
	    || context_open_store(context, &store, err) < 0
	    || container_open(store, name, &c, err) < 0)
		return -1;
	return make(context, c, &args.options, err);
}

int cmd_bundle(const struct context *context, struct error *err)
{
	if (bundle(context, err) < 0)
		return error_wrap(err, "bundle %s", context->args->operands[0]);
	return 0;
}
