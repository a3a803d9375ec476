/* SPDX-License-Identifier: Apache-2.0 */
/* From the command line to struct bundle_options. */
#include "cmd/thinpull/bundle_args.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pkg/base/alloc.h"

static int read_env(const struct args *args, struct bundle_args *ret, struct error *err)
{
	const char *text;
	size_t i = 0, n = 0;

	ret->env = xcalloc(args->n_options + 1, sizeof(*ret->env));
	while ((text = args_next(args, "env", &i))) {
		const char *equals = strchr(text, '=');

		if (!equals || equals == text)
			return error_set(err, ERR_USAGE, "option --env: '%.60s' is not NAME=VALUE",
					 text);
		ret->env[n++] = text;
	}
	ret->options.env = ret->env;
	return 0;
}

static int read_network(const struct args *args, bool *ret_host, struct error *err)
{
	const char *text = args_value(args, "network");

	*ret_host = text && strcmp(text, "host") == 0;
	if (text && !*ret_host && strcmp(text, "none") != 0)
		return error_set(err, ERR_USAGE, "option --network: '%.40s' is none of none, host",
				 text);
	return 0;
}

static void read_command(const struct args *args, size_t first, struct bundle_args *ret)
{
	const char *entrypoint = args_value(args, "entrypoint");

	if (args->n_operands > first) {
		size_t n = args->n_operands - first;

		ret->cmd = xcalloc(n + 1, sizeof(*ret->cmd));
		memcpy(ret->cmd, args->operands + first, n * sizeof(*ret->cmd));
		ret->options.cmd = ret->cmd;
	}
	if (entrypoint) {
		ret->entrypoint[0] = *entrypoint ? entrypoint : NULL;
		ret->options.entrypoint = ret->entrypoint;
	}
}

int bundle_args_read(const struct args *args, size_t first, struct bundle_args *ret,
		     struct error *err)
{
	struct bundle_options *o = &ret->options;

	*ret = (struct bundle_args){0};
	if (read_env(args, ret, err) < 0 || read_network(args, &o->host_network, err) < 0) {
		bundle_args_release(ret);
		return -1;
	}
	read_command(args, first, ret);
	o->user = args_value(args, "user");
	o->working_dir = args_value(args, "workdir");
	o->terminal = args_has(args, "tty");
	o->volumes = args_has(args, "volumes");
	o->read_only = args_has(args, "read-only");
	o->rootless = geteuid() != 0;
	o->host_uid = geteuid();
	o->host_gid = getegid();
	return 0;
}

void bundle_args_release(struct bundle_args *a)
{
	free(a->cmd);
	free(a->env);
	*a = (struct bundle_args){0};
}
