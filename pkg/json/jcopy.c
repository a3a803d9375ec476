/* SPDX-License-Identifier: Apache-2.0 */
/* Copies parts of documents into what is written. Documents are at most 64 levels deep. */
#include <jansson.h>
#include <stdlib.h>

#include "pkg/base/cleanup.h"
#include "pkg/json/jout_internal.h"

static void copy_node(struct jout *o, const char *key, json_t *node);

static void copy_object(struct jout *o, const char *key, json_t *node)
{
	jout_object(o, key);
	for (void *i = json_object_iter(node); i; i = json_object_iter_next(node, i))
		copy_node(o, json_object_iter_key(i), json_object_iter_value(i));
	jout_end_object(o);
}

static void copy_array(struct jout *o, const char *key, json_t *node)
{
	jout_array(o, key);
	for (size_t i = 0; i < json_array_size(node); i++)
		copy_node(o, NULL, json_array_get(node, i));
	jout_end_array(o);
}

/* 17 digits, so that a reader gets the same number. */
static void copy_number(struct jout *o, const char *key, json_t *node)
{
	cleanup_free char *text = json_dumps(node, JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));

	jout_raw(o, key, text ? text : "null");
}

static void copy_node(struct jout *o, const char *key, json_t *node)
{
	if (json_is_object(node))
		copy_object(o, key, node);
	else if (json_is_array(node))
		copy_array(o, key, node);
	else if (json_is_string(node))
		jout_string(o, key, json_string_value(node));
	else if (json_is_boolean(node))
		jout_bool(o, key, json_is_true(node));
	else if (json_is_number(node))
		copy_number(o, key, node);
	else
		jout_string(o, key, NULL);
}

void jout_copy(struct jout *o, const char *key, struct jval value)
{
	/* jansson does not know const; nothing here changes a node. */
	copy_node(o, key, (json_t *)(uintptr_t)value.node);
}
