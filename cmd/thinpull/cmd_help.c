/* SPDX-License-Identifier: Apache-2.0 */
/* help: written from the tables, so it cannot say what is not so. */
#include "cmd/thinpull/command.h"

#include <stdio.h>
#include <string.h>

#include "cmd/thinpull/context.h"
#include "cmd/thinpull/output.h"
#include "cmd/thinpull/suggest.h"

static void print_options(const struct option_spec *options)
{
	for (const struct option_spec *o = options; o && o->name; o++) {
		char left[64];

		if (o->flags & OPTION_LATER)
			continue;
		snprintf(left, sizeof(left), "%c%c%c --%s%s%s", o->letter ? '-' : ' ',
			 o->letter ? o->letter : ' ', o->letter ? ',' : ' ', o->name,
			 o->value ? " " : "", o->value ? o->value : "");
		output_text("  %-36s %s\n", left, o->help);
	}
}

static bool has_options(const struct option_spec *options)
{
	for (const struct option_spec *o = options; o && o->name; o++)
		if (!(o->flags & OPTION_LATER))
			return true;
	return false;
}

static void print_command(const struct command *c)
{
	output_text("usage: thinpull %s%s%s%s\n\n%c%s.\n", c->name,
		    has_options(c->options) ? " [OPTIONS]" : "", c->operands[0] ? " " : "",
		    c->operands, c->summary[0] - 'a' + 'A', c->summary + 1);
	if (!c->run) {
		output_text("\nThis verb is not there yet.\n");
		return;
	}
	if (c->help)
		output_text("%s\n", c->help);
	if (has_options(c->options)) {
		output_text("\noptions:\n");
		print_options(c->options);
	}
	output_text("\noptions of every verb:\n");
	print_options(settings_options);
}

static bool in_group(const struct command *c, const char *group)
{
	size_t len = strlen(group);

	return strncmp(c->name, group, len) == 0 && c->name[len] == ' ';
}

/* The verbs that are there, of one group or all. */
static void print_commands(const char *group)
{
	for (const struct command *c = commands; c->name; c++) {
		char left[64];

		if (!c->run || (group && !in_group(c, group)))
			continue;
		snprintf(left, sizeof(left), "%s %s", c->name, c->operands);
		output_text("  %-26s %s\n", left, c->summary);
	}
}

static void print_group(const char *group)
{
	output_text("verbs:\n");
	print_commands(group);
}

static void print_later(void)
{
	size_t column = 0;

	for (const struct command *c = commands; c->name; c++) {
		if (c->run)
			continue;
		if (column + strlen(c->name) > 72) {
			output_text(",\n");
			column = 0;
		}
		output_text("%s%s", column ? ", " : "  ", c->name);
		column += strlen(c->name) + 2;
	}
	output_text("\n");
}

static void print_all(void)
{
	output_text("usage: thinpull [OPTIONS] VERB [OPTIONS] ...\n"
		    "       thinpull REF    same as thinpull pull REF\n\n"
		    "Pulls OCI images; every layer is a thin snapshot.\n\nverbs:\n");
	print_commands(NULL);
	output_text("\nnot there yet:\n");
	print_later();
	output_text("\noptions of every verb:\n");
	print_options(settings_options);
	output_text(
		"\nexit status: 0 done, 1 other failure, 2 not found, 3 usage, 4 not authorised,\n"
		"5 verification failed, 6 no space, 7 busy, 8 inconsistent, 9 network,\n"
		"10 not supported here, 11 invalid content, 128+N ended by signal N\n");
}

static void json_options(struct jout *o, const struct option_spec *options)
{
	jout_array(o, "options");
	for (; options && options->name; options++) {
		char letter[2] = {options->letter, 0};

		jout_object(o, NULL);
		jout_string(o, "name", options->name);
		jout_string(o, "letter", options->letter ? letter : NULL);
		jout_string(o, "value", options->value);
		jout_string(o, "help", options->help);
		jout_bool(o, "available", !(options->flags & OPTION_LATER));
		jout_end_object(o);
	}
	jout_end_array(o);
}

static void json_command(struct jout *o, const struct command *c)
{
	jout_object(o, NULL);
	jout_string(o, "verb", c->name);
	jout_string(o, "operands", c->operands);
	jout_string(o, "summary", c->summary);
	jout_bool(o, "available", c->run != NULL);
	json_options(o, c->options);
	jout_end_object(o);
}

/* All verbs, those of a group, or one. */
static void print_json(const struct command *one, const char *group)
{
	cleanup_jout struct jout o = {0};

	if (one) {
		json_command(&o, one);
		output_json(&o);
		return;
	}
	jout_array(&o, NULL);
	for (const struct command *c = commands; c->name; c++)
		if (!group || in_group(c, group))
			json_command(&o, c);
	jout_end_array(&o);
	output_json(&o);
}

static int unknown_verb(const char *word, struct error *err)
{
	struct suggestion best = {0};

	for (const struct command *c = commands; c->name; c++)
		suggestion_try(&best, word, c->name);
	if (best.word)
		return error_set(err, ERR_USAGE, "no verb '%.60s', did you mean '%s'?", word,
				 best.word);
	return error_set(err, ERR_USAGE, "no verb '%.60s'", word);
}

void help_print(const struct command *command, const char *group, bool json)
{
	if (json)
		print_json(command, group);
	else if (command)
		print_command(command);
	else if (group)
		print_group(group);
	else
		print_all();
}

int cmd_help(const struct context *context, struct error *err)
{
	const struct args *args = context->args;
	const char *first = args->n_operands > 0 ? args->operands[0] : NULL;
	const char *second = args->n_operands > 1 ? args->operands[1] : NULL;
	const struct command *command = first ? command_find(first, second) : NULL;

	if (first && !command && (second || !command_is_group(first)))
		return unknown_verb(first, err);
	help_print(command, first, args_has(args, "json"));
	return 0;
}
