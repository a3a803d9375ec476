/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pool of thin devices, whoever runs it: the file engine (pkg/thin/file), later the kernel.
 *
 *   pool ── thin device 0        the record (pkg/snapshot), never handed out
 *        ├─ thin device 1..2^24  layers and containers, snapshots of each other
 *        └─ transaction id       counts the commits of its user; the record names it
 *
 * A handle is one session: opened for reading (any number, never blocks a writer) or for writing
 * (one at a time, it owns the pool's lock). No pointer into engine memory crosses this interface.
 * Terms and rules: kernel Documentation/admin-guide/device-mapper/thin-provisioning.rst.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pkg/base/cleanup.h"
#include "pkg/base/error.h"

struct thin_pool;
struct thin_volume;

enum { THIN_ID_MAX = 0xffffff, THIN_UUID_BYTES = 16 };

/* The virtual size of thin device 0: a pool stores none, and the record is told in halves of it. */
#define THIN_RECORD_BYTES (UINT64_C(128) << 20)

struct thin_pool_status {
	const char *engine;   /* "file" or "kernel" */
	const char *mode;     /* "rw", "ro", "out_of_data_space", "out_of_metadata_space",
			       * "needs_check", "fail" */
	uint32_t block_bytes; /* size of a data block */
	uint64_t data_used_blocks, data_total_blocks;
	uint64_t metadata_used_blocks, metadata_total_blocks; /* 4096-byte blocks */
	uint64_t transaction_id;
	uint64_t held_root; /* block of a metadata snapshot, 0 = none */
	uint64_t thin_count;
	bool needs_check;
	bool in_files; /* of the host, whose file system may run full before the pool does */
	uint8_t uuid[THIN_UUID_BYTES];
};

/* What the pool knows of one thin device. */
struct thin_device {
	uint32_t id;
	uint64_t mapped_blocks;
	uint64_t transaction_id; /* at creation */
	uint32_t creation_time, snapshotted_time;
};

/*
 * New empty thin device. Errors: ERR_INCONSISTENT (the id exists), ERR_NO_SPACE (metadata).
 * Like all changes below it takes effect for others with thin_pool_commit().
 */
MUST_CHECK int thin_pool_create_thin(struct thin_pool *pool, uint32_t id, struct error *err);

/*
 * New thin device that shares all blocks of origin; copy-on-write from then on, on both sides.
 * O(1). Errors: ERR_INCONSISTENT (id exists, or origin does not), ERR_NO_SPACE.
 */
MUST_CHECK int thin_pool_create_snap(struct thin_pool *pool, uint32_t id, uint32_t origin,
				     struct error *err);

/* Delete a thin device; blocks nobody else maps become free. Errors: ERR_NOT_FOUND, ERR_BUSY (a
 * volume of it is open). */
MUST_CHECK int thin_pool_delete(struct thin_pool *pool, uint32_t id, struct error *err);

/*
 * Open a thin device as a volume.
 * @size_bytes: virtual size, which the pool does not store; multiple of 512.
 * @writable: false for committed layers, always.
 * @ret: owned, ended with thin_volume_close(); must not outlive the pool.
 */
MUST_CHECK int thin_pool_open_volume(struct thin_pool *pool, uint32_t id, uint64_t size_bytes,
				     bool writable, struct thin_volume **ret, struct error *err);

/*
 * Make everything since the last commit durable and visible, in one step: data first, superblock
 * last. After an error the pool on disk is as it was at the last commit and the handle refuses all
 * but close.
 * @transaction_id: the pool's new transaction id, at least the present one.
 */
MUST_CHECK int thin_pool_commit(struct thin_pool *pool, uint64_t transaction_id, struct error *err);

/* Forget everything since the last commit. Volumes must be closed. */
MUST_CHECK int thin_pool_abort(struct thin_pool *pool, struct error *err);

/*
 * Keep the metadata as it is now, for programs that look at it in peace (thin_dump
 * --metadata-snap): a copy of the superblock and one more reference to all it names. Data is not
 * kept: writes to private blocks go on in place.
 * Commits what is there first, with the present transaction id; the snapshot itself takes effect
 * with the next commit. Errors: ERR_BUSY (there is one), ERR_NO_SPACE.
 */
MUST_CHECK int thin_pool_reserve_metadata_snap(struct thin_pool *pool, struct error *err);

/* Give it up; what only it held becomes free. Errors: ERR_NOT_FOUND (there is none). */
MUST_CHECK int thin_pool_release_metadata_snap(struct thin_pool *pool, struct error *err);

MUST_CHECK int thin_pool_status(struct thin_pool *pool, struct thin_pool_status *ret,
				struct error *err);

/* The same but for thin_count, which is 0: who only asks for room need not have them counted. */
MUST_CHECK int thin_pool_room(struct thin_pool *pool, struct thin_pool_status *ret,
			      struct error *err);

/* The one of the last commit, for less than the whole status costs. */
MUST_CHECK int thin_pool_transaction_id(struct thin_pool *pool, uint64_t *ret, struct error *err);

/* One thin device, or all in ascending id order (an owned array, freed by the caller). Errors:
 * ERR_NOT_FOUND. */
MUST_CHECK int thin_pool_device(struct thin_pool *pool, uint32_t id, struct thin_device *ret,
				struct error *err);
MUST_CHECK int thin_pool_devices(struct thin_pool *pool, struct thin_device **ret, size_t *ret_n,
				 struct error *err);

/*
 * The data blocks that one or more of these devices map, each counted once; and of these the ones
 * that no other device maps: what deleting them all would free.
 * @ids: all different. A metadata snapshot is no device: it counts as given up. The first reads what
 * they map, the second no more than what is theirs alone. Errors: ERR_NOT_FOUND.
 */
MUST_CHECK int thin_pool_mapped(struct thin_pool *pool, const uint32_t *ids, size_t n,
				uint64_t *ret_blocks, struct error *err);
MUST_CHECK int thin_pool_exclusive(struct thin_pool *pool, const uint32_t *ids, size_t n,
				   uint64_t *ret_blocks, struct error *err);

/* A run of virtual blocks that two devices do not map alike. */
enum thin_diff_kind {
	THIN_DIFF_ONLY_A, /* not mapped in b: reads as zeros there */
	THIN_DIFF_ONLY_B,
	THIN_DIFF_BOTH, /* to different data blocks, whose bytes may yet be the same */
};

struct thin_diff_range {
	uint64_t first_block, nr_blocks; /* of the size that thin_pool_status() tells */
	enum thin_diff_kind kind;
};

/*
 * Where two devices differ, of one state of the pool: all other blocks read the same in both.
 * What their trees share is not read, so the cost is that of the difference.
 *
 * @ret: owned, freed by the caller; NULL when there is none. Ascending, neighbours of one kind are
 * one range. Errors: ERR_NOT_FOUND.
 */
MUST_CHECK int thin_pool_diff(struct thin_pool *pool, uint32_t a, uint32_t b,
			      struct thin_diff_range **ret, size_t *ret_n, struct error *err);

/*
 * Is everything up to a commit one change, which a kill or an abort takes back as a whole? If not
 * (kernel), each change above is durable at once, and only what volumes hold and the transaction id
 * wait for the commit: then an intent has to be on disk before the change, see pkg/snapshot.
 */
bool thin_pool_is_atomic(const struct thin_pool *pool);

/*
 * A thin device as a block device of its own, for as long as somebody wants it: the handle may be
 * closed. There already: nothing to do, but for one whose read_only differs (ERR_BUSY).
 * @ret_path: owned. Errors: ERR_UNSUPPORTED (file engine), ERR_NOT_FOUND.
 */
MUST_CHECK int thin_pool_activate(struct thin_pool *pool, uint32_t id, uint64_t size_bytes,
				  bool read_only, char **ret_path, struct error *err);

/* Not there: fine. Errors: ERR_BUSY (open). */
MUST_CHECK int thin_pool_deactivate(struct thin_pool *pool, uint32_t id, struct error *err);

/* 0, 1 = it is none now, -1. @ret_path: owned. */
MUST_CHECK int thin_pool_find_device(struct thin_pool *pool, uint32_t id, char **ret_path,
				     struct error *err);

/*
 * Block devices of volumes go whose processes were killed; any session can do that.
 * @ret_given: all that are block devices by thin_pool_activate(), ascending; owned, freed by the
 * caller. Whether they are wanted is for the caller to know.
 */
MUST_CHECK int thin_pool_mend(struct thin_pool *pool, uint32_t **ret_given, size_t *ret_n,
			      struct error *err);

/*
 * While a volume is written others may have the pool: let go of the lock, and take it again. What
 * was known of the pool may have changed then. thin_pool_pause(): 0, 1 = this engine keeps it, -1.
 */
MUST_CHECK int thin_pool_pause(struct thin_pool *pool, struct error *err);
MUST_CHECK int thin_pool_go_on(struct thin_pool *pool, struct error *err);

/*
 * A session for reading, as if it were opened anew: for reading, or as the one that writes. What was
 * known of the pool may have changed then. 0, 1 = this engine's are opened anew, -1: it is good for
 * nothing but to be closed. Errors: as thin_open().
 */
MUST_CHECK int thin_pool_renew(struct thin_pool *pool, bool writing, unsigned lock_timeout_ms,
			       struct error *err);

/*
 * This session is at work on an id that an intent on disk names; others can tell until it lets go
 * of it or ends, however that happens. 0, 1 = another session is, -1. Where a commit is one change
 * there are no such intents: granted, and nobody's.
 */
MUST_CHECK int thin_pool_claim(struct thin_pool *pool, uint32_t id, struct error *err);
void thin_pool_unclaim(struct thin_pool *pool, uint32_t id);
/* By another session than this one. */
bool thin_pool_is_claimed(struct thin_pool *pool, uint32_t id);

/* What a session has asked of the kernel so far. The file engine does not count. */
struct thin_pool_counts {
	uint64_t ioctls;		/* of device-mapper */
	uint64_t flushes;		/* of block devices */
	uint64_t messages, activations; /* some of the ioctls */
};
void thin_pool_counts(struct thin_pool *pool, struct thin_pool_counts *ret);

/* End the session; what was not committed is forgotten. NULL is fine. */
void thin_pool_close(struct thin_pool *pool);
DEFINE_CLEANUP(struct thin_pool *, thin_pool_close);
