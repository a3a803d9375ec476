/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pools on block devices of their own ("direct"), from a blank disk to an empty pool and back:
 *
 *   one device    label | metadata | data            each from a whole MiB on
 *   two devices   label | metadata        label | data
 *
 * DIR/place.json is there before anything is written to a device, so that a kill at any instant can
 * be taken back: what has our label (see label.h) is ours, everything else was not touched yet, or
 * is blank again.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "pkg/base/error.h"
#include "pkg/host/blockdev.h"
#include "pkg/thin/place.h"

struct thin_device_params {
	uint8_t uuid[THIN_UUID_BYTES];
	const char *pool; /* its name, for the label */
	const char *data_device;
	const char *metadata_device; /* NULL: the front of the other one */
	bool force;		     /* what is on them is lost */
	uint64_t data_bytes;	     /* 0: all there is */
	uint64_t metadata_bytes;     /* 0: all of its own device, or by the kernel's rule */
	uint32_t block_bytes;
	bool queue_when_full, no_zero;
};

/*
 * Make it: the linear devices are active afterwards, with metadata of an empty pool, the thin-pool
 * is not yet. On failure thin_device_end() takes back what DIR/place.json tells of.
 * Errors: ERR_BUSY (in use; something is on it, named, and not force), ERR_NOT_FOUND, ERR_USAGE
 * (no block device, twice the same), ERR_NO_SPACE (too small), ERR_UNSUPPORTED (read-only).
 */
MUST_CHECK int thin_device_create(const char *dir, const struct thin_device_params *params,
				  struct error *err);

/*
 * Where everything goes, into place's starts and sizes. @metadata_device_bytes: 0 = the front of
 * the other one. Errors: ERR_NO_SPACE, ERR_USAGE.
 */
MUST_CHECK int thin_device_plan(const struct thin_device_params *params, uint64_t device_bytes,
				uint64_t metadata_device_bytes, struct thin_place *place,
				struct error *err);

/*
 * May a device be taken? It is not in use, and nothing is on it, unless force. @ret: released by the
 * caller, also on failure. Errors: as above.
 */
MUST_CHECK int thin_device_look(const char *path, bool force, struct blockdev *ret,
				struct error *err);
/* Nothing is on it afterwards that anybody knows by its signature. Errors: ERR_BUSY. */
MUST_CHECK int thin_device_wipe(const char *path, struct error *err);

/*
 * The end of a pool whose devices in the kernel are gone already: what has its label has none any
 * more, nor a superblock. Done twice, or with a device that is not there, it is no error.
 */
MUST_CHECK int thin_device_end(const struct thin_place *place, struct error *err);
