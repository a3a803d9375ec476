/* SPDX-License-Identifier: Apache-2.0 */
/* For fish: one `complete` for each word and option, with the condition under which it is offered. */
#include "cmd/thinpull/completion.h"

#include <string.h>

#include "cmd/thinpull/settings.h"
#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"

/* Follows the lists __thinpull_groups, __thinpull_globals and __thinpull_valued. */
static const char program[] =
	"# The verb before the cursor, and how many operands it has so far.\n"
	"function __thinpull_state\n"
	"    set -l verb ''\n"
	"    set -l n 0\n"
	"    set -l skip 0\n"
	"    set -l words (commandline -opc)\n"
	"    for word in $words[2..-1]\n"
	"        if test $skip = 1\n"
	"            set skip 0\n"
	"        else if contains -- $word $__thinpull_valued\n"
	"            set skip 1\n"
	"        else if string match -q -- '-?*' $word\n"
	"            continue\n"
	"        else if test -z \"$verb\"\n"
	"            set verb $word\n"
	"        else if contains -- $verb $__thinpull_groups\n"
	"            set verb \"$verb $word\"\n"
	"        else\n"
	"            set n (math $n + 1)\n"
	"        end\n"
	"    end\n"
	"    printf '%s\\n' \"$verb\" $n\n"
	"end\n"
	"\n"
	"function __thinpull_at # VERB\n"
	"    set -l state (__thinpull_state)\n"
	"    test \"$state[1]\" = \"$argv[1]\"\n"
	"end\n"
	"\n"
	"function __thinpull_operand # VERB FIRST LAST\n"
	"    set -l state (__thinpull_state)\n"
	"    test \"$state[1]\" = \"$argv[1]\" -a $state[2] -ge $argv[2] -a $state[2] -le $argv[3]\n"
	"end\n"
	"\n"
	"# What the program lists, with the options for all verbs that are on the line.\n"
	"function __thinpull_list # VERB\n"
	"    set -l words (commandline -opc)\n"
	"    set -l run $words[1]\n"
	"    for i in (seq 2 (count $words))\n"
	"        if contains -- $words[$i] $__thinpull_globals; and set -q words[(math $i + 1)]\n"
	"            set -a run $words[$i] $words[(math $i + 1)]\n"
	"        else if contains -- (string replace -r '=.*' '' -- $words[$i]) $__thinpull_globals\n"
	"            set -a run $words[$i]\n"
	"        end\n"
	"    end\n"
	"    $run -q $argv[1] 2>/dev/null\n"
	"end\n"
	"\n"
	"complete -c thinpull -f\n";

/* In single quotes fish knows the backslash, before itself and a quote. */
static void quote(struct buffer *out, const char *text)
{
	buffer_printf(out, "'");
	for (; *text; text++)
		buffer_printf(out, *text == '\'' || *text == '\\' ? "\\%c" : "%c", *text);
	buffer_printf(out, "'");
}

static void valued(struct buffer *out, const struct option_spec *options)
{
	for (const struct option_spec *o = options; o && o->name; o++) {
		if (!o->value || o->flags & OPTION_LATER)
			continue;
		buffer_printf(out, " --%s", o->name);
		if (o->letter)
			buffer_printf(out, " -%c", o->letter);
	}
}

static void lists(struct buffer *out)
{
	buffer_printf(out, "set -g __thinpull_groups");
	for (const struct command *g = completion_next_group(NULL); g; g = completion_next_group(g))
		buffer_printf(out, " %.*s", (int)completion_first_word(g), g->name);
	buffer_printf(out, "\nset -g __thinpull_globals");
	valued(out, settings_options);
	buffer_printf(out, "\nset -g __thinpull_valued");
	valued(out, settings_options);
	for (const struct command *c = completion_next_verb(NULL); c; c = completion_next_verb(c))
		valued(out, c->options);
	buffer_printf(out, "\n\n");
}

static void verb(struct buffer *out, const char *group, const char *word, size_t len,
		 const char *meaning)
{
	buffer_printf(out, "complete -c thinpull -n '__thinpull_at \"%s\"' -a '%.*s' -d ", group,
		      (int)len, word);
	quote(out, meaning);
	buffer_printf(out, "\n");
}

static void all_verbs(struct buffer *out)
{
	for (const struct command *g = completion_next_group(NULL); g;
	     g = completion_next_group(g)) {
		cleanup_free char *verbs = completion_group_summary(g);

		verb(out, "", g->name, completion_first_word(g), verbs);
	}
	for (const struct command *c = completion_next_verb(NULL); c; c = completion_next_verb(c)) {
		size_t len = completion_first_word(c);
		cleanup_free char *group = xstrndup(c->name, len);

		if (c->name[len])
			verb(out, group, c->name + len + 1, strlen(c->name + len + 1), c->summary);
		else
			verb(out, "", c->name, len, c->summary);
	}
}

static void first_words(struct buffer *out)
{
	for (const struct command *g = completion_next_group(NULL); g; g = completion_next_group(g))
		buffer_printf(out, "%.*s ", (int)completion_first_word(g), g->name);
	for (const struct command *c = completion_next_verb(NULL); c; c = completion_next_verb(c))
		if (!c->name[completion_first_word(c)])
			buffer_printf(out, "%s ", c->name);
}

/* "-a 'words'", and the flag that lets files be offered, too. */
static void candidates(struct buffer *out, const struct words *w)
{
	buffer_printf(out, w->kinds & WORD_FILE ? " -F -a '" : " -a '");
	if (w->kinds & WORD_IMAGE)
		buffer_printf(out, "(__thinpull_list images) ");
	if (w->kinds & WORD_CONTAINER)
		buffer_printf(out, "(__thinpull_list ls) ");
	if (w->kinds & WORD_FOLDER)
		buffer_printf(out, "(__fish_complete_directories) ");
	if (w->kinds & WORD_VERB)
		first_words(out);
	if (w->literals.len)
		buffer_add(out, w->literals.data + 1, w->literals.len - 1);
	buffer_printf(out, "'");
}

static void option(struct buffer *out, const char *condition, const struct option_spec *o)
{
	cleanup_words struct words w = {0};

	buffer_printf(out, "complete -c thinpull%s", condition);
	if (o->letter)
		buffer_printf(out, " -s %c", o->letter);
	buffer_printf(out, " -l %s", o->name);
	if (o->value) {
		words_of_option(o, &w);
		buffer_printf(out, w.kinds & WORD_FILE ? " -r" : " -x");
		candidates(out, &w);
	}
	buffer_printf(out, " -d ");
	quote(out, o->help);
	buffer_printf(out, "\n");
}

static void options(struct buffer *out)
{
	for (const struct option_spec *o = settings_options; o->name; o++)
		option(out, "", o);
	for (const struct command *c = completion_next_verb(NULL); c; c = completion_next_verb(c)) {
		cleanup_free char *condition = xasprintf(" -n '__thinpull_at \"%s\"'", c->name);

		for (const struct option_spec *o = c->options; o && o->name; o++)
			if (!(o->flags & OPTION_LATER))
				option(out, condition, o);
	}
}

static void operands(struct buffer *out, const struct command *c)
{
	bool more = true;

	/* The command line of another program. */
	if (c->flags & COMMAND_RUNS)
		buffer_printf(out, "complete -c thinpull -n '__thinpull_operand \"%s\" 1 %d' -F\n",
			      c->name, OPERANDS_ANY);
	for (size_t i = 0; more; i++) {
		cleanup_words struct words w = {0};

		if (!words_of_operand(c, i, &w))
			return;
		more = !w.repeats;
		if (!w.kinds && !w.literals.len)
			continue;
		buffer_printf(out, "complete -c thinpull -n '__thinpull_operand \"%s\" %zu %zu'",
			      c->name, i, more ? i : OPERANDS_ANY);
		candidates(out, &w);
		buffer_printf(out, "\n");
	}
}

void completion_fish(struct buffer *out)
{
	buffer_printf(out, "# fish completion of thinpull, made by: thinpull completion fish\n\n");
	lists(out);
	buffer_printf(out, "%s", program);
	all_verbs(out);
	options(out);
	for (const struct command *c = completion_next_verb(NULL); c; c = completion_next_verb(c))
		operands(out, c);
}
