/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process in mount and PID namespaces of its own, and, for an ordinary user, in a user namespace
 * in which he is root. It is the first one there: when it ends the kernel ends all others in it,
 * and takes away what was mounted. It is killed when its parent ends, however that happens.
 */
#pragma once

#include <sys/types.h>

#include "pkg/base/error.h"

enum namespace_flags {
	NAMESPACE_USER = 1, /* and a user namespace: root there is who we are here */
};

/*
 * Runs in the new process, with mounts that the host does not see (it does not hold on to those
 * that the host takes away, where the host's mounts are shared), a /proc of its own and a session
 * of its own. Signals and files are as in the parent. Returns an exit status 0..255, or -1.
 */
typedef int namespace_main(void *arg, struct error *err);

struct namespace;

/*
 * Start it. One thread only.
 * Errors: ERR_UNSUPPORTED (not allowed on this machine; says what would allow it).
 */
MUST_CHECK int namespace_start(enum namespace_flags flags, namespace_main *main, void *arg,
			       struct namespace **ret, struct error *err);

/* The first process, as seen from here. */
pid_t namespace_pid(const struct namespace *ns);

/*
 * Its wait status is known, and with it the namespaces are gone: what main returned, or its error.
 * Empties *ns. @ret_status: an exit status; 128 + N when it was killed by signal N.
 */
MUST_CHECK int namespace_finish(struct namespace **ns, int wait_status, int *ret_status,
				struct error *err);
