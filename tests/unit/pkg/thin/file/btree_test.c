/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trees against sorted arrays: random inserts, removals, sharing and commits; after each round
 * every rule of the format is checked by a walk of its own, and every block accounted for.
 */
#include "pkg/thin/file/btree.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"

enum { KEYS = 4000, BLOCKS = 40000 };

struct fixture {
	struct tf_tx tx;
	int fd;
	uint64_t random;
	uint64_t base; /* blocks in use besides the trees of the test */
};

static uint32_t next_random(struct fixture *f)
{
	f->random = f->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(f->random >> 33);
}

static void commit(struct fixture *f)
{
	struct tf_sm_root data, metadata;
	struct error err = {0};

	assert_int_equal(tf_tx_flush(&f->tx, &data, &metadata, &err), 0);
	tf_tx_committed(&f->tx);
	tf_cache_clear(&f->tx.cache); /* read everything back */
	for (size_t i = 0; i < f->tx.data.n_groups; i++)
		tf_spacemap_unload(&f->tx.data, &f->tx.data.groups[i]);
	for (size_t i = 0; i < f->tx.metadata.n_groups; i++)
		tf_spacemap_unload(&f->tx.metadata, &f->tx.metadata.groups[i]);
}

static int set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	struct error err = {0};

	f->fd = memfd_create("metadata", MFD_CLOEXEC);
	assert_true(f->fd >= 0);
	assert_int_equal(ftruncate(f->fd, (off_t)BLOCKS * TF_BLOCK_BYTES), 0);
	f->random = 1;
	tf_tx_init(&f->tx, f->fd, "test", NULL);
	f->tx.cache.nr_blocks = BLOCKS;
	assert_int_equal(tf_spacemap_grow(&f->tx.metadata, BLOCKS, &err), 0);
	assert_int_equal(tf_spacemap_grow(&f->tx.data, BLOCKS, &err), 0);
	assert_int_equal(tf_spacemap_inc(&f->tx.metadata, 0, &err), 0);
	commit(f);
	f->base = f->tx.metadata.nr_allocated;
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	tf_tx_release(&f->tx);
	close(f->fd);
	free(f);
	return 0;
}

/* ---- the rules ---- */

struct walk {
	const struct tf_tree *tree;
	uint64_t n; /* entries */
	unsigned leaf_depth;
	bool *seen; /* blocks, so that shared ones are counted once */
	uint64_t nodes;
};

static void walk_node(struct fixture *f, struct walk *w, uint64_t nr, unsigned depth, uint64_t low,
		      uint64_t high)
{
	struct error err = {0};
	const uint8_t *read = tf_cache_read(&f->tx.cache, nr, TF_NODE, &err);
	uint8_t node[TF_BLOCK_BYTES];
	uint32_t n, max;

	assert_non_null(read);
	memcpy(node, read, sizeof(node));
	n = tf_node_entries(node);
	max = tf_node_max(node);
	w->nodes += !w->seen[nr];
	w->seen[nr] = true;
	assert_true(n <= max);
	assert_int_equal(max, tf_node_max_entries(tf_node_is_leaf(node) ? w->tree->value_size : 8));
	if (depth)
		assert_true(n >= max / 3);
	else if (!tf_node_is_leaf(node))
		assert_true(n >= 1);
	for (uint32_t i = 0; i < n; i++) {
		uint64_t key = tf_node_key(node, i);
		uint64_t next = i + 1 < n ? tf_node_key(node, i + 1) : high;

		assert_true(key >= low && key <= high && key <= next);
		if (i + 1 < n)
			assert_true(key < next);
		if (!tf_node_is_leaf(node))
			walk_node(f, w, tf_node_value64(node, i), depth + 1, key,
				  i + 1 < n ? next - 1 : high);
	}
	if (!tf_node_is_leaf(node))
		return;
	if (!w->leaf_depth)
		w->leaf_depth = depth + 1;
	assert_int_equal(w->leaf_depth, depth + 1);
	w->n += n;
}

static uint64_t check_rules(struct fixture *f, const struct tf_tree *tree, uint64_t root,
			    bool *seen)
{
	struct walk w = {.tree = tree, .seen = seen};

	walk_node(f, &w, root, 0, 0, UINT64_MAX);
	return w.nodes;
}

/* ---- a tree and what should be in it ---- */

struct model {
	const struct tf_tree *tree;
	uint64_t root;
	uint64_t values[KEYS]; /* 0 = not there */
	uint64_t n;
};

static void value_bytes(const struct tf_tree *tree, uint64_t v, uint8_t *bytes)
{
	memset(bytes, 0, 32);
	if (tree->value_size == TF_OVERFLOW_BYTES)
		put_le32(bytes, (uint32_t)v);
	else
		put_le64(bytes, v);
}

/* Keys far apart, so that there is room below, between and above. */
static uint64_t key_of(uint32_t i)
{
	return 1000 + (uint64_t)i * 7;
}

static void model_put(struct fixture *f, struct model *m, uint32_t i, uint64_t v)
{
	uint8_t bytes[32];
	bool is_new;
	struct error err = {0};

	value_bytes(m->tree, v, bytes);
	assert_int_equal(tf_btree_insert(&f->tx, m->tree, &m->root, key_of(i), bytes, &is_new,
					 &err),
			 0);
	assert_int_equal(is_new, !m->values[i]);
	m->n += is_new;
	m->values[i] = v;
}

static void model_take(struct fixture *f, struct model *m, uint32_t i)
{
	struct error err = {0};

	assert_int_equal(tf_btree_remove(&f->tx, m->tree, &m->root, key_of(i), &err),
			 m->values[i] ? 0 : 1);
	m->n -= m->values[i] != 0;
	m->values[i] = 0;
}

static void model_compare(struct fixture *f, const struct model *m)
{
	uint8_t got[32], want[32];
	struct tf_leaf leaf;
	struct error err = {0};
	uint64_t key = 0, n = 0;

	for (uint32_t i = 0; i < KEYS; i++) {
		value_bytes(m->tree, m->values[i], want);
		assert_int_equal(tf_btree_lookup(&f->tx, m->tree, m->root, key_of(i), got, &err),
				 m->values[i] ? 0 : 1);
		if (m->values[i])
			assert_memory_equal(got, want, m->tree->value_size);
		assert_int_equal(tf_btree_lookup(&f->tx, m->tree, m->root, key_of(i) + 3, got,
						 &err),
				 1);
	}
	while (tf_btree_seek(&f->tx, m->tree, m->root, key, &leaf, &err) == 0) {
		uint64_t found = tf_node_key(leaf.node, leaf.i);

		assert_true(found >= key);
		assert_true(m->values[(found - 1000) / 7]);
		n++;
		key = found + 1;
	}
	assert_int_equal(n, m->n);
}

/* All metadata blocks that are in use are in these trees. */
static void account(struct fixture *f, struct model *const *models, size_t n)
{
	cleanup_free bool *seen = xcalloc(BLOCKS, sizeof(*seen));
	uint64_t nodes = 0;

	for (size_t i = 0; i < n; i++)
		nodes += check_rules(f, models[i]->tree, models[i]->root, seen);
	assert_int_equal(f->tx.metadata.nr_allocated, f->base + nodes);
}

/* A commit moves bitmaps, index and overflow trees about, so what is not ours is counted anew. */
static void commit_and_rebase(struct fixture *f, struct model *const *models, size_t n)
{
	cleanup_free bool *seen = xcalloc(BLOCKS, sizeof(*seen));
	uint64_t nodes = 0;

	commit(f);
	for (size_t i = 0; i < n; i++)
		nodes += check_rules(f, models[i]->tree, models[i]->root, seen);
	f->base = f->tx.metadata.nr_allocated - nodes;
}

static void exercise(struct fixture *f, const struct tf_tree *tree, unsigned removals_in_8)
{
	cleanup_free struct model *m = xcalloc(1, sizeof(*m));
	struct error err = {0};

	m->tree = tree;
	assert_int_equal(tf_btree_empty(&f->tx, tree, &m->root, &err), 0);
	for (unsigned round = 0; round < 30; round++) {
		/* Grow at first, then shrink to nothing, with runs and scattered keys. */
		unsigned removals = round < 18 ? removals_in_8 : 7;

		for (unsigned k = 0; k < 250; k++) {
			uint32_t from = next_random(f) % KEYS, run = next_random(f) % 12;
			bool take = next_random(f) % 8 < removals;

			for (uint32_t i = from; i < KEYS && i <= from + run; i++) {
				if (take)
					model_take(f, m, i);
				else
					model_put(f, m, i, next_random(f) + 1);
			}
		}
		account(f, &m, 1);
		model_compare(f, m);
		if (round % 4 == 3) {
			commit_and_rebase(f, &m, 1);
		}
	}
	for (uint32_t i = 0; i < KEYS; i++)
		model_take(f, m, i);
	account(f, &m, 1);
	assert_int_equal(tf_btree_drop(&f->tx, tree, m->root, &err), 0);
	assert_int_equal(f->tx.metadata.nr_allocated, f->base);
}

static void trees_of_all_value_sizes_equal_their_model(void **state)
{
	exercise(*state, &tf_tree_overflow, 2);
	exercise(*state, &tf_tree_details, 3);
	exercise(*state, &tf_tree_index, 3);
}

/* ---- order of keys ---- */

static uint64_t nodes_after(struct fixture *f, uint32_t first, uint32_t step)
{
	cleanup_free struct model *m = xcalloc(1, sizeof(*m));
	cleanup_free bool *seen = xcalloc(BLOCKS, sizeof(*seen));
	struct error err = {0};
	uint64_t nodes;

	m->tree = &tf_tree_details;
	assert_int_equal(tf_btree_empty(&f->tx, m->tree, &m->root, &err), 0);
	for (uint32_t i = 0; i < KEYS; i++) {
		model_put(f, m, (first + i * step) % KEYS, i + 1);
		if (i % 20 == 0)
			check_rules(f, m->tree, m->root, seen);
	}
	model_compare(f, m);
	memset(seen, 0, BLOCKS);
	nodes = check_rules(f, m->tree, m->root, seen);
	assert_int_equal(tf_btree_drop(&f->tx, m->tree, m->root, &err), 0);
	return nodes;
}

static void ascending_keys_fill_their_leaves(void **state)
{
	/* 4000 entries of 126 a leaf: 32 leaves and a root at best. */
	assert_true(nodes_after(*state, 0, 1) <= 35);
	assert_true(nodes_after(*state, KEYS - 1, KEYS - 1) <= 66); /* descending */
	assert_true(nodes_after(*state, 0, 1237) <= 66);	    /* scattered */
}

/* ---- sharing ---- */

static void fill_mappings(struct fixture *f, struct model *m, uint32_t from, uint32_t n)
{
	struct error err = {0};
	uint64_t block, got;

	for (uint32_t i = from; i < from + n && i < KEYS; i++) {
		assert_int_equal(tf_spacemap_alloc(&f->tx.data, 1, &block, &got, &err), 0);
		model_put(f, m, i, tf_mapping(block, 1));
	}
}

/* Count what the trees hold of the data blocks, once for each leaf block. */
static void check_data_counts(struct fixture *f, struct model *const *models, size_t n)
{
	cleanup_free uint32_t *held = xcalloc(BLOCKS, sizeof(*held));
	cleanup_free bool *seen = xcalloc(BLOCKS, sizeof(*seen));
	struct error err = {0};

	for (size_t k = 0; k < n; k++) {
		struct tf_leaf leaf;
		uint64_t key = 0;

		while (tf_btree_seek(&f->tx, models[k]->tree, models[k]->root, key, &leaf, &err)
		       == 0) {
			uint64_t nr = tf_block_number(leaf.node);

			/* Fresh nodes get their number only when written: commit first. */
			key = tf_node_key(leaf.node, leaf.n - 1) + 1;
			if (seen[nr])
				continue;
			seen[nr] = true;
			for (uint32_t i = 0; i < leaf.n; i++)
				held[tf_mapping_block(tf_node_value64(leaf.node, i))]++;
		}
	}
	for (uint64_t b = 0; b < BLOCKS; b++) {
		uint32_t count;

		assert_int_equal(tf_spacemap_count(&f->tx.data, b, &count, &err), 0);
		assert_int_equal(count, held[b]);
	}
}

static void shared_trees_part_without_harm_to_each_other(void **state)
{
	enum { TREES = 6 };
	struct fixture *f = *state;
	struct model *m[TREES];
	struct error err = {0};

	for (unsigned k = 0; k < TREES; k++)
		m[k] = xcalloc(1, sizeof(*m[k]));
	m[0]->tree = &tf_tree_mappings;
	assert_int_equal(tf_btree_empty(&f->tx, m[0]->tree, &m[0]->root, &err), 0);
	fill_mappings(f, m[0], 0, KEYS);
	/* Each next one is a copy of the first as it is then; all go on changing. */
	for (unsigned k = 1; k < TREES; k++) {
		*m[k] = *m[0];
		assert_int_equal(tf_spacemap_inc(&f->tx.metadata, m[0]->root, &err), 0);
		for (unsigned j = 0; j <= k; j++) {
			fill_mappings(f, m[j], next_random(f) % KEYS, 30);
			for (uint32_t i = next_random(f) % KEYS, n = 60; n-- && i < KEYS; i++)
				model_take(f, m[j], i);
			fill_mappings(f, m[j], next_random(f) % KEYS, 1);
		}
		account(f, m, k + 1);
		commit_and_rebase(f, m, k + 1);
		check_data_counts(f, m, k + 1);
	}
	for (unsigned k = 0; k < TREES; k++)
		model_compare(f, m[k]);
	for (unsigned k = 0; k < TREES; k++) {
		assert_int_equal(tf_btree_drop(&f->tx, m[k]->tree, m[k]->root, &err), 0);
		account(f, m + k + 1, TREES - k - 1);
		for (unsigned j = k + 1; j < TREES; j++)
			model_compare(f, m[j]);
	}
	assert_int_equal(f->tx.data.nr_allocated, 0);
	assert_int_equal(f->tx.metadata.nr_allocated, f->base);
	for (unsigned k = 0; k < TREES; k++)
		free(m[k]);
}

static void overwriting_with_the_same_block_keeps_its_count(void **state)
{
	struct fixture *f = *state;
	cleanup_free struct model *m = xcalloc(1, sizeof(*m));
	struct error err = {0};
	uint64_t block, n;
	uint32_t count;

	m->tree = &tf_tree_mappings;
	assert_int_equal(tf_btree_empty(&f->tx, m->tree, &m->root, &err), 0);
	assert_int_equal(tf_spacemap_alloc(&f->tx.data, 1, &block, &n, &err), 0);
	model_put(f, m, 5, tf_mapping(block, 1));
	model_put(f, m, 5, tf_mapping(block, 2));
	assert_int_equal(tf_spacemap_count(&f->tx.data, block, &count, &err), 0);
	assert_int_equal(count, 1);
	assert_int_equal(tf_btree_drop(&f->tx, m->tree, m->root, &err), 0);
	assert_int_equal(f->tx.data.nr_allocated, 0);
}

static void a_cycle_is_an_error_not_a_hang(void **state)
{
	struct fixture *f = *state;
	struct error err = {0};
	uint64_t nr;
	uint8_t *node, value[32];

	assert_int_equal(tf_tx_new_block(&f->tx, TF_NODE, &nr, &node, &err), 0);
	tf_node_init(node, TF_NODE_INTERNAL, 8);
	tf_node_set_entries(node, 1);
	tf_node_set_value64(node, 0, nr);
	assert_int_equal(tf_btree_lookup(&f->tx, &tf_tree_details, nr, 5, value, &err), -1);
	assert_int_equal(err.kind, ERR_INCONSISTENT);
	assert_int_equal(tf_btree_drop(&f->tx, &tf_tree_details, nr, &err), -1);
	assert_int_equal(err.kind, ERR_INCONSISTENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(trees_of_all_value_sizes_equal_their_model, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(ascending_keys_fill_their_leaves, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(shared_trees_part_without_harm_to_each_other,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(overwriting_with_the_same_block_keeps_its_count,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_cycle_is_an_error_not_a_hang, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
