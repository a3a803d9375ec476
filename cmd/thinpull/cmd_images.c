/* SPDX-License-Identifier: Apache-2.0 */
/* images: what is here. */
#include "cmd/thinpull/command.h"

#include "cmd/thinpull/context.h"
#include "cmd/thinpull/output.h"
#include "cmd/thinpull/report.h"
#include "cmd/thinpull/table.h"

/* "sha256:" and twelve digits, which rmi, create and export take */
#define SHORT_DIGEST_CHARS 19

static void print_json(const struct catalog_image *images, size_t n)
{
	cleanup_jout struct jout o = {0};

	jout_array(&o, NULL);
	for (size_t i = 0; i < n; i++)
		report_image(&o, NULL, &images[i]);
	jout_end_array(&o);
	output_json(&o);
}

static void print_table(const struct catalog_image *images, size_t n, int digest_chars)
{
	static const struct table_column columns[] = {
		{"REF", TABLE_LEFT},
		{"DIGEST", TABLE_LEFT},
		{"PLATFORM", TABLE_LEFT},
		{"LAYERS", TABLE_RIGHT},
		{"SIZE", TABLE_RIGHT},
		{"CREATED", TABLE_LEFT},
		{0},
	};
	cleanup_table struct table t;

	table_init(&t, columns);
	for (size_t i = 0; i < n; i++) {
		table_cell(&t, images[i].ref);
		table_cellf(&t, "%.*s", digest_chars, images[i].digest);
		table_cell(&t, images[i].platform);
		table_cellf(&t, "%llu", (unsigned long long)images[i].layers);
		table_cell_bytes(&t, images[i].size_bytes);
		table_cell(&t, images[i].created);
	}
	table_print(&t);
}

int cmd_images(const struct context *context, struct error *err)
{
	cleanup(store_close_ptr) struct store *store = NULL;
	struct catalog_image *images;
	size_t n;

	if (context_open_store(context, &store, err) < 0
	    || store_images(store, &images, &n, err) < 0)
		return -1;
	if (context->settings->json)
		print_json(images, n);
	else if (context->settings->quiet)
		for (size_t i = 0; i < n; i++)
			output_line("%s", images[i].ref);
	else
		print_table(images, n,
			    args_has(context->args, "no-trunc") ? DIGEST_TEXT_BYTES
								: SHORT_DIGEST_CHARS);
	catalog_images_free(images, n);
	return 0;
}
