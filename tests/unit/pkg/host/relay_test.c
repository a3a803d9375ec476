/* SPDX-License-Identifier: Apache-2.0 */
/* Signals reach the child, each once, whenever they come. */
#include "tests/support/cmocka.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/host/relay.h"

enum { A_REAL_TIME_SIGNAL = 40 };

static volatile sig_atomic_t counted;

static void count(int signo)
{
	(void)signo;
	counted++;
}

/* Ends with the number of the signal that it gets. */
static void end_with_signal_number(const struct relay *r)
{
	int signo = sigwaitinfo(&r->signals, NULL);

	_exit(signo < 0 ? 1 : signo);
}

static void signals_that_came_before_the_child_reach_it(void **state)
{
	static const int signals[] = {SIGTERM,		 SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGWINCH,
				      A_REAL_TIME_SIGNAL};
	struct relay r;
	pid_t pid;
	int status;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		relay_start(&r);
		raise(signals[i]);
		pid = fork();
		if (pid == 0)
			end_with_signal_number(&r);
		status = relay_wait(&r, pid, 0);
		relay_stop(&r);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), signals[i]);
	}
}

static void the_end_by_a_signal_is_told(void **state)
{
	struct relay r;
	pid_t pid;
	int status;

	(void)state;
	relay_start(&r);
	pid = fork();
	if (pid == 0) {
		kill(getpid(), SIGKILL);
		_exit(1);
	}
	status = relay_wait(&r, pid, 0);
	relay_stop(&r);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
}

/* nohup: the child must not hear of it either. */
static void ignored_signals_are_not_passed_on(void **state)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
	struct relay r;
	pid_t pid;
	int status;

	(void)state;
	sigaction(SIGHUP, &ignore, &before);
	relay_start(&r);
	assert_int_equal(sigismember(&r.signals, SIGHUP), 0);
	raise(SIGHUP);
	raise(SIGUSR2);
	pid = fork();
	if (pid == 0)
		end_with_signal_number(&r);
	status = relay_wait(&r, pid, 0);
	relay_stop(&r);
	sigaction(SIGHUP, &before, NULL);
	assert_int_equal(WEXITSTATUS(status), SIGUSR2);
}

static void a_parent_that_ignores_its_children_still_gets_their_status(void **state)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN}, before, after;
	struct relay r;
	pid_t pid;
	int status;

	(void)state;
	sigaction(SIGCHLD, &ignore, &before);
	relay_start(&r);
	pid = fork();
	if (pid == 0)
		_exit(42);
	status = relay_wait(&r, pid, 0);
	relay_stop(&r);
	sigaction(SIGCHLD, &before, &after);
	assert_int_equal(WEXITSTATUS(status), 42);
	assert_true(after.sa_handler == SIG_IGN);
}

static void other_children_are_left_alone_unless_asked_for(void **state)
{
	struct relay r;
	pid_t other, pid;
	int status;

	(void)state;
	for (int all = 0; all < 2; all++) {
		relay_start(&r);
		other = fork();
		if (other == 0)
			_exit(1);
		usleep(20000);
		pid = fork();
		if (pid == 0) {
			usleep(20000);
			_exit(2);
		}
		status = relay_wait(&r, pid, all ? RELAY_REAP_ALL : 0);
		relay_stop(&r);
		assert_int_equal(WEXITSTATUS(status), 2);
		assert_int_equal(waitpid(other, &status, 0), all ? -1 : other);
	}
}

/* What comes when the child has ended is nobody's, and handlers are back. */
static void late_signals_go_nowhere(void **state)
{
	struct sigaction counting = {.sa_handler = count}, before;
	struct relay r;
	pid_t pid;

	(void)state;
	sigaction(SIGUSR1, &counting, &before);
	relay_start(&r);
	pid = fork();
	if (pid == 0)
		_exit(0);
	assert_int_equal(relay_wait(&r, pid, 0), 0);
	raise(SIGUSR1);
	relay_stop(&r);
	assert_int_equal(counted, 0);
	raise(SIGUSR1);
	assert_int_equal(counted, 1);
	sigaction(SIGUSR1, &before, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signals_that_came_before_the_child_reach_it),
		cmocka_unit_test(the_end_by_a_signal_is_told),
		cmocka_unit_test(ignored_signals_are_not_passed_on),
		cmocka_unit_test(a_parent_that_ignores_its_children_still_gets_their_status),
		cmocka_unit_test(other_children_are_left_alone_unless_asked_for),
		cmocka_unit_test(late_signals_go_nowhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
