/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starts a program with pipes for its input and output, and waits for both it and them. It stays in
 * our process group, so that it may ask at the terminal, and ^C ends it with us.
 */
#include "registry/auth_helper_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/interrupt.h"
#include "pkg/base/secret.h"

enum {
	TICK_MS = 100, /* how soon a signal is seen */
	QUICK_MS = 5,  /* and the end of what has nothing more to say */
};

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* --- the child -------------------------------------------------------------------------------- */

/* Ours, but for what holds secrets. The strings are borrowed. */
static char **environment_for_child(void)
{
	static const char hidden[] = "DOCKER_AUTH_CONFIG=";
	size_t n = 0, kept = 0;
	char **copy;

	while (environ[n])
		n++;
	copy = xcalloc(n + 1, sizeof(*copy));
	for (size_t i = 0; i < n; i++)
		if (strncmp(environ[i], hidden, sizeof(hidden) - 1) != 0)
			copy[kept++] = environ[i];
	return copy;
}

/* Between fork and exec: only what is safe there. */
__attribute__((noreturn)) static void become(const struct auth_helper_run *run, char **env,
					     pid_t parent, int in, int out, int null)
{
	static const int defaults[] = {SIGPIPE, SIGXFSZ, SIGHUP, SIGINT, SIGTERM};
	char *argv[] = {(char *)(uintptr_t)run->program, (char *)(uintptr_t)run->verb, NULL};
	sigset_t none;

	for (size_t i = 0; i < ARRAY_SIZE(defaults); i++)
		signal(defaults[i], SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0 || getppid() != parent)
		_exit(127);
	if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(null, 2) < 0)
		_exit(127);
	close_range(3, ~0U, 0);
	execve(run->program, argv, env);
	_exit(127);
}

/* --- while it runs ---------------------------------------------------------------------------- */

struct ends {
	int in[2], out[2], null; /* pipes: reading end, writing end */
};

static void ends_close(struct ends *e)
{
	for (int i = 0; i < 2; i++) {
		cleanup_fd_ptr(&e->in[i]);
		cleanup_fd_ptr(&e->out[i]);
	}
	cleanup_fd_ptr(&e->null);
}

static int ends_open(struct ends *e, struct error *err)
{
	e->null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (e->null < 0)
		return error_sys(err, "open /dev/null");
	if (pipe2(e->in, O_CLOEXEC) < 0 || pipe2(e->out, O_CLOEXEC) < 0)
		return error_sys(err, "make a pipe");
	if (fcntl(e->in[1], F_SETFL, O_NONBLOCK) < 0 || fcntl(e->out[0], F_SETFL, O_NONBLOCK) < 0)
		return error_sys(err, "set up a pipe");
	return 0;
}

/* One that wants to hear nothing is none of our business. */
static void write_some(int *fd, const char **from, size_t *left)
{
	ssize_t n = *left ? write(*fd, *from, *left) : 0;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0) {
		*from += n;
		*left -= (size_t)n;
	}
	if (n < 0 || !*left)
		close(steal_fd(fd));
}

/* All that is there now. One byte more than there may be shows that there is more. */
static void read_some(int *fd, struct buffer *to)
{
	while (*fd >= 0 && to->len <= AUTH_HELPER_OUTPUT_MAX) {
		ssize_t n = read(*fd, to->data + to->len, AUTH_HELPER_OUTPUT_MAX + 1 - to->len);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0)
			close(steal_fd(fd));
		else
			buffer_grew(to, (size_t)n);
	}
}

static int check_patience(const struct auth_helper_run *run, int64_t end_ms,
			  const struct buffer *out, struct error *err)
{
	if (interrupt_check(err) < 0)
		return -1;
	if (out->len > AUTH_HELPER_OUTPUT_MAX)
		return error_set(err, ERR_SYSTEM, "it says more than %d bytes",
				 AUTH_HELPER_OUTPUT_MAX);
	if (now_ms() >= end_ms)
		return error_set(err, ERR_SYSTEM, "no end after %u s", run->timeout_ms / 1000);
	return 0;
}

/*
 * Talk to it until its end, which is that of the process: what it starts may keep the pipe.
 * 0 and *ret_status; -1.
 */
static int talk(const struct auth_helper_run *run, pid_t child, struct ends *e, struct buffer *out,
		int *ret_status, struct error *err)
{
	int64_t end_ms = now_ms() + run->timeout_ms;
	const char *input = run->input;
	size_t left = run->input_len;
	pid_t ended;

	do {
		struct pollfd polled[2] = {{.fd = e->in[1], .events = POLLOUT},
					   {.fd = e->out[0], .events = POLLIN}};

		if (check_patience(run, end_ms, out, err) < 0)
			return -1;
		poll(polled, 2, e->in[1] < 0 && e->out[0] < 0 ? QUICK_MS : TICK_MS);
		ended = waitpid(child, ret_status, WNOHANG);
		if (e->in[1] >= 0 && polled[0].revents)
			write_some(&e->in[1], &input, &left);
		read_some(&e->out[0], out);
	} while (ended == 0);
	if (ended < 0)
		return error_sys(err, "wait for it");
	return check_patience(run, INT64_MAX, out, err);
}

/* Whatever went wrong, it does not live on. */
static void end(pid_t child)
{
	int status;

	if (waitpid(child, &status, WNOHANG) != 0)
		return;
	kill(child, SIGKILL);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
}

int auth_helper_run(const struct auth_helper_run *run, struct buffer *ret_out, int *ret_status,
		    struct error *err)
{
	cleanup(ends_close) struct ends e = {{-1, -1}, {-1, -1}, -1};
	cleanup_secret_buffer struct buffer out = {0};
	cleanup_free char **env = environment_for_child();
	pid_t parent = getpid(), child;

	if (ends_open(&e, err) < 0)
		return -1;
	buffer_reserve(&out, AUTH_HELPER_OUTPUT_MAX + 1);
	out.data[0] = 0;
	child = fork();
	if (child < 0)
		return error_sys(err, "start %s", run->program);
	if (child == 0)
		become(run, env, parent, e.in[0], e.out[1], e.null);
	close(steal_fd(&e.in[0]));
	close(steal_fd(&e.out[1]));
	if (talk(run, child, &e, &out, ret_status, err) < 0) {
		end(child);
		return -1;
	}
	*ret_out = out;
	out = (struct buffer){0};
	return 0;
}
