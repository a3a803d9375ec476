/* SPDX-License-Identifier: Apache-2.0 */
/* The five kinds of trees, told by what their values are and hold. */
#include "pkg/thin/file/btree.h"

static int inc_subtree(struct tf_tx *tx, const uint8_t *value, struct error *err)
{
	return tf_spacemap_inc(&tx->metadata, get_le64(value), err);
}

static int drop_subtree(struct tf_tx *tx, const uint8_t *value, struct error *err)
{
	return tf_btree_drop(tx, &tf_tree_mappings, get_le64(value), err);
}

static bool same_subtree(const uint8_t *a, const uint8_t *b)
{
	return get_le64(a) == get_le64(b);
}

static int inc_data(struct tf_tx *tx, const uint8_t *value, struct error *err)
{
	return tf_spacemap_inc(&tx->data, tf_mapping_block(get_le64(value)), err);
}

static int dec_data(struct tf_tx *tx, const uint8_t *value, struct error *err)
{
	return tf_spacemap_dec(&tx->data, tf_mapping_block(get_le64(value)), NULL, err);
}

/* The time is no part of the reference: the same block written again keeps its one count. */
static bool same_data(const uint8_t *a, const uint8_t *b)
{
	return tf_mapping_block(get_le64(a)) == tf_mapping_block(get_le64(b));
}

const struct tf_tree tf_tree_devices = {
	.name = "device",
	.value_size = TF_MAPPING_BYTES,
	.inc = inc_subtree,
	.dec = drop_subtree,
	.equal = same_subtree,
};

const struct tf_tree tf_tree_mappings = {
	.name = "mapping",
	.value_size = TF_MAPPING_BYTES,
	.inc = inc_data,
	.dec = dec_data,
	.equal = same_data,
};

const struct tf_tree tf_tree_details = {.name = "details", .value_size = TF_DEVICE_BYTES};
const struct tf_tree tf_tree_index = {.name = "bitmap index", .value_size = TF_INDEX_ENTRY_BYTES};
const struct tf_tree tf_tree_overflow = {.name = "overflow", .value_size = TF_OVERFLOW_BYTES};
