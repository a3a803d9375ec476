/* SPDX-License-Identifier: Apache-2.0 */
/* Transactions of a pool: what may be started, commit, abort, status, and the readers'
 * second look. */
#include "pkg/thin/file/pool_internal.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "pkg/base/fdio.h"
#include "pkg/base/interrupt.h"
#include "pkg/base/log.h"
#include "pkg/thin/file/lock.h"

/* So often a reader starts again when writers commit under it. From the second time on one of its
 * looks has to meet neither the lock nor a commit: it is a few times when it is not the first. */
enum { READ_TRIES = 200, LOCK_TRIES = 100, LOCK_PAUSE_NS = 100000 };
/* A kernel under load commits each second, and there is a better way then. */
enum { FOREIGN_TRIES = 3 };

const struct thin_pool_ops tf_pool_ops = {
	.create_thin = tf_device_create_thin,
	.create_snap = tf_device_create_snap,
	.delete = tf_device_delete,
	.open_volume = tf_volume_open,
	.commit = tf_pool_commit,
	.abort = tf_pool_abort,
	.reserve_metadata_snap = tf_held_reserve,
	.release_metadata_snap = tf_held_release,
	.status = tf_pool_status,
	.device = tf_device_get,
	.devices = tf_device_list,
	.count_blocks = tf_usage_count,
	.diff = tf_diff_ranges,
	.close = tf_pool_close,
	.atomic = true,
};

void tf_pool_set_fault_hook(struct thin_pool *pool, struct tf_fault_hook hook)
{
	struct tf_pool *p = tf_pool_of(pool);

	p->tx.cache.hook = hook;
	p->data.hook = hook;
}

void tf_pool_set_full_hook(struct thin_pool *pool, struct tf_full_hook hook)
{
	struct tf_pool *p = tf_pool_of(pool);

	p->tx.metadata.hook = p->tx.data.hook = hook;
}

uint64_t tf_pool_metadata_reads(const struct thin_pool *pool)
{
	return ((const struct tf_pool *)pool)->tx.cache.n_reads;
}

/* ---- what may be started ---- */

int tf_pool_ready(struct tf_pool *p, struct error *err)
{
	if (p->state == TF_STATE_GOOD) {
		tf_tx_trim(&p->tx);
		return 0;
	}
	*err = p->failure;
	return error_wrap(err,
			  p->state == TF_STATE_DEAD ? "pool %s: an earlier commit failed"
						    : "pool %s: an earlier change failed",
			  p->dir);
}

int tf_pool_check_writable(const struct tf_pool *p, struct error *err)
{
	if (!p->writable)
		return error_set(err, ERR_INVALID, "pool %s is open for reading only", p->dir);
	return 0;
}

int tf_pool_begin(struct tf_pool *p, uint64_t blocks, enum tf_reserve reserve, struct error *err)
{
	if (tf_pool_ready(p, err) < 0)
		return -1;
	if (tf_pool_check_writable(p, err) < 0)
		return -1;
	return tf_tx_reserve(&p->tx, blocks, reserve, err);
}

void tf_pool_spoil(struct tf_pool *p, enum tf_state state, const struct error *err)
{
	p->state = state;
	p->failure = *err;
}

int tf_pool_end(struct tf_pool *p, int rc, const struct error *err)
{
	if (rc < 0)
		tf_pool_spoil(p, TF_STATE_HALF_DONE, err);
	return rc;
}

/* ---- readers ---- */

/* Let writers go on. */
static void unlock(struct tf_pool *p)
{
	if (p->read_locked)
		tf_lock_drop(p->meta_fd);
	p->read_locked = false;
}

/* Is what we know of the pool still what is on disk? 1 = yes, 0 = no, -1. */
static int is_current(struct tf_pool *p, struct error *err)
{
	TF_BLOCK_ALIGNED uint8_t now[TF_BLOCK_BYTES];

	if (fdio_pread(p->meta_fd, now, sizeof(now), 0, p->meta_name, err) < 0)
		return -1;
	return !memcmp(now, p->raw, sizeof(now));
}

/* Writers that come one after the other leave hardly a gap. */
static void lock_if_free(struct tf_pool *p)
{
	struct timespec pause = {.tv_nsec = LOCK_PAUSE_NS};

	for (unsigned i = 0; i < LOCK_TRIES && !p->read_locked; i++) {
		nanosleep(&pause, NULL);
		p->read_locked = tf_lock_try_shared(p->meta_fd);
	}
}

/*
 * Make ready for another look. One that takes longer than writers leave it would never end: so from
 * the second one on it asks for the lock. A writer may keep that for long; but then it does not
 * commit meanwhile, and a look without it does.
 */
static int load_again(struct tf_pool *p, unsigned tries, struct error *err)
{
	if (interrupt_check(err) < 0)
		return -1;
	if (tries > 1 && !p->foreign)
		lock_if_free(p);
	return tf_pool_load(p, err);
}

bool tf_pool_read_again(struct tf_pool *p, unsigned *tries, int *rc, struct error *err)
{
	struct error other = {0};
	int current;

	if (p->writable || p->still)
		return false;
	current = p->read_locked ? 1 : is_current(p, &other);
	unlock(p);
	if (current > 0)
		return false;
	if (current == 0 && ++*tries > (p->foreign ? FOREIGN_TRIES : READ_TRIES))
		error_set(&other, ERR_BUSY, "pool %s is being changed all the time", p->dir);
	else if (current == 0 && load_again(p, *tries, &other) == 0)
		return true;
	unlock(p);
	*err = other;
	*rc = -1;
	return false;
}

/* ---- commit ---- */

static bool has_changes(const struct tf_pool *p)
{
	return p->tx.cache.n_fresh || p->tx.metadata.n_dirty || p->tx.data.n_dirty;
}

int tf_pool_put_superblock(struct tf_pool *p, struct error *err)
{
	uint8_t block[TF_BLOCK_BYTES];
	struct error ignored = {0};

	/* Bytes that are not ours stay as they are. */
	memcpy(block, p->raw, sizeof(block));
	tf_superblock_pack(&p->sb, block);
	tf_block_seal(block, TF_SUPERBLOCK, 0);
	if (tf_cache_write_superblock(&p->tx.cache, block, err) == 0) {
		memcpy(p->raw, block, sizeof(block));
		return 0;
	}
	/* It may be there in part or only in memory: the caller is told "as before", so be it. */
	if (fdio_pwrite(p->meta_fd, p->raw, sizeof(p->raw), 0, p->meta_name, &ignored) < 0
	    || fdatasync(p->meta_fd) < 0)
		p->disk_unknown = p->keep_owner = true;
	return -1;
}

static int write_transaction(struct tf_pool *p, uint64_t transaction_id, struct error *err)
{
	/* Metadata must never be durable before the data that it names. */
	if (tf_data_sync(&p->data, err) < 0)
		return -1;
	if (!has_changes(p) && transaction_id == p->sb.transaction_id)
		return 0;
	p->sb.transaction_id = transaction_id;
	if (tf_tx_flush(&p->tx, &p->sb.data_sm, &p->sb.metadata_sm, err) < 0)
		return -1;
	return tf_pool_put_superblock(p, err);
}

static void punch_what_became_free(struct tf_pool *p)
{
	tf_data_punch_runs(&p->data, &p->freed);
	for (size_t i = 0; i < p->dropped.n; i++)
		for (uint64_t k = 0; k < p->dropped.items[i].n; k++)
			tf_data_punch_if_free(&p->data, &p->tx.data, p->dropped.items[i].first + k);
	tf_runs_release(&p->freed);
	tf_runs_release(&p->dropped);
}

int tf_pool_commit(struct thin_pool *pool, uint64_t transaction_id, struct error *err)
{
	struct tf_pool *p = tf_pool_of(pool);

	if (tf_pool_ready(p, err) < 0 || tf_pool_check_writable(p, err) < 0)
		return -1;
	if (transaction_id < p->sb.transaction_id)
		return error_set(err, ERR_INVALID, "transaction id %llu is below the pool's %llu",
				 (unsigned long long)transaction_id,
				 (unsigned long long)p->sb.transaction_id);
	if (write_transaction(p, transaction_id, err) < 0) {
		tf_pool_spoil(p, TF_STATE_DEAD, err);
		return error_wrap(err, "commit of pool %s", p->dir);
	}
	tf_tx_committed(&p->tx);
	p->grown = false;
	punch_what_became_free(p);
	return 0;
}

/* ---- abort ---- */

static void punch_new(void *context, uint64_t first, uint64_t n)
{
	tf_data_punch(context, first, n);
}

void tf_pool_undo_files(struct tf_pool *p)
{
	if (p->disk_unknown)
		return;
	tf_spacemap_each_new(&p->tx.data, punch_new, &p->data);
	tf_data_punch_runs(&p->data, &p->dropped);
	tf_runs_release(&p->dropped);
	tf_grow_undo(p);
}

int tf_pool_abort(struct thin_pool *pool, struct error *err)
{
	struct tf_pool *p = tf_pool_of(pool);

	if (p->state == TF_STATE_DEAD)
		return tf_pool_ready(p, err);
	if (p->volumes)
		return error_set(err, ERR_BUSY, "pool %s: a volume is open", p->dir);
	if (!p->writable)
		return 0;
	tf_pool_undo_files(p);
	if (tf_pool_load(p, err) < 0) {
		tf_pool_spoil(p, TF_STATE_DEAD, err);
		return -1;
	}
	return 0;
}

/* ---- status ---- */

static const char *mode_name(const struct tf_pool *p)
{
	if (p->sb.flags & TF_FLAG_NEEDS_CHECK)
		return "needs_check";
	if (p->sb.compat_ro_flags)
		return "ro";
	if (!tf_spacemap_available(&p->tx.data))
		return "out_of_data_space";
	return "rw";
}

static void fill_status(const struct tf_pool *p, uint64_t thins, struct thin_pool_status *ret)
{
	*ret = (struct thin_pool_status){
		.engine = "file",
		.mode = mode_name(p),
		.block_bytes = p->data.block_bytes,
		.data_used_blocks = p->tx.data.nr_allocated,
		.data_total_blocks = p->tx.data.nr_blocks,
		.metadata_used_blocks = p->tx.metadata.nr_allocated,
		.metadata_total_blocks = p->tx.metadata.nr_blocks,
		.transaction_id = p->sb.transaction_id,
		.held_root = p->sb.held_root,
		.thin_count = thins,
		.in_files = true,
		.needs_check = p->sb.flags & TF_FLAG_NEEDS_CHECK,
	};
	memcpy(ret->uuid, p->sb.uuid, sizeof(ret->uuid));
}

int tf_pool_status(struct thin_pool *pool, struct thin_pool_status *ret, struct error *err)
{
	struct tf_pool *p = tf_pool_of(pool);
	uint64_t thins = 0;
	unsigned tries = 0;
	int rc;

	if (tf_pool_ready(p, err) < 0)
		return -1;
	do {
		rc = tf_device_count(p, &thins, err);
	} while (tf_pool_read_again(p, &tries, &rc, err));
	if (rc == 0)
		fill_status(p, thins, ret);
	return rc;
}
