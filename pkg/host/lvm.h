/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LVM by its own program, never through a shell: volume groups and thin pools asked for, made,
 * changed and taken away. The only one who knows its options and what it reports.
 *
 * What it says on stderr becomes the cause of our error, one line of it. A change can be interrupted;
 * what takes away or only asks cannot, so that it is there for undoing.
 * Spec: lvm(8), lvmthin(7), lvmreport(7).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "pkg/base/cleanup.h"
#include "pkg/base/error.h"

enum { LVM_UUID_BYTES = 16 };

/* Is it installed? Errors: ERR_UNSUPPORTED. */
MUST_CHECK int lvm_check(struct error *err);

/* --- asking ----------------------------------------------------------------------------------- */

/* A logical volume as LVM reports it. Strings are owned. */
struct lvm_pool {
	char *vg, *lv;
	char *device_uuid; /* device-mapper's UUID of its thin-pool device: LVM-...-tpool */
	char *profile;	   /* its metadata profile, "" = none */
	bool thin_pool;	   /* the rest is only known of such */
	bool active, monitored, queue_when_full, zeroing;
	bool whole;			     /* all of its volume group's disks are there */
	uint64_t transaction_id, thin_count; /* LVM's own */
	uint64_t data_bytes, metadata_bytes, block_bytes;
	uint64_t group_free_bytes, extent_bytes;
};
void lvm_pool_release(struct lvm_pool *pool);
#define cleanup_lvm_pool cleanup(lvm_pool_release)

/* By name, or by the device's UUID, which outlives changes of names. Errors: ERR_NOT_FOUND. */
MUST_CHECK int lvm_pool_find(const char *vg, const char *lv, struct lvm_pool *ret,
			     struct error *err);
MUST_CHECK int lvm_pool_find_device(const char *device_uuid, struct lvm_pool *ret,
				    struct error *err);

/* A volume group, or a physical volume that is in none (vg is "" then). */
struct lvm_group {
	char *vg;     /* owned */
	char *device; /* the physical volume that was asked for, owned; NULL when asked by name */
	uint64_t bytes, free_bytes, extent_bytes, volumes;
};
void lvm_group_release(struct lvm_group *group);
#define cleanup_lvm_group cleanup(lvm_group_release)

MUST_CHECK int lvm_group_find(const char *vg, struct lvm_group *ret, struct error *err);
/* By its disk, or the UUID that lvm_group_create() gave to it. Errors: ERR_NOT_FOUND. */
MUST_CHECK int lvm_group_find_device(const char *device, struct lvm_group *ret, struct error *err);
MUST_CHECK int lvm_group_find_disk(const uint8_t uuid[LVM_UUID_BYTES], struct lvm_group *ret,
				   struct error *err);

/* How LVM extends a thin pool by itself. */
struct lvm_policy {
	bool monitored;	    /* dmeventd watches it */
	uint64_t threshold; /* percent of the pool; 100 = never */
	uint64_t percent;   /* by so much of its size */
};
MUST_CHECK int lvm_policy_of(const struct lvm_pool *pool, struct lvm_policy *ret,
			     struct error *err);

/* --- making and taking away ------------------------------------------------------------------- */

/*
 * A disk as physical volume with this UUID, and a volume group on it. What a disk held is wiped;
 * one that is in a volume group is refused. Not undone on failure.
 */
MUST_CHECK int lvm_group_create(const char *vg, const char *device,
				const uint8_t uuid[LVM_UUID_BYTES], struct error *err);
/* The volume group, empty unless all volumes are to go with it, and the physical volume; vg "": only
 * that. */
MUST_CHECK int lvm_group_remove(const char *vg, const char *device, bool with_volumes,
				struct error *err);

struct lvm_pool_params {
	const char *vg, *lv;
	uint64_t data_bytes, metadata_bytes; /* rounded up to extents */
	uint32_t block_bytes;
	bool queue_when_full, no_zero;
};

/* With spare metadata for a repair, extended by the policy of lvm_profile_store(), monitored, and
 * active. */
MUST_CHECK int lvm_pool_create(const struct lvm_pool_params *params, struct error *err);
MUST_CHECK int lvm_pool_remove(const char *vg, const char *lv, struct error *err);

/*
 * The policy of all pools that we make, in LVM's folder of profiles: at 80 % by 20 %. One that is
 * there already is left as it is, and so is one that a volume still has.
 */
MUST_CHECK int lvm_profile_store(struct error *err);
MUST_CHECK int lvm_profile_remove(struct error *err);

/* --- changing --------------------------------------------------------------------------------- */

MUST_CHECK int lvm_pool_activate(const char *vg, const char *lv, struct error *err);
MUST_CHECK int lvm_pool_deactivate(const char *vg, const char *lv, struct error *err);
/* The table as LVM has it, loaded and resumed. */
MUST_CHECK int lvm_pool_refresh(const char *vg, const char *lv, struct error *err);
/* Totals, rounded up to extents; 0 = leave. */
MUST_CHECK int lvm_pool_extend(const char *vg, const char *lv, uint64_t data_bytes,
			       uint64_t metadata_bytes, struct error *err);
/* As it is already: nothing to do. */
MUST_CHECK int lvm_pool_set(const struct lvm_pool *pool, bool queue_when_full, bool zeroing,
			    struct error *err);
