/* SPDX-License-Identifier: Apache-2.0 */
/* info: engine and why, where things are, how full the pool is, how much there is of what. */
#include "cmd/thinpull/command.h"

#include "cmd/thinpull/context.h"
#include "cmd/thinpull/output.h"
#include "cmd/thinpull/report.h"
#include "cmd/thinpull/version.h"

struct info {
	struct thin_engine_choice engine;
	bool has_pool;
	struct thin_pool_status pool;
	uint64_t base_bytes;
	size_t n_images, n_layers, n_containers;
};

static int count_images(struct store *store, struct info *info, struct error *err)
{
	struct catalog_image *images;

	if (store_images(store, &images, &info->n_images, err) < 0)
		return -1;
	catalog_images_free(images, info->n_images);
	return 0;
}

static int read_pool(struct store *store, struct info *info, struct error *err)
{
	cleanup(snapshots_close_ptr) struct snapshots *session = NULL;
	const struct record *record;

	info->has_pool = store_pool_exists(store);
	if (!info->has_pool)
		return 0;
	if (store_pool_status(store, &info->pool, err) < 0 || store_read(store, &session, err) < 0)
		return -1;
	record = snapshots_record(session);
	info->base_bytes = record->base_bytes;
	for (size_t i = 0; i < record->n; i++) {
		const struct record_entry *entry = &record->entries[i];

		if (entry->state != RECORD_READY)
			continue;
		/* The empty file system below all layers has no ChainID. */
		if (entry->kind == RECORD_CONTAINER)
			info->n_containers++;
		else if (entry->chain_id.algorithm != DIGEST_NONE)
			info->n_layers++;
	}
	return 0;
}

static void print_json(const struct context *context, struct store *store, const struct info *info)
{
	const struct settings *s = context->settings;
	cleanup_jout struct jout o = {0};

	jout_object(&o, NULL);
	version_json(&o);
	jout_string(&o, "engine", thin_engine_name(info->engine.engine));
	jout_string(&o, "engine_reason", info->engine.reason);
	jout_string(&o, "root", store_root(store));
	jout_string(&o, "pool_dir", store_pool_dir(store));
	if (info->has_pool)
		report_pool(&o, "pool", store_pool_name(store), &info->pool,
			    s->min_free_data_percent);
	else
		jout_string(&o, "pool", NULL);
	jout_uint(&o, "base_bytes", info->base_bytes);
	jout_uint(&o, "min_free_space_percent", s->min_free_data_percent);
	jout_uint(&o, "min_free_metadata_percent", s->min_free_metadata_percent);
	jout_uint(&o, "images", info->n_images);
	jout_uint(&o, "layers", info->n_layers);
	jout_uint(&o, "containers", info->n_containers);
	jout_end_object(&o);
	output_json(&o);
}

static void print_text(const struct context *context, struct store *store, const struct info *info)
{
	const struct settings *s = context->settings;

	report_fact("thinpull", "%s", THINPULL_VERSION);
	version_text();
	report_fact("Engine choice", "%s: %s", thin_engine_name(info->engine.engine),
		    info->engine.reason);
	report_fact("Root", "%s", store_root(store));
	report_fact("Images", "%zu", info->n_images);
	report_fact("Layers", "%zu", info->n_layers);
	report_fact("Containers", "%zu", info->n_containers);
	if (!info->has_pool) {
		report_fact("Pool", "%s, not made yet", store_pool_name(store));
		return;
	}
	report_pool_text(store_pool_name(store), &info->pool, s->min_free_data_percent);
	report_fact("Pool folder", "%s", store_pool_dir(store));
}

int cmd_info(const struct context *context, struct error *err)
{
	cleanup(store_close_ptr) struct store *store = NULL;
	struct info info = {0};

	if (context_open_store(context, &store, err) < 0
	    || store_engine(store, &info.engine, err) < 0 || count_images(store, &info, err) < 0
	    || read_pool(store, &info, err) < 0)
		return error_wrap(err, "info");
	if (context->settings->json)
		print_json(context, store, &info);
	else
		print_text(context, store, &info);
	return 0;
}
