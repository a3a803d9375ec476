/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts of activating a pool, for the engine: under DIR/lock, which the caller holds. What each
 * kind of place needs below the thin-pool device is in activate_<kind>.c.
 */
#pragma once

#include "pkg/base/error.h"
#include "pkg/thin/kernel/devmap.h"
#include "pkg/thin/place.h"

/* As thin_place_load(); the uuid is there for all kinds. */
MUST_CHECK int kernel_place_load(const char *dir, struct thin_place *ret, struct error *err);

/*
 * The pool's device, whatever it is called; ret->exists is false when it is not active.
 * Errors: ERR_BUSY (kernel_loop_check_own()).
 */
MUST_CHECK int kernel_pool_find(const char *dir, const struct thin_place *place,
				struct devmap_info *ret, struct error *err);

/* thin_kernel_activate() with the lock held. @ret: the pool's device. */
MUST_CHECK int kernel_pool_activate(const char *dir, const struct thin_place *place,
				    unsigned lock_timeout_ms, struct devmap_info *ret,
				    struct error *err);

/* So many of these blocks free, and the kernel sends its event. */
uint64_t kernel_low_water(uint64_t data_blocks);

/* One that a killed command left suspended is resumed, without a table removed: then ret->exists is
 * false. */
MUST_CHECK int kernel_pool_mend(const struct thin_place *place, struct devmap_info *ret,
				struct error *err);

/* thin_kernel_deactivate() with the lock held. */
MUST_CHECK int kernel_pool_deactivate(const char *dir, const struct thin_place *place,
				      struct error *err);

/* What a thin-pool stands on goes; not there: fine. Errors: ERR_BUSY. */
MUST_CHECK int kernel_parts_detach(const char *dir, const struct thin_place *place,
				   struct error *err);

/* DIR/lock, made when missing, with DIR/lock.owner naming the verb; let go by kernel_lock_drop(). */
MUST_CHECK int kernel_lock_take(const char *dir, const char *verb, unsigned timeout_ms, int *ret_fd,
				struct error *err);
/* The same. @ret_dead_owner: who had it last was killed. */
MUST_CHECK int kernel_lock_take_over(const char *dir, const char *verb, unsigned timeout_ms,
				     int *ret_fd, bool *ret_dead_owner, struct error *err);
MUST_CHECK int kernel_lock_take_shared(const char *dir, unsigned timeout_ms, int *ret_fd,
				       struct error *err);
void kernel_lock_drop(const char *dir, int *fd);

/* --- activate_loop.c: a pool in files --------------------------------------------------------- */

/* What a thin-pool stands on. */
struct kernel_parts {
	char metadata[32], data[32]; /* "MAJOR:MINOR" */
	uint64_t data_bytes;
	uint32_t block_bytes;
};

/*
 * Both files on loop devices, old or new ones. The file engine's lock is held meanwhile, and what a
 * killed owner of it left is cleaned up first.
 */
MUST_CHECK int kernel_loop_attach(const char *dir, unsigned lock_timeout_ms,
				  struct kernel_parts *ret, struct error *err);

/*
 * The active pool with the UUID of this folder's may be that of a folder it was copied from, or of
 * a copy. Errors: ERR_BUSY (it stands on files that are not in DIR).
 */
MUST_CHECK int kernel_loop_check_own(const char *dir, const struct devmap_info *pool,
				     struct error *err);

/* They go, and what was written to them is on disk. Errors: ERR_BUSY. */
MUST_CHECK int kernel_loop_detach(const char *dir, struct error *err);

/*
 * Files and the devices on them get these sizes, which are on disk then. Only what no pool uses may
 * be taken off again. Errors: ERR_NO_SPACE (the host has no files so long).
 */
MUST_CHECK int kernel_loop_resize(const char *dir, uint64_t data_bytes, uint64_t metadata_bytes,
				  struct error *err);

/* The uuid in the superblock of a pool in files. */
MUST_CHECK int kernel_loop_uuid(const char *dir, uint8_t ret[THIN_UUID_BYTES], struct error *err);

/* --- activate_device.c: a pool on block devices ----------------------------------------------- */

/* Errors: ERR_NOT_FOUND (a device is not there). */
MUST_CHECK int kernel_device_attach(const struct thin_place *place, struct kernel_parts *ret,
				    struct error *err);
MUST_CHECK int kernel_device_detach(const struct thin_place *place, struct error *err);

/*
 * Is there room for these sizes? UINT64_MAX becomes what there is; 0 stays.
 * Errors: ERR_NO_SPACE, ERR_UNSUPPORTED (metadata that data follows on the same device).
 */
MUST_CHECK int kernel_device_room(const struct thin_place *place, uint64_t *data_bytes,
				  uint64_t *metadata_bytes, struct error *err);

/* First into DIR/place.json, then to the linear devices. @place: changed with it. */
MUST_CHECK int kernel_device_resize(const char *dir, struct thin_place *place, uint64_t data_bytes,
				    uint64_t metadata_bytes, struct error *err);
