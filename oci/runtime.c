/* SPDX-License-Identifier: Apache-2.0 */
/* The process outside: starts the first one inside, hands on signals, waits, tidies. */
#include "oci/runtime_internal.h"

#include <assert.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/base/interrupt.h"
#include "pkg/base/log.h"
#include "pkg/host/cgroup.h"
#include "pkg/host/loop.h"
#include "pkg/host/namespace.h"

/* --- names ------------------------------------------------------------------------------------ */

/* Up to the thin id. Two pools never are the same folder, wherever they are mounted. */
static int id_prefix(const char *pool_dir, char **ret, struct error *err)
{
	struct stat st;

	if (stat(pool_dir, &st) < 0)
		return error_sys(err, "look at %s", pool_dir);
	*ret = xasprintf("thinpull-%" PRIx64 "-%" PRIx64 "-", (uint64_t)st.st_dev,
			 (uint64_t)st.st_ino);
	return 0;
}

int runtime_id(const char *pool_dir, uint32_t thin_id, char **ret, struct error *err)
{
	cleanup_free char *prefix = NULL;

	if (id_prefix(pool_dir, &prefix, err) < 0)
		return -1;
	*ret = xasprintf("%s%" PRIu32, prefix, thin_id);
	return 0;
}

/* --- what is left ----------------------------------------------------------------------------- */

static int forget(const char *name, const char *number, runtime_is_running_fn *is_running,
		  void *arg, struct error *err)
{
	char *end;
	unsigned long id = strtoul(number, &end, 10);
	int running;

	if (end == number || *end || id > UINT32_MAX)
		return 0;
	running = is_running((uint32_t)id, arg, err);
	if (running != 0)
		return running < 0 ? -1 : 0;
	return cgroup_remove(name, err);
}

int runtime_forget(const char *pool_dir, runtime_is_running_fn *is_running, void *arg,
		   struct error *err)
{
	cleanup(cgroup_names_release) struct cgroup_names names = {0};
	cleanup_free char *prefix = NULL;

	if (id_prefix(pool_dir, &prefix, err) < 0 || cgroup_find(prefix, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.n; i++)
		if (forget(names.items[i], names.items[i] + strlen(prefix), is_running, arg, err)
		    < 0)
			return -1;
	return 0;
}

static void tidy(const struct runtime_options *options)
{
	struct error err = {0};

	if (options->file && !loop_wait_gone(options->file))
		log_warning("%s is still on a loop device", options->file);
	/* An ordinary user's runtime makes none. */
	if (!options->folder && cgroup_remove(options->id, &err) < 0)
		log_warning("%s: %s", err.context, err.cause);
}

/* --- run -------------------------------------------------------------------------------------- */

/* A runtime that is killed leaves the terminal as it had set it. */
struct terminal {
	bool is_one;
	struct termios before;
};

static void terminal_save(struct terminal *t)
{
	t->is_one = tcgetattr(STDIN_FILENO, &t->before) == 0;
}

/* From the background it would stop this process. */
static void terminal_restore(const struct terminal *t)
{
	struct termios now = {0}; /* with what is between its members */
	sigset_t output, mask;

	if (!t->is_one || tcgetattr(STDIN_FILENO, &now) < 0
	    || memcmp(&now, &t->before, sizeof(now)) == 0)
		return;
	sigemptyset(&output);
	sigaddset(&output, SIGTTOU);
	sigprocmask(SIG_BLOCK, &output, &mask);
	if (tcsetattr(STDIN_FILENO, TCSANOW, &t->before) < 0)
		log_debug("terminal not restored");
	sigprocmask(SIG_SETMASK, &mask, NULL);
}

static int run_in_namespaces(const struct runtime_options *options, const struct relay *relay,
			     int *ret_status, struct error *err)
{
	struct runtime_plan plan = {options, relay};
	struct namespace *ns = NULL;
	struct error late = {0};
	int status, failed;

	/* From here on they are handed on; this one came before. */
	if (interrupt_check(err) < 0
	    || namespace_start(options->folder ? NAMESPACE_USER : 0, runtime_init, &plan, &ns, err)
		       < 0)
		return -1;
	failed = options->on_start ? options->on_start(options->arg, &late) : 0;
	if (failed)
		kill(namespace_pid(ns), SIGKILL);
	status = relay_wait(relay, namespace_pid(ns), 0);
	if (namespace_finish(&ns, status, ret_status, err) < 0)
		return -1;
	if (failed)
		*err = late;
	return failed;
}

int runtime_run(const struct runtime_options *options, int *ret_status, struct error *err)
{
	struct terminal terminal = {0};
	struct relay relay;
	int failed;

	assert(!!options->file + !!options->device + !!options->folder == 1);
	terminal_save(&terminal);
	relay_start(&relay);
	failed = run_in_namespaces(options, &relay, ret_status, err);
	terminal_restore(&terminal);
	tidy(options);
	relay_stop(&relay);
	return failed;
}
