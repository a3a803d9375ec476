/* SPDX-License-Identifier: Apache-2.0 */
/* Is the pool sound? Its metadata by themselves, then what is in them against the record. */
#include <stdio.h>

#include "oci/store_internal.h"
#include "pkg/base/alloc.h"
#include "pkg/thin/file/fsck.h"
#include "pkg/thin/kernel/engine.h"
#include "pkg/thin/place.h"

enum { CHECK_TRIES = 50 };

/* --- ids -------------------------------------------------------------------------------------- */

static void add_finding(struct thin_findings *f, const char *kind, uint32_t thin_id,
			const char *text)
{
	struct thin_finding *finding;

	f->total++;
	f->unrepairable++;
	if (f->n >= THIN_FINDINGS_MAX)
		return;
	ALLOC_GROW(f->items, f->n + 1, f->room);
	finding = &f->items[f->n++];
	*finding = (struct thin_finding){0};
	snprintf(finding->kind, sizeof(finding->kind), "%s", kind);
	snprintf(finding->where, sizeof(finding->where), "thin %u", thin_id);
	snprintf(finding->text, sizeof(finding->text), "%s", text);
}

static bool has_intent(const struct record *r)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->entries[i].state != RECORD_READY)
			return true;
	return false;
}

/*
 * Every id of the pool is in the record, and the other way round. One that somebody makes or deletes
 * just now is in the record, and may be in the pool.
 */
static void compare_ids(const struct record *r, const struct thin_device *devices, size_t n,
			struct thin_findings *ret)
{
	size_t at = 0;

	for (size_t i = 0; i < n; i++)
		if (devices[i].id != RECORD_THIN_ID && !record_find_id(r, devices[i].id))
			add_finding(ret, "unrecorded", devices[i].id,
				    "in the pool, not in the record");
	for (size_t i = 0; i < r->n; i++) {
		while (at < n && devices[at].id < r->entries[i].thin_id)
			at++;
		if (r->entries[i].state == RECORD_READY
		    && (at == n || devices[at].id != r->entries[i].thin_id))
			add_finding(ret, "missing", r->entries[i].thin_id,
				    "in the record, not in the pool");
	}
}

enum check_result {
	CHECK_DONE,
	CHECK_UNFINISHED, /* a command that was killed, or is under way, has intents */
	CHECK_MOVED,	  /* a writer committed between a look at the record and one at the ids */
};

/* What a look knows of the ones before it. */
struct looks {
	unsigned tries;
	bool ended; /* intents that are still there belong to commands that are alive */
};

/* A check_result, or -1. */
static int check_record(struct store *s, const struct looks *looks, struct thin_findings *ret,
			struct error *err)
{
	cleanup(snapshots_close_ptr) struct snapshots *snapshots = NULL;
	cleanup_free struct thin_device *devices = NULL;
	struct thin_pool_status status;
	const struct record *r;
	size_t n;

	if (store_read(s, &snapshots, err) < 0) {
		if (err->kind != ERR_INCONSISTENT)
			return -1;
		add_finding(ret, "record", RECORD_THIN_ID, err->cause);
		return CHECK_DONE;
	}
	r = snapshots_record(snapshots);
	if (has_intent(r) && !looks->ended)
		return CHECK_UNFINISHED;
	if (thin_pool_devices(snapshots_pool(snapshots), &devices, &n, err) < 0
	    || thin_pool_status(snapshots_pool(snapshots), &status, err) < 0)
		return -1;
	/* In the end what does not fit together is no writer's doing. */
	if (status.transaction_id != r->transaction_id && looks->tries < CHECK_TRIES)
		return CHECK_MOVED;
	compare_ids(r, devices, n, ret);
	return CHECK_DONE;
}

/* --- metadata --------------------------------------------------------------------------------- */

/* The kernel has it: a copy of one instant is looked at, while all goes on. */
static int check_copy(struct store *s, struct thin_pool *pool, enum thin_kernel_copy what,
		      struct thin_findings *ret, struct error *err)
{
	cleanup_free char *copy = NULL;
	cleanup_fd int fd = -1;
	struct thin_pool_status st;

	if (thin_pool_status(pool, &st, err) < 0
	    || store_copy_metadata(s, pool, what, &fd, &copy, err) < 0)
		return -1;
	return thin_file_fsck(copy, st.data_total_blocks * st.block_bytes, ret, err);
}

/* Something is wrong: then perhaps with what is said to be in use, which was all that was copied. */
static int check_in_kernel(struct store *s, struct thin_findings *ret, struct error *err)
{
	cleanup(thin_pool_close_ptr) struct thin_pool *pool = NULL;

	if (store_open_pool(s, THIN_STILL, &pool, err) < 0
	    || check_copy(s, pool, THIN_KERNEL_COPY_USED, ret, err) < 0)
		return -1;
	if (!ret->total)
		return 0;
	thin_findings_release(ret);
	*ret = (struct thin_findings){0};
	return check_copy(s, pool, THIN_KERNEL_COPY_ALL, ret, err);
}

/* On block devices: what a repair would find. The kernel is not given what may be damaged. */
static int check_devices(struct store *s, struct thin_findings *ret, struct error *err)
{
	const struct thin_repair_how how = {.lock_timeout_ms = s->lock_timeout_ms, .dry_run = true};
	enum thin_repair_outcome outcome;

	return thin_kernel_repair(s->pool_dir, &how, &outcome, ret, err);
}

static int check_at_rest(struct store *s, const struct thin_place *place, struct thin_findings *ret,
			 struct error *err)
{
	int status = place->kind == THIN_PLACE_FILES
			     ? thin_file_check(s->pool_dir, s->lock_timeout_ms, ret, err)
			     : check_devices(s, ret, err);

	return status < 0 ? error_wrap(err, "pool %s", s->pool) : 0;
}

/* LVM has to be asked for the metadata, and then the kernel has the pool. */
static int check_metadata(struct store *s, struct thin_findings *ret, struct error *err)
{
	cleanup(thin_place_release) struct thin_place place = {0};

	if (thin_place_load(s->pool_dir, &place, err) < 0)
		return error_wrap(err, "pool %s", s->pool);
	if (place.kind == THIN_PLACE_LVM || thin_kernel_is_active(s->pool_dir, &place))
		return check_in_kernel(s, ret, err);
	return check_at_rest(s, &place, ret, err);
}

static int check_once(struct store *s, const struct looks *looks, struct thin_findings *ret,
		      struct error *err)
{
	if (check_metadata(s, ret, err) < 0)
		return -1;
	return ret->total > 0 ? CHECK_DONE : check_record(s, looks, ret, err);
}

/* --- both ------------------------------------------------------------------------------------- */

/* What a killed command left is no damage: opening for writing ends it. */
static int end_intents(struct store *s, struct error *err)
{
	cleanup(snapshots_close_ptr) struct snapshots *mended = NULL;

	return store_write(s, &mended, err);
}

/* Files of killed commands, where nobody makes such just now. */
static void remove_leftovers(struct store *s)
{
	struct error ignored = {0};
	struct content *content;

	store_mend_pools(s);
	if (store_content(s, &content, &ignored) == 0)
		content_mend(content);
}

int store_pool_check(struct store *s, struct thin_findings *ret, struct error *err)
{
	struct looks looks = {0};

	if (!store_pool_exists(s))
		return error_set(err, ERR_NOT_FOUND, "there is no pool %s in %s", s->pool, s->root);
	remove_leftovers(s);
	for (;;) {
		int result;

		looks.tries++;
		result = check_once(s, &looks, ret, err);
		if (result < 0)
			return -1;
		if (result == CHECK_DONE)
			return 0;
		if (result == CHECK_UNFINISHED && end_intents(s, err) < 0)
			return -1;
		looks.ended |= result == CHECK_UNFINISHED;
	}
}
