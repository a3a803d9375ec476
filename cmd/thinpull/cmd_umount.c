/* SPDX-License-Identifier: Apache-2.0 */
/* umount NAME|DIR: all mounts of a container and its block device go. Prints its name. */
#include "cmd/thinpull/command.h"

#include "cmd/thinpull/context.h"
#include "cmd/thinpull/output.h"
#include "oci/container.h"
#include "pkg/base/alloc.h"

static void print_result(const char *name)
{
	cleanup_jout struct jout o = {0};

	jout_object(&o, NULL);
	jout_string(&o, "name", name);
	jout_end_object(&o);
	output_json(&o);
}

/* Names first; a mount point has a slash, or is none. */
static int find_name(struct store *store, const char *text, char **ret, struct error *err)
{
	bool is_container = false;

	if (store_is_name(text) && store_is_container(store, text, &is_container, err) < 0)
		return -1;
	if (!is_container)
		return containers_find_mount(store, text, ret, err);
	*ret = xstrdup(text);
	return 0;
}

static int unmount(const struct context *context, const char *text, struct error *err)
{
	cleanup(store_close_ptr) struct store *store = NULL;
	cleanup(container_close_ptr) struct container *c = NULL;
	cleanup_free char *name = NULL;

	if (context_open_store(context, &store, err) < 0 || find_name(store, text, &name, err) < 0
	    || container_open(store, name, &c, err) < 0 || container_unmount(c, err) < 0)
		return -1;
	if (context->settings->json)
		print_result(name);
	else
		output_line("%s", name);
	return 0;
}

int cmd_umount(const struct context *context, struct error *err)
{
	const char *text = context->args->operands[0];

	if (unmount(context, text, err) < 0)
		return error_wrap(err, "umount %s", text);
	return 0;
}
