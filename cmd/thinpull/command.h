/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A verb of the command line, and the table of all of them. The table is the contract: verbs that
 * are not there yet stand in it too, so that they are refused as such and not taken for images.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "cmd/thinpull/options.h"
#include "pkg/base/error.h"

struct context;

enum command_flags {
	COMMAND_WITHOUT_SETTINGS = 1, /* works whatever the configuration says; settings is NULL */
	/*
	 * Runs another program: what follows the first operand is that one's command line, word by
	 * word (but for a "--" at its start), and the exit status is its own.
	 */
	COMMAND_RUNS = 2,
};

struct command {
	const char *name;     /* "pull", "pool create"; a table ends without one */
	const char *operands; /* for the usage line */
	const char *summary;
	const struct option_spec *options; /* of this verb, or NULL */
	size_t min_operands, max_operands;
	/* NULL: not there yet */
	int (*run)(const struct context *context, struct error *err);
	const char *help; /* more than the summary, or NULL */
	enum command_flags flags;
};

enum { OPERANDS_ANY = 1 << 20 };

extern const struct command commands[];

/* A verb of one word, or of two when second is not NULL. NULL: there is none. */
const struct command *command_find(const char *first, const char *second);
/* Is the word the first of verbs of two words ("pool")? */
bool command_is_group(const char *word);

/* One function for each verb, in cmd_<verb>.c. */
int cmd_pull(const struct context *context, struct error *err);
int cmd_import(const struct context *context, struct error *err);
int cmd_images(const struct context *context, struct error *err);
int cmd_image_inspect(const struct context *context, struct error *err);
int cmd_image_history(const struct context *context, struct error *err);
int cmd_tag(const struct context *context, struct error *err);
int cmd_create(const struct context *context, struct error *err);
int cmd_ls(const struct context *context, struct error *err);
int cmd_inspect(const struct context *context, struct error *err);
int cmd_rm(const struct context *context, struct error *err);
int cmd_rename(const struct context *context, struct error *err);
int cmd_path(const struct context *context, struct error *err);
int cmd_mount(const struct context *context, struct error *err);
int cmd_bundle(const struct context *context, struct error *err);
int cmd_umount(const struct context *context, struct error *err);
int cmd_run(const struct context *context, struct error *err);
int cmd_rmi(const struct context *context, struct error *err);
int cmd_export(const struct context *context, struct error *err);
int cmd_pool_create(const struct context *context, struct error *err);
int cmd_pool_activate(const struct context *context, struct error *err);
int cmd_pool_deactivate(const struct context *context, struct error *err);
int cmd_pool_adopt(const struct context *context, struct error *err);
int cmd_pool_destroy(const struct context *context, struct error *err);
int cmd_pool_extend(const struct context *context, struct error *err);
int cmd_pool_status(const struct context *context, struct error *err);
int cmd_pool_dump(const struct context *context, struct error *err);
int cmd_pool_check(const struct context *context, struct error *err);
int cmd_pool_trim(const struct context *context, struct error *err);
int cmd_pool_watch(const struct context *context, struct error *err);
int cmd_pool_repair(const struct context *context, struct error *err);
int cmd_info(const struct context *context, struct error *err);
int cmd_df(const struct context *context, struct error *err);
int cmd_tree(const struct context *context, struct error *err);
int cmd_login(const struct context *context, struct error *err);
int cmd_logout(const struct context *context, struct error *err);
int cmd_version(const struct context *context, struct error *err);
int cmd_help(const struct context *context, struct error *err);
int cmd_completion(const struct context *context, struct error *err);

/* The help of one verb, of those of a group, or of all (both NULL), on stdout. */
void help_print(const struct command *command, const char *group, bool json);
