/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The copy-on-write btrees of the metadata: 64-bit keys, values of one size, nodes shared between
 * trees. A root is a block number held by the caller, who gets a new one back from each change.
 *
 * Rules that must hold (thin_check and the kernel look at them): leaves at one depth; keys
 * ascending; the key of a child is a lower bound of what is below it and above all before it;
 * every node but a root has at least a third of its entries.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "pkg/base/error.h"
#include "pkg/thin/file/transaction.h"

struct tf_tree {
	const char *name;
	uint32_t value_size;
	/* References that a value holds: taken when a leaf gets a second parent, given back when
	 * the value goes. NULL: it holds none. */
	int (*inc)(struct tf_tx *tx, const uint8_t *value, struct error *err);
	int (*dec)(struct tf_tx *tx, const uint8_t *value, struct error *err);
	/* Does the new value hold the same reference as the old one? NULL when inc is NULL. */
	bool (*equal)(const uint8_t *a, const uint8_t *b);
};

extern const struct tf_tree tf_tree_devices;  /* thin id -> root of its mappings */
extern const struct tf_tree tf_tree_mappings; /* virtual block -> data block, time */
extern const struct tf_tree tf_tree_details;  /* thin id -> struct tf_device */
extern const struct tf_tree tf_tree_index;    /* bitmap number -> struct tf_index_entry */
extern const struct tf_tree tf_tree_overflow; /* block -> count */

/* A new tree without entries. */
MUST_CHECK int tf_btree_empty(struct tf_tx *tx, const struct tf_tree *tree, uint64_t *ret_root,
			      struct error *err);

/* 0 with the value copied to ret, 1 = not there, -1. */
MUST_CHECK int tf_btree_lookup(struct tf_tx *tx, const struct tf_tree *tree, uint64_t root,
			       uint64_t key, void *ret, struct error *err);

/* Where a search stopped: entries i..n-1 of a leaf have keys >= the wanted one. Good until the
 * next change or tf_cache_trim(). */
struct tf_leaf {
	const uint8_t *node;
	uint32_t i, n;
	bool more;	   /* there are leaves behind this one, ... */
	uint64_t next_key; /* ... and this is where to seek for them */
};

/* The first entry with a key >= key. 0, 1 = there is none, -1. */
MUST_CHECK int tf_btree_seek(struct tf_tx *tx, const struct tf_tree *tree, uint64_t root,
			     uint64_t key, struct tf_leaf *ret, struct error *err);

/* Put a value in, in the place of an old one if there is one. The references that the new value
 * holds must have been taken. @ret_new: the key was not there; may be NULL. */
MUST_CHECK int tf_btree_insert(struct tf_tx *tx, const struct tf_tree *tree, uint64_t *root,
			       uint64_t key, const void *value, bool *ret_new, struct error *err);

/*
 * Make the path to an existing key writable and return its value's place, good until the next
 * trim. The first half of a change below a value; what the value says is only right after this,
 * since shadowing a shared leaf takes references. 0, 1 = not there, -1.
 */
MUST_CHECK int tf_btree_shadow_value(struct tf_tx *tx, const struct tf_tree *tree, uint64_t *root,
				     uint64_t key, uint8_t **ret_value, struct error *err);

/* 0, 1 = not there, -1. */
MUST_CHECK int tf_btree_remove(struct tf_tx *tx, const struct tf_tree *tree, uint64_t *root,
			       uint64_t key, struct error *err);

/*
 * Remove keys in [first, end): some of them, in one pass, so that the caller can look after the
 * reserve between two. A leaf with nothing else in it goes as a whole.
 * @ret_n: how many keys went, at least 1. 0, 1 = there are none, -1.
 */
MUST_CHECK int tf_btree_remove_some(struct tf_tx *tx, const struct tf_tree *tree, uint64_t *root,
				    uint64_t first, uint64_t end, uint64_t *ret_n,
				    struct error *err);

/* Give back one reference to a whole tree, and all that nobody else holds. */
MUST_CHECK int tf_btree_drop(struct tf_tx *tx, const struct tf_tree *tree, uint64_t root,
			     struct error *err);
