/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of struct snapshots and of a change of it, for this folder only: session.c opens and
 * commits, intent.c keeps what was begun apart from what is done, snapshot.c has the layers and
 * container.c the containers.
 */
#pragma once

#include "pkg/snapshot/record.h"
#include "pkg/snapshot/snapshot.h"

struct snapshots {
	struct thin_pool *pool;
	struct record record;
	layer_wanted_fn *wanted; /* NULL: open for reading */
	void *wanted_arg;
	bool partial; /* entries of the record were passed over, see snapshots_skip_gone() */
	bool resting; /* others may have the pool */
	bool lost;    /* it could not be taken back from them */
	uint32_t
		*own; /* ids whose intent is on disk, or about to be, and claimed by this session */
	size_t n_own, room_own;
	uint64_t commits;
};

/* ---- session.c ---- */

/* Record and pool together, as the next transaction. */
MUST_CHECK int snapshots_commit_change(struct snapshots *s, struct error *err);

/* Commit a change that was made in pool and record, or after a failure take it back: status. */
MUST_CHECK int snapshots_end_change(struct snapshots *s, int status, struct error *err);

/* Back to the last commit, in the pool and in memory, with what this session had begun undone. */
void snapshots_roll_back(struct snapshots *s);

/* Others may have the pool from now on, where its engine allows that. */
MUST_CHECK int snapshots_let_go(struct snapshots *s, struct error *err);

/* ---- intent.c ---- */

/* A thin id that is free. Errors: ERR_NO_SPACE. */
MUST_CHECK int snapshots_take_id(struct snapshots *s, uint32_t *ret, struct error *err);

/*
 * An entry that was just added as "creating" is this session's, and will be on disk with the next
 * commit. Nothing to do on a pool whose commits are one change, as below.
 */
MUST_CHECK int snapshots_claim_intent(struct snapshots *s, uint32_t thin_id, struct error *err);

/* The same, and the intent is on disk when this returns: now its thin device may be made. */
MUST_CHECK int snapshots_intend(struct snapshots *s, uint32_t thin_id, struct error *err);

/*
 * Delete a thin device that the record has, with an intent before that. Its entry is for the caller
 * to remove. Errors: ERR_BUSY (it is in use, and stays as it was).
 */
MUST_CHECK int snapshots_delete(struct snapshots *s, uint32_t thin_id, struct error *err);

/* A layer that this session said it would make, or that another one is making just now; or NULL. */
struct record_entry *snapshots_find_own(const struct snapshots *s, const struct digest *chain_id);
const struct record_entry *snapshots_find_making(const struct snapshots *s,
						 const struct digest *chain_id);

/* After a commit: intents that became something are nobody's any more. */
void snapshots_forget_ended(struct snapshots *s);

/* What this session has begun and not ended goes, with its entries. Commits. */
void snapshots_undo_own(struct snapshots *s);

/* What killed processes left half made or half deleted. Commits when there was something. */
MUST_CHECK int snapshots_settle(struct snapshots *s, struct error *err);

/* For a session that only reads and cannot settle: entries whose thin device a killed removal has
 * taken away are not looked at. */
MUST_CHECK int snapshots_skip_gone(struct snapshots *s, struct error *err);

/* Delete a thin device that may or may not be there. */
MUST_CHECK int snapshots_delete_if_there(struct snapshots *s, uint32_t thin_id, struct error *err);
