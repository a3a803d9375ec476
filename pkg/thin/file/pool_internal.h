/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file engine's pool, as its parts see it: open.c makes and ends it, pool.c runs transactions,
 * device.c changes devices, volume.c moves their bytes, discard.c unmaps them, held.c keeps a
 * metadata snapshot, usage.c counts blocks, diff.c holds two devices side by side.
 */
#pragma once

#include "pkg/base/cleanup.h"
#include "pkg/thin/engine.h"
#include "pkg/thin/file/btree.h"
#include "pkg/thin/file/data.h"
#include "pkg/thin/file/engine.h"
#include "pkg/thin/file/fault_internal.h"

enum tf_state {
	TF_STATE_GOOD,
	TF_STATE_HALF_DONE, /* an operation stopped in the middle: only abort helps */
	TF_STATE_DEAD,	    /* a commit failed: only close is left */
};

struct tf_volume;

struct tf_pool {
	struct thin_pool base; /* first */
	char *dir, *meta_name, *data_name;
	int meta_fd, data_fd; /* -1: no data */
	bool writable;
	bool still;	  /* open for reading, and no writer can commit */
	bool read_locked; /* the same, during this look */
	bool foreign;	  /* metadata only, which the kernel writes: our lock tells nothing */
	bool no_counts;	  /* there are no space maps to this state; the trees tell */
	bool owner_named; /* DIR/owner is ours, ... */
	bool keep_owner;  /* ... and is to stay, as after a kill: there is something to clean up */
	enum tf_state state;
	struct error failure; /* why the state is not good */
	bool grown;	      /* the files were made longer in this transaction */
	bool disk_unknown;    /* the superblock's write failed and could not be taken back */

	struct tf_tx tx;
	struct tf_data data;
	struct tf_superblock sb;     /* with what this transaction has changed */
	uint8_t raw[TF_BLOCK_BYTES]; /* the superblock on disk */
	struct tf_runs dropped;	     /* written in this transaction and free again */
	struct tf_runs freed;	     /* by the commit that just went down */
	struct tf_volume *volumes;   /* open ones */
};

extern const struct thin_pool_ops tf_pool_ops;

static inline struct tf_pool *tf_pool_of(struct thin_pool *pool)
{
	return (struct tf_pool *)pool;
}

/* ---- open.c ---- */

/* A handle without files; NULL is fine for free, which closes the files and lets go of the lock. */
struct tf_pool *tf_pool_new(const char *dir, bool writable);
void tf_pool_free(struct tf_pool *p);
DEFINE_CLEANUP(struct tf_pool *, tf_pool_free);

/* The files, with nothing of them read: to write, under the pool's lock and with what others wrote
 * on disk. No name is put into DIR/owner. Errors: as thin_file_open(). */
MUST_CHECK int tf_pool_take_files(struct tf_pool *p, unsigned lock_timeout_ms, struct error *err);

/* Start from a superblock that is known to be sound, with empty memory. */
void tf_pool_start(struct tf_pool *p, const uint8_t *raw);

/* Read and check the superblock and start from it. */
MUST_CHECK int tf_pool_load(struct tf_pool *p, struct error *err);
void tf_pool_close(struct thin_pool *pool);

/* ---- pool.c ---- */

/* At the start of each call: is the handle in order? Also bounds memory, so no pointers into the
 * cache may be kept across it. */
MUST_CHECK int tf_pool_ready(struct tf_pool *p, struct error *err);

MUST_CHECK int tf_pool_check_writable(const struct tf_pool *p, struct error *err);

/* As above for a change that takes up to `blocks` metadata blocks. */
MUST_CHECK int tf_pool_begin(struct tf_pool *p, uint64_t blocks, enum tf_reserve reserve,
			     struct error *err);

/* The handle is of no use until abort or close, because of this error. */
void tf_pool_spoil(struct tf_pool *p, enum tf_state state, const struct error *err);

/* Pass on the result of a change: after a failure memory is half done and must not be committed. */
MUST_CHECK int tf_pool_end(struct tf_pool *p, int rc, const struct error *err);

/*
 * After each read with a pool that is open for reading only: did a writer commit meanwhile? Then
 * the new state has been loaded and the caller does it all again, with writers shut out if they
 * let us. Gives up with ERR_BUSY.
 * @rc, @err: of the read; they change when there is nothing left to try.
 */
bool tf_pool_read_again(struct tf_pool *p, unsigned *tries, int *rc, struct error *err);

/* Write p->sb over the superblock, what is no field of it as it was (p->raw). After a failure the
 * old one is there. The moment of commit. */
MUST_CHECK int tf_pool_put_superblock(struct tf_pool *p, struct error *err);

/* Take back what the transaction did to the files: new data blocks, raised sizes. */
void tf_pool_undo_files(struct tf_pool *p);

MUST_CHECK int tf_pool_commit(struct thin_pool *pool, uint64_t transaction_id, struct error *err);
MUST_CHECK int tf_pool_abort(struct thin_pool *pool, struct error *err);
MUST_CHECK int tf_pool_status(struct thin_pool *pool, struct thin_pool_status *ret,
			      struct error *err);

/* ---- device.c ---- */

MUST_CHECK int tf_device_create_thin(struct thin_pool *pool, uint32_t id, struct error *err);
MUST_CHECK int tf_device_create_snap(struct thin_pool *pool, uint32_t id, uint32_t origin,
				     struct error *err);
MUST_CHECK int tf_device_delete(struct thin_pool *pool, uint32_t id, struct error *err);
MUST_CHECK int tf_device_get(struct thin_pool *pool, uint32_t id, struct thin_device *ret,
			     struct error *err);
MUST_CHECK int tf_device_list(struct thin_pool *pool, struct thin_device **ret, size_t *ret_n,
			      struct error *err);

/* Details and mapping root of a device: 0, 1 = no such device, -1. */
MUST_CHECK int tf_device_find(struct tf_pool *p, uint32_t id, struct tf_device *ret,
			      uint64_t *ret_root, struct error *err);
MUST_CHECK int tf_device_store(struct tf_pool *p, uint32_t id, const struct tf_device *d,
			       struct error *err);
MUST_CHECK int tf_device_count(struct tf_pool *p, uint64_t *ret, struct error *err);

/* ---- volume.c ---- */

MUST_CHECK int tf_volume_open(struct thin_pool *pool, uint32_t id, uint64_t size_bytes,
			      bool writable, struct thin_volume **ret, struct error *err);
bool tf_volume_is_open(const struct tf_pool *p, uint32_t id);

/* ---- grow.c ---- */

/* Files that grew without a commit get their old length back. */
void tf_grow_undo(struct tf_pool *p);

/* ---- held.c ---- */

MUST_CHECK int tf_held_reserve(struct thin_pool *pool, struct error *err);
MUST_CHECK int tf_held_release(struct thin_pool *pool, struct error *err);

/* ---- usage.c ---- */

MUST_CHECK int tf_usage_count(struct thin_pool *pool, const uint32_t *ids, size_t n, bool exclusive,
			      uint64_t *ret_blocks, struct error *err);

/* Reference counts taken from the trees, for a state without space maps. Reads all of it. */
MUST_CHECK int tf_usage_derive(struct tf_pool *p, struct error *err);

/* ---- diff.c ---- */

MUST_CHECK int tf_diff_ranges(struct thin_pool *pool, uint32_t id_a, uint32_t id_b,
			      struct thin_diff_range **ret, size_t *ret_n, struct error *err);
