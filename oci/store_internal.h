/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of struct store, for store*.c only. */
#pragma once

#include "oci/store.h"
#include "pkg/thin/file/engine.h"

struct store {
	char *root, *pool, *pool_dir, *pools_dir, *spool_dir;
	char *run_dir, *containers_dir; /* of this pool */
	char *verb;
	enum thin_engine engine;
	unsigned lock_timeout_ms;
	unsigned min_free_data_percent, min_free_metadata_percent;
	struct content *content; /* opened when first needed */
	struct catalog *catalog;
	bool catalog_in_memory;
	int volume_lock_fd; /* see store_open_volume(); -1: none */
};

/* The pool without its record. Errors: ERR_NOT_FOUND, as thin_open(). */
MUST_CHECK int store_open_pool(struct store *s, enum thin_mode mode, struct thin_pool **ret,
			       struct error *err);
/* What killed makers of pools left goes, unless somebody is making one just now. */
void store_remove_unfinished_pools(struct store *s);
/* Room for so much in the file system of a folder of the store. Errors: ERR_NO_SPACE. */
MUST_CHECK int store_guard_host(const char *dir, uint64_t need_bytes, struct error *err);
/* The ChainIDs of an image, lowest first, from its manifest and config in the content. Owned. */
MUST_CHECK int store_image_chain(struct store *s, const struct digest *manifest,
				 struct digest **ret, size_t *ret_n, struct error *err);
/* layer_wanted_fn: does an image of the content name this layer? @arg: the store. */
int store_layer_wanted(const struct digest *chain_id, void *arg, struct error *err);
