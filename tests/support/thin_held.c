/* SPDX-License-Identifier: Apache-2.0 */
/* Walks the trees as the engine does. */
#include "tests/support/thin_held.h"

#include "tests/support/cmocka.h"

#include "pkg/thin/file/pool_internal.h"

static uint64_t mix(uint64_t sum, uint64_t v)
{
	return (sum ^ v) * 0x100000001b3u;
}

static uint64_t sum_tree(struct tf_tx *tx, const struct tf_tree *tree, uint64_t root, uint64_t sum)
{
	struct error err = {0};
	struct tf_leaf leaf;
	uint64_t key = 0;
	int rc;

	while ((rc = tf_btree_seek(tx, tree, root, key, &leaf, &err)) == 0) {
		const uint8_t *node = leaf.node;

		for (; leaf.i < leaf.n; leaf.i++) {
			key = tf_node_key(node, leaf.i);
			sum = mix(sum, key);
			for (uint32_t b = 0; b < tree->value_size; b += 8)
				sum = mix(sum, get_le64(tf_node_value_const(node, leaf.i) + b));
		}
		key++;
	}
	assert_ok(rc < 0 ? -1 : 0, &err);
	return sum;
}

/* Over details, mappings and where they are in the data: all that thin_dump would print. */
static uint64_t sum_metadata(struct tf_tx *tx, const struct tf_superblock *sb)
{
	uint64_t sum = sum_tree(tx, &tf_tree_details, sb->details_root, sb->transaction_id + 1);
	struct error err = {0};
	struct tf_leaf leaf;
	uint64_t id = 0;
	int rc;

	while ((rc = tf_btree_seek(tx, &tf_tree_devices, sb->mapping_root, id, &leaf, &err)) == 0) {
		id = tf_node_key(leaf.node, leaf.i);
		sum = sum_tree(tx, &tf_tree_mappings, tf_node_value64(leaf.node, leaf.i),
			       mix(sum, id));
		id++;
	}
	assert_ok(rc < 0 ? -1 : 0, &err);
	return sum;
}

uint64_t thin_held_sum(struct thin_pool *pool)
{
	struct tf_pool *p = tf_pool_of(pool);
	struct error err = {0};
	struct tf_superblock sb;
	const uint8_t *copy;

	if (!p->sb.held_root)
		return 0;
	copy = tf_cache_read(&p->tx.cache, p->sb.held_root, TF_SUPERBLOCK, &err);
	assert_ok(copy ? 0 : -1, &err);
	tf_superblock_unpack(copy, &sb);
	return sum_metadata(&p->tx, &sb);
}

uint64_t thin_held_sum_now(struct thin_pool *pool)
{
	struct tf_pool *p = tf_pool_of(pool);

	return sum_metadata(&p->tx, &p->sb);
}
