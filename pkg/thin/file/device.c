/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Thin devices as entries of two trees: their mappings' root in the device tree, their counters in
 * the details tree. Making, snapshotting, deleting and listing them; not their bytes.
 */
#include <stdlib.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/thin/file/pool_internal.h"

/* Metadata blocks for changing one id in both trees, whatever their depth: shadowed paths and
 * splits, two trees of at most five levels. */
enum { ID_CHANGE_BLOCKS = 40 };

int tf_device_find(struct tf_pool *p, uint32_t id, struct tf_device *ret, uint64_t *ret_root,
		   struct error *err)
{
	uint8_t details[TF_DEVICE_BYTES], root[TF_MAPPING_BYTES];
	int rc = tf_btree_lookup(&p->tx, &tf_tree_details, p->sb.details_root, id, details, err);

	if (rc)
		return rc;
	rc = tf_btree_lookup(&p->tx, &tf_tree_devices, p->sb.mapping_root, id, root, err);
	if (rc == 1)
		return error_set(err, ERR_INCONSISTENT, "thin %u has details but no mappings", id);
	if (rc < 0)
		return -1;
	tf_device_unpack(details, ret);
	*ret_root = get_le64(root);
	return 0;
}

int tf_device_store(struct tf_pool *p, uint32_t id, const struct tf_device *d, struct error *err)
{
	uint8_t details[TF_DEVICE_BYTES];

	tf_device_pack(d, details);
	return tf_btree_insert(&p->tx, &tf_tree_details, &p->sb.details_root, id, details, NULL,
			       err);
}

/* The id must be free in both trees. */
static int check_unused(struct tf_pool *p, uint32_t id, struct error *err)
{
	struct tf_device device;
	uint64_t root;
	int rc = tf_device_find(p, id, &device, &root, err);

	if (rc == 0)
		return error_set(err, ERR_INCONSISTENT, "thin %u exists", id);
	return rc < 0 ? -1 : 0;
}

static int enter_device(struct tf_pool *p, uint32_t id, uint64_t root, const struct tf_device *d,
			struct error *err)
{
	uint8_t value[TF_MAPPING_BYTES];

	put_le64(value, root);
	if (tf_btree_insert(&p->tx, &tf_tree_devices, &p->sb.mapping_root, id, value, NULL, err)
	    < 0)
		return -1;
	return tf_device_store(p, id, d, err);
}

static int make_thin(struct tf_pool *p, uint32_t id, struct error *err)
{
	struct tf_device device = {
		.transaction_id = p->sb.transaction_id,
		.creation_time = p->sb.time,
		.snapshotted_time = p->sb.time,
	};
	uint64_t root;

	if (tf_btree_empty(&p->tx, &tf_tree_mappings, &root, err) < 0)
		return -1;
	return enter_device(p, id, root, &device, err);
}

int tf_device_create_thin(struct thin_pool *pool, uint32_t id, struct error *err)
{
	struct tf_pool *p = tf_pool_of(pool);

	if (tf_pool_begin(p, ID_CHANGE_BLOCKS, TF_RESERVE_NORMAL, err) < 0
	    || check_unused(p, id, err) < 0)
		return -1;
	return tf_pool_end(p, make_thin(p, id, err), err);
}

/*
 * Both devices get the new time as snapshotted_time: every mapping made before it is shared from
 * now on, on both sides. Forgetting the origin would let its writes show in the snapshot.
 */
static int make_snap(struct tf_pool *p, uint32_t id, uint32_t origin_id, struct tf_device *origin,
		     uint64_t origin_root, struct error *err)
{
	struct tf_device device = {
		.mapped_blocks = origin->mapped_blocks,
		.transaction_id = p->sb.transaction_id,
	};

	p->sb.time++;
	device.creation_time = p->sb.time;
	device.snapshotted_time = p->sb.time;
	origin->snapshotted_time = p->sb.time;
	if (tf_spacemap_inc(&p->tx.metadata, origin_root, err) < 0
	    || enter_device(p, id, origin_root, &device, err) < 0)
		return -1;
	return tf_device_store(p, origin_id, origin, err);
}

int tf_device_create_snap(struct thin_pool *pool, uint32_t id, uint32_t origin_id,
			  struct error *err)
{
	struct tf_pool *p = tf_pool_of(pool);
	struct tf_device origin;
	uint64_t root;
	int rc;

	if (tf_pool_begin(p, 2 * ID_CHANGE_BLOCKS, TF_RESERVE_NORMAL, err) < 0
	    || check_unused(p, id, err) < 0)
		return -1;
	rc = tf_device_find(p, origin_id, &origin, &root, err);
	if (rc == 1)
		return error_set(err, ERR_INCONSISTENT, "thin %u, to be snapshotted, is missing",
				 origin_id);
	if (rc < 0)
		return -1;
	/* A mapping has 24 bits for its time, and the kernel does not look whether they suffice. */
	if (p->sb.time >= TF_TIME_MAX) {
		error_set(err, ERR_UNSUPPORTED,
			  "the pool has had all the %u snapshots that its format can count; only a "
			  "new pool can have more",
			  (unsigned)TF_TIME_MAX);
		return error_set_detail(err, ERR_DETAIL_SNAPSHOTS);
	}
	return tf_pool_end(p, make_snap(p, id, origin_id, &origin, root, err), err);
}

static int drop_device(struct tf_pool *p, uint32_t id, struct error *err)
{
	if (tf_btree_remove(&p->tx, &tf_tree_details, &p->sb.details_root, id, err) < 0)
		return -1;
	return tf_btree_remove(&p->tx, &tf_tree_devices, &p->sb.mapping_root, id, err);
}

int tf_device_delete(struct thin_pool *pool, uint32_t id, struct error *err)
{
	struct tf_pool *p = tf_pool_of(pool);
	struct tf_device device;
	uint64_t root;
	int rc;

	if (tf_pool_begin(p, ID_CHANGE_BLOCKS, TF_RESERVE_DELETE, err) < 0)
		return -1;
	rc = tf_device_find(p, id, &device, &root, err);
	if (rc == 1)
		return error_set(err, ERR_NOT_FOUND, "thin %u does not exist", id);
	if (rc < 0)
		return -1;
	if (tf_volume_is_open(p, id))
		return error_set(err, ERR_BUSY, "thin %u is open", id);
	return tf_pool_end(p, drop_device(p, id, err), err);
}

/* ---- looking ---- */

static struct thin_device public_device(uint64_t id, const uint8_t *details)
{
	struct tf_device d;

	tf_device_unpack(details, &d);
	return (struct thin_device){
		.id = (uint32_t)id,
		.mapped_blocks = d.mapped_blocks,
		.transaction_id = d.transaction_id,
		.creation_time = d.creation_time,
		.snapshotted_time = d.snapshotted_time,
	};
}

int tf_device_get(struct thin_pool *pool, uint32_t id, struct thin_device *ret, struct error *err)
{
	struct tf_pool *p = tf_pool_of(pool);
	uint8_t details[TF_DEVICE_BYTES];
	unsigned tries = 0;
	int rc;

	if (tf_pool_ready(p, err) < 0)
		return -1;
	do {
		rc = tf_btree_lookup(&p->tx, &tf_tree_details, p->sb.details_root, id, details,
				     err);
	} while (tf_pool_read_again(p, &tries, &rc, err));
	if (rc == 1)
		return error_set(err, ERR_NOT_FOUND, "thin %u does not exist", id);
	if (rc == 0)
		*ret = public_device(id, details);
	return rc;
}

struct device_list {
	struct thin_device *items;
	size_t n, room;
};

static int list_devices(struct tf_pool *p, struct device_list *list, struct error *err)
{
	struct tf_leaf leaf;
	uint64_t key = 0;
	int rc;

	list->n = 0;
	while ((rc = tf_btree_seek(&p->tx, &tf_tree_details, p->sb.details_root, key, &leaf, err))
	       == 0) {
		for (; leaf.i < leaf.n; leaf.i++) {
			key = tf_node_key(leaf.node, leaf.i);
			ALLOC_GROW(list->items, list->n + 1, list->room);
			list->items[list->n++] =
				public_device(key, tf_node_value_const(leaf.node, leaf.i));
		}
		key++;
	}
	return rc < 0 ? -1 : 0;
}

int tf_device_list(struct thin_pool *pool, struct thin_device **ret, size_t *ret_n,
		   struct error *err)
{
	struct tf_pool *p = tf_pool_of(pool);
	struct device_list list = {0};
	unsigned tries = 0;
	int rc;

	if (tf_pool_ready(p, err) < 0)
		return -1;
	do {
		rc = list_devices(p, &list, err);
	} while (tf_pool_read_again(p, &tries, &rc, err));
	if (rc < 0) {
		free(list.items);
		return -1;
	}
	*ret = list.items;
	*ret_n = list.n;
	return 0;
}

int tf_device_count(struct tf_pool *p, uint64_t *ret, struct error *err)
{
	uint64_t key = 0, n = 0;
	struct tf_leaf leaf;
	int rc;

	while ((rc = tf_btree_seek(&p->tx, &tf_tree_details, p->sb.details_root, key, &leaf, err))
	       == 0) {
		n += leaf.n - leaf.i;
		key = tf_node_key(leaf.node, leaf.n - 1) + 1;
	}
	*ret = n;
	return rc < 0 ? -1 : 0;
}
