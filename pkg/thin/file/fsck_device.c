/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the strict check knows of devices: the two trees that must list the same ids, the numbers
 * of each device against its mappings, and the metadata snapshot, which is a second such pair.
 */
#include "pkg/thin/file/fsck_internal.h"

#include <inttypes.h>
#include <stdlib.h>

#include "pkg/base/alloc.h"

struct device {
	uint64_t id;
	uint64_t root;		 /* from the top level of mappings */
	struct tf_device detail; /* from the details */
};

struct device_list {
	struct device *items;
	size_t n, room;
};

static struct device *device_list_add(struct device_list *list, uint64_t id)
{
	ALLOC_GROW(list->items, list->n + 1, list->room);
	list->items[list->n] = (struct device){.id = id};
	return &list->items[list->n++];
}

static int by_id(const void *a, const void *b)
{
	uint64_t x = ((const struct device *)a)->id, y = ((const struct device *)b)->id;

	return (x > y) - (x < y);
}

static void device_list_sort(struct device_list *list)
{
	if (list->n)
		qsort(list->items, list->n, sizeof(*list->items), by_id);
}

static void add_mapped(struct fsck *f, uint64_t key, const uint8_t *value, void *arg)
{
	(void)f;
	device_list_add(arg, key)->root = get_le64(value);
}

static void add_detailed(struct fsck *f, uint64_t key, const uint8_t *value, void *arg)
{
	(void)f;
	tf_device_unpack(value, &device_list_add(arg, key)->detail);
}

/* ---- one device ---- */

struct side {
	const char *prefix; /* "" or "metadata snapshot: " */
	unsigned walk;
	uint64_t from; /* the superblock, or its copy */
	uint64_t mapping_root, details_root;
	uint32_t time;
	uint64_t transaction_id;
};

static struct fsck_place at_thin(const struct side *side, uint64_t id)
{
	return fsck_at("%sthin %" PRIu64, side->prefix, id);
}

static void check_times(struct fsck *f, const struct side *side, uint64_t id,
			const struct tf_device *d)
{
	if (d->creation_time > side->time)
		fsck_report(f, FSCK_TIME, at_thin(side, id),
			    "created at time %" PRIu32 ", the pool is at %" PRIu32,
			    d->creation_time, side->time);
	if (d->snapshotted_time > side->time)
		fsck_report(f, FSCK_TIME, at_thin(side, id),
			    "snapshotted at time %" PRIu32 ", the pool is at %" PRIu32,
			    d->snapshotted_time, side->time);
	if (d->snapshotted_time < d->creation_time)
		fsck_report(f, FSCK_TIME, at_thin(side, id),
			    "snapshotted at time %" PRIu32 ", created at %" PRIu32,
			    d->snapshotted_time, d->creation_time);
	if (d->transaction_id > side->transaction_id)
		fsck_report(f, FSCK_TRANSACTION_ID, at_thin(side, id),
			    "created in transaction %" PRIu64 ", the pool is at %" PRIu64,
			    d->transaction_id, side->transaction_id);
}

static void check_mappings(struct fsck *f, const struct side *side, const struct device *mapped)
{
	const struct fsck_node *root = fsck_node_of(f, USE_MAPPING, mapped->root);

	if (root && root->newest > side->time)
		fsck_report(f, FSCK_TIME, at_thin(side, mapped->id),
			    "a mapping of time %" PRIu32 ", the pool is at %" PRIu32, root->newest,
			    side->time);
}

static void check_mapped_blocks(struct fsck *f, const struct side *side,
				const struct device *mapped, const struct tf_device *d)
{
	const struct fsck_node *root = fsck_node_of(f, USE_MAPPING, mapped->root);

	if (root && root->sound && root->entries != d->mapped_blocks)
		fsck_report(f, FSCK_MAPPED_BLOCKS, at_thin(side, mapped->id),
			    "%" PRIu64 " blocks in the details, %" PRIu64 " mappings",
			    d->mapped_blocks, root->entries);
}

/* For fsck_share.c. A device without details cannot be opened, so it does not write. */
static void reach(struct fsck *f, const struct device *mapped, const struct tf_device *d)
{
	struct fsck_node *root = fsck_node_of(f, USE_MAPPING, mapped->root);

	if (!root)
		return;
	if (!root->reach || (d && d->snapshotted_time < root->snapshotted)) {
		root->snapshotted = d ? d->snapshotted_time : UINT32_MAX;
		root->thin = (uint32_t)mapped->id;
	}
	root->reach = root->reach ? 2 : 1;
}

static void check_device(struct fsck *f, const struct side *side, const struct device *mapped,
			 const struct device *detailed)
{
	if (mapped) {
		check_mappings(f, side, mapped);
		if (side->walk == FSCK_WALK_LIVE)
			reach(f, mapped, detailed ? &detailed->detail : NULL);
	}
	if (detailed)
		check_times(f, side, detailed->id, &detailed->detail);
	if (mapped && detailed)
		check_mapped_blocks(f, side, mapped, &detailed->detail);
}

/* ---- all of one side ---- */

static bool tree_sound(struct fsck *f, enum fsck_use use, uint64_t root)
{
	const struct fsck_node *node = fsck_node_of(f, use, root);

	return node && node->sound;
}

static void report_alone(struct fsck *f, const struct side *side, const struct device *mapped,
			 const struct device *detailed)
{
	if (!detailed && tree_sound(f, USE_DETAILS, side->details_root))
		fsck_report(f, FSCK_DETAILS_MISSING, at_thin(side, mapped->id),
			    "has a mapping tree (block %" PRIu64 ") and no device details",
			    mapped->root);
	if (!mapped && tree_sound(f, USE_TOP, side->mapping_root))
		fsck_report(f, FSCK_MAPPING_MISSING, at_thin(side, detailed->id),
			    "has device details (%" PRIu64 " blocks) and no mapping tree",
			    detailed->detail.mapped_blocks);
}

static void check_side(struct fsck *f, const struct side *side)
{
	struct device_list top = {0}, details = {0};
	size_t i = 0, k = 0;

	fsck_visit(f, USE_TOP, side->mapping_root, side->from);
	fsck_visit(f, USE_DETAILS, side->details_root, side->from);
	fsck_each(f, USE_TOP, side->mapping_root, side->walk, add_mapped, &top);
	fsck_each(f, USE_DETAILS, side->details_root, side->walk, add_detailed, &details);
	device_list_sort(&top);
	device_list_sort(&details);
	while (i < top.n || k < details.n) {
		const struct device *mapped = i < top.n ? &top.items[i] : NULL;
		const struct device *detailed = k < details.n ? &details.items[k] : NULL;

		if (mapped && detailed && mapped->id != detailed->id) {
			mapped = mapped->id < detailed->id ? mapped : NULL;
			detailed = mapped ? NULL : detailed;
		}
		if (!mapped || !detailed)
			report_alone(f, side, mapped, detailed);
		check_device(f, side, mapped, detailed);
		i += mapped != NULL;
		k += detailed != NULL;
	}
	free(top.items);
	free(details.items);
}

/* ---- metadata snapshot ---- */

static bool sm_root_zero(const struct tf_sm_root *root)
{
	return !root->nr_blocks && !root->nr_allocated && !root->bitmap_root
	       && !root->overflow_root;
}

static void check_held_fields(struct fsck *f, const struct tf_superblock *held)
{
	struct fsck_place here = fsck_at_block(f->sb.held_root);

	if (held->magic != TF_MAGIC || held->version != TF_VERSION)
		fsck_report(f, FSCK_HELD_ROOT, here,
			    "metadata snapshot: magic %" PRIu64 ", version %" PRIu32, held->magic,
			    held->version);
	if (held->time > f->sb.time || held->transaction_id > f->sb.transaction_id)
		fsck_report(f, FSCK_HELD_ROOT, here,
			    "metadata snapshot: time %" PRIu32 ", transaction %" PRIu64
			    ", the pool is at %" PRIu32 ", %" PRIu64,
			    held->time, held->transaction_id, f->sb.time, f->sb.transaction_id);
	if (held->data_block_sectors != f->sb.data_block_sectors
	    || held->metadata_block_sectors != f->sb.metadata_block_sectors)
		fsck_report(f, FSCK_HELD_ROOT, here,
			    "metadata snapshot: data blocks of %" PRIu32
			    " sectors, metadata blocks of %" PRIu32 ", the pool has %" PRIu32
			    " and %" PRIu32,
			    held->data_block_sectors, held->metadata_block_sectors,
			    f->sb.data_block_sectors, f->sb.metadata_block_sectors);
	if (held->flags || held->compat_flags || held->compat_ro_flags || held->incompat_flags)
		fsck_report(f, FSCK_HELD_ROOT, here,
			    "metadata snapshot: flags %" PRIx32 ", features %" PRIx32 ", %" PRIx32
			    ", %" PRIx32 ", it must have none",
			    held->flags, held->compat_flags, held->compat_ro_flags,
			    held->incompat_flags);
	if (held->held_root)
		fsck_report(f, FSCK_HELD_ROOT, here,
			    "metadata snapshot: holds another one, in block %" PRIu64,
			    held->held_root);
	if (!sm_root_zero(&held->data_sm) || !sm_root_zero(&held->metadata_sm))
		fsck_report(f, FSCK_HELD_ROOT, here,
			    "metadata snapshot: space maps of %" PRIu64 " and %" PRIu64
			    " blocks, it must have none",
			    held->data_sm.nr_blocks, held->metadata_sm.nr_blocks);
}

static void check_held(struct fsck *f)
{
	uint8_t b[TF_BLOCK_BYTES];
	struct tf_superblock held;
	struct side side = {.prefix = "metadata snapshot: ", .walk = FSCK_WALK_HELD};

	if (!f->sb.held_root || !fsck_visit(f, USE_SUPERBLOCK, f->sb.held_root, 0))
		return;
	if (!fsck_read(f, TF_SUPERBLOCK, f->sb.held_root, b)) {
		f->metadata.lost = f->data.lost = true;
		return;
	}
	tf_superblock_unpack(b, &held);
	check_held_fields(f, &held);
	side.from = f->sb.held_root;
	side.mapping_root = held.mapping_root;
	side.details_root = held.details_root;
	side.time = held.time;
	side.transaction_id = held.transaction_id;
	check_side(f, &side);
}

void fsck_devices(struct fsck *f)
{
	struct side live = {
		.prefix = "",
		.walk = FSCK_WALK_LIVE,
		.mapping_root = f->sb.mapping_root,
		.details_root = f->sb.details_root,
		.time = f->sb.time,
		.transaction_id = f->sb.transaction_id,
	};

	check_side(f, &live);
	check_held(f);
}
