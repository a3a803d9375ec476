/* SPDX-License-Identifier: Apache-2.0 */
/* What repair changes in the details of devices; mappings and times of mappings stay. */
#include <string.h>

#include "pkg/thin/file/repair_internal.h"

/* Of the pool, or of its metadata snapshot. */
struct side {
	uint64_t mapping_root;
	uint64_t *details_root; /* changes */
	uint32_t snapshotted;	/* new time for each device, 0 = as it is */
};

static int count_mappings(struct tf_pool *p, struct fsck *f, const struct side *side, uint64_t id,
			  uint64_t *ret, struct error *err)
{
	const struct fsck_node *root = NULL;
	uint8_t value[TF_MAPPING_BYTES];
	int rc = tf_btree_lookup(&p->tx, &tf_tree_devices, side->mapping_root, id, value, err);

	if (rc < 0)
		return -1;
	if (rc == 0)
		root = fsck_node_of(f, USE_MAPPING, get_le64(value));
	if (!root)
		return error_set(err, ERR_INCONSISTENT, "thin %llu has no mapping tree",
				 (unsigned long long)id);
	*ret = root->entries;
	return 0;
}

static int mend_device(struct tf_pool *p, struct fsck *f, const struct side *side, uint64_t id,
		       const uint8_t *stored, struct error *err)
{
	uint8_t value[TF_DEVICE_BYTES];
	struct tf_device now, want;

	tf_device_unpack(stored, &now);
	want = now;
	if (count_mappings(p, f, side, id, &want.mapped_blocks, err) < 0)
		return -1;
	if (side->snapshotted)
		want.snapshotted_time = side->snapshotted;
	if (want.mapped_blocks == now.mapped_blocks
	    && want.snapshotted_time == now.snapshotted_time)
		return 0;
	tf_device_pack(&want, value);
	return tf_btree_insert(&p->tx, &tf_tree_details, side->details_root, id, value, NULL, err);
}

static int mend_side(struct tf_pool *p, struct fsck *f, const struct side *side, struct error *err)
{
	uint8_t value[TF_DEVICE_BYTES];
	uint64_t id = 0;

	for (;;) {
		struct tf_leaf leaf;
		int rc;

		tf_tx_trim(&p->tx);
		rc = tf_btree_seek(&p->tx, &tf_tree_details, *side->details_root, id, &leaf, err);
		if (rc)
			return rc < 0 ? -1 : 0;
		id = tf_node_key(leaf.node, leaf.i);
		memcpy(value, tf_node_value_const(leaf.node, leaf.i), sizeof(value));
		if (mend_device(p, f, side, id, value, err) < 0)
			return -1;
		if (id++ == THIN_FSCK_ID_MAX)
			return 0;
	}
}

/* Another copy of the superblock, when the details it names have moved. */
static int mend_held(struct tf_pool *p, struct fsck *f, struct error *err)
{
	const uint8_t *old = tf_cache_read(&p->tx.cache, p->sb.held_root, TF_SUPERBLOCK, err);
	uint8_t bytes[TF_BLOCK_BYTES], *copy;
	struct tf_superblock held;
	uint64_t nr, root;
	struct side side = {.details_root = &held.details_root};

	if (!old)
		return error_wrap(err, "metadata snapshot");
	memcpy(bytes, old, sizeof(bytes));
	tf_superblock_unpack(bytes, &held);
	root = held.details_root;
	side.mapping_root = held.mapping_root;
	if (mend_side(p, f, &side, err) < 0)
		return -1;
	if (held.details_root == root)
		return 0;
	if (tf_tx_new_block(&p->tx, TF_SUPERBLOCK, &nr, &copy, err) < 0
	    || tf_tx_put_block(&p->tx, p->sb.held_root, err) < 0)
		return -1;
	memcpy(copy, bytes, sizeof(bytes));
	tf_superblock_pack(&held, copy);
	p->sb.held_root = nr;
	return 0;
}

int tf_repair_devices(struct tf_pool *p, struct fsck *f, struct error *err)
{
	struct side live = {.mapping_root = p->sb.mapping_root,
			    .details_root = &p->sb.details_root};

	/* Later than every mapping, so that each one counts as shared and is copied when written. */
	if (f->hidden_sharing)
		live.snapshotted = ++p->sb.time;
	if (mend_side(p, f, &live, err) < 0)
		return -1;
	return p->sb.held_root ? mend_held(p, f, err) : 0;
}
