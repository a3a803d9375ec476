/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pools with something of everything in them, and for each kind of change one short run of it that
 * ends in a commit: what tests cut, refuse and let run out of space at every place.
 */
#pragma once

#include "tests/support/thin_run.h"

/*
 *   thin 1   10 blocks, some partly written; all shared with 2 but one
 *   thin 2   a snapshot of 1, three blocks of its own
 *   thin 3   4 blocks, shared with 5
 *   thin 4   8 blocks that nobody shares
 *   thin 5   a snapshot of 3, all blocks written again
 *   6 to 11  are free
 */
void thin_scenes_small(struct thin_run *r);

/* The same with blocks of 192 KiB; with blocks of 1 GiB, of which few bytes are kept. */
void thin_scenes_odd(struct thin_run *r);
void thin_scenes_huge(struct thin_run *r);

/* As the small one, but with 300 blocks more in thin 1 and 130 snapshots of it from 12 on: trees of two
 * levels, counts above 2. Few bytes of each block are kept, see thin_model.h. */
void thin_scenes_wide(struct thin_run *r);

/* The small one, and empty thins from 12 on until there is no metadata left but the reserve. */
void thin_scenes_crowded(struct thin_run *r);

enum thin_scene_flags {
	SCENE_WHOLE_BLOCKS = 1, /* writes past the bytes that a wide or huge model keeps */
	SCENE_ENDS_SESSION = 2, /* closes the pool or aborts on the way */
};

struct thin_scene {
	const char *name;
	/* 0, or -1 as thin_run_failed(). From the same pool always the same. */
	int (*run)(struct thin_run *r);
	unsigned flags;
};

extern const struct thin_scene thin_scenes[];
extern const size_t thin_scenes_n;

/* Of every kind of change one, whatever there is, and a commit. 0, or -1 as thin_run_failed(). */
int thin_scenes_go_on(struct thin_run *r);

/* The one of this name. */
const struct thin_scene *thin_scene(const char *name);

/* A pool to start from again and again. */
struct thin_stage {
	struct thin_run run;
	struct thin_model model;
	char *folder; /* the pool as it was made */
};

void thin_stage_init(struct thin_stage *s, void (*make)(struct thin_run *r));
void thin_stage_release(struct thin_stage *s);

/* With the pool open for writing; close it when done. */
void thin_stage_set(struct thin_stage *s);

/* What is in the pool, which is open, is what the model says. */
void thin_stage_check(struct thin_stage *s);
