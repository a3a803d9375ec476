/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel engine: a pool that device-mapper runs. A handle is a session, as with the file
 * engine, but the pool itself outlives it: it is active from the first command that needs it until
 * thin_kernel_deactivate(), and so is thin device 0. Each change is the kernel's at once; what makes
 * several of them one is the record (pkg/snapshot) and the transaction id, a compare-and-swap.
 *
 *   DIR/place.json   see pkg/thin/place.h
 *   DIR/lock         flock()ed by the writer; DIR/lock.owner says who
 *   DIR/claims       bytes of it are locked (OFD) by whoever has a thin device open, or is making
 *                    one, so that what was left by a kill is told from what is in use
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "pkg/thin/file/repair.h"
#include "pkg/thin/open.h"
#include "pkg/thin/place.h"
#include "pkg/thin/pool.h"

/*
 * Can this process drive dm-thin? Modules are loaded by the kernel itself when it is asked.
 * Errors: ERR_UNSUPPORTED (why not, and what would help).
 */
MUST_CHECK int thin_kernel_check(struct error *err);

/* The same as a few constant words, "not root"; NULL: it can. */
const char *thin_kernel_obstacle(void);

/* Activates when needed. Errors: as thin_open(). */
MUST_CHECK int thin_kernel_open(const char *dir, const struct thin_open *how,
				struct thin_pool **ret, struct error *err);

/* Does the kernel have this pool now? Never an error: who cannot tell is told no. */
bool thin_kernel_is_active(const char *dir, const struct thin_place *place);

/*
 * Loop devices, linear devices or LVM, then the pool, then thin device 0, where one of them is
 * missing; what a killed command left (a suspended pool, half of these) is put right. Undone on
 * failure. Errors: ERR_BUSY (the file engine has it), ERR_NOT_FOUND (a device is not there),
 * ERR_INCONSISTENT (the kernel refuses the metadata).
 */
MUST_CHECK int thin_kernel_activate(const char *dir, unsigned lock_timeout_ms, struct error *err);

/* All of these go. Errors: ERR_BUSY (names a device that is open); then what went is back. */
MUST_CHECK int thin_kernel_deactivate(const char *dir, unsigned lock_timeout_ms, struct error *err);

/*
 * More room, while everything is in use: files and loop devices, linear devices, or LVM, then the
 * pool's table. Totals in bytes, rounded down to whole blocks; 0 = leave.
 * Errors: ERR_USAGE (smaller), ERR_NO_SPACE (host, device, volume group), ERR_UNSUPPORTED.
 */
MUST_CHECK int thin_kernel_grow(struct thin_pool *pool, uint64_t data_bytes,
				uint64_t metadata_bytes, struct error *err);

/* In a damaged pool what is in use may not be what is said to be. */
enum thin_kernel_copy {
	THIN_KERNEL_COPY_USED, /* what the metadata's own bitmaps say is in use */
	THIN_KERNEL_COPY_ALL,
};

/*
 * The pool's metadata as it is at one instant, copied to a file: the pool is suspended while it is
 * read, and resumed whatever happens; after a kill the next command resumes it. What is not copied is
 * zeros.
 * @to: an empty file; it gets the length that the superblock tells.
 */
MUST_CHECK int thin_kernel_copy_metadata(struct thin_pool *pool, enum thin_kernel_copy what,
					 const char *to, struct error *err);

/*
 * Repair of a pool on block devices that is not active, as thin_file_repair() does it: all or
 * nothing. Errors: ERR_BUSY (it is active), ERR_UNSUPPORTED (LVM's), those of thin_file_repair().
 */
MUST_CHECK int thin_kernel_repair(const char *dir, const struct thin_repair_how *how,
				  enum thin_repair_outcome *ret, struct thin_findings *ret_found,
				  struct error *err);

/* For `info` and `pool status`. Strings are owned or NULL. */
struct thin_kernel_setup {
	char *pool_device;		     /* /dev/mapper/... */
	char *data_device, *metadata_device; /* what the pool stands on */
	char *data_file, *metadata_file;     /* behind loop devices */
	bool zeroing, discard, discard_passdown, error_if_no_space;
	bool udev;
	uint64_t low_water_blocks, metadata_low_water_blocks;
	unsigned deferred; /* thin devices that go with their last user */
	char library[64], driver[64];
};
MUST_CHECK int thin_kernel_setup(struct thin_pool *pool, struct thin_kernel_setup *ret,
				 struct error *err);
void thin_kernel_setup_release(struct thin_kernel_setup *setup);

/*
 * How many events (low water, a change of mode) an active pool has had; and wait until it is another
 * number: 0, 1 = time over, -1. Without a lock and without activating: @dir.
 * Errors: ERR_NOT_FOUND (it is not active), ERR_INTERRUPTED.
 */
MUST_CHECK int thin_kernel_events(const char *dir, uint32_t *ret, struct error *err);
MUST_CHECK int thin_kernel_wait(const char *dir, uint32_t events, int timeout_ms,
				struct error *err);

/*
 * The kernel sends an event when no more data blocks than these are free, once until the pool is
 * resumed. Not for LVM's pools, whose table is LVM's.
 */
MUST_CHECK int thin_kernel_set_low_water(struct thin_pool *pool, uint64_t blocks,
					 struct error *err);

/*
 * Discard the free data blocks on what the pool stands on, while it is in use: the host has the space
 * of its files back, a disk knows what it may forget. The pool is suspended for as long as its map is
 * read and some of them are discarded, then everybody goes on for as long, other commands too, and so
 * to the end. What a damaged pool calls free may be in use: check it first.
 * @stretch_ms: how long others wait at a time, about.
 * Errors: ERR_UNSUPPORTED (the device takes no discards; LVM's pools, which LVM may resume at any
 * time), ERR_INTERRUPTED, ERR_BUSY (others have the pool now), ERR_INCONSISTENT. What was done stays.
 */
MUST_CHECK int thin_kernel_trim(struct thin_pool *pool, unsigned stretch_ms, struct error *err);
