/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a container under runc or crun in mount and PID namespaces of its own (as an ordinary user:
 * in a user namespace, too). All that it needs on the way is in these: the mount of the container,
 * a tmpfs with the bundle and the runtime's state, all processes. When this process is killed the
 * first process of the namespaces dies with it (PR_SET_PDEATHSIG), and the kernel takes away the
 * rest.
 */
#pragma once

#include <stdbool.h>

#include "oci/container.h"
#include "pkg/base/buffer.h"
#include "pkg/base/error.h"

struct runtime_options {
	const char *program;	     /* "runc", "crun" or a path */
	const char *id;		     /* of the container, for the runtime */
	const struct buffer *config; /* config.json */
	const char *run_dir;	     /* an existing folder, covered by the tmpfs */
	const char *cgroups_path;    /* removed afterwards where empty; NULL: none */
};

/*
 * Run it to its end; signals are passed on. As root c is checked out, as an ordinary user extracted
 * into container_private_dir()/rootfs.
 * @ret_status: exit code of the container, 128 + N when a signal ended it.
 * Errors: the container was not started (ERR_UNSUPPORTED, ERR_NOT_FOUND: no such program, ...).
 */
MUST_CHECK int runtime_run(struct container *c, const struct runtime_options *options,
			   int *ret_status, struct error *err);
