/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A space map from counts that somebody took from the trees, for when the bitmaps cannot be
 * believed. It holds nothing of the stored map: the next commit writes all of it anew.
 */
#pragma once

#include "pkg/thin/file/spacemap.h"

struct tf_sm_counts {
	uint32_t (*count)(const void *context, uint64_t block);
	/* May the block be handed out in this transaction? Asked where the count is 0. NULL: all. */
	bool (*may_use)(const void *context, uint64_t block);
	const void *context;
};

/* Empty the map and fill it for nr_blocks blocks. Name, transaction and callbacks stay. */
void tf_spacemap_derive(struct tf_spacemap *sm, uint64_t nr_blocks,
			const struct tf_sm_counts *from);
