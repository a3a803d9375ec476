/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layers: prepare, commit, abort, remove. Changes of pool and record that belong together, one
 * transaction each. The transaction id goes up by one with each.
 */
#include "pkg/snapshot/snapshot.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "pkg/base/alloc.h"
#include "pkg/base/log.h"
#include "pkg/ext4/base.h"
#include "pkg/ext4/writer.h"
#include "pkg/snapshot/snapshot_internal.h"

enum { SECTOR_BYTES = 512 }; /* volumes have whole ones */

struct snapshot {
	struct snapshots *owner;
	struct thin_volume *volume;
	struct digest parent;
	uint32_t thin_id;
};

static const struct digest no_digest;

const struct record *snapshots_record(const struct snapshots *s)
{
	return &s->record;
}

struct thin_pool *snapshots_pool(struct snapshots *s)
{
	return s->pool;
}

const struct record_entry *snapshots_find_layer(const struct snapshots *s,
						const struct digest *chain_id)
{
	return record_find_layer(&s->record, chain_id, EXT4_LAYOUT_VERSION);
}

static struct record_entry *find_removal(const struct record *r, const struct digest *chain_id)
{
	for (size_t i = 0; i < r->n; i++) {
		struct record_entry *e = &r->entries[i];

		if (e->kind == RECORD_LAYER && e->state == RECORD_DELETING
		    && digest_equal(&e->chain_id, chain_id))
			return e;
	}
	return NULL;
}

const struct record_entry *snapshots_find_readable(const struct snapshots *s,
						   const struct digest *chain_id)
{
	const struct record_entry *e = snapshots_find_layer(s, chain_id);

	return e ? e : find_removal(&s->record, chain_id);
}

void snapshots_close(struct snapshots *s)
{
	if (!s)
		return;
	thin_pool_close(s->pool);
	record_release(&s->record);
	free(s);
}

/* --- transactions ----------------------------------------------------------------------------- */

/* Record and pool together, as the next transaction. */
static int commit_change(struct snapshots *s, struct error *err)
{
	uint64_t next = s->record.transaction_id + 1;

	if (record_store(&s->record, s->pool, next, err) < 0)
		return -1;
	return thin_pool_commit(s->pool, next, err);
}

/* Back to the last commit, in the pool and in memory; the error that led here is kept. */
static void roll_back(struct snapshots *s)
{
	struct error ignored = {0};
	struct record fresh = {0};

	if (thin_pool_abort(s->pool, &ignored) < 0 || record_load(s->pool, &fresh, &ignored) < 0) {
		/* The handle refuses all further changes, and the next session starts from disk. */
		log_debug("roll back: %s", ignored.cause);
		return;
	}
	record_release(&s->record);
	s->record = fresh;
}

int snapshots_end_change(struct snapshots *s, int status, struct error *err)
{
	if (status == 0)
		status = commit_change(s, err);
	if (status < 0)
		roll_back(s);
	return status;
}

/* --- opening and mending ---------------------------------------------------------------------- */

/* Delete a thin device that may or may not be there. */
static int delete_if_there(struct snapshots *s, uint32_t thin_id, struct error *err)
{
	if (thin_pool_delete(s->pool, thin_id, err) == 0)
		return 0;
	if (err->kind != ERR_NOT_FOUND)
		return -1;
	error_clear(err);
	return 0;
}

/* What is to become of an entry with an intent: 1 = it is kept, 0 = it goes, -1. */
static int decide_intent(const struct record_entry *e, layer_wanted_fn *wanted, void *arg,
			 struct error *err)
{
	if (e->state == RECORD_DELETING && e->kind == RECORD_LAYER)
		return wanted(&e->chain_id, arg, err);
	return 0;
}

/* What a killed process left half made or half deleted. */
static int settle_intents(struct snapshots *s, layer_wanted_fn *wanted, void *arg,
			  bool *ret_changed, struct error *err)
{
	*ret_changed = false;
	for (size_t i = 0; i < s->record.n;) {
		struct record_entry *e = &s->record.entries[i];
		int keep;

		if (e->state == RECORD_READY) {
			i++;
			continue;
		}
		*ret_changed = true;
		keep = decide_intent(e, wanted, arg, err);
		if (keep < 0)
			return -1;
		log_debug("mending: thin %u was left half done, %s", e->thin_id,
			  keep ? "kept" : "removed");
		if (keep) {
			e->state = RECORD_READY;
			continue;
		}
		if (delete_if_there(s, e->thin_id, err) < 0)
			return -1;
		record_remove(&s->record, e->thin_id);
	}
	return 0;
}

int snapshots_open(struct thin_pool **pool, struct snapshots **ret, struct error *err)
{
	cleanup(snapshots_close_ptr) struct snapshots *s = xcalloc(1, sizeof(*s));

	s->pool = steal(pool);
	if (record_load(s->pool, &s->record, err) < 0)
		return -1;
	*ret = steal(&s);
	return 0;
}

int snapshots_open_writable(struct thin_pool **pool, layer_wanted_fn *wanted, void *arg,
			    struct snapshots **ret, struct error *err)
{
	cleanup(snapshots_close_ptr) struct snapshots *s = NULL;
	bool changed;
	int status;

	if (snapshots_open(pool, &s, err) < 0)
		return -1;
	status = settle_intents(s, wanted, arg, &changed, err);
	if (status < 0 || changed)
		status = snapshots_end_change(s, status, err);
	if (status < 0)
		return -1;
	*ret = steal(&s);
	return 0;
}

/* --- the base --------------------------------------------------------------------------------- */

int snapshots_take_id(struct snapshots *s, uint32_t *ret, struct error *err)
{
	*ret = record_free_id(&s->record);
	if (!*ret)
		return error_set(err, ERR_NO_SPACE, "all %u thin ids of the pool are taken",
				 (unsigned)THIN_ID_MAX);
	return 0;
}

static int write_base(struct snapshots *s, uint32_t thin_id, struct error *err)
{
	cleanup(thin_volume_close_ptr) struct thin_volume *volume = NULL;
	struct ext4_base_params params = {.inodes = s->record.base_inodes};

	if (thin_pool_create_thin(s->pool, thin_id, err) < 0
	    || thin_pool_open_volume(s->pool, thin_id, s->record.base_bytes, true, &volume, err)
		       < 0)
		return -1;
	return ext4_base_create(volume, &params, err);
}

static int add_base(struct snapshots *s, struct error *err)
{
	struct record_entry *e;
	uint32_t thin_id;

	if (snapshots_take_id(s, &thin_id, err) < 0)
		return -1;
	if (write_base(s, thin_id, err) < 0)
		return error_wrap(err, "base file system");
	e = record_add(&s->record, thin_id);
	e->kind = RECORD_LAYER;
	e->size_bytes = s->record.base_bytes;
	e->layout_version = EXT4_LAYOUT_VERSION;
	return 0;
}

int snapshots_create(struct thin_pool **pool, uint64_t base_bytes, uint64_t base_inodes,
		     struct snapshots **ret, struct error *err)
{
	cleanup(snapshots_close_ptr) struct snapshots *s = xcalloc(1, sizeof(*s));

	s->pool = steal(pool);
	if (base_bytes % SECTOR_BYTES)
		return error_set(err, ERR_USAGE,
				 "base file system: %llu bytes are not a multiple of %d",
				 (unsigned long long)base_bytes, SECTOR_BYTES);
	s->record.base_bytes = base_bytes;
	s->record.base_inodes = base_inodes;
	if (thin_pool_create_thin(s->pool, RECORD_THIN_ID, err) < 0 || add_base(s, err) < 0
	    || commit_change(s, err) < 0)
		return -1;
	*ret = steal(&s);
	return 0;
}

/* --- layers ----------------------------------------------------------------------------------- */

static int start_snapshot(struct snapshot *snap, const struct record_entry *parent,
			  struct error *err)
{
	struct snapshots *s = snap->owner;
	uint64_t size_bytes = parent->size_bytes;
	uint32_t origin = parent->thin_id;
	struct record_entry *e;

	if (snapshots_take_id(s, &snap->thin_id, err) < 0
	    || thin_pool_create_snap(s->pool, snap->thin_id, origin, err) < 0)
		return -1;
	e = record_add(&s->record, snap->thin_id);
	e->state = RECORD_CREATING;
	e->size_bytes = size_bytes;
	return thin_pool_open_volume(s->pool, snap->thin_id, size_bytes, true, &snap->volume, err);
}

int snapshot_prepare(struct snapshots *s, const struct digest *parent, struct snapshot **ret,
		     struct error *err)
{
	cleanup(snapshot_abort_ptr) struct snapshot *snap = xcalloc(1, sizeof(*snap));
	const struct record_entry *e;

	snap->owner = s;
	snap->parent = parent ? *parent : no_digest;
	e = snapshots_find_layer(s, &snap->parent);
	if (!e && !parent && add_base(s, err) < 0)
		return -1;
	e = snapshots_find_layer(s, &snap->parent);
	if (!e)
		return error_set(err, ERR_NOT_FOUND, "the parent layer is not in the pool");
	if (start_snapshot(snap, e, err) < 0)
		return -1;
	*ret = steal(&snap);
	return 0;
}

struct thin_volume *snapshot_volume(struct snapshot *snap)
{
	return snap->volume;
}

static void free_snapshot(struct snapshot *snap)
{
	thin_volume_close(snap->volume);
	free(snap);
}

void snapshot_abort(struct snapshot *snap)
{
	struct snapshots *s = snap->owner;

	free_snapshot(snap);
	roll_back(s);
}

int snapshot_commit(struct snapshot **snap_taken, const struct layer_identity *layer,
		    struct error *err)
{
	struct snapshot *snap = steal(snap_taken);
	struct snapshots *s = snap->owner;
	struct record_entry *e = record_find_id(&s->record, snap->thin_id);

	assert(e && e->state == RECORD_CREATING);
	e->kind = RECORD_LAYER;
	e->state = RECORD_READY;
	e->layout_version = EXT4_LAYOUT_VERSION;
	e->chain_id = layer->chain_id;
	e->diff_id = layer->diff_id;
	e->content_bytes = layer->content_bytes < SNAPSHOT_CONTENT_MAX ? layer->content_bytes
								       : SNAPSHOT_CONTENT_MAX;
	e->parent = snap->parent;
	free_snapshot(snap);
	return snapshots_end_change(s, 0, err);
}

static int check_no_child(const struct record *r, const struct digest *chain_id, struct error *err)
{
	const struct record_entry *e = record_entry_on(r, chain_id, NULL);

	if (e)
		return error_set(err, ERR_BUSY, "thin %u is made from the layer", e->thin_id);
	return 0;
}

static int remove_layer(struct snapshots *s, const struct digest *chain_id, struct error *err)
{
	struct record_entry *e = find_removal(&s->record, chain_id);
	uint32_t thin_id;

	if (!e)
		return error_set(err, ERR_NOT_FOUND, "a layer to remove is not marked so");
	thin_id = e->thin_id;
	if (thin_pool_delete(s->pool, thin_id, err) < 0)
		return -1;
	record_remove(&s->record, thin_id);
	return 0;
}

static int remove_layers(struct snapshots *s, const struct digest *chain_ids, size_t n,
			 struct error *err)
{
	for (size_t i = 0; i < n; i++)
		if (remove_layer(s, &chain_ids[i], err) < 0)
			return -1;
	for (size_t i = 0; i < n; i++)
		if (check_no_child(&s->record, &chain_ids[i], err) < 0)
			return -1;
	return 0;
}

static int intend_removal(struct snapshots *s, const struct digest *chain_ids, size_t n,
			  struct error *err)
{
	for (size_t i = 0; i < n; i++) {
		struct record_entry *e = NULL;

		if (chain_ids[i].algorithm != DIGEST_NONE)
			e = record_find_layer(&s->record, &chain_ids[i], EXT4_LAYOUT_VERSION);
		if (!e)
			return error_set(err, ERR_NOT_FOUND, "a layer to remove is not there");
		e->state = RECORD_DELETING;
	}
	return 0;
}

int snapshots_intend_removal(struct snapshots *s, const struct digest *chain_ids, size_t n,
			     struct error *err)
{
	if (!n)
		return 0;
	return snapshots_end_change(s, intend_removal(s, chain_ids, n, err), err);
}

int snapshots_remove_layers(struct snapshots *s, const struct digest *chain_ids, size_t n,
			    struct error *err)
{
	if (!n)
		return 0;
	return snapshots_end_change(s, remove_layers(s, chain_ids, n, err), err);
}
