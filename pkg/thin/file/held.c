/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The metadata snapshot: a copy of the superblock in a block of its own, named by the field
 * held_root, which has references to the device and details trees as they were. Copy-on-write does
 * the rest.
 */
#include <string.h>

#include "pkg/thin/file/pool_internal.h"

/* The copy, and some to work with. */
enum { HOLD_BLOCKS = 8 };

/* As the kernel does it: without space maps, since counts go on changing. */
static int hold(struct tf_pool *p, struct error *err)
{
	struct tf_superblock held = p->sb;
	uint8_t *copy;
	uint64_t nr;

	if (tf_tx_new_block(&p->tx, TF_SUPERBLOCK, &nr, &copy, err) < 0
	    || tf_spacemap_inc(&p->tx.metadata, held.mapping_root, err) < 0
	    || tf_spacemap_inc(&p->tx.metadata, held.details_root, err) < 0)
		return -1;
	memcpy(copy, p->raw, TF_BLOCK_BYTES);
	held.data_sm = held.metadata_sm = (struct tf_sm_root){0};
	tf_superblock_pack(&held, copy);
	p->sb.held_root = nr;
	return 0;
}

int tf_held_reserve(struct thin_pool *pool, struct error *err)
{
	struct tf_pool *p = tf_pool_of(pool);

	if (tf_pool_begin(p, HOLD_BLOCKS, TF_RESERVE_NORMAL, err) < 0)
		return -1;
	if (p->sb.held_root)
		return error_set(err, ERR_BUSY,
				 "pool %s has a metadata snapshot already (block %llu)", p->dir,
				 (unsigned long long)p->sb.held_root);
	if (tf_pool_commit(pool, p->sb.transaction_id, err) < 0)
		return -1;
	return tf_pool_end(p, hold(p, err), err);
}

static int let_go(struct tf_pool *p, struct error *err)
{
	const uint8_t *copy = tf_cache_read(&p->tx.cache, p->sb.held_root, TF_SUPERBLOCK, err);
	struct tf_superblock held;

	if (!copy)
		return error_wrap(err, "metadata snapshot");
	tf_superblock_unpack(copy, &held);
	if (tf_btree_drop(&p->tx, &tf_tree_devices, held.mapping_root, err) < 0
	    || tf_btree_drop(&p->tx, &tf_tree_details, held.details_root, err) < 0
	    || tf_tx_put_block(&p->tx, p->sb.held_root, err) < 0)
		return -1;
	p->sb.held_root = 0;
	return 0;
}

int tf_held_release(struct thin_pool *pool, struct error *err)
{
	struct tf_pool *p = tf_pool_of(pool);

	if (tf_pool_begin(p, HOLD_BLOCKS, TF_RESERVE_DELETE, err) < 0)
		return -1;
	if (!p->sb.held_root)
		return error_set(err, ERR_NOT_FOUND, "pool %s has no metadata snapshot", p->dir);
	return tf_pool_end(p, let_go(p, err), err);
}
