/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cuts of what a disk saw: the pool's files as they were at any moment,
 *
 *   as a killed process leaves them   all steps before that moment, a write cut at 4096 bytes
 *   as a power cut leaves them        as above, but of each unit that was not synced any of its
 *                                     contents since the last sync, each unit for itself
 */
#pragma once

#include "tests/support/thin_disk.h"

struct thin_cut {
	uint64_t step;	     /* the steps before this one were made */
	bool power;	     /* the power went, else the process */
	uint32_t unit_bytes; /* with power: 4096, or 512 for torn blocks */
	bool choose;	     /* units of 4096 by `bits`, for the n-th pending: 1 = it is new */
	uint64_t bits;
	uint64_t seed; /* else at random */
};

/* How many units a power cut before this step leaves open; what the cut decides is for 64. */
size_t thin_cut_pending(const struct thin_disk *d, uint64_t step);

/* Write files `meta` and `data` into a folder as they are after a cut. */
void thin_cut_image(const struct thin_disk *d, const struct thin_cut *cut, const char *folder);
/* The same, where the files are a copy of those as they are now. */
void thin_cut_apply(const struct thin_disk *d, const struct thin_cut *cut, const char *folder);

/* Copy `meta` and `data`, with their holes. */
void thin_cut_copy(const char *from, const char *to);
