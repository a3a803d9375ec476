/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A session on a pool with its record: opened and mended, each change committed as one transaction
 * or taken back, the pool lent to others in between. The transaction id goes up by one with each
 * commit.
 */
#include <stdlib.h>

#include "pkg/base/alloc.h"
#include "pkg/base/log.h"
#include "pkg/snapshot/snapshot_internal.h"

const struct record *snapshots_record(const struct snapshots *s)
{
	return &s->record;
}

struct thin_pool *snapshots_pool(struct snapshots *s)
{
	return s->pool;
}

uint64_t snapshots_commits(const struct snapshots *s)
{
	return s->commits;
}

/* --- transactions ----------------------------------------------------------------------------- */

int snapshots_commit_change(struct snapshots *s, struct error *err)
{
	uint64_t next = s->record.pool_transaction_id + 1;

	if (record_store(&s->record, s->pool, next, err) < 0
	    || thin_pool_commit(s->pool, next, err) < 0)
		return -1;
	s->record.pool_transaction_id = next;
	s->commits++;
	snapshots_forget_ended(s);
	return 0;
}

static int load(struct snapshots *s, struct error *err)
{
	struct record fresh = {0};

	if (record_load(s->pool, &fresh, err) < 0)
		return -1;
	record_release(&s->record);
	s->record = fresh;
	s->partial = false;
	return 0;
}

void snapshots_roll_back(struct snapshots *s)
{
	struct error ignored = {0};

	/* The error that led here is kept. */
	if (thin_pool_abort(s->pool, &ignored) < 0 || load(s, &ignored) < 0) {
		/* The handle refuses all further changes, and the next session starts from disk. */
		log_debug("roll back: %s", ignored.cause);
		return;
	}
	snapshots_undo_own(s);
}

int snapshots_end_change(struct snapshots *s, int status, struct error *err)
{
	if (status == 0)
		status = snapshots_commit_change(s, err);
	if (status < 0)
		snapshots_roll_back(s);
	return status;
}

/* --- lending the pool ------------------------------------------------------------------------- */

int snapshots_let_go(struct snapshots *s, struct error *err)
{
	int status = thin_pool_pause(s->pool, err);

	s->resting = status == 0;
	return status < 0 ? -1 : 0;
}

int snapshots_rest(struct snapshots **taken, struct error *err)
{
	struct snapshots *s = *taken;

	if (snapshots_let_go(s, err) < 0)
		return -1;
	if (s->resting)
		return 0;
	*taken = NULL;
	snapshots_close(s);
	return 0;
}

/* Others may have changed it meanwhile. */
static int reload(struct snapshots *s, struct error *err)
{
	uint64_t now;

	if (thin_pool_transaction_id(s->pool, &now, err) < 0)
		return -1;
	return now == s->record.pool_transaction_id && !s->partial ? 0 : load(s, err);
}

/* Or been killed while they did. */
static int catch_up(struct snapshots *s, struct error *err)
{
	return reload(s, err) < 0 ? -1 : snapshots_settle(s, err);
}

int snapshots_go_on(struct snapshots *s, struct error *err)
{
	if (!s->resting)
		return 0;
	s->lost = thin_pool_go_on(s->pool, err) < 0;
	if (s->lost)
		return -1;
	s->resting = false;
	return catch_up(s, err);
}

/* --- opening and closing ---------------------------------------------------------------------- */

/* What was begun and never ended goes now; where that cannot be, the next writer sees to it. */
static void end_own(struct snapshots *s)
{
	struct error ignored = {0};

	if (s->n_own && !s->lost && snapshots_go_on(s, &ignored) == 0)
		snapshots_roll_back(s);
}

void snapshots_close(struct snapshots *s)
{
	if (!s)
		return;
	end_own(s);
	thin_pool_close(s->pool);
	record_release(&s->record);
	free(s->own);
	free(s);
}

static int open_session(struct thin_pool **pool, struct snapshots **ret, struct error *err)
{
	cleanup(snapshots_close_ptr) struct snapshots *s = xcalloc(1, sizeof(*s));

	s->pool = steal(pool);
	if (load(s, err) < 0)
		return -1;
	*ret = steal(&s);
	return 0;
}

int snapshots_open(struct thin_pool **pool, struct snapshots **ret, struct error *err)
{
	cleanup(snapshots_close_ptr) struct snapshots *s = NULL;

	if (open_session(pool, &s, err) < 0 || snapshots_skip_gone(s, err) < 0)
		return -1;
	*ret = steal(&s);
	return 0;
}

int snapshots_look_again(struct snapshots *s, struct error *err)
{
	return reload(s, err) < 0 ? -1 : snapshots_skip_gone(s, err);
}

int snapshots_begin_writing(struct snapshots *s, layer_wanted_fn *wanted, void *arg,
			    struct error *err)
{
	s->wanted = wanted;
	s->wanted_arg = arg;
	s->resting = false;
	return catch_up(s, err);
}

int snapshots_open_writable(struct thin_pool **pool, layer_wanted_fn *wanted, void *arg,
			    struct snapshots **ret, struct error *err)
{
	cleanup(snapshots_close_ptr) struct snapshots *s = NULL;

	if (open_session(pool, &s, err) < 0)
		return -1;
	s->wanted = wanted;
	s->wanted_arg = arg;
	if (snapshots_settle(s, err) < 0)
		return -1;
	*ret = steal(&s);
	return 0;
}
