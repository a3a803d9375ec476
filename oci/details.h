/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All that is known of one image, here or where it would be pulled from: its documents, and where
 * its layers are in the pool.
 */
#pragma once

#include "oci/config.h"
#include "oci/manifest.h"
#include "oci/runconfig.h"
#include "oci/source.h"
#include "oci/store.h"

struct image_layer {
	const struct oci_descriptor *blob; /* of the manifest */
	struct digest diff_id, chain_id;
	bool in_pool;
	/* of one in the pool */
	uint32_t thin_id;
	uint64_t content_bytes; /* of its own files */
	uint64_t mapped_bytes;	/* of its device, with what it inherits */
};

struct image_details {
	struct content_image *image; /* one; elsewhere: created and pool are NULL */
	struct oci_manifest manifest;
	struct oci_config config;
	struct oci_runconfig run;
	struct buffer config_json;  /* as it was pulled */
	struct image_layer *layers; /* lowest first */
	size_t n_layers;
	char **tags; /* the references of this pool that stand for the same manifest, this one too */
	size_t n_tags;
	char **containers; /* names of those that were made from it */
	size_t n_containers;
	uint64_t size_bytes;   /* of the files of its layers */
	uint64_t mapped_bytes; /* by them together; what they share is counted once */
};

/*
 * @ref: as recorded. Errors: ERR_NOT_FOUND; ERR_INVALID (documents), ERR_VERIFICATION (a blob of
 * the content is damaged).
 */
MUST_CHECK int image_details_read(struct store *s, const char *ref, struct image_details *ret,
				  struct error *err);

/*
 * The same of an image that a source has, without pulling it: tags and containers are those of
 * images here that have the same manifest. @s: may have no pool.
 * Errors: those of oci_image_resolve() and store_read().
 */
MUST_CHECK int image_details_fetch(struct store *s, struct source *source,
				   const struct oci_platform *want, struct image_details *ret,
				   struct error *err);
void image_details_release(struct image_details *d);

/* A line of the history. What the config says of it and the layer it made may each be missing. */
struct image_step {
	const struct oci_history *history; /* borrowed, or NULL */
	const struct image_layer *layer;   /* borrowed, or NULL */
};

/*
 * The history, topmost first, with its layers: those that no entry accounts for are put on top of
 * it. Owned array.
 */
struct image_step *image_details_history(const struct image_details *d, size_t *ret_n);
