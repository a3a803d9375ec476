/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layers and containers of one pool, kept in step with the record.
 *
 *   prepare ──▶ private writable volume ──┬─▶ commit: visible as ChainID, never written again
 *                                         └─▶ abort:  the pool is as before
 *
 * Each change is one to whoever looks at the record: it becomes visible as a whole or not at all,
 * whatever the engine of the pool can do in one transaction (intent.c).
 */
#pragma once

#include "pkg/base/cleanup.h"
#include "pkg/base/error.h"
#include "pkg/digest/digest.h"
#include "pkg/snapshot/record.h"
#include "pkg/thin/pool.h"
#include "pkg/thin/volume.h"

/* A session: an open pool with its record. */
struct snapshots;

/* Does an image still need this layer? 1 = yes, 0 = no, -1. */
typedef int layer_wanted_fn(const struct digest *chain_id, void *arg, struct error *err);

/* For reading. @pool: taken, also on failure. */
MUST_CHECK int snapshots_open(struct thin_pool **pool, struct snapshots **ret, struct error *err);

/* One for reading whose pool was renewed, see thin_pool_renew(): the record as it is now. */
MUST_CHECK int snapshots_look_again(struct snapshots *s, struct error *err);
/* The same for writing: from now on it is as one of snapshots_open_writable(). */
MUST_CHECK int snapshots_begin_writing(struct snapshots *s, layer_wanted_fn *wanted, void *arg,
				       struct error *err);

/*
 * For writing. What a killed process left is mended first: ids being created go, unless who makes
 * them is alive; layers being deleted go unless `wanted` says that an image still names them, then
 * they are kept. @wanted, @arg: used until the session is closed.
 */
MUST_CHECK int snapshots_open_writable(struct thin_pool **pool, layer_wanted_fn *wanted, void *arg,
				       struct snapshots **ret, struct error *err);
/*
 * A new, empty pool: writes the record and the base file system and commits.
 * Errors: ERR_USAGE (a base no ext4 can have: size, number of inodes), those of the pool.
 */
MUST_CHECK int snapshots_create(struct thin_pool **pool, uint64_t base_bytes, uint64_t base_inodes,
				struct snapshots **ret, struct error *err);
void snapshots_close(struct snapshots *s);
DEFINE_CLEANUP(struct snapshots *, snapshots_close);

/*
 * Between two changes: others may have the pool. A session whose engine keeps the lock is closed,
 * *s is NULL then; another one goes on with snapshots_go_on(), with the record as others have left it,
 * mended as above: entries that were looked up before are not good any more.
 */
MUST_CHECK int snapshots_rest(struct snapshots **s, struct error *err);
MUST_CHECK int snapshots_go_on(struct snapshots *s, struct error *err);

/* How often this session has committed the record. */
uint64_t snapshots_commits(const struct snapshots *s);

const struct record *snapshots_record(const struct snapshots *s);
struct thin_pool *snapshots_pool(struct snapshots *s);

/* A committed layer that can be built on (of this layout version), or NULL. None = the base. */
const struct record_entry *snapshots_find_layer(const struct snapshots *s,
						const struct digest *chain_id);

/*
 * The same for reading: also one whose removal has begun. While an image names it the removal has
 * not ended, and after a kill it is put back.
 */
const struct record_entry *snapshots_find_readable(const struct snapshots *s,
						   const struct digest *chain_id);

/* --- layers ----------------------------------------------------------------------------------- */

struct snapshot;

/*
 * Start a writable snapshot of a committed layer, or of the empty file system. 0, 1 = the layer is
 * there, -1. On a pool whose lock can be let go of others have it until commit or abort; when another
 * process is making the same layer, its end is waited for, as long as it lives.
 *
 * @s: borrowed, open for writing, must outlive the snapshot; one snapshot at a time.
 * @parent: ChainID, or NULL.   @chain_id: of the layer.
 * @ret: owned; end it with snapshot_commit() or snapshot_abort().
 * Errors: ERR_NOT_FOUND (no such parent), ERR_NO_SPACE, ERR_INTERRUPTED.
 * Spec: image-spec v1.1 layer.md "Applying Changesets"; kernel thin-provisioning.rst "create_snap".
 */
MUST_CHECK int snapshot_prepare(struct snapshots *s, const struct digest *parent,
				const struct digest *chain_id, struct snapshot **ret,
				struct error *err);
struct thin_volume *snapshot_volume(struct snapshot *snap);

/*
 * Holes cost nothing: a hostile layer of a few MB can have any sum of sizes. What is recorded stops
 * where JSON readers still know each integer and a catalog can add up a thousand of them.
 */
#define SNAPSHOT_CONTENT_MAX (UINT64_C(1) << 53)

struct layer_identity {
	struct digest chain_id, diff_id;
	uint64_t content_bytes; /* recorded as SNAPSHOT_CONTENT_MAX when it is more */
};

/*
 * Make it durable and visible under its ChainID; empties *snap, on failure too (then as abort).
 *
 * @next: ChainID of the layer on top of it that this session is going to prepare, or NULL: where
 * intents are needed, that one is on disk with the same commit.
 */
MUST_CHECK int snapshot_commit(struct snapshot **snap, const struct layer_identity *layer,
			       const struct digest *next, struct error *err);
/* Throw it away; the pool is as before snapshot_prepare(). */
void snapshot_abort(struct snapshot *snap);
DEFINE_CLEANUP(struct snapshot *, snapshot_abort);

/*
 * Write down durably that layers are about to go. They can not be found any more; what becomes of
 * them after a kill is said at snapshots_open_writable().
 */
MUST_CHECK int snapshots_intend_removal(struct snapshots *s, const struct digest *chain_ids,
					size_t n, struct error *err);

/*
 * Remove layers with such an intent, in one transaction. Where readers keep a thin device from being
 * deleted, a later writer deletes it. ERR_BUSY when one that stays has one of them as parent.
 */
MUST_CHECK int snapshots_remove_layers(struct snapshots *s, const struct digest *chain_ids,
				       size_t n, struct error *err);

/* --- containers ------------------------------------------------------------------------------- */

struct container_spec {
	const char *name;
	struct digest chain_id; /* top layer of the image; none = the empty file system */
	const char *image;	/* recorded reference */
	struct digest manifest;
	const char *created; /* RFC 3339 */
	bool read_only;
	bool temporary;
	bool attach; /* it is a block device at once, where the pool has such, unless read-only */
	const struct record_label *labels;
	size_t n_labels;
};

/*
 * Writable snapshot of an image's top layer with a file-system UUID of its own.
 * Errors: ERR_BUSY (the name is taken), ERR_NOT_FOUND (no such layer), ERR_NO_SPACE, ERR_USAGE
 * (labels that are not UTF-8, or a key twice).
 */
MUST_CHECK int snapshots_create_container(struct snapshots *s, const struct container_spec *spec,
					  struct error *err);
/* Errors: ERR_NOT_FOUND. */
MUST_CHECK int snapshots_remove_container(struct snapshots *s, const char *name, struct error *err);

/* Write down where its files are. @folder: of RECORD_IN_FOLDER, else NULL. Errors: ERR_NOT_FOUND,
 * ERR_UNSUPPORTED (the folder's name is not UTF-8). */
MUST_CHECK int snapshots_set_place(struct snapshots *s, const char *name, enum record_place place,
				   const char *folder, struct error *err);
/* Errors: ERR_NOT_FOUND, ERR_BUSY (the new name is taken). */
MUST_CHECK int snapshots_rename_container(struct snapshots *s, const char *name,
					  const char *new_name, struct error *err);
