/* SPDX-License-Identifier: Apache-2.0 */
/* Thin devices: made and ended by message, given a node, opened as volumes. */
#include <errno.h>
#include <stdlib.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/base/log.h"
#include "pkg/thin/kernel/claim.h"
#include "pkg/thin/kernel/pool_internal.h"
#include "pkg/thin/kernel/table.h"
#include "pkg/thin/kernel/volume.h"

/* --- by message ------------------------------------------------------------------------------- */

int tk_device_create_thin(struct thin_pool *pool, uint32_t id, struct error *err)
{
	struct tk_pool *p = tk_pool_of(pool);

	if (tk_pool_check_writable(p, err) < 0)
		return -1;
	if (tk_pool_message(p, err, "create_thin %u", id) == 0)
		return 0;
	if (err->sys == EEXIST)
		return error_set(err, ERR_INCONSISTENT, "thin %u exists", id);
	return -1;
}

static int find_node(struct tk_pool *p, uint32_t id, struct kernel_names *ret_names,
		     struct devmap_info *ret, struct error *err)
{
	kernel_names_thin(p->place.uuid, id, ret_names);
	return devmap_info(ret_names->uuid, ret, err);
}

static int send_snap(struct tk_pool *p, uint32_t id, uint32_t origin, struct error *err)
{
	if (tk_pool_message(p, err, "create_snap %u %u", id, origin) == 0)
		return 0;
	if (err->sys == EEXIST)
		return error_set(err, ERR_INCONSISTENT, "thin %u exists", id);
	if (err->sys == ENODATA)
		return error_set(err, ERR_INCONSISTENT, "thin %u, to be snapshotted, is missing",
				 origin);
	return -1;
}

/* What was written to the origin is in the pool then, and nothing is on its way. */
static int snap_suspended(struct tk_pool *p, const char *uuid, uint32_t id, uint32_t origin,
			  struct error *err)
{
	struct error second = {0};
	int status;

	if (devmap_suspend(uuid, 0, err) < 0)
		return -1;
	status = send_snap(p, id, origin, err);
	if (devmap_resume(uuid, &second) == 0)
		return status;
	if (status == 0)
		*err = second;
	return -1;
}

int tk_device_create_snap(struct thin_pool *pool, uint32_t id, uint32_t origin, struct error *err)
{
	struct tk_pool *p = tk_pool_of(pool);
	struct kernel_names names;
	struct devmap_info node;

	if (tk_pool_check_writable(p, err) < 0 || find_node(p, origin, &names, &node, err) < 0)
		return -1;
	if (node.exists && node.live && !node.read_only && !node.suspended)
		return snap_suspended(p, names.uuid, id, origin, err);
	return send_snap(p, id, origin, err);
}

int tk_device_delete(struct thin_pool *pool, uint32_t id, struct error *err)
{
	struct tk_pool *p = tk_pool_of(pool);

	if (tk_pool_check_writable(p, err) < 0 || tk_device_deactivate(pool, id, err) < 0)
		return -1;
	if (tk_pool_message(p, err, "delete %u", id) == 0)
		return 0;
	if (err->sys == ENODATA)
		return error_set(err, ERR_NOT_FOUND, "thin %u does not exist", id);
	return -1;
}

/* --- nodes ------------------------------------------------------------------------------------ */

static int make_node(struct tk_pool *p, const struct kernel_names *names, uint32_t id,
		     uint64_t size_bytes, bool read_only, struct error *err)
{
	cleanup_free char *params = xasprintf("%u:%u %u", p->device.major, p->device.minor, id);
	struct devmap_target target = {.length = size_bytes / DEVMAP_SECTOR_BYTES,
				       .type = "thin",
				       .params = params};

	p->counts.activations++;
	if (devmap_create(names->name, names->uuid, &target, 1, read_only ? DEVMAP_READ_ONLY : 0,
			  err)
	    == 0)
		return 0;
	if (err->sys == ENODATA)
		return error_set(err, ERR_NOT_FOUND, "thin %u does not exist", id);
	tk_pool_explain(p, err);
	return -1;
}

/*
 * There is a node, of this kind. @ret_new: it was made now. One that a killed command left without
 * a table, suspended, or for the other kind of use and not open, is put right.
 */
static int ensure_node(struct tk_pool *p, uint32_t id, uint64_t size_bytes, bool read_only,
		       struct kernel_names *ret, bool *ret_new, struct error *err)
{
	struct devmap_info node;

	*ret_new = false;
	if (find_node(p, id, ret, &node, err) < 0)
		return -1;
	if (node.exists && node.live && node.suspended && devmap_resume(ret->uuid, err) < 0)
		return -1;
	if (node.exists && (!node.live || node.read_only != read_only)) {
		if (node.open_count > 0)
			return error_set(err, ERR_BUSY, "%s is in use", node.name);
		if (devmap_remove(ret->uuid, 0, err) < 0)
			return -1;
		node.exists = false;
	}
	if (node.exists)
		return devmap_make_node(&node, err);
	*ret_new = true;
	return make_node(p, ret, id, size_bytes, read_only, err);
}

int tk_device_activate(struct thin_pool *pool, uint32_t id, uint64_t size_bytes, bool read_only,
		       char **ret_path, struct error *err)
{
	struct kernel_names names;
	bool is_new;

	if (ensure_node(tk_pool_of(pool), id, size_bytes, read_only, &names, &is_new, err) < 0)
		return -1;
	*ret_path = devmap_path(names.name);
	return 0;
}

int tk_device_deactivate(struct thin_pool *pool, uint32_t id, struct error *err)
{
	struct kernel_names names;

	kernel_names_thin(tk_pool_of(pool)->place.uuid, id, &names);
	return devmap_remove(names.uuid, 0, err);
}

int tk_device_find(struct thin_pool *pool, uint32_t id, char **ret_path, struct error *err)
{
	struct kernel_names names;
	struct devmap_info node;

	if (find_node(tk_pool_of(pool), id, &names, &node, err) < 0)
		return -1;
	if (!node.exists || !node.live)
		return 1;
	*ret_path = devmap_path(node.name);
	return 0;
}

/* --- volumes ---------------------------------------------------------------------------------- */

/* What a volume needs to be ended; freed when it is. */
struct opened {
	struct tk_pool *pool;
	uint32_t id;
	bool keep_node; /* it was there before, or is thin device 0 */
};

static void explain(void *arg, struct error *err)
{
	tk_pool_explain(((struct opened *)arg)->pool, err);
}

static void end_use(struct opened *o)
{
	struct error ignored = {0};

	if (!o->keep_node && tk_device_deactivate(&o->pool->base, o->id, &ignored) < 0)
		log_debug("thin %u stays active: %s", o->id, ignored.cause);
	if (o->id != 0)
		claim_drop(o->pool->claims_fd, o->id);
	free(o);
}

static void closed(void *arg, struct thin_volume *v, const struct error *failed, bool unflushed)
{
	struct opened *o = arg;
	struct tk_pool *p = o->pool;
	struct kernel_volume_counts counts;

	kernel_volume_counts(v, &counts);
	p->counts.flushes += counts.flushes;
	if (failed->kind != ERR_NONE && p->failure.kind == ERR_NONE)
		p->failure = *failed;
	p->unflushed |= unflushed;
	end_use(o);
}

static int claim(struct tk_pool *p, uint32_t id, bool exclusive, struct error *err)
{
	int taken = id == 0 ? 0 : claim_try(p->claims_fd, id, exclusive, err);

	return taken == 1 ? error_set(err, ERR_BUSY, "thin %u is open", id) : taken;
}

int tk_device_open_volume(struct thin_pool *pool, uint32_t id, uint64_t size_bytes, bool writable,
			  struct thin_volume **ret, struct error *err)
{
	struct tk_pool *p = tk_pool_of(pool);
	struct kernel_volume_pool callbacks = {.explain = explain, .closed = closed};
	cleanup_free char *path = NULL;
	struct kernel_names names;
	struct opened *o;
	bool is_new;

	if ((writable && tk_pool_check_writable(p, err) < 0) || claim(p, id, writable, err) < 0)
		return -1;
	o = xcalloc(1, sizeof(*o));
	*o = (struct opened){.pool = p, .id = id, .keep_node = true};
	if (ensure_node(p, id, size_bytes, id != 0 && !writable, &names, &is_new, err) < 0) {
		end_use(o);
		return -1;
	}
	o->keep_node = id == 0 || !is_new;
	callbacks.arg = o;
	path = devmap_path(names.name);
	if (kernel_volume_open(path, size_bytes, p->block_bytes, writable, &callbacks, ret, err)
	    < 0) {
		end_use(o);
		return -1;
	}
	return 0;
}
