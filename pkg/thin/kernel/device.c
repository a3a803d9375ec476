/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Thin devices: made and ended by message, and given to others as block devices. What a session
 * opens is in opened.c.
 */
#include <errno.h>
#include <stdlib.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/base/log.h"
#include "pkg/thin/kernel/pool_internal.h"
#include "pkg/thin/kernel/table.h"

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

/* Written to just now? Only one of its two devices can be. */
static int find_writable(struct tk_pool *p, uint32_t id, struct devmap_info *ret, struct error *err)
{
	struct kernel_names names;

	kernel_names_volume(p->place.uuid, id, &names);
	if (devmap_info(names.uuid, ret, err) < 0)
		return -1;
	if (ret->exists && !ret->read_only)
		return 0;
	kernel_names_thin(p->place.uuid, id, &names);
	return devmap_info(names.uuid, ret, err);
}

int tk_device_create_snap(struct thin_pool *pool, uint32_t id, uint32_t origin, struct error *err)
{
	struct tk_pool *p = tk_pool_of(pool);
	struct devmap_info node;

	if (tk_pool_check_writable(p, err) < 0 || find_writable(p, origin, &node, err) < 0)
		return -1;
	if (node.exists && node.live && !node.read_only && !node.suspended)
		return snap_suspended(p, node.uuid, id, origin, err);
	return send_snap(p, id, origin, err);
}

static int send_delete(struct tk_pool *p, uint32_t id, struct error *err)
{
	if (tk_pool_message(p, err, "delete %u", id) == 0)
		return 0;
	if (err->sys == ENODATA)
		return error_set(err, ERR_NOT_FOUND, "thin %u does not exist", id);
	return -1;
}

int tk_device_delete(struct thin_pool *pool, uint32_t id, struct error *err)
{
	struct tk_pool *p = tk_pool_of(pool);
	int status;

	if (tk_pool_check_writable(p, err) < 0 || tk_device_deactivate(pool, id, err) < 0
	    || tk_opened_claim(p, id, err) < 0)
		return -1;
	status = send_delete(p, id, err);
	tk_opened_drop(p, id);
	return status;
}

/* --- block devices ---------------------------------------------------------------------------- */

int tk_device_make(struct tk_pool *p, const struct kernel_names *names, uint32_t id,
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
	if (err->kind != ERR_BUSY)
		tk_pool_explain(p, err);
	return -1;
}

/* Somebody told it to go with its last user, who is still there: now it is wanted again. */
static int keep(struct devmap_info *node, struct error *err)
{
	if (!node->exists || !node->deferred_remove
	    || devmap_message(node->uuid, err, "@cancel_deferred_remove") == 0)
		return 0;
	if (err->kind != ERR_NOT_FOUND)
		return -1;
	error_clear(err);
	node->exists = false;
	return 0;
}

int tk_device_ensure(struct tk_pool *p, const struct kernel_names *names, uint32_t id,
		     uint64_t size_bytes, bool read_only, struct error *err)
{
	struct devmap_info node;

	if (devmap_info(names->uuid, &node, err) < 0 || keep(&node, err) < 0)
		return -1;
	if (node.exists && node.live && node.suspended && devmap_resume(names->uuid, err) < 0)
		return -1;
	if (node.exists && (!node.live || node.read_only != read_only)) {
		if (devmap_remove(names->uuid, 0, err) < 0)
			return -1;
		node.exists = false;
	}
	return node.exists ? devmap_make_node(&node, err)
			   : tk_device_make(p, names, id, size_bytes, read_only, err);
}

int tk_device_activate(struct thin_pool *pool, uint32_t id, uint64_t size_bytes, bool read_only,
		       char **ret_path, struct error *err)
{
	struct tk_pool *p = tk_pool_of(pool);
	struct kernel_names names;

	kernel_names_thin(p->place.uuid, id, &names);
	if (tk_device_ensure(p, &names, id, size_bytes, read_only, err) < 0)
		return -1;
	p->given = read_only ? 0 : id;
	*ret_path = devmap_path(names.name);
	return 0;
}

int tk_device_deactivate(struct thin_pool *pool, uint32_t id, struct error *err)
{
	struct kernel_names names;
	cleanup_free char *path = NULL;

	kernel_names_thin(tk_pool_of(pool)->place.uuid, id, &names);
	if (tk_pool_of(pool)->given == id)
		tk_pool_of(pool)->given = 0;
	if (devmap_remove(names.uuid, 0, err) == 0)
		return 0;
	path = devmap_path(names.name);
	return err->kind == ERR_BUSY ? error_set(err, ERR_BUSY, "%s is in use", path) : -1;
}

int tk_device_find(struct thin_pool *pool, uint32_t id, char **ret_path, struct error *err)
{
	struct kernel_names names;
	struct devmap_info node;

	kernel_names_thin(tk_pool_of(pool)->place.uuid, id, &names);
	if (devmap_info(names.uuid, &node, err) < 0)
		return -1;
	if (!node.exists || !node.live)
		return 1;
	*ret_path = devmap_path(node.name);
	return 0;
}

int tk_device_resume_all(struct tk_pool *p, struct error *err)
{
	cleanup(devmap_list_release) struct devmap_list list = {0};
	char prefix[DEVMAP_UUID_BYTES];

	kernel_names_prefix(p->place.uuid, prefix);
	if (devmap_list(prefix, &list, err) < 0)
		return -1;
	for (size_t i = 0; i < list.n; i++) {
		struct devmap_info device;

		if (devmap_info(list.items[i].uuid, &device, err) < 0)
			return -1;
		if (!device.exists || !device.live || !device.suspended)
			continue;
		log_debug("mending: %s was left suspended", device.name);
		if (devmap_resume(device.uuid, err) < 0)
			return -1;
	}
	return 0;
}
