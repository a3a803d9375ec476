/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options as tables, and what a command line said about them. Knows nothing of verbs or settings.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "pkg/base/cleanup.h"
#include "pkg/base/error.h"

enum option_flags {
	OPTION_REPEATS = 1, /* each one counts; else the last one wins */
	OPTION_LATER = 2,   /* part of the contract, not there yet: ERR_UNSUPPORTED when used */
};

/* One option; a table ends with an entry without a name. */
struct option_spec {
	const char *name;  /* long form without the dashes */
	char letter;	   /* short form, 0 = none */
	const char *value; /* what it takes, for the help ("DIR"); NULL = nothing */
	const char *help;
	enum option_flags flags;
};

struct args_option {
	const struct option_spec *spec;
	const char *value; /* NULL when it takes none */
};

/* A command line taken apart. All strings are borrowed from argv. */
struct args {
	struct args_option *options; /* in the order given */
	size_t n_options, room_options;
	const char **operands;
	size_t n_operands, room_operands;
};

void args_release(struct args *a);
#define cleanup_args cleanup(args_release)

void args_add_operand(struct args *a, const char *word);

/*
 * Take the option word at argv[*i]: "--name", "--name=value", "--name value", "-n", "-nvalue", or a
 * cluster of short ones. *i is moved over a value that stands apart.
 *
 * @tables: the tables to look in, ended by NULL.
 * Errors: ERR_USAGE (unknown, with what may have been meant; value missing or not wanted),
 * ERR_UNSUPPORTED (OPTION_LATER).
 */
MUST_CHECK int options_take(const struct option_spec *const *tables, char **argv, int *i,
			    struct args *a, struct error *err);

/*
 * The options so far were looked up in other tables than the verb has: look each up again.
 * Errors: ERR_USAGE when one is not in these tables.
 */
MUST_CHECK int options_recheck(const struct option_spec *const *tables, struct args *a,
			       struct error *err);

const struct option_spec *options_find(const struct option_spec *const *tables, const char *name,
				       size_t len);

/* Was it given? */
bool args_has(const struct args *a, const char *name);
/* The same for the one of this name that takes no value, where there is another that does. */
bool args_has_flag(const struct args *a, const char *name);
/* Its last value, NULL when it was not given. */
const char *args_value(const struct args *a, const char *name);
/* The values of one that repeats: *i starts at 0; NULL = no more. */
const char *args_next(const struct args *a, const char *name, size_t *i);
