/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a pool's metadata and data are, and what it was told at its making: DIR/place.json. A pool
 * without that file is of the first kind, with the defaults.
 *
 *   THIN_PLACE_FILES   DIR/meta and DIR/data: either engine, the kernel by loop devices
 *   THIN_PLACE_DEVICE  block devices of its own: the kernel engine
 *   THIN_PLACE_LVM     a thin pool of LVM's, made or adopted: the kernel engine
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "pkg/base/buffer.h"
#include "pkg/base/cleanup.h"
#include "pkg/base/error.h"
#include "pkg/thin/pool.h"

enum thin_place_kind { THIN_PLACE_FILES, THIN_PLACE_DEVICE, THIN_PLACE_LVM };

struct thin_place {
	enum thin_place_kind kind;
	/* In the names of its devices; all zero in a place without file: then the superblock's. */
	uint8_t uuid[THIN_UUID_BYTES];
	/* THIN_PLACE_DEVICE: stable names (/dev/disk/by-id/... where there is one). Without a device
	 * of its own the metadata has the front of the data device. */
	char *data_device, *metadata_device;
	uint64_t metadata_start, metadata_bytes; /* on that device, bytes */
	uint64_t data_start, data_bytes;
	uint32_t block_bytes;
	/* THIN_PLACE_LVM; data_device is then what we made the volume group on, NULL when adopted */
	char *vg, *lv;	/* as they were at the making: names may change */
	char *lvm_uuid; /* device-mapper's UUID of the thin-pool device; NULL: not made yet */
	bool adopted;	/* was there before us: LVM keeps it at our end */
	bool was_queueing, was_zeroing; /* what an adopted one is set back to */
	/* all */
	bool queue_when_full; /* else I/O fails at once */
	bool no_zero;	      /* blocks are not zeroed before the first write to them */
};

/* Errors: ERR_NOT_FOUND (no pool in the folder), ERR_INCONSISTENT (malformed). */
MUST_CHECK int thin_place_load(const char *dir, struct thin_place *ret, struct error *err);
/* Written beside, synced, renamed. */
MUST_CHECK int thin_place_store(const char *dir, const struct thin_place *place, struct error *err);
void thin_place_release(struct thin_place *place);

/* The text of place.json. Errors: ERR_INCONSISTENT, ERR_UNSUPPORTED (version). */
MUST_CHECK int thin_place_parse(const void *text, size_t len, struct thin_place *ret,
				struct error *err);
void thin_place_format(const struct thin_place *place, struct buffer *ret);

/* "files", "device", "lvm" */
const char *thin_place_kind_name(enum thin_place_kind kind);
