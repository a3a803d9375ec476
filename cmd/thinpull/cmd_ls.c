/* SPDX-License-Identifier: Apache-2.0 */
/* ls: the containers of the pool. */
#include "cmd/thinpull/command.h"

#include "cmd/thinpull/context.h"
#include "cmd/thinpull/output.h"
#include "cmd/thinpull/report.h"
#include "cmd/thinpull/table.h"

static int print_json(const struct catalog_container *containers, size_t n, struct error *err)
{
	cleanup_jout struct jout o = {0};

	jout_array(&o, NULL);
	for (size_t i = 0; i < n; i++)
		if (report_container(&o, NULL, &containers[i], err) < 0)
			return -1;
	jout_end_array(&o);
	output_json(&o);
	return 0;
}

static int print_table(const struct catalog_container *containers, size_t n)
{
	static const struct table_column columns[] = {
		{"NAME", TABLE_LEFT},
		{"IMAGE", TABLE_LEFT},
		{"SIZE", TABLE_RIGHT},
		{"MAPPED", TABLE_RIGHT},
		{"MODE", TABLE_LEFT},
		{"CREATED", TABLE_LEFT},
		{0},
	};
	cleanup_table struct table t;

	table_init(&t, columns);
	for (size_t i = 0; i < n; i++) {
		table_cell(&t, containers[i].name);
		table_cell(&t, containers[i].image);
		table_cell_bytes(&t, containers[i].size_bytes);
		table_cell_bytes(&t, containers[i].mapped_bytes);
		table_cell(&t, containers[i].read_only ? "ro" : "rw");
		table_cell(&t, containers[i].created);
	}
	table_print(&t);
	return 0;
}

static int print_names(const struct catalog_container *containers, size_t n)
{
	for (size_t i = 0; i < n; i++)
		output_line("%s", containers[i].name);
	return 0;
}

int cmd_ls(const struct context *context, struct error *err)
{
	cleanup(store_close_ptr) struct store *store = NULL;
	struct catalog_container *containers;
	size_t n;
	int failed;

	if (context_open_store(context, &store, err) < 0
	    || store_containers(store, &containers, &n, err) < 0)
		return -1;
	if (context->settings->json)
		failed = print_json(containers, n, err);
	else if (context->settings->quiet)
		failed = print_names(containers, n);
	else
		failed = print_table(containers, n);
	catalog_containers_free(containers, n);
	return failed;
}
