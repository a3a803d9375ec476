/* SPDX-License-Identifier: Apache-2.0 */
/* The shapes of cli.md. What is not known without a device or a mount is null. */
#include "cmd/thinpull/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cmd/thinpull/output.h"
#include "cmd/thinpull/sizes.h"
#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"

#define METADATA_BLOCK_BYTES 4096

void report_image(struct jout *o, const char *key, const struct catalog_image *image)
{
	jout_object(o, key);
	jout_string(o, "ref", image->ref);
	jout_string(o, "digest", image->digest);
	jout_string(o, "manifest", image->manifest);
	jout_string(o, "platform", image->platform);
	jout_uint(o, "size_bytes", image->size_bytes);
	jout_uint(o, "layers", image->layers);
	jout_string(o, "created", image->created);
	jout_string(o, "pool", image->pool);
	jout_end_object(o);
}

/* The catalog keeps them as the text of a JSON object. */
static int report_labels(struct jout *o, const char *labels, struct error *err)
{
	cleanup(jdoc_free_ptr) struct jdoc *doc = NULL;
	const char *key, *text;
	struct jval value;
	void *iter = NULL;

	jout_object(o, "labels");
	if (labels && *labels) {
		if (jdoc_parse(labels, strlen(labels), "labels", &doc, err) < 0)
			goto bad;
		while (jdoc_each(jdoc_root(doc), &iter, &key, &value)) {
			if (jdoc_string_value(value, &text, err) < 0)
				goto bad;
			jout_string(o, key, text);
		}
	}
	jout_end_object(o);
	return 0;
bad:
	err->kind = ERR_INCONSISTENT;
	return -1;
}

int report_container(struct jout *o, const char *key, const struct listed_container *listed,
		     struct error *err)
{
	const struct catalog_container *container = listed->row;
	const struct container_state *state = &listed->state;

	jout_object(o, key);
	jout_string(o, "name", container->name);
	jout_string(o, "image", container->image);
	jout_string(o, "manifest", container->manifest);
	jout_uint(o, "thin_id", container->thin_id);
	jout_uint(o, "size_bytes", container->size_bytes);
	jout_bool(o, "read_only", container->read_only);
	jout_string(o, "state", container_status_name(state->status));
	jout_string(o, "device", state->device);
	jout_string(o, "mount_point", state->mount_point);
	jout_string(o, "file", state->file);
	jout_string(o, "folder", state->folder);
	if (report_labels(o, container->labels, err) < 0)
		return error_wrap(err, "container %s", container->name);
	jout_uint(o, "mapped_bytes", listed->mapped_bytes);
	jout_uint(o, "exclusive_bytes", container->exclusive_bytes);
	jout_string(o, "created", container->created);
	jout_end_object(o);
	return 0;
}

int report_stored_image(struct jout *o, struct store *store, const char *ref, struct error *err)
{
	struct catalog_image *images;
	size_t n;

	if (store_images(store, &images, &n, err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (strcmp(images[i].ref, ref) == 0)
			report_image(o, NULL, &images[i]);
	catalog_images_free(images, n);
	if (!o->text.len)
		return error_set(err, ERR_NOT_FOUND, "%s was removed meanwhile", ref);
	return 0;
}

int report_stored_container(struct jout *o, struct store *store, const char *name,
			    struct error *err)
{
	cleanup(listing_release) struct listing listing = {0};

	if (listing_load(store, name, &listing, err) < 0)
		return -1;
	if (!listing.n)
		return error_set(err, ERR_NOT_FOUND, "%s was removed meanwhile", name);
	return report_container(o, NULL, &listing.items[0], err);
}

uint64_t report_data_bytes(const struct thin_pool_status *status, uint64_t blocks)
{
	return blocks * status->block_bytes;
}

uint64_t report_metadata_bytes(uint64_t blocks)
{
	return blocks * METADATA_BLOCK_BYTES;
}

static void report_usage(struct jout *o, const char *key, uint64_t used, uint64_t total)
{
	jout_object(o, key);
	jout_uint(o, "used_bytes", used);
	jout_uint(o, "total_bytes", total);
	jout_uint(o, "available_bytes", total > used ? total - used : 0);
	jout_end_object(o);
}

uint64_t report_guard_bytes(const struct thin_pool_status *s, unsigned percent)
{
	return report_data_bytes(s, s->data_total_blocks / 100 * percent
					    + s->data_total_blocks % 100 * percent / 100);
}

void report_pool_status(struct jout *o, const struct thin_pool_status *s,
			unsigned low_water_percent)
{
	jout_uint(o, "block_bytes", s->block_bytes);
	report_usage(o, "data", report_data_bytes(s, s->data_used_blocks),
		     report_data_bytes(s, s->data_total_blocks));
	report_usage(o, "metadata", report_metadata_bytes(s->metadata_used_blocks),
		     report_metadata_bytes(s->metadata_total_blocks));
	jout_uint(o, "transaction_id", s->transaction_id);
	jout_uint(o, "thin_count", s->thin_count);
	jout_bool(o, "needs_check", s->needs_check);
	jout_uint(o, "low_water_bytes", report_guard_bytes(s, low_water_percent));
}

void report_pool(struct jout *o, const char *key, const char *name,
		 const struct thin_pool_status *s, unsigned low_water_percent)
{
	jout_object(o, key);
	jout_string(o, "name", name);
	jout_string(o, "engine", s->engine);
	jout_string(o, "mode", s->mode);
	report_pool_status(o, s, low_water_percent);
	jout_end_object(o);
}

void report_fact(const char *name, const char *fmt, ...)
{
	cleanup_free char *value = NULL;
	va_list ap;

	va_start(ap, fmt);
	value = xvasprintf(fmt, ap);
	va_end(ap);
	output_line("%s:%*s %s", name, (int)(strlen(name) < 15 ? 15 - strlen(name) : 0), "", value);
}

static void report_usage_text(const char *name, uint64_t used, uint64_t total)
{
	char used_text[SIZE_TEXT_BYTES], total_text[SIZE_TEXT_BYTES];

	report_fact(name, "%s of %s used (%llu %%)", size_format(used, used_text),
		    size_format(total, total_text),
		    (unsigned long long)(total ? used * 100 / total : 0));
}

void report_pool_text(const struct thin_pool_status *s, unsigned low_water_percent)
{
	char size[SIZE_TEXT_BYTES];

	report_fact("Block size", "%s", size_format(s->block_bytes, size));
	report_usage_text("Data", report_data_bytes(s, s->data_used_blocks),
			  report_data_bytes(s, s->data_total_blocks));
	report_usage_text("Metadata", report_metadata_bytes(s->metadata_used_blocks),
			  report_metadata_bytes(s->metadata_total_blocks));
	report_fact("Guard", "%s of data (%u %%)",
		    size_format(report_guard_bytes(s, low_water_percent), size), low_water_percent);
	report_fact("Transaction", "%llu", (unsigned long long)s->transaction_id);
	report_fact("Thin devices", "%llu", (unsigned long long)s->thin_count);
	report_fact("Needs check", "%s", s->needs_check ? "yes" : "no");
}
