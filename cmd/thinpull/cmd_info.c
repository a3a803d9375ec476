/* SPDX-License-Identifier: Apache-2.0 */
/* info: engine and why, where things are, how full the pool is, how much there is of what. */
#include "cmd/thinpull/command.h"

#include "cmd/thinpull/context.h"
#include "cmd/thinpull/output.h"
#include "cmd/thinpull/pool_report.h"
#include "cmd/thinpull/report.h"
#include "cmd/thinpull/version.h"
#include "pkg/base/log.h"

struct info {
	struct thin_engine_choice engine;
	bool has_pool;
	struct store_facts pool;
	bool has_counts; /* not of a pool that cannot be read */
	uint64_t base_bytes;
	size_t n_images, n_layers, n_containers;
};

static void info_release(struct info *info)
{
	store_facts_release(&info->pool);
}

static int count_images(struct store *store, struct info *info, struct error *err)
{
	struct catalog_image *images;

	if (store_images(store, &images, &info->n_images, err) < 0)
		return -1;
	catalog_images_free(images, info->n_images);
	return 0;
}

static int count_entries(struct store *store, struct info *info, struct error *err)
{
	cleanup(snapshots_close_ptr) struct snapshots *session = NULL;
	const struct record *record;

	if (store_read(store, &session, err) < 0)
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

/* Whatever state the pool is in, what can be told is. */
static int read_pool(struct store *store, struct info *info, struct error *err)
{
	struct error problem = {0};

	info->has_counts = true;
	info->has_pool = store_pool_exists(store);
	if (!info->has_pool)
		return count_images(store, info, err);
	if (store_facts_load(store, &info->pool, err) < 0)
		return -1;
	if (info->pool.has_status && count_images(store, info, &problem) == 0
	    && count_entries(store, info, &problem) == 0)
		return 0;
	info->has_counts = false;
	if (!info->pool.has_status)
		return 0;
	log_warning("info: %s", problem.cause);
	return 0;
}

static void json_count(struct jout *o, const char *key, const struct info *info, uint64_t n)
{
	if (info->has_counts)
		jout_uint(o, key, n);
	else
		jout_string(o, key, NULL);
}

/* What docker's info has besides what a pool's status tells. */
static void json_driver(struct jout *o, const struct info *info)
{
	const struct thin_kernel_setup *k = info->pool.has_setup ? &info->pool.setup : NULL;

	jout_object(o, "driver");
	jout_string(o, "backing_filesystem", "ext4");
	jout_bool(o, "udev_sync_supported", k && k->udev);
	jout_bool(o, "deferred_removal_enabled", k);
	jout_bool(o, "deferred_deletion_enabled", false);
	jout_uint(o, "deferred_deleted_devices", 0);
	jout_string(o, "data_loop_file", k ? k->data_file : NULL);
	jout_string(o, "metadata_loop_file", k ? k->metadata_file : NULL);
	jout_string(o, "library_version", k ? k->library : NULL);
	jout_string(o, "driver_version", k ? k->driver : NULL);
	jout_end_object(o);
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
		pool_report(&o, "pool", context, store, &info->pool);
	else
		jout_string(&o, "pool", NULL);
	json_driver(&o, info);
	json_count(&o, "base_bytes", info, info->base_bytes);
	jout_uint(&o, "min_free_space_percent", s->min_free_data_percent);
	jout_uint(&o, "min_free_metadata_percent", s->min_free_metadata_percent);
	json_count(&o, "images", info, info->n_images);
	json_count(&o, "layers", info, info->n_layers);
	json_count(&o, "containers", info, info->n_containers);
	jout_end_object(&o);
	output_json(&o);
}

static void print_text(const struct context *context, struct store *store, const struct info *info)
{
	report_fact("thinpull", "%s", THINPULL_VERSION);
	version_text();
	report_fact("Engine choice", "%s: %s", thin_engine_name(info->engine.engine),
		    info->engine.reason);
	report_fact("Root", "%s", store_root(store));
	if (info->has_counts) {
		report_fact("Images", "%zu", info->n_images);
		report_fact("Layers", "%zu", info->n_layers);
		report_fact("Containers", "%zu", info->n_containers);
	}
	if (!info->has_pool) {
		report_fact("Pool", "%s, not made yet", store_pool_name(store));
		return;
	}
	pool_report_text(context, store, &info->pool);
	report_fact("Pool folder", "%s", store_pool_dir(store));
	if (info->pool.has_status)
		pool_report_docker(context, store, &info->pool, info->base_bytes);
}

int cmd_info(const struct context *context, struct error *err)
{
	cleanup(store_close_ptr) struct store *store = NULL;
	cleanup(info_release) struct info info = {0};

	if (context_look_at_store(context, STORE_ONLY_LOOK, &store, &info.engine, err) < 0
	    || read_pool(store, &info, err) < 0)
		return error_wrap(err, "info");
	if (context->settings->json)
		print_json(context, store, &info);
	else
		print_text(context, store, &info);
	return 0;
}
