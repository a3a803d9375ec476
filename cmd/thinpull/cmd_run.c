/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run REF [CMD...]: a container from an image, and a command in it. The exit status is that of the
 * command. A container that never started is not left behind.
 */
#include "cmd/thinpull/command.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/thinpull/bundle_args.h"
#include "cmd/thinpull/imageref.h"
#include "cmd/thinpull/pull.h"
#include "oci/container_config.h"
#include "oci/runtime.h"
#include "pkg/base/alloc.h"
#include "pkg/base/fdio.h"
#include "pkg/base/log.h"
#include "pkg/host/program.h"

/* What the command line says. */
struct request {
	const char *ref;
	const char *name; /* NULL: one is made up */
	bool remove;
	enum pull_policy policy;
	struct bundle_args bundle;
	char *program; /* the runtime */
};

static void request_release(struct request *r)
{
	bundle_args_release(&r->bundle);
	free(r->program);
}

/* --- the command line ------------------------------------------------------------------------- */

/* Debian's names of packages are those of the programs. */
static int find_runtime(const char *name, char **ret, struct error *err)
{
	static const char *const known[] = {"runc", "crun"};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		if (name && strcmp(name, known[i]) != 0)
			continue;
		if (program_find(known[i], ret, err) == 0)
			return 0;
		if (name)
			return error_set(err, ERR_NOT_FOUND,
					 "there is no %s on this machine; the package %s has it",
					 name, name);
	}
	if (name)
		return program_find(name, ret, err);
	return error_set(err, ERR_NOT_FOUND,
			 "there is no OCI runtime on this machine; the package runc has one, or "
			 "crun");
}

/* Like a shell's command: on a terminal when there is one at both ends. */
static int read_terminal(const struct args *args, bool *ret, struct error *err)
{
	bool in = isatty(STDIN_FILENO), out = isatty(STDOUT_FILENO);

	if (args_has(args, "tty") && !in && !out && !isatty(STDERR_FILENO))
		return error_set(err, ERR_USAGE, "option --tty: there is no terminal here");
	*ret = args_has(args, "tty") || (in && out);
	return 0;
}

static int read_request(const struct args *args, struct request *ret, struct error *err)
{
	ret->ref = args->operands[0];
	ret->name = args_value(args, "name");
	ret->remove = args_has(args, "rm");
	if (ret->name && !store_is_name(ret->name))
		return error_set(err, ERR_USAGE, "option --name: '%.60s' is not a name", ret->name);
	if (imageref_check(ret->ref, err) < 0
	    || pull_policy_read(args, PULL_MISSING, &ret->policy, err) < 0
	    || bundle_args_read(args, 1, &ret->bundle, err) < 0
	    || read_terminal(args, &ret->bundle.options.terminal, err) < 0)
		return -1;
	return find_runtime(args_value(args, "runtime"), &ret->program, err);
}

/* --- the container ---------------------------------------------------------------------------- */

/* What a run needs that lives as long as it does; all owned. */
struct prepared {
	char *id, *cgroups_path, *run_dir;
	char *file, *device; /* root's: one of them */
	char *folder;	     /* of an ordinary user */
	struct buffer config;
};

static void prepared_release(struct prepared *p)
{
	free(p->id);
	free(p->cgroups_path);
	free(p->run_dir);
	free(p->file);
	free(p->device);
	free(p->folder);
	buffer_release(&p->config);
}

/* Its files where the runtime can use them. */
static int take_out(struct container *c, struct prepared *p, struct error *err)
{
	cleanup_free char *dir = NULL, *folder = NULL;

	if (geteuid() == 0)
		return container_lend(c, &p->file, &p->device, err);
	dir = container_private_dir(c);
	folder = xasprintf("%s/rootfs", dir);
	if (fdio_mkdirs(folder, err) < 0 || container_extract(c, folder, err) < 0)
		return -1;
	p->folder = steal(&folder);
	return 0;
}

static int set_alive(void *arg, struct error *err)
{
	return container_set_alive(arg, err);
}

static int prepare(struct store *store, struct container *c, struct bundle_options *bundle,
		   struct runtime_options *ret, struct prepared *p, struct error *err)
{
	if (runtime_id(store_pool_dir(store), container_entry(c)->thin_id, &p->id, err) < 0)
		return -1;
	if (bundle->rootless) {
		/* The namespaces are nested: who runs the runtime is root in the outer one. */
		bundle->host_uid = 0;
		bundle->host_gid = 0;
	} else {
		p->cgroups_path = xasprintf("/%s", p->id);
		bundle->cgroups_path = p->cgroups_path;
	}
	if (container_config(c, bundle, &p->config, err) < 0 || take_out(c, p, err) < 0
	    || container_set_running(c, err) < 0
	    || container_make_mount_point(c, &p->run_dir, err) < 0)
		return -1;
	ret->id = p->id;
	ret->config = &p->config;
	ret->run_dir = p->run_dir;
	ret->file = p->file;
	ret->device = p->device;
	ret->folder = p->folder;
	ret->hold_fd = container_running_fd(c);
	ret->on_start = set_alive;
	ret->arg = c;
	return 0;
}

/* What is left goes with the next command. */
static void warn_of(const char *name, const char *what, const struct error *late)
{
	char text[sizeof(late->context) + sizeof(late->cause) + 4];

	error_text(late, text, sizeof(text));
	log_warning("container %s is not %s: %s", name, what, text);
}

static void take_back(struct container *c)
{
	struct error late = {0};

	if (container_give_back(c, &late) < 0)
		warn_of(container_entry(c)->name, "let go of", &late);
}

/* @ret_status: of the command. An error: it was not started. */
static int start(struct store *store, struct container *c, struct request *request, int *ret_status,
		 struct error *err)
{
	struct runtime_options options = {.program = request->program};
	cleanup(prepared_release) struct prepared p = {0};
	int failed = prepare(store, c, &request->bundle.options, &options, &p, err);

	if (failed == 0) {
		log_debug("container %s is %s for %s", container_entry(c)->name, p.id,
			  options.program);
		failed = runtime_run(&options, ret_status, err);
		container_remove_mount_point(c);
	}
	take_back(c);
	return failed;
}

static void drop(struct container **c)
{
	cleanup_free char *name = xstrdup(container_entry(*c)->name);
	struct error late = {0};

	if (container_remove(c, false, &late) < 0)
		warn_of(name, "removed", &late);
}

/* Nothing of who asked for the image is left when it runs. */
static int fetch(const struct context *context, struct store *store, const struct request *request,
		 struct asker *asker, char **ret_ref, struct error *err)
{
	int failed =
		pull_by_policy(context, asker, store, request->ref, request->policy, ret_ref, err);

	asker_release(asker);
	return failed;
}

static int run(const struct context *context, struct error *err)
{
	cleanup_asker struct asker asker = {0};
	cleanup(store_close_ptr) struct store *store = NULL;
	cleanup(container_close_ptr) struct container *c = NULL;
	cleanup(request_release) struct request request = {0};
	struct store_container_options options = {0};
	cleanup_free char *ref = NULL;
	int failed;

	if (asker_read(context->args, &asker, err) < 0
	    || read_request(context->args, &request, err) < 0
	    || context_open_store(context, &store, err) < 0
	    || fetch(context, store, &request, &asker, &ref, err) < 0)
		return -1;
	options.name = request.name;
	options.temporary = request.remove;
	if (container_create(store, ref, &options, &c, err) < 0)
		return -1;
	failed = start(store, c, &request, context->exit_status, err);
	if (failed || request.remove)
		drop(&c);
	return failed;
}

int cmd_run(const struct context *context, struct error *err)
{
	if (run(context, err) < 0)
		return error_wrap(err, "run %s", context->args->operands[0]);
	return 0;
}
