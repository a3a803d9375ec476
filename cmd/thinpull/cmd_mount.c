/* SPDX-License-Identifier: Apache-2.0 */
/* mount NAME [DIR]: a container in the file tree. Prints the mount point. */
#include "cmd/thinpull/command.h"

#include "cmd/thinpull/context.h"
#include "cmd/thinpull/output.h"
#include "oci/container.h"

static void print_result(const char *name, const char *dir, const char *device)
{
	cleanup_jout struct jout o = {0};

	jout_object(&o, NULL);
	jout_string(&o, "name", name);
	jout_string(&o, "mount_point", dir);
	jout_string(&o, "device", device);
	jout_end_object(&o);
	output_json(&o);
}

static int mount(const struct context *context, const char *name, const char *dir,
		 struct error *err)
{
	cleanup(store_close_ptr) struct store *store = NULL;
	cleanup(container_close_ptr) struct container *c = NULL;
	cleanup(container_state_release) struct container_state st = {0};
	cleanup_free char *point = NULL;

	if (context_open_store(context, &store, err) < 0 || container_open(store, name, &c, err) < 0
	    || container_mount(c, dir, &point, err) < 0)
		return -1;
	if (!context->settings->json) {
		output_line("%s", point);
		return 0;
	}
	if (container_state(store, container_entry(c), &st, err) < 0)
		return -1;
	print_result(name, point, st.device);
	return 0;
}

int cmd_mount(const struct context *context, struct error *err)
{
	const struct args *args = context->args;

	if (mount(context, args->operands[0], args->n_operands > 1 ? args->operands[1] : NULL, err)
	    < 0)
		return error_wrap(err, "mount %s", args->operands[0]);
	return 0;
}
