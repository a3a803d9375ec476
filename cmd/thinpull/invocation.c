/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the verb among options and operands. */
#include "cmd/thinpull/invocation.h"

#include <string.h>

#include "cmd/thinpull/settings.h"
#include "cmd/thinpull/suggest.h"

static const struct option_spec no_options[] = {{0}};

/*
 * The tables that hold at this point, the verb's own first: after `image inspect`, --config is not
 * the one for all. Until the verb is known it may be a reference, so pull's.
 */
struct tables {
	const struct option_spec *list[3];
};

static struct tables tables_of(const struct command *command)
{
	const struct command *c = command ? command : command_find("pull", NULL);

	return (struct tables){{c->options ? c->options : no_options, settings_options, NULL}};
}

static int check_not_later(const struct command *command, struct error *err)
{
	if (command->run)
		return 0;
	return error_set(err, ERR_UNSUPPORTED, "the verb '%s' is not there yet", command->name);
}

static int set_command(struct invocation *inv, const struct command *command, struct error *err)
{
	struct tables tables = tables_of(command);

	inv->command = command;
	/* A verb that is not there yet has no table to look them up in. */
	return command->run ? options_recheck(tables.list, &inv->args, err) : 0;
}

static int unknown_second_word(const char *group, const char *word, struct error *err)
{
	struct suggestion best = {0};
	size_t len = strlen(group);

	for (const struct command *c = commands; c->name; c++)
		if (strncmp(c->name, group, len) == 0 && c->name[len] == ' ')
			suggestion_try(&best, word, c->name + len + 1);
	if (best.word)
		return error_set(err, ERR_USAGE, "unknown verb '%.60s', did you mean '%s %s'?",
				 word, group, best.word);
	return error_set(err, ERR_USAGE, "unknown verb '%.60s'", word);
}

static int set_bare(struct invocation *inv, const char *word, struct error *err)
{
	inv->bare = true;
	if (set_command(inv, command_find("pull", NULL), err) < 0)
		return -1;
	args_add_operand(&inv->args, word);
	return 0;
}

/* A word that is no option. @literal: it stands after "--", so it is no verb either. */
static int take_word(struct invocation *inv, const char *word, bool literal, struct error *err)
{
	const struct command *command;

	if (inv->command) {
		args_add_operand(&inv->args, word);
		return 0;
	}
	if (inv->group) {
		command = command_find(inv->group, word);
		if (!command)
			return unknown_second_word(inv->group, word, err);
		return set_command(inv, command, err);
	}
	if (!literal && command_is_group(word)) {
		inv->group = word;
		return 0;
	}
	command = literal ? NULL : command_find(word, NULL);
	return command ? set_command(inv, command, err) : set_bare(inv, word, err);
}

/* Has the command line of another program begun? */
static bool is_verbatim(const struct invocation *inv)
{
	return inv->command && (inv->command->flags & COMMAND_RUNS) && inv->args.n_operands > 0;
}

static void take_verbatim(struct invocation *inv, char **words)
{
	if (*words && strcmp(*words, "--") == 0)
		words++;
	for (; *words; words++)
		args_add_operand(&inv->args, *words);
}

/* What is not there yet takes any words; only the call for help counts. */
static void take_anything(struct invocation *inv, char **argv, int i)
{
	struct tables tables = tables_of(NULL);
	struct error ignored = {0};

	for (; argv[i] && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0
		    || strcmp(argv[i], "--json") == 0)
			if (options_take(tables.list, argv, &i, &inv->args, &ignored) < 0)
				return;
}

static int check_operands(const struct invocation *inv, struct error *err)
{
	const struct command *c = inv->command;

	if (inv->args.n_operands < c->min_operands)
		return error_set(err, ERR_USAGE, "missing operand: %s", c->operands);
	if (inv->args.n_operands > c->max_operands)
		return error_set(err, ERR_USAGE, "'%.60s' is one operand too many",
				 inv->args.operands[c->max_operands]);
	return 0;
}

static int check_complete(const struct invocation *inv, struct error *err)
{
	if (args_has(&inv->args, "help") || args_has(&inv->args, "version"))
		return 0;
	if (inv->group && !inv->command)
		return error_set(err, ERR_USAGE, "a second word is missing");
	if (!inv->command)
		return error_set(err, ERR_USAGE, "no verb and no image");
	if (check_not_later(inv->command, err) < 0)
		return -1;
	return check_operands(inv, err);
}

int invocation_parse(char **argv, struct invocation *ret, struct error *err)
{
	bool literal = false;

	for (int i = 1; argv[i]; i++) {
		if (ret->command && !ret->command->run) {
			take_anything(ret, argv, i);
			break;
		}
		if (is_verbatim(ret)) {
			take_verbatim(ret, argv + i);
			break;
		}
		if (!literal && strcmp(argv[i], "--") == 0) {
			literal = true;
		} else if (!literal && argv[i][0] == '-' && argv[i][1]) {
			struct tables tables = tables_of(ret->command);

			if (options_take(tables.list, argv, &i, &ret->args, err) < 0)
				return -1;
		} else if (take_word(ret, argv[i], literal, err) < 0) {
			return -1;
		}
	}
	return check_complete(ret, err);
}

void invocation_release(struct invocation *inv)
{
	args_release(&inv->args);
	memset(inv, 0, sizeof(*inv));
}
