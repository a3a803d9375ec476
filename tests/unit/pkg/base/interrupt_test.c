/* SPDX-License-Identifier: Apache-2.0 */
/* The first signal is a flag, the second one ends the program. Each in a process of its own. */
#include "tests/support/cmocka.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pkg/base/interrupt.h"
#include "pkg/stream/stream.h"

/* Run this in a child; returns its wait status. */
static int in_child(void (*what)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		what();
		_exit(99);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void one_signal(void)
{
	struct error err = {0};

	interrupt_install();
	if (interrupt_check(&err) != 0)
		_exit(1);
	raise(SIGPIPE);
	raise(SIGXFSZ);
	if (interrupt_check(&err) != 0)
		_exit(2);
	raise(SIGTERM);
	if (interrupt_check(&err) != -1 || err.kind != ERR_INTERRUPTED || err.sys != SIGTERM)
		_exit(3);
	_exit(0);
}

static void two_signals(void)
{
	interrupt_install();
	raise(SIGINT);
	raise(SIGINT);
}

/* A long read ends with the next piece, and so does a read that waits. */
static void signal_while_reading(void)
{
	struct error err = {0};
	struct stream *s;
	int fds[2];
	pid_t parent = getpid();

	interrupt_install();
	if (pipe(fds) < 0)
		_exit(1);
	if (fork() == 0) {
		usleep(50000);
		kill(parent, SIGINT);
		_exit(0);
	}
	s = stream_from_fd(fds[0], "pipe");
	if (stream_finish(s, &err) != -1 || err.kind != ERR_INTERRUPTED)
		_exit(2);
	stream_close(s);
	s = stream_from_memory("x", 1);
	if (stream_finish(s, &err) != -1 || err.kind != ERR_INTERRUPTED)
		_exit(3);
	stream_close(s);
	_exit(0);
}

/* What fetches and inflates ahead looks at the flag as well; make tsan sees whether it may. */
static void *wait_for_signal(void *arg)
{
	struct error *err = arg;

	while (interrupt_check(err) == 0)
		usleep(100);
	return NULL;
}

static void signal_while_a_thread_looks(void)
{
	struct error seen = {0};
	pthread_t thread;

	interrupt_install();
	if (pthread_create(&thread, NULL, wait_for_signal, &seen) != 0)
		_exit(1);
	usleep(10000);
	raise(SIGTERM);
	pthread_join(thread, NULL);
	exit(seen.sys == SIGTERM ? 0 : 2); /* not _exit(): the sanitizer has its say */
}

static void the_first_signal_is_only_noted(void **state)
{
	(void)state;
	assert_int_equal(in_child(one_signal), 0);
}

static void the_second_signal_ends_at_once(void **state)
{
	int status = in_child(two_signals);

	(void)state;
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGINT);
}

static void a_signal_ends_reading(void **state)
{
	(void)state;
	assert_int_equal(in_child(signal_while_reading), 0);
}

static void a_signal_is_seen_by_other_threads(void **state)
{
	(void)state;
	assert_int_equal(in_child(signal_while_a_thread_looks), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_signal_is_only_noted),
		cmocka_unit_test(the_second_signal_ends_at_once),
		cmocka_unit_test(a_signal_ends_reading),
		cmocka_unit_test(a_signal_is_seen_by_other_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
