/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a container under runc or crun in mount and PID namespaces of its own (as an ordinary user:
 * in a user namespace, too). All that it needs on the way is in these: the mount of the container,
 * a tmpfs with the bundle and the runtime's state, all processes. When this process is killed the
 * first process of the namespaces dies with it (PR_SET_PDEATHSIG), and the kernel takes away the
 * rest; but for the control groups, which runtime_forget() finds by their name.
 *
 *   thinpull run ── first process ── runtime ── container
 *                   (namespaces)     (runc)     (namespaces of its own)
 */
#pragma once

#include <stdint.h>

#include "pkg/base/buffer.h"
#include "pkg/base/error.h"

struct runtime_options {
	const char *program;	     /* a path, see program_find() */
	const char *id;		     /* see runtime_id() */
	const struct buffer *config; /* config.json; its root.path is "rootfs" */
	const char *run_dir;	     /* an existing folder, covered by a tmpfs in the namespaces */
	/* One of them. */
	const char *file; /* with an ext4 file system, mounted by way of a loop device */
	const char *
		device; /* with one; its kin have the same name but for what follows the last '-' */
	const char *folder; /* with a root file system: a user namespace is made as well */
	/*
	 * Kept open by the first process until it ends, -1: nothing. All other files of this process
	 * are closed there, so that a lock on this one tells that it lives, and locks on others that
	 * this process does.
	 */
	int hold_fd;
	/* Called in this process once that one is there, which inherits nothing any more. NULL: not. */
	int (*on_start)(void *arg, struct error *err);
	void *arg;
};

/*
 * Run it to its end; signals are passed on. Standard input, output and error are the container's,
 * nothing else is inherited by it.
 * @ret_status: exit code of the container, 128 + N when a signal ended it.
 * Errors: the container was not started, or not for long: ERR_UNSUPPORTED, ERR_SYSTEM,
 * ERR_INTERRUPTED, that of on_start.
 */
MUST_CHECK int runtime_run(const struct runtime_options *options, int *ret_status,
			   struct error *err);

/*
 * The name of a container for runtimes, and of its control group: no other container of this
 * machine has it at the same time. Owned.
 * @pool_dir: an existing folder of which there is one for each pool.
 */
MUST_CHECK int runtime_id(const char *pool_dir, uint32_t thin_id, char **ret, struct error *err);

/* Is this container being run, or about to be? 1, 0, -1. */
typedef int runtime_is_running_fn(uint32_t thin_id, void *arg, struct error *err);

/* Remove the control groups that killed runs of this pool left behind. */
MUST_CHECK int runtime_forget(const char *pool_dir, runtime_is_running_fn *is_running, void *arg,
			      struct error *err);
