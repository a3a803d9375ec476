/* SPDX-License-Identifier: Apache-2.0 */
/*
 * df: the space of the pool by who uses it. The sizes in the first table add up to what is used;
 * what they mean is said in oci/usage.h.
 */
#include "cmd/thinpull/command.h"

#include "cmd/thinpull/context.h"
#include "cmd/thinpull/output.h"
#include "cmd/thinpull/report.h"
#include "cmd/thinpull/sizes.h"
#include "cmd/thinpull/table.h"
#include "oci/usage.h"

static uint64_t used_bytes(const struct usage *u)
{
	return report_data_bytes(&u->pool, u->pool.data_used_blocks);
}

/* --- JSON ------------------------------------------------------------------------------------- */

static void json_digest(struct jout *o, const char *key, const struct digest *d)
{
	char text[DIGEST_TEXT_BYTES];

	jout_string(o, key, digest_format(d, text));
}

static void json_images(struct jout *o, const struct usage *u)
{
	jout_array(o, "images");
	for (size_t i = 0; i < u->n_images; i++) {
		const struct usage_image *image = &u->images[i];

		jout_object(o, NULL);
		jout_string(o, "ref", image->ref);
		json_digest(o, "manifest", &image->manifest);
		jout_uint(o, "layers", image->n_layers);
		jout_uint(o, "containers", image->n_containers);
		jout_uint(o, "mapped_bytes", image->mapped_bytes);
		jout_uint(o, "shared_bytes", image->mapped_bytes - image->exclusive_bytes);
		jout_uint(o, "exclusive_bytes", image->exclusive_bytes);
		jout_end_object(o);
	}
	jout_end_array(o);
}

static void json_layers(struct jout *o, const struct usage *u)
{
	jout_array(o, "layers");
	for (size_t i = 0; i < u->n_layers; i++) {
		const struct usage_layer *layer = &u->layers[i];

		jout_object(o, NULL);
		json_digest(o, "chain_id", &layer->chain_id);
		jout_uint(o, "thin_id", layer->thin_id);
		jout_uint(o, "images", layer->n_images);
		jout_uint(o, "size_bytes", layer->content_bytes);
		jout_uint(o, "mapped_bytes", layer->mapped_bytes);
		jout_uint(o, "shared_bytes", layer->mapped_bytes - layer->exclusive_bytes);
		jout_uint(o, "exclusive_bytes", layer->exclusive_bytes);
		jout_end_object(o);
	}
	jout_end_array(o);
}

static void json_containers(struct jout *o, const struct usage *u)
{
	jout_array(o, "containers");
	for (size_t i = 0; i < u->n_containers; i++) {
		const struct usage_container *c = &u->containers[i];

		jout_object(o, NULL);
		jout_string(o, "name", c->entry->name);
		jout_string(o, "image", c->entry->image);
		jout_uint(o, "thin_id", c->entry->thin_id);
		jout_string(o, "state", container_status_name(c->status));
		jout_uint(o, "mapped_bytes", c->mapped_bytes);
		jout_uint(o, "shared_bytes", c->mapped_bytes - c->exclusive_bytes);
		jout_uint(o, "exclusive_bytes", c->exclusive_bytes);
		jout_uint(o, "host_bytes", c->host_bytes);
		jout_end_object(o);
	}
	jout_end_array(o);
}

static void json_sum(struct jout *o, const char *key, const struct usage_sum *sum)
{
	jout_object(o, key);
	jout_uint(o, "count", sum->n);
	jout_uint(o, "active", sum->n_active);
	jout_uint(o, "size_bytes", sum->bytes);
	jout_uint(o, "exclusive_bytes", sum->exclusive_bytes);
	jout_uint(o, "reclaimable_bytes", sum->reclaimable_bytes);
	jout_end_object(o);
}

static void json_totals(struct jout *o, const struct usage *u)
{
	jout_object(o, "totals");
	json_sum(o, "images", &u->image_sum);
	json_sum(o, "containers", &u->container_sum);
	json_sum(o, "unnamed", &u->other_sum);
	json_sum(o, "system", &u->system_sum);
	jout_uint(o, "shared_bytes", u->shared_bytes);
	jout_uint(o, "used_bytes", used_bytes(u));
	jout_uint(o, "host_bytes", u->host_bytes);
	jout_end_object(o);
}

static void print_json(const struct context *context, struct store *store, const struct usage *u)
{
	cleanup_jout struct jout o = {0};

	jout_object(&o, NULL);
	report_pool(&o, "pool", store_pool_name(store), &u->pool,
		    context->settings->min_free_data_percent);
	json_images(&o, u);
	json_layers(&o, u);
	json_containers(&o, u);
	json_totals(&o, u);
	jout_end_object(&o);
	output_json(&o);
}

/* --- for people ------------------------------------------------------------------------------- */

static void sum_row(struct table *t, const char *type, const struct usage_sum *sum)
{
	table_cell(t, type);
	table_cellf(t, "%zu", sum->n);
	table_cellf(t, "%zu", sum->n_active);
	table_cell_bytes(t, sum->bytes);
	table_cell_bytes(t, sum->reclaimable_bytes);
}

static void print_totals(const struct usage *u)
{
	static const struct table_column columns[] = {
		{"TYPE", TABLE_LEFT},  {"TOTAL", TABLE_RIGHT},	     {"ACTIVE", TABLE_RIGHT},
		{"SIZE", TABLE_RIGHT}, {"RECLAIMABLE", TABLE_RIGHT}, {0},
	};
	cleanup_table struct table t;

	table_init(&t, columns);
	sum_row(&t, "Images", &u->image_sum);
	sum_row(&t, "Containers", &u->container_sum);
	if (u->other_sum.n)
		sum_row(&t, "Unnamed layers", &u->other_sum);
	sum_row(&t, "Pool itself", &u->system_sum);
	table_print(&t);
}

static void print_images(const struct usage *u)
{
	static const struct table_column columns[] = {
		{"IMAGE", TABLE_LEFT},	 {"LAYERS", TABLE_RIGHT},    {"CONTAINERS", TABLE_RIGHT},
		{"SHARED", TABLE_RIGHT}, {"EXCLUSIVE", TABLE_RIGHT}, {0},
	};
	cleanup_table struct table t;

	table_init(&t, columns);
	for (size_t i = 0; i < u->n_images; i++) {
		const struct usage_image *image = &u->images[i];

		table_cell(&t, image->ref);
		table_cellf(&t, "%zu", image->n_layers);
		table_cellf(&t, "%zu", image->n_containers);
		table_cell_bytes(&t, image->mapped_bytes - image->exclusive_bytes);
		table_cell_bytes(&t, image->exclusive_bytes);
	}
	output_line("%s", "");
	table_print(&t);
}

static void print_containers(const struct usage *u)
{
	static const struct table_column columns[] = {
		{"CONTAINER", TABLE_LEFT},
		{"IMAGE", TABLE_LEFT},
		{"STATE", TABLE_LEFT},
		{"SHARED", TABLE_RIGHT},
		{"EXCLUSIVE", TABLE_RIGHT},
		{"OUTSIDE", TABLE_RIGHT},
		{0},
	};
	cleanup_table struct table t;

	table_init(&t, columns);
	for (size_t i = 0; i < u->n_containers; i++) {
		const struct usage_container *c = &u->containers[i];

		table_cell(&t, c->entry->name);
		table_cell(&t, c->entry->image);
		table_cell(&t, container_status_name(c->status));
		table_cell_bytes(&t, c->mapped_bytes - c->exclusive_bytes);
		table_cell_bytes(&t, c->exclusive_bytes);
		table_cell_bytes(&t, c->host_bytes);
	}
	output_line("%s", "");
	table_print(&t);
}

static void print_text(const struct context *context, struct store *store, const struct usage *u)
{
	char used[SIZE_TEXT_BYTES], total[SIZE_TEXT_BYTES], outside[SIZE_TEXT_BYTES];

	print_totals(u);
	output_line("%s of %s used in pool %s", size_format(used_bytes(u), used),
		    size_format(report_data_bytes(&u->pool, u->pool.data_total_blocks), total),
		    store_pool_name(store));
	if (u->host_bytes)
		output_line("%s more in files of containers outside the pool",
			    size_format(u->host_bytes, outside));
	if (context->settings->quiet)
		return;
	if (u->n_images)
		print_images(u);
	if (u->n_containers)
		print_containers(u);
}

int cmd_df(const struct context *context, struct error *err)
{
	cleanup(store_close_ptr) struct store *store = NULL;
	cleanup(usage_release) struct usage usage = {0};

	if (context_open_store(context, &store, err) < 0 || usage_measure(store, &usage, err) < 0)
		return error_wrap(err, "df");
	if (context->settings->json)
		print_json(context, store, &usage);
	else
		print_text(context, store, &usage);
	return 0;
}
