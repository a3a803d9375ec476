/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of struct snapshots and of a change of it, for this folder only. */
#pragma once

#include "pkg/snapshot/record.h"
#include "pkg/snapshot/snapshot.h"

struct snapshots {
	struct thin_pool *pool;
	struct record record;
};

/* Commit a change that was made in pool and record, or after a failure take it back: status. */
MUST_CHECK int snapshots_end_change(struct snapshots *s, int status, struct error *err);

/* A thin id that is free. Errors: ERR_NO_SPACE. */
MUST_CHECK int snapshots_take_id(struct snapshots *s, uint32_t *ret, struct error *err);
