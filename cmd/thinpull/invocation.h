/* SPDX-License-Identifier: Apache-2.0 */
/* A whole command line: which verb, and what was said to it. */
#pragma once

#include <stdbool.h>

#include "cmd/thinpull/command.h"
#include "cmd/thinpull/options.h"
#include "pkg/base/error.h"

struct invocation {
	const struct command *command; /* NULL: no verb was given */
	const char *group;	       /* "pool", while its second word is still to come */
	bool bare;		       /* a reference stood where a verb would */
	struct args args;
};

/*
 * Options may stand before and after the verb; "--" ends them. The first word that is no verb is
 * an image to pull. After the first operand of a verb with COMMAND_RUNS all words are operands.
 * On errors ret holds what was understood so far.
 *
 * Errors: ERR_USAGE; ERR_UNSUPPORTED for verbs and options that are not there yet.
 */
MUST_CHECK int invocation_parse(char **argv, struct invocation *ret, struct error *err);
void invocation_release(struct invocation *inv);
