/* SPDX-License-Identifier: Apache-2.0 */
/* For people the facts that matter; the config itself, word by word, is in the JSON. */
#include "cmd/thinpull/image_report.h"

#include <string.h>

#include "cmd/thinpull/output.h"
#include "cmd/thinpull/report.h"
#include "cmd/thinpull/sizes.h"
#include "cmd/thinpull/table.h"

#define SHORT_DIGEST_CHARS 19

/* All of its layers are, if there are any. */
static bool is_in_pool(const struct image_details *d)
{
	for (size_t i = 0; i < d->n_layers; i++)
		if (!d->layers[i].in_pool)
			return false;
	return d->n_layers > 0;
}

/* --- JSON ------------------------------------------------------------------------------------- */

static void json_digest(struct jout *o, const char *key, const struct digest *d)
{
	char text[DIGEST_TEXT_BYTES];

	jout_string(o, key, digest_format(d, text));
}

/* Of an image that is not here not all is known. */
static void json_bytes(struct jout *o, const char *key, bool known, uint64_t bytes)
{
	if (known)
		jout_uint(o, key, bytes);
	else
		jout_string(o, key, NULL);
}

static void json_names(struct jout *o, const char *key, char *const *names, size_t n)
{
	jout_array(o, key);
	for (size_t i = 0; i < n; i++)
		jout_string(o, NULL, names[i]);
	jout_end_array(o);
}

static void json_layer(struct jout *o, const struct image_layer *layer)
{
	jout_object(o, NULL);
	json_digest(o, "digest", &layer->blob->digest);
	json_digest(o, "diff_id", &layer->diff_id);
	json_digest(o, "chain_id", &layer->chain_id);
	jout_string(o, "media_type", layer->blob->media_type_text);
	jout_uint(o, "blob_bytes", layer->blob->size_bytes);
	json_bytes(o, "size_bytes", layer->in_pool, layer->content_bytes);
	json_bytes(o, "thin_id", layer->in_pool, layer->thin_id);
	json_bytes(o, "mapped_bytes", layer->in_pool, layer->mapped_bytes);
	jout_end_object(o);
}

/* The member `config` of the config, as it was pulled. */
static int json_config(struct jout *o, const struct image_details *d, struct error *err)
{
	cleanup(jdoc_free_ptr) struct jdoc *doc = NULL;
	struct jval config;

	if (jdoc_parse(d->config_json.data, d->config_json.len, "config", &doc, err) < 0
	    || jdoc_object(jdoc_root(doc), "config", JDOC_OPTIONAL, &config, err) < 0)
		return -1;
	jout_copy(o, "config", config);
	return 0;
}

int image_report_json(const struct image_details *d, struct error *err)
{
	cleanup_jout struct jout o = {0};
	bool whole = d->image->pool || is_in_pool(d);

	jout_object(&o, NULL);
	jout_string(&o, "ref", d->image->ref);
	json_digest(&o, "digest", &d->image->target);
	json_digest(&o, "manifest", &d->image->manifest);
	json_digest(&o, "config_digest", &d->manifest.config.digest);
	jout_string(&o, "platform", d->image->platform);
	jout_string(&o, "created", d->image->created);
	jout_string(&o, "image_created", d->run.created);
	jout_string(&o, "author", d->run.author);
	jout_string(&o, "pool", d->image->pool);
	json_bytes(&o, "size_bytes", whole, d->size_bytes);
	json_bytes(&o, "mapped_bytes", whole, d->mapped_bytes);
	json_names(&o, "tags", d->tags, d->n_tags);
	json_names(&o, "containers", d->containers, d->n_containers);
	jout_uint(&o, "history_count", d->run.n_history);
	if (json_config(&o, d, err) < 0)
		return -1;
	jout_array(&o, "layers");
	for (size_t i = 0; i < d->n_layers; i++)
		json_layer(&o, &d->layers[i]);
	jout_end_array(&o);
	jout_end_object(&o);
	output_json(&o);
	return 0;
}

/* --- for people ------------------------------------------------------------------------------- */

static void text_fact(const char *name, const char *value)
{
	if (value)
		report_fact(name, "%s", value);
}

static void text_digest(const char *name, const struct digest *d)
{
	char text[DIGEST_TEXT_BYTES];

	report_fact(name, "%s", digest_format(d, text));
}

static void text_each(const char *name, char *const *items, size_t n)
{
	for (size_t i = 0; i < n; i++)
		report_fact(name, "%s", items[i]);
}

/* As JSON, so that it shows where a word ends. */
static void text_words(const char *name, const struct oci_strings *words)
{
	cleanup_jout struct jout o = {.compact = true};

	if (!words->n)
		return;
	json_names(&o, NULL, words->items, words->n);
	report_fact(name, "%.*s", (int)o.text.len, (const char *)o.text.data);
}

static void text_config(const struct oci_runconfig *run)
{
	text_words("Entrypoint", &run->entrypoint);
	text_words("Cmd", &run->cmd);
	text_fact("Working dir", run->working_dir);
	text_fact("User", run->user);
	text_fact("Stop signal", run->stop_signal);
	text_each("Env", run->env.items, run->env.n);
	text_each("Exposed port", run->exposed_ports.items, run->exposed_ports.n);
	text_each("Volume", run->volumes.items, run->volumes.n);
	for (size_t i = 0; i < run->n_labels; i++)
		report_fact("Label", "%s=%s", run->labels[i].key, run->labels[i].value);
}

/* A layer of an image that is here should be, too. */
static const char *absent(const struct image_details *d)
{
	return d->image->pool ? "missing" : "-";
}

static void text_layers(const struct image_details *d)
{
	static const struct table_column columns[] = {
		{"LAYER", TABLE_LEFT},
		{"CHAIN", TABLE_LEFT},
		{"BLOB", TABLE_RIGHT},
		{"SIZE", TABLE_RIGHT},
		{"THIN", TABLE_RIGHT},
		{"MAPPED", TABLE_RIGHT},
		{0},
	};
	cleanup_table struct table t;
	char text[DIGEST_TEXT_BYTES];

	table_init(&t, columns);
	for (size_t i = 0; i < d->n_layers; i++) {
		const struct image_layer *layer = &d->layers[i];

		table_cellf(&t, "%.*s", SHORT_DIGEST_CHARS,
			    digest_format(&layer->blob->digest, text));
		table_cellf(&t, "%.*s", SHORT_DIGEST_CHARS, digest_format(&layer->chain_id, text));
		table_cell_bytes(&t, layer->blob->size_bytes);
		table_cell_bytes(&t, layer->content_bytes);
		if (layer->in_pool)
			table_cellf(&t, "%u", layer->thin_id);
		else
			table_cell(&t, absent(d));
		table_cell_bytes(&t, layer->mapped_bytes);
	}
	output_line("%s", "");
	table_print(&t);
}

static void text_size(const struct image_details *d)
{
	char size[SIZE_TEXT_BYTES], mapped[SIZE_TEXT_BYTES];
	uint64_t bytes = 0;

	if (d->image->pool) {
		report_fact("Size", "%s of files, %s in pool %s", size_format(d->size_bytes, size),
			    size_format(d->mapped_bytes, mapped), d->image->pool);
		return;
	}
	for (size_t i = 0; i < d->n_layers; i++)
		bytes += d->layers[i].blob->size_bytes;
	report_fact("Size", "%s to be fetched for all of it", size_format(bytes, size));
}

void image_report_text(const struct image_details *d)
{
	report_fact("Image", "%s", d->image->ref);
	for (size_t i = 0; i < d->n_tags; i++)
		if (strcmp(d->tags[i], d->image->ref) != 0)
			report_fact("Also", "%s", d->tags[i]);
	text_digest("Digest", &d->image->target);
	text_digest("Manifest", &d->image->manifest);
	text_digest("Config", &d->manifest.config.digest);
	report_fact("Platform", "%s", d->image->platform);
	text_fact("Built", d->run.created);
	text_fact("Author", d->run.author);
	text_fact("Pulled", d->image->created);
	text_size(d);
	text_each("Container", d->containers, d->n_containers);
	text_config(&d->run);
	if (d->n_layers)
		text_layers(d);
}
