/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Intents: what is in the record before the pool is touched. Where all changes up to a commit are one
 * (file engine) there is nothing to do here but to end removals. Where each is durable at once
 * (kernel):
 *
 *   make     "creating ID" ─▶ commit ─▶ make and fill thin ID ─▶ "ready" ─▶ commit
 *   delete   "deleting ID" ─▶ commit ─▶ delete thin ID ─▶ no entry ─▶ commit
 *
 * So an id of the pool that the record does not have is never ours. Whoever makes one claims its
 * intent: one that nobody claims was left by a kill. Deletions have no claim: they end under the
 * pool's lock.
 */
#include "pkg/base/alloc.h"
#include "pkg/base/log.h"
#include "pkg/ext4/base.h"
#include "pkg/snapshot/snapshot_internal.h"

int snapshots_take_id(struct snapshots *s, uint32_t *ret, struct error *err)
{
	*ret = record_free_id(&s->record);
	if (!*ret)
		return error_set(err, ERR_NO_SPACE, "all %u thin ids of the pool are taken",
				 (unsigned)THIN_ID_MAX);
	return 0;
}

int snapshots_delete_if_there(struct snapshots *s, uint32_t thin_id, struct error *err)
{
	if (thin_pool_delete(s->pool, thin_id, err) == 0)
		return 0;
	if (err->kind != ERR_NOT_FOUND)
		return -1;
	error_clear(err);
	return 0;
}

/* --- ours ------------------------------------------------------------------------------------- */

static bool is_own(const struct snapshots *s, uint32_t thin_id)
{
	for (size_t i = 0; i < s->n_own; i++)
		if (s->own[i] == thin_id)
			return true;
	return false;
}

int snapshots_claim_intent(struct snapshots *s, uint32_t thin_id, struct error *err)
{
	int taken;

	if (thin_pool_is_atomic(s->pool))
		return 0;
	taken = thin_pool_claim(s->pool, thin_id, err);
	if (taken == 1)
		return error_set(err, ERR_BUSY, "another process is at work on thin %u", thin_id);
	if (taken < 0)
		return -1;
	ALLOC_GROW(s->own, s->n_own + 1, s->room_own);
	s->own[s->n_own++] = thin_id;
	return 0;
}

int snapshots_intend(struct snapshots *s, uint32_t thin_id, struct error *err)
{
	if (thin_pool_is_atomic(s->pool))
		return 0;
	if (snapshots_claim_intent(s, thin_id, err) < 0)
		return -1;
	return snapshots_commit_change(s, err);
}

static bool makes_layer(const struct record_entry *e, const struct digest *chain_id)
{
	return e->kind == RECORD_LAYER && e->state == RECORD_CREATING
	       && e->layout_version == EXT4_LAYOUT_VERSION && digest_equal(&e->chain_id, chain_id);
}

struct record_entry *snapshots_find_own(const struct snapshots *s, const struct digest *chain_id)
{
	for (size_t i = 0; i < s->n_own; i++) {
		struct record_entry *e = record_find_id(&s->record, s->own[i]);

		if (e && makes_layer(e, chain_id))
			return e;
	}
	return NULL;
}

const struct record_entry *snapshots_find_making(const struct snapshots *s,
						 const struct digest *chain_id)
{
	for (size_t i = 0; i < s->record.n; i++) {
		const struct record_entry *e = &s->record.entries[i];

		if (makes_layer(e, chain_id) && !is_own(s, e->thin_id)
		    && thin_pool_is_claimed(s->pool, e->thin_id))
			return e;
	}
	return NULL;
}

void snapshots_forget_ended(struct snapshots *s)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->n_own; i++) {
		const struct record_entry *e = record_find_id(&s->record, s->own[i]);

		if (e && e->state == RECORD_CREATING)
			s->own[kept++] = s->own[i];
		else
			thin_pool_unclaim(s->pool, s->own[i]);
	}
	s->n_own = kept;
}

/* Its entry goes, too, unless the thin device is in use: then a later writer does both. */
static bool undo(struct snapshots *s, uint32_t thin_id)
{
	const struct record_entry *e = record_find_id(&s->record, thin_id);
	struct error err = {0};

	if (!e || e->state != RECORD_CREATING)
		return false;
	if (snapshots_delete_if_there(s, thin_id, &err) < 0) {
		log_debug("thin %u is left for the next writer: %s", thin_id, err.cause);
		return false;
	}
	record_remove(&s->record, thin_id);
	return true;
}

void snapshots_undo_own(struct snapshots *s)
{
	struct error ignored = {0};
	bool changed = false;

	for (size_t i = 0; i < s->n_own; i++)
		changed |= undo(s, s->own[i]);
	if (changed && snapshots_commit_change(s, &ignored) < 0)
		log_debug("roll back: %s", ignored.cause);
	for (size_t i = 0; i < s->n_own; i++)
		thin_pool_unclaim(s->pool, s->own[i]);
	s->n_own = 0;
}

/* --- deleting --------------------------------------------------------------------------------- */

static int set_state(struct snapshots *s, uint32_t thin_id, enum record_state state,
		     struct error *err)
{
	record_find_id(&s->record, thin_id)->state = state;
	return snapshots_commit_change(s, err);
}

int snapshots_delete(struct snapshots *s, uint32_t thin_id, struct error *err)
{
	struct error ignored = {0};

	if (thin_pool_is_atomic(s->pool))
		return thin_pool_delete(s->pool, thin_id, err);
	/* Who has it in use shows before anything is written down. */
	if (thin_pool_deactivate(s->pool, thin_id, err) < 0
	    || set_state(s, thin_id, RECORD_DELETING, err) < 0)
		return -1;
	if (snapshots_delete_if_there(s, thin_id, err) == 0)
		return 0;
	if (err->kind == ERR_BUSY && set_state(s, thin_id, RECORD_READY, &ignored) < 0)
		log_debug("thin %u is deleted by the next writer: %s", thin_id, ignored.cause);
	return -1;
}

/* --- what others left ------------------------------------------------------------------------- */

/* 1, 0, -1 */
static int is_there(struct snapshots *s, uint32_t thin_id, struct error *err)
{
	struct thin_device device;

	if (thin_pool_device(s->pool, thin_id, &device, err) == 0)
		return 1;
	if (err->kind != ERR_NOT_FOUND)
		return -1;
	error_clear(err);
	return 0;
}

int snapshots_skip_gone(struct snapshots *s, struct error *err)
{
	if (thin_pool_is_atomic(s->pool))
		return 0;
	for (size_t i = 0; i < s->record.n;) {
		const struct record_entry *e = &s->record.entries[i];
		int there = e->state == RECORD_DELETING ? is_there(s, e->thin_id, err) : 1;

		if (there < 0)
			return -1;
		if (!there) {
			record_remove(&s->record, e->thin_id);
			s->partial = true;
		}
		i += there == 1;
	}
	return 0;
}

/*
 * What is to become of an intent: 1 = the entry is kept, 0 = it goes, -1. Of layers that were to go
 * together some may be gone already.
 */
static int decide(struct snapshots *s, const struct record_entry *e, struct error *err)
{
	int wanted;

	if (e->state != RECORD_DELETING || e->kind != RECORD_LAYER
	    || record_find_layer(&s->record, &e->chain_id, e->layout_version))
		return 0;
	wanted = s->wanted(&e->chain_id, s->wanted_arg, err);
	if (wanted <= 0 || thin_pool_is_atomic(s->pool))
		return wanted;
	return is_there(s, e->thin_id, err);
}

static bool is_alive(const struct snapshots *s, const struct record_entry *e)
{
	return e->state == RECORD_CREATING
	       && (is_own(s, e->thin_id) || thin_pool_is_claimed(s->pool, e->thin_id));
}

/* 1 = the entry is gone, 0 = it has been dealt with and is there, -1. */
static int settle(struct snapshots *s, struct record_entry *e, bool *changed, struct error *err)
{
	uint32_t thin_id = e->thin_id;
	int keep = decide(s, e, err);

	if (keep < 0)
		return -1;
	log_debug("mending: thin %u was left half done, %s", thin_id, keep ? "kept" : "removed");
	if (keep) {
		e->state = RECORD_READY;
		*changed = true;
		return 0;
	}
	if (snapshots_delete_if_there(s, thin_id, err) < 0) {
		if (err->kind != ERR_BUSY || thin_pool_is_atomic(s->pool))
			return -1;
		/* A reader has it open. It can not be found any more, and there will be others. */
		log_debug("mending: thin %u stays for now: %s", thin_id, err->cause);
		error_clear(err);
		return 0;
	}
	record_remove(&s->record, thin_id);
	*changed = true;
	return 1;
}

static int settle_all(struct snapshots *s, bool *ret_changed, struct error *err)
{
	*ret_changed = false;
	for (size_t i = 0; i < s->record.n;) {
		struct record_entry *e = &s->record.entries[i];
		int gone = 0;

		if (e->state != RECORD_READY && !is_alive(s, e))
			gone = settle(s, e, ret_changed, err);
		if (gone < 0)
			return -1;
		i += gone == 0;
	}
	return 0;
}

int snapshots_settle(struct snapshots *s, struct error *err)
{
	bool changed;
	int status = settle_all(s, &changed, err);

	return status < 0 || changed ? snapshots_end_change(s, status, err) : 0;
}
