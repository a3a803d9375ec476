/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many data blocks some thin devices map, and how many of these nobody else maps. For the
 * second, deleting them is played through on the reference counts, with nothing changed: a node
 * that others hold too ends the descent, so it costs what is private and no more.
 */
#include <stdlib.h>
#include <string.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/thin/file/btree_internal.h"
#include "pkg/thin/file/pool_internal.h"
#include "pkg/thin/file/spacemap_derive.h"

enum { TALLY_CHUNK = 4096 };

/* How often each block was reached. Memory is taken around blocks that were. */
struct tally {
	uint32_t **chunks;
	size_t n_chunks;
};

struct usage {
	struct tf_pool *pool;
	bool exclusive;
	struct tally nodes, blocks;
	uint64_t n; /* the answer */
	/* A node for each level: what the cache lends is gone when it is trimmed. */
	uint8_t (*path)[TF_BLOCK_BYTES], (*device_path)[TF_BLOCK_BYTES];
};

static void tally_init(struct tally *t, uint64_t nr_blocks)
{
	t->n_chunks = (size_t)(nr_blocks / TALLY_CHUNK + 1);
	t->chunks = xcalloc(t->n_chunks, sizeof(*t->chunks));
}

static void tally_release(struct tally *t)
{
	for (size_t i = 0; i < t->n_chunks; i++)
		free(t->chunks[i]);
	free(t->chunks);
}

static uint32_t tally_add(struct tally *t, uint64_t block)
{
	uint32_t **chunk = &t->chunks[block / TALLY_CHUNK];

	if (!*chunk)
		*chunk = xcalloc(TALLY_CHUNK, sizeof(**chunk));
	return ++(*chunk)[block % TALLY_CHUNK];
}

static void usage_init(struct usage *u, struct tf_pool *p, bool exclusive)
{
	*u = (struct usage){.pool = p, .exclusive = exclusive};
	tally_init(&u->nodes, p->tx.metadata.nr_blocks);
	tally_init(&u->blocks, p->tx.data.nr_blocks);
	u->path = xcalloc(2 * TF_DEPTH_MAX, sizeof(*u->path));
	u->device_path = u->path + TF_DEPTH_MAX;
}

static void usage_release(struct usage *u)
{
	tally_release(&u->nodes);
	tally_release(&u->blocks);
	free(u->path);
}

/*
 * A block was reached once more. 1 = this time counts: the first time, or, when only what nobody
 * else holds is wanted, the time that accounts for its last reference. 0 = it does not, or -1.
 */
static int reach(struct usage *u, struct tf_spacemap *sm, struct tally *t, uint64_t block,
		 struct error *err)
{
	uint32_t times, last = 1;

	if (block >= sm->nr_blocks)
		return error_set(err, ERR_INCONSISTENT, "%s block %llu is outside the pool",
				 sm->name, (unsigned long long)block);
	times = tally_add(t, block);
	if (!u->exclusive)
		return times == 1;
	if (tf_spacemap_count(sm, block, &last, err) < 0)
		return -1;
	if (times > last)
		return error_set(err, ERR_INCONSISTENT,
				 "%s block %llu has more references than the %u counted", sm->name,
				 (unsigned long long)block, last);
	return times == last;
}

static int add_blocks(struct usage *u, const uint8_t *leaf, struct error *err)
{
	for (uint32_t i = 0; i < tf_node_entries(leaf); i++) {
		uint64_t block = tf_mapping_block(tf_node_value64(leaf, i));
		int counts = reach(u, &u->pool->tx.data, &u->blocks, block, err);

		if (counts < 0)
			return -1;
		u->n += (uint64_t)counts;
	}
	return 0;
}

static int add_node(struct usage *u, const struct tf_tree *tree, uint64_t nr, unsigned depth,
		    struct error *err);

/* What a node names: nodes of its own tree, or of one that hangs on it. */
static int add_children(struct usage *u, const struct tf_tree *tree, const uint8_t *node,
			unsigned depth, struct error *err)
{
	for (uint32_t i = 0; i < tf_node_entries(node); i++)
		if (add_node(u, tree, tf_node_value64(node, i), depth, err) < 0)
			return -1;
	return 0;
}

static int add_node(struct usage *u, const struct tf_tree *tree, uint64_t nr, unsigned depth,
		    struct error *err)
{
	struct tf_tx *tx = &u->pool->tx;
	int counts = reach(u, &tx->metadata, &u->nodes, nr, err);
	uint8_t(*path)[TF_BLOCK_BYTES] = tree == &tf_tree_devices ? u->device_path : u->path;
	const uint8_t *lent;
	uint8_t *node;

	if (counts <= 0)
		return counts;
	if (depth == TF_DEPTH_MAX)
		return tf_btree_too_deep(tree, err);
	lent = tf_btree_node(tx, tree, nr, err);
	if (!lent)
		return -1;
	node = memcpy(path[depth], lent, TF_BLOCK_BYTES);
	tf_tx_trim(tx);
	if (!tf_node_is_leaf(node))
		return add_children(u, tree, node, depth + 1, err);
	if (tree == &tf_tree_devices)
		return add_children(u, &tf_tree_mappings, node, 0, err);
	return add_blocks(u, node, err);
}

/*
 * A metadata snapshot has references, too, but is no device: give it up first. Then what it shares
 * with a device is the device's alone, and what goes with it alone is not counted.
 */
static int set_held_aside(struct usage *u, struct error *err)
{
	struct tf_tx *tx = &u->pool->tx;
	struct tf_superblock held;
	const uint8_t *copy;

	if (!u->exclusive || !u->pool->sb.held_root)
		return 0;
	copy = tf_cache_read(&tx->cache, u->pool->sb.held_root, TF_SUPERBLOCK, err);
	if (!copy)
		return error_wrap(err, "metadata snapshot");
	tf_superblock_unpack(copy, &held);
	if (add_node(u, &tf_tree_devices, held.mapping_root, 0, err) < 0)
		return error_wrap(err, "metadata snapshot");
	u->n = 0;
	return 0;
}

static uint32_t tally_count(const void *context, uint64_t block)
{
	const struct tally *t = context;
	const uint32_t *chunk = t->chunks[block / TALLY_CHUNK];

	return chunk ? chunk[block % TALLY_CHUNK] : 0;
}

/* Each node is entered once and counts what it names: so often each was reached is what it has. */
int tf_usage_derive(struct tf_pool *p, struct error *err)
{
	cleanup(usage_release) struct usage u;
	struct tf_sm_counts nodes = {.count = tally_count, .context = &u.nodes};
	struct tf_sm_counts blocks = {.count = tally_count, .context = &u.blocks};

	usage_init(&u, p, false);
	if (add_node(&u, &tf_tree_devices, p->sb.mapping_root, 0, err) < 0)
		return -1;
	tf_spacemap_derive(&p->tx.metadata, p->tx.metadata.nr_blocks, &nodes);
	tf_spacemap_derive(&p->tx.data, p->tx.data.nr_blocks, &blocks);
	p->no_counts = false;
	return 0;
}

static int add_device(struct usage *u, uint32_t id, struct error *err)
{
	struct tf_device device;
	uint64_t root;
	int rc = tf_device_find(u->pool, id, &device, &root, err);

	if (rc == 1)
		return error_set(err, ERR_NOT_FOUND, "thin %u does not exist", id);
	if (rc < 0)
		return -1;
	if (add_node(u, &tf_tree_mappings, root, 0, err) < 0)
		return error_wrap(err, "thin %u", id);
	return 0;
}

static int count_once(struct tf_pool *p, const uint32_t *ids, size_t n, bool exclusive,
		      uint64_t *ret, struct error *err)
{
	cleanup(usage_release) struct usage u;

	if (exclusive && p->no_counts && tf_usage_derive(p, err) < 0)
		return -1;
	usage_init(&u, p, exclusive);
	if (set_held_aside(&u, err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (add_device(&u, ids[i], err) < 0)
			return -1;
	*ret = u.n;
	return 0;
}

int tf_usage_count(struct thin_pool *pool, const uint32_t *ids, size_t n, bool exclusive,
		   uint64_t *ret_blocks, struct error *err)
{
	struct tf_pool *p = tf_pool_of(pool);
	unsigned tries = 0;
	int rc;

	if (tf_pool_ready(p, err) < 0)
		return -1;
	do {
		rc = count_once(p, ids, n, exclusive, ret_blocks, err);
	} while (tf_pool_read_again(p, &tries, &rc, err));
	return rc;
}
