/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a TOML file line by line: headers and key = value. */
#include "pkg/toml/toml.h"

#include "pkg/base/alloc.h"
#include "pkg/base/utf8.h"
#include "pkg/toml/toml_internal.h"

/* --- keys ------------------------------------------------------------------------------------- */

static bool is_bare(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')
	       || c == '_' || c == '-';
}

static int read_key(struct toml_input *in, char **ret, struct error *err)
{
	const char *start = in->at;

	if (toml_peek(in) == '"' || toml_peek(in) == '\'')
		return toml_read_short_string(in, ret, err);
	while (is_bare(toml_peek(in)))
		in->at++;
	if (in->at == start)
		return toml_fail(in, err, "a key is expected");
	*ret = xstrndup(start, (size_t)(in->at - start));
	return 0;
}

/* Keys with dots between them, and blanks around those. */
static int read_path(struct toml_input *in, struct toml_path *path, struct error *err)
{
	do {
		if (path->n == ARRAY_SIZE(path->parts))
			return toml_fail(in, err, "a key of more than %zu parts",
					 ARRAY_SIZE(path->parts));
		toml_skip_blank(in);
		if (read_key(in, &path->parts[path->n], err) < 0)
			return -1;
		path->n++;
		toml_skip_blank(in);
	} while (toml_take(in, "."));
	return 0;
}

/* --- values ----------------------------------------------------------------------------------- */

static int read_value(struct toml_input *in, unsigned depth, struct toml_node **ret,
		      struct error *err);

static int read_string(struct toml_input *in, struct toml_node **ret, struct error *err)
{
	cleanup(toml_node_free_ptr) struct toml_node *node = toml_node_new(TOML_STRING);

	if (toml_read_string(in, &node->text, err) < 0)
		return -1;
	*ret = steal(&node);
	return 0;
}

/* Behind '[': values over any number of lines, with a comma after each but perhaps the last. */
static int read_array(struct toml_input *in, unsigned depth, struct toml_node **ret,
		      struct error *err)
{
	cleanup(toml_node_free_ptr) struct toml_node *array = toml_node_new(TOML_ARRAY);
	struct toml_node *value;
	bool comma = true;

	array->origin = TOML_BY_VALUE;
	for (;;) {
		if (toml_skip_lines(in, err) < 0)
			return -1;
		if (toml_take(in, "]"))
			break;
		if (!comma)
			return toml_fail(in, err, "',' or ']' is expected");
		if (read_value(in, depth + 1, &value, err) < 0
		    || toml_append(array, &value, in, err) < 0 || toml_skip_lines(in, err) < 0)
			return -1;
		comma = toml_take(in, ",");
	}
	*ret = steal(&array);
	return 0;
}

/* key = value */
static int read_pair(struct toml_input *in, unsigned depth, struct toml_node *table,
		     struct error *err)
{
	cleanup(toml_path_release) struct toml_path path = {0};
	struct toml_node *value;

	if (read_path(in, &path, err) < 0)
		return -1;
	if (!toml_take(in, "="))
		return toml_fail(in, err, "'=' is expected after '%.80s'", path.parts[path.n - 1]);
	toml_skip_blank(in);
	if (read_value(in, depth + 1, &value, err) < 0)
		return -1;
	return toml_put(table, &path, &value, in, err);
}

/* Nothing may be added to an inline table or to what is in it. */
static void close_tables(struct toml_node *node)
{
	node->origin = TOML_BY_VALUE;
	for (struct toml_node *child = node->first; child; child = child->next)
		close_tables(child);
}

/* Behind '{': pairs on one line. */
static int read_inline_table(struct toml_input *in, unsigned depth, struct toml_node **ret,
			     struct error *err)
{
	cleanup(toml_node_free_ptr) struct toml_node *table = toml_node_new(TOML_TABLE);

	toml_skip_blank(in);
	if (!toml_take(in, "}")) {
		do {
			if (read_pair(in, depth, table, err) < 0)
				return -1;
			toml_skip_blank(in);
		} while (toml_take(in, ","));
		if (!toml_take(in, "}"))
			return toml_fail(in, err, "',' or '}' is expected");
	}
	close_tables(table);
	*ret = steal(&table);
	return 0;
}

/* @depth: of brackets around it, bounded for the sake of the stack. */
static int read_value(struct toml_input *in, unsigned depth, struct toml_node **ret,
		      struct error *err)
{
	if (depth > TOML_DEPTH_MAX)
		return toml_fail(in, err, "nested more than %d levels deep", TOML_DEPTH_MAX);
	if (toml_peek(in) == '"' || toml_peek(in) == '\'')
		return read_string(in, ret, err);
	if (toml_take(in, "["))
		return read_array(in, depth, ret, err);
	if (toml_take(in, "{"))
		return read_inline_table(in, depth, ret, err);
	return toml_read_word(in, ret, err);
}

/* --- lines ------------------------------------------------------------------------------------ */

/* Behind '[': the table that the lines below are for. */
static int read_header(struct toml_input *in, struct toml_node *document, struct toml_node **table,
		       struct error *err)
{
	cleanup(toml_path_release) struct toml_path path = {0};
	bool element = toml_take(in, "[");

	if (read_path(in, &path, err) < 0)
		return -1;
	if (!toml_take(in, element ? "]]" : "]"))
		return toml_fail(in, err, "'%s' is expected", element ? "]]" : "]");
	return toml_open(document, &path, element, table, in, err);
}

static int read_document(struct toml_input *in, struct toml_node *document, struct error *err)
{
	struct toml_node *table = document;
	int rc;

	for (;;) {
		if (toml_skip_lines(in, err) < 0)
			return -1;
		if (in->at == in->end)
			return 0;
		rc = toml_take(in, "[") ? read_header(in, document, &table, err)
					: read_pair(in, table->depth, table, err);
		if (rc < 0 || toml_end_line(in, err) < 0)
			return -1;
	}
}

/* --- the whole -------------------------------------------------------------------------------- */

static int check_utf8(const char *text, size_t len, struct error *err)
{
	struct toml_input in = {.at = text, .end = text + len, .line = 1};

	while (in.at < in.end) {
		size_t n = utf8_char(in.at, (size_t)(in.end - in.at));

		if (n == 0)
			return toml_fail(&in, err, "not UTF-8");
		in.line += *in.at == '\n';
		in.at += n;
	}
	return 0;
}

int toml_parse(const void *text, size_t len, const char *what, struct jdoc **ret, struct error *err)
{
	cleanup(toml_node_free_ptr) struct toml_node *document = toml_node_new(TOML_TABLE);
	struct toml_input in = {.at = text, .end = (const char *)text + len, .line = 1};

	if (len > TOML_TEXT_MAX_BYTES)
		return error_set(err, ERR_INVALID, "%zu bytes, at most %d are allowed", len,
				 TOML_TEXT_MAX_BYTES);
	if (len == 0)
		in.at = in.end = "";
	toml_take(&in, "\xef\xbb\xbf"); /* a byte order mark, as some editors put it */
	if (check_utf8(in.at, (size_t)(in.end - in.at), err) < 0
	    || read_document(&in, document, err) < 0)
		return -1;
	return toml_to_json(document, what, ret, err);
}
