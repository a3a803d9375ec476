/* SPDX-License-Identifier: Apache-2.0 */
/* Options of the verbs that start something in a container, or prepare to: bundle and run. */
#pragma once

#include "cmd/thinpull/options.h"
#include "oci/bundle.h"
#include "pkg/base/error.h"

/* For the option tables of these verbs. */
/* clang-format off */
#define BUNDLE_ARGS_OPTIONS \
	{"env", 'e', "NAME=VALUE", "set in the environment; may be given several times", OPTION_REPEATS}, \
	{"user", 'u', "USER[:GROUP]", "names or ids (default: the image's)", 0}, \
	{"workdir", 'w', "DIR", "working directory (default: the image's)", 0}, \
	{"entrypoint", 0, "PROGRAM", "instead of the image's; '' for none", 0}, \
	{"tty", 't', NULL, "with a terminal", 0}, \
	{"volumes", 0, NULL, "an empty tmpfs at each volume of the image", 0}, \
	{"network", 0, "none|host", "one of its own, or the host's (default: none)", 0}, \
	{"read-only", 0, NULL, "the root folder is not written", 0}
/* clang-format on */

struct bundle_args {
	struct bundle_options options; /* borrows from the arguments and from what is below */
	const char **cmd, **env;
	const char *entrypoint[2];
};

/*
 * @first: the operand that CMD starts with; none there: the image's command.
 * What only the container says (hostname, cgroups_path, its own read_only) is left to the caller.
 * Errors: ERR_USAGE.
 */
MUST_CHECK int bundle_args_read(const struct args *args, size_t first, struct bundle_args *ret,
				struct error *err);
void bundle_args_release(struct bundle_args *a);
