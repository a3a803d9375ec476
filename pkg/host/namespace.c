/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clone3(2) with namespaces; what the new process has to say comes back through shared memory. It
 * ends with _exit(), since buffers and atexit functions are the parent's.
 */
#include "pkg/host/namespace.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/base/fdio.h"

/* Seen by both processes. */
struct report {
	bool failed;
	struct error err;
};

struct namespace
{
	pid_t pid;
	struct report *report;
};

/* What the new process has to do. */
struct plan {
	enum namespace_flags flags;
	namespace_main *main;
	void *arg;
	int parent_fd; /* a pidfd */
	uid_t uid;
	gid_t gid;
};

/* --- in the new process ----------------------------------------------------------------------- */

/* A death before the request is not told, hence the second look; getppid() is 0 out of here. */
static void die_with_parent(int parent_fd)
{
	struct pollfd parent = {.fd = parent_fd, .events = POLLIN};

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || poll(&parent, 1, 0) != 0)
		_exit(128 + SIGKILL);
	close(parent_fd);
}

static int write_proc(const char *path, const char *text, struct error *err)
{
	cleanup_fd int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return error_sys(err, "open %s", path);
	return fdio_write(fd, text, strlen(text), path, err);
}

/* user_namespaces(7): without privilege one id can be mapped, and groups must not be dropped. */
static int map_ids(const struct plan *plan, struct error *err)
{
	cleanup_free char *uids = xasprintf("0 %u 1\n", (unsigned)plan->uid);
	cleanup_free char *gids = xasprintf("0 %u 1\n", (unsigned)plan->gid);

	if (write_proc("/proc/self/uid_map", uids, err) < 0
	    || write_proc("/proc/self/setgroups", "deny", err) < 0
	    || write_proc("/proc/self/gid_map", gids, err) < 0)
		return error_wrap(err, "user namespace");
	return 0;
}

/*
 * Slaves, not private: what the host unmounts goes here too, where it can. A /proc that does not
 * fit our process ids is of no use to anybody.
 */
static int own_mounts(struct error *err)
{
	if (mount("none", "/", "none", MS_REC | MS_SLAVE, NULL) == 0
	    && mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == 0)
		return 0;
	if (errno != EPERM && errno != EACCES)
		return error_sys(err, "mount /proc");
	error_sys(err, "mount /proc in new namespaces");
	err->kind = ERR_UNSUPPORTED;
	return error_wrap(err, "mounts are restricted here (AppArmor: sysctl "
			       "kernel.apparmor_restrict_unprivileged_userns=0; in a container: "
			       "parts of /proc are masked)");
}

static int child_main(const struct plan *plan, struct error *err)
{
	die_with_parent(plan->parent_fd);
	if ((plan->flags & NAMESPACE_USER) && map_ids(plan, err) < 0)
		return -1;
	if (own_mounts(err) < 0)
		return -1;
	/* What a terminal sends to a group of processes is to come once, through the parent. */
	if (setsid() < 0)
		return error_sys(err, "start a session");
	return plan->main(plan->arg, err);
}

/* --- in the parent ---------------------------------------------------------------------------- */

static int clone_failed(enum namespace_flags flags, struct error *err)
{
	int sys = errno;

	error_sys(err, "new namespaces");
	if (sys != EPERM && sys != ENOSPC && sys != EUSERS && sys != ENOSYS && sys != EINVAL)
		return -1;
	err->kind = ERR_UNSUPPORTED;
	if (flags & NAMESPACE_USER)
		return error_wrap(err,
				  "user namespaces are not allowed here (sysctl "
				  "user.max_user_namespaces, kernel.unprivileged_userns_clone=1)");
	return error_wrap(err, "this needs CAP_SYS_ADMIN");
}

/* As fork(2), in new namespaces. */
static pid_t clone_into(enum namespace_flags flags)
{
	struct clone_args args = {
		.flags = CLONE_NEWNS | CLONE_NEWPID,
		.exit_signal = SIGCHLD,
	};

	if (flags & NAMESPACE_USER)
		args.flags |= CLONE_NEWUSER;
	return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

static void namespace_free(struct namespace *ns)
{
	if (ns->report)
		munmap(ns->report, sizeof(*ns->report));
	free(ns);
}
DEFINE_CLEANUP(struct namespace *, namespace_free);

static int open_self(int *ret, struct error *err)
{
	*ret = (int)syscall(SYS_pidfd_open, getpid(), 0);
	return *ret < 0 ? error_sys(err, "open this process") : 0;
}

static int make_report(struct report **ret, struct error *err)
{
	void *page = mmap(NULL, sizeof(**ret), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			  -1, 0);

	if (page == MAP_FAILED)
		return error_sys(err, "shared memory");
	*ret = page;
	return 0;
}

int namespace_start(enum namespace_flags flags, namespace_main *main, void *arg,
		    struct namespace **ret, struct error *err)
{
	cleanup(namespace_free_ptr) struct namespace *ns = xcalloc(1, sizeof(*ns));
	cleanup_fd int self = -1;
	struct plan plan = {
		.flags = flags, .main = main, .arg = arg, .uid = geteuid(), .gid = getegid()};
	int status;

	if (make_report(&ns->report, err) < 0 || open_self(&self, err) < 0)
		return -1;
	plan.parent_fd = self;
	ns->pid = clone_into(flags);
	if (ns->pid < 0)
		return clone_failed(flags, err);
	if (ns->pid == 0) {
		status = child_main(&plan, &ns->report->err);
		ns->report->failed = status < 0;
		_exit(status < 0 ? 1 : status);
	}
	*ret = steal(&ns);
	return 0;
}

pid_t namespace_pid(const struct namespace *ns)
{
	return ns->pid;
}

int namespace_finish(struct namespace **ns, int wait_status, int *ret_status, struct error *err)
{
	cleanup(namespace_free_ptr) struct namespace *own = steal(ns);

	if (own->report->failed) {
		*err = own->report->err;
		return -1;
	}
	*ret_status =
		WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
	return 0;
}
