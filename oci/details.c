/* SPDX-License-Identifier: Apache-2.0 */
/* Gathers what content, or a source, and the pool say about an image. Takes no lock, changes nothing. */
#include "oci/details.h"

#include <stdlib.h>
#include <string.h>

#include "oci/chain.h"
#include "oci/image.h"
#include "pkg/base/alloc.h"

/* An image can go while it is looked at, and come back. */
enum { DETAILS_TRIES = 5 };

static void add_name(char ***names, size_t *n, const char *name)
{
	*names = xrealloc(*names, *n + 1, sizeof(**names));
	(*names)[(*n)++] = xstrdup(name);
}

static void free_names(char **names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(names[i]);
	free(names);
}

void image_details_release(struct image_details *d)
{
	if (d->image)
		content_images_free(d->image, 1);
	oci_manifest_release(&d->manifest);
	oci_config_release(&d->config);
	oci_runconfig_release(&d->run);
	buffer_release(&d->config_json);
	free(d->layers);
	free_names(d->tags, d->n_tags);
	free_names(d->containers, d->n_containers);
	*d = (struct image_details){0};
}

/* --- content ---------------------------------------------------------------------------------- */

static int read_documents(struct content *content, struct image_details *d, struct error *err)
{
	cleanup_buffer struct buffer text = {0};

	if (content_get(content, &d->image->manifest, &text, err) < 0
	    || oci_manifest_parse(text.data, text.len, "manifest", &d->manifest, err) < 0
	    || content_get(content, &d->manifest.config.digest, &d->config_json, err) < 0
	    || oci_config_parse(d->config_json.data, d->config_json.len, "config", &d->config, err)
		       < 0)
		return -1;
	if (d->config.n_diff_ids != d->manifest.n_layers)
		return error_set(err, ERR_INVALID, "%zu layers, but %zu diff_ids",
				 d->manifest.n_layers, d->config.n_diff_ids);
	return oci_runconfig_parse(d->config_json.data, d->config_json.len, "config", &d->run, err);
}

static void name_layers(struct image_details *d)
{
	cleanup_free struct digest *chain = NULL;

	d->n_layers = d->manifest.n_layers;
	d->layers = xcalloc(d->n_layers + 1, sizeof(*d->layers));
	chain = xcalloc(d->n_layers + 1, sizeof(*chain));
	oci_chain_ids(d->config.diff_ids, d->n_layers, chain);
	for (size_t i = 0; i < d->n_layers; i++)
		d->layers[i] = (struct image_layer){.blob = &d->manifest.layers[i],
						    .diff_id = d->config.diff_ids[i],
						    .chain_id = chain[i]};
}

/* @pool: where images are meant. */
static int find_tags(struct content *content, const char *pool, struct image_details *d,
		     struct error *err)
{
	struct content_image *images;
	size_t n;

	if (content_images(content, &images, &n, err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (strcmp(images[i].pool, pool) == 0
		    && digest_equal(&images[i].manifest, &d->image->manifest))
			add_name(&d->tags, &d->n_tags, images[i].ref);
	content_images_free(images, n);
	return 0;
}

/* --- pool ------------------------------------------------------------------------------------- */

static int find_layer(struct snapshots *session, uint32_t block_bytes, struct image_layer *layer,
		      struct error *err)
{
	const struct record_entry *e = snapshots_find_readable(session, &layer->chain_id);
	struct thin_device device;

	if (!e)
		return 0;
	if (thin_pool_device(snapshots_pool(session), e->thin_id, &device, err) < 0)
		return -1;
	layer->in_pool = true;
	layer->thin_id = e->thin_id;
	layer->content_bytes = e->content_bytes;
	layer->mapped_bytes = device.mapped_blocks * block_bytes;
	return 0;
}

static int find_layers(struct snapshots *session, struct image_details *d, struct error *err)
{
	cleanup_free uint32_t *ids = xcalloc(d->n_layers + 1, sizeof(*ids));
	struct thin_pool_status status;
	uint64_t blocks;
	size_t n = 0;

	if (thin_pool_status(snapshots_pool(session), &status, err) < 0)
		return -1;
	for (size_t i = 0; i < d->n_layers; i++) {
		struct image_layer *layer = &d->layers[i];

		if (find_layer(session, status.block_bytes, layer, err) < 0)
			return -1;
		if (!layer->in_pool)
			continue;
		ids[n++] = layer->thin_id;
		d->size_bytes += layer->content_bytes;
	}
	if (thin_pool_mapped(snapshots_pool(session), ids, n, &blocks, err) < 0)
		return -1;
	d->mapped_bytes = blocks * status.block_bytes;
	return 0;
}

static void find_containers(const struct record *r, struct image_details *d)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->entries[i].kind == RECORD_CONTAINER && r->entries[i].state == RECORD_READY
		    && digest_equal(&r->entries[i].manifest, &d->image->manifest))
			add_name(&d->containers, &d->n_containers, r->entries[i].name);
}

static int look_into_pool(struct store *s, struct image_details *d, struct error *err)
{
	cleanup(snapshots_close_ptr) struct snapshots *session = NULL;

	if (store_read(s, &session, err) < 0 || find_layers(session, d, err) < 0)
		return -1;
	find_containers(snapshots_record(session), d);
	return 0;
}

/* --- both ------------------------------------------------------------------------------------- */

static int read_once(struct store *s, const char *ref, struct image_details *d, struct error *err)
{
	struct content *content;

	if (store_content(s, &content, err) < 0 || store_find_image(s, ref, &d->image, err) < 0)
		return -1;
	if (read_documents(content, d, err) < 0)
		return error_wrap(err, "image %s", ref);
	name_layers(d);
	if (find_tags(content, d->image->pool, d, err) < 0)
		return -1;
	return look_into_pool(s, d, err);
}

int image_details_read(struct store *s, const char *ref, struct image_details *ret,
		       struct error *err)
{
	for (unsigned tries = 1;; tries++) {
		cleanup(image_details_release) struct image_details d = {0};

		if (read_once(s, ref, &d, err) == 0) {
			*ret = d;
			d = (struct image_details){0};
			return 0;
		}
		if (err->kind != ERR_NOT_FOUND || tries == DETAILS_TRIES)
			return -1;
	}
}

/* --- elsewhere -------------------------------------------------------------------------------- */

/* Its documents have been checked already, but for what a run needs. */
static int take_documents(struct source *source, struct oci_image *image, struct image_details *d,
			  struct error *err)
{
	char platform[112];

	d->image = xcalloc(1, sizeof(*d->image));
	d->image->ref = xstrdup(source->name);
	d->image->target = image->target.digest;
	d->image->manifest = image->descriptor.digest;
	d->image->manifest_bytes = image->descriptor.size_bytes;
	oci_platform_format(&image->config.platform, platform, sizeof(platform));
	d->image->platform = xstrdup(platform);
	d->manifest = image->manifest;
	image->manifest = (struct oci_manifest){0};
	d->config = image->config;
	image->config = (struct oci_config){0};
	d->config_json = image->documents[image->n_documents - 1].bytes;
	image->documents[image->n_documents - 1].bytes = (struct buffer){0};
	return oci_runconfig_parse(d->config_json.data, d->config_json.len, "config", &d->run, err);
}

int image_details_fetch(struct store *s, struct source *source, const struct oci_platform *want,
			struct image_details *ret, struct error *err)
{
	cleanup(image_details_release) struct image_details d = {0};
	cleanup(oci_image_release) struct oci_image image = {0};
	struct content *content;

	if (store_content(s, &content, err) < 0
	    || oci_image_resolve(source, want, content, &image, err) < 0
	    || take_documents(source, &image, &d, err) < 0
	    || find_tags(content, store_pool_name(s), &d, err) < 0)
		return -1;
	name_layers(&d);
	if (store_pool_exists(s) && look_into_pool(s, &d, err) < 0)
		return -1;
	*ret = d;
	d = (struct image_details){0};
	return 0;
}

/* --- history ---------------------------------------------------------------------------------- */

/* Rule B6: a history informs, and its count of layers may be wrong. */
struct image_step *image_details_history(const struct image_details *d, size_t *ret_n)
{
	size_t room = d->run.n_history + d->n_layers, n = 0, used = 0;
	struct image_step *steps = xcalloc(room + 1, sizeof(*steps));

	for (size_t i = 0; i < d->run.n_history; i++) {
		const struct oci_history *h = &d->run.history[i];
		bool has_layer = !h->empty_layer && used < d->n_layers;

		steps[n++] = (struct image_step){h, has_layer ? &d->layers[used++] : NULL};
	}
	while (used < d->n_layers)
		steps[n++] = (struct image_step){NULL, &d->layers[used++]};
	for (size_t i = 0; i < n / 2; i++) {
		struct image_step low = steps[i];

		steps[i] = steps[n - 1 - i];
		steps[n - 1 - i] = low;
	}
	*ret_n = n;
	return steps;
}
