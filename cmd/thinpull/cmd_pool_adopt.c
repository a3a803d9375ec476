/* SPDX-License-Identifier: Apache-2.0 */
/* pool adopt: an existing thin pool of LVM's becomes the pool. */
#include "cmd/thinpull/command.h"

#include <string.h>

#include "cmd/thinpull/context.h"
#include "cmd/thinpull/pool_args.h"
#include "pkg/base/alloc.h"

/* VG/LV, or the path that LVM makes of it. @vg: owned; @lv: borrowed from name. */
static int read_name(const char *name, char **vg, const char **lv, struct error *err)
{
	const char *given = name, *slash;

	if (strncmp(name, "/dev/", 5) == 0)
		name += 5;
	slash = strchr(name, '/');
	if (!slash || slash == name || !slash[1] || strchr(slash + 1, '/'))
		return error_set(err, ERR_USAGE, "\"%s\" is not VG/LV, a thin pool in LVM", given);
	*vg = xstrndup(name, (size_t)(slash - name));
	*lv = slash + 1;
	return 0;
}

int cmd_pool_adopt(const struct context *context, struct error *err)
{
	struct store_pool_params params = {.kind = STORE_POOL_ADOPTED};
	cleanup(store_close_ptr) struct store *store = NULL;
	cleanup_free char *vg = NULL;

	if (read_name(context->args->operands[0], &vg, &params.lv, err) < 0
	    || pool_args_params(context->args, &params, err) < 0)
		return error_wrap(err, "pool adopt");
	params.vg = vg;
	if (context_open_store(context, &store, err) < 0
	    || store_pool_create(store, &params, err) < 0
	    || pool_args_print(context, store, err) < 0)
		return error_wrap(err, "pool adopt");
	return 0;
}
