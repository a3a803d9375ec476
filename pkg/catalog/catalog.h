/* SPDX-License-Identifier: Apache-2.0 */
/*
 * catalog.db: an index for queries over images, layers and containers, in SQLite. Never the truth:
 * each part carries the key of what it was built from and is rebuilt whole, in one transaction,
 * when the key does not match. Deleting the file loses nothing.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pkg/base/cleanup.h"
#include "pkg/base/error.h"

struct catalog;

struct catalog_image {
	char *ref, *digest, *manifest, *platform, *created, *pool;
	char *chain_id; /* of the top layer; NULL when there is no layer */
	uint64_t layers;
	uint64_t size_bytes; /* sum of the layers' content */
};

struct catalog_layer {
	char *chain_id, *diff_id;
	char *parent; /* NULL: on the base */
	uint32_t thin_id;
	uint64_t content_bytes, mapped_bytes;
};

struct catalog_container {
	char *name, *image, *manifest, *created;
	char *chain_id;
	char *labels; /* JSON object */
	uint32_t thin_id;
	uint64_t size_bytes, mapped_bytes;
	uint64_t exclusive_bytes; /* of the mapped ones, what no other device maps */
	bool read_only;
};

/* @path: made when missing; a file that is no database, or of another version, is made anew. */
MUST_CHECK int catalog_open(const char *path, struct catalog **ret, struct error *err);
void catalog_close(struct catalog *c);
DEFINE_CLEANUP(struct catalog *, catalog_close);

/* Was a part ("images", or "pool:" and a pool's name) built from this key? */
MUST_CHECK int catalog_is_current(struct catalog *c, const char *part, const char *key, bool *ret,
				  struct error *err);

/* Replace all images; replace the layers and containers of one pool. */
MUST_CHECK int catalog_rebuild_images(struct catalog *c, const char *key,
				      const struct catalog_image *images, size_t n,
				      struct error *err);
MUST_CHECK int catalog_rebuild_pool(struct catalog *c, const char *pool, const char *key,
				    const struct catalog_layer *layers, size_t n_layers,
				    const struct catalog_container *containers, size_t n_containers,
				    struct error *err);

/*
 * From here to catalog_end() nobody changes anything: what catalog_is_current() says holds for the
 * queries after it.
 */
MUST_CHECK int catalog_begin(struct catalog *c, struct error *err);
void catalog_end(struct catalog *c);

/*
 * Queries, sorted by ref, thin id, name. An image's layers and size are found by following its
 * ChainID through the layers of its pool. Owned arrays, released by the functions below.
 */
MUST_CHECK int catalog_images(struct catalog *c, const char *pool, struct catalog_image **ret,
			      size_t *ret_n, struct error *err);
MUST_CHECK int catalog_layers(struct catalog *c, const char *pool, struct catalog_layer **ret,
			      size_t *ret_n, struct error *err);
MUST_CHECK int catalog_containers(struct catalog *c, const char *pool,
				  struct catalog_container **ret, size_t *ret_n, struct error *err);
void catalog_images_free(struct catalog_image *images, size_t n);
void catalog_layers_free(struct catalog_layer *layers, size_t n);
void catalog_containers_free(struct catalog_container *containers, size_t n);
