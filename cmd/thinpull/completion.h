/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Completion scripts for shells, written from the tables of verbs and options, so that they offer
 * what there is. Names of containers and references are asked for when they are wanted, by calling
 * the program. completion_words.c says what belongs where, the others how a shell is told.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "cmd/thinpull/command.h"
#include "pkg/base/buffer.h"

enum word_kinds {
	WORD_IMAGE = 1,
	WORD_CONTAINER = 2,
	WORD_FOLDER = 4,
	WORD_FILE = 8,
	WORD_VERB = 16,
};

/* What may stand in one place of a command line. */
struct words {
	enum word_kinds kinds;
	struct buffer literals; /* each with a space in front */
	bool repeats;		/* and in all places after it */
};

void words_release(struct words *w);
#define cleanup_words cleanup(words_release)

/* The value of an option. */
void words_of_option(const struct option_spec *option, struct words *ret);
/* Operand i of a verb, from 0; false: there is none. */
bool words_of_operand(const struct command *command, size_t i, struct words *ret);

/* Groups of verbs, each once: *c starts as NULL; NULL = no more. The first verb of the group. */
const struct command *completion_next_group(const struct command *c);
/* The verbs that are there: after c, which starts as NULL. */
const struct command *completion_next_verb(const struct command *c);
/* How many characters of a verb are its first word. */
size_t completion_first_word(const struct command *c);

/* What a group is for: its verbs, "create, status, check". Owned. */
char *completion_group_summary(const struct command *group);

/* Text in single quotes, for sh and its likes. */
void completion_quote(struct buffer *out, const char *text);

/*
 * Functions of bash and zsh that tell the words: _thinpull_verbs GROUP, _thinpull_options VERB,
 * _thinpull_value VERB OPTION, _thinpull_operand VERB N, _thinpull_is_group WORD,
 * _thinpull_is_global OPTION. Literals as they are, kinds as "@image", "@container", "@dir",
 * "@file", "@verb", and "@" for what cannot be told.
 */
void completion_tables(struct buffer *out);

void completion_bash(struct buffer *out);
void completion_zsh(struct buffer *out);
void completion_fish(struct buffer *out);
