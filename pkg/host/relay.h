/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals on their way to a child. From relay_start() on they wait, so that none is lost while the
 * child comes to be; relay_wait() hands them on until it ends.
 *
 * All that somebody may send go through: what the kernel itself says to this process (faults, job
 * control, SIGPIPE), and what it was told to ignore (nohup), does not.
 */
#pragma once

#include <signal.h>
#include <sys/types.h>

struct relay {
	sigset_t signals;	/* those handed on, and SIGCHLD */
	sigset_t mask;		/* as it was */
	struct sigaction child; /* as it was */
};

void relay_start(struct relay *r);

enum relay_flags {
	RELAY_REAP_ALL = 1, /* the first process of a PID namespace: orphans come to it */
};

/* Until the child has ended. Returns its wait status. */
int relay_wait(const struct relay *r, pid_t child, enum relay_flags flags);

/* As before relay_start(). Signals that came after the child's end go nowhere. */
void relay_stop(struct relay *r);
