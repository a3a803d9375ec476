/* SPDX-License-Identifier: Apache-2.0 */
/* The tree that a TOML file builds up, who may still add to what, and the tree as JSON. */
#include <stdlib.h>
#include <string.h>

#include "pkg/base/alloc.h"
#include "pkg/toml/toml_internal.h"

/* --- life ------------------------------------------------------------------------------------- */

struct toml_node *toml_node_new(enum toml_kind kind)
{
	struct toml_node *node = xcalloc(1, sizeof(*node));

	node->kind = kind;
	return node;
}

/* At most TOML_DEPTH_MAX levels. */
void toml_node_free(struct toml_node *node)
{
	for (struct toml_node *child = node->first, *next; child; child = next) {
		next = child->next;
		toml_node_free(child);
	}
	free(node->key);
	free(node->text);
	free(node);
}

void toml_path_release(struct toml_path *path)
{
	for (size_t i = 0; i < path->n; i++)
		free(path->parts[i]);
	path->n = 0;
}

/* --- members ---------------------------------------------------------------------------------- */

static struct toml_node *find(const struct toml_node *table, const char *key)
{
	struct toml_node *child = table->first;

	while (child && strcmp(child->key, key) != 0)
		child = child->next;
	return child;
}

/* What was read before it had a parent is moved down; it is as deep as its brackets. */
static void set_depth(struct toml_node *node, unsigned depth)
{
	node->depth = depth;
	for (struct toml_node *child = node->first; child; child = child->next)
		set_depth(child, depth + 1);
}

static unsigned height(const struct toml_node *node)
{
	unsigned most = 0;

	for (const struct toml_node *child = node->first; child; child = child->next) {
		unsigned h = height(child) + 1;

		most = h > most ? h : most;
	}
	return most;
}

/* Behind the last member or element. @child: taken. */
static int adopt(struct toml_node *parent, struct toml_node **child, const struct toml_input *in,
		 struct error *err)
{
	cleanup(toml_node_free_ptr) struct toml_node *node = steal(child);

	if (parent->depth + 1 + height(node) > TOML_DEPTH_MAX)
		return toml_fail(in, err, "nested more than %d levels deep", TOML_DEPTH_MAX);
	if (parent->kind == TOML_TABLE && parent->n == TOML_KEYS_MAX)
		return toml_fail(in, err, "more than %d keys in one table", TOML_KEYS_MAX);
	set_depth(node, parent->depth + 1);
	if (parent->last)
		parent->last->next = node;
	else
		parent->first = node;
	parent->last = node;
	parent->n++;
	node = NULL;
	return 0;
}

static int add_member(struct toml_node *table, const char *key, struct toml_node **value,
		      const struct toml_input *in, struct error *err)
{
	(*value)->key = xstrdup(key);
	return adopt(table, value, in, err);
}

static int add_new(struct toml_node *table, const char *key, enum toml_kind kind,
		   enum toml_origin origin, struct toml_node **ret, const struct toml_input *in,
		   struct error *err)
{
	struct toml_node *node = toml_node_new(kind);

	*ret = node;
	node->origin = origin;
	return add_member(table, key, &node, in, err);
}

int toml_append(struct toml_node *array, struct toml_node **value, const struct toml_input *in,
		struct error *err)
{
	return adopt(array, value, in, err);
}

static int refuse_twice(const char *key, const struct toml_input *in, struct error *err)
{
	return toml_fail(in, err, "'%.80s' is there already", key);
}

/* --- keys with dots --------------------------------------------------------------------------- */

/* Into the table `key`, which dots may make or add to, but not one that has a header. */
static int step_by_dots(struct toml_node **table, const char *key, const struct toml_input *in,
			struct error *err)
{
	struct toml_node *next = find(*table, key);

	if (!next)
		return add_new(*table, key, TOML_TABLE, TOML_BY_DOTS, table, in, err);
	if (next->kind != TOML_TABLE || next->origin == TOML_BY_HEADER
	    || next->origin == TOML_BY_VALUE)
		return refuse_twice(key, in, err);
	next->origin = TOML_BY_DOTS;
	*table = next;
	return 0;
}

int toml_put(struct toml_node *table, const struct toml_path *path, struct toml_node **value,
	     const struct toml_input *in, struct error *err)
{
	cleanup(toml_node_free_ptr) struct toml_node *node = steal(value);
	const char *last = path->parts[path->n - 1];

	for (size_t i = 0; i + 1 < path->n; i++)
		if (step_by_dots(&table, path->parts[i], in, err) < 0)
			return -1;
	if (find(table, last))
		return refuse_twice(last, in, err);
	return add_member(table, last, &node, in, err);
}

/* --- headers ---------------------------------------------------------------------------------- */

/* Into what stands for `key` on the way to what a header names: of [[..]] the last element. */
static int step_by_way(struct toml_node **table, const char *key, const struct toml_input *in,
		       struct error *err)
{
	struct toml_node *next = find(*table, key);

	if (!next)
		return add_new(*table, key, TOML_TABLE, TOML_BY_WAY, table, in, err);
	if (next->origin == TOML_BY_VALUE || (next->kind != TOML_TABLE && next->kind != TOML_ARRAY))
		return toml_fail(in, err, "'%.80s' is a value, nothing can be added to it", key);
	*table = next->kind == TOML_ARRAY ? next->last : next;
	return 0;
}

static int open_table(struct toml_node *parent, const char *key, struct toml_node **ret,
		      const struct toml_input *in, struct error *err)
{
	struct toml_node *table = find(parent, key);

	if (!table)
		return add_new(parent, key, TOML_TABLE, TOML_BY_HEADER, ret, in, err);
	if (table->kind != TOML_TABLE || table->origin != TOML_BY_WAY)
		return refuse_twice(key, in, err);
	table->origin = TOML_BY_HEADER;
	*ret = table;
	return 0;
}

static int open_element(struct toml_node *parent, const char *key, struct toml_node **ret,
			const struct toml_input *in, struct error *err)
{
	struct toml_node *array = find(parent, key), *element;

	if (array && (array->kind != TOML_ARRAY || array->origin != TOML_BY_HEADER))
		return refuse_twice(key, in, err);
	if (!array && add_new(parent, key, TOML_ARRAY, TOML_BY_HEADER, &array, in, err) < 0)
		return -1;
	*ret = element = toml_node_new(TOML_TABLE);
	element->origin = TOML_BY_HEADER;
	return adopt(array, &element, in, err);
}

int toml_open(struct toml_node *document, const struct toml_path *path, bool element,
	      struct toml_node **ret, const struct toml_input *in, struct error *err)
{
	struct toml_node *table = document;
	const char *last = path->parts[path->n - 1];

	for (size_t i = 0; i + 1 < path->n; i++)
		if (step_by_way(&table, path->parts[i], in, err) < 0)
			return -1;
	return element ? open_element(table, last, ret, in, err)
		       : open_table(table, last, ret, in, err);
}

/* --- as JSON ---------------------------------------------------------------------------------- */

static void write_node(struct jout *o, const struct toml_node *node);

static void write_children(struct jout *o, const struct toml_node *node)
{
	for (const struct toml_node *child = node->first; child; child = child->next)
		write_node(o, child);
}

/* {"time": ".."}: a string would pass for one. */
static void write_typed(struct jout *o, const char *key, const char *type, const char *text)
{
	jout_object(o, key);
	jout_string(o, type, text);
	jout_end_object(o);
}

static void write_node(struct jout *o, const struct toml_node *node)
{
	switch (node->kind) {
	case TOML_TABLE:
		jout_object(o, node->key);
		write_children(o, node);
		jout_end_object(o);
		break;
	case TOML_ARRAY:
		jout_array(o, node->key);
		write_children(o, node);
		jout_end_array(o);
		break;
	case TOML_STRING:
		jout_string(o, node->key, node->text);
		break;
	case TOML_INTEGER:
		jout_int(o, node->key, node->number);
		break;
	case TOML_BOOLEAN:
		jout_bool(o, node->key, node->number != 0);
		break;
	case TOML_FLOAT:
		write_typed(o, node->key, "float", node->text);
		break;
	case TOML_TIME:
		write_typed(o, node->key, "time", node->text);
		break;
	}
}

int toml_to_json(const struct toml_node *document, const char *what, struct jdoc **ret,
		 struct error *err)
{
	struct jout o = {.compact = true};
	int rc;

	write_node(&o, document);
	rc = jdoc_parse(o.text.data, o.text.len, what, ret, err);
	jout_release(&o);
	return rc;
}
