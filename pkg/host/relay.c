/* SPDX-License-Identifier: Apache-2.0 */
/* Signals are blocked and fetched one by one, so no handler runs and nothing is missed. */
#include "pkg/host/relay.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/wait.h>
#include <time.h>

#include "pkg/base/alloc.h"

/* Not those for a relay: faults, what job control does to this process, and SIGCHLD. */
static const int relay_own[] = {SIGSEGV, SIGBUS,  SIGILL,  SIGFPE,  SIGTRAP, SIGABRT, SIGSYS,
				SIGTSTP, SIGTTIN, SIGTTOU, SIGCONT, SIGURG,  SIGCHLD, SIGPIPE};

static bool is_ignored(int signo)
{
	struct sigaction sa;

	return sigaction(signo, NULL, &sa) == 0 && sa.sa_handler == SIG_IGN;
}

void relay_start(struct relay *r)
{
	struct sigaction by_default = {.sa_handler = SIG_DFL};

	sigfillset(&r->signals);
	for (size_t i = 0; i < ARRAY_SIZE(relay_own); i++)
		sigdelset(&r->signals, relay_own[i]);
	for (int signo = 1; signo <= SIGRTMAX; signo++)
		if (sigismember(&r->signals, signo) == 1 && is_ignored(signo))
			sigdelset(&r->signals, signo);
	sigaddset(&r->signals, SIGCHLD);
	/* Were it ignored, there would be no status to wait for. */
	sigaction(SIGCHLD, &by_default, &r->child);
	sigprocmask(SIG_BLOCK, &r->signals, &r->mask);
}

/* Has the child ended? Others that have, when asked for, are forgotten. */
static bool reap(pid_t child, enum relay_flags flags, int *ret_status)
{
	pid_t which = flags & RELAY_REAP_ALL ? -1 : child, pid;
	bool ended = false;
	int status;

	while ((pid = waitpid(which, &status, WNOHANG)) > 0)
		if (pid == child) {
			*ret_status = status;
			ended = true;
		}
	return ended;
}

int relay_wait(const struct relay *r, pid_t child, enum relay_flags flags)
{
	int status = 0, signo;

	/* Each end of a child after this look leaves a SIGCHLD. */
	while (!reap(child, flags, &status)) {
		signo = sigwaitinfo(&r->signals, NULL);
		if (signo > 0 && signo != SIGCHLD)
			kill(child, signo);
	}
	return status;
}

void relay_stop(struct relay *r)
{
	static const struct timespec now;

	while (sigtimedwait(&r->signals, NULL, &now) > 0 || errno == EINTR)
		;
	sigaction(SIGCHLD, &r->child, NULL);
	sigprocmask(SIG_SETMASK, &r->mask, NULL);
}
