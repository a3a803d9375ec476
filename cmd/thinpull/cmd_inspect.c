/* SPDX-License-Identifier: Apache-2.0 */
/* inspect NAME: all about a container. */
#include "cmd/thinpull/command.h"

#include <string.h>

#include "cmd/thinpull/context.h"
#include "cmd/thinpull/output.h"
#include "cmd/thinpull/report.h"
#include "cmd/thinpull/sizes.h"

struct container_list {
	struct catalog_container *items;
	size_t n;
};

static void container_list_release(struct container_list *list)
{
	catalog_containers_free(list->items, list->n);
}

static const struct catalog_container *find(const struct container_list *list, const char *name)
{
	for (size_t i = 0; i < list->n; i++)
		if (strcmp(list->items[i].name, name) == 0)
			return &list->items[i];
	return NULL;
}

static int print_json(const struct catalog_container *container, struct error *err)
{
	cleanup_jout struct jout o = {0};

	if (report_container(&o, NULL, container, err) < 0)
		return -1;
	output_json(&o);
	return 0;
}

static int print_text(const struct catalog_container *c, struct error *err)
{
	cleanup(jdoc_free_ptr) struct jdoc *labels = NULL;
	char size[SIZE_TEXT_BYTES], own[SIZE_TEXT_BYTES];
	const char *key, *value;
	void *iter = NULL;
	struct jval label;

	report_fact("Name", "%s", c->name);
	report_fact("Image", "%s", c->image);
	report_fact("Manifest", "%s", c->manifest);
	report_fact("Created", "%s", c->created);
	report_fact("Thin id", "%u", c->thin_id);
	report_fact("Size", "%s, %s", size_format(c->size_bytes, size),
		    c->read_only ? "read-only" : "writable");
	report_fact("Mapped", "%s, of which %s are its own", size_format(c->mapped_bytes, size),
		    size_format(c->exclusive_bytes, own));
	if (jdoc_parse(c->labels, strlen(c->labels), "labels", &labels, err) < 0)
		return -1;
	while (jdoc_each(jdoc_root(labels), &iter, &key, &label)) {
		if (jdoc_string_value(label, &value, err) < 0)
			return -1;
		report_fact("Label", "%s=%s", key, value);
	}
	return 0;
}

static int inspect(const struct context *context, struct error *err)
{
	cleanup(store_close_ptr) struct store *store = NULL;
	cleanup(container_list_release) struct container_list list = {0};
	const char *name = context->args->operands[0];
	const struct catalog_container *container;

	if (!store_is_name(name))
		return error_set(err, ERR_USAGE, "'%.60s' is not the name of a container", name);
	if (context_open_store(context, &store, err) < 0
	    || store_containers(store, &list.items, &list.n, err) < 0)
		return -1;
	container = find(&list, name);
	if (!container)
		return error_set(err, ERR_NOT_FOUND, "no container named %s", name);
	if (context->settings->json)
		return print_json(container, err);
	if (!context->settings->quiet)
		return print_text(container, err);
	output_line("%s", name);
	return 0;
}

int cmd_inspect(const struct context *context, struct error *err)
{
	if (inspect(context, err) < 0)
		return error_wrap(err, "inspect %s", context->args->operands[0]);
	return 0;
}
