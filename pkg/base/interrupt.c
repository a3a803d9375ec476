/* SPDX-License-Identifier: Apache-2.0 */
/* The signal flag: one of the three pieces of global state there are. */
#include "pkg/base/interrupt.h"

#include <signal.h>
#include <stdatomic.h>
#include <string.h>

#include "pkg/base/alloc.h"

/* Set by a handler, read by every thread: sig_atomic_t holds for one thread only. */
static atomic_int interrupt_signal;

static void interrupt_handler(int signo)
{
	interrupt_signal = signo;
}

void interrupt_install(void)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction sa = {.sa_handler = interrupt_handler, .sa_flags = (int)SA_RESETHAND};
	struct sigaction old;

	sigemptyset(&sa.sa_mask);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		/* nohup says so by ignoring it. Shells ignore SIGINT for what runs behind them, but
		 * who sends that to one process means it. */
		if (signals[i] == SIGHUP && sigaction(SIGHUP, NULL, &old) == 0
		    && old.sa_handler == SIG_IGN)
			continue;
		sigaction(signals[i], &sa, NULL);
	}
	/* what cannot be written is an error of the write */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
}

int interrupt_check(struct error *err)
{
	int signo = interrupt_signal;

	if (!signo)
		return 0;
	error_set(err, ERR_INTERRUPTED, "ended by signal %d (%s)", signo, strsignal(signo));
	err->sys = signo;
	return -1;
}
