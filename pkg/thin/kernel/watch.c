/* SPDX-License-Identifier: Apache-2.0 */
/* Events of a pool, and the mark at which the kernel sends the first of them. */
#include <string.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/thin/kernel/activate.h"
#include "pkg/thin/kernel/engine.h"
#include "pkg/thin/kernel/pool_internal.h"

/* --- events ----------------------------------------------------------------------------------- */

static int find_active(const char *dir, struct devmap_info *ret, struct error *err)
{
	cleanup(thin_place_release) struct thin_place place = {0};

	if (kernel_place_load(dir, &place, err) < 0 || kernel_pool_find(dir, &place, ret, err) < 0)
		return -1;
	if (!ret->exists || !ret->live)
		return error_set(err, ERR_NOT_FOUND, "pool %s is not active", dir);
	return 0;
}

int thin_kernel_events(const char *dir, uint32_t *ret, struct error *err)
{
	struct devmap_info pool;

	if (find_active(dir, &pool, err) < 0)
		return -1;
	*ret = pool.event_nr;
	return 0;
}

int thin_kernel_wait(const char *dir, uint32_t events, int timeout_ms, struct error *err)
{
	struct devmap_info pool;

	if (find_active(dir, &pool, err) < 0)
		return -1;
	return devmap_wait(pool.uuid, events, timeout_ms, err);
}

/* --- the mark --------------------------------------------------------------------------------- */

int thin_kernel_set_low_water(struct thin_pool *pool, uint64_t blocks, struct error *err)
{
	struct tk_pool *p = tk_pool_of(pool);
	cleanup_free char *type = NULL, *params = NULL, *new_params = NULL;
	struct kernel_pool_table table;
	struct devmap_target target;

	if (tk_pool_check_writable(p, err) < 0
	    || devmap_table(p->device.uuid, &target, &type, &params, err) < 0
	    || kernel_pool_table_parse(params, &table, err) < 0)
		return -1;
	if (table.low_water_blocks == blocks)
		return 0;
	table.low_water_blocks = blocks;
	new_params = kernel_pool_table_format(&table);
	target.type = type;
	target.params = new_params;
	if (devmap_reload(p->device.uuid, &target, 1, 0, err) < 0
	    || devmap_suspend(p->device.uuid, DEVMAP_NOFLUSH | DEVMAP_NOLOCKFS, err) < 0)
		return -1;
	return devmap_resume(p->device.uuid, err);
}
