/* SPDX-License-Identifier: Apache-2.0 */
/* Counts what of an image is not in the pool. */
#include "cmd/thinpull/pull_plan.h"

#include "cmd/thinpull/imageref.h"
#include "cmd/thinpull/output.h"
#include "cmd/thinpull/report.h"
#include "cmd/thinpull/sizes.h"
#include "cmd/thinpull/table.h"
#include "oci/unpack.h"

#define SHORT_DIGEST_CHARS 19

struct plan {
	size_t n_layers; /* to be fetched */
	uint64_t fetch_bytes, unpack_bytes;
};

static struct plan count(const struct image_details *d)
{
	struct plan plan = {0};

	for (size_t i = 0; i < d->n_layers; i++) {
		if (d->layers[i].in_pool)
			continue;
		plan.n_layers++;
		plan.fetch_bytes += d->layers[i].blob->size_bytes;
		plan.unpack_bytes += unpack_estimate(d->layers[i].blob);
	}
	return plan;
}

/* --- JSON ------------------------------------------------------------------------------------- */

static void json_digest(struct jout *o, const char *key, const struct digest *d)
{
	char text[DIGEST_TEXT_BYTES];

	jout_string(o, key, digest_format(d, text));
}

static void json_layer(struct jout *o, const struct image_layer *layer)
{
	jout_object(o, NULL);
	json_digest(o, "digest", &layer->blob->digest);
	json_digest(o, "diff_id", &layer->diff_id);
	json_digest(o, "chain_id", &layer->chain_id);
	jout_string(o, "media_type", layer->blob->media_type_text);
	jout_uint(o, "blob_bytes", layer->blob->size_bytes);
	jout_bool(o, "present", layer->in_pool);
	jout_end_object(o);
}

void pull_plan_json(struct jout *o, const struct image_details *d)
{
	struct plan plan = count(d);

	jout_object(o, NULL);
	jout_string(o, "ref", d->image->ref);
	json_digest(o, "digest", &d->image->target);
	json_digest(o, "manifest", &d->image->manifest);
	jout_string(o, "platform", d->image->platform);
	jout_bool(o, "dry_run", true);
	jout_uint(o, "layers", d->n_layers);
	jout_uint(o, "layers_fetched", plan.n_layers);
	jout_uint(o, "fetched_bytes", plan.fetch_bytes);
	jout_uint(o, "estimated_bytes", plan.unpack_bytes);
	jout_array(o, "plan");
	for (size_t i = 0; i < d->n_layers; i++)
		json_layer(o, &d->layers[i]);
	jout_end_array(o);
	jout_end_object(o);
}

/* --- for people ------------------------------------------------------------------------------- */

static void text_layers(const struct image_details *d)
{
	static const struct table_column columns[] = {
		{"LAYER", TABLE_LEFT},
		{"BLOB", TABLE_RIGHT},
		{"WHAT", TABLE_LEFT},
		{0},
	};
	cleanup_table struct table t;
	char text[DIGEST_TEXT_BYTES];

	table_init(&t, columns);
	for (size_t i = 0; i < d->n_layers; i++) {
		const struct image_layer *layer = &d->layers[i];

		table_cellf(&t, "%.*s", SHORT_DIGEST_CHARS,
			    digest_format(&layer->blob->digest, text));
		table_cell_bytes(&t, layer->blob->size_bytes);
		table_cell(&t, layer->in_pool ? "here already" : "fetch and unpack");
	}
	table_print(&t);
}

void pull_plan_text(const struct image_details *d)
{
	char fetch[SIZE_TEXT_BYTES], unpack[SIZE_TEXT_BYTES], digest[DIGEST_TEXT_BYTES];
	cleanup_free char *name =
		imageref_with_digest(d->image->ref, digest_format(&d->image->target, digest));
	struct plan plan = count(d);

	report_fact("Image", "%s", name);
	report_fact("Platform", "%s", d->image->platform);
	report_fact("Fetch", "%zu of %zu layers, %s", plan.n_layers, d->n_layers,
		    size_format(plan.fetch_bytes, fetch));
	report_fact("Unpack", "to about %s", size_format(plan.unpack_bytes, unpack));
	if (d->n_layers)
		text_layers(d);
}
