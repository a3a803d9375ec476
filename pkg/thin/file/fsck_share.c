/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who writes where in place: a device takes a mapping as its own, and overwrites it, unless it was
 * snapshotted after the mapping was made (snapshotted_time > time; reference counts are not
 * asked). So a data block that two mappings reach must be shared in the eyes of each device that
 * reaches it, otherwise a write to one device shows up in another.
 *
 * Per node it is enough to know by how many devices it is reached (0, 1, more) and the least
 * snapshotted_time among them; both are pushed down the shared trees, parents first. The two
 * upper bits of each data block's counter then hold what was met so far.
 */
#include "pkg/thin/file/fsck_internal.h"

#include <inttypes.h>

enum { MET_NOBODY = 0, MET_ONE_WRITER = 1, MET_SHARERS = 2, MET_CONFLICT = 3 };
enum { MET_SHIFT = 30 };

static unsigned met(uint32_t count)
{
	return count >> MET_SHIFT;
}

static void set_met(uint32_t *count, unsigned state)
{
	*count = (*count & FSCK_COUNT_MASK) | (uint32_t)state << MET_SHIFT;
}

static unsigned meet(unsigned before, bool writes_in_place, bool many)
{
	if (!writes_in_place)
		return before == MET_NOBODY	  ? MET_SHARERS
		       : before == MET_ONE_WRITER ? MET_CONFLICT
						  : before;
	return before == MET_NOBODY && !many ? MET_ONE_WRITER : MET_CONFLICT;
}

static bool writes_in_place(const struct fsck_node *leaf, uint64_t mapping)
{
	return leaf->snapshotted <= tf_mapping_time(mapping);
}

static void push_down(struct fsck *f, const struct fsck_node *node)
{
	uint8_t b[TF_BLOCK_BYTES];

	if (!fsck_reread(f, node, b))
		return;
	for (uint32_t i = 0; i < tf_node_entries(b); i++) {
		struct fsck_node *child = fsck_node_of(f, USE_MAPPING, tf_node_value64(b, i));

		if (!child || child->height >= node->height)
			continue;
		if (!child->reach || node->snapshotted < child->snapshotted) {
			child->snapshotted = node->snapshotted;
			child->thin = node->thin;
		}
		child->reach = child->reach + node->reach > 1 ? 2 : 1;
	}
}

/* Returns how many conflicts came up. */
static uint64_t meet_leaf(struct fsck *f, const struct fsck_node *leaf)
{
	uint8_t b[TF_BLOCK_BYTES];
	uint64_t conflicts = 0;

	if (!fsck_reread(f, leaf, b))
		return 0;
	for (uint32_t i = 0; i < tf_node_entries(b); i++) {
		uint64_t mapping = tf_node_value64(b, i);
		uint32_t *count = fsck_data_count(f, tf_mapping_block(mapping));

		if (!count)
			continue;
		set_met(count, meet(met(*count), writes_in_place(leaf, mapping), leaf->reach > 1));
		conflicts += met(*count) == MET_CONFLICT;
	}
	return conflicts;
}

static void report_leaf(struct fsck *f, const struct fsck_node *leaf)
{
	uint8_t b[TF_BLOCK_BYTES];

	if (!fsck_reread(f, leaf, b))
		return;
	for (uint32_t i = 0; i < tf_node_entries(b); i++) {
		uint64_t mapping = tf_node_value64(b, i);
		const uint32_t *count = fsck_data_count(f, tf_mapping_block(mapping));

		if (!count || met(*count) != MET_CONFLICT || !writes_in_place(leaf, mapping))
			continue;
		fsck_report(f, FSCK_SHARED_TIME,
			    fsck_at("thin %" PRIu32 " block %" PRIu64, leaf->thin,
				    tf_node_key(b, i)),
			    "would overwrite shared data block %" PRIu64 ": mapped at time %" PRIu32
			    ", snapshotted at %" PRIu32,
			    tf_mapping_block(mapping), tf_mapping_time(mapping), leaf->snapshotted);
	}
}

/* Reached mapping nodes of one height, in the order of the first visit. */
static struct fsck_node *next_reached(struct fsck *f, unsigned height, size_t *i)
{
	while (++*i < f->nr_nodes) {
		struct fsck_node *node = &f->nodes[*i];

		if (node->use == USE_MAPPING && node->readable && node->reach
		    && node->height == height)
			return node;
	}
	return NULL;
}

static unsigned greatest_height(const struct fsck *f)
{
	unsigned height = 0;

	for (size_t i = 1; i < f->nr_nodes; i++)
		if (f->nodes[i].use == USE_MAPPING && f->nodes[i].readable
		    && f->nodes[i].height > height)
			height = f->nodes[i].height;
	return height;
}

void fsck_share(struct fsck *f)
{
	const struct fsck_node *node;
	uint64_t conflicts = 0;

	for (unsigned height = greatest_height(f); height > 0; height--)
		for (size_t i = 0; (node = next_reached(f, height, &i));)
			push_down(f, node);
	for (size_t i = 0; (node = next_reached(f, 0, &i));)
		conflicts += meet_leaf(f, node);
	f->hidden_sharing = conflicts > 0;
	if (!conflicts)
		return;
	for (size_t i = 0; (node = next_reached(f, 0, &i));)
		report_leaf(f, node);
}
