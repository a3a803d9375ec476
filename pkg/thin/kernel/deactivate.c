/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From an active pool back to its place: thin devices, the thin-pool, what that stands on. All of it
 * or nothing: what went is put back when something else is in use.
 */
#include <stdlib.h>
#include <string.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/base/log.h"
#include "pkg/host/mounts.h"
#include "pkg/thin/kernel/activate.h"
#include "pkg/thin/kernel/activate_lvm.h"
#include "pkg/thin/kernel/engine.h"
#include "pkg/thin/kernel/table.h"

/* --- thin devices ----------------------------------------------------------------------------- */

struct thin_node {
	struct kernel_names names;
	uint32_t id;
	uint64_t length; /* sectors; 0: not to be put back */
	bool read_only;
};

/* Those that are active. */
struct thin_nodes {
	struct thin_node *items;
	size_t n, room;
	size_t gone; /* so many of them were removed, from the last one on */
};

static void nodes_release(struct thin_nodes *nodes)
{
	free(nodes->items);
}

/* A session's device that nobody has open was left by a kill. */
static int look_at_table(struct thin_node *node, bool session, struct error *err)
{
	cleanup_free char *type = NULL, *params = NULL;
	struct devmap_target target;

	if (session)
		return 0;
	if (devmap_table(node->names.uuid, &target, &type, &params, err) < 0)
		return -1;
	node->length = target.length;
	return 0;
}

static int in_use(const struct devmap_info *device, struct error *err)
{
	cleanup(mount_list_release) struct mount_list mounts = {0};
	cleanup_free char *path = devmap_path(device->name);
	struct error ignored = {0};

	if (mounts_of_device(path, &mounts, &ignored) == 0 && mounts.n > 0)
		return error_set(err, ERR_BUSY, "%s is mounted on %s", path, mounts.points[0]);
	return error_set(err, ERR_BUSY, "%s is in use", path);
}

/* Thin 0 is looked at by every command, but only for a moment: removing it waits for that. */
static int look_at_thin(const struct devmap_info *device, uint32_t id, bool session,
			struct thin_nodes *ret, struct error *err)
{
	struct thin_node node = {.id = id};
	struct devmap_info now;

	memcpy(node.names.name, device->name, sizeof(node.names.name));
	memcpy(node.names.uuid, device->uuid, sizeof(node.names.uuid));
	if (devmap_info(device->uuid, &now, err) < 0)
		return -1;
	if (!now.exists)
		return 0;
	if (now.open_count > 0 && id != 0)
		return in_use(&now, err);
	node.read_only = now.read_only;
	if (now.live && look_at_table(&node, session, err) < 0)
		return -1;
	ALLOC_GROW(ret->items, ret->n + 1, ret->room);
	ret->items[ret->n++] = node;
	return 0;
}

static int by_id(const void *a, const void *b)
{
	const struct thin_node *left = a, *right = b;

	return left->id < right->id ? -1 : left->id > right->id;
}

static int find_thins(const struct thin_place *place, struct thin_nodes *ret, struct error *err)
{
	cleanup(devmap_list_release) struct devmap_list list = {0};
	char prefix[DEVMAP_UUID_BYTES];

	kernel_names_prefix(place->uuid, prefix);
	if (devmap_list(prefix, &list, err) < 0)
		return -1;
	for (size_t i = 0; i < list.n; i++) {
		const struct devmap_info *device = &list.items[i];
		bool session;
		uint32_t id;

		session = kernel_names_parse_volume(device->uuid, &id);
		if ((session || kernel_names_parse_thin(device->uuid, &id))
		    && look_at_thin(device, id, session, ret, err) < 0)
			return -1;
	}
	if (ret->n)
		qsort(ret->items, ret->n, sizeof(*ret->items), by_id);
	return 0;
}

static int remove_thins(struct thin_nodes *nodes, struct error *err)
{
	for (; nodes->gone < nodes->n; nodes->gone++)
		if (devmap_remove(nodes->items[nodes->n - nodes->gone - 1].names.uuid, 0, err) < 0)
			return -1;
	return 0;
}

static int put_back_thin(const struct devmap_info *pool, const struct thin_node *node,
			 struct error *err)
{
	cleanup_free char *params = xasprintf("%u:%u %u", pool->major, pool->minor, node->id);
	struct devmap_target target = {.length = node->length, .type = "thin", .params = params};

	return devmap_create(node->names.name, node->names.uuid, &target, 1,
			     node->read_only ? DEVMAP_READ_ONLY : 0, err);
}

/* --- all of it -------------------------------------------------------------------------------- */

int kernel_parts_detach(const char *dir, const struct thin_place *place, struct error *err)
{
	switch (place->kind) {
	case THIN_PLACE_FILES:
		return kernel_loop_detach(dir, err);
	case THIN_PLACE_DEVICE:
		return kernel_device_detach(place, err);
	case THIN_PLACE_LVM:
		break;
	}
	return kernel_lvm_deactivate(dir, place, err);
}

static int take_down(const char *dir, const struct thin_place *place, struct thin_nodes *nodes,
		     struct error *err)
{
	struct devmap_info pool;

	if (kernel_pool_find(dir, place, &pool, err) < 0 || kernel_pool_mend(place, &pool, err) < 0
	    || find_thins(place, nodes, err) < 0 || remove_thins(nodes, err) < 0)
		return -1;
	if (place->kind != THIN_PLACE_LVM && pool.exists && devmap_remove(pool.uuid, 0, err) < 0)
		return -1;
	return kernel_parts_detach(dir, place, err);
}

/* Devices that a path was given out of, and that nobody has open just now. */
static void put_back(const char *dir, const struct thin_place *place,
		     const struct thin_nodes *nodes)
{
	struct error err = {0};
	struct devmap_info pool;

	if (kernel_pool_activate(dir, place, 0, &pool, &err) < 0) {
		log_debug("pool %s cannot be put back: %s", dir, err.cause);
		return;
	}
	for (size_t i = nodes->n - nodes->gone; i < nodes->n; i++)
		if (nodes->items[i].length && put_back_thin(&pool, &nodes->items[i], &err) < 0)
			log_debug("thin %u cannot be put back: %s", nodes->items[i].id, err.cause);
}

int kernel_pool_deactivate(const char *dir, const struct thin_place *place, struct error *err)
{
	cleanup(nodes_release) struct thin_nodes nodes = {0};

	if (take_down(dir, place, &nodes, err) == 0)
		return 0;
	if (nodes.gone > 0)
		put_back(dir, place, &nodes);
	return error_wrap(err, "deactivate pool %s", dir);
}

int thin_kernel_deactivate(const char *dir, unsigned lock_timeout_ms, struct error *err)
{
	cleanup(thin_place_release) struct thin_place place = {0};
	int status, lock = -1;

	if (kernel_place_load(dir, &place, err) < 0
	    || kernel_lock_take(dir, "deactivate", lock_timeout_ms, &lock, err) < 0)
		return -1;
	status = kernel_pool_deactivate(dir, &place, err);
	kernel_lock_drop(dir, &lock);
	return status;
}
