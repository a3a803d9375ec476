/* SPDX-License-Identifier: Apache-2.0 */
/* What inserting and removing share. */
#pragma once

#include "pkg/thin/file/btree.h"

/* Deeper than any tree of 2^64 keys at minimum fill: a cycle. */
enum { TF_DEPTH_MAX = 11 };

/* A verified node that fits the tree; NULL after an error. */
const uint8_t *tf_btree_node(struct tf_tx *tx, const struct tf_tree *tree, uint64_t nr,
			     struct error *err);

/*
 * A private copy of node *nr, which replaces one reference to it: the block itself when it is
 * fresh and has one parent, else a copy with a new number. The caller patches the parent.
 */
MUST_CHECK int tf_btree_shadow(struct tf_tx *tx, const struct tf_tree *tree, uint64_t *nr,
			       uint8_t **ret_node, struct error *err);

/* As above for child i of a private node, whose pointer is patched. */
MUST_CHECK int tf_btree_shadow_child(struct tf_tx *tx, const struct tf_tree *tree, uint8_t *parent,
				     uint32_t i, uint8_t **ret_child, struct error *err);

MUST_CHECK int tf_btree_too_deep(const struct tf_tree *tree, struct error *err);
