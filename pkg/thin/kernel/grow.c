/* SPDX-License-Identifier: Apache-2.0 */
/*
 * More room under a pool in use, from below: first what it stands on, then its table, whose new one
 * the kernel takes when it is resumed. Killed before that, nothing has changed for anybody; after
 * it, all has.
 */
#include <string.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/base/log.h"
#include "pkg/thin/file/engine.h"
#include "pkg/thin/kernel/activate.h"
#include "pkg/thin/kernel/activate_lvm.h"
#include "pkg/thin/kernel/pool_internal.h"
#include "pkg/thin/kernel/table.h"

enum { METADATA_BLOCK_BYTES = 4096 };

struct sizes {
	uint64_t data_bytes, metadata_bytes;
};

static struct sizes sizes_of(const struct tk_pool *p, const struct kernel_pool_status *st)
{
	return (struct sizes){.data_bytes = st->data_total * p->block_bytes,
			      .metadata_bytes = st->metadata_total * METADATA_BLOCK_BYTES};
}

/* --- what is asked for ------------------------------------------------------------------------ */

/* @wanted: 0 = as it is. */
static int new_size(const char *what, uint64_t wanted, uint64_t now, uint64_t unit, uint64_t *ret,
		    struct error *err)
{
	uint64_t whole = wanted / unit * unit;

	if (wanted && whole < now)
		return error_set(err, ERR_USAGE, "the pool has %llu bytes of %s, and never shrinks",
				 (unsigned long long)now, what);
	*ret = wanted ? whole : now;
	return 0;
}

static int plan(const struct tk_pool *p, const struct sizes *now, uint64_t data_bytes,
		uint64_t metadata_bytes, struct sizes *ret, struct error *err)
{
	struct thin_file_params params = {.block_bytes = p->block_bytes};

	if (p->place.kind == THIN_PLACE_DEVICE
	    && kernel_device_room(&p->place, &data_bytes, &metadata_bytes, err) < 0)
		return -1;
	if (new_size("data", data_bytes, now->data_bytes, p->block_bytes, &ret->data_bytes, err) < 0
	    || new_size("metadata", metadata_bytes, now->metadata_bytes, METADATA_BLOCK_BYTES,
			&ret->metadata_bytes, err)
		       < 0)
		return -1;
	params.data_bytes = ret->data_bytes;
	params.metadata_bytes = ret->metadata_bytes;
	return thin_file_check_params(&params, err);
}

/* In these modes the kernel would leave the sizes as they are, and not say so. */
static int check_mode(struct tk_pool *p, const struct kernel_pool_status *st, struct error *err)
{
	if (!st->needs_check && st->mode != KERNEL_POOL_FAIL && st->mode != KERNEL_POOL_ERROR)
		return 0;
	error_set(err, ERR_INCONSISTENT, "it cannot grow now");
	tk_pool_explain(p, err);
	return -1;
}

/* --- doing it --------------------------------------------------------------------------------- */

static int resize_parts(struct tk_pool *p, const struct sizes *to, struct error *err)
{
	if (p->place.kind == THIN_PLACE_DEVICE)
		return kernel_device_resize(p->dir, &p->place, to->data_bytes, to->metadata_bytes,
					    err);
	return kernel_loop_resize(p->dir, to->data_bytes, to->metadata_bytes, err);
}

/* Whatever waits for room stays in the queue meanwhile. */
static int reload_pool(struct tk_pool *p, uint64_t data_bytes, struct error *err)
{
	cleanup_free char *type = NULL, *params = NULL, *new_params = NULL;
	struct kernel_pool_table table;
	struct devmap_target target;

	if (devmap_table(p->device.uuid, &target, &type, &params, err) < 0
	    || kernel_pool_table_parse(params, &table, err) < 0)
		return -1;
	table.low_water_blocks = kernel_low_water(data_bytes / p->block_bytes);
	new_params = kernel_pool_table_format(&table);
	target = (struct devmap_target){.length = data_bytes / DEVMAP_SECTOR_BYTES,
					.type = "thin-pool",
					.params = new_params};
	if (devmap_reload(p->device.uuid, &target, 1, 0, err) < 0
	    || devmap_suspend(p->device.uuid, DEVMAP_NOFLUSH | DEVMAP_NOLOCKFS, err) < 0)
		return -1;
	return devmap_resume(p->device.uuid, err);
}

static int check_grown(struct tk_pool *p, const struct sizes *want, struct error *err)
{
	struct kernel_pool_status st;
	struct sizes have;

	if (tk_pool_read_status(p, &st, err) < 0)
		return -1;
	have = sizes_of(p, &st);
	if (have.data_bytes == want->data_bytes && have.metadata_bytes == want->metadata_bytes)
		return 0;
	error_set(err, ERR_SYSTEM, "the kernel did not take the new size");
	tk_pool_explain(p, err);
	return -1;
}

static int grow(struct tk_pool *p, const struct sizes *now, const struct sizes *to,
		struct error *err)
{
	struct kernel_pool_status st;
	struct error second = {0};

	if (resize_parts(p, to, err) == 0 && reload_pool(p, to->data_bytes, err) == 0)
		return check_grown(p, to, err);
	/* Unless the kernel knows of it already. */
	if (tk_pool_read_status(p, &st, &second) == 0
	    && st.data_total * p->block_bytes == now->data_bytes
	    && st.metadata_total * METADATA_BLOCK_BYTES == now->metadata_bytes
	    && resize_parts(p, now, &second) < 0)
		log_debug("%s", second.cause);
	return -1;
}

int thin_kernel_grow(struct thin_pool *pool, uint64_t data_bytes, uint64_t metadata_bytes,
		     struct error *err)
{
	struct tk_pool *p = tk_pool_of(pool);
	struct kernel_pool_status st;
	struct sizes now, to = {0};

	if (tk_pool_check_writable(p, err) < 0 || tk_pool_read_status(p, &st, err) < 0
	    || check_mode(p, &st, err) < 0)
		return -1;
	if (p->place.kind == THIN_PLACE_LVM)
		return kernel_lvm_grow(&p->place, data_bytes, metadata_bytes, err);
	now = sizes_of(p, &st);
	if (plan(p, &now, data_bytes, metadata_bytes, &to, err) < 0)
		return -1;
	if (to.data_bytes == now.data_bytes && to.metadata_bytes == now.metadata_bytes)
		return 0;
	return grow(p, &now, &to, err);
}
