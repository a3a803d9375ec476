/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first process of the namespaces: mounts, starts the runtime, reaps, unmounts. All it mounts
 * is below the run folder, where nobody else can see it:
 *
 *   <run dir>/bundle/config.json
 *   <run dir>/bundle/rootfs/      the container
 *   <run dir>/state/              the runtime's
 *   <run dir>/pid                 written by the runtime once the container is started
 *   <run dir>/log                 the runtime's, a JSON object in each line
 */
#include "oci/runtime_internal.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/base/fdio.h"
#include "pkg/base/log.h"
#include "pkg/host/loop.h"
#include "pkg/host/mounts.h"
#include "pkg/json/jdoc.h"

enum { LOG_MAX_BYTES = 1 << 20 };

struct places {
	char *bundle, *config, *rootfs, *state, *pid_file, *log;
};

static void places_release(struct places *p)
{
	free(p->bundle);
	free(p->config);
	free(p->rootfs);
	free(p->state);
	free(p->pid_file);
	free(p->log);
}

static void places_name(const char *run_dir, struct places *ret)
{
	ret->bundle = xasprintf("%s/bundle", run_dir);
	ret->config = xasprintf("%s/config.json", ret->bundle);
	ret->rootfs = xasprintf("%s/rootfs", ret->bundle);
	ret->state = xasprintf("%s/state", run_dir);
	ret->pid_file = xasprintf("%s/pid", run_dir);
	ret->log = xasprintf("%s/log", run_dir);
}

/* --- mounts ----------------------------------------------------------------------------------- */

static void leave_loops_in(const char *folder)
{
	cleanup(loop_list_release) struct loop_list devices = {0};
	struct error err = {0};

	if (loop_find_in(folder, &devices, &err) < 0)
		log_debug("%s", err.cause);
	for (size_t i = 0; i < devices.n; i++)
		if (mounts_leave(devices.paths[i], &err) < 0)
			log_debug("%s", err.cause);
}

/*
 * Containers that are mounted on the host are so here, too, and could not be let go of there where
 * mounts are not shared, until this run ends.
 */
static void leave_others(const struct runtime_options *options)
{
	cleanup_free char *kin = NULL;
	struct error err = {0};

	if (options->file) {
		kin = xstrndup(options->file,
			       (size_t)(strrchr(options->file, '/') - options->file));
		leave_loops_in(kin);
	}
	if (options->device) {
		kin = xstrndup(options->device,
			       (size_t)(strrchr(options->device, '-') + 1 - options->device));
		if (mounts_leave_named(kin, &err) < 0)
			log_debug("%s", err.cause);
	}
}

static int make_places(const struct runtime_options *options, const struct places *p,
		       struct error *err)
{
	if (mount("tmpfs", options->run_dir, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
		  "mode=0700,size=64m")
	    < 0)
		return error_sys(err, "mount a tmpfs on %s", options->run_dir);
	if (fdio_mkdirs(p->rootfs, err) < 0 || fdio_mkdirs(p->state, err) < 0)
		return -1;
	return fdio_replace_file(p->config, options->config->data, options->config->len, err);
}

static int mount_file(const char *file, const char *dir, struct error *err)
{
	char device[LOOP_PATH_BYTES];
	cleanup_fd int fd = -1;

	if (loop_attach(file, LOOP_AUTOCLEAR, &fd, device, err) < 0)
		return -1;
	return mounts_add(device, dir, false, err);
}

static int mount_rootfs(const struct runtime_options *options, const struct places *p,
			struct error *err)
{
	if (options->file)
		return mount_file(options->file, p->rootfs, err);
	if (options->device)
		return mounts_add(options->device, p->rootfs, false, err);
	if (mount(options->folder, p->rootfs, NULL, MS_BIND, NULL) < 0)
		return error_sys(err, "bind %s", options->folder);
	return 0;
}

/* --- the runtime ------------------------------------------------------------------------------ */

/* All signals default and none blocked, no files but the standard ones. */
static int prepare_spawn(posix_spawnattr_t *attributes, posix_spawn_file_actions_t *actions)
{
	sigset_t all, none;

	/* With those that glibc keeps for itself, which it would set to ignored. */
	memset(&all, 0xff, sizeof(all));
	sigemptyset(&none);
	posix_spawnattr_init(attributes);
	posix_spawnattr_setsigdefault(attributes, &all);
	posix_spawnattr_setsigmask(attributes, &none);
	posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
	posix_spawn_file_actions_init(actions);
	return posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1);
}

/* Nothing of our environment: secrets, and sockets meant for us (LISTEN_FDS, NOTIFY_SOCKET). */
static int start_runtime(const struct runtime_options *options, const struct places *p,
			 pid_t *ret_pid, struct error *err)
{
	const char *const argv[] = {
		options->program, "--root",    p->state,    "--log",	p->log,
		"--log-format",	  "json",      "run",	    "--bundle", p->bundle,
		"--pid-file",	  p->pid_file, options->id, NULL,
	};
	const char *const env[] = {
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;

	errno = prepare_spawn(&attributes, &actions);
	if (errno == 0)
		errno = posix_spawn(ret_pid, options->program, &actions, &attributes,
				    (char *const *)argv, (char *const *)env);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	return errno ? error_sys(err, "start %s", options->program) : 0;
}

/* The last line of the log says why. */
static int last_message(const char *text, size_t len, struct jdoc **ret, const char **ret_text)
{
	struct error ignored = {0};
	const char *line;

	while (len && text[len - 1] == '\n')
		len--;
	line = len ? memrchr(text, '\n', len) : NULL;
	line = line ? line + 1 : text;
	if (jdoc_parse(line, len - (size_t)(line - text), "log", ret, &ignored) < 0)
		return -1;
	return jdoc_string(jdoc_root(*ret), "msg", JDOC_REQUIRED, ret_text, &ignored);
}

static int not_started(const struct runtime_options *options, const struct places *p, int status,
		       struct error *err)
{
	cleanup(jdoc_free_ptr) struct jdoc *doc = NULL;
	cleanup_buffer struct buffer log = {0};
	const char *text;

	if (fdio_read_file(p->log, LOG_MAX_BYTES, &log, err) == 0 && log.len
	    && last_message((const char *)log.data, log.len, &doc, &text) == 0)
		return error_set(err, ERR_SYSTEM, "%s", text);
	return error_set(err, ERR_SYSTEM, "%s did not start the container (exit status %d)",
			 options->program, status);
}

static int runtime_result(const struct runtime_options *options, const struct places *p, int status,
			  struct error *err)
{
	if (access(p->pid_file, F_OK) == 0)
		return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	if (WIFEXITED(status))
		return not_started(options, p, WEXITSTATUS(status), err);
	error_set(err, ERR_INTERRUPTED, "ended by signal %d before the container was started",
		  WTERMSIG(status));
	err->sys = WTERMSIG(status);
	return -1;
}

static void end_all_others(void)
{
	kill(-1, SIGKILL);
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
}

static int run(const struct runtime_plan *plan, const struct places *p, struct error *err)
{
	struct error late = {0};
	int status;
	pid_t pid;

	leave_others(plan->options);
	if (make_places(plan->options, p, err) < 0 || mount_rootfs(plan->options, p, err) < 0
	    || start_runtime(plan->options, p, &pid, err) < 0)
		return -1;
	status = relay_wait(plan->relay, pid, RELAY_REAP_ALL);
	end_all_others();
	status = runtime_result(plan->options, p, status, err);
	/* The end of the namespaces would do it too, but silently. */
	if (mounts_remove(p->rootfs, &late) < 0)
		log_warning("%s", late.cause);
	return status;
}

static int close_all_but(int fd, struct error *err)
{
	int first = STDERR_FILENO + 1;

	if (fd >= 0 && dup2(fd, first++) < 0)
		return error_sys(err, "hold a file");
	closefrom(first);
	return 0;
}

int runtime_init(void *arg, struct error *err)
{
	const struct runtime_plan *plan = arg;
	cleanup(places_release) struct places places = {0};

	if (close_all_but(plan->options->hold_fd, err) < 0)
		return -1;
	umask(022);
	places_name(plan->options->run_dir, &places);
	return run(plan, &places, err);
}
