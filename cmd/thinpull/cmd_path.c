/* SPDX-License-Identifier: Apache-2.0 */
/* path NAME: the container's file system as a block device, or as a file for who has no devices. */
#include "cmd/thinpull/command.h"

#include <unistd.h>

#include "cmd/thinpull/context.h"
#include "cmd/thinpull/output.h"
#include "oci/container.h"
#include "pkg/base/alloc.h"

static void print_result(const char *name, const char *path, const char *kind)
{
	cleanup_jout struct jout o = {0};

	jout_object(&o, NULL);
	jout_string(&o, "name", name);
	jout_string(&o, "path", path);
	jout_string(&o, "kind", kind);
	jout_end_object(&o);
	output_json(&o);
}

static int get_path(struct container *c, bool device, char **ret, struct error *err)
{
	if (device)
		return container_attach(c, ret, err);
	if (container_check_out(c, err) < 0)
		return -1;
	*ret = xstrdup(container_file(c));
	return 0;
}

static int path(const struct context *context, const char *name, struct error *err)
{
	cleanup(store_close_ptr) struct store *store = NULL;
	cleanup(container_close_ptr) struct container *c = NULL;
	cleanup_free char *text = NULL;
	bool device = geteuid() == 0;

	if (context_open_store(context, &store, err) < 0 || container_open(store, name, &c, err) < 0
	    || get_path(c, device, &text, err) < 0)
		return -1;
	if (context->settings->json)
		print_result(name, text, device ? "device" : "file");
	else
		output_line("%s", text);
	return 0;
}

int cmd_path(const struct context *context, struct error *err)
{
	const char *name = context->args->operands[0];

	if (path(context, name, err) < 0)
		return error_wrap(err, "path %s", name);
	return 0;
}
