/* SPDX-License-Identifier: Apache-2.0 */
/* ls: the containers of the pool. */
#include "cmd/thinpull/command.h"

#include "cmd/thinpull/context.h"
#include "cmd/thinpull/listing.h"
#include "cmd/thinpull/output.h"
#include "cmd/thinpull/report.h"
#include "cmd/thinpull/table.h"

static int print_json(const struct listing *l, struct error *err)
{
	cleanup_jout struct jout o = {0};

	jout_array(&o, NULL);
	for (size_t i = 0; i < l->n; i++)
		if (report_container(&o, NULL, &l->items[i], err) < 0)
			return -1;
	jout_end_array(&o);
	output_json(&o);
	return 0;
}

static void print_table(const struct listing *l)
{
	static const struct table_column columns[] = {
		{"NAME", TABLE_LEFT},	 {"IMAGE", TABLE_LEFT},
		{"SIZE", TABLE_RIGHT},	 {"MAPPED", TABLE_RIGHT},
		{"MODE", TABLE_LEFT},	 {"STATE", TABLE_LEFT},
		{"CREATED", TABLE_LEFT}, {0},
	};
	cleanup_table struct table t;

	table_init(&t, columns);
	for (size_t i = 0; i < l->n; i++) {
		const struct catalog_container *c = l->items[i].row;

		table_cell(&t, c->name);
		table_cell(&t, c->image);
		table_cell_bytes(&t, c->size_bytes);
		table_cell_bytes(&t, l->items[i].mapped_bytes);
		table_cell(&t, c->read_only ? "ro" : "rw");
		table_cell(&t, container_status_name(l->items[i].state.status));
		table_cell(&t, c->created);
	}
	table_print(&t);
}

static void print_names(const struct listing *l)
{
	for (size_t i = 0; i < l->n; i++)
		output_line("%s", l->items[i].row->name);
}

int cmd_ls(const struct context *context, struct error *err)
{
	cleanup(store_close_ptr) struct store *store = NULL;
	cleanup(listing_release) struct listing listing = {0};

	if (context_open_store(context, &store, err) < 0
	    || listing_load(store, NULL, &listing, err) < 0)
		return -1;
	if (context->settings->json)
		return print_json(&listing, err);
	if (context->settings->quiet)
		print_names(&listing);
	else
		print_table(&listing);
	return 0;
}
