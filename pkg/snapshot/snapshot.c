/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layers: the base below all of them, prepare, commit, abort, remove. While a layer is written others
 * may have the pool, where its engine allows that.
 */
#include "pkg/snapshot/snapshot.h"

#include <stdlib.h>
#include <time.h>

#include "pkg/base/alloc.h"
#include "pkg/base/interrupt.h"
#include "pkg/base/log.h"
#include "pkg/ext4/base.h"
#include "pkg/ext4/writer.h"
#include "pkg/snapshot/snapshot_internal.h"

enum {
	SECTOR_BYTES = 512,   /* volumes have whole ones */
	WAIT_PAUSE_MS = 20,   /* for another process that makes the same layer, ... */
	WAIT_NOTE_MS = 60000, /* ... and then the user is told */
};

struct snapshot {
	struct snapshots *owner;
	struct thin_volume *volume;
	struct digest parent;
	uint32_t thin_id;
};

static const struct digest no_digest;

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

/* --- the base --------------------------------------------------------------------------------- */

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

/* Still "creating". */
static int enter_base(struct snapshots *s, uint32_t *ret_id, struct error *err)
{
	struct record_entry *e;

	if (snapshots_take_id(s, ret_id, err) < 0)
		return -1;
	e = record_add(&s->record, *ret_id);
	e->kind = RECORD_LAYER;
	e->state = RECORD_CREATING;
	e->size_bytes = s->record.base_bytes;
	e->layout_version = EXT4_LAYOUT_VERSION;
	return 0;
}

static int fill_base(struct snapshots *s, uint32_t thin_id, struct error *err)
{
	if (write_base(s, thin_id, err) < 0)
		return error_wrap(err, "base file system");
	record_find_id(&s->record, thin_id)->state = RECORD_READY;
	return 0;
}

/* A pool whose base is of another layout version gets one more, with the first layer on it. */
static int add_base(struct snapshots *s, struct error *err)
{
	uint32_t thin_id;
	int status = enter_base(s, &thin_id, err);

	if (status == 0)
		status = snapshots_intend(s, thin_id, err);
	if (status == 0)
		status = fill_base(s, thin_id, err);
	if (status == 0 && !thin_pool_is_atomic(s->pool))
		status = snapshots_commit_change(s, err);
	if (status < 0)
		snapshots_roll_back(s);
	return status;
}

int snapshots_create(struct thin_pool **pool, uint64_t base_bytes, uint64_t base_inodes,
		     struct snapshots **ret, struct error *err)
{
	cleanup(snapshots_close_ptr) struct snapshots *s = xcalloc(1, sizeof(*s));
	uint32_t base;

	s->pool = steal(pool);
	if (base_bytes % SECTOR_BYTES)
		return error_set(err, ERR_USAGE,
				 "base file system: %llu bytes are not a multiple of %d",
				 (unsigned long long)base_bytes, SECTOR_BYTES);
	s->record.base_bytes = base_bytes;
	s->record.base_inodes = base_inodes;
	/* Nobody sees the pool before it has a record: no intent is needed. */
	if (thin_pool_transaction_id(s->pool, &s->record.pool_transaction_id, err) < 0
	    || thin_pool_create_thin(s->pool, RECORD_THIN_ID, err) < 0
	    || enter_base(s, &base, err) < 0 || fill_base(s, base, err) < 0
	    || snapshots_commit_change(s, err) < 0)
		return -1;
	*ret = steal(&s);
	return 0;
}

/* --- layers ----------------------------------------------------------------------------------- */

/* An entry for a layer that is to be made. NULL on error. */
static struct record_entry *enter_layer(struct snapshots *s, const struct digest *chain_id,
					const struct digest *parent, uint64_t size_bytes,
					struct error *err)
{
	struct record_entry *e;
	uint32_t thin_id;

	if (snapshots_take_id(s, &thin_id, err) < 0)
		return NULL;
	e = record_add(&s->record, thin_id);
	e->kind = RECORD_LAYER;
	e->state = RECORD_CREATING;
	e->size_bytes = size_bytes;
	e->layout_version = EXT4_LAYOUT_VERSION;
	e->chain_id = *chain_id;
	e->parent = *parent;
	return e;
}

/* What an earlier commit said will be made next needs no further intent. */
static int intend_layer(struct snapshots *s, const struct digest *chain_id,
			const struct record_entry *parent, uint32_t *ret_id, struct error *err)
{
	struct record_entry *e = snapshots_find_own(s, chain_id);
	struct digest below = parent->chain_id;

	if (e) {
		*ret_id = e->thin_id;
		return 0;
	}
	e = enter_layer(s, chain_id, &below, parent->size_bytes, err);
	if (!e)
		return -1;
	*ret_id = e->thin_id;
	return snapshots_intend(s, *ret_id, err);
}

static int start_snapshot(struct snapshot *snap, const struct digest *chain_id, struct error *err)
{
	struct snapshots *s = snap->owner;
	const struct record_entry *parent = snapshots_find_layer(s, &snap->parent);
	uint64_t size_bytes;
	uint32_t origin;

	if (!parent)
		return error_set(err, ERR_NOT_FOUND, "the parent layer is not in the pool");
	size_bytes = parent->size_bytes;
	origin = parent->thin_id;
	if (intend_layer(s, chain_id, parent, &snap->thin_id, err) < 0
	    || thin_pool_create_snap(s->pool, snap->thin_id, origin, err) < 0
	    || thin_pool_open_volume(s->pool, snap->thin_id, size_bytes, true, &snap->volume, err)
		       < 0)
		return -1;
	return snapshots_let_go(s, err);
}

/* Until who makes it has done so, or has given up. */
static int wait_while_made(struct snapshots *s, uint32_t thin_id, struct error *err)
{
	const struct timespec pause = {.tv_nsec = WAIT_PAUSE_MS * 1000000L};

	for (unsigned n = 0; thin_pool_is_claimed(s->pool, thin_id); n++) {
		if (n == WAIT_NOTE_MS / WAIT_PAUSE_MS)
			log_warning("another process is still unpacking the same layer; waiting "
				    "for it");
		if (interrupt_check(err) < 0)
			return -1;
		nanosleep(&pause, NULL);
	}
	return 0;
}

/* 1 = the layer is there now, 0 = it is for us to make, -1. */
static int wait_for_maker(struct snapshots *s, const struct digest *chain_id, struct error *err)
{
	const struct record_entry *e;

	while ((e = snapshots_find_making(s, chain_id))) {
		uint32_t thin_id = e->thin_id;

		log_debug("the layer is being unpacked by another process as thin %u", thin_id);
		if (snapshots_let_go(s, err) < 0 || wait_while_made(s, thin_id, err) < 0
		    || snapshots_go_on(s, err) < 0)
			return -1;
	}
	return snapshots_find_layer(s, chain_id) != NULL;
}

int snapshot_prepare(struct snapshots *s, const struct digest *parent,
		     const struct digest *chain_id, struct snapshot **ret, struct error *err)
{
	cleanup(snapshot_abort_ptr) struct snapshot *snap = NULL;
	int there = wait_for_maker(s, chain_id, err);

	if (there)
		return there;
	if (!parent && !snapshots_find_layer(s, &no_digest) && add_base(s, err) < 0)
		return -1;
	snap = xcalloc(1, sizeof(*snap));
	snap->owner = s;
	snap->parent = parent ? *parent : no_digest;
	if (start_snapshot(snap, chain_id, err) < 0)
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
	struct error ignored = {0};

	free_snapshot(snap);
	if (snapshots_go_on(s, &ignored) == 0)
		snapshots_roll_back(s);
}

static int fill_layer(struct snapshots *s, uint32_t thin_id, const struct digest *parent,
		      const struct layer_identity *layer, struct error *err)
{
	struct record_entry *e = record_find_id(&s->record, thin_id);

	/* While we had lent the pool the file engine may have taken us for dead. */
	if (!e || e->state != RECORD_CREATING)
		return error_set(err, ERR_INCONSISTENT, "thin %u was removed meanwhile", thin_id);
	e->state = RECORD_READY;
	e->chain_id = layer->chain_id;
	e->diff_id = layer->diff_id;
	e->content_bytes = layer->content_bytes < SNAPSHOT_CONTENT_MAX ? layer->content_bytes
								       : SNAPSHOT_CONTENT_MAX;
	e->parent = *parent;
	return 0;
}

/* With the commit of the layer below. */
static int intend_next(struct snapshots *s, const struct digest *chain_id,
		       const struct digest *parent, uint64_t size_bytes, struct error *err)
{
	const struct record_entry *e;

	if (thin_pool_is_atomic(s->pool) || snapshots_find_layer(s, chain_id)
	    || snapshots_find_making(s, chain_id) || snapshots_find_own(s, chain_id))
		return 0;
	e = enter_layer(s, chain_id, parent, size_bytes, err);
	return e ? snapshots_claim_intent(s, e->thin_id, err) : -1;
}

int snapshot_commit(struct snapshot **snap_taken, const struct layer_identity *layer,
		    const struct digest *next, struct error *err)
{
	struct snapshot *snap = steal(snap_taken);
	struct snapshots *s = snap->owner;
	uint64_t size_bytes = thin_volume_size(snap->volume);
	struct digest parent = snap->parent;
	uint32_t thin_id = snap->thin_id;
	int status;

	/* What waits is written before the lock is taken. */
	free_snapshot(snap);
	if (snapshots_go_on(s, err) < 0)
		return -1;
	status = fill_layer(s, thin_id, &parent, layer, err);
	if (status == 0 && next)
		status = intend_next(s, next, &layer->chain_id, size_bytes, err);
	return snapshots_end_change(s, status, err);
}

/* --- removing layers -------------------------------------------------------------------------- */

static bool is_one_of(const struct digest *chain_id, const struct digest *chain_ids, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (digest_equal(&chain_ids[i], chain_id))
			return true;
	return false;
}

/* What is made from one of these is one of these. */
static int check_no_child(const struct record *r, const struct digest *chain_ids, size_t n,
			  struct error *err)
{
	for (size_t i = 0; i < r->n; i++) {
		const struct record_entry *e = &r->entries[i];
		bool layer = e->kind == RECORD_LAYER;

		if (!is_one_of(layer ? &e->parent : &e->chain_id, chain_ids, n))
			continue;
		if (layer && e->state == RECORD_DELETING && is_one_of(&e->chain_id, chain_ids, n))
			continue;
		return error_set(err, ERR_BUSY, "thin %u is made from the layer", e->thin_id);
	}
	return 0;
}

static int remove_layer(struct snapshots *s, const struct digest *chain_id, struct error *err)
{
	struct record_entry *e = find_removal(&s->record, chain_id);
	uint32_t thin_id;

	if (!e)
		return error_set(err, ERR_NOT_FOUND, "a layer to remove is not marked so");
	thin_id = e->thin_id;
	if (snapshots_delete_if_there(s, thin_id, err) == 0) {
		record_remove(&s->record, thin_id);
		return 0;
	}
	if (err->kind != ERR_BUSY || thin_pool_is_atomic(s->pool))
		return -1;
	/* Somebody reads it. It is marked, so a later writer removes it. */
	log_debug("thin %u goes later: %s", thin_id, err->cause);
	error_clear(err);
	return 0;
}

static int remove_layers(struct snapshots *s, const struct digest *chain_ids, size_t n,
			 struct error *err)
{
	if (check_no_child(&s->record, chain_ids, n, err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (remove_layer(s, &chain_ids[i], err) < 0)
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
