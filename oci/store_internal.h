/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of struct store, for store*.c only. */
#pragma once

#include "oci/store.h"
#include "pkg/thin/file/engine.h"
#include "pkg/thin/kernel/engine.h"

struct store {
	char *root, *pool, *pool_dir, *pools_dir, *spool_dir;
	char *run_dir, *containers_dir; /* of this pool */
	char *verb;
	enum thin_engine engine;
	enum store_look look;
	unsigned lock_timeout_ms;
	unsigned min_free_data_percent, min_free_metadata_percent;
	struct store_autoextend autoextend;
	struct content *content; /* opened when first needed */
	struct catalog *catalog;
	bool catalog_in_memory;
	int volume_lock_fd;	/* see store_open_volume(); -1: none */
	struct snapshots *seen; /* the record as mending saw it, see store_keep(); or NULL */
};

/* The pool without its record. Errors: ERR_NOT_FOUND, as thin_open(). */
MUST_CHECK int store_open_pool(struct store *s, enum thin_mode mode, struct thin_pool **ret,
			       struct error *err);
/*
 * A session for reading, kept for what comes next instead of another one: but one of the file engine
 * may keep writers out, and is not kept. NULL then; @session is closed by its owner.
 */
struct snapshots *store_keep(struct snapshots **session);
/* The same of one that has written, whose lock others may have now. */
void store_keep_written(struct store *s, struct snapshots **session);
/* thin_kernel_copy_metadata() into a file without name: @ret_path leads to @ret_fd. Both owned. */
MUST_CHECK int store_copy_metadata(struct store *s, struct thin_pool *pool,
				   enum thin_kernel_copy what, int *ret_fd, char **ret_path,
				   struct error *err);
#define STORE_NEW_PREFIX ".new-" /* of a pool that is being made, in the folder of the pools */
/*
 * Nobody else makes or destroys a pool until the descriptor is closed. What was left unfinished is
 * gone then, where it would go.
 */
MUST_CHECK int store_lock_pools(struct store *s, int *ret_fd, struct error *err);
/* With that lock: is what was left of a pool of this name still there? */
MUST_CHECK int store_check_gone(const struct store *s, struct error *err);
/* With that lock: pools half made, or half gone. */
void store_remove_unfinished(struct store *s);
/* The same, unless somebody is making or destroying one just now. */
void store_mend_pools(struct store *s);
/* The folder of a pool with all that it has elsewhere, see thin_end(). It stays when that does. */
MUST_CHECK int store_remove_pool(const char *dir, struct error *err);
/*
 * Room for so much in the file system of a folder of the store, of which a hundredth, at most 1 GiB,
 * stays free. Errors: ERR_NO_SPACE.
 */
MUST_CHECK int store_guard_host(const char *dir, uint64_t need_bytes, struct error *err);
MUST_CHECK int store_host_room(const char *dir, uint64_t *ret_bytes, struct error *err);

/*
 * New totals for a pool that is above the threshold, or is with `need` more bytes of data: as often
 * so much more as it takes to be below. 0 = leave as it is.
 * @host_bytes: so much the pool may grow. What does not fit is left out, the need first.
 * @ret_cut: something was.
 */
struct store_room {
	uint64_t data_bytes, metadata_bytes;
};
void store_room_plan(const struct thin_pool_status *status, uint64_t need_bytes,
		     const struct store_autoextend *how, uint64_t host_bytes,
		     struct store_room *ret, bool *ret_cut);

/* As store_make_room(), of a pool that is open for writing. What does not work is a warning. */
void store_extend_in_passing(struct store *s, struct thin_pool *pool, uint64_t need_bytes);
/* The ChainIDs of an image, lowest first, from its manifest and config in the content. Owned. */
MUST_CHECK int store_image_chain(struct store *s, const struct digest *manifest,
				 struct digest **ret, size_t *ret_n, struct error *err);
/* layer_wanted_fn: does an image of the content name this layer? @arg: the store. */
int store_layer_wanted(const struct digest *chain_id, void *arg, struct error *err);
