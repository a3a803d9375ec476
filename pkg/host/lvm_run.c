/* SPDX-License-Identifier: Apache-2.0 */
/* One run of LVM's program: its environment, its end, what it says. Knows none of its commands. */
#include "pkg/host/lvm_internal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/interrupt.h"
#include "pkg/base/log.h"
#include "pkg/host/program.h"

enum {
	ARGS_MAX = 40,
	OUTPUT_MAX = 4 << 20,
	TICK_MS = 50, /* how soon a signal, or an end without a word, is seen */
};

/* However the machine's own configuration has it, LVM talks to us as it does by default. */
#define CONFIG                                                               \
	"log{verbose=0 command_names=0 report_command_log=0 prefix=\"  \"} " \
	"report{compact_output=0 compact_output_cols=\"\" binary_values_as_numeric=0}"

void lvm_run_release(struct lvm_run *r)
{
	buffer_release(&r->out);
	buffer_release(&r->messages);
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* --- the child -------------------------------------------------------------------------------- */

/* All that it may know of ours. Without a udevd it would wait for one for ever. */
struct environment {
	char *vars[6]; /* owned, the last is NULL */
};

static void environment_release(struct environment *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(e->vars); i++)
		free(e->vars[i]);
}

static void environment_fill(struct environment *e)
{
	const char *path = getenv("PATH"), *system_dir = getenv("LVM_SYSTEM_DIR");
	bool udev = !getenv("DM_DISABLE_UDEV") && access("/run/udev/control", F_OK) == 0;
	size_t n = 0;

	e->vars[n++] = xasprintf("PATH=%s", path ? path : "/usr/sbin:/usr/bin:/sbin:/bin");
	e->vars[n++] = xstrdup("LC_ALL=C");
	e->vars[n++] = xstrdup("LVM_SUPPRESS_FD_WARNINGS=1");
	if (system_dir)
		e->vars[n++] = xasprintf("LVM_SYSTEM_DIR=%s", system_dir);
	if (!udev)
		e->vars[n++] = xstrdup("DM_DISABLE_UDEV=1");
}

/* Between fork and exec: only what is safe there. */
__attribute__((noreturn)) static void become(const char *program, char **argv, char **env,
					     pid_t parent, const int fds[3])
{
	static const int defaults[] = {SIGPIPE, SIGXFSZ, SIGHUP, SIGINT, SIGTERM};
	sigset_t none;

	/* The terminal's ^C is for us, who hand it on. */
	setpgid(0, 0);
	for (size_t i = 0; i < ARRAY_SIZE(defaults); i++)
		signal(defaults[i], SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (prctl(PR_SET_PDEATHSIG, SIGINT) < 0 || getppid() != parent)
		_exit(127);
	for (int fd = 0; fd < 3; fd++)
		if (dup2(fds[fd], fd) < 0)
			_exit(127);
	close_range(3, ~0U, 0);
	execve(program, argv, env);
	_exit(127);
}

static pid_t start(const char *program, const char *const *args, const int fds[3],
		   struct error *err)
{
	cleanup(environment_release) struct environment env = {0};
	char *argv[ARGS_MAX] = {(char *)(uintptr_t) "lvm"};
	pid_t parent = getpid(), child;
	size_t n = 1;

	argv[n++] = (char *)(uintptr_t)*args++;
	argv[n++] = (char *)(uintptr_t) "--config";
	argv[n++] = (char *)(uintptr_t)CONFIG;
	for (; *args && n < ARGS_MAX - 1; args++)
		argv[n++] = (char *)(uintptr_t)*args;
	assert(!*args);
	environment_fill(&env);
	child = fork();
	if (child < 0)
		error_sys(err, "start %s", program);
	if (child == 0)
		become(program, argv, env.vars, parent, fds);
	return child;
}

/* --- its end ---------------------------------------------------------------------------------- */

/* How it is made to end: the signals in turn, with patience between them. */
struct ending {
	int64_t next_ms; /* when the next step is due */
	unsigned step, patience_ms;
	bool timed_out, interrupted;
};

/* False: it has had all signals and the patience after the last. */
static bool ending_step(struct ending *e, pid_t child)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGKILL};

	if (e->step >= ARRAY_SIZE(signals))
		return false;
	kill(child, signals[e->step++]);
	e->next_ms = now_ms() + e->patience_ms;
	return true;
}

static bool ending_look(struct ending *e, pid_t child, enum lvm_run_flags flags)
{
	struct error ignored = {0};

	if (flags & LVM_RUN_INTERRUPTIBLE && e->step == 0 && interrupt_check(&ignored) < 0) {
		e->interrupted = true;
		return ending_step(e, child);
	}
	if (now_ms() < e->next_ms)
		return true;
	if (e->step == 0)
		e->timed_out = true;
	return ending_step(e, child);
}

/* What is there to read now. Closes the descriptor at its end; what is too much is thrown away. */
static void drain(int *fd, struct buffer *to)
{
	char part[4096];
	ssize_t n;

	while (*fd >= 0) {
		n = read(*fd, part, sizeof(part));
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			close(*fd);
			*fd = -1;
			return;
		}
		if (to->len <= OUTPUT_MAX)
			buffer_add(to, part, (size_t)n);
	}
}

/*
 * Its end is that of the process, not of what it writes: a dmeventd that it starts may keep that
 * open. 0: ended, 1: not to be ended, -1.
 */
static int follow(pid_t child, int fds[2], enum lvm_run_flags flags, struct ending *ending,
		  struct lvm_run *run, struct error *err)
{
	pid_t ended;

	for (;;) {
		struct pollfd polled[2] = {{.fd = fds[0], .events = POLLIN},
					   {.fd = fds[1], .events = POLLIN}};

		poll(polled, 2, fds[0] < 0 && fds[1] < 0 ? 1 : TICK_MS);
		ended = waitpid(child, &run->wait_status, WNOHANG);
		drain(&fds[0], &run->out);
		drain(&fds[1], &run->messages);
		if (ended == child)
			return 0;
		if (ended < 0 && errno != EINTR)
			return error_sys(err, "wait for LVM");
		if (!ending_look(ending, child, flags))
			return 1;
	}
}

static int supervise(pid_t child, int fds[2], enum lvm_run_flags flags,
		     const struct lvm_limits *limits, const char *command, struct lvm_run *run,
		     struct error *err)
{
	struct ending ending = {.next_ms = now_ms() + limits->run_ms,
				.patience_ms = limits->patience_ms};
	int rc = follow(child, fds, flags, &ending, run, err);

	if (rc < 0)
		return -1;
	if (rc > 0 || ending.timed_out) {
		errno = ETIMEDOUT;
		return error_sys(err, "lvm %s does not end%s", command,
				 rc > 0 ? ", not even when it is killed" : "");
	}
	if (ending.interrupted)
		return interrupt_check(err);
	if (run->out.len > OUTPUT_MAX)
		return error_set(err, ERR_SYSTEM, "lvm %s says too much", command);
	return 0;
}

/* --- one run ---------------------------------------------------------------------------------- */

struct pipes {
	int null, out[2], messages[2];
};

static void pipes_close(struct pipes *p)
{
	cleanup_fd_ptr(&p->null);
	for (int i = 0; i < 2; i++) {
		cleanup_fd_ptr(&p->out[i]);
		cleanup_fd_ptr(&p->messages[i]);
	}
}

static int pipes_open(struct pipes *p, struct error *err)
{
	p->null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (p->null < 0)
		return error_sys(err, "open /dev/null");
	if (pipe2(p->out, O_CLOEXEC) < 0 || pipe2(p->messages, O_CLOEXEC) < 0)
		return error_sys(err, "make a pipe");
	/* only our ends: whoever writes waits for us */
	if (fcntl(p->out[0], F_SETFL, O_NONBLOCK) < 0
	    || fcntl(p->messages[0], F_SETFL, O_NONBLOCK) < 0)
		return error_sys(err, "set up a pipe");
	return 0;
}

static int run_program(const char *program, const char *const *args, enum lvm_run_flags flags,
		       const struct lvm_limits *limits, struct lvm_run *run, struct error *err)
{
	cleanup(pipes_close) struct pipes p = {-1, {-1, -1}, {-1, -1}};
	int child_fds[3], fds[2];
	pid_t child;
	int rc;

	if (pipes_open(&p, err) < 0)
		return -1;
	child_fds[0] = p.null;
	child_fds[1] = p.out[1];
	child_fds[2] = p.messages[1];
	child = start(program, args, child_fds, err);
	if (child < 0)
		return -1;
	close(steal_fd(&p.out[1]));
	close(steal_fd(&p.messages[1]));
	fds[0] = steal_fd(&p.out[0]);
	fds[1] = steal_fd(&p.messages[0]);
	rc = supervise(child, fds, flags, limits, args[0], run, err);
	p.out[0] = fds[0];
	p.messages[0] = fds[1];
	return rc;
}

static void log_run(const char *const *args)
{
	cleanup_buffer struct buffer text = {0};

	for (; *args; args++)
		buffer_printf(&text, " %s", *args);
	log_debug("run: lvm%s", text.len ? (char *)text.data : "");
}

int lvm_run(const char *const *args, enum lvm_run_flags flags, const struct lvm_limits *limits,
	    struct lvm_run *ret, struct error *err)
{
	cleanup(lvm_run_release) struct lvm_run run = {0};
	cleanup_free char *program = NULL;

	if (program_find("lvm", &program, err) < 0)
		return error_set(err, ERR_UNSUPPORTED, "LVM is not installed (lvm2)");
	if (flags & LVM_RUN_INTERRUPTIBLE && interrupt_check(err) < 0)
		return -1;
	log_run(args);
	if (run_program(program, args, flags, limits, &run, err) < 0)
		return -1;
	*ret = run;
	run = (struct lvm_run){0};
	return 0;
}

/* --- how it went ------------------------------------------------------------------------------ */

/* The first line that is no warning: those that follow say what comes of it. */
static const char *cause_of(const char *text, size_t *ret_len)
{
	static const char warning[] = "WARNING:";
	const char *first = "", *line;
	size_t first_len = 0, len;

	for (line = text; *line; line += len + (line[len] == '\n')) {
		line += strspn(line, " \t");
		len = strcspn(line, "\n");
		if (!len)
			continue;
		if (strncmp(line, warning, sizeof(warning) - 1) != 0) {
			*ret_len = len;
			return line;
		}
		if (!first_len) {
			first = line;
			first_len = len;
		}
	}
	*ret_len = first_len;
	return first;
}

int lvm_run_check(const struct lvm_run *r, const char *command, struct error *err)
{
	const char *cause;
	size_t len;

	if (WIFEXITED(r->wait_status) && WEXITSTATUS(r->wait_status) == 0)
		return 0;
	if (WIFSIGNALED(r->wait_status))
		return error_set(err, ERR_SYSTEM, "lvm %s was ended by signal %d", command,
				 WTERMSIG(r->wait_status));
	cause = cause_of(r->messages.len ? (char *)r->messages.data : "", &len);
	while (len && strchr(" .\r", cause[len - 1]))
		len--;
	if (!len)
		return error_set(err, ERR_SYSTEM, "lvm %s failed without a word, status %d",
				 command, WEXITSTATUS(r->wait_status));
	return error_set(err, ERR_SYSTEM, "lvm %s: %.*s", command, (int)(len < 200 ? len : 200),
			 cause);
}
