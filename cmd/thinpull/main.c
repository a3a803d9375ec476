/* SPDX-License-Identifier: Apache-2.0 */
/* thinpull: understand the command line, run the verb, turn an error into an exit status. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/thinpull/context.h"
#include "cmd/thinpull/errors.h"
#include "cmd/thinpull/hints.h"
#include "cmd/thinpull/invocation.h"
#include "cmd/thinpull/output.h"
#include "cmd/thinpull/progress.h"
#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/base/interrupt.h"
#include "pkg/base/log.h"

#define MAIN_CONFIG_PATH "/etc/thinpull/config.json"

/*
 * A file opened later must not land on 0, 1 or 2 and get our output: fill what the caller closed.
 * Reading end only, so that a result that nobody can get is still an error.
 */
static void main_guard_standard_files(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDONLY);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

static void main_log(enum log_level level, const char *text)
{
	static const char *const marks[] = {
		[LOG_LEVEL_DEBUG] = "debug: ",
		[LOG_LEVEL_NOTICE] = "",
		[LOG_LEVEL_WARNING] = "warning: ",
	};
	cleanup_free char *line = xasprintf("thinpull: %s%s", marks[level], text);

	progress_message(line);
}

static enum log_level main_lowest_level(const struct args *args)
{
	if (args_has(args, "debug"))
		return LOG_LEVEL_DEBUG;
	return args_has(args, "quiet") ? LOG_LEVEL_WARNING : LOG_LEVEL_NOTICE;
}

static int main_run_verb(const struct invocation *inv, int *ret_status, struct error *err)
{
	cleanup(settings_release) struct settings settings = {0};
	struct context context = {.args = &inv->args,
				  .verb = inv->command->name,
				  .exit_status = ret_status};

	if (!(inv->command->flags & COMMAND_WITHOUT_SETTINGS)) {
		if (settings_load(&inv->args, MAIN_CONFIG_PATH, &settings, err) < 0)
			return -1;
		context.settings = &settings;
	}
	return inv->command->run(&context, err);
}

static int main_run(const struct invocation *inv, int *ret_status, struct error *err)
{
	const struct args *args = &inv->args;

	log_set_sink(main_log, main_lowest_level(args));
	if (args_has(args, "version"))
		return cmd_version(&(struct context){.args = args}, err);
	if (!args_has(args, "help"))
		return main_run_verb(inv, ret_status, err);
	help_print(inv->bare ? NULL : inv->command, inv->group, args_has(args, "json"));
	return 0;
}

/*
 * The error object is wanted also when the command line was not understood up to --json. In one
 * that was, that word may be meant for another program.
 */
static bool main_wants_json(const struct invocation *inv, bool understood, char **argv)
{
	if (understood || args_has(&inv->args, "json"))
		return args_has(&inv->args, "json");
	for (; *argv && strcmp(*argv, "--") != 0; argv++)
		if (strcmp(*argv, "--json") == 0)
			return true;
	return false;
}

static int main_report(const struct invocation *inv, bool json, struct error *err)
{
	int status = errors_exit_status(err, inv->command && (inv->command->flags & COMMAND_RUNS));
	cleanup_free char *hint = hint_make(inv, err);
	const char *verb = inv->command ? inv->command->name : inv->group;

	/* Verbs say themselves what they were at; what fails before them does not. */
	if (verb && strncmp(err->context, verb, strlen(verb)) != 0)
		error_wrap(err, "%s", verb);
	errors_print(err, hint, status, json);
	return status;
}

int main(int argc, char **argv)
{
	struct invocation inv = {0};
	struct error err = {0}, late = {0};
	bool understood, json;
	int status = 0;

	(void)argc;
	main_guard_standard_files();
	interrupt_install();
	understood = invocation_parse(argv, &inv, &err) == 0;
	json = main_wants_json(&inv, understood, argv);
	if (!understood || main_run(&inv, &status, &err) < 0)
		status = main_report(&inv, json, &err);
	if (output_finish(&late) < 0 && status == 0)
		status = main_report(&inv, json, &late);
	invocation_release(&inv);
	return status;
}
