/* SPDX-License-Identifier: Apache-2.0 */
/* What belongs where on a command line, from what the tables say for people. */
#include "cmd/thinpull/completion.h"

#include <string.h>

#include "cmd/thinpull/settings.h"
#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"

void words_release(struct words *w)
{
	buffer_release(&w->literals);
	*w = (struct words){0};
}

/* --- the grammar of the help ------------------------------------------------------------------ */

static bool is_literal(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789-", text[i]))
			return false;
	return len > 1 && text[0] != '-';
}

/* One alternative: "REF", "raw". The rest ("SIZE", "KEY=VALUE") cannot be told. */
static void add_word(struct words *w, const char *text, size_t len)
{
	static const struct {
		const char *text;
		enum word_kinds kind;
	} kinds[] = {
		{"REF", WORD_IMAGE},  {"NAME", WORD_CONTAINER}, {"OLD", WORD_CONTAINER},
		{"DIR", WORD_FOLDER}, {"FILE", WORD_FILE},	{"DEV", WORD_FILE},
		{"VERB", WORD_VERB},
	};

	if (is_literal(text, len)) {
		buffer_printf(&w->literals, " %.*s", (int)len, text);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (strlen(kinds[i].text) == len && memcmp(kinds[i].text, text, len) == 0)
			w->kinds |= kinds[i].kind;
}

/* "NAME|REF", "auto|kernel|file", "FILE|-" */
static void add_alternatives(struct words *w, const char *text, size_t len)
{
	while (len) {
		const char *bar = memchr(text, '|', len);
		size_t word = bar ? (size_t)(bar - text) : len;

		add_word(w, text, word);
		if (bar)
			word++;
		text += word;
		len -= word;
	}
}

void words_of_option(const struct option_spec *option, struct words *ret)
{
	*ret = (struct words){0};
	add_alternatives(ret, option->value, strlen(option->value));
	/* Of an option it is the name of a pool. */
	ret->kinds &= ~(unsigned)WORD_CONTAINER;
}

/* "REF...", "[DIR]", "OLD" */
static void parse_operand(const char *text, size_t len, struct words *ret)
{
	bool optional = len > 2 && text[0] == '[';

	*ret = (struct words){0};
	if (optional) {
		text++;
		len -= 2;
	}
	if (len > 3 && memcmp(text + len - 3, "...", 3) == 0) {
		ret->repeats = true;
		len -= 3;
	}
	add_alternatives(ret, text, len);
	/* One that may be left out is the name of something to be made. */
	if (optional)
		ret->kinds &= ~(unsigned)WORD_CONTAINER;
}

bool words_of_operand(const struct command *command, size_t i, struct words *ret)
{
	const char *text = command->operands;

	for (size_t at = 0; *text; at++) {
		size_t len = strcspn(text, " ");

		/* Options that the usage line names come after all operands. */
		if (text[0] == '-' || strncmp(text, "[-", 2) == 0)
			return false;
		if (at == i) {
			parse_operand(text, len, ret);
			return true;
		}
		text += len + strspn(text + len, " ");
	}
	return false;
}

/* --- verbs ------------------------------------------------------------------------------------ */

size_t completion_first_word(const struct command *c)
{
	return strcspn(c->name, " ");
}

const struct command *completion_next_verb(const struct command *c)
{
	for (c = c ? c + 1 : commands; c->name; c++)
		if (c->run)
			return c;
	return NULL;
}

static bool is_first_of_group(const struct command *c)
{
	size_t len = completion_first_word(c);

	if (!c->name[len])
		return false;
	for (const struct command *o = completion_next_verb(NULL); o != c;
	     o = completion_next_verb(o))
		if (strncmp(o->name, c->name, len + 1) == 0)
			return false;
	return true;
}

const struct command *completion_next_group(const struct command *c)
{
	while ((c = completion_next_verb(c)))
		if (is_first_of_group(c))
			return c;
	return NULL;
}

char *completion_group_summary(const struct command *group)
{
	size_t len = completion_first_word(group);
	struct buffer out = {0};

	for (const struct command *c = completion_next_verb(NULL); c; c = completion_next_verb(c))
		if (strncmp(c->name, group->name, len + 1) == 0)
			buffer_printf(&out, "%s%s", out.len ? ", " : "", c->name + len + 1);
	return buffer_detach(&out);
}

/* --- functions for bash and zsh --------------------------------------------------------------- */

void completion_quote(struct buffer *out, const char *text)
{
	buffer_printf(out, "'");
	for (; *text; text++)
		buffer_printf(out, *text == '\'' ? "'\\''" : "%c", *text);
	buffer_printf(out, "'");
}

/* " 'word:what it means'" */
static void described(struct buffer *out, const char *dashes, const char *word, size_t len,
		      const char *meaning)
{
	cleanup_free char *text = xasprintf("%s%.*s:%s", dashes, (int)len, word, meaning);

	buffer_printf(out, " ");
	completion_quote(out, text);
}

static void verbs_of_group(struct buffer *out, const struct command *group)
{
	size_t len = completion_first_word(group);

	buffer_printf(out, "    %.*s) printf '%%s\\n'", (int)len, group->name);
	for (const struct command *c = completion_next_verb(NULL); c; c = completion_next_verb(c))
		if (strncmp(c->name, group->name, len + 1) == 0)
			described(out, "", c->name + len + 1, strlen(c->name + len + 1),
				  c->summary);
	buffer_printf(out, " ;;\n");
}

static void first_words(struct buffer *out)
{
	buffer_printf(out, "    '') printf '%%s\\n'");
	for (const struct command *c = completion_next_verb(NULL); c; c = completion_next_verb(c)) {
		size_t len = completion_first_word(c);
		cleanup_free char *verbs =
			is_first_of_group(c) ? completion_group_summary(c) : NULL;

		if (!c->name[len])
			described(out, "", c->name, len, c->summary);
		else if (verbs)
			described(out, "", c->name, len, verbs);
	}
	buffer_printf(out, " ;;\n");
}

static void verbs_function(struct buffer *out)
{
	buffer_printf(out, "_thinpull_verbs() {\n    case $1 in\n");
	first_words(out);
	for (const struct command *g = completion_next_group(NULL); g; g = completion_next_group(g))
		verbs_of_group(out, g);
	buffer_printf(out, "    esac\n}\n\n_thinpull_is_group() {\n    case $1 in\n");
	for (const struct command *g = completion_next_group(NULL); g; g = completion_next_group(g))
		buffer_printf(out, "    %.*s) return 0 ;;\n", (int)completion_first_word(g),
			      g->name);
	buffer_printf(out, "    esac\n    return 1\n}\n\n");
}

static void described_options(struct buffer *out, const struct option_spec *options)
{
	for (const struct option_spec *o = options; o && o->name; o++)
		if (!(o->flags & OPTION_LATER))
			described(out, "--", o->name, strlen(o->name), o->help);
}

static void options_function(struct buffer *out)
{
	buffer_printf(out, "_thinpull_options() {\n    case $1 in\n");
	for (const struct command *c = completion_next_verb(NULL); c; c = completion_next_verb(c)) {
		if (!c->options)
			continue;
		buffer_printf(out, "    '%s') printf '%%s\\n'", c->name);
		described_options(out, c->options);
		buffer_printf(out, " ;;\n");
	}
	buffer_printf(out, "    esac\n    printf '%%s\\n'");
	described_options(out, settings_options);
	buffer_printf(out, "\n}\n\n");
}

static void echo_words(struct buffer *out, const struct words *w)
{
	static const char *const names[] = {"@image", "@container", "@dir", "@file", "@verb"};
	bool any = w->literals.len > 0;

	buffer_printf(out, " echo '");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (w->kinds >> i & 1) {
			buffer_printf(out, " %s", names[i]);
			any = true;
		}
	buffer_add(out, w->literals.data, w->literals.len);
	buffer_printf(out, any ? "' ;;\n" : "@' ;;\n");
}

static void option_values(struct buffer *out, const char *verb, const struct option_spec *options)
{
	for (const struct option_spec *o = options; o && o->name; o++) {
		cleanup_words struct words w = {0};

		if (!o->value || o->flags & OPTION_LATER)
			continue;
		words_of_option(o, &w);
		buffer_printf(out, "    %s' --%s'", verb, o->name);
		if (o->letter)
			buffer_printf(out, " | %s' -%c'", verb, o->letter);
		buffer_printf(out, ")");
		echo_words(out, &w);
	}
}

static void values_function(struct buffer *out)
{
	buffer_printf(out, "_thinpull_value() {\n    case \"$1 $2\" in\n");
	for (const struct command *c = completion_next_verb(NULL); c; c = completion_next_verb(c)) {
		cleanup_free char *verb = xasprintf("'%s'", c->name);

		option_values(out, verb, c->options);
	}
	option_values(out, "*", settings_options);
	buffer_printf(out, "    esac\n}\n\n_thinpull_is_global() {\n    case $1 in\n");
	for (const struct option_spec *o = settings_options; o->name; o++)
		if (o->value)
			buffer_printf(out, "    --%s) return 0 ;;\n", o->name);
	buffer_printf(out, "    esac\n    return 1\n}\n\n");
}

static void operands_function(struct buffer *out)
{
	buffer_printf(out, "_thinpull_operand() {\n    case \"$1 $2\" in\n");
	for (const struct command *c = completion_next_verb(NULL); c; c = completion_next_verb(c)) {
		bool more = true;

		for (size_t i = 0; more; i++) {
			cleanup_words struct words w = {0};

			if (!words_of_operand(c, i, &w))
				break;
			more = !w.repeats;
			if (more)
				buffer_printf(out, "    '%s %zu')", c->name, i + 1);
			else
				buffer_printf(out, "    '%s '*)", c->name);
			echo_words(out, &w);
		}
		/* The command line of another program: its own completion cannot be known. */
		if (c->flags & COMMAND_RUNS)
			buffer_printf(out, "    '%s '*) echo '@file' ;;\n", c->name);
	}
	buffer_printf(out, "    esac\n}\n\n");
}

void completion_tables(struct buffer *out)
{
	verbs_function(out);
	options_function(out);
	values_function(out);
	operands_function(out);
}
