/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pools that LVM runs ("direct-lvm"), from nothing to a thin pool that is ours alone and back:
 *
 *   made     DEV ─▶ physical volume ─▶ volume group VG ─▶ thin pool VG/pool, extended by dmeventd
 *   adopted  VG/LV, empty, and without a thin volume or a transaction of LVM's
 *
 * DIR/place.json is there before anything is changed, and says enough to take all of it back, after
 * a kill too: what we made has our UUID on its disk, what we adopted has its settings written down.
 * Whether this process can drive dm-thin is for the caller to know (thin_kernel_check()).
 *
 * LVM checks the pool's transaction id only while it has volumes in it: as long as it has none the
 * id is ours, and LVM makes none in a pool whose id is not its own.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "pkg/base/error.h"
#include "pkg/thin/place.h"

struct thin_lvm_params {
	uint8_t uuid[THIN_UUID_BYTES];
	const char *vg;			     /* to make, or of the pool to adopt */
	const char *lv;			     /* to adopt */
	const char *device;		     /* to make it on, see thin_lvm_look() */
	bool force;			     /* what is on it is lost */
	uint64_t data_bytes, metadata_bytes; /* 0: see thin_lvm_plan() */
	uint32_t block_bytes;		     /* 0: 512 KiB; of one that is adopted it is as it is */
	bool queue_when_full, no_zero;
};

/*
 * May a disk be made into a volume group? It is not in use, nothing is on it unless force, and it is
 * in no other volume group. @ret_name: by which it is found again, owned.
 * Errors: ERR_BUSY, ERR_NOT_FOUND, ERR_USAGE (no block device), ERR_UNSUPPORTED (read-only).
 */
MUST_CHECK int thin_lvm_look(const char *device, bool force, char **ret_name, struct error *err);

/*
 * Make it: active afterwards. On failure thin_lvm_end() takes back what there is of it, as far as
 * there is a place.
 * Errors: ERR_BUSY (the volume group exists), ERR_NO_SPACE, ERR_USAGE, ERR_UNSUPPORTED (no LVM),
 * ERR_SYSTEM (what LVM says).
 */
MUST_CHECK int thin_lvm_create(const char *dir, const struct thin_lvm_params *params,
			       struct error *err);

/* What is made of a volume group. */
struct thin_lvm_plan {
	uint64_t data_bytes, metadata_bytes; /* whole extents */
};

/*
 * The metadata, and as much again for its repair, is for all the data that the volume group could
 * hold. The data takes so much of the rest that it can be extended by 20 % once, which LVM does by
 * itself when it is 80 % full: LVM extends by all of that or not at all.
 * Errors: ERR_NO_SPACE, ERR_USAGE.
 */
MUST_CHECK int thin_lvm_plan(uint64_t group_bytes, uint64_t extent_bytes,
			     const struct thin_lvm_params *params, struct thin_lvm_plan *ret,
			     struct error *err);

/*
 * Take over an existing thin pool: active afterwards, and set as the params say. On failure as above.
 * Errors: ERR_NOT_FOUND, ERR_BUSY (LVM or somebody else has something in it, or has it open),
 * ERR_UNSUPPORTED (no thin pool; disks of it are missing), ERR_SYSTEM.
 */
MUST_CHECK int thin_lvm_adopt(const char *dir, const struct thin_lvm_params *params,
			      struct error *err);

/*
 * Let LVM deactivate and activate the pool once, with our transaction id in it: what a boot does.
 * One that somebody has open is left alone, and that is no error. Errors: ERR_SYSTEM.
 */
MUST_CHECK int thin_lvm_prove(const char *dir, struct error *err);

/*
 * The end of a pool whose own devices are gone, and whose lock the caller has: of one that we made, volume, volume group and
 * physical volume go, as far as they are there; one that was adopted is set back, empty, and may
 * have LVM's own volumes again. Done twice it is no error.
 * Errors: ERR_BUSY (open; other volumes in the volume group), ERR_SYSTEM.
 */
MUST_CHECK int thin_lvm_end(const char *dir, const struct thin_place *place, struct error *err);

/* How LVM extends the pool by itself, and from what; runs LVM's program. */
struct thin_lvm_policy {
	char *vg, *lv;		    /* as they are called now, owned */
	bool monitored;		    /* dmeventd watches it */
	unsigned threshold_percent; /* at which it is extended; 100 = never */
	unsigned extend_percent;
	uint64_t group_free_bytes;
};
MUST_CHECK int thin_lvm_policy(const struct thin_place *place, struct thin_lvm_policy *ret,
			       struct error *err);
void thin_lvm_policy_release(struct thin_lvm_policy *policy);
