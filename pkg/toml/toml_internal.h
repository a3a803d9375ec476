/* SPDX-License-Identifier: Apache-2.0 */
/* Between the parts of the reader: text, words, tables. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pkg/base/error.h"
#include "pkg/toml/toml.h"

/* --- text (input.c) --------------------------------------------------------------------------- */

/* What is left to read; valid UTF-8. */
struct toml_input {
	const char *at, *end;
	unsigned line;
};

/* ERR_INVALID with the line in front. Returns -1. */
int toml_fail(const struct toml_input *in, struct error *err, const char *fmt, ...)
	PRINTF_LIKE(3, 4);

/* The next character without taking it, '\0' at the end. */
char toml_peek(const struct toml_input *in);
/* Take this text if it comes next. */
bool toml_take(struct toml_input *in, const char *text);

/* Spaces and tabs. */
void toml_skip_blank(struct toml_input *in);
/* A line break, if there is one. */
bool toml_take_newline(struct toml_input *in);
/* Blanks, comments and line breaks. */
MUST_CHECK int toml_skip_lines(struct toml_input *in, struct error *err);
/* Nothing may be left on this line but a comment. */
MUST_CHECK int toml_end_line(struct toml_input *in, struct error *err);

/* --- strings (string.c) ----------------------------------------------------------------------- */

/* Any of the four forms; the next character is a quote. @ret: owned, without NULs. */
MUST_CHECK int toml_read_string(struct toml_input *in, char **ret, struct error *err);
/* As that, but of one line, as keys are. */
MUST_CHECK int toml_read_short_string(struct toml_input *in, char **ret, struct error *err);

/* --- tables (node.c) -------------------------------------------------------------------------- */

enum toml_kind {
	TOML_TABLE,
	TOML_ARRAY,
	TOML_STRING,
	TOML_INTEGER,
	TOML_BOOLEAN,
	TOML_FLOAT,
	TOML_TIME,
};

/* How a table or array came to be, which decides who may add to it. */
enum toml_origin {
	TOML_BY_WAY,	/* [a.b] makes a, which may get a header of its own */
	TOML_BY_HEADER, /* [a], and the array that [[a]] adds to */
	TOML_BY_DOTS,	/* a.b = 1 makes a */
	TOML_BY_VALUE,	/* {..} and [..]: whole as they are written */
};

struct toml_node {
	enum toml_kind kind;
	enum toml_origin origin;
	unsigned depth; /* the document is 0 */
	char *key;	/* in a table */
	char *text;	/* of strings, floats, times */
	int64_t number; /* of integers and booleans */
	struct toml_node *first, *last, *next;
	size_t n; /* members or elements */
};

/* "a.b.c" before a value or in a header; parts are owned. */
struct toml_path {
	char *parts[TOML_DEPTH_MAX];
	size_t n;
};

struct toml_node *toml_node_new(enum toml_kind kind);
void toml_node_free(struct toml_node *node);
DEFINE_CLEANUP(struct toml_node *, toml_node_free);
void toml_path_release(struct toml_path *path);

/*
 * Put a value into a table, under the path, whose tables are made as needed.
 * @value: taken, also on failure.
 */
MUST_CHECK int toml_put(struct toml_node *table, const struct toml_path *path,
			struct toml_node **value, const struct toml_input *in, struct error *err);
/* At the end of an array. @value: taken. */
MUST_CHECK int toml_append(struct toml_node *array, struct toml_node **value,
			   const struct toml_input *in, struct error *err);
/* The table of a header [path], or of [[path]] if `element`. @ret: borrowed. */
MUST_CHECK int toml_open(struct toml_node *document, const struct toml_path *path, bool element,
			 struct toml_node **ret, const struct toml_input *in, struct error *err);

/* The document as JSON. @ret: owned. */
MUST_CHECK int toml_to_json(const struct toml_node *document, const char *what, struct jdoc **ret,
			    struct error *err);

/* --- numbers and words (word.c) --------------------------------------------------------------- */

/* A value that is not in quotes or brackets. */
MUST_CHECK int toml_read_word(struct toml_input *in, struct toml_node **ret, struct error *err);
