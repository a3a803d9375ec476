/* SPDX-License-Identifier: Apache-2.0 */
/* rm NAME...: remove containers. Prints the names of those that went. */
#include "cmd/thinpull/command.h"

#include "cmd/thinpull/removal.h"
#include "pkg/base/alloc.h"

/* A pool whose disk is away, or that LVM has not activated, may have it. */
static bool is_not_there(const struct error *err)
{
	return err->kind == ERR_NOT_FOUND && err->detail == ERR_DETAIL_NONE;
}

static int remove_container(const struct context *context, struct store *store, const char *name,
			    char **ret_name, struct error *err)
{
	bool force = args_has(context->args, "force");

	if (!store_is_name(name))
		return error_set(err, ERR_USAGE, "'%.60s' is not the name of a container", name);
	if (store_remove_container(store, name, force, err) < 0) {
		if (!force || !is_not_there(err))
			return -1;
		error_clear(err);
		return 0;
	}
	*ret_name = xstrdup(name);
	return 0;
}

int cmd_rm(const struct context *context, struct error *err)
{
	return removal_run(context, remove_container, err);
}
