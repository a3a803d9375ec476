/* SPDX-License-Identifier: Apache-2.0 */
/* A thin device that is open as a volume, as volume.c and discard.c see it. */
#pragma once

#include "pkg/thin/file/pool_internal.h"

struct tf_volume {
	struct thin_volume base; /* first */
	struct tf_pool *pool;
	uint32_t id;
	/* Ids are used again: which of the devices that had this one it is. */
	uint64_t transaction_id;
	uint32_t creation_time;
	struct tf_volume *next; /* in pool->volumes */
};

static inline struct tf_volume *tf_volume_of(struct thin_volume *v)
{
	return (struct tf_volume *)v;
}

/* The device as it is now, and its mappings' root. Errors: ERR_NOT_FOUND (it is gone). */
MUST_CHECK int tf_volume_device(const struct tf_volume *v, struct tf_device *ret,
				uint64_t *ret_root, struct error *err);

/* ---- discard.c ---- */

MUST_CHECK int tf_volume_discard(struct thin_volume *volume, uint64_t offset, uint64_t len,
				 struct error *err);
