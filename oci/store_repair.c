/* SPDX-License-Identifier: Apache-2.0 */
/* A pool's metadata put right: of the pool alone, the record is bytes like any. */
#include "oci/store_internal.h"
#include "pkg/thin/file/repair.h"

int store_pool_repair(struct store *s, bool dry_run, enum thin_repair_outcome *ret,
		      struct thin_findings *ret_found, struct error *err)
{
	const struct thin_repair_how how = {.lock_timeout_ms = s->lock_timeout_ms,
					    .dry_run = dry_run};

	if (!store_pool_exists(s))
		return error_set(err, ERR_NOT_FOUND, "there is no pool %s in %s", s->pool, s->root);
	if (thin_file_repair(s->pool_dir, &how, ret, ret_found, err) < 0)
		return error_wrap(err, "pool %s", s->pool);
	return 0;
}
