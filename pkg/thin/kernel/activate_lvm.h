/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The thin-pool device of a pool that LVM runs: found by its UUID, whatever its name is just now
 * (VG-LV, or VG-LV-tpool once LVM has a thin volume in it); activated, deactivated and grown by LVM.
 * Low water mark, zeroing and what happens when it is full are in LVM's table, never in one of ours.
 *
 * Finding runs no program. The others run LVM's.
 */
#pragma once

#include <stdint.h>

#include "pkg/base/error.h"
#include "pkg/thin/kernel/devmap.h"
#include "pkg/thin/place.h"

/* ret->exists is false when LVM has not activated it. Errors: ERR_INCONSISTENT (what has the UUID
 * is no thin pool). */
MUST_CHECK int kernel_lvm_find(const struct thin_place *place, struct devmap_info *ret,
			       struct error *err);

/*
 * Active afterwards, usually it is since boot; one that a killed LVM left suspended is resumed.
 * @dir: of the pool; there it is written down that we activated it.
 * Errors: ERR_NOT_FOUND (LVM has no such volume), ERR_SYSTEM (what LVM says).
 */
MUST_CHECK int kernel_lvm_activate(const char *dir, const struct thin_place *place,
				   struct error *err);

/* Our own devices on it are gone already. An adopted pool that LVM itself activated stays active.
 * Errors: ERR_BUSY (somebody has it open), ERR_SYSTEM. */
MUST_CHECK int kernel_lvm_deactivate(const char *dir, const struct thin_place *place,
				     struct error *err);

/*
 * Totals in bytes, rounded up to LVM's extents; 0 = leave.
 * Errors: ERR_USAGE (smaller), ERR_NO_SPACE (the volume group is full), ERR_SYSTEM.
 */
MUST_CHECK int kernel_lvm_grow(const struct thin_place *place, uint64_t data_bytes,
			       uint64_t metadata_bytes, struct error *err);
