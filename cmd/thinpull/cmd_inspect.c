/* SPDX-License-Identifier: Apache-2.0 */
/* inspect NAME: all about a container. */
#include "cmd/thinpull/command.h"

#include <string.h>

#include "cmd/thinpull/context.h"
#include "cmd/thinpull/listing.h"
#include "cmd/thinpull/output.h"
#include "cmd/thinpull/report.h"
#include "cmd/thinpull/sizes.h"

static int print_json(const struct listed_container *container, struct error *err)
{
	cleanup_jout struct jout o = {0};

	if (report_container(&o, NULL, container, err) < 0)
		return -1;
	output_json(&o);
	return 0;
}

/* Where its files are when they are not in the pool, and what they take there. */
static void print_place(const struct container_state *st)
{
	char used[SIZE_TEXT_BYTES];

	if (st->file)
		report_fact("File", "%s, %s", st->file, size_format(st->used_bytes, used));
	if (st->device)
		report_fact("Device", "%s", st->device);
	if (st->mount_point)
		report_fact("Mount point", "%s", st->mount_point);
	if (st->folder)
		report_fact("Folder", "%s", st->folder);
}

static int print_text(const struct listed_container *listed, struct error *err)
{
	const struct catalog_container *c = listed->row;
	const struct container_state *st = &listed->state;
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
	report_fact("State", "%s", container_status_name(st->status));
	print_place(st);
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
	cleanup(listing_release) struct listing listing = {0};
	const char *name = context->args->operands[0];

	if (!store_is_name(name))
		return error_set(err, ERR_USAGE, "'%.60s' is not the name of a container", name);
	if (context_open_store(context, &store, err) < 0
	    || listing_load(store, name, &listing, err) < 0)
		return -1;
	if (!listing.n)
		return error_set(err, ERR_NOT_FOUND, "no container named %s", name);
	if (context->settings->json)
		return print_json(&listing.items[0], err);
	if (!context->settings->quiet)
		return print_text(&listing.items[0], err);
	output_line("%s", name);
	return 0;
}

int cmd_inspect(const struct context *context, struct error *err)
{
	if (inspect(context, err) < 0)
		return error_wrap(err, "inspect %s", context->args->operands[0]);
	return 0;
}
