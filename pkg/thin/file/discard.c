/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unmapping ranges of a thin device, leaf by leaf. Each step is whole in itself, with its metadata
 * reserved before, so that a range of any size needs no more at a time than a small one.
 */
#include "pkg/thin/file/volume_internal.h"

/* One pass down each of the three trees: two blocks for a level where neighbours are joined. */
enum { STEP_BLOCKS = 40 };

/* Is anything mapped there? 0, 1 = no, -1. */
static int find_some(const struct tf_volume *v, uint64_t first, uint64_t end, struct error *err)
{
	struct tf_device device;
	struct tf_leaf leaf;
	uint64_t root;
	int rc = tf_volume_device(v, &device, &root, err);

	if (rc == 0)
		rc = tf_btree_seek(&v->pool->tx, &tf_tree_mappings, root, first, &leaf, err);
	return rc ? rc : tf_node_key(leaf.node, leaf.i) >= end;
}

static int remove_some(struct tf_volume *v, uint64_t first, uint64_t end, struct error *err)
{
	struct tf_pool *p = v->pool;
	struct tf_device device;
	uint64_t root, n = 0;
	uint8_t *at;
	/* The device tree's path first, since that may add references to the mappings' root. */
	int rc = tf_btree_shadow_value(&p->tx, &tf_tree_devices, &p->sb.mapping_root, v->id, &at,
				       err);

	if (rc == 1)
		return error_set(err, ERR_INCONSISTENT, "thin %u has no mappings", v->id);
	if (rc < 0 || tf_volume_device(v, &device, &root, err) < 0)
		return -1;
	if (tf_btree_remove_some(&p->tx, &tf_tree_mappings, &root, first, end, &n, err) < 0)
		return -1;
	if (n > device.mapped_blocks)
		return error_set(err, ERR_INCONSISTENT,
				 "thin %u has more mappings than the %llu counted", v->id,
				 (unsigned long long)device.mapped_blocks);
	device.mapped_blocks -= n;
	put_le64(at, root);
	return tf_device_store(p, v->id, &device, err);
}

int tf_volume_discard(struct thin_volume *volume, uint64_t offset, uint64_t len, struct error *err)
{
	struct tf_volume *v = tf_volume_of(volume);
	uint64_t block_bytes = v->base.block_bytes;
	uint64_t first = offset / block_bytes, end = (offset + len - 1) / block_bytes + 1;
	int rc = tf_pool_ready(v->pool, err);

	while (rc == 0) {
		rc = find_some(v, first, end, err);
		if (rc == 0)
			rc = tf_pool_begin(v->pool, STEP_BLOCKS, TF_RESERVE_DELETE, err);
		if (rc == 0)
			rc = tf_pool_end(v->pool, remove_some(v, first, end, err), err);
	}
	return rc < 0 ? error_wrap(err, "discard in thin %u", v->id) : 0;
}
